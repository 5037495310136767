package spi

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
)

// lease is that somebody has a descriptor of the device. It belongs to the loop, but for its holder.
type lease struct {
	holder hal.Holder
	forget func() // the holder's end
	noted  *hal.Lease
}

var _ hal.Lessor = (*Device)(nil)

// EndLease ends the lease of the device. Its descriptors go on to work.
func (d *Device) EndLease(h hal.Holder, done func()) bool {
	l := d.lease.Load()
	if l == nil || h != nil && l.holder != h {
		return false
	}
	d.endLease(l)
	d.env.Loop.Post(done)
	return true
}

// endLease ends a lease, where it has not ended yet.
func (d *Device) endLease(l *lease) {
	if l != nil && d.lease.CompareAndSwap(l, nil) {
		l.forget()
		l.noted.Return()
	}
}

// begin begins a lease: from now on the device is busy, so that nobody is at it when the descriptor is handed over. Who has one already goes on with it. nil: somebody else has one.
func (d *Device) begin(h hal.Holder) (l *lease, fresh bool) {
	if l := d.lease.Load(); l != nil {
		if l.holder != h {
			return nil, false
		}
		return l, false
	}
	l = &lease{holder: h}
	l.forget = h.Ended(func() { d.endLease(l) })
	d.lease.Store(l)
	return l, true
}

// lend hands a descriptor over. Where that fails, there is no lease.
func (d *Device) lend(h hal.Holder, _ *hal.None, out *leaseOut, done func(error)) {
	l, fresh := d.begin(h)
	if l == nil {
		d.env.Loop.Post(func() { done(hal.BusyDevice(class, d.id, byLease)) })
		return
	}
	answered := false
	answer := hal.Within(d.env.Loop, hal.Patience, hal.SlowDevice(class, d.id), func(err error) {
		answered = true
		if err != nil && fresh {
			d.endLease(l)
		}
		done(d.refuse(err))
	})
	var fd int
	hal.Errand(d.env, class, d, func() (err error) { fd, err = d.share(); return err }, func(err error) {
		switch {
		case err != nil:
		case d.lease.Load() == l && !answered:
			if l.noted == nil {
				l.noted = d.env.Leases.Begin(class, d, h)
			}
			out.File.FD = fd
		default: // the holder or the device has gone, or it took too long
			hal.CloseFiles([]int{fd})
			err = unix.ENODEV
		}
		answer(err)
	})
}

// share opens the device anew, for somebody else, and with the settings that it is to have. It runs on the worker.
func (d *Device) share() (passed int, err error) {
	err = d.guard.Do(func() error {
		if err := d.settle(true); err != nil {
			return err
		}
		fd, err := d.openNode()
		if err != nil {
			return err
		}
		defer d.env.Kernel.Close(fd)
		passed, err = d.env.Kernel.Pass(fd)
		switch {
		case errors.Is(err, unix.EOPNOTSUPP):
			return &hal.NotSupported{Feature: "lease"}
		case err != nil:
			return err
		}
		d.dirty.Store(true)
		return nil
	})
	return passed, err
}
