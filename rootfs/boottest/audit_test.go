//go:build boot

package boottest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSuggestFromJournal: a program of a unit with a dynamic user is denied; what halctl suggests by the journal's records permits it the call, for whatever uid the unit has next, and nothing on
// another line.
func TestSuggestFromJournal(t *testing.T) {
	get := func(line string) outcome {
		return unit(t, "learner", []string{"DynamicUser=yes"}, "halctl", "gpio", "get", line)
	}
	if o := get("valve"); o.status != 1 || !strings.Contains(o.stderr, "PermissionDenied") {
		t.Fatalf("exit status %d and %q, want a denial", o.status, o.all())
	}
	records := filepath.Join(t.TempDir(), "records")
	eventually(t, "the denial is in the journal, with its unit", func() bool {
		write(t, records, run(t, "journalctl", "-b", "-q", "-o", "json", "-u", "halberd.service", "HALBERD_DECISION=denied", "HALBERD_UNIT=learner.service")+"\n")
		return strings.Contains(read(t, records), "learner.service")
	})
	grants := run(t, "halctl", "suggest", records)
	if want := `units   = ["learner.service"]`; !strings.Contains(grants, want) {
		t.Fatalf("got\n%s\nwant %s in it", grants, want)
	}
	path := "/etc/halberd/policy.d/70-suggested.toml"
	write(t, path, grants+"\n")
	t.Cleanup(func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
		run(t, "systemctl", "reload", "halberd.service")
	})
	run(t, "halberd", "check")
	run(t, "systemctl", "reload", "halberd.service")
	if o := get("valve"); o.status != 0 {
		t.Errorf("with the grant: exit status %d: %s\n%s", o.status, o.all(), grants)
	}
	if o := get("button"); o.status != 1 || !strings.Contains(o.stderr, "PermissionDenied") {
		t.Errorf("another line: exit status %d and %q, want a denial", o.status, o.all())
	}
}

// TestPolicyOfImage: what the image's policy is to permit, tried offline by the programs that are installed.
func TestPolicyOfImage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "expect.toml")
	write(t, path, `
[[expect]]
user = "app"
method = "io.halberd.Gpio.Set"
parameters = { line = "relay-pump", value = 1 }
allowed = true
grant = "app-relays"

[[expect]]
uid = 1001
groups = ["leds"]
method = "io.halberd.Led.Get"
parameters = { led = "status" }
allowed = true
grant = "by-group"

[[expect]]
uid = 1001
method = "io.halberd.Gpio.Set"
allowed = false
`)
	if got := run(t, "halctl", "policy", "test", path); !strings.HasPrefix(got, "good: 3 expectations are met") {
		t.Errorf("got %q", got)
	}
	write(t, path, strings.Replace(read(t, path), "allowed = false", "allowed = true", 1)+"\n")
	if o := halctl(t, 0, "policy", "test", path); o.status != 1 || !strings.Contains(o.stderr, "expect.toml:16: ") {
		t.Errorf("exit status %d and %q, want 1 and line 16", o.status, o.all())
	}
}
