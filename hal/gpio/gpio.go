// Package gpio is the class Gpio: single lines of GPIO chips, through version 2 of the character device.
//
// A line that board.toml declares as an output is requested when Halberd starts and held from then on: Set is one system call. Any other line is requested for a moment to read it, and while it is
// watched; what it is configured as is left alone. Values are logical: an active-low line is at 1 when its level is low.
//
// Lines of a gpio-group are one request, so that one call sets them, at once where the chip's driver has set_multiple; all others are a request each. A pulse is two such calls and a timer of the
// loop. A lease passes a request on: the daemon keeps a descriptor of it for the values at the end alone, and requests the lines anew once the holder has closed its own,
// which the kernel's watch of the lines tells.
//
// Interlocks keep lines from being active together, whoever sets them and however: locked.go says how.
//
// Where a service manager keeps descriptors, the requests of declared outputs outlive the process: keep.go and inherit.go say how, and record.go what is noted about them.
//
// Requesting a line, even only to read it, switches its pin to GPIO on some SoCs, where a pin of another function is not protected by its driver. So a grant should name the lines that are
// meant, not all.
//
// The kernel's structures are those of github.com/warthog618/go-gpiocdev/uapi. Its functions are not used, since they call the kernel themselves, while here everything goes through
// hal.Kernel, where the simulated board can stand.
//
// Minimum kernel: Linux 5.10. Source: Linux include/uapi/linux/gpio.h, drivers/gpio/gpiolib-cdev.c and Documentation/userspace-api/gpio/chardev.rst.
package gpio

import (
	"errors"
	"strconv"

	gpiocdev "github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
)

const class = "Gpio"

// Line is one line.
type Line struct {
	place
	id    string
	env   *hal.Env
	where string // file and line of board.toml; "" for a line that it does not name
	waits bool   // to be requested as an output; the loop's goroutine alone knows

	declared setup   // what board.toml says
	group    *group  // nil for a line that is requested alone
	locked   *locked // nil for a line in no interlock

	guard      *hal.Guard // of what follows, the group's where there is one: GetMany may read lines of several chips on one worker
	setup      setup
	held       *request       // nil while nobody holds the line
	bit        int            // of the line in it; 0 while there is none
	output     bool           // held is an output, and stays; else it is an input for the sake of its watchers
	driven     int64          // what an output was set to
	inherited  *request       // to be held by, from the process before; nil for none
	remembered hal.Opt[int64] // what it was when it was claimed, where it is to be that again
	reclaim    hal.Opt[int64] // that of the process before, until the claim of then is there again

	busy  string // what has the line for itself: a pulse or a lease; "" for nothing
	pulse *pulse // that will set the line back; nil for none
	lease *lease // that has the line; nil for none

	pulses   []*pulse // that are on their way; the loop's goroutine alone knows them, and the leases
	leases   []*lease // the last one, and those whose holders have the line still
	watching          // what its watchers know
}

// ID is the name in board.toml, else the kernel's, else that of the chip and the offset.
func (l *Line) ID() string { return l.id }

// Bus names the bus that the chip hangs on, where that may be slow.
func (l *Line) Bus() string { return l.chip.bus }

// Declaration is the line's table in board.toml, for a product to add a direction to.
func (l *Line) Declaration() string {
	return hal.Declaration("gpio", l.id, hal.TextKey("chip", l.chip.spec), hal.Key{Name: "line", Value: strconv.Itoa(int(l.offset))})
}

// begin requests a line as the output that board.toml declares. One that was set meanwhile stays as it is.
func (l *Line) begin(first bool) {
	err := l.guard.Do(func() error {
		if l.held != nil || l.lease != nil || l.setup.direction != directionOutput {
			return nil
		}
		return l.hold(&l.setup, l.setup.output.AtStart(first))
	})
	if err != nil {
		l.env.Log.Warn("cannot hold an output", "line", l.id, "where", l.where, "err", l.refuse(err))
	}
}

// hold requests the line as an output and drives a value; without one the line goes on with what it has, and makes no edge. A request that outlives the process does so before it is driven.
func (l *Line) hold(s *setup, value hal.Opt[int64]) error {
	if l.group != nil {
		return l.group.holdFor(l, s, value)
	}
	value = l.passive(value)
	config := s.asIs()
	if value.Set && !l.isKept() {
		config = output(s.flags, value.Value)
	}
	r, err := l.reserve(config)
	switch {
	case err != nil:
		return err
	case !value.Set:
		value.Value, err = l.makeOutput(r, s.flags)
	case l.isKept():
		err = r.configure(output(s.flags, value.Value))
	}
	if err != nil {
		r.letGo()
		return err
	}
	l.held, l.output, l.driven = r, true, value.Value
	l.locked.held(l, l.driven)
	l.note()
	return nil
}

