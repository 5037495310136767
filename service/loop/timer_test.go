package loop

import (
	"slices"
	"testing"
	"time"
)

func TestTimersRunInOrder(t *testing.T) {
	l := newLoop(t)
	var got []int
	begin := time.Now()
	for _, msec := range []int{7, 1, 5, 3, 1} {
		l.After(time.Duration(msec)*time.Millisecond, func() {
			got = append(got, msec)
			if early := time.Duration(msec)*time.Millisecond - time.Since(begin); early > 0 {
				t.Errorf("timer of %d ms: %v too early", msec, early)
			}
		})
	}
	l.After(8*time.Millisecond, l.Stop)
	run(t, l)
	if want := []int{1, 1, 3, 5, 7}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestTimerStop(t *testing.T) {
	l := newLoop(t)
	never := func() { t.Error("a stopped timer ran") }
	early, late := l.After(0, never), l.After(time.Hour, never)
	var other *Timer
	l.After(time.Millisecond, func() { other.Stop() })
	other = l.After(time.Millisecond, never)
	early.Stop()
	early.Stop()
	late.Stop()
	var none *Timer
	none.Stop()
	ran := l.After(time.Millisecond, func() {})
	l.After(2*time.Millisecond, func() {
		ran.Stop() // ran already
		l.Stop()
	})
	run(t, l)
	if len(l.timers) != 0 {
		t.Errorf("timers left: got %d, want 0", len(l.timers))
	}
}

// A timer that is nearer than the one that is armed must not wait for that one; one that is started by a timer waits for the next round.
func TestTimersFromTimers(t *testing.T) {
	l := newLoop(t)
	l.After(time.Hour, func() { t.Error("an hour has passed") })
	depth := 0
	var next func()
	next = func() {
		if depth++; depth == 50 {
			l.Stop()
			return
		}
		l.After(time.Duration(depth%2)*time.Millisecond, next)
	}
	l.After(-time.Second, next)
	run(t, l)
	if depth != 50 {
		t.Errorf("depth: got %d, want 50", depth)
	}
}

// The heap keeps its order, and every timer its place, whatever is stopped in between.
func TestTimerHeap(t *testing.T) {
	l := newLoop(t)
	var timers []*Timer
	for i := range 100 {
		timers = append(timers, l.After(time.Duration(i*37%100)*time.Microsecond, func() {}))
	}
	for i := 0; i < len(timers); i += 3 {
		timers[i].Stop()
	}
	for i, timer := range l.timers {
		if timer.index != i {
			t.Errorf("index of timer at %d: got %d", i, timer.index)
		}
		if i > 0 && timer.when < l.timers[(i-1)/2].when {
			t.Errorf("timer at %d is before its parent", i)
		}
	}
	if got, want := len(l.timers), 66; got != want {
		t.Errorf("timers left: got %d, want %d", got, want)
	}
}
