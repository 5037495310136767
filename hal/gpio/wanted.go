package gpio

import (
	"errors"
	"time"

	"github.com/halberd-io/halberd/hal"
)

// What board.toml wants at 1, and an interlock does not permit yet: an initial value, since after a start all members count as just deactivated, and a safe value, after others were brought to theirs.
//
// It is tried for a while, until somebody sets the line. The caller, if there is one, was refused meanwhile: nothing that is wanted happens before its answer and is not told.

const (
	// persistence is how long it is tried, beside the dead times.
	persistence = 5 * time.Second
	// soon is how long it is waited for what is not only a matter of time.
	soon = 100 * time.Millisecond
)

// want begins to try.
func (m *locked) want() {
	m.all.mu.Lock()
	defer m.all.mu.Unlock()
	m.wanted = time.Now().Add(persistence)
	for _, i := range m.in {
		m.wanted = m.wanted.Add(i.dead)
	}
	m.all.loop.Post(m.try)
}

// sought is the line that is to be activated; nil for none.
func (m *locked) sought() (l *Line, until time.Time) {
	m.all.mu.Lock()
	defer m.all.mu.Unlock()
	if m.wanted.IsZero() {
		return nil, m.wanted
	}
	return m.line, m.wanted
}

// try tries once.
func (m *locked) try() {
	m.retry()
	l, _ := m.sought()
	if l == nil || l.ended {
		return
	}
	var err error
	if l.work(func() { err = l.activate() }, func() { m.tried(err) }) != nil {
		m.retry = m.all.loop.After(again, m.try)
	}
}

// tried tries again later, or gives it up.
func (m *locked) tried(err error) {
	l, until := m.sought()
	switch {
	case l == nil || l.ended || err == nil:
	case time.Now().After(until):
		m.forgo()
		m.all.log.Warn("an output stays at 0", "line", m.id, "where", l.where, "err", err)
	default:
		m.retry()
		m.retry = m.all.loop.After(waitFor(err), m.try)
	}
}

// forgo gives it up.
func (m *locked) forgo() {
	m.all.mu.Lock()
	defer m.all.mu.Unlock()
	m.wanted = time.Time{}
}

// waitFor is how long to wait for what refused.
func waitFor(err error) time.Duration {
	if refusal, ok := errors.AsType[*hal.Interlocked](err); ok && refusal.RetryAfterMSec.Set {
		return time.Duration(refusal.RetryAfterMSec.Value) * time.Millisecond
	}
	return soon
}

// close ends all trying.
func (x *interlocks) close() {
	for _, m := range x.members {
		m.retry()
	}
}
