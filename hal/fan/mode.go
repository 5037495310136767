package fan

import (
	"errors"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
)

// The modes of a fan.
const (
	modeAuto   = "auto"
	modeManual = "manual"
	modeFull   = "full"
)

// mode is the word for a value of pwmN_enable.
func mode(enable int64) string {
	switch {
	case enable <= 0:
		return modeFull
	case enable == manual:
		return modeManual
	}
	return modeAuto
}

// readMode reads pwmN_enable, and remembers what it is in automatic mode.
func (d *Fan) readMode() (enable int64, err error) {
	enable, err = d.enable.ReadInt()
	if err == nil && enable >= automatic && !d.supplied && (d.entry == nil || !d.entry.Auto.Set) {
		d.auto.Store(enable)
	}
	return enable, err
}

// hasModes reports whether the fan can be driven by others.
func (d *Fan) hasModes() bool { return d.enable != nil && !d.supplied }

// obeys reports whether a fan, at a value of pwmN_enable, does what the speed says. One of pwm-fan that is without supply does so only where it is to stand.
func (d *Fan) obeys(enable, speed int64) bool {
	if d.supplied {
		return enable > 0 || speed == 0
	}
	return enable == manual
}

// take drives the fan by hand, at a speed in steps of the hardware. Where the second step fails, the fan goes back to the mode that it was in.
func (d *Fan) take(speed int64) error {
	switch {
	case d.fixed:
		return &hal.NotSupported{Feature: "speed"}
	case d.enable == nil:
		return d.speed.WriteInt(speed)
	}
	before, err := d.readMode()
	if err != nil {
		return err
	}
	if d.obeys(before, speed) {
		return d.speed.WriteInt(speed)
	}
	d.ends(before)
	if err := d.enable.WriteInt(manual); err != nil {
		return err
	}
	if err := d.speed.WriteInt(speed); err != nil {
		_ = d.enable.WriteInt(before) // what went wrong first is told
		return err
	}
	if d.hasModes() && before >= automatic {
		d.taken.Store(true)
	}
	return nil
}

// ends notes the automatic mode that is going to be ended, before it is: the process may end at any time.
func (d *Fan) ends(enable int64) {
	if d.hasModes() && enable >= automatic {
		d.ledger.Note(d.key, strconv.FormatInt(d.auto.Load(), 10))
	}
}

// change changes who drives the fan. One that is driven by hand from now on goes on at the speed that it has.
func (d *Fan) change(to string) error {
	if !d.hasModes() {
		return &hal.NotSupported{Feature: "mode"}
	}
	before, err := d.readMode()
	switch {
	case err != nil:
		return err
	case mode(before) == to:
		return nil
	case to == modeAuto:
		return d.giveBack()
	case d.fixed:
		d.ends(before)
		if err = d.enable.WriteInt(manual); err == nil && before >= automatic {
			d.taken.Store(true)
		}
		return err
	}
	speed, err := d.speed.ReadInt()
	if err != nil {
		return err
	}
	return d.take(speed)
}

// giveBack lets the chip drive the fan.
func (d *Fan) giveBack() error {
	value := d.auto.Load()
	if value == 0 {
		value = automatic
	}
	err := d.enable.WriteInt(value)
	switch {
	case errors.Is(err, unix.EINVAL):
		return &hal.NotSupported{Feature: modeAuto}
	case err == nil:
		d.taken.Store(false)
	}
	return err
}
