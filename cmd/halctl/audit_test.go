package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/service/servicetest"
)

// TestAudit: each record is a row, with who, what and why.
func TestAudit(t *testing.T) {
	for _, kind := range connections {
		s := servicetest.Start(t, fmt.Sprintf("[[grant]]\nid = \"admin\"\nusers = [%d]\nmethods = [\"io.halberd.Policy.*\"]\n", os.Geteuid()))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r := begin(ctx, "-a", s.Address(kind), "audit")
		r.stdout.await(t, 2)
		at(t, s, kind, "gpio", "get-many", "door", "relay-up")
		lines := r.stdout.await(t, 3)
		cancel()
		if status := <-r.status; status != 0 || r.stderr.String() != "" {
			t.Errorf("%s: got %d, %q, want 0", kind, status, r.stderr)
		}
		for i, want := range []string{
			"TIME DECISION UID PID METHOD DEVICES GRANT OR REASON",
			fmt.Sprintf("allowed %d %d Policy.Audit - admin", os.Geteuid(), os.Getpid()),
			fmt.Sprintf("denied %d %d Gpio.GetMany door relay-up no grant of uid %[1]d covers io.halberd.Gpio.GetMany", os.Geteuid(), os.Getpid()),
		} {
			if got := strings.Join(strings.Fields(lines[i]), " "); !strings.HasSuffix(got, want) {
				t.Errorf("%s: line %d: got %q, want %q", kind, i, got, want)
			}
		}
	}
}

// TestAuditRows: what a record says cannot look like another one, and what is missing is told where it is.
func TestAuditRows(t *testing.T) {
	address, _ := standIn(t, `{"parameters":{"timeUSec":1000000,"decision":"denied","method":"io.halberd.Gpio.Set","uid":1000,"pid":7,"devices":["a","b"],"reason":"no\n2026 allowed\u001b[2J","omitted":3,"omittedOthers":5,"lost":4},"continues":true}`,
		`{"parameters":{"timeUSec":1000000,"decision":"dropped","uid":1000,"pid":7,"reason":"nonsense","omitted":0,"lost":0}}`)
	status, stdout, stderr := halctl(t, "-a", address, "audit")
	want := []string{"TIME …", "4 records were skipped here, since this program was too slow", "5 records of other uids were left out here, since there were too many", "3 records of uid 1000 were left out here, since there were too many",
		"denied    1000   7        Gpio.Set            a b               no 2026 allowed\ufffd[2J", "dropped   1000   7        -                   -                 nonsense"}
	lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
	if status != 0 || stderr != "" || len(lines) != len(want) {
		t.Fatalf("got %d, %q, %q, want %d lines", status, stdout, stderr, len(want))
	}
	for i := range want {
		if !strings.HasSuffix(lines[i], want[i]) && !matches(lines[i], want[i]) {
			t.Errorf("line %d: got %q, want %q", i, lines[i], want[i])
		}
	}
	if status, _, stderr := halctl(t, "-a", address, "audit", "now"); status != 2 || stderr != "usage: halctl audit\n" {
		t.Errorf("an argument: got %d, %q", status, stderr)
	}
}
