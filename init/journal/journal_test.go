package journal

import (
	"context"
	"log/slog"
	"maps"
	"testing"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/audit"
)

func TestFieldName(t *testing.T) {
	for key, want := range map[string]string{"grant": "HALBERD_GRANT", "peer.uid": "HALBERD_PEER_UID", "a-b c": "HALBERD_A_B_C", "Ä9": "HALBERD__9",
		"retryAfterMSec": "HALBERD_RETRY_AFTER_MSEC", "timeUSec": "HALBERD_TIME_USEC", "aB": "HALBERD_A_B", "PID": "HALBERD_PID"} {
		if got := fieldName(key); got != want {
			t.Errorf("%q: got %s, want %s", key, got, want)
		}
	}
}

// TestAuditFields: each field of a decision's record has a name of its own in the journal, which halctl suggest reads again, and which is none of the journal's.
func TestAuditFields(t *testing.T) {
	var got *handler
	l := audit.New(slog.New(capture{&handler{level: slog.LevelInfo}, &got}))
	r := l.Begin(audit.Denied, hal.Control, 1000)
	fill(r)
	l.End(r)
	want := map[string]string{
		"HALBERD_DECISION": "denied", "HALBERD_METHOD": "io.halberd.Gpio.Set", "HALBERD_VERB": "control", "HALBERD_UID": "1000", "HALBERD_GID": "100", "HALBERD_PID": "7",
		"HALBERD_UNIT": "a.service", "HALBERD_TRANSPORT": "stream", "HALBERD_DEVICES": "relay-up relay-down", "HALBERD_UNCOVERED": "relay-down", "HALBERD_GRANT": "pump",
		"HALBERD_REASON": "no", "HALBERD_PARAMETER": "value", "HALBERD_VALUE": "3", "HALBERD_RETRY_AFTER_MSEC": "20", "HALBERD_OMITTED": "4", "HALBERD_OMITTED_OTHERS": "5",
	}
	if !maps.Equal(got.fields, want) {
		t.Errorf("got  %v\nwant %v", got.fields, want)
	}
	if fields := len(hal.Describe(r)); len(want) != fields-1 {
		t.Errorf("%d fields are in the journal, want all %d but the time, which the journal has", len(want), fields)
	}
}

func fill(r *audit.Record) {
	r.GID, r.PID, r.Transport, r.Omitted = 100, 7, "stream", 4
	r.Method, r.Verb, r.Unit = hal.Some("io.halberd.Gpio.Set"), hal.Some("control"), hal.Some("a.service")
	r.Devices, r.Uncovered = hal.Some([]string{"relay-up", "relay-down"}), hal.Some("relay-down")
	r.Grant, r.Reason, r.Parameter, r.Value = hal.Some("pump"), hal.Some("no"), hal.Some("value"), hal.Some("3")
	r.RetryAfterMSec, r.OmittedOthers = hal.Some[int64](20), hal.Some[int64](5)
}

// capture keeps what would be sent to the journal.
type capture struct {
	*handler
	got **handler
}

func (c capture) Handle(_ context.Context, r slog.Record) error {
	*c.got = c.of(r)
	return nil
}

func TestPriority(t *testing.T) {
	for level, want := range map[slog.Level]int{slog.LevelDebug: 7, slog.LevelInfo: 6, slog.LevelWarn: 4, slog.LevelError: 3} {
		if got := priority(level); got != want {
			t.Errorf("%v: got %d, want %d", level, got, want)
		}
	}
}

// TestFields: attributes, groups and those of the logger become fields; one logger's do not reach another's.
func TestFields(t *testing.T) {
	base := &handler{level: slog.LevelInfo}
	one := base.WithAttrs([]slog.Attr{slog.String("unit", "a")}).WithGroup("g").(*handler)
	two := one.with([]slog.Attr{slog.Int("n", 2), slog.Group("peer", "uid", 7)})
	if want := map[string]string{"HALBERD_UNIT": "a", "HALBERD_G_N": "2", "HALBERD_G_PEER_UID": "7"}; !maps.Equal(two.fields, want) {
		t.Errorf("got %v, want %v", two.fields, want)
	}
	if want := " unit=a g.n=2 g.peer.uid=7"; two.text != want {
		t.Errorf("got text %q, want %q", two.text, want)
	}
	if len(base.fields) != 0 || len(one.fields) != 1 {
		t.Errorf("the handlers below were changed: %v, %v", base.fields, one.fields)
	}
	if base.Enabled(t.Context(), slog.LevelDebug) || !base.Enabled(t.Context(), slog.LevelInfo) {
		t.Error("the level is not kept")
	}
}
