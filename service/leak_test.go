package service_test

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/config"
	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

// endings are ways in which a connection ends.
var endings = []struct {
	name string
	end  func(r *servicetest.Raw) error
}{
	{"closed at once", func(*servicetest.Raw) error { return nil }},
	{"closed after a reply", func(r *servicetest.Raw) error { _, err := r.Call(getPump); return err }},
	{"closed with the reply unread", func(r *servicetest.Raw) error { return r.Write(getPump) }},
	{"closed with many replies unread", func(r *servicetest.Raw) error {
		for range 20 {
			if err := r.Write(getPump); err != nil {
				return err
			}
		}
		return nil
	}},
	{"closed inside a message", func(r *servicetest.Raw) error { return r.Send([]byte(getPump[:20])) }},
	{"broken off by the server", func(r *servicetest.Raw) error {
		if err := r.Write("nonsense"); err != nil {
			return err
		}
		_, _ = r.Read()
		return nil
	}},
	{"half closed", func(r *servicetest.Raw) error {
		if err := r.Write(getPump); err != nil {
			return err
		}
		if err := unix.Shutdown(r.FD, unix.SHUT_WR); err != nil {
			return err
		}
		_, err := r.Read()
		return err
	}},
	{"closed in a watch", func(r *servicetest.Raw) error {
		_, err := r.Call(`{"method":"io.halberd.Gpio.Watch","parameters":{"lines":["button","relay-pump"]},"more":true}`)
		return err
	}},
	{"closed while it follows the audit", func(r *servicetest.Raw) error { _, err := r.Call(followAudit); return err }},
	{"with descriptors that nobody asked for", func(r *servicetest.Raw) error {
		err := unix.Sendmsg(r.FD, []byte(getPump), unix.UnixRights(r.FD, r.FD), nil, unix.MSG_NOSIGNAL)
		if err == unix.EPERM { // Linux 6.16 and newer refuse it for us: SO_PASSRIGHTS
			return nil
		}
		return err
	}},
	{"too large", func(r *servicetest.Raw) error {
		err := r.Write(fmt.Sprintf("%70000d", 1))
		if err == nil {
			_, err = r.Read()
		}
		return err
	}},
}

// TestNothingIsLeft: however connections end, no descriptor and no goroutine stays.
func TestNothingIsLeft(t *testing.T) {
	total := 10000
	if testing.Short() {
		total = 500
	}
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), servicetest.WithLimits(func(l *config.Limits) { l.ConnectionsPerUID = 1000 }))
	kinds := []peer.Transport{peer.Stream, peer.Seqpacket}
	round := func(i int) {
		row := endings[i%len(endings)]
		r, err := servicetest.Dial(kinds[i/len(endings)%len(kinds)], s.Name)
		if err != nil {
			t.Fatal(err)
		}
		if err := row.end(r); err != nil {
			t.Fatalf("%s: %v", row.name, err)
		}
		r.Close()
	}
	for i := range 2 * len(endings) {
		round(i)
	}
	settle(t, s, 1)
	fds, goroutines, kernel := descriptors(t), runtime.NumGoroutine(), s.Sim.Opened()
	for i := range total {
		round(i)
	}
	settle(t, s, 1)
	eventually(t, "descriptors", fds, func() int { return descriptors(t) })
	eventually(t, "goroutines", goroutines, runtime.NumGoroutine)
	eventually(t, "descriptors of the simulated kernel", kernel, s.Sim.Opened)
}

// eventually waits until there are no more of something than before: a server closes its end of a connection a moment after the client did.
func eventually(t *testing.T, what string, want int, count func() int) {
	t.Helper()
	got := count()
	for deadline := time.Now().Add(30 * time.Second); got > want && time.Now().Before(deadline); got = count() {
		time.Sleep(time.Millisecond)
	}
	if got > want {
		t.Errorf("%d %s are there, want %d as before", got, what, want)
	}
}

// settle waits until the server has so many connections, the one that asks among them.
func settle(t *testing.T, s *servicetest.Server, want int) {
	t.Helper()
	r := s.MustDial(t, peer.Seqpacket)
	defer r.Close()
	for deadline := time.Now().Add(30 * time.Second); ; {
		got, err := r.Call(`{"method":"io.halberd.Policy.Status"}`)
		if err != nil {
			t.Fatal(err)
		}
		if connectionsOf(t, got) == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("connections stay open: %s", got)
		}
		time.Sleep(time.Millisecond)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}
