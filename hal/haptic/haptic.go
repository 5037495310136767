// Package haptic is the class Haptic: motors and buzzers that can be felt, of the kernel's force feedback. Vibrators of the LED class are lights to Halberd: Led.SetTrigger has them.
//
// A motor runs for a bounded time, which the kernel ends by itself: nothing of the daemon is needed to stop it. It may run half of the time: what it ran it has to rest.
//
// Source: Linux Documentation/input/ff.rst and drivers/input/ff-memless.c.
package haptic

import (
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

const (
	class = "Haptic"

	// longest is how long one call may let a motor run, and how long it may run at once when it has rested.
	longest = 5 * time.Second
)

// Motor is one motor.
type Motor struct {
	id, bus string
	name    string // the driver's
	env     *hal.Env

	guard    hal.Guard // of what follows
	budget   budget
	feedback feedback
}

// ID is the name in board.toml, else the driver's.
func (m *Motor) ID() string { return m.id }

// Bus names the bus that the motor hangs on, where that may be slow.
func (m *Motor) Bus() string { return m.bus }

// Declaration is the motor's table in board.toml.
func (m *Motor) Declaration() string {
	return hal.Declaration("haptic", m.id, hal.TextKey("name", m.name))
}

func newRoster(env *hal.Env) *sysfs.Roster[*Motor] {
	return &sysfs.Roster[*Motor]{
		Env: env, Set: hal.NewSet[*Motor](class, "motor"), Noun: "motor",
		Places: func() ([]sysfs.Place, error) { return places(env.Kernel) },
		Means:  func(e *hal.Entry, p sysfs.Place) bool { return e.Value.(*entry).Name == p.Name },
		Open:   func(id string, p sysfs.Place, _ *hal.Entry) (*Motor, error) { return open(env, id, p) },
	}
}

// places are the devices of input that can rumble.
func places(k hal.Kernel) (all []sysfs.Place, err error) {
	inputs, err := sysfs.Entries(k, "/sys/class/input")
	for _, p := range inputs {
		if !strings.HasPrefix(p.Name, "event") {
			continue
		}
		var can bool
		if can, p.Err = canRumble(k, p.Path); can {
			p.Name, p.Err = sysfs.Read(k, p.Path+"/device/name")
		}
		if can || p.Err != nil {
			all = append(all, p)
		}
	}
	return all, err
}

// canRumble looks at the effects that a device has: words of the kernel's long in hexadecimal, the highest first.
func canRumble(k hal.Kernel, entry string) (bool, error) {
	text, err := sysfs.Read(k, entry+"/device/capabilities/ff")
	if sysfs.Missing(err) {
		return false, nil
	}
	return hasBit(text, ffRumble), err
}

func open(env *hal.Env, id string, at sysfs.Place) (*Motor, error) {
	dir, err := sysfs.Resolve(env.Kernel, at.Path)
	if err != nil {
		return nil, err
	}
	return &Motor{id: id, name: at.Name, bus: sysfs.Bus(env.Kernel, dir), env: env, budget: budget{left: longest},
		feedback: feedback{kernel: env.Kernel, node: "/dev/input/" + path.Base(at.Path), fd: -1, effect: -1}}, nil
}

// Start has nothing to do: no motor runs.
func (m *Motor) Start(bool) {}

// Unplug lets go of a motor that is gone.
func (m *Motor) Unplug() { m.Close() }

// Close stops the motor, and lets go of it.
func (m *Motor) Close() {
	m.guard.Close(m.bus, func() {
		_ = m.feedback.stop()
		m.feedback.close()
	})
}

// gone makes ENODEV of what is not there any more.
func gone(err error) error {
	if err == unix.ENOENT || err == unix.ENXIO {
		return unix.ENODEV
	}
	return err
}

// budget is how long a motor may run: as long as it rested, and longest at most.
type budget struct {
	left  time.Duration
	since time.Time // when it began to rest, or will
}

// spend takes a time from the budget, or says how long to wait for it.
func (b *budget) spend(now time.Time, d time.Duration) (wait time.Duration) {
	if now.After(b.since) { // it rests
		b.left = min(longest, b.left+min(longest, now.Sub(b.since)))
		b.since = now
	}
	if d > b.left {
		return d - b.left
	}
	b.left -= d
	b.since = now.Add(d)
	return 0
}
