package main

import (
	"os"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/service/servicetest"
)

// TestSafe: 0 once the outputs are at their safe values, and how many those are.
func TestSafe(t *testing.T) {
	const board = "[gpio.relay-pump]\nchip = \"sim-gpio\"\nline = 0\ndirection = \"output\"\nsafe = 0\n[backlight.panel]\nname = \"panel\"\nsafe = 9\n"
	for _, kind := range transports {
		s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), servicetest.WithBoard(t, board, func(*sim.Kernel) {}))
		for _, row := range []struct{ args, want string }{{"safe", "2\n"}, {"-j safe", "{\"outputs\":2}\n"}} {
			if status, _, stderr := at(t, s, kind, "gpio", "set", "relay-pump", "1"); status != 0 || s.Sim.Value("relay-pump") != 1 {
				t.Fatalf("got %d, %s", status, stderr)
			}
			status, stdout, stderr := at(t, s, kind, strings.Fields(row.args)...)
			if status != 0 || stdout != row.want || stderr != "" || s.Sim.Value("relay-pump") != 0 {
				t.Errorf("%s: halctl %s: got %d, %q, %q, relay-pump %d", kind, row.args, status, stdout, stderr, s.Sim.Value("relay-pump"))
			}
		}
	}
}

// TestNotSafe: 1 where an output failed or nothing was permitted, and 3 without a daemon.
func TestNotSafe(t *testing.T) {
	const failed = `halctl: io.halberd.Board.Safe: io.halberd.NotSafe: {"failures":1,"failed":[{"class":"Lamp","device":"broken","error":"io.halberd.DeviceGone",`
	for _, kind := range transports {
		s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), servicetest.WithDrivers(hal.Driver{Class: "Lamp", Open: openBroken}))
		status, stdout, stderr := at(t, s, kind, "safe")
		if status != 1 || stdout != "" || !strings.HasPrefix(stderr, failed) {
			t.Errorf("%s: a broken output: got %d, %q, %q", kind, status, stdout, stderr)
		}
		s = servicetest.Start(t, "")
		status, stdout, stderr = at(t, s, kind, "safe")
		if status != 1 || stdout != "" || !strings.Contains(stderr, "PermissionDenied") || !strings.HasSuffix(suggested(stderr), "methods = [\"io.halberd.Board.Safe\"]\n") {
			t.Errorf("%s: without a grant: got %d, %q, %q", kind, status, stdout, stderr)
		}
		s.Stop(t)
		if status, stdout, stderr := at(t, s, kind, "safe"); status != 3 || stdout != "" || stderr == "" {
			t.Errorf("%s: without a daemon: got %d, %q, %q", kind, status, stdout, stderr)
		}
	}
}

// lamp is an output that cannot be driven.
type lamp struct{}

func (lamp) ID() string  { return "broken" }
func (lamp) Bus() string { return "" }

// openBroken opens a class of one such output.
func openBroken(*hal.Env) (*hal.Class, error) {
	set := hal.NewSet[lamp]("Lamp", "lamp")
	return &hal.Class{Name: "Lamp", Doc: "A broken lamp.", Devices: set, Safe: hal.SafeOutputs(set,
		func(lamp) hal.Opt[int64] { return hal.Some(int64(0)) },
		func(lamp) error { return hal.GoneDevice("Lamp", "broken") })}, set.Add(lamp{})
}
