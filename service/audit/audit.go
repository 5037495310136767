// Package audit writes one structured record for each decision that matters: denials always, permitted hazards always, the rest where halberd.toml asks for
// it. Records go to the log, and to whoever follows them.
//
// A peer that is denied again and again must not fill the log: each uid has ten records and then one a second; how many were left out stands in the
// next one. Denials, permitted hazards and all else that is permitted are counted apart, so that none of them hides another.
package audit

import (
	"context"
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
	peers map[uint32]*[kinds]budget
	feed  hal.Feed[*Record]
}

// kind is what has a budget of its own.
type kind uint8

const (
	notPermitted kind = iota
	hazards
	theRest
	kinds
)

func kindOf(d Decision, v hal.Verb) kind {
	switch {
	case d != Allowed:
		return notPermitted
	case v >= hal.Hazard:
		return hazards
	}
	return theRest
}

// budget is what one uid may still write of one kind.
type budget struct {
	left    int
	since   time.Time
	omitted int
}

// New makes a Log that writes to log.
func New(log *slog.Logger) *Log {
	return &Log{log: log, now: time.Now, peers: map[uint32]*[kinds]budget{}}
}

// Follow calls f for each record from now on, until it is stopped. Records are shared: f must not change them.
func (l *Log) Follow(f func(*Record)) (stop func()) { return l.feed.Subscribe(f) }

// Begin gives the record of a decision about a call of this verb, or nil where the uid has written too much: then there is nothing to find out for it. End has to be called with it.
func (l *Log) Begin(d Decision, v hal.Verb, uid uint32) *Record {
	omitted, ok := l.spend(uid, kindOf(d, v))
	if !ok {
		return nil
	}
	r := l.Now(d)
	r.UID, r.Omitted = int64(uid), int64(omitted)
	return r
}

// Now makes a record that is not written.
func (l *Log) Now(d Decision) *Record {
	return &Record{TimeUSec: l.now().UnixMicro(), Decision: d.String()}
}

// End writes a record.
func (l *Log) End(r *Record) {
	level := slog.LevelInfo
	if r.Decision == Denied.String() {
		level = slog.LevelWarn
	}
	if l.log.Enabled(context.Background(), level) {
		var a attributes
		hal.Examine(r, &a)
		l.log.LogAttrs(context.Background(), level, r.Decision, a.all()...)
	}
	l.feed.Publish(r)
}

// attributes are the fields of a record as the log has them, under the same names.
type attributes struct {
	attrs []slog.Attr
}

// Examine takes one field. The time is the log's own business, and devices, which have no spaces, stand in one attribute.
func (a *attributes) Examine(name string, v hal.Scalar) {
	last := len(a.attrs) - 1
	switch {
	case name == "timeUSec", name == "omitted" && v.Int == 0:
	case last >= 0 && a.attrs[last].Key == name:
		a.attrs[last].Value = slog.StringValue(a.attrs[last].Value.String() + " " + v.Text)
	case v.Kind == hal.Int:
		a.attrs = append(a.attrs, slog.Int64(name, v.Int))
	default:
		a.attrs = append(a.attrs, slog.String(name, v.Text))
	}
}

func (a *attributes) all() []slog.Attr { return a.attrs }

// spend takes one record from a uid's budget, and gives how many were left out before it.
func (l *Log) spend(uid uint32, k kind) (omitted int, ok bool) {
	now := l.now()
	b := &l.budgets(uid, now)[k]
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

func (l *Log) budgets(uid uint32, now time.Time) *[kinds]budget {
	all := l.peers[uid]
	if all == nil {
		if len(l.peers) >= maxUIDs {
			clear(l.peers)
		}
		all = new([kinds]budget)
		for k := range all {
			all[k] = budget{left: burst, since: now}
		}
		l.peers[uid] = all
	}
	return all
}
