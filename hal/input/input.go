// Package input is the class Input: keys, switches, touch screens and whatever else gives events through /dev/input/eventN.
//
// A device can be watched over the socket, or leased: then its holder gets a descriptor of its own, which is revoked at the end. Whoever may do either sees every key that is pressed.
//
// The Go libraries for evdev (holoplot/go-evdev, gvalkov/golang-evdev) open devices by themselves and know no revoking; the few requests that are needed are in hal/uapi.
//
// Minimum kernel: Linux 3.12, for EVIOCREVOKE. Source: Linux Documentation/input/input.rst, include/uapi/linux/input.h and drivers/input/evdev.c.
package input

import (
	"errors"
	"path"
	"strings"
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
	name    string // the driver's
	node    string // in /dev/input
	env     *hal.Env

	feed    hal.Feed[change]
	opening bool // the node is on its way to the watchers
	polled  int  // its descriptor, once events are waited for; -1 otherwise
	ended   bool // the device is gone, or the class closed
	leases  map[*lease]bool

	guard hal.Guard // of what follows
	fd    int       // for the watchers; -1 without
	buf   [64 * uapi.InputEventSize]byte
}

// change is what watchers are told.
type change struct {
	event event
	err   error
}

// ID is the name in board.toml, else the driver's.
func (d *Device) ID() string { return d.id }

// Bus names the bus that the device hangs on, where that may be slow.
func (d *Device) Bus() string { return d.bus }

// Declaration is the device's table in board.toml.
func (d *Device) Declaration() string {
	return hal.Declaration("input", d.id, hal.TextKey("name", d.name))
}

func newRoster(env *hal.Env) *sysfs.Roster[*Device] {
	return &sysfs.Roster[*Device]{
		Env: env, Set: hal.NewSet[*Device](class, "device"), Noun: "input device",
		Places: func() ([]sysfs.Place, error) { return places(env.Kernel) },
		Means:  func(e *hal.Entry, p sysfs.Place) bool { return e.Value.(*entry).Name == p.Name },
		Open:   func(id string, p sysfs.Place, _ *hal.Entry) (*Device, error) { return open(env, id, p) },
	}
}

// places are the devices that have a node of events, each named as its driver does: the number of an event follows the order in which drivers were loaded.
func places(k hal.Kernel) (all []sysfs.Place, err error) {
	entries, err := sysfs.Entries(k, folder)
	for _, p := range entries {
		if strings.HasPrefix(p.Name, "event") {
			p.Name, p.Err = sysfs.Read(k, p.Path+"/device/name")
			all = append(all, p)
		}
	}
	return all, err
}

func open(env *hal.Env, id string, at sysfs.Place) (*Device, error) {
	dir, err := sysfs.Resolve(env.Kernel, at.Path)
	if err != nil {
		return nil, err
	}
	return &Device{id: id, name: at.Name, node: "/dev/input/" + path.Base(at.Path), bus: sysfs.Bus(env.Kernel, dir), env: env, fd: -1, polled: -1, leases: map[*lease]bool{}}, nil
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
	for l := range d.leases {
		l.forget()
	}
	d.guard.Close(d.bus, func() {
		for l := range d.leases {
			l.revoke()
		}
		d.closeFD()
	})
}

// openNode opens the node anew. One that is not there any more is gone with its device.
func (d *Device) openNode(flags int) (int, error) {
	fd, err := d.env.Kernel.Open(d.node, flags|unix.O_NONBLOCK)
	if err == unix.ENOENT || err == unix.ENXIO {
		err = unix.ENODEV
	}
	if err != nil {
		return -1, err
	}
	clock := int32(unix.CLOCK_MONOTONIC)
	if err := d.env.Kernel.Ioctl(fd, uapi.InputSetClock, unsafe.Pointer(&clock)); err != nil {
		_ = d.env.Kernel.Close(fd)
		return -1, err
	}
	return fd, nil
}

func (d *Device) closeFD() {
	if d.fd >= 0 {
		_ = d.env.Kernel.Close(d.fd)
		d.fd = -1
	}
}

// state reads which keys are down and which switches are on.
func (d *Device) state() (now event, err error) {
	err = d.guard.Do(func() error {
		fd := d.fd
		if fd < 0 {
			if fd, err = d.openNode(unix.O_RDONLY); err != nil {
				return err
			}
			defer d.env.Kernel.Close(fd)
		}
		now, err = d.look(fd)
		return err
	})
	return now, err
}

func (d *Device) look(fd int) (now event, err error) {
	now.device = d.id
	var keys [uapi.InputKeys / 8]byte
	if err := d.env.Kernel.Ioctl(fd, uapi.InputGetKeys(len(keys)), unsafe.Pointer(&keys)); err != nil {
		return now, err
	}
	var switches [(uapi.InputSwitches + 7) / 8]byte
	if err := d.env.Kernel.Ioctl(fd, uapi.InputGetSwitches(len(switches)), unsafe.Pointer(&switches)); err != nil {
		return now, err
	}
	now.keys, now.switches = hal.Some(set(keys[:])), hal.Some(set(switches[:]))
	return now, nil
}

// set lists the bits that are set.
func set(bitmap []byte) []int64 {
	codes := []int64{}
	for i, b := range bitmap {
		for bit := range 8 {
			if b&(1<<bit) != 0 {
				codes = append(codes, int64(8*i+bit))
			}
		}
	}
	return codes
}

// refuse turns an error into the refusal that the contract has for it.
func (d *Device) refuse(err error) error {
	if errors.Is(err, unix.EOPNOTSUPP) {
		return &hal.NotSupported{Feature: "lease"}
	}
	return hal.Refuse(class, d.id, err)
}
