package service_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/config"
	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

// TestSenderFasterThanReader: however much a peer sends, what the server takes from it before it has answered is bounded.
func TestSenderFasterThanReader(t *testing.T) {
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
	r := s.MustDial(t, peer.Stream)
	if err := unix.SetNonblock(r.FD, true); err != nil {
		t.Fatal(err)
	}
	call := `{"method":"org.varlink.service.GetInfo"}` + "\x00"
	batch, buf := []byte(strings.Repeat(call, 2000)), make([]byte, 32<<10)
	sent, answered := 0, 0
	wait := []unix.PollFd{{Fd: int32(r.FD), Events: unix.POLLIN}}
	for answered < 40000 {
		at := sent % len(call)
		if n, err := unix.SendmsgN(r.FD, batch[at:], nil, nil, unix.MSG_NOSIGNAL); err == nil {
			sent += n
		} else if err != unix.EAGAIN && err != unix.EINTR {
			t.Fatal(err)
		}
		if _, err := unix.Poll(wait, 10000); err != nil && err != unix.EINTR {
			t.Fatal(err)
		}
		n, err := unix.Read(r.FD, buf)
		if err == unix.EAGAIN || err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			t.Fatalf("the connection ended after %d replies: %v", answered, err)
		}
		answered += strings.Count(string(buf[:n]), "\x00")
		if waiting := sent - answered*len(call); waiting > 1<<20 {
			t.Fatalf("%d bytes of calls were taken and not answered", waiting)
		}
	}
}

// TestFloodAndBystander: a peer that keeps the server busy with calls that nobody answers does not keep it from others: each of their calls is answered
// while the flood goes on.
func TestFloodAndBystander(t *testing.T) {
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
	bystander := s.MustDial(t, peer.Seqpacket)
	stop, stopped := make(chan struct{}), make(chan int)
	flood := []byte(strings.Repeat(`{"method":"org.varlink.service.GetInfo","oneway":true}`+"\x00", 1000))
	for range 8 {
		r := s.MustDial(t, peer.Stream)
		go func() {
			n := 0
			for {
				select {
				case <-stop:
					stopped <- n
					return
				default:
				}
				if r.Send(flood) != nil {
					stopped <- 0
					return
				}
				n++
			}
		}()
	}
	for range 200 {
		if got, err := bystander.Call(getPump); got != `{"parameters":{"value":0}}` || err != nil {
			t.Fatal(got, err)
		}
	}
	close(stop)
	for range 8 {
		if <-stopped == 0 {
			t.Error("a flooding connection got nothing through, or was dropped")
		}
	}
}

// TestMessagesInPieces: the time to finish a message is each message's own.
func TestMessagesInPieces(t *testing.T) {
	const limit = 300 * time.Millisecond
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), servicetest.WithLimits(func(l *config.Limits) { l.MessageTimeout = limit }))
	r := s.MustDial(t, peer.Stream)
	call := getPump + "\x00"
	if err := r.Send([]byte(call[:10])); err != nil {
		t.Fatal(err)
	}
	for begun := time.Now(); time.Since(begun) < 3*limit; {
		if err := r.Send([]byte(call[10:] + call[:10])); err != nil {
			t.Fatal(err)
		}
		if got, err := r.Read(); got != `{"parameters":{"value":0}}` || err != nil {
			t.Fatalf("after %v: got %q, %v", time.Since(begun), got, err)
		}
	}
	if got, err := r.Read(); got != "" || err != nil && err != unix.ECONNRESET {
		t.Errorf("a message that is never finished: got %q, %v, want the end", got, err)
	}
}
