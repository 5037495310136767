package gpio

import (
	"errors"
	"slices"
	"time"

	gpiocdev "github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
)

// leaseDoc says what an app has to know of a lease.
const leaseDoc = "Hands over lines of one chip. The descriptor is the kernel's request for them (fd of struct gpio_v2_line_request in linux/gpio.h): the caller drives and reads them itself, and gets their edges, by ioctl and read.\n" +
	"Outputs keep their values. One line, or a whole gpio-group, makes no edge; other lines are let go first and requested together, which on some hardware makes one. " +
	"The lines have the order of the call, those of a group that of board.toml. NotSupported{group} for a part of a group or more than one.\n" +
	"Until the caller's connection ends, or Board.Release, the lines are Busy for everybody, the caller included, and watches of them end so. " +
	"Then Halberd writes the on-release value of each, whatever direction and polarity the holder has given it, makes an input again what was one, and closes its own descriptor.\n" +
	"A GPIO descriptor cannot be revoked: its holder can still drive the lines until it closes it, and so long they stay Busy. Grant this only to programs that may keep the lines.\n" +
	"NotSupported{lease} on a simulated board. Timeout where a bus hangs; the lease is ended then, once the bus comes back."

type leaseOut struct{ File hal.File }

func (m *leaseOut) Fields(f *hal.Fields) {
	f.File("fileDescriptor", &m.File, "The request for the lines.")
}

// lease is lines of one chip that somebody has for itself. Its request was passed: it is not used any more, but for the values at the end. What is not guarded belongs to the loop's goroutine.
type lease struct {
	lines  []*Line // by their bits in the request
	holder hal.Holder

	guard   hal.Guard // of the request
	request *request
	before  []borrowed // what the lines were
	failed  *Line      // that an error is about
	err     error      // of the job that is on its way
	passed  int        // the holder's descriptor, until the reply has it

	state    state
	out      *leaseOut
	done     func(error) // nil once it was answered
	unwanted bool        // to be ended as soon as it is made
	unhold   func()      // stops the waiting for the holder's end
	deadline func()      // stops the waiting for a worker
	stop     func()      // of the next try
	delay    time.Duration
	ended    []func() // who waits for the end
	closed   bool     // the lines are, or are gone
}

type state int

const (
	making state = iota
	lent
	ending
	over
)

// borrowed is what a line was before it was leased.
type borrowed struct {
	output bool // that was held
	driven int64
	input  bool
}

// startLease leases lines. It is answered with the descriptor.
func startLease(lines []*Line, h hal.Holder, _ *hal.None, out *leaseOut, done func(error)) {
	le := &lease{lines: lines, holder: h, before: make([]borrowed, len(lines)), passed: -1, out: out, done: done,
		unhold: func() {}, deadline: func() {}, stop: func() {}}
	if err := le.check(); err != nil {
		le.answer(err)
		return
	}
	le.unhold = h.Ended(func() { le.end(func() {}) })
	if first := lines[0]; first.chip.bus != "" {
		le.deadline = first.env.Loop.After(patience, func() { le.late() })
	}
	le.work(le.mark, le.marked)
}

// work runs a job where calls on the lines run, and then done on the loop. While a worker has too much to do it is tried again.
func (le *lease) work(job, done func()) {
	if first := le.lines[0]; first.work(job, done) != nil {
		le.stop = first.env.Loop.After(again, func() { le.work(job, done) })
	}
}

// check refuses what cannot be leased together.
func (le *lease) check() error {
	first := le.lines[0]
	for _, l := range le.lines {
		switch {
		case l.ended:
			return hal.GoneDevice(class, l.id)
		case l.chip != first.chip:
			return &hal.InvalidParameter{Parameter: "lines", What: "must be lines of one chip"}
		case l.group != first.group || l.group != nil && (len(le.lines) != len(l.group.lines) || !l.group.whole()):
			return &hal.NotSupported{Feature: "group"}
		}
	}
	if first.group != nil {
		le.lines = first.group.lines
	}
	return nil
}

// late answers the caller where a worker does not come back.
func (le *lease) late() {
	le.unwanted = true
	le.answer(hal.SlowDevice(class, le.lines[0].id))
}

// mark makes the lines busy, all or none.
func (le *lease) mark() {
	first := le.lines[0]
	if le.failed, le.err = first, first.chip.mayPass(); le.err != nil {
		return
	}
	for i, l := range le.lines {
		le.failed, le.err = l, l.guard.Do(func() error {
			if err := l.free(); err != nil {
				return err
			}
			l.busy, l.lease = byLease, le
			return nil
		})
		if le.err != nil {
			le.unmark(le.lines[:i])
			return
		}
	}
}

func (le *lease) unmark(lines []*Line) {
	for _, l := range lines {
		_ = l.guard.Do(func() error {
			l.busy, l.lease = "", nil
			return nil
		})
	}
}

// marked ends the watches, whose requests are in the way.
func (le *lease) marked() {
	if le.err != nil {
		le.fail()
		return
	}
	for _, l := range le.lines {
		if l.ended { // meanwhile
			le.failed, le.err = l, unix.ENODEV
			le.fail()
			return
		}
		l.leases = append(l.leases, le)
		if l.feed.Watched() {
			l.end(hal.BusyDevice(class, l.id, byLease))
		}
	}
	le.work(le.take, le.taken)
}

