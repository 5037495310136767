package servicetest

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
)

// Records keeps what a server logged, as lines of text.
type Records struct {
	mu    sync.Mutex
	lines []string
}

// Enabled takes every level.
func (r *Records) Enabled(context.Context, slog.Level) bool { return true }

// Handle keeps a record.
func (r *Records) Handle(_ context.Context, record slog.Record) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", record.Level, record.Message)
	record.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&b, " %s=%v", a.Key, a.Value)
		return true
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, b.String())
	return nil
}

// WithAttrs gives the same handler: the server's loggers carry none.
func (r *Records) WithAttrs([]slog.Attr) slog.Handler { return r }

// WithGroup gives the same handler.
func (r *Records) WithGroup(string) slog.Handler { return r }

// Find gives the first line that contains all of some texts, or "".
func (r *Records) Find(texts ...string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
next:
	for _, line := range r.lines {
		for _, text := range texts {
			if !strings.Contains(line, text) {
				continue next
			}
		}
		return line
	}
	return ""
}
