package hal_test

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/haltest"
)

// sampled is a lamp whose level is looked at every second, by watchers that write down what they are told.
type sampled struct {
	*testing.T
	*hal.Sampler[int64]
	lamp  *lamp
	loop  *haltest.Loop
	looks int
	fails error  // of the next looks
	waits func() // during a look; nil for not at all
}

func newSampled(t *testing.T, bus string) *sampled {
	s := &sampled{T: t, lamp: &lamp{id: "a", bus: bus}, loop: haltest.NewLoop()}
	read := func() (int64, error) {
		s.looks++
		if s.waits != nil {
			s.waits()
		}
		return s.lamp.level, s.fails
	}
	s.Sampler = hal.NewSampler(&hal.Env{Loop: s.loop}, "Lamp", s.lamp, time.Second, read, func(a, b int64) bool { return a == b })
	return s
}

// told is what a watcher was told since it was asked last: levels, and the end.
type told []string

func (w *told) expect(t *testing.T, what string, want ...string) {
	t.Helper()
	if got := strings.Join(*w, " "); got != strings.Join(want, " ") {
		t.Errorf("%s: it is told %q, want %q", what, got, strings.Join(want, " "))
	}
	*w = nil
}

// watch begins to watch. It ends where the device is gone, as every watch does.
func (s *sampled) watch() (w *told, stop func()) {
	s.Helper()
	w = new(told)
	stop, err := s.Watch(func(c hal.Sample[int64]) {
		if c.Err != nil {
			*w = append(*w, c.Err.Error())
			stop()
			return
		}
		*w = append(*w, fmt.Sprint(c.State))
	})
	if err != nil {
		s.Fatal(err)
	}
	return w, stop
}

// expect compares how often the device was looked at, and how many timers run.
func (s *sampled) expect(what string, looks, timers int) {
	s.Helper()
	if s.looks != looks || s.loop.Timers() != timers {
		s.Errorf("%s: %d looks and %d timers, want %d and %d", what, s.looks, s.loop.Timers(), looks, timers)
	}
}

const lampGone = "the device is gone: Lamp/a"

// TestSampler: while anybody watches, one look a period is told to all of them where it is news, and afterwards there is none.
func TestSampler(t *testing.T) {
	for _, bus := range []string{"", "i2c-1"} {
		t.Run("bus "+bus, func(t *testing.T) {
			s := newSampled(t, bus)
			s.loop.Advance(time.Minute)
			s.expect("nobody watches", 0, 0)
			first, stopFirst := s.watch()
			second, stopSecond := s.watch()
			s.expect("two watch", 0, 1)
			s.lamp.level = 5
			s.loop.Advance(time.Second - 1)
			first.expect(t, "before the period")
			s.loop.Advance(1)
			first.expect(t, "a change", "5")
			second.expect(t, "a change", "5")
			s.loop.Advance(2 * time.Second)
			first.expect(t, "no change")
			s.expect("three periods", 3, 1)
			s.fails, s.lamp.level = syscall.EIO, 6
			s.loop.Advance(time.Second)
			first.expect(t, "a look that fails")
			s.fails = nil
			stopFirst()
			stopFirst()
			s.loop.Advance(time.Second)
			first.expect(t, "it stopped")
			second.expect(t, "after a look that failed", "6")
			stopSecond()
			s.loop.Advance(time.Minute)
			s.expect("nobody watches any more", 5, 0)
		})
	}
}

// TestSamplerNote: what Halberd itself set or read is told at once, where it is news, and is none when the device is looked at next.
func TestSamplerNote(t *testing.T) {
	for _, bus := range []string{"", "i2c-1"} {
		t.Run("bus "+bus, func(t *testing.T) {
			s := newSampled(t, bus)
			s.Note(3)
			s.loop.Turn()
			w, stop := s.watch()
			s.Note(3)
			s.loop.Turn()
			w.expect(t, "what was noted before")
			s.lamp.level = 4
			noted := make(chan bool)
			go func() { s.Note(4); noted <- true }() // as a worker does it
			<-noted
			s.loop.Turn()
			w.expect(t, "a note", "4")
			s.loop.Advance(time.Second)
			w.expect(t, "the look after it")
			stop()
			s.Note(9)
			s.loop.Turn()
			w.expect(t, "it stopped")
		})
	}
}

