//go:build boot

package boottest

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestDenialInJournal: with its fields, found by the grant that came nearest.
func TestDenialInJournal(t *testing.T) {
	refused(t, app, "PermissionDenied", "-a", "seqpacket:@halberd", "gpio", "set", "valve", "1")
	var record map[string]any
	eventually(t, "the denial is in the journal", func() bool {
		lines := strings.Split(run(t, "journalctl", "-b", "-o", "json", "-u", "halberd.service", "HALBERD_GRANT=app-relays", "HALBERD_TRANSPORT=seqpacket"), "\n")
		return json.Unmarshal([]byte(lines[len(lines)-1]), &record) == nil
	})
	for field, want := range map[string]string{
		"HALBERD_METHOD": "io.halberd.Gpio.Set", "HALBERD_UID": "1000", "HALBERD_GID": "1000", "HALBERD_DEVICES": "valve", "HALBERD_VERB": "control",
		"HALBERD_DECISION": "denied", "HALBERD_UNCOVERED": "valve",
		"PRIORITY": "4", "_UID": "0", "_SYSTEMD_UNIT": "halberd.service",
	} {
		if record[field] != want {
			t.Errorf("%s is %v, want %s", field, record[field], want)
		}
	}
	if reason, _ := record["HALBERD_REASON"].(string); !strings.Contains(reason, "valve") {
		t.Errorf("HALBERD_REASON is %q, want the device in it", reason)
	}
}

// TestNoWarningsInJournal: this systemd has nothing to say against the shipped units and files, as it was started with them.
func TestNoWarningsInJournal(t *testing.T) {
	for _, program := range []string{"_PID=1", "SYSLOG_IDENTIFIER=systemd-tmpfiles", "SYSLOG_IDENTIFIER=systemd-udevd", "SYSLOG_IDENTIFIER=systemd-sysusers"} {
		for line := range strings.SplitSeq(run(t, "journalctl", "-b", "-o", "cat", "-q", "-p", "warning", program), "\n") {
			for _, file := range []string{"/halberd.s", "/halberd-safe.s", "halberd.conf", "-halberd.rules"} {
				if strings.Contains(line, file) {
					t.Errorf("%s: %s", program, line)
				}
			}
		}
	}
}
