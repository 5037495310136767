package gpio

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	gpiocdev "github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
)

// What becomes of the requests that the process before kept:
//
//   - One of exactly the lines that board.toml requests together, in their order, is taken over: nothing is written, and the lines are at what the kernel says. Where board.toml, or Configure before, has
//     given a line another polarity, drive or bias, it is configured anew, and its level stays as it is.
//   - A pulse is ended at once, and so is a lease, whose connection has ended with the process.
//   - One that was not driven yet, since the process ended just then, goes on as at any start.
//   - All others are brought to the safe values that they had been declared with, and let go.
//   - What is not what the journal says is let go.

// inherit takes over what the process before kept, before anything else is requested.
func (b *board) inherit() {
	if b.store == nil {
		return
	}
	taken, dropped := 0, false
	for _, c := range b.chips {
		for offset := range c.lines {
			at := place{c, uint32(offset)}
			fd, raw, ok := b.store.keeper.Take(at.keptAs())
			if !ok {
				continue
			}
			r := &request{kernel: c.kernel, fd: fd, store: b.store, name: at.keptAs()}
			if err := b.take(r, at, raw); err != nil {
				b.env.Log.Warn("lines that were held before the restart are let go", "chip", c.label, "line", offset, "err", err)
				r.letGo()
				dropped = true
			} else {
				taken++
			}
		}
	}
	if dropped {
		b.store.settle()
	}
	if taken > 0 {
		b.env.Log.Info("outputs are taken over as they are", "requests", taken)
	}
	b.env.Loop.Post(b.forgetClaims)
}

// take finds out what a request is for. On an error it is to be let go.
func (b *board) take(r *request, first place, raw []byte) error {
	what, err := readRecord(raw)
	if err != nil {
		return err
	}
	driven, err := first.chip.verify(r, first.offset, what)
	if err != nil {
		return err
	}
	lines := b.meant(first.chip, what)
	switch {
	case lines == nil:
		b.leaveInactive(first.chip, what)
		return errors.Join(errNotMeant, first.chip.makeSafe(r, what))
	case what.leased:
		b.endLease(lines, r, what)
		return nil
	case !what.begun && !what.pulses() || !driven:
		lines[0].inheritedBy(r)
		return nil
	}
	return takeOver(lines, r, what)
}

var errNotMeant = errors.New("board.toml does not declare them so any more")

// verify compares what the journal says about a request with what the kernel says. driven: all lines are outputs.
func (c *chip) verify(r *request, first uint32, what *record) (driven bool, err error) {
	switch {
	case what.chip != c.inode:
		return false, errors.New("they were of another chip")
	case what.lines[0].offset != first:
		return false, errRecord
	}
	if err := c.verifyFile(r.fd, what.offsets()); err != nil {
		return false, err
	}
	driven = true
	for i := range what.lines {
		info, err := c.info(what.lines[i].offset)
		if err != nil {
			return false, err
		}
		if !info.Flags.IsUsed() || gpiocdev.BytesToString(info.Consumer[:]) != consumer {
			return false, errors.New("the kernel says that nobody holds them, or somebody else")
		}
		driven = driven && info.Flags.IsOutput()
	}
	return driven, nil
}

// verifyFile looks what is open, as far as the kernel tells: older ones say that it is a request for lines, and not for which.
func (c *chip) verifyFile(fd int, offsets []uint32) error {
	file, err := c.kernel.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil {
		return fmt.Errorf("cannot tell what is open: %w", err)
	}
	if file != "anon_inode:gpio-line" {
		return fmt.Errorf("what is open is %s", file)
	}
	info, err := c.fdinfo(fd)
	if err != nil {
		return fmt.Errorf("cannot tell what is open: %w", err)
	}
	want := "gpio-chip:\t" + c.name + "\n"
	for _, offset := range offsets {
		want += fmt.Sprintf("gpio-line:\t%d\n", offset)
	}
	_, rest, told := strings.Cut(info, want)
	if strings.Contains(info, "gpio-chip:") && !told || strings.Contains(rest, "gpio-line:") {
		return errors.New("what is open are other lines")
	}
	return nil
}

