// Package journal writes log records to systemd's journal, with a field for each attribute: `journalctl HALBERD_GRANT=kiosk-lights`.
package journal

import (
	"context"
	"log/slog"
	"os"
	"strings"
)

// lost is what is said once there is room again.
const lost = "records were dropped: nobody read them"

// Log is where records go: to the journal where standard error is connected to it, which is how systemd starts services, and else as text to standard error. Nothing waits for whoever reads them: what finds no
// room is dropped and counted.
type Log struct {
	journal *journal // nil for standard error
	stderr  *stderr
}

// Open opens it, for the process's life.
func Open() *Log {
	const fd = 2 // os.Stderr.Fd would change its flags
	if isStream(os.Getenv("JOURNAL_STREAM"), fd) {
		if socket, err := dial(address); err == nil {
			return &Log{journal: &journal{socket: socket}}
		}
	}
	return &Log{stderr: newStderr(fd)}
}

// Logger gives a logger of records from a level on.
func (l *Log) Logger(level slog.Leveler) *slog.Logger {
	if l.journal != nil {
		return slog.New(&handler{level: level, journal: l.journal})
	}
	return slog.New(slog.NewTextHandler(l.stderr, &slog.HandlerOptions{Level: level}))
}

// handler is a slog.Handler over the journal's own protocol.
type handler struct {
	level   slog.Leveler
	journal *journal
	prefix  string // of groups
	fields  map[string]string
	text    string // the fields again, as they stand in the message
}

// Enabled reports whether a level is logged.
func (h *handler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

// Handle sends one record. The message repeats the attributes, for people who read it without its fields.
func (h *handler) Handle(_ context.Context, r slog.Record) error {
	to := h.of(r)
	return h.journal.send(entry(r.Message+to.text, priority(r.Level), to.fields))
}

// of gives a handler with the fields of one record.
func (h *handler) of(r slog.Record) *handler {
	to := h.with(nil)
	r.Attrs(func(a slog.Attr) bool {
		to.add(h.prefix, a)
		return true
	})
	return to
}

// WithAttrs gives a handler that adds fields to each record.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler { return h.with(attrs) }

// WithGroup gives a handler that puts a name before the fields of each record.
func (h *handler) WithGroup(name string) slog.Handler {
	to := h.with(nil)
	to.prefix += name + "."
	return to
}

func (h *handler) with(attrs []slog.Attr) *handler {
	to := &handler{level: h.level, journal: h.journal, prefix: h.prefix, fields: map[string]string{}, text: h.text}
	for k, v := range h.fields {
		to.fields[k] = v
	}
	for _, a := range attrs {
		to.add(h.prefix, a)
	}
	return to
}

func (h *handler) add(prefix string, a slog.Attr) {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		for _, inner := range v.Group() {
			h.add(prefix+a.Key+".", inner)
		}
		return
	}
	h.fields[fieldName(prefix+a.Key)] = v.String()
	h.text += " " + prefix + a.Key + "=" + v.String()
}

// fieldName makes a name that the journal takes, of capitals, digits and underscores: retryAfterMSec becomes HALBERD_RETRY_AFTER_MSEC.
func fieldName(key string) string {
	var b strings.Builder
	b.WriteString("HALBERD_")
	before := rune(0)
	for _, c := range key {
		switch {
		case isLower(c):
			b.WriteRune(c - 'a' + 'A')
		case c >= 'A' && c <= 'Z' && isLower(before):
			b.WriteByte('_')
			b.WriteRune(c)
		case c >= 'A' && c <= 'Z' || c >= '0' && c <= '9':
			b.WriteRune(c)
		default:
			b.WriteByte('_')
		}
		before = c
	}
	return b.String()
}

func isLower(c rune) bool { return c >= 'a' && c <= 'z' }

// priority is syslog(3)'s.
func priority(l slog.Level) int {
	switch {
	case l >= slog.LevelError:
		return 3
	case l >= slog.LevelWarn:
		return 4
	case l >= slog.LevelInfo:
		return 6
	}
	return 7
}
