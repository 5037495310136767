package config

import (
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/halberd-io/halberd/hal"
)

func TestServerDefaults(t *testing.T) {
	got := DefaultServer()
	want := &Server{LogLevel: slog.LevelInfo, Limits: Limits{
		Connections: 1024, ConnectionsReserved: 16, ConnectionsPerUID: 64, QueuedBytes: 131072, QueuedBytesPerUID: 1048576,
		WriteTimeout: 10 * time.Second, MessageTimeout: 10 * time.Second, WatchedDevicesPerUID: 256, ClaimedDevicesPerUID: 64,
		PassedDescriptorsPerUID: 8, Reclaim: 5 * time.Second,
	}}
	if !equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if empty, err := ParseServer("h.toml", ""); err != nil || !equal(empty, want) {
		t.Errorf("of an empty text: got %+v, %v", empty, err)
	}
}

func TestServer(t *testing.T) {
	got, err := ParseServer("h.toml", `
log-level = "warning"
audit = "all"
sandbox = "kill"
[limits]
connections = 100
connections-reserved = 0
connections-per-uid = 100
queued-bytes = 65536
queued-bytes-per-uid = 65536
write-timeout-msec = 1
message-timeout-msec = 2
watched-devices-per-uid = 3
claimed-devices-per-uid = 4
passed-descriptors-per-uid = 5
reclaim-msec = 6
`)
	if err != nil {
		t.Fatal(err)
	}
	want := &Server{LogLevel: slog.LevelWarn, Audit: AuditAll, Sandbox: SandboxKill, Limits: Limits{100, 0, 100, 65536, 65536, time.Millisecond, 2 * time.Millisecond, 3, 4, 5, 6 * time.Millisecond}}
	if !equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestAudit: what each level records of what is permitted.
func TestAudit(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", "hazard administer"},
		{`audit = "denials"`, ""},
		{`audit = "hazards"`, "hazard administer"},
		{`audit = "all"`, "observe control configure hazard administer"},
	} {
		s, err := ParseServer("h.toml", tt.text)
		if err != nil {
			t.Fatal(err)
		}
		var recorded []string
		for v := hal.Observe; v <= hal.Administer; v++ {
			if v >= s.Audit.From() {
				recorded = append(recorded, v.String())
			}
		}
		if got := strings.Join(recorded, " "); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.text, got, tt.want)
		}
	}
}

// A default gives way to what is written.
func TestServerDefaultsGiveWay(t *testing.T) {
	for _, tt := range []struct {
		text string
		want Limits
	}{
		{"connections = 2", Limits{Connections: 2, ConnectionsReserved: 1, ConnectionsPerUID: 2, QueuedBytes: 131072, QueuedBytesPerUID: 1 << 20}},
		{"connections = 40", Limits{Connections: 40, ConnectionsReserved: 16, ConnectionsPerUID: 40, QueuedBytes: 131072, QueuedBytesPerUID: 1 << 20}},
		{"queued-bytes = 2000000", Limits{Connections: 1024, ConnectionsReserved: 16, ConnectionsPerUID: 64, QueuedBytes: 2_000_000, QueuedBytesPerUID: 2_000_000}},
		{"queued-bytes-per-uid = 70000", Limits{Connections: 1024, ConnectionsReserved: 16, ConnectionsPerUID: 64, QueuedBytes: 70_000, QueuedBytesPerUID: 70_000}},
	} {
		s, err := ParseServer("h.toml", "[limits]\n"+tt.text)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		l := s.Limits
		if got := (Limits{Connections: l.Connections, ConnectionsReserved: l.ConnectionsReserved, ConnectionsPerUID: l.ConnectionsPerUID,
			QueuedBytes: l.QueuedBytes, QueuedBytesPerUID: l.QueuedBytesPerUID}); got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.text, got, tt.want)
		}
	}
}

func TestServerRefused(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"unknown key", "Log-Level = \"info\"", `h.toml:1: unknown key "Log-Level" (did you mean log-level?)`},
		{"no level", "\nlog-level = \"loud\"", "h.toml:2: log-level must be debug, info, warning or error"},
		{"no audit", "\naudit = \"none\"", "h.toml:2: audit must be denials, hazards or all"},
		{"no sandbox", "\nsandbox = \"none\"", "h.toml:2: sandbox must be errno, kill or off"},
		{"level a number", "log-level = 3", "h.toml:1: log-level must be a string, not an integer"},
		{"limits no table", "limits = 3", "h.toml:1: limits must be a table, not an integer"},
		{"unknown limit", "[limits]\nconections = 5", `h.toml:2: unknown key "conections" (did you mean connections?)`},
		{"a number in a string", "[limits]\nconnections = \"5\"", "h.toml:2: connections must be an integer, not a string"},
		{"out of range", "[limits]\n\nconnections = 1", "h.toml:3: connections must be from 2 to 100000"},
		{"several", "[limits]\nreclaim-msec = -1\nwrite-timeout-msec = 0\nx = 1",
			"h.toml:2: reclaim-msec must be from 0 to 3600000\nh.toml:3: write-timeout-msec must be from 1 to 3600000\nh.toml:4: unknown key \"x\""},
		{"a date", "[limits]\nconnections = 1979-05-27", "h.toml:2: must not be a date"},
		{"more per uid than in all", "[limits]\nconnections = 60\nconnections-per-uid = 61", "h.toml:3: connections-per-uid must not be more than connections"},
		{"all reserved", "[limits]\nconnections = 16\n\nconnections-reserved = 16", "h.toml:4: connections-reserved must be less than connections"},
		{"more queued for one than for all", "[limits]\nqueued-bytes = 2000000\nqueued-bytes-per-uid = 1999999", "h.toml:2: queued-bytes must not be more than queued-bytes-per-uid"},
		{"syntax", "[limits]\nconnections = ", "h.toml:2: unexpected EOF; expected value"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := ParseServer("h.toml", tt.text)
			if s != nil {
				t.Error("settings came with the error")
			}
			if got := strings.Join(messages(err), "\n"); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// The shipped file shows every key, with its default, and nothing else.
func TestServerShipped(t *testing.T) {
	shipped, err := os.ReadFile("../../rootfs/usr/lib/halberd/halberd.toml")
	if err != nil {
		t.Fatal(err)
	}
	if s, err := ParseServer("h.toml", string(shipped)); err != nil || !equal(s, DefaultServer()) {
		t.Errorf("as shipped: got %+v, %v", s, err)
	}
	shown := regexp.MustCompile(`(?m)^# ([a-z-]+ += )`).ReplaceAllString(string(shipped), "$1")
	if s, err := ParseServer("h.toml", shown); err != nil || !equal(s, DefaultServer()) {
		t.Errorf("with its keys: got %+v, %v", s, err)
	}
	for _, k := range ServerKeys() {
		value := regexp.MustCompile(`(?m)^` + k.Name + ` += (".*")$`).FindStringSubmatch(shown)
		if value == nil || !strings.Contains(k.Doc, value[1]+" by default.") {
			t.Errorf("%s: documented as %q, shown as %q", k.Name, k.Doc, value)
		}
	}
	for _, f := range LimitKeys() {
		value := regexp.MustCompile(`(?m)^` + f.Name + ` += ([0-9]+)$`).FindStringSubmatch(shown)
		if value == nil {
			t.Errorf("%s is not shown", f.Name)
		} else if documented := fmt.Sprintf(" %s by default.", value[1]); !strings.HasSuffix(f.Doc, documented) {
			t.Errorf("%s: documented as %q, shown as %s", f.Name, f.Doc, value[1])
		}
	}
}