// TestSamplerEnds: how a device goes, what its watchers are told, and that nobody can watch it afterwards.
func TestSamplerEnds(t *testing.T) {
	for _, bus := range []string{"", "i2c-1"} {
		for _, c := range []struct {
			name  string
			end   func(*sampled)
			told  []string
			ended bool
		}{
			{"unplugged", func(s *sampled) { s.Unplug() }, []string{lampGone}, true},
			{"the class closes", func(s *sampled) { s.Close() }, nil, true},
			{"closed and unplugged", func(s *sampled) { s.Close(); s.Unplug() }, []string{lampGone}, true},
			{"a look finds it gone", func(s *sampled) { s.fails = fmt.Errorf("cannot read: %w", syscall.ENODEV); s.loop.Advance(time.Second) }, []string{lampGone}, false},
		} {
			t.Run(c.name+", bus "+bus, func(t *testing.T) {
				s := newSampled(t, bus)
				w, _ := s.watch()
				c.end(s)
				w.expect(t, "the end", c.told...)
				looks := s.looks
				s.Look()
				s.loop.Advance(time.Minute)
				s.expect("it ended", looks, 0)
				w.expect(t, "afterwards")
				var gone *hal.DeviceGone
				if _, err := s.Watch(func(hal.Sample[int64]) {}); errors.As(err, &gone) != c.ended {
					t.Errorf("another watch: got %v, want DeviceGone: %v", err, c.ended)
				}
			})
		}
	}
}

// TestSamplerFullWorker: a look that the worker has no room for is tried again a period later.
func TestSamplerFullWorker(t *testing.T) {
	s := newSampled(t, "i2c-1")
	w, stop := s.watch()
	s.lamp.level, s.loop.Full = 2, true
	s.loop.Advance(3 * time.Second)
	s.expect("no room", 0, 1)
	s.loop.Full = false
	s.loop.Advance(time.Second)
	w.expect(t, "room again", "2")
	stop()
	s.expect("it stopped", 1, 0)
}

// TestSamplerSlowBus: a look that comes back when its watcher is gone, or the device, is told to nobody. A watch that begins meanwhile is told of it, and leaves no second timer.
func TestSamplerSlowBus(t *testing.T) {
	for _, c := range []struct {
		name      string
		meanwhile func(s *sampled, stop func())
		told      []string
		timers    int
	}{
		{"nothing", func(*sampled, func()) {}, []string{"7"}, 1},
		{"the watcher stops", func(_ *sampled, stop func()) { stop() }, nil, 0},
		{"the device is unplugged", func(s *sampled, _ func()) { s.Unplug() }, []string{lampGone}, 0},
		{"the class closes", func(s *sampled, _ func()) { s.Close() }, nil, 0},
		{"another one watches", func(s *sampled, _ func()) { s.watch() }, []string{"7"}, 1},
		{"the watcher stops, another one watches", func(s *sampled, stop func()) { stop(); s.watch() }, nil, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSampled(t, "i2c-1")
			began, goOn := make(chan bool), make(chan bool, 1)
			s.waits = func() { began <- true; <-goOn }
			w, stop := s.watch()
			s.lamp.level = 7
			go func() {
				<-began
				s.loop.Post(func() { c.meanwhile(s, stop); goOn <- true })
			}()
			s.loop.Advance(time.Second)
			w.expect(t, "afterwards", c.told...)
			s.expect("afterwards", 1, c.timers)
		})
	}
}

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
