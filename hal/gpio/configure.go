package gpio

import (
	gpiocdev "github.com/warthog618/go-gpiocdev/uapi"

	"github.com/halberd-io/halberd/hal"
)

// flagOf are the words for bias and drive, in board.toml and on the wire. What is not there has no flag.
var flagOf = map[string]gpiocdev.LineFlagV2{
	"pull_up": gpiocdev.LineFlagV2BiasPullUp, "pull_down": gpiocdev.LineFlagV2BiasPullDown, "disabled": gpiocdev.LineFlagV2BiasDisabled,
	"open_drain": gpiocdev.LineFlagV2OpenDrain, "open_source": gpiocdev.LineFlagV2OpenSource,
}

var (
	directions = []string{directionInput, directionOutput}
	biases     = []string{"pull_up", "pull_down", "disabled"}
	drives     = []string{"push_pull", "open_drain", "open_source"}
)

type configureIn struct {
	Direction, Bias, Drive hal.Opt[string]
	ActiveLow              hal.Opt[bool]
	DebounceUSec, Initial  hal.Opt[int64]
}

func (p *configureIn) Fields(f *hal.Fields) {
	f.OptEnum("direction", &p.Direction, directions, "An output is held from then on; an input is let go.")
	f.OptEnum("bias", &p.Bias, biases, "The pull inside the chip, of a line that has a direction.")
	f.OptEnum("drive", &p.Drive, drives, "How an output drives.")
	f.OptBool("activeLow", &p.ActiveLow, "The value 1 is the low level.")
	f.OptIntIn("debounceUSec", &p.DebounceUSec, 0, maxDebounce, hal.Microseconds, "How long an input must be stable before a watch reports it; 0 is not at all.")
	f.OptIntIn("initial", &p.Initial, 0, 1, hal.Unitless, "The value that an output takes at once; without it, its level stays as it is.")
}

// with gives the setup that a change leads to, or NotSupported with the parameter that such a line does not have.
func (s setup) with(in *configureIn) (setup, error) {
	if in.Direction.Set && in.Direction.Value != s.direction {
		s.direction = in.Direction.Value
		s.flags &^= gpiocdev.LineFlagV2DriveMask
		s.debounceUSec = 0
	}
	for _, c := range []struct {
		parameter string
		given     bool
		needs     bool
	}{
		{"bias", in.Bias.Set, s.direction != ""},
		{"drive", in.Drive.Set, s.direction == directionOutput},
		{"initial", in.Initial.Set, s.direction == directionOutput},
		{"debounceUSec", in.DebounceUSec.Set, s.direction == directionInput},
	} {
		if c.given && !c.needs {
			return s, &hal.NotSupported{Feature: c.parameter}
		}
	}
	s.flags = replaced(s.flags, in.Bias, gpiocdev.LineFlagV2BiasMask)
	s.flags = replaced(s.flags, in.Drive, gpiocdev.LineFlagV2DriveMask)
	if in.ActiveLow.Set {
		s.flags &^= gpiocdev.LineFlagV2ActiveLow
	}
	if in.ActiveLow.Value {
		s.flags |= gpiocdev.LineFlagV2ActiveLow
	}
	s.debounceUSec = in.DebounceUSec.Or(s.debounceUSec)
	return s, nil
}

func replaced(flags gpiocdev.LineFlagV2, word hal.Opt[string], mask gpiocdev.LineFlagV2) gpiocdev.LineFlagV2 {
	if word.Set {
		return flags&^mask | flagOf[word.Value]
	}
	return flags
}

// configure changes how the line is used, until Halberd restarts. Where the kernel refuses, everything stays as it was.
func (l *Line) configure(in *configureIn, _ *hal.None) error {
	var isOutput, changed bool
	var value int64
	err := l.guard.Do(func() error {
		if err := l.free(); err != nil {
			return err
		}
		if l.isBound() {
			return &hal.NotSupported{Feature: byInterlock}
		}
		next, err := l.setup.with(in)
		if err == nil && l.group != nil && (next.direction != directionOutput || next.flags&gpiocdev.LineFlagV2DriveMask != 0) {
			err = &hal.NotSupported{Feature: "group"}
		}
		if err != nil {
			return err
		}
		before, wasOutput := l.driven, l.output
		if next.direction == directionOutput {
			err = l.becomeOutput(&next, in.Initial)
		} else {
			err = l.becomeInput(&next)
		}
		if err == nil {
			l.setup = next
		}
		isOutput, value, changed = l.output, l.driven, !wasOutput || before != l.driven
		return err
	})
	switch {
	case err != nil:
		return l.refuse(err)
	case !isOutput:
		l.env.Loop.Post(l.reconsider)
	case changed:
		l.report(value)
	}
	return nil
}

// becomeOutput drives a value, or else the level that is there, whatever the polarity makes of it.
func (l *Line) becomeOutput(next *setup, value hal.Opt[int64]) error {
	if l.held == nil {
		return l.hold(next, value)
	}
	if !value.Set {
		now, err := l.held.get(l.bit)
		if err != nil {
			return err
		}
		if (l.setup.flags^next.flags)&gpiocdev.LineFlagV2ActiveLow != 0 {
			now = 1 - now
		}
		value = hal.Some(now)
	}
	var err error
	if l.group != nil {
		err = l.group.configure(l, next, value.Value)
	} else {
		err = l.held.configure(output(next.flags, value.Value))
	}
	if err == nil {
		l.output, l.driven = true, value.Value
		if l.isKept() && l.held.name == "" { // it was an input
			l.chip.store.keep(l.held, l.place, recordOf(l.mates(), true))
		}
	}
	return err
}

// becomeInput configures an input, or a line that is left as it is.
func (l *Line) becomeInput(next *setup) error {
	switch {
	case l.held == nil:
		r, err := l.chip.request(l.offset, next.toRead())
		if err == nil {
			r.close()
		}
		return err
	case !l.output:
		return l.held.configure(next.toWatch())
	}
	if err := l.held.configure(input(next.flags, 0)); err != nil {
		return err
	}
	l.held.forget()
	l.output = false
	return nil
}

// reconsider asks for the edges of a line that may not have been an input before, or lets it go where nobody watches.
func (l *Line) reconsider() {
	if l.ended {
		return
	}
	if !l.feed.Watched() {
		l.letGo()
		return
	}
	l.following = true
	if err := l.follow(noEdge); err != nil {
		l.end(err)
	}
}
