package battery

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

// limits are the charges between which a battery is charged.
type limits struct{ start, end hal.Opt[int64] }

func (p *limits) Fields(f *hal.Fields) {
	f.OptIntIn("startPercent", &p.start, 0, 100, hal.Percent, "Below which charge it begins to be charged.")
	f.OptIntIn("endPercent", &p.end, 0, 100, hal.Percent, "At which charge that ends.")
}

// readLimits reads the limits that there are.
func (s *Supply) readLimits() (now limits, err error) {
	if now.start, err = readLimit(s.start); err == nil {
		now.end, err = readLimit(s.end)
	}
	return now, err
}

// readLimit reads one that may not be there, or that the driver does not know. What is no share of a hundred is none.
func readLimit(a *sysfs.Attribute) (out hal.Opt[int64], err error) {
	if a == nil {
		return out, nil
	}
	n, err := a.ReadInt()
	switch {
	case errors.Is(err, unix.ENODATA):
		return out, nil
	case err != nil || n < 0 || n > 100:
		return out, err
	}
	return hal.Some(n), nil
}

func (s *Supply) setLimits(in *limits, _ *hal.None) error {
	if !in.start.Set && !in.end.Set {
		return &hal.InvalidParameter{Parameter: "startPercent", What: "give startPercent, endPercent or both"}
	}
	if in.start.Set && s.start == nil || in.end.Set && s.end == nil {
		return &hal.NotSupported{Feature: "charge_limits"}
	}
	err := s.guard.Do(func() error { return s.limit(*in) })
	if now, unread := s.read(); unread == nil {
		s.changes.Note(now)
	}
	return hal.Refuse(class, s.id, err)
}

// limit writes the end first where it goes up, and last where it goes down, so that the start is never above it.
func (s *Supply) limit(in limits) error {
	now, err := s.readLimits()
	if err != nil {
		return err
	}
	next := limits{in.start, in.end}
	if !next.start.Set {
		next.start = now.start
	}
	if !next.end.Set {
		next.end = now.end
	}
	if next.bothSet() && next.start.Value > next.end.Value {
		return in.outOfRange(next)
	}
	steps := []func() error{writer(s.end, in.end), writer(s.start, in.start)}
	if in.end.Set && in.end.Value < now.end.Value {
		steps[0], steps[1] = steps[1], steps[0]
	}
	if err = steps[0](); err == nil {
		err = steps[1]()
	}
	if errors.Is(err, unix.EINVAL) && next.bothSet() && next.start.Value == next.end.Value {
		return in.outOfRange(next) // some drivers take that
	}
	return err
}

func (p limits) bothSet() bool { return p.start.Set && p.end.Set }

// outOfRange is the refusal of limits that would leave nothing between them: of the start, where one was given.
func (p limits) outOfRange(next limits) error {
	if p.start.Set {
		return &hal.OutOfRange{Parameter: "startPercent", Maximum: max(0, next.end.Value-1)}
	}
	return &hal.OutOfRange{Parameter: "endPercent", Minimum: min(100, next.start.Value+1), Maximum: 100}
}

func writer(a *sysfs.Attribute, v hal.Opt[int64]) func() error {
	return func() error {
		if !v.Set {
			return nil
		}
		return a.WriteInt(v.Value)
	}
}
