package hal

// Claimable is a device with a state that it goes to when whoever claimed it lets it go.
type Claimable interface {
	Device
	// Claim is told that somebody takes the device for itself, and gives what brings it to its on-release state; nil where it keeps its state. Both run on the worker of the device's bus,
	// where it has one, and on the loop otherwise.
	Claim() (release func() error, err error)
}

// Claim makes the Claim of a device with an output: safe brings it to its safe value, and remember notes its state, and gives what brings it back there.
func (o *Output) Claim(safe func() error, remember func() (restore func() error, err error)) (release func() error, err error) {
	switch o.Release() {
	case ReleaseSafe:
		return safe, nil
	case ReleaseRestore:
		return remember()
	}
	return nil, nil
}
