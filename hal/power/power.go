// Package power is the class Power: the end and the sleep of the machine as a whole, and who holds them back.
//
// A class does not know how a machine is ended: it asks the hal.Machine that it was opened with, which is the init system's on a board, and writes down what it was asked for on the simulated one.
//
// A request is taken on, answered, and only then carried out: a caller whose machine goes down knows that it was heard. One request is taken on at a time. Who works on what must not be cut off
// has an inhibitor for as long: the writing end of a pipe, whose reading end Halberd waits for. However its holder ends, the kernel closes it, and the inhibitor is gone. A restart of Halberd
// is no end, where a service manager keeps its descriptors. Inhibitors hold back what is asked for through Halberd, and nothing else: neither `systemctl reboot` nor a button.
//
// Overriding inhibitors is a right of its own, and a right belongs to a method, whose verb an administrator grants. So it has methods of its own, with the verb administer: a parameter of
// Reboot would come with every grant of Reboot.
//
// Source: the init systems' own documentation, which the package that asks them names, and Linux Documentation/admin-guide/pm/sleep-states.rst. Any kernel that Halberd runs on will do.
package power

import (
	"time"

	"github.com/halberd-io/halberd/hal"
)

const (
	class = "Power"
	// grace is how long after its reply a request is carried out at the earliest. The reply is handed to the kernel in the same turn of the loop as the request; this leaves its reader the time to
	// take it before everything is told to end.
	grace = 100 * time.Millisecond
)

// power is the machine as the class has it. It belongs to the loop's goroutine.
type power struct {
	env        *hal.Env
	current    *request        // taken on, and not carried out yet
	last       hal.PowerAction // carried out last; "" for none
	inhibitors []*inhibitor
	changes    hal.Feed[event]
	closed     bool
}

// request is one that was taken on.
type request struct {
	hal.PowerRequest
	reason string
	due    time.Time
	begun  bool   // the machine is being asked
	stop   func() // of the timer
}

// take takes a request on, or says why not.
func (p *power) take(r *request, delay time.Duration) error {
	if err := p.able(&r.PowerRequest); err != nil {
		return err
	}
	if err := p.free(r); err != nil {
		return err
	}
	if p.current != nil {
		p.current.stop()
		p.env.Log.Warn("a request is replaced", "action", string(p.current.Action), "reason", p.current.reason)
	}
	delay = max(delay, grace)
	r.due = time.Now().Add(delay)
	p.current = r
	p.env.Log.Warn("the machine is going to be asked", "action", string(r.Action), "target", r.Target, "mode", r.Mode, "delay", delay, "forced", r.Force, "reason", r.reason)
	p.wait(delay)
	p.tell(eventRequested, nil)
	return nil
}

func (p *power) wait(delay time.Duration) { p.current.stop = p.env.Loop.After(delay, p.carryOut) }

// free refuses a request that somebody or another request stands against. One that is being carried out may hang, as a suspend does whose driver does: then another action can be forced.
func (p *power) free(r *request) error {
	if c := p.current; c != nil && (!r.Force || c.begun && c.Action == r.Action) {
		return hal.BusyDevice(class, string(c.Action), c.reason)
	}
	if r.Force {
		return nil
	}
	for _, i := range p.inhibitors {
		if i.covers(r.Action) {
			return hal.BusyDevice(class, string(r.Action), i.why)
		}
	}
	return nil
}

// able refuses what the machine cannot do, and chooses a mode where none was given.
func (p *power) able(r *hal.PowerRequest) error {
	can := p.abilities()
	switch {
	case r.Action == hal.Reboot && !can.Reboot, r.Action == hal.PowerOff && !can.PowerOff, r.Action == hal.Suspend && len(can.Suspend) == 0:
		return &hal.NotSupported{Feature: string(r.Action)}
	case r.Target != "" && !can.Targets:
		return &hal.NotSupported{Feature: "target"}
	case r.Action == hal.Suspend:
		return chooseMode(r, can.Suspend)
	}
	return nil
}

// abilities are the machine's.
func (p *power) abilities() hal.PowerAbilities {
	if p.env.Machine == nil {
		return hal.PowerAbilities{Init: "unknown", Way: "none"}
	}
	return p.env.Machine.Abilities()
}

// carryOut asks the machine, on a worker for each action: that of a suspend is busy as long as the machine sleeps.
func (p *power) carryOut() {
	r := p.current
	var err error
	ask := func() { err = p.env.Machine.Ask(r.PowerRequest) }
	if p.env.Loop.Submit("power "+string(r.Action), ask, func() { p.carriedOut(r, err) }) != nil {
		p.wait(grace)
		return
	}
	r.begun = true
}

// carriedOut tells what became of a request. A machine that goes down goes on with it by itself.
func (p *power) carriedOut(r *request, err error) {
	if p.closed {
		return
	}
	if p.current != r {
		p.env.Log.Info("a request was carried out that another one had taken the place of", "action", string(r.Action), "err", err)
		return
	}
	if err != nil {
		p.env.Log.Error("the machine cannot be asked", "action", string(r.Action), "reason", r.reason, "err", err)
		p.tell(eventFailed, err)
	} else {
		p.env.Log.Info("the machine was asked", "action", string(r.Action), "reason", r.reason)
		p.last = r.Action
		p.tell(eventDone, nil)
	}
	p.current = nil
}

// close drops the request that waits, and all inhibitors.
func (p *power) close() {
	if p.closed {
		return
	}
	p.closed = true
	if r := p.current; r != nil && !r.begun {
		r.stop()
		p.env.Log.Warn("a request is dropped, since Halberd ends", "action", string(r.Action), "reason", r.reason)
	}
	for _, i := range p.inhibitors {
		p.letGo(i)
	}
	p.inhibitors = nil
}
