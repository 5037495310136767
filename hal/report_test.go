package hal_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal"
)

// What stays wrong is said once; what was right in between is said again.
func TestReporter(t *testing.T) {
	var log strings.Builder
	r := hal.NewReporter(slog.New(slog.NewTextHandler(&log, nil)))
	for look, wrong := range []struct {
		names []string
		want  int // lines so far
	}{{[]string{"a", "b"}, 2}, {[]string{"a", "b", "b"}, 2}, {[]string{"b"}, 2}, {[]string{"a", "b"}, 3}, {nil, 3}, {[]string{"b"}, 4}} {
		if look > 0 {
			r.Begin()
		}
		for _, name := range wrong.names {
			r.Warn("it is broken", "name", name)
		}
		if got := strings.Count(log.String(), "\n"); got != wrong.want {
			t.Errorf("look %d: %d lines so far, want %d:\n%s", look, got, wrong.want, log.String())
		}
	}
}
