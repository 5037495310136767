// Package pwm is the class Pwm: the channels of PWM chips, through /sys/class/pwm.
//
// A channel has to be exported before it can be set. One that board.toml declares is exported when Halberd starts, any other one when it is set first; both stay exported. Halberd never touches a
// channel that a driver of the kernel uses or that somebody else exported: such a one is Busy.
//
// The kernel takes the period, the duty, the polarity and the switch one after the other, and refuses what is no signal: a duty longer than its period, and anything at all while there is no period.
// Changes are written in an order that passes through no such state. The kernel tells what it was asked for, which the hardware may have rounded.
//
// Every chip has a worker of its own, since many drivers wait for the end of a period.
//
// Minimum kernel: Linux 4.4. Source: Linux Documentation/driver-api/pwm.rst and Documentation/ABI/testing/sysfs-class-pwm. The character devices /dev/pwmchipN of newer kernels are not used.
package pwm

import (
	"errors"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

const (
	class  = "Pwm"
	folder = "/sys/class/pwm"
)

// Channel is one channel of a PWM chip.
type Channel struct {
	*chip
	id     string
	number int64
	env    *hal.Env
	entry  *entry // what board.toml says; nil for a channel that it does not name
	ledger *sysfs.Ledger

	guard hal.Guard // of what follows
	ours  bool      // Halberd exported it
	files *files    // nil while it is not ours, or not open
}

// ID is the name in board.toml, else the name of the chip's parent and the channel's number: fe20c000.pwm/0.
func (c *Channel) ID() string { return c.id }

// Bus names the bus that the chip hangs on, or the chip itself.
func (c *Channel) Bus() string { return c.bus }

// Declaration is the channel's table in board.toml.
func (c *Channel) Declaration() string {
	spec := c.name()
	if c.entry != nil {
		spec = c.entry.Chip
	}
	return hal.Declaration("pwm", c.id, hal.TextKey("chip", spec), hal.Key{Name: "channel", Value: strconv.FormatInt(c.number, 10)})
}

// Unplug lets go of a channel whose chip is gone.
func (c *Channel) Unplug() { c.Close() }

// Close lets go of the channel, which stays exported and goes on as it is.
func (c *Channel) Close() {
	c.guard.Close(c.bus, func() { c.files.close() })
}

// errUnexported is what reading a channel gives that nobody has exported.
var errUnexported = &hal.NotSupported{Feature: "export"}

// own makes the channel ours, or says whose it is.
func (c *Channel) own() error {
	if c.files != nil {
		return nil
	}
	opened, err := c.open()
	switch {
	case err == nil && c.ours:
		c.files = opened
		return nil
	case err == nil:
		opened.close()
		return unix.EBUSY // somebody else exported it
	case err != errUnexported:
		return err
	}
	if err := c.export(); err != nil {
		return err
	}
	c.files, err = c.open()
	return err
}

// export exports the channel. One that a driver uses, or that somebody exports at the same time, is busy.
func (c *Channel) export() error {
	err := sysfs.Write(c.env.Kernel, c.dir+"/export", strconv.FormatInt(c.number, 10))
	if sysfs.Missing(err) {
		return unix.ENODEV
	}
	if err != nil {
		return err
	}
	c.ours = true
	if c.entry == nil {
		c.ledger.Note(c.key(), "")
	}
	return nil
}

// open opens the channel's attributes: errUnexported where there are none.
func (c *Channel) open() (*files, error) {
	gone, err := sysfs.Gone(c.env.Kernel, c.path, c.inode)
	switch {
	case gone:
		return nil, unix.ENODEV // another chip may be there
	case err != nil:
		return nil, err
	}
	opened, err := openFiles(c.env.Kernel, c.dir+"/pwm"+strconv.FormatInt(c.number, 10))
	if sysfs.Missing(err) {
		return nil, errUnexported
	}
	return opened, err
}

// with does something with the channel's attributes. They are forgotten where they are gone: either the chip is, or somebody took the export back, which the next call finds out.
func (c *Channel) with(do func(*files) error) error {
	err := do(c.files)
	if errors.Is(err, unix.ENODEV) {
		c.files.close()
		c.files = nil
	}
	return err
}

// read reads how the channel is set, whoever exported it.
func (c *Channel) read() (now state, err error) {
	opened := c.files
	if opened == nil {
		if opened, err = c.open(); err != nil {
			return state{}, err
		}
		if c.ours {
			c.files = opened
		} else {
			defer opened.close()
		}
	}
	err = c.with(func(*files) error {
		now, err = opened.read()
		return err
	})
	return now, err
}

// change brings the channel from what it is to what next makes of that.
func (c *Channel) change(next func(now state) (state, error)) error {
	if err := c.own(); err != nil {
		return err
	}
	return c.with(func(f *files) error {
		now, err := f.read()
		if err != nil {
			return err
		}
		then, err := next(now)
		if err != nil {
			return err
		}
		return f.apply(now, then)
	})
}
