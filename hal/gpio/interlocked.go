package gpio

import (
	"errors"
	"time"

	"github.com/halberd-io/halberd/hal"
)

// What a line that is in an interlock does otherwise. The line's guard is held, but where it is said.

var _ hal.Restrained = (*Line)(nil)

// Interlocks are the names of those that the line is in. No guard is needed.
func (l *Line) Interlocks() (names []string) {
	if l.locked != nil {
		for _, i := range l.locked.in {
			names = append(names, i.name)
		}
	}
	return names
}

// isBound reports whether the line, or one that is configured and leased with it, is in an interlock. No guard is needed.
func (l *Line) isBound() bool {
	for _, m := range l.mates() {
		if m.locked != nil {
			return true
		}
	}
	return false
}

// putLocked is put.
func (l *Line) putLocked(value int64) (changed bool, err error) {
	isNew, err := l.acquireAsIs()
	if err == nil {
		err = l.locked.admit(l, value)
	}
	if err != nil {
		return false, err
	}
	changed, err = l.write(value)
	l.locked.wrote(l, value, err)
	return changed || isNew, err
}

// acquireAsIs holds the line as it is, where it is not held yet: what comes after is a change like any other.
func (l *Line) acquireAsIs() (isNew bool, err error) {
	if l.output {
		return false, nil
	}
	return true, l.hold(&l.setup, hal.Opt[int64]{})
}

// putFor begins a pulse of a line that may be set. One to 0 activates the line at its end, when it is too late to refuse it: so it counts as active from the beginning. It is refused where others that are active with it may be deactivated
// meanwhile, whose dead time would run at the end.
func (l *Line) putFor(p *pulse) (changed bool, err error) {
	if l.locked == nil || p.value == 1 {
		return l.put(p.value)
	}
	for _, i := range l.locked.in {
		if i.most > 1 && i.dead > 0 {
			return false, &hal.NotSupported{Feature: byInterlock}
		}
	}
	if _, err = l.acquireAsIs(); err == nil {
		err = l.locked.admitPulse(l)
	}
	if err != nil {
		return false, err
	}
	changed, err = l.write(0)
	l.locked.wrote(l, 1, err)
	return changed, err
}

// passive is the value that a line is requested with: one in an interlock is never activated by that, but afterwards, like by a call.
func (l *Line) passive(value hal.Opt[int64]) hal.Opt[int64] {
	if l.locked == nil || !value.Set || value.Value == 0 {
		return value
	}
	l.locked.want()
	return hal.Opt[int64]{}
}

// takeOver holds the line with a request that a process before made, and that was kept, as the bit in it, with a value that it has. The value is changed to 0 where too many are active. One in a pulse to 0 is taken over with 1, so that it
// counts as active, and put to that then.
func (l *Line) takeOver(r *request, bit int, value int64) error {
	l.held, l.bit, l.output, l.driven = r, bit, true, value
	permitted := l.locked.found(value)
	if permitted == value {
		l.locked.held(l, value)
		return nil
	}
	_, err := l.write(permitted)
	l.locked.wrote(l, permitted, err)
	return err
}

// insist tries a value again later that board.toml wants, where it was refused by an interlock.
func (l *Line) insist(err error) error {
	if _, isRefused := errors.AsType[*hal.Interlocked](err); isRefused && l.locked != nil {
		l.locked.want()
	}
	return err
}

// activate drives what board.toml wants, unless somebody was faster. It takes the guard itself.
func (l *Line) activate() error {
	changed := false
	err := l.guard.Do(func() (err error) {
		if sought, _ := l.locked.sought(); sought == l {
			changed, err = l.put(1)
		}
		return err
	})
	if changed {
		l.report(l.value())
	}
	return l.refuse(err)
}

// reservation is members that a call of SetMany will activate, all or none. They count as active until it is released.
type reservation []*locked

// planned is what such a call does with a member.
type planned struct {
	step  int
	value int64
}

// reserve reserves what the steps activate, or refuses all of it. No guard is needed.
//
// A member that the call deactivates makes room for what a later step activates, since that comes only when it was really written; but not one that another such call will activate. Within one step the kernel's driver decides about the order, and so it makes none.
func reserve(steps []*step) (reservation, error) {
	plan := map[*locked]planned{}
	for at, s := range steps {
		for i, l := range s.lines {
			if l.locked != nil {
				plan[l.locked] = planned{at, s.values[i]}
			}
		}
	}
	var all reservation
	for _, s := range steps {
		for i, l := range s.lines {
			if l.locked != nil && s.values[i] == 1 {
				all = append(all, l.locked)
			}
		}
	}
	if all == nil {
		return nil, nil
	}
	return all, all.take(plan)
}

func (r reservation) take(plan map[*locked]planned) error {
	x := r[0].all
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, m := range r {
		see := plan[m].sees(plan)
		if m.standing == active {
			see = taken
		}
		if refusal := m.conflict(see); refusal != nil {
			return refusal
		}
	}
	for _, m := range r {
		m.reserved++
	}
	return nil
}

// taken is the view of a call that sets what is active already: another one that is to deactivate it may have given its place away.
func taken(_ *interlock, other *locked) (bool, time.Duration) { return other.reserved > 0, 0 }

// sees is the view of an activation within a call.
func (p planned) sees(plan map[*locked]planned) view {
	return func(i *interlock, other *locked) (bool, time.Duration) {
		its, isPlanned := plan[other]
		left := time.Duration(0)
		if i.dead > 0 {
			left = never // a dead time would begin with this call
		}
		switch {
		case isPlanned && its.value == 1:
			return true, 0
		case !isPlanned || !other.counts() || other.reserved > 0:
			return asIs(i, other)
		case its.step < p.step:
			return false, left
		case its.step == p.step:
			return true, left
		}
		return true, 0
	}
}

// release ends the reservation. Twice does no harm.
func (r *reservation) release() {
	if len(*r) == 0 {
		return
	}
	x := (*r)[0].all
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, m := range *r {
		m.reserved--
	}
	*r = nil
}

// allowed is what a step may be written back to: 0 where an interlock forbids what was before. It is reserved until it is written.
func (s *step) allowed() (values []int64, held reservation) {
	for i, value := range s.before {
		if m := s.lines[i].locked; m != nil && value == 1 {
			one := reservation{m}
			if one.take(nil) != nil {
				value = 0
			} else {
				held = append(held, m)
			}
		}
		values = append(values, value)
	}
	return values, held
}

// wrote notes what came of a step.
func (s *step) wrote(values []int64, err error) {
	for i, l := range s.lines {
		l.locked.wrote(l, values[i], err)
	}
}
