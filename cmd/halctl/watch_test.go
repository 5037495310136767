package main

import (
	"context"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/halberd-io/halberd/service/servicetest"
)

// TestWatch: the present state and each change come as they happen, and an interrupt is a good end.
func TestWatch(t *testing.T) {
	for _, kind := range connections {
		t.Run(kind.String(), func(t *testing.T) {
			s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r := begin(ctx, "-a", s.Address(kind), "gpio", "watch", "door", "relay-pump")
			lines := r.stdout.await(t, 3)
			if got := strings.Fields(lines[0]); len(got) < 2 || got[0] != "LINE" || got[1] != "VALUE" {
				t.Errorf("got the heading %q", lines[0])
			}
			s.Sim.Pull("door", 1)
			lines = r.stdout.await(t, 5)
			if got := strings.Fields(lines[3]); len(got) < 3 || got[2] != "EDGE" {
				t.Errorf("got the heading %q for other fields", lines[3])
			}
			s.Sim.Pull("door", 0)
			lines = r.stdout.await(t, 6)
			for i, want := range map[int]string{1: "door 0", 2: "relay-pump 0", 4: "door 1 rising", 5: "door 0 falling"} {
				if got := strings.Join(strings.Fields(lines[i]), " "); !strings.HasPrefix(got+" ", want+" ") {
					t.Errorf("line %d: got %q, want %q", i, got, want)
				}
			}
			cancel()
			if status := <-r.status; status != 0 || r.stderr.String() != "" {
				t.Errorf("got %d, %q, want 0", status, r.stderr)
			}
		})
	}
}

// TestWatchBoard: what is plugged in and out comes as it happens.
func TestWatchBoard(t *testing.T) {
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := begin(ctx, "-a", s.Address(connections[0]), "watch")
	r.stdout.await(t, 2)
	s.Sim.Unplug("front:white")
	r.stdout.await(t, 4)
	s.Sim.Plug("front:white")
	lines := r.stdout.await(t, 5)
	for i, want := range map[int]string{1: "begin 1 0", 2: "KIND DEVICE SEQUENCE LOST", 3: "removed Led/front 2 0", 4: "added Led/front 3 0"} {
		if got := unwrapped(lines[i]); got != want {
			t.Errorf("line %d: got %q, want %q", i, got, want)
		}
	}
}

// TestWatchAsJSON: for programs, an event is a line, and so it is for call --more.
func TestWatchAsJSON(t *testing.T) {
	rows := [][]string{
		{"-j", "gpio", "watch", "door", "button", "--edge", "rising"},
		{"-j", "gpio", "watch", "--edge=rising", "door", "button"},
		{"call", "--more", "io.halberd.Gpio.Watch", `{"lines":["door","button"],"edge":"rising"}`},
	}
	for _, kind := range connections {
		for _, args := range rows {
			s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
			ctx, cancel := context.WithCancel(t.Context())
			r := begin(ctx, append([]string{"-a", s.Address(kind)}, args...)...)
			r.stdout.await(t, 2) // the state of button comes once door is followed
			for _, level := range []int{1, 0, 1} {
				s.Sim.Pull("door", level)
			}
			r.stdout.await(t, 4)
			cancel()
			status := <-r.status
			objects := jsonLines(t, r.stdout.String())
			if status != 0 || len(objects) != 4 || objects[0]["value"] != 0.0 || objects[2]["edge"] != "rising" || objects[3]["edge"] != "rising" {
				t.Errorf("%s: halctl %q: got %d, %s, want two states and two rising edges", kind, args, status, r.stdout)
			}
		}
	}
}

// TestEveryWatch: each class has one.
func TestEveryWatch(t *testing.T) {
	rows := []struct{ args, want string }{
		{"gpio watch button", "button 0"},
		{"led watch front status", "front 0 none"},
		{"sensor watch soc --above 50000 --every-msec 100", "soc 41000"},
	}
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
	for _, kind := range connections {
		for _, row := range rows {
			ctx, cancel := context.WithCancel(t.Context())
			r := begin(ctx, append([]string{"-a", s.Address(kind)}, strings.Fields(row.args)...)...)
			got := strings.Join(strings.Fields(r.stdout.await(t, 2)[1]), " ")
			cancel()
			if status := <-r.status; status != 0 || !strings.HasPrefix(got, row.want) {
				t.Errorf("%s: halctl %s: got %d, %q, %q, want %q", kind, row.args, status, got, r.stderr, row.want)
			}
		}
	}
}

// TestWatchOverDatagrams: there are none, and an endless wait neither.
func TestWatchOverDatagrams(t *testing.T) {
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
	status, stdout, stderr := at(t, s, transports[2], "gpio", "watch", "door")
	if want := "org.varlink.service.MethodNotImplemented"; status != 1 || stdout != "" || !strings.Contains(stderr, want) {
		t.Errorf("got %d, %q, %q, want 1, %s", status, stdout, stderr, want)
	}
}

// TestWatchThatFails: what ends a watch but its user is told.
func TestWatchThatFails(t *testing.T) {
	for _, kind := range connections {
		s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
		r := begin(t.Context(), "-a", s.Address(kind), "gpio", "watch", "door")
		r.stdout.await(t, 2)
		s.Sim.Unplug("gpiochip0")
		if status := <-r.status; status != 1 || !strings.Contains(r.stderr.String(), "io.halberd.DeviceGone") {
			t.Errorf("%s: unplugged: got %d, %q, want 1, DeviceGone", kind, status, r.stderr)
		}
		r = begin(t.Context(), "-a", s.Address(kind), "led", "watch", "front")
		r.stdout.await(t, 2)
		s.Stop(t)
		if status := <-r.status; status != 1 || !strings.Contains(r.stderr.String(), "connection lost") {
			t.Errorf("%s: the daemon ended: got %d, %q, want 1, connection lost", kind, status, r.stderr)
		}
	}
}

// TestInterrupt: the signal itself, to the program itself.
func TestInterrupt(t *testing.T) {
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
	cmd := servicetest.Command(t, "-a", s.Address(transports[0]), "gpio", "watch", "door")
	cmd.Env = append(os.Environ(), programVariable+"=1")
	stdout := newBuffer()
	cmd.Stdout, cmd.Stderr = stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		err := cmd.Wait()
		stdout.end()
		done <- err
	}()
	stdout.await(t, 2)
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Errorf("got %v, want exit status 0", err)
	}
}

// TestInterruptedCall: a call that was given up may or may not have been carried out, and that is no success.
func TestInterruptedCall(t *testing.T) {
	address, calls := standIn(t)
	ctx, cancel := context.WithCancel(t.Context())
	r := begin(ctx, "-a", address, "gpio", "set", "relay-pump", "1")
	if got, want := <-calls, `{"method":"io.halberd.Gpio.Set","parameters":{"line":"relay-pump","value":1}}`; got != want {
		t.Errorf("got the call %s, want %s", got, want)
	}
	cancel()
	if status := <-r.status; status != 1 || !strings.Contains(r.stderr.String(), context.Canceled.Error()) {
		t.Errorf("got %d, %q, want 1 and why", status, r.stderr)
	}
}
