//go:build boot

package boottest

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/halberd-io/halberd/service/client"
)

var addresses = []string{"stream:/run/halberd/io.halberd", "stream:@halberd", "seqpacket:@halberd", "dgram:@halberd"}

// TestNotRunningAfterBoot has to be the first test: with the service disabled nothing but a call starts the daemon.
func TestNotRunningAfterBoot(t *testing.T) {
	if got := property(t, "halberd.socket", "ActiveState"); got != "active" {
		t.Errorf("halberd.socket is %s, want active", got)
	}
	if got, pid := property(t, "halberd.service", "ActiveState"), property(t, "halberd.service", "MainPID"); got != "inactive" || pid != "0" {
		t.Errorf("halberd.service is %s as process %s, want inactive", got, pid)
	}
	if got := property(t, "halberd.service", "NRestarts"); got != "0" {
		t.Errorf("halberd.service was restarted %s times", got)
	}
}

// TestFirstCallStartsDaemon: the first call of an unprivileged app on each kind of socket starts the daemon, and is answered. It is measured from the first connect to
// the first reply.
func TestFirstCallStartsDaemon(t *testing.T) {
	for _, address := range addresses {
		t.Run(address, func(t *testing.T) {
			stop(t)
			o := start(t, app, nil, "/mnt/test", firstCall, address)
			if o.status != 0 {
				t.Fatalf("exit status %d: %s", o.status, o.all())
			}
			if got := property(t, "halberd.service", "ActiveState"); got != "active" {
				t.Errorf("halberd.service is %s after the call, want active", got)
			}
			measured(t, "first connect to first reply by activation, %s: %s", address, strings.TrimSpace(o.stdout))
		})
	}
}

// firstCall is the argument with which this program is an app that makes one call.
const firstCall = "first-call"

// makeFirstCall reads the button, and prints how long that took from the connect on.
func makeFirstCall(address string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	began := time.Now()
	var reply struct{ Value *int }
	c, err := client.Dial(ctx, address)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Call(ctx, "io.halberd.Gpio.Get", map[string]any{"line": "button"}, &reply); err != nil {
		return err
	}
	took := time.Since(began)
	if reply.Value == nil || *reply.Value != 0 {
		return fmt.Errorf("button is %v, want 0", reply.Value)
	}
	fmt.Printf("%.2f s\n", took.Seconds())
	return nil
}

// stop stops the daemon, and not its sockets.
func stop(t testing.TB) {
	t.Helper()
	start(t, 0, nil, "systemctl", "stop", "halberd.service")
	if got := property(t, "halberd.service", "ActiveState"); got != "inactive" {
		t.Fatalf("halberd.service is %s, want inactive", got)
	}
}

// TestSocketsAreBoundEarly: before systemd has set up the system, and so before anything that an app could be.
func TestSocketsAreBoundEarly(t *testing.T) {
	if sockets, system := since(t, "halberd.socket"), since(t, "sysinit.target"); sockets == 0 || sockets >= system {
		t.Errorf("halberd.socket is active since %d µs, want before sysinit.target, %d µs", sockets, system)
	}
}

// since is when a unit became active, in µs of the monotonic clock.
func since(t testing.TB, unit string) int {
	t.Helper()
	n, err := strconv.Atoi(property(t, unit, "ActiveEnterTimestampMonotonic"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestSocketsAreRoots: clients can see that it is root who serves, and all three kinds of abstract socket are there.
func TestSocketsAreRoots(t *testing.T) {
	for _, address := range addresses[:3] {
		if got := dial(t, address).Server(); got.UID != 0 {
			t.Errorf("the server at %s has uid %d, want 0", address, got.UID)
		}
	}
	if got := run(t, "ss", "-xlaH"); strings.Count(got, "@halberd") < 3 {
		t.Errorf("ss shows not all three abstract sockets:\n%s", got)
	}
}
