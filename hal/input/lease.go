package input

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/uapi"
)

// lease is a descriptor that was handed over. Each is opened anew, so that revoking one leaves the others alone.
type lease struct {
	device *Device
	stop   func() // of the wait for the holder's end
	over   bool
	fd     int // the daemon's duplicate, for the end alone; -1 without
}

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
	l := &lease{device: d, fd: -1}
	d.leases[l] = true
	l.stop = h.Ended(l.end)
	passed := -1
	hal.Errand(d.env, class, d, func() (err error) {
		passed, err = l.open()
		return err
	}, func(err error) {
		switch {
		case err != nil:
			l.forget()
			delete(d.leases, l)
		case l.over:
			hal.CloseFiles([]int{passed})
			err = hal.GoneDevice(class, d.id)
		default:
			out.FD = passed
		}
		done(d.refuse(err))
	})
}

// open gives the descriptor to hand over.
func (l *lease) open() (passed int, err error) {
	d := l.device
	passed = -1
	err = d.guard.Do(func() error {
		fd, err := d.openNode(unix.O_RDWR)
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

// end takes the device back when the holder has ended.
func (l *lease) end() {
	l.over = true
	d := l.device
	hal.Errand(d.env, class, d, func() error {
		return d.guard.Do(func() error { l.revoke(); return nil })
	}, func(err error) {
		if _, full := err.(*hal.Busy); full && !d.ended {
			d.env.Loop.After(retry, l.end)
			return
		}
		delete(d.leases, l)
	})
}

// revoke makes the holder's descriptor useless, and closes ours.
func (l *lease) revoke() {
	if l.fd < 0 {
		return
	}
	var zero int32
	k := l.device.env.Kernel
	if err := k.Ioctl(l.fd, uapi.InputRevoke, unsafe.Pointer(&zero)); err != nil && err != unix.ENODEV {
		l.device.env.Log.Warn("cannot revoke a lease of an input device", "device", l.device.id, "err", err)
	}
	_ = k.Close(l.fd)
	l.fd = -1
}
