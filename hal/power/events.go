package power

import (
	"math"
	"time"

	"github.com/halberd-io/halberd/hal"
)

// What an event tells.
const (
	eventIdle       = "idle"
	eventRequested  = "requested"
	eventDone       = "done"
	eventFailed     = "failed"
	eventInhibitors = "inhibitors"
)

// event is what watchers are told.
type event struct {
	Event          string
	Action, Reason hal.Opt[string]
	Left           hal.Opt[int64]
	Failure        hal.Opt[string]
	Inhibitors     int64
}

func (e *event) Fields(f *hal.Fields) {
	f.Enum("event", &e.Event, []string{eventIdle, eventRequested, eventDone, eventFailed, eventInhibitors}, "idle: no request waits, as a watch may begin. requested: one was taken on. done: the machine was asked and "+
		"goes down, or slept and is awake again. failed: it could not be asked. inhibitors: their number changed.")
	f.OptEnum("action", &e.Action, []string{string(hal.Reboot), string(hal.PowerOff), string(hal.Suspend)}, "What was asked for; absent while there is no request.")
	f.OptText("reason", &e.Reason, "Why.")
	f.OptIntIn("leftMSec", &e.Left, 0, math.MaxInt64, hal.Milliseconds, "What is left of the delay of a request that waits.")
	f.OptText("failure", &e.Failure, "What was wrong, for a person; of failed alone.")
	f.IntIn("inhibitors", &e.Inhibitors, 0, maxInhibitors, hal.Unitless, "How many inhibitors there are.")
}

// now makes an event of how things stand.
func (p *power) now(what string) event {
	e := event{Event: what, Inhibitors: int64(len(p.inhibitors))}
	r := p.current
	if r == nil {
		return e
	}
	e.Action, e.Reason = hal.Some(string(r.Action)), hal.Some(r.reason)
	if !r.begun {
		e.Left = hal.Some(max(0, time.Until(r.due)).Milliseconds())
	}
	return e
}

// tell tells the watchers.
func (p *power) tell(what string, failure error) {
	e := p.now(what)
	if failure != nil {
		e.Failure = hal.Some(failure.Error())
	}
	p.changes.Publish(e)
}

// state is what a watch begins with.
func (p *power) state(_ hal.Holder, _ *hal.None, out *event) error {
	*out = p.now(eventIdle)
	if p.current != nil {
		out.Event = eventRequested
	}
	return nil
}

func (p *power) follow(_ hal.Holder, _ *hal.None, w *hal.Watcher[event]) (stop func(), err error) {
	return p.changes.Subscribe(func(e event) { w.Emit(&e) }), nil
}
