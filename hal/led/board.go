package led

import (
	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

// newRoster finds the lights by the kernel's names for them.
func newRoster(env *hal.Env) *sysfs.Roster[*LED] {
	return &sysfs.Roster[*LED]{
		Env: env, Set: hal.NewSet[*LED](class, "led"), Noun: "light",
		Places: func() ([]sysfs.Place, error) { return sysfs.Entries(env.Kernel, folder) },
		Means:  func(e *hal.Entry, p sysfs.Place) bool { return e.Value.(*entry).Name == p.Name },
		Open:   func(id string, p sysfs.Place, e *hal.Entry) (*LED, error) { return open(env, id, p, e) },
	}
}

// suits expects that the light can have the values of board.toml.
func (d *LED) suits(e *hal.Entry) error {
	for _, v := range []hal.Opt[int64]{d.output.Initial, d.output.Safe} {
		if v.Set && v.Value > d.max {
			return e.Unfit("%d is more than the light's greatest brightness, %d", v.Value, d.max)
		}
	}
	return nil
}

// Start writes the value for the start, if there is one.
func (d *LED) Start(first bool) {
	v := d.output.AtStart(first)
	if !v.Set {
		return
	}
	if err := d.guard.Do(func() error { return d.steady(v.Value) }); err != nil {
		d.env.Log.Warn("cannot set a light at the start", "led", d.id, "err", err)
	}
}
