package haptic

import (
	"errors"
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
	f.Text("name", &e.Name, "The driver's name for the device of input, or where it is plugged in: Name or Phys of /proc/bus/input/devices. Or the name of a vibrator in /sys/class/leds, or all of its path there.")
}

// Place is the motor that the entry is about.
func (e *entry) Place() string { return e.Name }

// Check finds what contradicts itself.
func (e *entry) Check() error {
	if e.Name == "" {
		return errors.New("name must not be empty")
	}
	return nil
}

// Open finds the motors. It opens no node, and runs none.
func Open(env *hal.Env) (*hal.Class, error) {
	r := newRoster(env)
	return r.Class(&hal.Class{
		Name: class, Doc: "Motors and buzzers that can be felt. The kernel stops them when their time is over, whatever becomes of who let them run.", Methods: methods(r.Set),
		Subsystems: []string{"input", "leds"},
	})
}

func methods(motors *hal.Set[*Motor]) []*hal.Method {
	return []*hal.Method{
		hal.On(motors, hal.Control, "Play", "Lets a motor run, in place of what it did before, and answers when it has begun. "+
			"A motor may run for 5 s at once, and half of the time in the long run: RateLimited says when it has rested for long enough. That is for all callers together.\n"+
			"NotSupported{strength} for a motor that runs fully or not at all, NotSupported{transient} for one among the LEDs where the kernel has no such trigger; it is Busy where others have sent as many effects as it can keep. "+
			"After any other error it is off, or as it was.", (*Motor).playCall),
		hal.On(motors, hal.Control, "Stop", "Stops a motor; one that does not run is left alone.", (*Motor).stopCall),
	}
}

type playIn struct {
	duration int64
	strength hal.Opt[int64]
}

func (p *playIn) Fields(f *hal.Fields) {
	f.IntIn("durationMSec", &p.duration, 1, longest.Milliseconds(), hal.Milliseconds, "How long it runs.")
	f.OptIntIn("strength", &p.strength, 1, full, hal.Unitless, "How strongly, in permille of what the motor can do. Fully, 1000, where left out.")
}

func (m *Motor) playCall(in *playIn, _ *hal.None) error {
	return hal.Refuse(class, m.id, m.guard.Do(func() error {
		return m.play(time.Now(), time.Duration(in.duration)*time.Millisecond, in.strength.Or(full))
	}))
}

func (m *Motor) stopCall(_, _ *hal.None) error {
	return hal.Refuse(class, m.id, m.guard.Do(func() error { return m.stop(time.Now()) }))
}
