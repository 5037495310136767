// Package input is the class Input: keys, switches, touch screens and whatever else gives events through /dev/input/eventN.
//
// A device can be watched over the socket, or leased: then its holder gets a descriptor of its own, which is revoked at the end. Whoever may do either sees every key that is pressed.
//
// The kernel keeps a queue for everyone who has a node open. Reading it never waits for hardware and is done on the loop; all else may wait for a driver (opening wakes the hardware) or for somebody
// who is at the device (the kernel has one lock for it), and is done on the worker of its bus, or one of its own.
//
// The Go libraries for evdev (holoplot/go-evdev, gvalkov/golang-evdev) open devices by themselves and know no revoking; the few requests that are needed are in hal/uapi.
//
// Minimum kernel: Linux 3.12, for EVIOCREVOKE. Source: Linux Documentation/input/input.rst and event-codes.rst, include/uapi/linux/input.h and drivers/input/evdev.c.
package input

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
	"github.com/halberd-io/halberd/hal/uapi"
)

const (
	class  = "Input"
	folder = "/sys/class/input"
)

// Device is one device of input.
type Device struct {
	id, bus string
	name    string // in board.toml: the driver's, or where it is plugged in
	node    string // in /dev/input
	entry   string // in /sys/class/input
	inode   uint64 // of the folder that it leads to
	env     *hal.Env

	// These are the loop's.
	feed   hal.Feed[change]
	state  state // as far as it was read
	unsure bool  // a watcher may know another one
	asking bool  // a worker opens the node for the watchers, or asks for the state anew
	polled int   // the watchers' descriptor, while the loop waits for events; -1 otherwise
	ended  bool  // the device is gone, or the class closed
	leases []*lease
	buf    [64]uapi.InputEvent

	guard hal.Guard // of what follows
	fd    int       // for the watchers; -1 without
}

// change is what watchers are told.
type change struct {
	event event
	err   error
}

// ID is the name in board.toml, else the driver's.
func (d *Device) ID() string { return d.id }

// Bus names the bus that the device hangs on, where that may be slow, or else the device's own worker.
func (d *Device) Bus() string { return d.bus }

// Declaration is the device's table in board.toml.
func (d *Device) Declaration() string {
	return hal.Declaration("input", d.id, hal.TextKey("name", d.name))
}

// Start has nothing to do: nothing is opened before somebody asks.
func (d *Device) Start(bool) {}

// Unplug lets go of a device that is gone, and tells its watchers.
func (d *Device) Unplug() {
	d.Close()
	d.feed.Publish(change{err: hal.GoneDevice(class, d.id)})
}

// Close lets go of the device. A lease ends with the class: its descriptor is revoked.
func (d *Device) Close() {
	d.ended = true
	d.unpoll()
	leases := d.leases
	d.leases = nil
	for _, l := range leases {
		l.forget()
	}
	d.guard.Close(d.bus, func() {
		for _, l := range leases {
			l.revoke()
		}
		d.closeFD()
	})
	for _, l := range leases {
		l.tell()
	}
}

// openNode opens the node anew, for times of CLOCK_MONOTONIC. One that is not there any more is gone with its device, and so is one that another device has now.
func (d *Device) openNode() (int, error) {
	fd, err := d.env.Kernel.Open(d.node, unix.O_RDONLY|unix.O_NONBLOCK)
	if err == unix.ENOENT || err == unix.ENXIO {
		err = unix.ENODEV
	}
	if err != nil {
		return -1, err
	}
	clock := int32(unix.CLOCK_MONOTONIC)
	if err = sysfs.There(d.env.Kernel, d.entry, d.inode); err == nil {
		err = d.env.Kernel.Ioctl(fd, uapi.InputSetClock, unsafe.Pointer(&clock))
	}
	if err != nil {
		_ = d.env.Kernel.Close(fd)
		return -1, err
	}
	return fd, nil
}

// closeFD closes the watchers' descriptor. It has the guard.
func (d *Device) closeFD() {
	if d.fd >= 0 {
		_ = d.env.Kernel.Close(d.fd)
		d.fd = -1
	}
}

// look reads the state through a descriptor of its own: the kernel takes the events that led to it out of the queue of who asks.
func (d *Device) look() (now state, err error) {
	err = d.guard.Do(func() error {
		fd, err := d.openNode()
		if err != nil {
			return err
		}
		defer d.env.Kernel.Close(fd)
		now, err = d.ask(fd)
		return err
	})
	return now, err
}

// ask reads the state.
func (d *Device) ask(fd int) (now state, err error) {
	err = d.env.Kernel.Ioctl(fd, uapi.InputGetKeys(len(now.keys)), unsafe.Pointer(&now.keys))
	if err == nil {
		err = d.env.Kernel.Ioctl(fd, uapi.InputGetSwitches(len(now.switches)), unsafe.Pointer(&now.switches))
	}
	return now, err
}

// refuse turns an error into the refusal that the contract has for it.
func (d *Device) refuse(err error) error {
	if errors.Is(err, unix.EOPNOTSUPP) {
		return &hal.NotSupported{Feature: "lease"}
	}
	return hal.Refuse(class, d.id, err)
}
