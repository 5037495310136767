// Package radio is the class Radio: what sends and receives by radio, and may be kept from it (rfkill).
//
// A radio is blocked by software or by hardware, as a switch on the case, or by both; it sends only where neither does it. Software that blocks is Halberd, rfkill(8), a network manager, and none of
// them is asked whether another one may undo it.
//
// What is blocked is read from /sys/class/rfkill. Changes are heard from and made by /dev/rfkill, since writing the attributes takes CAP_NET_ADMIN. The kernel calls the radio's driver meanwhile,
// which may take its time, and so may whoever only asks: a worker does both, one for all radios.
//
// The whole of the protocol is one structure of 8 bytes, so there is no library to weigh.
//
// Source: Linux Documentation/driver-api/rfkill.rst, include/uapi/linux/rfkill.h and ABI/stable/sysfs-class-rfkill. Linux 2.6.31 and later.
package radio

import (
	"errors"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

const (
	class  = "Radio"
	folder = "/sys/class/rfkill"
)

// Radio is one radio.
type Radio struct {
	id, name, kind string // ours; the kernel's name for it and its type
	idx            uint32
	env            *hal.Env
	control        *control
	output         hal.Output
	changes        hal.Feed[hal.Sample[state]]

	guard      hal.Guard // of what follows
	soft, hard *sysfs.Attribute
}

// state is what blocks a radio.
type state struct{ soft, hard bool }

// ID is the name in board.toml, else the kernel's.
func (d *Radio) ID() string { return d.id }

// Bus names the worker of all radios.
func (d *Radio) Bus() string { return bus }

// Declaration is the radio's table in board.toml.
func (d *Radio) Declaration() string {
	return hal.Declaration("radio", d.id, hal.TextKey("name", d.name), hal.TextKey("type", d.kind))
}

// open opens a radio. What it reads stands fast; what may wait for the driver is left to the worker.
func open(env *hal.Env, c *control, id string, p place, e *hal.Entry) (d *Radio, err error) {
	dir, err := sysfs.Resolve(env.Kernel, p.Path)
	if err != nil {
		return nil, err
	}
	d = &Radio{id: id, name: p.Name, kind: p.kind, env: env, control: c}
	index, err := sysfs.Read(env.Kernel, dir+"/index")
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(index, 10, 32)
	if err != nil {
		return nil, err
	}
	d.idx = uint32(n)
	if e != nil {
		d.output = e.Value.(*entry).Output
	}
	if d.soft, err = sysfs.Open(env.Kernel, dir+"/soft", unix.O_RDONLY); err != nil {
		return nil, err
	}
	if d.hard, err = sysfs.Open(env.Kernel, dir+"/hard", unix.O_RDONLY); err != nil {
		d.soft.Close()
		return nil, err
	}
	c.radios[d.idx] = d
	return d, nil
}

// Start blocks or unblocks, where board.toml has a value for the start.
func (d *Radio) Start(first bool) {
	v := d.output.AtStart(first)
	if !v.Set {
		return
	}
	if err := d.switchTo(v.Value == 0); err != nil {
		d.env.Log.Warn("cannot switch a radio at the start", "radio", d.id, "err", err)
	}
}

// Unplug lets go of a radio that is gone, and tells its watchers.
func (d *Radio) Unplug() {
	d.Close()
	d.changes.Publish(hal.Sample[state]{Err: hal.GoneDevice(class, d.id)})
}

// Close lets go of the radio.
func (d *Radio) Close() {
	if d.control.radios[d.idx] == d {
		delete(d.control.radios, d.idx)
	}
	d.guard.Close(bus, func() {
		d.soft.Close()
		d.hard.Close()
	})
}

// read reads what blocks the radio.
func (d *Radio) read() (now state, err error) {
	err = d.guard.Do(func() error {
		soft, err := d.soft.ReadInt()
		if err != nil {
			return err
		}
		hard, err := d.hard.ReadInt()
		now = state{soft != 0, hard != 0}
		return err
	})
	return now, err
}

// switchTo blocks or unblocks the radio. The kernel does not say that a driver refused: the state does. Nor does it say that the radio is gone.
func (d *Radio) switchTo(blocked bool) error {
	err := d.control.write(d.idx, blocked)
	now, unread := d.read()
	switch {
	case err == nil && unread == nil && now.soft != blocked:
		err = unix.EIO
	case err == nil, errors.Is(unread, unix.ENODEV):
		err = unread
	}
	return hal.Refuse(class, d.id, err)
}

// safeValue is what board.toml calls safe.
func (d *Radio) safeValue() hal.Opt[int64] { return d.output.Safe }

// bringSafe brings the radio there.
func (d *Radio) bringSafe() error { return d.switchTo(d.output.Safe.Value == 0) }

// Claim tells what becomes of the radio when whoever claimed it lets it go.
func (d *Radio) Claim() (release func() error, err error) {
	return d.output.Claim(d.bringSafe, func() (func() error, error) {
		before, err := d.read()
		return func() error { return d.switchTo(before.soft) }, hal.Refuse(class, d.id, err)
	})
}