// take makes the request, and a descriptor of it to pass. Where that fails, everything is as it was.
func (le *lease) take() {
	first := le.lines[0]
	le.failed = first
	whole := false
	le.err = first.guard.Do(func() error {
		whole = first.output && (len(le.lines) == 1 || first.group != nil)
		if !whole {
			return nil
		}
		return le.takeHeld(first.held)
	})
	if le.err == nil && !whole {
		le.err = le.takeAnew()
	}
	if le.err != nil {
		le.unmark(le.lines)
	}
}

// takeHeld takes the request that holds the lines. Their guard is held.
func (le *lease) takeHeld(r *request) (err error) {
	if le.passed, err = r.kernel.Pass(r.fd); err != nil {
		return err
	}
	for i, l := range le.lines {
		le.before[i] = borrowed{output: true, driven: l.driven}
		l.held, l.output, l.bit = nil, false, 0
	}
	return le.keep(r)
}

// keep keeps a request for the end. A lease that was closed meanwhile has no use for it.
func (le *lease) keep(r *request) error {
	err := le.guard.Do(func() error {
		le.request = r
		return nil
	})
	if err != nil {
		r.close()
	}
	return err
}

// takeAnew requests lines together that are not so yet.
func (le *lease) takeAnew() error {
	wants, offsets := make([]want, len(le.lines)), make([]uint32, len(le.lines))
	for i, l := range le.lines {
		le.failed = l
		offsets[i] = l.offset
		err := l.guard.Do(func() (err error) {
			wants[i], err = le.letGo(i)
			return err
		})
		if err != nil {
			le.holdAgain(le.asBefore)
			return err
		}
	}
	r, err := le.lines[0].chip.requestAll(offsets, wants)
	if err == nil {
		if le.passed, err = r.kernel.Pass(r.fd); err == nil {
			return le.keep(r)
		}
		r.close()
	}
	le.blame(err)
	le.holdAgain(le.asBefore)
	return err
}

// letGo lets go of a line, and tells how it is to be requested. Its guard is held.
func (le *lease) letGo(i int) (want, error) {
	l := le.lines[i]
	w := want{flags: l.setup.flags | gpiocdev.LineFlagV2Output, value: l.driven}
	le.before[i] = borrowed{output: l.output, driven: l.driven}
	if !l.output {
		info, err := l.chip.info(l.offset)
		if err != nil {
			return w, err
		}
		le.before[i].input = info.Flags.IsInput()
		w = l.setup.wanted()
	}
	if l.held != nil {
		l.held.close()
		l.held, l.output = nil, false
	}
	return w, nil
}

// wanted is how a line that is not held is requested for a holder: an input as board.toml has it, else as it is.
func (s *setup) wanted() want {
	if s.direction == directionInput {
		return want{flags: s.flags | gpiocdev.LineFlagV2Input, debounceUSec: s.debounceUSec}
	}
	return want{flags: s.flags & gpiocdev.LineFlagV2ActiveLow}
}

// blame finds the line that somebody else has.
func (le *lease) blame(err error) {
	for i, l := range le.lines {
		if info, e := l.chip.info(l.offset); errors.Is(err, unix.EBUSY) && !le.before[i].output && e == nil && info.Flags.IsUsed() {
			le.failed = l
			return
		}
	}
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

// taken hands the descriptor over.
func (le *lease) taken() {
	le.deadline()
	switch {
	case le.closed: // meanwhile
		le.drop()
	case le.err != nil:
		le.fail()
	case le.unwanted:
		le.drop()
		le.state = lent
		le.answer(hal.SystemError(unix.ECANCELED))
		le.end(func() {})
	default:
		le.state = lent
		le.out.File.FD = le.passed
		le.answer(nil)
	}
}

// drop closes a descriptor that nobody gets.
func (le *lease) drop() {
	if le.passed >= 0 {
		_ = le.lines[0].chip.kernel.Close(le.passed)
		le.passed = -1
	}
}

// fail answers why there is no lease.
func (le *lease) fail() {
	le.drop()
	le.finish()
	le.forget()
	le.answer(le.failed.refuse(le.err))
}

// answer answers once the loop comes round: the call may be just beginning.
func (le *lease) answer(err error) {
	if done := le.done; done != nil {
		le.done = nil
		le.lines[0].env.Loop.Post(func() { done(err) })
	}
}

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

// hold holds the outputs again, where the holder has let go of them.
func (le *lease) hold() {
	le.err = nil
	if !le.holdAgain(le.asReleased) {
		le.err = unix.EBUSY
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

// released is how a line is to be left, if not as it is.
func (l *Line) released(before borrowed) (w want, given bool) {
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
	l := le.lines[i]
	info, err := l.chip.info(l.offset)
	if err != nil {
		return want{}, err
	}
	const kept = gpiocdev.LineFlagV2ActiveLow | gpiocdev.LineFlagV2DirectionMask | gpiocdev.LineFlagV2DriveMask | gpiocdev.LineFlagV2BiasMask
	value, err := le.request.get(i)
	return want{flags: info.Flags & kept, value: value}, err
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
		return le.request.configureAll(wants)
	})
}

// gaveBack tells who waits.
func (le *lease) gaveBack() {
	if !le.closed {
		le.finish()
		le.held()
	}
}

// held tries again to hold the outputs, later and later, while the holder has them still.
func (le *lease) held() {
	switch {
	case le.closed:
	case le.err == nil:
		le.forget()
	default:
		le.delay = min(max(2*le.delay, again), time.Second)
		le.stop = le.lines[0].env.Loop.After(le.delay, func() { le.work(le.hold, le.held) })
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
	le.closeRequest()
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
