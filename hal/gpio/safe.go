package gpio

import "github.com/halberd-io/halberd/hal"

// safeValue is what board.toml calls safe.
func (l *Line) safeValue() hal.Opt[int64] { return l.declared.output.Safe }

// bringSafe drives the safe value, on a line that is used as board.toml declares it: the value means nothing with another polarity or direction, so what
// Configure changed is undone.
func (l *Line) bringSafe() error { return l.bring(l.declared.output.Safe.Value) }

// bring drives a value in the same way. A pulse is cut short by it; a lease goes on, and its holder can drive another value.
func (l *Line) bring(value int64) error {
	changed, tell := false, func() {}
	err := l.guard.Do(func() (err error) {
		if l.lease != nil {
			return l.lease.bring(l, value)
		}
		if changed, err = l.restore(value); err == nil && l.pulse != nil {
			tell = l.cut()
		}
		return err
	})
	if err != nil {
		return l.refuse(l.insist(err))
	}
	tell()
	if changed {
		l.report(value)
	}
	return nil
}

// restore makes the line the declared output again, with a value.
func (l *Line) restore(value int64) (changed bool, err error) {
	if l.setup == l.declared {
		return l.put(value)
	}
	changed = !l.output || l.driven != value
	if err := l.becomeOutput(&l.declared, hal.Some(value)); err != nil {
		return false, err
	}
	l.setup = l.declared
	return changed, nil
}
