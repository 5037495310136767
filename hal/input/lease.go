package input

import (
	"slices"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/uapi"
)

// lease is a descriptor that was handed over. Each is of an opening of its own, so that revoking one leaves the others alone.
type lease struct {
	device *Device
	holder hal.Holder
	stop   func() // of the wait for the holder's end
	over   bool
	ended  []func() // who waits until it is revoked
	noted  *hal.Lease

	fd int // the daemon's duplicate, for the end alone; -1 without. The device's guard is over it
}

// forget does not wait for the holder's end any more.
func (l *lease) forget() {
	l.over = true
	l.stop()
}

// lend opens the device for a holder, until that ends.
func (d *Device) lend(h hal.Holder, out *hal.File, done func(error)) {
	if d.ended {
		done(hal.GoneDevice(class, d.id))
		return
	}
	l := &lease{device: d, holder: h, fd: -1}
	d.leases = append(d.leases, l)
	l.stop = h.Ended(func() { l.end() })
	late := hal.SlowDevice(class, d.id)
	answer := hal.Within(d.env.Loop, hal.Patience, late, func(err error) {
		if err == error(late) && !l.over {
			l.forget()
			l.end()
		}
		done(err)
	})
	passed := -1
	hal.Errand(d.env, class, d, func() (err error) {
		passed, err = l.open()
		return err
	}, func(err error) {
		switch {
		case err != nil:
			l.forget()
			l.finish()
		case l.over: // its holder is gone, or the device, or it took too long
			_ = d.env.Kernel.Close(passed)
			err = hal.GoneDevice(class, d.id)
		default:
			l.noted = d.env.Leases.Begin(class, d, h)
			out.FD = passed
		}
		answer(d.refuse(err))
	})
}

// open gives the descriptor to hand over.
func (l *lease) open() (passed int, err error) {
	d := l.device
	passed = -1
	err = d.guard.Do(func() error {
		fd, err := d.openNode()
		if err != nil {
			return err
		}
		if passed, err = d.env.Kernel.Pass(fd); err != nil {
			_ = d.env.Kernel.Close(fd)
			return err
		}
		l.fd = fd
		return nil
	})
	return passed, err
}

// end takes the device back when the holder has ended, as soon as the worker has room.
func (l *lease) end() {
	l.over = true
	l.noted.End()
	d := l.device
	hal.Errand(d.env, class, d, func() error {
		return d.guard.Do(func() error {
			l.revoke()
			return nil
		})
	}, func(err error) {
		if _, full := err.(*hal.Busy); full && !d.ended {
			d.env.Loop.After(retry, l.end)
			return
		}
		l.finish()
	})
}

// finish forgets the lease.
func (l *lease) finish() {
	d := l.device
	d.leases = slices.DeleteFunc(d.leases, func(other *lease) bool { return other == l })
	l.tell()
}

// tell tells who waits that it has ended.
func (l *lease) tell() {
	l.noted.Return()
	for _, f := range l.ended {
		f()
	}
	l.ended = nil
}

// revoke makes the holder's descriptor useless, and closes ours. It has the guard.
func (l *lease) revoke() {
	if l.fd < 0 {
		return
	}
	d := l.device
	if err := d.env.Kernel.IoctlInt(l.fd, uapi.InputRevoke, 0); err != nil && err != unix.ENODEV {
		d.env.Log.Warn("cannot revoke a lease of an input device", "device", d.id, "err", err)
	}
	_ = d.env.Kernel.Close(l.fd)
	l.fd = -1
}

var _ hal.Lessor = (*Device)(nil)

// EndLease revokes all that a holder has of the device.
func (d *Device) EndLease(h hal.Holder, done func()) bool {
	left := 0
	told := func() {
		if left--; left == 0 {
			done()
		}
	}
	for _, l := range slices.Clone(d.leases) {
		if h != nil && l.holder != h {
			continue
		}
		left++
		l.ended = append(l.ended, told)
		if !l.over {
			l.forget()
			l.end()
		}
	}
	return left > 0
}
