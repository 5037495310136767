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
			want := fmt.Sprintf(`{"device":"Gpio/relay-pump","kind":"claim","uid":%d,"pid":%d,"own":false,"ended":false}`, os.Geteuid(), os.Getpid()) + "\n"
			if status != 0 || !matches(stdout, want+"…") {
				t.Errorf("holders: got %d, %q, %q, want %q", status, stdout, stderr, want)
			}
			want = fmt.Sprintf("CLASS  DEVICE  HOLDER\nLed    front   uid %d\nLed    status\n", os.Geteuid())
			if status, stdout, stderr := at(t, s, kind, "list", "led"); status != 0 || stdout != want {
				t.Errorf("list: got %d, %q, %q, want %q", status, stdout, stderr, want)
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

// TestHoldersTable: for people.
func TestHoldersTable(t *testing.T) {
	reply := `{"holders":[{"device":"Gpio/a","kind":"claim","uid":1000,"own":false,"ended":false},{"device":"Gpio/b","kind":"claim","uid":1000,"pid":7,"own":false,"ended":true},` +
		`{"device":"Gpio/c","kind":"lease","uid":1000,"pid":7,"own":false,"ended":false},{"device":"Spi/flash0","kind":"lease","uid":1000,"pid":12345,"own":false,"ended":true}]}`
	want := "DEVICE      KIND   UID   PID    STATE\nGpio/a      claim  1000  -      held\nGpio/b      claim  1000  7      ending\nGpio/c      lease  1000  7      held\nSpi/flash0  lease  1000  12345  ended, and not returned\n"
	address, _ := standIn(t, `{"parameters":`+reply+`}`)
	if status, stdout, stderr := halctl(t, "-a", address, "holders"); status != 0 || stdout != want {
		t.Errorf("got %d, %s%s\nwant\n%s", status, stdout, stderr, want)
	}
}
