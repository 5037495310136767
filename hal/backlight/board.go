package backlight

import (
	"math"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

// entry is a [backlight.ID] of board.toml.
type entry struct {
	Name   string
	Output hal.Output
}

func (e *entry) Fields(f *hal.Fields) {
	f.Text("name", &e.Name, "The kernel's name for the backlight, in /sys/class/backlight.")
	e.Output.Fields(f, 0, math.MaxInt32, hal.Unitless)
}

// Place is the backlight that the entry is about.
func (e *entry) Place() string { return e.Name }

// Check finds what contradicts itself.
func (e *entry) Check() error {
	if err := sysfs.CheckName(e.Name); err != nil {
		return err
	}
	return e.Output.Check()
}

// newRoster finds the backlights by the kernel's names for them.
func newRoster(env *hal.Env) *sysfs.Roster[*Backlight] {
	return &sysfs.Roster[*Backlight]{
		Env: env, Set: hal.NewSet[*Backlight](class, "backlight"), Noun: "backlight",
		Places: func() ([]sysfs.Place, error) { return sysfs.Entries(env.Kernel, folder) },
		Means:  func(e *hal.Entry, p sysfs.Place) bool { return e.Value.(*entry).Name == p.Name },
		Open:   func(id string, p sysfs.Place, e *hal.Entry) (*Backlight, error) { return open(env, id, p, e) },
	}
}

// suits expects that the backlight can have the values of board.toml.
func (d *Backlight) suits(e *hal.Entry) error {
	for _, v := range []hal.Opt[int64]{d.output.Initial, d.output.Safe} {
		if v.Set && v.Value > d.max {
			return e.Unfit("%d is more than the backlight's greatest brightness, %d", v.Value, d.max)
		}
	}
	return nil
}

// Start writes the value for the start, if there is one. The power is left as it is: a display that is off would be lit.
func (d *Backlight) Start(first bool) {
	v := d.output.AtStart(first)
	if !v.Set {
		return
	}
	if err := d.guard.Do(func() error { return d.brightness.WriteInt(v.Value) }); err != nil {
		d.env.Log.Warn("cannot set a backlight at the start", "backlight", d.id, "err", err)
	}
}
