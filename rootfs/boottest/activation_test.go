//go:build boot

package boottest

import (
	"context"
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

// TestFirstCallStartsDaemon: the first call of an unprivileged app on each kind of socket starts the daemon, and is answered.
func TestFirstCallStartsDaemon(t *testing.T) {
	for _, address := range addresses {
		t.Run(address, func(t *testing.T) {
			stop(t)
			if got := must(t, app, "-a", address, "gpio", "get", "button"); got != "0" {
				t.Errorf("button is %q, want 0", got)
			}
			if got := property(t, "halberd.service", "ActiveState"); got != "active" {
				t.Errorf("halberd.service is %s after the call, want active", got)
			}
		})
	}
}

// TestActivationTime measures from the first connect to the first reply, daemon start included.
func TestActivationTime(t *testing.T) {
	for _, address := range addresses {
		stop(t)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		began := time.Now()
		c, err := client.Dial(ctx, address)
		if err == nil {
			err = c.Call(ctx, "io.halberd.Gpio.Get", map[string]any{"line": "button"}, nil)
		}
		took := time.Since(began)
		cancel()
		if err != nil {
			t.Fatalf("%s: %v", address, err)
		}
		_ = c.Close()
		measured(t, "first connect to first reply by activation, %s: %.2f s", address, took.Seconds())
	}
}

// stop stops the daemon, and not its sockets.
func stop(t testing.TB) {
	t.Helper()
	start(t, 0, nil, "systemctl", "stop", "halberd.service")
	if got := property(t, "halberd.service", "ActiveState"); got != "inactive" {
		t.Fatalf("halberd.service is %s, want inactive", got)
	}
}

// TestSocketsOfOtherUser: every socket belongs to root, and not to whom systemd may have started it for.
func TestSocketsOfOtherUser(t *testing.T) {
	for _, address := range addresses[:3] {
		if got := dial(t, address).Server(); got.UID != 0 {
			t.Errorf("the server at %s has uid %d, want 0", address, got.UID)
		}
	}
	if got := run(t, "ss", "-xlaH"); strings.Count(got, "@halberd") < 3 {
		t.Errorf("ss shows not all three abstract sockets:\n%s", got)
	}
}
