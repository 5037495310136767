package hal_test

import (
	"errors"
	"testing"
	"time"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/haltest"
)

// TestWithin: a call is answered once, by whatever comes first, and no timer is left.
func TestWithin(t *testing.T) {
	late, own := errors.New("late"), errors.New("own")
	for _, c := range []struct {
		name string
		at   time.Duration // when the call is done
		want error
	}{
		{"at once", 0, own},
		{"in time", 4 * time.Second, own},
		{"too late", 6 * time.Second, late},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := haltest.NewLoop()
			var answers []error
			done := hal.Within(l, 5*time.Second, late, func(err error) { answers = append(answers, err) })
			l.Advance(c.at)
			done(own)
			l.Advance(time.Minute)
			if len(answers) != 1 || answers[0] != c.want || l.Timers() != 0 {
				t.Errorf("answered %v, with %d timers left; want %v once", answers, l.Timers(), c.want)
			}
		})
	}
}

// hanging is a device on a bus, or on none.
type hanging struct{ bus string }

func (hanging) ID() string    { return "lamp" }
func (h hanging) Bus() string { return h.bus }

// TestErrand: done comes once, after the caller is back, with what the job said, or with Busy where it did not run.
func TestErrand(t *testing.T) {
	own := errors.New("own")
	for _, c := range []struct {
		name, bus string
		full      bool
		ran       bool
		want      string
	}{
		{"on the loop", "", false, true, "own"},
		{"on the loop, while workers are busy", "", true, true, "own"},
		{"on a worker", "i2c-1", false, true, "own"},
		{"on a worker with too much to do", "i2c-1", true, false, hal.BusyDevice("Lamp", "lamp", "").Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := haltest.NewLoop()
			l.Full = c.full
			ran, answers := false, []error(nil)
			hal.Errand(&hal.Env{Loop: l}, "Lamp", hanging{c.bus}, func() error { ran = true; return own }, func(err error) { answers = append(answers, err) })
			if len(answers) != 0 {
				t.Error("it is done before the caller is back")
			}
			l.Turn()
			if ran != c.ran || len(answers) != 1 || answers[0].Error() != c.want {
				t.Errorf("ran: %t, answers %v, want %t, %s", ran, answers, c.ran, c.want)
			}
		})
	}
}
