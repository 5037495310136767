package rtc

import (
	"errors"
	"slices"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

// entry is a [rtc.ID] of board.toml.
type entry struct {
	Name  string
	Wakes hal.Opt[bool]
}

func (e *entry) Fields(f *hal.Fields) {
	f.Text("name", &e.Name, "The kernel's name for the clock, in /sys/class/rtc, or the name of the device that it is a part of, as 0-0068.")
	f.OptBool("wakes", &e.Wakes, "Whether the alarm of this clock wakes the board; one clock at most has it. Without it that is the kernel's first one that can.")
}

// Place is the clock that the entry is about.
func (e *entry) Place() string { return e.Name }

// Check finds what contradicts itself.
func (e *entry) Check() error {
	if e.Name == "" {
		return errors.New("name must not be empty")
	}
	return nil
}

// suits expects that the clock that is to wake the board can.
func (d *Clock) suits(e *hal.Entry) error {
	if d.carries && !d.wakes {
		return e.Unfit("the clock cannot wake this board")
	}
	return nil
}

// only expects at most one clock in board.toml to wake the board.
func only(entries []hal.Entry) error {
	var first *hal.Entry
	for i := range entries {
		switch e := &entries[i]; {
		case !e.Value.(*entry).Wakes.Value:
		case first == nil:
			first = e
		default:
			return e.Unfit("the clock that wakes this board is %s already, at %s", first.ID, first.Where)
		}
	}
	return nil
}

// newRoster finds the clocks by the kernel's names for them, and board.toml's by any name that they have.
func newRoster(q *queue) *sysfs.Roster[*Clock] {
	var names map[string][]string
	return &sysfs.Roster[*Clock]{
		Env: q.env, Set: q.clocks, Noun: "clock",
		Places: func() (places []sysfs.Place, err error) {
			places, names, err = sysfs.Names(q.env.Kernel, folder)
			return places, err
		},
		Means: func(e *hal.Entry, p sysfs.Place) bool { return slices.Contains(names[p.Path], e.Value.(*entry).Name) },
		Open:  func(id string, p sysfs.Place, e *hal.Entry) (*Clock, error) { return open(q, id, p, e) },
	}
}
