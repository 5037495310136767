package hal

// Lessor is a Device that can be leased: a descriptor of it was passed to a holder, for itself alone. A lease ends with its holder, or before.
type Lessor interface {
	Device
	// EndLease ends the lease that a holder has on the device, or anybody's where h is nil, and with it on all that was leased together. It calls done on the loop once all of it is in its
	// on-release state. Where there is no such lease it reports false, and calls nothing. It is called on the loop.
	EndLease(h Holder, done func()) bool
}
