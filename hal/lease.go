package hal

import "slices"

// Lessor is a Device that can be leased: a descriptor of it was passed to a holder, for itself alone. A lease ends with its holder, or before.
type Lessor interface {
	Device
	// EndLease ends the lease that a holder has on the device, or anybody's where h is nil, and with it on all that was leased together. It calls done on the loop once all of it is in its
	// on-release state. Where there is no such lease it reports false, and calls nothing. It is called on the loop.
	EndLease(h Holder, done func()) bool
}

// Leases is what is leased just now: classes write it, and the service, which knows who the holders are, reads it. It belongs to the loop's goroutine. The zero value is ready; a nil one keeps
// nothing, where nobody wants to know.
type Leases struct {
	all  []*Lease
	last int64
	feed Feed[*Lease]
}

// Lease is one device of which a holder has descriptors. A nil one is nobody's.
type Lease struct {
	Class  string
	Device Device
	Holder Holder
	// Number counts the leases since the start of the daemon: no two are the same.
	Number int64
	// Ended is true where the lease has ended, and the holder has a descriptor still that goes on to work.
	Ended bool
	// Returned is true where nobody has anything of the device any more, as far as the kernel tells.
	Returned bool

	leases *Leases
}

// Begin notes that a holder was given a descriptor of a device.
func (b *Leases) Begin(class string, d Device, h Holder) *Lease {
	if b == nil {
		return nil
	}
	b.last++
	l := &Lease{Class: class, Device: d, Holder: h, Number: b.last, leases: b}
	b.all = append(b.all, l)
	b.feed.Publish(l)
	return l
}

// End notes that the lease has ended, while its descriptor goes on to work.
func (l *Lease) End() {
	if l != nil {
		l.Ended = true
	}
}

// Return notes that the device is free. A second time does no harm.
func (l *Lease) Return() {
	if l == nil || l.Returned {
		return
	}
	l.Returned = true
	l.leases.all = slices.DeleteFunc(l.leases.all, func(other *Lease) bool { return other == l })
	l.leases.feed.Publish(l)
}

// All lists what is leased, in the order in which it was. The slice is not to be changed, nor kept.
func (b *Leases) All() []*Lease {
	if b == nil {
		return nil
	}
	return b.all
}

// Follow calls f for each lease when it begins, and when the device is returned, until it is stopped.
func (b *Leases) Follow(f func(*Lease)) (stop func()) { return b.feed.Subscribe(f) }
