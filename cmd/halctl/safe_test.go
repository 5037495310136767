package main

import (
	"os"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/service/servicetest"
)

// TestSafe: 0 once the outputs are at their safe values.
func TestSafe(t *testing.T) {
	for _, kind := range transports {
		s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
		for _, row := range []struct{ args, want string }{{"safe", "3\n"}, {"-j safe", "{\"outputs\":3}\n"}} {
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
	const lights = "[led.front]\nname = \"front:white\"\nsafe = 0\n\n[led.gone]\nname = \"gone\"\nsafe = 1\n"
	const failed = `halctl: io.halberd.Board.Safe: io.halberd.NotSafe: {"failures":1,"failed":[{"class":"Led","device":"gone","error":"io.halberd.DeviceGone",`
	for _, kind := range transports {
		s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), servicetest.WithBoard(t, lights, func(k *sim.Kernel) { k.AddLED(sim.LED{Name: "gone", Max: 1}) }))
		s.Sim.Unplug("gone")
		status, stdout, stderr := at(t, s, kind, "safe")
		if status != 1 || stdout != "" || !strings.HasPrefix(stderr, failed) {
			t.Errorf("%s: without hardware: got %d, %q, %q", kind, status, stdout, stderr)
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
