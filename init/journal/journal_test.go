package journal

import (
	"log/slog"
	"maps"
	"testing"
)

func TestFieldName(t *testing.T) {
	for key, want := range map[string]string{"grant": "HALBERD_GRANT", "peer.uid": "HALBERD_PEER_UID", "a-b c": "HALBERD_A_B_C", "Ä9": "HALBERD__9"} {
		if got := fieldName(key); got != want {
			t.Errorf("%q: got %s, want %s", key, got, want)
		}
	}
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
