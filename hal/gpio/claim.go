package gpio

import "github.com/halberd-io/halberd/hal"

// Claim tells what becomes of an output when whoever claimed it lets it go. An input, and an output that board.toml does not declare, is left as it is. A line that is pulsing or leased cannot be claimed.
func (l *Line) Claim() (release func() error, err error) {
	if err := l.guard.Do(l.free); err != nil {
		return nil, err
	}
	return l.declared.output.Claim(l.bringSafe, l.remember)
}

// remember notes what the line is driven to, and gives what brings it back there.
func (l *Line) remember() (restore func() error, err error) {
	var before int64
	err = l.guard.Do(func() error {
		before = l.reclaim.Or(l.driven)
		l.reclaim = hal.Opt[int64]{}
		l.keepInMind(hal.Some(before))
		return nil
	})
	return func() error {
		defer func() { _ = l.guard.Do(func() error { l.keepInMind(hal.Opt[int64]{}); return nil }) }()
		return l.bring(before)
	}, err
}

// keepInMind notes what the line is to be once it is not claimed any more, for the process after this one. The line's guard is held.
func (l *Line) keepInMind(before hal.Opt[int64]) {
	l.remembered = before
	l.note()
}
