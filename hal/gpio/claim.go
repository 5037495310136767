package gpio

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
	err = l.guard.Do(func() error { before = l.driven; return nil })
	return func() error { return l.bring(before) }, err
}
