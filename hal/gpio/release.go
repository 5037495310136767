package gpio

import (
	"errors"
	"slices"
	"time"

	gpiocdev "github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
)

// How a lease ends, and what its lines are then.

// finish ends all waiting.
func (le *lease) finish() {
	le.state = over
	le.unhold()
	le.deadline()
	le.stop()
	for _, f := range le.ended {
		le.lines[0].env.Loop.Post(f)
	}
	le.ended = nil
}

// end ends the lease, and calls f when the lines are in their on-release state.
func (le *lease) end(f func()) {
	le.ended = append(le.ended, f)
	switch le.state {
	case making:
		le.unwanted = true
	case lent:
		le.state = ending
		for _, n := range le.shown {
			n.End()
		}
		le.work(le.giveBack, le.gaveBack)
	case over:
		le.finish()
	}
}

// giveBack brings the lines to their on-release states, closes the request and holds again what was held.
func (le *lease) giveBack() {
	err := le.guard.Do(le.release)
	if err != nil && !errors.Is(err, unix.ENODEV) {
		le.lines[0].env.Log.Error("cannot bring leased lines to their on-release state", "line", le.lines[0].id, "err", err)
	}
	_ = le.guard.Do(func() error { le.request.forget(); return nil })
	le.closeRequest()
	for _, l := range le.lines {
		_ = l.guard.Do(func() error {
			l.busy, l.lease = "", nil
			if l.isReleasedSafe() {
				l.setup = l.declared
			}
			return nil
		})
	}
	le.hold()
}

// hold holds the outputs again, where the holder has let go of them. It looks at the lines after it has begun to watch them, so that nothing is missed.
func (le *lease) hold() {
	le.watch()
	le.err = nil
	if !le.holdAgain(le.asReleased) {
		le.err = unix.EBUSY
	}
	le.look()
	if le.returned && le.err == nil {
		le.unwatch()
	}
}

func (le *lease) closeRequest() {
	le.guard.Close(le.lines[0].chip.bus, func() {
		if le.request != nil {
			le.request.close()
			le.request = nil
		}
	})
}

func (l *Line) isReleasedSafe() bool {
	return l.declared.direction == directionOutput && l.declared.output.Release() == hal.ReleaseSafe
}

// release configures the lines as they are to be left. The holder may have configured them otherwise, so they are configured anew, and not only set.
func (le *lease) release() error {
	wants, changed := make([]want, len(le.lines)), false
	for i, l := range le.lines {
		w, given := l.released(le.before[i])
		if !given {
			var err error
			if w, err = le.asIs(i); err != nil {
				return err
			}
		}
		wants[i], changed = w, changed || given
	}
	if !changed {
		return nil
	}
	return le.request.configureAll(wants)
}

// released is how a line is to be left, if not as it is. A member of an interlock cannot be leased, but what was leased before a restart can be one now: then it is not activated, since others may be active.
func (l *Line) released(before borrowed) (w want, given bool) {
	if w, given = l.releasedAlone(before); l.locked != nil && w.value == 1 {
		return want{}, false
	}
	return w, given
}

// releasedAlone is the same without a thought for other lines.
func (l *Line) releasedAlone(before borrowed) (w want, given bool) {
	switch {
	case l.isReleasedSafe():
		return want{flags: l.declared.flags | gpiocdev.LineFlagV2Output, value: l.declared.output.Safe.Value}, true
	case before.output && l.declared.output.Release() == hal.ReleaseRestore:
		return want{flags: l.setup.flags | gpiocdev.LineFlagV2Output, value: before.driven}, true
	case before.input:
		return want{flags: l.setup.flags&^gpiocdev.LineFlagV2DriveMask | gpiocdev.LineFlagV2Input, debounceUSec: l.setup.debounceUSec}, true
	}
	return want{}, false
}

// asIs is what a line is just now, but for the edges that its holder asked for.
func (le *lease) asIs(i int) (want, error) {
	return le.lines[i].chip.asIs(le.request, i, le.lines[i].offset)
}

// configured are the flags of a line that a configuration gives it, but for edges.
const configured = gpiocdev.LineFlagV2ActiveLow | gpiocdev.LineFlagV2DirectionMask | gpiocdev.LineFlagV2DriveMask | gpiocdev.LineFlagV2BiasMask

