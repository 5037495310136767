package service

import (
	"slices"
	"testing"

	"github.com/halberd-io/halberd/service/loop"
)

// TestEnded: what was stopped is not called when the connection ends, not even by an ending before it, and is not remembered either.
func TestEnded(t *testing.T) {
	l, err := loop.New()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := &conn{hungUp: true, caller: caller{server: &Server{loop: l}, fd: -1}}
	for range 100 {
		c.Ended(func() { t.Error("what was stopped is called") })()
	}
	if n := len(c.ends); n != 0 {
		t.Errorf("%d endings are remembered that were stopped, want none", n)
	}
	var called []string
	var stop func()
	c.Ended(func() { called = append(called, "first"); stop() })
	stop = c.Ended(func() { called = append(called, "second") })
	c.Ended(func() { called = append(called, "third") })
	c.close()
	if want := []string{"first", "third"}; !slices.Equal(called, want) {
		t.Errorf("called %q, want %q", called, want)
	}
}
