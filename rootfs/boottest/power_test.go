//go:build boot

package boottest

import (
	"context"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/service/client"
)

// TestPowerCan: systemd is found, and the unit's sandbox lets it be asked. Nobody asks it here: the boot is not the tests' to end.
func TestPowerCan(t *testing.T) {
	var can struct {
		Init, Way        string
		Reboot, PowerOff bool
	}
	decode(t, must(t, 0, "-j", "power", "can"), &can)
	if can.Init != "systemd" || can.Way != "signals" && can.Way != "varlink" || !can.Reboot || !can.PowerOff {
		t.Errorf("Can gives %+v", can)
	}
	refused(t, kiosk, "org.varlink.service.PermissionDenied", "power", "reboot", "mischief")
}

// TestPowerInhibit: a reboot is held back as long as the descriptor is open, whatever becomes of the connection.
func TestPowerInhibit(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := client.Dial(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	files, err := c.CallFDs(ctx, "io.halberd.Power.Inhibit", map[string]string{"what": "all", "why": "the tests run"}, nil)
	if err != nil || len(files) != 1 {
		t.Fatalf("%d descriptors: %v", len(files), err)
	}
	_ = c.Close()
	held := func() bool { return strings.Contains(must(t, 0, "power", "inhibitors"), "the tests run") }
	if !held() {
		t.Error("the inhibitor is not listed")
	}
	if o := refused(t, 0, "io.halberd.Busy", "power", "reboot", "mischief"); !strings.Contains(o.stderr, "the tests run") {
		t.Errorf("the refusal does not say why: %s", o.stderr)
	}
	_ = files[0].Close()
	eventually(t, "the inhibitor is gone", func() bool { return !held() })
}
