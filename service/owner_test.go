package service_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/service"
	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
	"github.com/halberd-io/halberd/service/state"
)

const (
	registerUI = `{"method":"io.halberd.Watchdog.Register","parameters":{"name":"ui","timeoutMSec":60000}}`
	pingUI     = `{"method":"io.halberd.Watchdog.Ping","parameters":{"name":"ui"}}`
	wakeUI     = `{"method":"io.halberd.Rtc.Wake","parameters":{"name":"ui","atUSec":4000000000000000}}`
	listWakes  = `{"method":"io.halberd.Rtc.Wakes"}`
	stranger   = 4711
)

// everybody grants everything to this user and to another one.
func everybody() string {
	return fmt.Sprintf("[[grant]]\nid = \"all\"\nusers = [%d, %d]\nmethods = [\"io.halberd.*\"]\ndevices = [\"*\"]\n", os.Geteuid(), stranger)
}

// TestOwner: a user is the same on a socket of any kind, and nobody else is.
func TestOwner(t *testing.T) {
	s := servicetest.Start(t, everybody())
	holder := s.MustDial(t, peer.Stream)
	if got, err := holder.Call(registerUI); got != done || err != nil {
		t.Fatal(got, err)
	}
	if got, err := s.MustDial(t, peer.Datagram).Call(wakeUI); got != done || err != nil {
		t.Fatal(got, err)
	}
	for _, kind := range []peer.Transport{peer.Stream, peer.Seqpacket, peer.Datagram} {
		r := s.MustDial(t, kind)
		if got, err := r.Call(pingUI); got != done || err != nil {
			t.Errorf("a ping on %s: got %s, %v", kind, got, err)
		}
		if got, err := r.Call(listWakes); !strings.Contains(got, `{"name":"ui","atUSec":4000000000000000}`) || err != nil {
			t.Errorf("the wakes on %s: got %s, %v", kind, got, err)
		}
	}
	if got, err := s.MustDial(t, peer.Datagram).Call(registerUI); err != nil || parse(t, got).Error != "org.varlink.service.MethodNotImplemented" {
		t.Errorf("a datagram registers: got %s, %v, want MethodNotImplemented", got, err)
	}
}

// TestOwnerIsNobodyElse: another user's names are its own.
func TestOwnerIsNobodyElse(t *testing.T) {
	servicetest.SkipUnlessRoot(t)
	s := servicetest.Start(t, everybody())
	r := s.MustDial(t, peer.Stream)
	for _, call := range []string{registerUI, wakeUI} {
		if got, err := r.Call(call); got != done || err != nil {
			t.Fatal(got, err)
		}
	}
	as := servicetest.As{UID: stranger, GID: stranger}
	for _, kind := range []peer.Transport{peer.Stream, peer.Datagram} {
		got := s.Call(t, as, kind, pingUI, listWakes)
		if parse(t, got[0]).Error != "io.halberd.NoSuchDevice" || got[1] != `{"parameters":{"clock":"main","wakes":[]}}` {
			t.Errorf("another user on %s: got %q, want NoSuchDevice and no wakes", kind, got)
		}
	}
}

// TestRegistrationEnds: an app hangs when its connection ends, and not when the daemon does.
func TestRegistrationEnds(t *testing.T) {
	s := servicetest.Start(t, everybody())
	r := s.MustDial(t, peer.Stream)
	for _, call := range []string{registerUI, `{"method":"io.halberd.Watchdog.Register","parameters":{"name":"other","timeoutMSec":60000}}`, `{"method":"io.halberd.Watchdog.Arm"}`} {
		if got, err := r.Call(call); got != done || err != nil {
			t.Fatal(call, got, err)
		}
	}
	if got := watchdogState(t, s.Sim); got != "active" {
		t.Fatalf("the kernel says that the watchdog is %s, want it active", got)
	}
	observer := s.MustDial(t, peer.Seqpacket)
	if got := watchdogStatus(t, observer); got != "armed healthy healthy" {
		t.Errorf("got %s, want armed healthy healthy", got)
	}
	s.Stop(t)
	if got := watchdogState(t, s.Sim); got != "inactive" {
		t.Errorf("the daemon ended, and the kernel says that the watchdog is %s, want it inactive", got)
	}

	s = servicetest.Start(t, everybody())
	r, observer = s.MustDial(t, peer.Seqpacket), s.MustDial(t, peer.Stream)
	for _, call := range []string{registerUI, `{"method":"io.halberd.Watchdog.Arm"}`} {
		if got, err := r.Call(call); got != done || err != nil {
			t.Fatal(call, got, err)
		}
	}
	r.Close()
	deadline := time.Now().Add(10 * time.Second)
	for watchdogStatus(t, observer) != "expiring hung" && time.Now().Before(deadline) {
	}
	if got := watchdogStatus(t, observer); got != "expiring hung" {
		t.Errorf("the app's connection ended: got %s, want expiring hung", got)
	}
}

// watchdogStatus is the state of the watchdog, and those of the apps.
func watchdogStatus(t *testing.T, r *servicetest.Raw) string {
	t.Helper()
	text, err := r.Call(`{"method":"io.halberd.Watchdog.Status"}`)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Parameters struct {
			State string
			Apps  []struct{ State string }
		}
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	states := got.Parameters.State
	for _, a := range got.Parameters.Apps {
		states += " " + a.State
	}
	return states
}

// watchdogState is what the kernel says.
func watchdogState(t *testing.T, k *sim.Kernel) string {
	t.Helper()
	fd, err := k.Open("/sys/class/watchdog/watchdog0/state", unix.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close(fd)
	buf := make([]byte, 16)
	n, err := k.Pread(fd, buf, 0)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(buf[:n]))
}

// TestWakesOutliveTheDaemon: of the user that wanted them, on whatever disk there is.
func TestWakesOutliveTheDaemon(t *testing.T) {
	kept := state.NewFolder(t.TempDir() + "/halberd")
	with := func(c *service.Config) { c.State = kept }
	s := servicetest.Start(t, everybody(), with)
	if got, err := s.MustDial(t, peer.Stream).Call(wakeUI); got != done || err != nil {
		t.Fatal(got, err)
	}
	s.Stop(t)
	s = servicetest.Start(t, everybody(), with)
	if got, err := s.MustDial(t, peer.Datagram).Call(listWakes); got != `{"parameters":{"clock":"main","wakes":[{"name":"ui","atUSec":4000000000000000}]}}` || err != nil {
		t.Errorf("after a restart: got %s, %v", got, err)
	}
}
