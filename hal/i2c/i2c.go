// Package i2c is the class I2c: the adapters of /dev/i2c-N, and the chips on them that board.toml names.
//
// A class has devices of two kinds here. A bus is named by the parameter bus, and whoever may use it may talk to every chip on it, as far as the limits of a grant do not say otherwise. A chip is named by
// the parameter device; board.toml says where it is and which of its registers may be read and written. No two of them have one ID, so that a grant's devices names either.
//
// The kernel must have i2c-dev, built in or loaded: an adapter without it is not there. An adapter is opened for each call and closed again: while a descriptor of it is open, the kernel neither lets the
// adapter's module go nor lets its removal end, and beside the bus's own time the opening is nothing. No descriptor of a bus is ever handed out, since it reaches every chip.
//
// Addresses have seven bits. The reserved ones, below 0x08 and above 0x77, and those of ten bits are not served.
//
// An address to which the kernel has bound a driver is Busy, with the driver as the holder, unless board.toml says that it may be used beside the driver. I2C_RDWR does not look, so the class looks itself,
// at the adapter and, as the kernel does for SMBus, at those that are joined to it by multiplexers.
//
// Calls on one adapter, on the devices that the kernel has there, and on the adapters behind its multiplexers run one after the other, on the worker of the topmost adapter (or of what that hangs on, as USB).
//
// Adapters that can do no more than SMBus carry those transfers that are the same on the wires; see Bus.Transfer.
//
// Of the libraries there are, periph.io/x/host and golang.org/x/exp/io both do what is here the smallest part, one write and one read of one chip. Both open /dev themselves, so neither a
// simulated kernel nor a fault injected can stand in its place; neither looks for bound drivers, knows SMBus (x/exp: blocks alone) or tells a caller why a transfer failed; x/exp is not
// maintained any more. With SPI, periph.io adds 0.26 MB to an armv7 program and registers itself in init functions; x/exp adds 0.20 MB. This class calls the kernel itself.
//
// Minimum kernel: Linux 2.6.36. Source: Linux Documentation/i2c/dev-interface.rst, fault-codes.rst, smbus-protocol.rst, i2c-topology.rst; drivers/i2c/i2c-dev.c.
package i2c

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
	"github.com/halberd-io/halberd/hal/uapi"
)

const (
	class  = "I2c"
	folder = "/sys/class/i2c-dev"
)

// Addresses of seven bits that are not reserved.
const (
	minAddress = 0x08
	maxAddress = 0x77
)

// Bus is one adapter.
type Bus struct {
	id, bus   string
	name      string // the kernel's: i2c-1
	dir       string // the adapter's folder in /sys/devices
	place     sysfs.Place
	inode     uint64 // of the place's folder
	functions uint   // what the adapter can do: I2C_FUNC_…
	bound     map[int64]bool
	env       *hal.Env
	guard     hal.Guard
}

// ID is the name in board.toml, else the kernel's.
func (b *Bus) ID() string { return b.id }

// Bus names the worker: that of the topmost adapter.
func (b *Bus) Bus() string { return b.bus }

// Declaration is the bus's table in board.toml.
func (b *Bus) Declaration() string {
	return hal.Declaration("i2c-bus", b.id, hal.TextKey("adapter", b.name))
}

// open finds out what an adapter can do. That does not touch the bus.
func open(env *hal.Env, id string, p sysfs.Place, e *hal.Entry) (*Bus, error) {
	dir, err := sysfs.Resolve(env.Kernel, p.Path+"/device")
	if err != nil {
		return nil, err
	}
	b := &Bus{id: id, name: path.Base(p.Path), dir: dir, place: p, bus: sysfs.Bus(env.Kernel, dir), env: env, bound: map[int64]bool{}}
	if e != nil {
		for _, address := range e.Value.(*busEntry).Bound.Value {
			b.bound[address] = true
		}
	}
	if b.inode, err = env.Kernel.Inode(p.Path); err != nil {
		return nil, err
	}
	err = b.opened(func(fd int) error { return env.Kernel.Ioctl(fd, uapi.I2CFuncs, unsafe.Pointer(&b.functions)) })
	if err != nil {
		return nil, fmt.Errorf("cannot ask what %s can do: %w", b.name, err)
	}
	return b, nil
}

