// Package gpio is the class Gpio: single lines of GPIO chips, through version 2 of the character device.
//
// A line that board.toml declares as an output is requested when Halberd starts and held from then on: Set is one system call. Any other line is requested for a moment to read it, and while it is
// watched; what it is configured as is left alone. Values are logical: an active-low line is at 1 when its level is low.
//
// The kernel's structures are those of github.com/warthog618/go-gpiocdev/uapi. Its functions are not used, since they call the kernel themselves, while here everything goes through
// hal.Kernel, where the simulated board can stand.
//
// Minimum kernel: Linux 5.10. Source: Linux include/uapi/linux/gpio.h and Documentation/userspace-api/gpio/chardev.rst.
package gpio

import (
	"errors"
	"strconv"
	"sync"

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
	setup setup

	mu     sync.Mutex // guards what follows: GetMany may read lines of several chips on one worker
	held   *request   // nil while nobody holds the line
	output bool       // held is an output, and stays
	driven int64      // what an output was set to
	seen   int64      // what was read last

	watching // what its watchers know
}

// ID is the name in board.toml, else the kernel's, else that of the chip and the offset.
func (l *Line) ID() string { return l.id }

// Bus names the bus that the chip hangs on, where that may be slow.
func (l *Line) Bus() string { return l.chip.bus }

// Declaration is the line's table in board.toml, for a product to add a direction to.
func (l *Line) Declaration() string {
	return hal.Declaration("gpio", l.id, hal.TextKey("chip", l.chip.spec), hal.Key{Name: "line", Value: strconv.Itoa(int(l.offset))})
}

// hold requests a declared output and drives a value; without one the line goes on with what it has, and makes no edge.
func (l *Line) hold(value hal.Opt[int64]) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.holdLocked(value)
}

func (l *Line) holdLocked(value hal.Opt[int64]) error {
	config := l.setup.asIs()
	if value.Set {
		config = output(l.setup.flags, value.Value)
	}
	r, err := l.chip.request(l.offset, config)
	if err != nil {
		return err
	}
	if !value.Set {
		if value.Value, err = l.adopt(r); err != nil {
			r.close()
			return err
		}
	}
	l.held, l.output, l.driven = r, true, value.Value
	return nil
}

// adopt makes a line that was requested as it is an output of the value that it has.
func (l *Line) adopt(r *request) (int64, error) {
	value, err := r.get()
	if err != nil {
		return 0, err
	}
	return value, r.configure(output(l.setup.flags, value))
}

// read reads the line, which may be any.
func (l *Line) read() (value int64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.held
	if r == nil {
		if r, err = l.chip.request(l.offset, l.setup.toRead()); err != nil {
			return 0, err
		}
		defer r.close()
	}
	if value, err = r.get(); err == nil {
		l.seen = value
	}
	return value, err
}

// set drives an output. It is one system call and does not allocate.
func (l *Line) set(value int64) error {
	if l.setup.direction != directionOutput {
		return &hal.NotSupported{Feature: directionOutput}
	}
	l.mu.Lock()
	changed, err := l.setLocked(value)
	l.mu.Unlock()
	if err != nil {
		return l.refuse(err)
	}
	if changed {
		l.report(value)
	}
	return nil
}

// setLocked requests the line first, where somebody else had it when Halberd started.
func (l *Line) setLocked(value int64) (changed bool, err error) {
	if !l.output {
		return true, l.holdLocked(hal.Some(value))
	}
	if err := l.held.set(value); err != nil {
		return false, err
	}
	changed = l.driven != value
	l.driven = value
	return changed, nil
}

// toggle sets an output to the opposite of what it was set to.
func (l *Line) toggle() error {
	l.mu.Lock()
	value := 1 - l.driven
	l.mu.Unlock()
	return l.set(value)
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

// close lets go of the line.
func (l *Line) close() {
	l.leave()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held != nil {
		l.held.close()
		l.held, l.output = nil, false
	}
}
