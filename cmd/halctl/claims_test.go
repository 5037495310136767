package main

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/halberd-io/halberd/service/servicetest"
)

// TestClaimCommand: devices are this program's until it is interrupted, others see whose they are, and an administrator can end that.
func TestClaimCommand(t *testing.T) {
	for _, kind := range connections {
		t.Run(kind.String(), func(t *testing.T) {
			s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r := begin(ctx, "-a", s.Address(kind), "claim", "Gpio/relay-pump", "Led/front")
			r.stderr.await(t, 1)
			status, stdout, stderr := at(t, s, kind, "-j", "holders")
			want := fmt.Sprintf(`{"device":"Gpio/relay-pump","uid":%d,"pid":%d,"own":false}`, os.Geteuid(), os.Getpid()) + "\n"
			if status != 0 || !matches(stdout, want+"…") {
				t.Errorf("holders: got %d, %q, %q, want %q", status, stdout, stderr, want)
			}
			if status, _, stderr := at(t, s, kind, "gpio", "set", "relay-pump", "1"); status != 1 {
				t.Errorf("set: got %d, %q, want it to be busy", status, stderr)
			}
			if status, _, stderr := at(t, s, kind, "release", "Led/front"); status != 0 {
				t.Errorf("release: got %d, %q", status, stderr)
			}
			cancel()
			if status := <-r.status; status != 0 {
				t.Errorf("got %d, want 0", status)
			}
		})
	}
}

func TestClaimCommandUsage(t *testing.T) {
	for _, command := range []string{"claim", "release"} {
		if status, _, stderr := halctl(t, command); status != 2 || stderr != "usage: halctl "+command+" CLASS/DEVICE...\n" {
			t.Errorf("%s: got %d, %q", command, status, stderr)
		}
	}
}