// asIs is what the line with a bit in a request is just now.
func (c *chip) asIs(r *request, bit int, offset uint32) (want, error) {
	info, err := c.info(offset)
	if err != nil {
		return want{}, err
	}
	value, err := r.get(bit)
	return want{flags: info.Flags & configured, value: value}, err
}

// bring drives the value of one line, whatever its holder is doing. It can be driven again: the lease goes on. What is restored at its end is this value.
func (le *lease) bring(l *Line, value int64) error {
	return le.guard.Do(func() error {
		wants := make([]want, len(le.lines))
		for i, other := range le.lines {
			var err error
			if other == l {
				wants[i] = want{flags: l.declared.flags | gpiocdev.LineFlagV2Output, value: value}
				le.before[i].driven = value
			} else if wants[i], err = le.asIs(i); err != nil {
				return err
			}
		}
		le.note()
		return le.request.configureAll(wants)
	})
}

// gaveBack tells who waits.
func (le *lease) gaveBack() {
	if le.closed {
		return
	}
	le.finish()
	le.held()
}

// held goes on after hold. While somebody else has the lines, the chip tells when to try again; where it cannot, or something else is wrong, that is tried later and later.
func (le *lease) held() {
	if le.returned {
		le.giveUp()
	}
	switch first := le.lines[0]; {
	case le.closed:
	case le.returned && le.err == nil:
		le.forget()
	case le.watching && le.used && first.chip.await(first.env.Loop, le):
	default:
		le.delay = min(max(2*le.delay, again), time.Second)
		le.stop = first.env.Loop.After(le.delay, le.tryAgain)
	}
}

func (le *lease) tryAgain() { le.work(le.hold, le.held) }

// giveUp notes that the holder has nothing of the lines any more.
func (le *lease) giveUp() {
	for _, n := range le.shown {
		n.Return()
	}
}

// forget ends what the lines know of the lease.
func (le *lease) forget() {
	for _, l := range le.lines {
		l.leases = slices.DeleteFunc(l.leases, func(other *lease) bool { return other == le })
	}
}

// close ends the lease of lines that are closed or gone. Nothing is written: a daemon that stops leaves all as it is.
func (le *lease) close() {
	if le.closed {
		return
	}
	le.closed = true
	le.answer(hal.GoneDevice(class, le.lines[0].id))
	le.finish()
	le.lines[0].chip.awaitNoMore(le.lines[0].env.Loop, le)
	le.closeRequest()
	le.giveUp()
	le.forget()
}

// closeLeases ends the leases of a line that is closed or gone.
func (l *Line) closeLeases() {
	for _, le := range slices.Clone(l.leases) {
		le.close()
	}
}

var _ hal.Lessor = (*Line)(nil)

// EndLease ends the lease that somebody has on the line, and on the lines that were leased with it.
func (l *Line) EndLease(h hal.Holder, done func()) bool {
	for _, le := range l.leases {
		if le.state != over && (h == nil || le.holder == h) {
			le.end(done)
			return true
		}
	}
	return false
}

// holdAgain holds all outputs that are not held, with values, or as they are, and reports whether all are.
func (le *lease) holdAgain(value func(l *Line) hal.Opt[int64]) (all bool) {
	all = true
	for _, l := range le.lines {
		err := l.guard.Do(func() error {
			if l.output || l.setup.direction != directionOutput || l.lease != nil && l.lease != le {
				return nil
			}
			if l.group != nil {
				return l.group.hold(value)
			}
			return l.hold(&l.setup, value(l))
		})
		all = all && (err == nil || errors.Is(err, unix.ENODEV))
	}
	return all
}

// was is what a line of the lease was before.
func (le *lease) was(l *Line) borrowed { return le.before[slices.Index(le.lines, l)] }

// asBefore is the value of an output that was held before.
func (le *lease) asBefore(l *Line) hal.Opt[int64] {
	b := le.was(l)
	return hal.Opt[int64]{Value: b.driven, Set: b.output}
}

// asReleased is the value that an output is left with, if not the one that it has.
func (le *lease) asReleased(l *Line) hal.Opt[int64] {
	w, given := l.released(le.was(l))
	return hal.Opt[int64]{Value: w.value, Set: given && w.flags.IsOutput()}
}
