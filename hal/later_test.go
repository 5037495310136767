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
