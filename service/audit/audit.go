// Package audit writes one structured record for each decision that matters: denials always, permitted hazards always, the rest where halberd.toml asks for
// it. Records go to the log, and to whoever follows them.
//
// A peer that is denied again and again must not fill the log: each uid has ten records and then one a second; how many were left out stands in the
// next one. Denials, permitted hazards and all else that is permitted are counted apart, so that none of them hides another.
//
// Whoever has many uids, as by a user namespace, is bounded too: each block of 65,536 uids has a hundred records and then ten a second, and all have a thousand and then a hundred a second. See budget.go.
package audit

import (
	"context"
	"log/slog"
	"time"

	"github.com/halberd-io/halberd/hal"
)

// Log takes records. It belongs to the loop's goroutine.
type Log struct {
	log  *slog.Logger
	now  func() time.Time
	feed hal.Feed[*Record]

	uids, blocks, everybody accounts
	unrecorded              int64
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

// New makes a Log that writes to log.
func New(log *slog.Logger) *Log {
	return &Log{log: log, now: time.Now,
		uids:      newAccounts(maxUIDs, rate{burst, interval}),
		blocks:    newAccounts(maxBlocks, rate{10 * burst, interval / 10}),
		everybody: newAccounts(1, rate{100 * burst, interval / 100}),
	}
}

// Follow calls f for each record from now on, until it is stopped. Records are shared: f must not change them.
func (l *Log) Follow(f func(*Record)) (stop func()) { return l.feed.Subscribe(f) }

// Begin gives the record of a decision about a call of this verb, or nil where the uid has written too much: then there is nothing to find out for it. End has to be called with it.
func (l *Log) Begin(d Decision, v hal.Verb, uid uint32) *Record {
	omitted, others, ok := l.spend(uid, kindOf(d, v))
	if !ok {
		if d == Denied {
			l.unrecorded++
		}
		return nil
	}
	r := l.Now(d)
	r.UID, r.Omitted = int64(uid), int64(omitted)
	if others > 0 {
		r.OmittedOthers = hal.Some(int64(others))
	}
	return r
}

// Unrecorded is how many denials have no record since the start, because there were too many.
func (l *Log) Unrecorded() int64 { return l.unrecorded }

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

// spend takes one record from a uid's budget, from that of its block and from that of all, and gives how many were left out before it: of the uid, and of others that nobody remembers any more.
func (l *Log) spend(uid uint32, k kind) (omitted, others int, ok bool) {
	now := l.now()
	everybody := l.everybody.of(0, now, nil)
	blockOf := l.blocks.of(uid>>16, now, everybody)
	own, block, all := &l.uids.of(uid, now, blockOf).budgets[k], &blockOf.budgets[k], &everybody.budgets[k]
	own.earn(now)
	block.earn(now)
	all.earn(now)
	if own.left == 0 || block.left == 0 || all.left == 0 {
		own.omitted++
		return 0, 0, false
	}
	own.left--
	block.left--
	all.left--
	omitted, others = own.omitted, block.omitted+all.omitted
	own.omitted, block.omitted, all.omitted = 0, 0, 0
	return omitted, others, true
}
