package gpio

import (
	"errors"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
)

const (
	// maxPulse is the longest pulse, in µs.
	maxPulse = 10_000_000
	// patience is how long a caller waits for a line on a slow bus.
	patience = 5 * time.Second
	// again is how soon a write is tried again that must not be left out, and tries how often: for 10 s.
	again = 10 * time.Millisecond
	tries = 1000
)

type pulseIn struct{ Value, DurationUSec int64 }

func (p *pulseIn) Fields(f *hal.Fields) {
	f.IntIn("value", &p.Value, 0, 1, hal.Unitless, "The logical value during the pulse. Afterwards the line is at the other value, whatever it was before.")
	f.IntIn("durationUSec", &p.DurationUSec, 1, maxPulse, hal.Microseconds, "How long, from when the value was written.")
}

// pulse is an output that is at a value for a while, and that will be at the other value then, whatever happens to whoever asked for it. What is not guarded by the line belongs to the loop's goroutine.
type pulse struct {
	line     *Line
	value    int64
	duration time.Duration
	done     func(error) // nil once it was answered
	stop     func()      // of the time of the pulse, or of the next try
	deadline func()      // stops the waiting for a worker
	failures int
	err      error // of the write that is on its way
	refusal  error // what a caller is told of it; found where the write is, as asking the chip may wait for it
}

// startPulse begins a pulse. It is answered at its end.
func (l *Line) startPulse(_ hal.Holder, in *pulseIn, _ *hal.None, done func(error)) {
	p := &pulse{line: l, value: in.Value, duration: time.Duration(in.DurationUSec) * time.Microsecond, done: done, stop: func() {}, deadline: func() {}}
	if l.ended {
		p.answer(hal.GoneDevice(class, l.id))
		return
	}
	l.pulses = append(l.pulses, p)
	p.expect()
	if l.work(p.begin, p.began) != nil {
		p.end(hal.BusyDevice(class, l.id, ""))
	}
}

// work runs a job where calls on the line run, and then done on the loop. It fails where the worker has too much to do.
func (l *Line) work(job, done func()) error {
	if l.chip.bus == "" {
		job()
		done()
		return nil
	}
	return l.env.Loop.Submit(l.chip.bus, job, done)
}

// expect answers the caller where a worker does not come back. The pulse goes on.
func (p *pulse) expect() {
	if l := p.line; l.chip.bus != "" {
		p.deadline = l.env.Loop.After(patience, func() { p.answer(hal.SlowDevice(class, l.id)) })
	}
}

// begin writes the value.
func (p *pulse) begin() {
	l, changed := p.line, false
	p.err = l.guard.Do(func() (err error) {
		if err = l.writable(); err != nil {
			return err
		}
		l.busy, l.pulse = byPulse, p
		l.note() // before it begins, so that the next process ends it whatever happens
		if changed, err = l.putFor(p); err != nil {
			l.rested()
		}
		return err
	})
	p.refusal = l.refuse(p.err)
	if changed {
		l.report(p.value)
	}
}

// began waits for the end.
func (p *pulse) began() {
	p.deadline()
	switch {
	case p.line.ended || p.isOver():
	case p.err != nil:
		p.end(p.refusal)
	default:
		p.stop = p.line.env.Loop.After(p.duration, p.finish)
	}
}

// finish writes the other value.
func (p *pulse) finish() {
	p.expect()
	if p.line.work(p.write, p.wrote) != nil {
		p.deadline()
		p.stop = p.line.env.Loop.After(again, p.finish)
	}
}

// write writes the other value, unless Safe was faster.
func (p *pulse) write() {
	l, changed := p.line, false
	p.err = l.guard.Do(func() (err error) {
		if l.pulse != p {
			return nil
		}
		if changed, err = l.put(1 - p.value); err == nil || p.isHopeless(err) {
			l.rested()
		}
		return err
	})
	p.refusal = l.refuse(p.err)
	if changed {
		l.report(1 - p.value)
	}
}

// wrote answers. A write that failed is tried again: nothing else would end the pulse.
func (p *pulse) wrote() {
	p.deadline()
	switch {
	case p.isOver():
	case p.err == nil:
		p.end(nil)
	case p.isHopeless(p.err):
		p.line.env.Log.Error("cannot end a pulse", "line", p.line.id, "err", p.err)
		p.end(p.refusal)
	default:
		p.failures++
		p.stop = p.line.env.Loop.After(again, p.finish)
	}
}

// isHopeless reports whether the end is not tried again after an error.
func (p *pulse) isHopeless(err error) bool { return errors.Is(err, unix.ENODEV) || p.failures == tries }

// isOver reports whether the pulse was ended by something else.
func (p *pulse) isOver() bool { return !slices.Contains(p.line.pulses, p) }

// end answers, if nobody has, and forgets the pulse.
func (p *pulse) end(err error) {
	p.stop()
	p.deadline()
	p.answer(err)
	p.line.pulses = slices.DeleteFunc(p.line.pulses, func(other *pulse) bool { return other == p })
}

// answer answers once the loop comes round: the call may be just beginning.
func (p *pulse) answer(err error) {
	if done := p.done; done != nil {
		p.done = nil
		p.line.env.Loop.Post(func() { done(err) })
	}
}

// errCut is answered where Safe, or the end of a claim, ended a pulse before its time.
var errCut error = hal.SystemError(unix.ECANCELED)

// cut ends the pulse of a line that was brought to another value, and gives what tells the caller. The line's guard is held.
func (l *Line) cut() (tell func()) {
	p := l.pulse
	l.rested()
	return func() { l.env.Loop.Post(func() { p.end(errCut) }) }
}

// rested is called when a line pulses no more. The line's guard is held.
func (l *Line) rested() {
	l.busy, l.pulse = "", nil
	l.note()
}

// endPulses forgets the pulses of a line that is closed or gone.
func (l *Line) endPulses() {
	for _, p := range slices.Clone(l.pulses) {
		p.end(hal.GoneDevice(class, l.id))
	}
}
