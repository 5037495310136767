package loop

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// TestLater: what is put off runs behind all events of its round, and what it puts off itself behind those of the next round, which waits for nothing.
func TestLater(t *testing.T) {
	l := newLoop(t)
	var did []string
	note := func(what string) func() { return func() { did = append(did, what) } }
	first, theirs := pair(t)
	write(t, theirs, "x")
	second, theirs := pair(t)
	write(t, theirs, "x")
	rounds := 0
	add(t, l, first, unix.EPOLLIN, func(uint32) {
		if rounds++; rounds == 1 {
			l.Later(note("put off"))
			l.Later(func() { l.Later(note("put off again")) })
		}
		did = append(did, "first")
	})
	add(t, l, second, unix.EPOLLIN, func(uint32) {
		did = append(did, "second")
		if rounds == 2 {
			l.Remove(first)
			l.Remove(second)
		}
	})
	for range 2 {
		if err := l.round(); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"first", "second", "put off", "first", "second", "put off again"}; !slices.Equal(did, want) {
		t.Errorf("got %q, want %q", did, want)
	}
	l.Later(note("alone"))
	if err := l.round(); err != nil { // nothing is ready any more
		t.Fatal(err)
	}
	if got := did[len(did)-1]; got != "alone" {
		t.Errorf("with nothing to wait for: got %q last", got)
	}
}

func TestCrowded(t *testing.T) {
	for ready := range 3 {
		l := newLoop(t)
		got := false
		for range ready {
			ours, theirs := pair(t)
			write(t, theirs, "x")
			add(t, l, ours, unix.EPOLLIN, func(uint32) { got = l.Crowded() })
		}
		l.Later(nothing)
		if err := l.round(); err != nil {
			t.Fatal(err)
		}
		if want := ready > 1; got != want {
			t.Errorf("%d descriptors are ready: got %v, want %v", ready, got, want)
		}
	}
}

func TestLaterDoesNotAllocate(t *testing.T) {
	l := newLoop(t)
	if got := testing.AllocsPerRun(100, func() { l.Later(nothing); _ = l.round() }); got != 0 {
		t.Errorf("allocations: got %v, want 0", got)
	}
}
