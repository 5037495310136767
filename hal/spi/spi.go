// Package spi is the class Spi: the devices of spidev, /dev/spidevB.C.
//
// A transfer is made of segments. SPI sends and receives at the same time, so each segment sends its bytes, and receives as many, which are answered where the segment asks for them: what is to be
// read only is written as zeros. The chip is selected before the first segment and deselected after the last one; a segment may deselect it for a moment before the next. A word of more than 8 bits takes 2 or 4 bytes, in the
// order of the processor's memory: least significant byte first on all that Halberd is built for.
//
// How much one transfer may have is spidev's parameter bufsiz, 4096 bytes unless the module was loaded with another. Each segment counts as a multiple of what the processor needs for DMA, 64 or 128 bytes.
//
// The daemon keeps each device open, so that a speed that was set stays set. A lease opens it anew, and hands that descriptor to its holder: reading, writing and SPI_IOC_MESSAGE on it cost no call. It reaches that one chip, but
// it cannot be revoked: whoever has it may use it until it is closed, also after the connection that it came over has ended, and beside the next holder. While a device is leased it is Busy to everybody else. What the
// holder has set in it, the mode and the bits of a word, is set back before the first call after the lease.
//
// Calls on the devices of one controller run one after the other, on the worker of the controller (or of what that hangs on, as USB). A lease's holder shares the controller with them in the kernel.
//
// Of the libraries there are, periph.io/x/host splits long transfers by itself, keeps no descriptor that could be handed out, calls /dev itself, so that nothing simulated can stand in its
// place, and registers itself in init functions; golang.org/x/exp/io/spi has no segments and is not maintained any more. Their sizes stand in package i2c. This class calls the kernel itself.
//
// Minimum kernel: Linux 3.15. Source: Linux Documentation/spi/spidev.rst, include/uapi/linux/spi/spidev.h, drivers/spi/spidev.c.
package spi

import (
	"errors"
	"fmt"
	"path"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

const (
	class  = "Spi"
	folder = "/sys/class/spidev"

	byLease = "lease" // what makes a device busy that somebody has
)

// Device is one device of spidev.
type Device struct {
	id, bus string
	name    string // the kernel's: spidev0.0
	place   sysfs.Place
	inode   uint64 // of the place's folder
	env     *hal.Env
	entry   *entry // nil where board.toml does not name it
	most    int64  // bytes of a transfer: bufsiz

	lease atomic.Pointer[lease] // nil while nobody has one; the loop sets it
	dirty atomic.Bool           // whether a lease may have changed the settings

	guard    hal.Guard // of what follows
	fd       int
	settings settings // that the device is to have
	known    bool     // whether they are known
}

// ID is the name in board.toml, else the kernel's.
func (d *Device) ID() string { return d.id }

// Bus names the worker: that of the controller.
func (d *Device) Bus() string { return d.bus }

// Declaration is the device's table in board.toml.
func (d *Device) Declaration() string {
	return hal.Declaration(table, d.id, hal.TextKey("name", d.name))
}

// open opens a device. That does not touch the bus.
func open(env *hal.Env, id string, p sysfs.Place, e *hal.Entry) (*Device, error) {
	dir, err := sysfs.Resolve(env.Kernel, p.Path)
	if err != nil {
		return nil, err
	}
	d := &Device{id: id, name: path.Base(p.Path), place: p, bus: sysfs.Bus(env.Kernel, dir), env: env}
	if e != nil {
		d.entry = e.Value.(*entry)
	}
	if d.inode, err = env.Kernel.Inode(p.Path); err != nil {
		return nil, err
	}
	if d.most, err = bufferSize(env.Kernel); err != nil {
		return nil, err
	}
	if d.fd, err = d.openNode(); err != nil {
		return nil, err
	}
	return d, nil
}

// openNode opens the device, where it is still the same.
func (d *Device) openNode() (int, error) {
	fd, err := d.env.Kernel.Open("/dev/"+d.name, unix.O_RDWR)
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENXIO):
		return -1, unix.ENODEV
	case err != nil:
		return -1, fmt.Errorf("cannot open %s: %w", d.name, err)
	}
	gone, err := sysfs.Gone(d.env.Kernel, d.place.Path, d.inode)
	if gone {
		err = unix.ENODEV
	}
	if err != nil {
		_ = d.env.Kernel.Close(fd)
		return -1, err
	}
	return fd, nil
}

// bufferSize reads how much spidev takes in one transfer.
func bufferSize(k hal.Kernel) (int64, error) {
	n, err := sysfs.ReadInt(k, "/sys/module/spidev/parameters/bufsiz")
	if sysfs.Missing(err) {
		return 4096, nil // what it is unless somebody says otherwise
	}
	return n, err
}

// Start gives the device the settings of board.toml.
func (d *Device) Start(bool) {
	if err := d.guard.Do(func() error { return d.settle(true) }); err != nil {
		d.env.Log.Warn("cannot set up an SPI device at the start", "device", d.id, "err", err)
	}
}

// Unplug lets go of a device that is gone. A lease on it ends; what its holder has answers ESHUTDOWN.
func (d *Device) Unplug() { d.Close() }

// Close lets go of the device.
func (d *Device) Close() {
	d.endLease(d.lease.Load())
	d.guard.Close(d.bus, func() { _ = d.env.Kernel.Close(d.fd) })
}

// use lets somebody work with the device, on its worker. While another one has a lease it is busy.
func (d *Device) use(h hal.Holder, do func() error) error {
	l := d.lease.Load()
	if l != nil && l.holder != h {
		return hal.BusyDevice(class, d.id, byLease)
	}
	return d.refuse(d.guard.Do(func() error {
		if err := d.settle(l == nil); err != nil {
			return err
		}
		return do()
	}))
}

// refuse turns an error of the kernel into a refusal.
func (d *Device) refuse(err error) error {
	if errors.Is(err, unix.ESHUTDOWN) {
		err = unix.ENODEV
	}
	return hal.Refuse(class, d.id, err)
}

func (d *Device) ioctl(request uint, argument unsafe.Pointer) error {
	return d.env.Kernel.Ioctl(d.fd, request, argument)
}