// reserve requests the line, unless the process before left its request.
func (l *Line) reserve(config gpiocdev.LineConfig) (*request, error) {
	if r := l.inherited; r != nil {
		l.inherited = nil
		return r, nil
	}
	r, err := l.chip.request(l.offset, config)
	if err == nil && l.isKept() {
		l.chip.store.keep(r, l.place, recordOf([]*Line{l}, false))
	}
	return r, err
}

// makeOutput makes a line that was requested as it is an output of the value that it has.
func (l *Line) makeOutput(r *request, flags gpiocdev.LineFlagV2) (int64, error) {
	value, err := r.get(0)
	if err != nil {
		return 0, err
	}
	value = l.locked.found(value)
	return value, r.configure(output(flags, value))
}

// read reads the line, which may be any.
func (l *Line) read() (value int64, err error) {
	err = l.ask(func(r *request) (err error) {
		value, err = r.get(l.bit)
		return err
	})
	return value, err
}

// look is read, and notes when.
func (l *Line) look() (now reading, err error) {
	err = l.ask(func(r *request) (err error) {
		now, err = r.look(l.bit)
		return err
	})
	return now, err
}

// ask calls f with the request that holds the line, or with one for this moment. A line that is pulsing may be read.
func (l *Line) ask(f func(*request) error) error {
	return l.guard.Do(func() error {
		if l.busy == byLease {
			return l.free()
		}
		if l.held != nil {
			return f(l.held)
		}
		r, err := l.chip.request(l.offset, l.setup.toRead())
		if err != nil {
			return err
		}
		defer r.close()
		return f(r)
	})
}

// drive sets an output to what follows on the value that it was set to. For a line that is held it is one system call, and does not allocate.
func (l *Line) drive(next func(before int64) int64) error {
	var value int64
	changed := false
	err := l.guard.Do(func() (err error) {
		value = next(l.driven)
		changed, err = l.set(value)
		return err
	})
	if err != nil {
		return l.refuse(err)
	}
	if changed {
		l.report(value)
	}
	return nil
}

// set drives a line that is free and an output.
func (l *Line) set(value int64) (changed bool, err error) {
	if err := l.writable(); err != nil {
		return false, err
	}
	return l.put(value)
}

// put drives an output, where no interlock forbids it. It requests the line first, where somebody else had it when Halberd started.
func (l *Line) put(value int64) (changed bool, err error) {
	if l.locked != nil {
		return l.putLocked(value)
	}
	return l.write(value)
}

func (l *Line) write(value int64) (changed bool, err error) {
	if !l.output {
		return true, l.hold(&l.setup, hal.Some(value))
	}
	if err := l.held.set(l.bit, value); err != nil {
		return false, err
	}
	changed = l.driven != value
	l.driven = value
	return changed, nil
}

// What has a line for itself, as Busy names it.
const (
	byPulse = "pulse"
	byLease = "lease"
)

// free refuses a line that something has for itself.
func (l *Line) free() error {
	if l.busy != "" {
		return hal.BusyDevice(class, l.id, l.busy)
	}
	return nil
}

// writable refuses a line that is not free, or no output.
func (l *Line) writable() error {
	if err := l.free(); err != nil {
		return err
	}
	if l.setup.direction != directionOutput {
		return &hal.NotSupported{Feature: directionOutput}
	}
	return nil
}

// refuse turns an error into the refusal that the contract has for it. For a line that somebody else has, it asks the kernel who.
func (l *Line) refuse(err error) error {
	if !errors.Is(err, unix.EBUSY) {
		return hal.Refuse(class, l.id, err)
	}
	holder := ""
	if info, err := l.chip.info(l.offset); err == nil {
		holder = gpiocdev.BytesToString(info.Consumer[:])
	}
	return hal.BusyDevice(class, l.id, holder)
}

// unplug lets go of a line that is gone, and tells its watchers.
func (l *Line) unplug() {
	l.locked.leave(l)
	l.close()
	l.feed.Publish(change{err: hal.GoneDevice(class, l.id)})
}

// close lets go of the line, and of the others of its group, which go with it. A pulse ends: nobody else would end it.
func (l *Line) close() {
	l.ended = true
	l.rest()
	l.leave()
	l.endPulses()
	l.closeLeases()
	l.guard.Close(l.chip.bus, func() {
		for _, m := range l.mates() {
			if m.pulse != nil {
				if _, err := m.put(1 - m.pulse.value); err == nil {
					m.rested()
				}
			}
		}
		if l.held != nil {
			l.held.close()
			l.held, l.output = nil, false
		}
	})
}

// mates are the lines that one guard is of: those of the group, or the line alone.
func (l *Line) mates() (all []*Line) {
	if l.group == nil {
		return []*Line{l}
	}
	for _, m := range l.group.lines {
		if m != nil {
			all = append(all, m)
		}
	}
	return all
}
