package hal

// SafeOutput is an output that board.toml gives a safe value, and how it is brought there.
type SafeOutput struct {
	Device Device
	Value  int64 // the safe value
	// Bring writes the value, whatever the output is doing. It runs on the worker of the device's bus, where it has one, and on the loop otherwise.
	Bring func() error
}

// SafeOutputs makes the Safe of a class from its devices: value is what board.toml says, and bring writes it.
func SafeOutputs[D Device](set *Set[D], value func(D) Opt[int64], bring func(D) error) func() []SafeOutput {
	return func() (all []SafeOutput) {
		for _, d := range set.All() {
			if v := value(d); v.Set {
				all = append(all, SafeOutput{Device: d, Value: v.Value, Bring: func() error { return bring(d) }})
			}
		}
		return all
	}
}
