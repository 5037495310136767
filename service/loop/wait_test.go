package loop

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestMayHold(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skipf("one processor: held waits are never used")
	}
	tests := []struct {
		name string
		set  func(l *Loop)
		want bool
	}{
		{"traffic", func(l *Loop) { l.traffic = true }, true},
		{"no traffic", func(*Loop) {}, false},
		{"switched off", func(l *Loop) { l.traffic = true; l.Hold(false) }, false},
		{"a job is outstanding", func(l *Loop) { l.traffic = true; l.busy = 1 }, false},
		{"a timer is near", func(l *Loop) { l.traffic = true; l.After(time.Millisecond, nothing) }, false},
		{"a timer is far", func(l *Loop) { l.traffic = true; l.After(time.Hour, nothing) }, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
			l := newLoop(t)
			test.set(l)
			if got := l.mayHold(); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
	t.Run("one processor", func(t *testing.T) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		l := newLoop(t)
		l.traffic = true
		if l.mayHold() {
			t.Error("got true, want false")
		}
	})
}

func TestElapsedHoldEndsTheSpell(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	l := newLoop(t)
	ours, theirs := pair(t)
	var buf [1]byte
	add(t, l, ours, unix.EPOLLIN, func(uint32) { _, _ = unix.Read(ours, buf[:]) })
	write(t, theirs, "x")
	if err := l.round(); err != nil || !l.traffic {
		t.Fatalf("after a descriptor was ready: traffic %v (%v), want true", l.traffic, err)
	}
	if err := l.round(); err != nil || l.traffic {
		t.Errorf("after 4 ms of nothing: traffic %v (%v), want false", l.traffic, err)
	}
}

// A wake-up or a timer alone is no traffic: an idle daemon whose watchdog it pings must not hold.
func TestOwnDescriptorsAreNoTraffic(t *testing.T) {
	l := newLoop(t)
	l.Post(nothing)
	if err := l.round(); err != nil || l.traffic {
		t.Errorf("after a wake-up: traffic %v (%v), want false", l.traffic, err)
	}
	l.After(0, nothing)
	if err := l.round(); err != nil || l.traffic {
		t.Errorf("after a timer: traffic %v (%v), want false", l.traffic, err)
	}
}

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
