package hal_test

import (
	"testing"
	"time"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/haltest"
)

// TestLook: what the kernel tells of is seen before the period is over, with one look at a time, and only while anybody watches.
func TestLook(t *testing.T) {
	for _, bus := range []string{"", "i2c-1"} {
		loop, l, looks := haltest.NewLoop(), &lamp{id: "a", bus: bus}, 0
		read := func() (int64, error) { looks++; return l.level, nil }
		s := hal.NewSampler(&hal.Env{Loop: loop}, "Lamp", l, time.Second, read, func(a, b int64) bool { return a == b })
		s.Look()
		loop.Advance(time.Minute)
		var got []int64
		stop, err := s.Watch(func(c hal.Sample[int64]) { got = append(got, c.State) })
		if err != nil || looks != 0 {
			t.Fatalf("bus %q: %v, %d looks with nobody watching", bus, err, looks)
		}
		l.level = 7
		for range 3 {
			s.Look()
		}
		loop.Advance(time.Millisecond)
		if looks != 1 || len(got) != 1 || got[0] != 7 {
			t.Errorf("bus %q: %d looks gave %v, want 1 and [7]", bus, looks, got)
		}
		loop.Advance(time.Second)
		if looks != 2 || loop.Timers() != 1 {
			t.Errorf("bus %q: %d looks and %d timers after a period, want 2 and 1", bus, looks, loop.Timers())
		}
		stop()
		s.Look()
		loop.Advance(time.Minute)
		if looks != 2 || loop.Timers() != 0 {
			t.Errorf("bus %q: %d looks and %d timers with nobody watching any more, want 2 and 0", bus, looks, loop.Timers())
		}
	}
}

// TestLookMeanwhile: a change while the device is being looked at is seen by a look of its own.
func TestLookMeanwhile(t *testing.T) {
	loop, l, looks := haltest.NewLoop(), &lamp{id: "a", bus: "i2c-1"}, 0
	begun, goOn := make(chan bool, 2), make(chan bool, 2)
	read := func() (int64, error) { looks++; level := l.level; begun <- true; <-goOn; return level, nil }
	s := hal.NewSampler(&hal.Env{Loop: loop}, "Lamp", l, time.Second, read, func(a, b int64) bool { return a == b })
	var got []int64
	stop, err := s.Watch(func(c hal.Sample[int64]) { got = append(got, c.State) })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	l.level = 1
	s.Look()
	go func() {
		<-begun
		loop.Post(func() { l.level = 2; s.Look(); s.Look(); goOn <- true; goOn <- true })
	}()
	loop.Advance(time.Millisecond)
	loop.Advance(time.Millisecond)
	if looks != 2 || len(got) != 2 || got[1] != 2 {
		t.Errorf("%d looks gave %v, want 2 and [1 2]", looks, got)
	}
}
