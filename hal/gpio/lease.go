package gpio

import (
	"errors"
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
	"A GPIO descriptor cannot be revoked: its holder can still drive the lines until it closes it, and so long they stay Busy; Board.Holders says whose they are, and Board.Events when they are returned. Grant this only to programs that may keep the lines.\n" +
	"NotSupported{interlock} for a member of an interlock: its holder could drive it whatever the others are. NotSupported{lease} on a simulated board. Timeout where a bus hangs; the lease is ended then, once the bus comes back."

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
	notes   []noted    // what the journal says about them
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
	ended    []func()     // who waits for the end
	closed   bool         // the lines are, or are gone
	shown    []*hal.Lease // to who asks

	watching bool // the chip tells of changes of the lines, as far as it can; like the two below, a job's while it is on its way
	used     bool // somebody else has one of them
	returned bool // the holder has let go of them
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
	le := &lease{lines: lines, holder: h, before: make([]borrowed, len(lines)), notes: make([]noted, len(lines)), passed: -1, out: out, done: done,
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
		case l.locked != nil:
			return &hal.NotSupported{Feature: byInterlock}
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
	le.workAway(le.take, le.taken)
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
		le.err = le.failed.refuse(le.err) // here, since asking the chip may wait for it
	}
}

// takeHeld takes the request that holds the lines. Their guard is held.
func (le *lease) takeHeld(r *request) (err error) {
	if le.passed, err = r.kernel.Pass(r.fd); err != nil {
		return err
	}
	for i, l := range le.lines {
		le.before[i], le.notes[i] = borrowed{output: true, driven: l.driven}, l.noted()
		l.held, l.output, l.bit = nil, false, 0
	}
	r.note(le.record())
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
	waits := le.waits()
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
	chip := le.lines[0].chip
	if waits {
		chip.store.settle()
	}
	r, err := chip.requestAll(offsets, wants)
	if err == nil {
		le.outlive(r)
		if le.passed, err = r.kernel.Pass(r.fd); err == nil {
			return le.keep(r)
		}
		r.letGo()
	}
	le.blame(err)
	le.holdAgain(le.asBefore)
	return err
}

// letGo lets go of a line, and tells how it is to be requested. Its guard is held.
func (le *lease) letGo(i int) (want, error) {
	l := le.lines[i]
	w := want{flags: l.setup.flags | gpiocdev.LineFlagV2Output, value: l.driven}
	le.before[i], le.notes[i] = borrowed{output: l.output, driven: l.driven}, l.noted()
	if !l.output {
		info, err := l.chip.info(l.offset)
		if err != nil {
			return w, err
		}
		le.before[i].input = info.Flags.IsInput()
		w = l.setup.wanted()
	}
	if l.held != nil {
		l.held.letGo()
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
		le.announce()
		le.out.File.FD = le.passed
		le.answer(nil)
	}
}

// announce notes the lease for who asks. Who had the lines before has let go of them, or they could not be leased.
func (le *lease) announce() {
	for _, l := range le.lines {
		for _, before := range l.leases {
			if before != le {
				before.giveUp()
			}
		}
		le.shown = append(le.shown, l.env.Leases.Begin(class, l, le.holder))
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
