// Package backlight is the class Backlight: the lights behind displays, through /sys/class/backlight.
//
// A backlight has a brightness from 0 to a maximum of its own, and a power switch beside it. The kernel's word for that switch is the one of framebuffers, bl_power, which counts how blank the display
// is to be: 0 (FB_BLANK_UNBLANK) is on, 4 (FB_BLANK_POWERDOWN) is off, as is every other number. Whether brightness 0 is dark or the least light, the hardware decides.
//
// The kernel tells of brightness that keys or other programs change, by a message and on actual_brightness at once; of the power switch it does not tell. Both are looked at twice a second as well
// while anybody watches.
//
// Every backlight has a worker of its own, or that of its bus, since its driver waits for regulators and displays.
//
// Minimum kernel: Linux 2.6.37. Source: Linux Documentation/ABI/stable/sysfs-class-backlight and drivers/video/backlight/backlight.c.
package backlight

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

const (
	class  = "Backlight"
	folder = "/sys/class/backlight"
)

// What bl_power is set to.
const (
	unblank   = 0
	powerDown = 4
)

// Backlight is one backlight.
type Backlight struct {
	id, bus, dir string
	name         string // the kernel's
	env          *hal.Env
	max          int64
	output       hal.Output
	changes      *hal.Sampler[state]

	guard       hal.Guard // of what follows
	brightness  *sysfs.Attribute
	actual      *sysfs.Attribute
	power       *sysfs.Attribute
	switchedOff bool // by SetPower
}

// ID is the name in board.toml, else the kernel's.
func (d *Backlight) ID() string { return d.id }

// Bus names the bus that the backlight hangs on, or the backlight itself.
func (d *Backlight) Bus() string { return d.bus }

// Declaration is the backlight's table in board.toml.
func (d *Backlight) Declaration() string {
	return hal.Declaration("backlight", d.id, hal.TextKey("name", d.name))
}

// state is what changes about a backlight.
type state struct {
	brightness, actual int64
	on                 bool
}

func (s state) same(now state) bool { return s == now }

// period is how often a backlight that is watched is looked at, since the kernel does not tell of everything.
const period = 500 * time.Millisecond

// open opens a backlight.
func open(env *hal.Env, id string, p sysfs.Place, e *hal.Entry) (*Backlight, error) {
	dir, err := sysfs.Resolve(env.Kernel, p.Path)
	if err != nil {
		return nil, err
	}
	d := &Backlight{id: id, name: p.Name, dir: dir, bus: sysfs.Bus(env.Kernel, dir), env: env}
	d.changes = hal.NewSampler(env, class, d, period, d.read, state.same)
	err = d.openAttributes()
	if err == nil && e != nil {
		d.output = e.Value.(*entry).Output
		err = d.suits(e)
	}
	if err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

func (d *Backlight) openAttributes() (err error) {
	k := d.env.Kernel
	if d.max, err = sysfs.ReadInt(k, d.dir+"/max_brightness"); err != nil {
		return err
	}
	if d.brightness, err = sysfs.Open(k, d.dir+"/brightness", unix.O_RDWR); err != nil {
		return err
	}
	if d.actual, err = sysfs.Open(k, d.dir+"/actual_brightness", unix.O_RDONLY); err != nil {
		return err
	}
	d.power, err = sysfs.Open(k, d.dir+"/bl_power", unix.O_RDWR)
	return err
}

// Unplug lets go of a backlight that is gone, and tells its watchers.
func (d *Backlight) Unplug() {
	d.Close()
	d.changes.Unplug()
}

// Close lets go of the backlight.
func (d *Backlight) Close() {
	d.changes.Close()
	d.guard.Close(d.bus, func() {
		d.brightness.Close()
		d.actual.Close()
		d.power.Close()
	})
}

// read reads the state.
func (d *Backlight) read() (now state, err error) {
	err = d.guard.Do(func() (err error) {
		if now.brightness, err = d.brightness.ReadInt(); err != nil {
			return err
		}
		if now.actual, err = d.actual.ReadInt(); err != nil {
			return err
		}
		power, err := d.power.ReadInt()
		now.on = power == unblank
		return err
	})
	return now, err
}

// change changes something, reads the state again and tells the watchers.
func (d *Backlight) change(do func() error) error {
	err := d.guard.Do(do)
	if now, unread := d.read(); unread == nil {
		d.changes.Note(now)
	}
	return hal.Refuse(class, d.id, err)
}

// turn switches the power.
func (d *Backlight) turn(on bool) error {
	value := int64(unblank)
	if !on {
		value = powerDown
	}
	err := d.power.WriteInt(value)
	if err == nil {
		d.switchedOff = !on
	}
	return err
}
