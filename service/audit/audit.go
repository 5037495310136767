// Package audit writes one structured record for each decision that matters: denials always, permitted hazards always.
//
// A peer that is denied again and again must not fill the log: each uid has ten records and then one a second; how many were left out stands in the
// next one.
package audit

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/halberd-io/halberd/hal"
)

const (
	burst    = 10
	interval = time.Second
	maxUIDs  = 1024
)

// Log takes records. It belongs to the loop's goroutine.
type Log struct {
	log   *slog.Logger
	now   func() time.Time
	peers map[uint32]*budget
}

// budget is what one uid may still write.
type budget struct {
	left    int
	since   time.Time
	omitted int
}

// New makes a Log that writes to log.
func New(log *slog.Logger) *Log {
	return &Log{log: log, now: time.Now, peers: map[uint32]*budget{}}
}

// Who is the caller as a record names it.
type Who struct {
	UID, GID  uint32
	PID       int32
	Transport string
}

// Denied records a refused call. devices may be empty.
func (l *Log) Denied(who Who, m *hal.Method, devices string, err error) {
	attrs := []slog.Attr{slog.String("reason", err.Error())}
	var denied *hal.PermissionDenied
	if errors.As(err, &denied) && denied.Grant.Set {
		attrs = append(attrs, slog.String("grant", denied.Grant.Value))
	}
	l.record(slog.LevelWarn, "denied", who, m, devices, attrs...)
}

// Allowed records a permitted call and the grant that permitted it.
func (l *Log) Allowed(who Who, m *hal.Method, devices, grant string) {
	l.record(slog.LevelInfo, "allowed", who, m, devices, slog.String("grant", grant))
}

// Dropped records that a connection or a message was dropped, and why. It draws on the same budget as denials do.
func (l *Log) Dropped(who Who, what, why string) {
	omitted, ok := l.spend(who.UID)
	if !ok {
		return
	}
	l.log.Info(what, "why", why, "uid", who.UID, "gid", who.GID, "pid", who.PID, "transport", who.Transport, "omitted", omitted)
}

func (l *Log) record(level slog.Level, decision string, who Who, m *hal.Method, devices string, more ...slog.Attr) {
	omitted, ok := l.spend(who.UID)
	if !ok {
		return
	}
	attrs := make([]slog.Attr, 0, 12)
	attrs = append(attrs, slog.String("method", m.FullName()), slog.String("verb", m.Verb.String()),
		slog.Uint64("uid", uint64(who.UID)), slog.Uint64("gid", uint64(who.GID)), slog.Int64("pid", int64(who.PID)),
		slog.String("transport", who.Transport))
	if devices != "" {
		attrs = append(attrs, slog.String("device", devices))
	}
	attrs = append(attrs, more...)
	if omitted > 0 {
		attrs = append(attrs, slog.Int("omitted", omitted))
	}
	l.log.LogAttrs(context.Background(), level, decision, attrs...)
}

// spend takes one record from a uid's budget, and gives how many were left out before it.
func (l *Log) spend(uid uint32) (omitted int, ok bool) {
	now := l.now()
	b := l.peers[uid]
	if b == nil {
		if len(l.peers) >= maxUIDs {
			clear(l.peers)
		}
		b = &budget{left: burst, since: now}
		l.peers[uid] = b
	}
	if earned := int(now.Sub(b.since) / interval); earned > 0 {
		b.left = min(burst, b.left+earned)
		b.since = now
	}
	if b.left == 0 {
		b.omitted++
		return 0, false
	}
	b.left--
	omitted, b.omitted = b.omitted, 0
	return omitted, true
}
