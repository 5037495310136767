package gpio

import (
	"slices"

	gpiocdev "github.com/warthog618/go-gpiocdev/uapi"

	"github.com/halberd-io/halberd/hal"
)

// step is what one call of the kernel sets: one line, or lines of one group.
type step struct {
	lines          []*Line
	values, before []int64
}

// setMany sets outputs, and on an error sets them back.
func setMany(lines []*Line, values []int64, _, _ *hal.None) error {
	for _, l := range lines {
		if err := l.guard.Do(l.writable); err != nil {
			return l.refuse(err)
		}
	}
	steps := stepsOf(lines, values)
	held, err := reserve(steps)
	if err != nil {
		return err
	}
	defer report(steps)
	defer held.release()
	for i, s := range steps {
		if err := s.write(s.values); err != nil {
			held.release()
			writeBack(steps[:i+1])
			return s.lines[0].refuse(err)
		}
	}
	return nil
}

// stepsOf puts the lines of each group together, and what only deactivates before what does both, and that before what only activates: lines that must not be active together never are.
func stepsOf(lines []*Line, values []int64) (steps []*step) {
	of := map[*group]*step{}
	for i, l := range lines {
		s := of[l.group]
		if s == nil || l.group == nil {
			s = &step{}
			of[l.group] = s
			steps = append(steps, s)
		}
		s.lines, s.values = append(s.lines, l), append(s.values, values[i])
	}
	slices.SortStableFunc(steps, func(a, b *step) int { return a.rank() - b.rank() })
	return steps
}

// rank is 0 for a step that only deactivates, 2 for one that only activates, and 1 for one that does both.
func (s *step) rank() int { return int(slices.Max(s.values) + slices.Min(s.values)) }

// write sets the lines of a step with one call, and notes what they were.
func (s *step) write(values []int64) error {
	first := s.lines[0]
	return first.guard.Do(func() error {
		for _, l := range s.lines {
			if err := l.writable(); err != nil {
				return err
			}
		}
		if err := first.adopt(); err != nil {
			return err
		}
		if s.before == nil {
			for _, l := range s.lines {
				s.before = append(s.before, l.driven)
			}
		}
		var mask, bits gpiocdev.LineBitmap
		for i, l := range s.lines {
			mask, bits = mask.Set(l.bit, 1), bits.Set(l.bit, int(values[i]))
		}
		err := first.held.setAll(mask, bits)
		s.wrote(values, err)
		if err != nil {
			return err
		}
		for i, l := range s.lines {
			l.driven = values[i]
		}
		return nil
	})
}

// adopt requests the line first, with the value that it has, where somebody else had it when Halberd started.
func (l *Line) adopt() error {
	switch {
	case l.output:
		return nil
	case l.group != nil:
		return l.group.hold(func(*Line) hal.Opt[int64] { return hal.Opt[int64]{} })
	}
	return l.hold(&l.setup, hal.Opt[int64]{})
}

// writeBack sets what was set to what it was, the last first; to 0 where an interlock forbids that. The last one failed: only a group may have been set in part.
func writeBack(steps []*step) {
	for i, s := range slices.Backward(steps) {
		if s.before == nil || i == len(steps)-1 && len(s.lines) == 1 {
			continue
		}
		values, held := s.allowed()
		if err := s.write(values); err != nil {
			s.lines[0].env.Log.Warn("cannot set an output back", "line", s.lines[0].id, "err", s.lines[0].refuse(err))
		}
		held.release()
	}
}

// report tells the watchers what is otherwise than before.
func report(steps []*step) {
	for _, s := range steps {
		for i, l := range s.lines {
			if s.before != nil && l.value() != s.before[i] {
				l.report(l.value())
			}
		}
	}
}

// value is what an output was set to last.
func (l *Line) value() (value int64) {
	_ = l.guard.Do(func() error { value = l.driven; return nil })
	return value
}