// fdinfo is what the kernel tells about a descriptor.
func (c *chip) fdinfo(fd int) (string, error) {
	info, err := c.kernel.Open(fmt.Sprintf("/proc/self/fdinfo/%d", fd), unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	defer func() { _ = c.kernel.Close(info) }()
	text := make([]byte, 4096) // 64 lines take 1.1 KiB
	n, err := c.kernel.Pread(info, text, 0)
	return string(text[:max(n, 0)]), err
}

// meant finds the lines of a request, where they are what is requested together: outputs, unless they were leased. nil: they are not.
func (b *board) meant(c *chip, what *record) (lines []*Line) {
	for i := range what.lines {
		for _, l := range b.lines.All() {
			if l.chip == c && l.offset == what.lines[i].offset {
				lines = append(lines, l)
			}
		}
	}
	if len(lines) != len(what.lines) {
		return nil
	}
	first := lines[0]
	whole := first.group != nil && !first.group.whole()
	for _, l := range lines {
		if whole || l.group != first.group || !what.leased && l.declared.direction != directionOutput {
			return nil
		}
	}
	if (!what.leased || first.group != nil) && !slices.Equal(lines, first.mates()) {
		return nil
	}
	return lines
}

// inheritedBy has the line, or its group, go on with a request when it begins.
func (l *Line) inheritedBy(r *request) {
	if l.group != nil {
		l.group.inherited = r
	} else {
		l.inherited = r
	}
}

// takeOver has lines held by a request that drives them.
func takeOver(lines []*Line, r *request, what *record) error {
	first := lines[0]
	err := first.guard.Do(func() error {
		wants, changed, err := first.chip.declared(r, lines)
		if err == nil && changed {
			err = r.configureAll(wants)
		}
		if err != nil {
			return err
		}
		for i, l := range lines {
			value := wants[i].value
			if l.locked != nil && what.lines[i].pulse.Set {
				value = 1 // so that it counts as active until the pulse is ended, whatever it is to
			}
			err = errors.Join(err, l.takeOver(r, i, value))
			l.reclaim, l.remembered = what.lines[i].restore, what.lines[i].restore
		}
		return err
	})
	if err != nil {
		_ = first.guard.Do(func() error { letGoOf(lines); return nil })
		return err
	}
	for i, l := range lines {
		if during := what.lines[i].pulse; during.Set {
			l.endPulse(during.Value)
		}
	}
	return first.guard.Do(func() error { first.note(); return nil })
}

// letGoOf has lines held by nobody.
func letGoOf(lines []*Line) {
	for _, l := range lines {
		l.held, l.bit, l.output = nil, 0, false
		l.locked.lost(l)
	}
}

// declared is how board.toml has lines that are outputs, at the levels that they have, and whether that is another configuration than theirs.
func (c *chip) declared(r *request, lines []*Line) (wants []want, changed bool, err error) {
	values, err := r.getAll(gpiocdev.NewLineBitMask(len(lines)))
	if err != nil {
		return nil, false, err
	}
	for i, l := range lines {
		info, err := c.info(l.offset)
		if err != nil {
			return nil, false, err
		}
		w := want{flags: l.declared.flags | gpiocdev.LineFlagV2Output, value: int64(values.Get(i))}
		other := (info.Flags ^ w.flags) & configured
		if other&gpiocdev.LineFlagV2ActiveLow != 0 {
			w.value = 1 - w.value
		}
		wants, changed = append(wants, w), changed || other != 0
	}
	return wants, changed, nil
}

// endPulse ends a pulse that the process before began.
func (l *Line) endPulse(during int64) {
	p := &pulse{line: l, value: during, stop: func() {}, deadline: func() {}}
	_ = l.guard.Do(func() error { l.busy, l.pulse = byPulse, p; return nil })
	l.pulses = append(l.pulses, p)
	p.finish()
}

// endLease ends a lease that the process before made.
func (b *board) endLease(lines []*Line, r *request, what *record) {
	le := &lease{lines: lines, before: make([]borrowed, len(lines)), notes: what.lines, request: r, passed: -1, state: lent, unhold: func() {}, deadline: func() {}, stop: func() {}}
	for i, l := range lines {
		le.before[i] = what.lines[i].before
		_ = l.guard.Do(func() error { l.busy, l.lease = byLease, le; return nil })
		l.leases = append(l.leases, le)
	}
	le.end(func() {})
}

// makeSafe brings lines that nothing is known of any more, but their record, to the safe values that it has. The others stay as they are.
func (c *chip) makeSafe(r *request, what *record) error {
	wants, given := make([]want, len(what.lines)), false
	for i, n := range what.lines {
		if n.safe.Set {
			wants[i], given = want{flags: n.flags | gpiocdev.LineFlagV2Output, value: n.safe.Value}, true
			continue
		}
		var err error
		if wants[i], err = c.asIs(r, i, n.offset); err != nil {
			return err
		}
	}
	if !given {
		return nil
	}
	return r.configureAll(wants)
}

// leaveInactive takes the safe values out of a record that would activate what is in an interlock now: others may be active. What such a line is to be, it becomes when it begins.
func (b *board) leaveInactive(c *chip, what *record) {
	for _, l := range b.lines.All() {
		for i := range what.lines {
			n := &what.lines[i]
			samePolarity := (n.flags^l.declared.flags)&gpiocdev.LineFlagV2ActiveLow == 0
			if l.locked != nil && l.chip == c && l.offset == n.offset && (n.safe.Value == 1) == samePolarity {
				n.safe = hal.Opt[int64]{}
			}
		}
	}
}

// forgetClaims forgets what lines were when they were claimed, of those whose claims did not outlive the restart: it runs behind those that did.
func (b *board) forgetClaims() {
	for _, l := range b.lines.All() {
		forget := func() {
			_ = l.guard.Do(func() error {
				if l.reclaim.Set {
					l.reclaim, l.remembered = hal.Opt[int64]{}, hal.Opt[int64]{}
					l.note()
				}
				return nil
			})
		}
		if l.isKept() {
			_ = l.work(forget, func() {})
		}
	}
}
