// Package haptic is the class Haptic: motors and buzzers that can be felt.
//
// There are two kinds. Devices of input with force feedback play an effect (FF_RUMBLE) that the kernel ends by itself. Vibrators among the LEDs are run for a time by the kernel's trigger "transient", or
// by a driver of their own with the files activate and duration, as Android's kernels have. Both kinds end by themselves: nothing of the daemon is needed to stop a motor. It is stopped all the same
// when the daemon ends, and where the daemon is killed, closing its descriptor stops a motor of the first kind.
//
// A motor may run for 5 s at once, and half of the time in the long run: a motor, and whoever holds it, gets hot.
//
// The Go libraries for evdev (holoplot/go-evdev, gvalkov/golang-evdev) open devices by themselves and know no effects; the one request that is needed is in hal/uapi.
//
// Minimum kernel: Linux 2.6.20 for force feedback, 3.5 for the trigger. Source: Linux Documentation/input/ff.rst, leds/ledtrig-transient.rst, drivers/input/evdev.c and drivers/input/ff-core.c.
package haptic

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
)

const (
	class = "Haptic"

	// longest is how long one call may let a motor run, and how long it may run at once when it has rested.
	longest = 5 * time.Second

	// full is the greatest strength.
	full = 1000
)

// Motor is one motor.
type Motor struct {
	id, bus string
	name    string // in board.toml: the driver's, or where it is
	env     *hal.Env

	guard  hal.Guard // of what follows
	budget budget
	drive  drive
}

// drive is what makes a motor run. It may wait for the driver.
type drive interface {
	// play lets the motor run for a time, in place of what it did before, at a strength from 1 to full.
	play(d time.Duration, strength int64) error
	// stop stops it; where it does not run, nothing is done. It tells whether the motor is still there.
	stop() error
	// close lets go of it.
	close()
}

// ID is the name in board.toml, else the driver's.
func (m *Motor) ID() string { return m.id }

// Bus names the bus that the motor hangs on, where that may be slow, or the motor's own worker.
func (m *Motor) Bus() string { return m.bus }

// Declaration is the motor's table in board.toml.
func (m *Motor) Declaration() string {
	return hal.Declaration("haptic", m.id, hal.TextKey("name", m.name))
}

// Start has nothing to do: no motor runs.
func (m *Motor) Start(bool) {}

// Unplug lets go of a motor that is gone.
func (m *Motor) Unplug() { m.Close() }

// Close stops the motor, and lets go of it.
func (m *Motor) Close() {
	m.guard.Close(m.bus, func() {
		if m.budget.runs(time.Now()) {
			_ = m.drive.stop() // or the kernel does it, soon
		}
		m.drive.close()
	})
}

// play lets the motor run, if it may.
func (m *Motor) play(now time.Time, d time.Duration, strength int64) error {
	before := m.budget
	if wait := m.budget.spend(now, d); wait > 0 {
		return &hal.RateLimited{RetryAfterMSec: (wait + time.Millisecond - 1).Milliseconds()}
	}
	err := m.drive.play(d, strength)
	if err != nil {
		m.budget = before
	}
	return err
}

// stop stops the motor.
func (m *Motor) stop(now time.Time) error {
	err := m.drive.stop()
	if err == nil {
		m.budget.stop(now)
	}
	return err
}

// gone makes ENODEV of what is not there any more.
func gone(err error) error {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENXIO) {
		return unix.ENODEV
	}
	return err
}