// can reports whether the adapter can do all of some functions.
func (b *Bus) can(functions uint) bool { return b.functions&functions == functions }

// opened opens the adapter for a while: ENODEV where it is not there any more, also where another one has its name.
func (b *Bus) opened(do func(fd int) error) error {
	fd, err := b.env.Kernel.Open("/dev/"+b.name, unix.O_RDWR)
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENXIO):
		return unix.ENODEV
	case err != nil:
		return err
	}
	defer b.env.Kernel.Close(fd)
	if err := b.there(); err != nil {
		return err
	}
	return do(fd)
}

// there is ENODEV for an adapter that is gone.
func (b *Bus) there() error {
	gone, err := sysfs.Gone(b.env.Kernel, b.place.Path, b.inode)
	if gone {
		return unix.ENODEV
	}
	return err
}

// Start does nothing: a bus has no values.
func (b *Bus) Start(bool) {}

// Unplug lets go of an adapter that is gone.
func (b *Bus) Unplug() { b.Close() }

// Close lets nothing more reach the bus.
func (b *Bus) Close() { b.guard.Close(b.bus, func() {}) }

// use lets do talk to chips, for the device of the given ID. An address that a driver has is Busy, unless shared says that it may be used all the same.
func (b *Bus) use(id string, addresses []int64, shared func(address int64) bool, do func(fd int) error) error {
	return b.refuse(id, b.guard.Do(func() error {
		for _, address := range addresses {
			if shared(address) {
				continue
			}
			driver, err := b.driver(address)
			if err != nil {
				return err
			}
			if driver != "" {
				return hal.BusyDevice(class, id, driver)
			}
		}
		return b.opened(do)
	}))
}

// refuse turns an error of a transfer into a refusal. That nobody acknowledged it has no refusal of its own: it is the kernel's error.
func (b *Bus) refuse(id string, err error) error {
	switch {
	case errors.Is(err, unix.ENXIO):
		return hal.SystemError(unix.ENXIO)
	case errors.Is(err, unix.EOPNOTSUPP):
		return &hal.NotSupported{Feature: "transfer"}
	}
	return hal.Refuse(class, id, err)
}

// driver finds the driver that the kernel has bound to an address, "" where there is none. It looks where i2cdev_check_addr looks: at the adapter, at those between it and the root of its tree of
// multiplexers, and at all those behind it.
func (b *Bus) driver(address int64) (string, error) {
	for dir := path.Dir(b.dir); isAdapter(dir); dir = path.Dir(dir) {
		if driver, err := b.driverAt(dir, address); driver != "" || err != nil {
			return driver, err
		}
	}
	return b.driverBelow(b.dir, address)
}

func (b *Bus) driverBelow(dir string, address int64) (string, error) {
	if driver, err := b.driverAt(dir, address); driver != "" || err != nil {
		return driver, err
	}
	names, err := sysfs.List(b.env.Kernel, dir)
	if err != nil {
		return "", err
	}
	for _, name := range names {
		if below := dir + "/" + name; isAdapter(below) {
			if driver, err := b.driverBelow(below, address); driver != "" || err != nil {
				return driver, err
			}
		}
	}
	return "", nil
}

// driverAt finds the driver at an address of one adapter.
func (b *Bus) driverAt(dir string, address int64) (string, error) {
	number := strings.TrimPrefix(path.Base(dir), "i2c-")
	target, err := b.env.Kernel.Readlink(fmt.Sprintf("%s/%s-%04x/driver", dir, number, address))
	switch {
	case sysfs.Missing(err):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("cannot tell who has address %#x of %s: %w", address, path.Base(dir), err)
	}
	return path.Base(target), nil
}

// isAdapter reports whether a folder is that of an adapter, by its name: i2c-1.
func isAdapter(dir string) bool { return isKernelName(path.Base(dir)) }

// isKernelName reports whether a name is one that the kernel gives to adapters.
func isKernelName(name string) bool {
	number, found := strings.CutPrefix(name, "i2c-")
	return found && number != "" && strings.Trim(number, "0123456789") == ""
}
