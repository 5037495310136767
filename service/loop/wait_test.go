package loop

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestRoundDoesNotAllocate(t *testing.T) {
	l := newLoop(t)
	ours, theirs := pair(t)
	write(t, theirs, "x")
	add(t, l, ours, unix.EPOLLIN, func(uint32) {})
	l.After(time.Hour, nothing)
	if got := testing.AllocsPerRun(100, func() { _ = l.round() }); got != 0 {
		t.Errorf("allocations per round: got %v, want 0", got)
	}
}

func TestPostDoesNotAllocate(t *testing.T) {
	l := newLoop(t)
	if got := testing.AllocsPerRun(100, func() { l.Post(nothing); _ = l.round() }); got != 0 {
		t.Errorf("allocations per post: got %v, want 0", got)
	}
}

// A loop that is busy lets the scheduler see it, and not at each round.
func TestYieldsNowAndThen(t *testing.T) {
	l := newLoop(t)
	l.start = l.start.Add(-time.Hour)
	l.yield()
	first := l.yielded
	if first < time.Hour {
		t.Fatalf("last yield: got %v, want an hour or more", first)
	}
	l.yielded = l.now() + time.Hour // which is not 5 ms ago
	before := l.yielded
	l.yield()
	if l.yielded != before {
		t.Errorf("yielded again at %v, want it to wait for 5 ms", l.yielded)
	}
}
