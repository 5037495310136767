package service_test

import (
	"log/slog"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/service"
	"github.com/halberd-io/halberd/service/config"
	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

// limitDescriptors lowers the soft limit of this process, until the test ends or what is returned is called.
func limitDescriptors(t *testing.T, most int) (restore func()) {
	t.Helper()
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	if before.Cur < uint64(most) {
		t.Skipf("this process may have %d descriptors alone", before.Cur)
	}
	lower := before
	lower.Cur = uint64(most)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &lower); err != nil {
		t.Fatal(err)
	}
	restore = func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(restore)
	return restore
}

// TestFewDescriptors: where the kernel gives fewer descriptors than there may be connections, fewer are served, the log says so, and one too many is refused by name.
func TestFewDescriptors(t *testing.T) {
	restore := limitDescriptors(t, descriptors(t)+320)
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), servicetest.WithLimits(func(l *config.Limits) { l.ConnectionsPerUID = 1024 }))
	restore()
	if s.Log.Find("fewer connections are served than configured", "configured=1024") == "" {
		t.Error("the log does not say that fewer connections are served")
	}
	accepted := 0
	for i := range 200 {
		if served(t, s.MustDial(t, connectionKind(i))) {
			accepted++
		}
	}
	if accepted < 20 || accepted > 320-128-64 {
		t.Errorf("%d connections are served, want no more than there are descriptors for", accepted)
	}
}

// TestFullTable: with no descriptor left, connections are served on, new ones are turned away rather than left waiting, and served again when there are some.
func TestFullTable(t *testing.T) {
	for _, kind := range connections {
		t.Run(kind.String(), func(t *testing.T) {
			s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
			r := s.MustDial(t, kind)
			if !served(t, r) {
				t.Fatal("a connection is refused")
			}
			types := map[peer.Transport]int{peer.Stream: unix.SOCK_STREAM, peer.Seqpacket: unix.SOCK_SEQPACKET}
			var waiting []int
			for range 3 {
				fd, err := unix.Socket(unix.AF_UNIX, types[kind]|unix.SOCK_CLOEXEC, 0)
				if err != nil {
					t.Fatal(err)
				}
				defer unix.Close(fd)
				waiting = append(waiting, fd)
			}
			restore := limitDescriptors(t, fillGaps(t))
			for _, fd := range waiting {
				if err := unix.Connect(fd, &unix.SockaddrUnix{Name: s.Name}); err != nil {
					t.Fatal(err)
				}
				if n, err := unix.Read(fd, make([]byte, 16)); n > 0 || err != nil && err != unix.ECONNRESET {
					t.Errorf("without a descriptor: got %d, %v, want the end", n, err)
				}
				if !served(t, r) {
					t.Error("a connection that is there is not served any more")
				}
			}
			if s.Log.Find("cannot accept a connection", "too many open files") == "" {
				t.Error("the table was never full")
			}
			restore()
			if !served(t, s.MustDial(t, kind)) {
				t.Error("a connection is refused when there are descriptors again")
			}
		})
	}
}

// fillGaps takes each descriptor below the highest one, and says how many there are then.
func fillGaps(t *testing.T) int {
	t.Helper()
	for {
		fd, err := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		if len(entries)-1 == fd+1 { // the listing has a descriptor of its own
			return fd + 1
		}
	}
}

// TestNoDescriptors: where the kernel gives hardly any, the daemon says so instead of serving nobody.
func TestNoDescriptors(t *testing.T) {
	limitDescriptors(t, descriptors(t)+100)
	_, err := service.New(service.Config{Log: slog.New(slog.DiscardHandler), Kernel: sim.New(sim.Options{}), Limits: config.DefaultServer().Limits,
		Policy: func(cat *hal.Catalog) (*config.PolicyFiles, error) {
			return config.ParsePolicy(config.Options{}, cat, "test.toml", "")
		}})
	if err == nil || !strings.Contains(err.Error(), "RLIMIT_NOFILE") {
		t.Errorf("got %v, want an error that names RLIMIT_NOFILE", err)
	}
}
