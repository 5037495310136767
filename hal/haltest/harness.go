package haltest

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/wire"
)

// Harness is one class over a kernel that nobody has touched yet. The suite opens the class itself.
type Harness struct {
	Driver  hal.Driver
	Kernel  hal.Kernel // one that is a hal.Machine is the machine, too
	Entries []Entry    // what board.toml says
	// Calls has at least one call of each method, with devices that the kernel has. Each is made on a class that was just opened.
	Calls []Call
	// Opened counts the descriptors that the kernel has open where they are not the process's own; nil where they are.
	Opened func() int
	// Unplug takes devices of the kernel away, Plug brings them back as they were, as often as they are called. A class with a Rescan needs both.
	Unplug, Plug func()
	// Close ends what was begun for the harness; may be nil.
	Close func()
}

// Call is a call that the class carries out on the harness's kernel.
type Call struct {
	Method     string
	Parameters string // a JSON object
	// Refusal names the error where the kernel of the harness cannot do it: io.halberd.NotSupported. "" for a call that succeeds.
	Refusal string
	// Tolerates says why the call may succeed though a call of the kernel failed; "" where it may not.
	Tolerates string
}

// Entry declares a device as board.toml does: table, ID, and the keys as a JSON object.
type Entry struct{ Table, ID, Keys string }

// Run runs the suite over a class. open is called anew for each check and for each injected fault. On the targets, which are emulated, each call of the kernel fails with one errno and not with all in turn:
// that takes minutes there.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	quick := runtime.GOARCH != "amd64"
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			for _, problem := range c.problems(func() Harness { return open(t) }, quick) {
				t.Error(problem)
			}
		})
	}
}

// checks are the checks in the order in which a broken class is best mended.
var checks = []check{
	{"documented", documented},
	{"text", text},
	{"names", names},
	{"calls", calls},
	{"watches", watches},
	{"gate", gated},
	{"malformed", malformed},
	{"faults when opening", faultsOpening},
	{"faults in a call", faultsCalling},
	{"faults when closing", faultsClosing},
	{"rescan", rescanned},
	{"faults in a rescan", faultsRescanning},
	{"close", closed},
}

type check struct {
	name string
	find func(*findings)
}

// problems makes the check.
func (c check) problems(open func() Harness, quick bool) []string {
	f := &findings{open: open, quick: quick, seen: map[string]bool{}}
	c.find(f)
	return f.problems
}

// findings is what one check works with.
type findings struct {
	open     func() Harness
	quick    bool // whether a call fails with one errno, and not with each in turn
	problems []string
	seen     map[string]bool
}

// add writes a problem down, once.
func (f *findings) add(format string, args ...any) {
	problem := fmt.Sprintf(format, args...)
	if !f.seen[problem] {
		f.seen[problem] = true
		f.problems = append(f.problems, problem)
	}
}

// with opens the class, lets do work with it, and closes everything again.
func (f *findings) with(do func(*bench)) {
	b := newBench(f.open())
	defer b.end()
	if err := b.openClass(); err != nil {
		f.add("cannot open the class: %v", err)
		return
	}
	do(b)
}

// entry decodes an entry as the configuration does.
func (h *Harness) entry(e Entry) (hal.Entry, error) {
	for i := range h.Driver.Tables {
		table := &h.Driver.Tables[i]
		if table.Name != e.Table {
			continue
		}
		if err := wire.Valid([]byte(e.Keys)); err != nil {
			return hal.Entry{}, fmt.Errorf("%s.%s: %w", e.Table, e.ID, err)
		}
		v, err := table.Decode(wire.Trim([]byte(e.Keys)))
		if err != nil {
			return hal.Entry{}, fmt.Errorf("%s.%s: %w", e.Table, e.ID, err)
		}
		return hal.Entry{Table: e.Table, ID: e.ID, Where: "board.toml:1", Value: v}, nil
	}
	return hal.Entry{}, fmt.Errorf("the class has no table %s", e.Table)
}
