package haptic

import (
	"time"

	"github.com/halberd-io/halberd/hal"
)

// Driver joins the class to the board.
func Driver() hal.Driver {
	return hal.Driver{
		Class:  class,
		Tables: []hal.Table{hal.NewTable[entry]("haptic", "A motor that can be felt.")},
		Open:   Open,
	}
}

// entry is a [haptic.ID] of board.toml.
type entry struct{ Name string }

func (e *entry) Fields(f *hal.Fields) {
	f.Text("name", &e.Name, "The driver's name for the device of input.")
}

// Place is the motor that the entry is about.
func (e *entry) Place() string { return e.Name }

// Open finds the motors.
func Open(env *hal.Env) (*hal.Class, error) {
	r := newRoster(env)
	if err := r.Begin(); err != nil {
		return nil, err
	}
	return &hal.Class{
		Name: class, Doc: "Motors and buzzers that can be felt.", Methods: methods(r.Set), Devices: r.Set, Close: r.Close,
		Subsystems: []string{"input"}, Rescan: r.Rescan,
	}, nil
}

func methods(motors *hal.Set[*Motor]) []*hal.Method {
	return []*hal.Method{
		hal.On(motors, hal.Control, "Play", "Lets a motor run, in place of what it did before. It answers at once. A motor may run half of the time: RateLimited says when it has rested for long enough.", (*Motor).play),
		hal.On(motors, hal.Control, "Stop", "Stops a motor; one that does not run is left alone.", (*Motor).halt),
	}
}

// full is the greatest strength.
const full = 1000

type playIn struct {
	duration int64
	strength hal.Opt[int64]
}

func (p *playIn) Fields(f *hal.Fields) {
	f.IntIn("durationMSec", &p.duration, 1, longest.Milliseconds(), hal.Milliseconds, "How long it runs.")
	f.OptIntIn("strengthPermille", &p.strength, 1, full, hal.Unitless, "How strongly; fully where left out.")
}

func (m *Motor) play(in *playIn, _ *hal.None) error {
	return hal.Refuse(class, m.id, m.guard.Do(func() error {
		before := m.budget
		if wait := m.budget.spend(time.Now(), time.Duration(in.duration)*time.Millisecond); wait > 0 {
			return &hal.RateLimited{RetryAfterMSec: wait.Milliseconds() + 1}
		}
		err := m.feedback.play(in.duration, in.strength.Or(full))
		if err != nil {
			m.budget = before
		}
		return err
	}))
}

func (m *Motor) halt(_, _ *hal.None) error {
	return hal.Refuse(class, m.id, m.guard.Do(m.feedback.stop))
}
