package service

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/loop"
	"github.com/halberd-io/halberd/service/peer"
)

// TestEnded: what was stopped is not called when the connection ends, not even by an ending before it, and is not remembered either. What is begun behind the end ends soon.
func TestEnded(t *testing.T) {
	l, err := loop.New()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := &conn{caller: caller{server: &Server{loop: l}, fd: -1}}
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
	called = nil
	c.Ended(func() { called = append(called, "late") })
	c.Ended(func() { called = append(called, "late, and stopped") })()
	l.Post(l.Stop)
	if err := l.Run(); err != nil {
		t.Fatal(err)
	}
	if want := []string{"late"}; !slices.Equal(called, want) {
		t.Errorf("called behind the end: %q, want %q", called, want)
	}
}

// TestNothingIsLeftOfAWatch: a watch whose first event cannot be sent leaves nothing of its uid on the books.
func TestNothingIsLeftOfAWatch(t *testing.T) {
	b := newBench(t, unix.SOCK_STREAM, peer.Stream)
	if err := unix.Shutdown(b.fd, unix.SHUT_RD); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Write(b.fd, []byte(`{"method":"io.halberd.Gpio.Watch","parameters":{"lines":["button"]},"more":true}`+"\x00")); err != nil {
		t.Fatal(err)
	}
	b.conn.Ready(unix.EPOLLIN)
	if s := b.server; !b.conn.closed || len(s.accounts) != 0 || len(s.watches) != 0 {
		t.Errorf("closed: %v; %d accounts and %d watches are left, want none", b.conn.closed, len(s.accounts), len(s.watches))
	}
}
