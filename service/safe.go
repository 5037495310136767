package service

import (
	"errors"
	"slices"
	"syscall"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/claim"
	"github.com/halberd-io/halberd/service/dispatch"
)

// safeOut is what Safe answers.
type safeOut struct{ outputs int64 }

func (p *safeOut) Fields(f *hal.Fields) {
	f.Int("outputs", &p.outputs, hal.Unitless, "How many outputs have a safe value, and were brought to it.")
}

// output is one that is being brought to its safe value.
type output struct {
	hal.SafeOutput
	class string
	done  bool
}

func (o *output) name() string { return o.class + "/" + o.Device.ID() }

// safing is one call of Safe on its way. It belongs to the loop's goroutine.
type safing struct {
	server  *Server
	outputs []*output
	left    int // that nothing is known of yet
	failed  hal.NotSafe
	stop    func() // of the deadline
	end     func(error)
}

// safe brings all outputs to their safe values. Buses are worked on side by side; what hangs on none is done at once.
func (s *Server) safe(_ hal.Holder, _ *hal.None, out *safeOut, done func(error)) {
	r := &safing{server: s, outputs: s.safeOutputs()}
	r.left, out.outputs = len(r.outputs), int64(len(r.outputs))
	r.end = func(err error) {
		r.end = nil
		done(err)
	}
	r.stop = s.loop.After(dispatch.Deadline, r.expire).Stop
	for bus, outputs := range r.byBus() {
		r.submit(bus, outputs)
	}
	s.loop.Post(r.settle)
}

// safeOutputs lists them, those first that are to be switched off: what must not be on together never is.
func (s *Server) safeOutputs() (all []*output) {
	for _, class := range s.classes {
		if class.Safe == nil {
			continue
		}
		for _, o := range class.Safe() {
			all = append(all, &output{SafeOutput: o, class: class.Name})
		}
	}
	slices.SortStableFunc(all, func(a, b *output) int { return int(min(a.Value, 1) - min(b.Value, 1)) })
	return all
}

func (r *safing) byBus() map[string][]*output {
	all := map[string][]*output{}
	for _, o := range r.outputs {
		bus := o.Device.Bus()
		all[bus] = append(all[bus], o)
	}
	return all
}

// submit brings the outputs of one bus to their safe values, as one job: a bus may have more of them than its worker takes jobs.
func (r *safing) submit(bus string, outputs []*output) {
	run := func() {
		for _, o := range outputs {
			r.report(o, o.Bring())
		}
	}
	if bus == "" {
		run()
		r.server.safeAgain(outputs)
	} else if r.server.loop.Submit(bus, run, func() {}) != nil {
		for _, o := range outputs {
			r.report(o, hal.BusyDevice(o.class, o.Device.ID(), ""))
		}
	}
}

// safeAgain brings outputs to their safe values once more, each behind the calls that were on their way before and change it late.
func (s *Server) safeAgain(outputs []*output) {
	for _, o := range outputs {
		if s.claims.IsLate(o.name()) {
			s.safeBehind(o)
		}
	}
}

func (s *Server) safeBehind(o *output) {
	if s.claims.IsLate(o.name()) {
		s.loop.After(claim.Retry, func() { s.safeBehind(o) })
	} else if err := o.Bring(); err != nil {
		s.log.Error("cannot bring an output to its safe value", "class", o.class, "device", o.Device.ID(), "error", err)
	}
}

// report tells what became of an output, from any goroutine, once the loop comes to it.
func (r *safing) report(o *output, err error) {
	r.server.loop.Post(func() { r.took(o, err) })
}

// took notes what became of an output.
func (r *safing) took(o *output, err error) {
	if o.done {
		return
	}
	o.done = true
	r.left--
	if err != nil {
		r.fail(o, err)
	}
	r.settle()
}

// fail notes why an output failed.
func (r *safing) fail(o *output, err error) {
	r.server.log.Error("cannot bring an output to its safe value", "class", o.class, "device", o.Device.ID(), "error", err)
	r.failed.Failures++
	if len(r.failed.Failed) == hal.MaxFailed {
		return
	}
	refusal := refusalOf(err)
	r.failed.Failed = append(r.failed.Failed, hal.FailedOutput{
		Class: o.class, Device: o.Device.ID(), Error: refusal.ErrorName(), Reason: refusal.Error(),
	})
}

// refusalOf gives the error that a call would have been answered with.
func refusalOf(err error) hal.Refusal {
	if refusal, ok := errors.AsType[hal.Refusal](err); ok {
		return refusal
	}
	errno := syscall.EIO
	errors.As(err, &errno)
	return hal.SystemError(errno)
}

// expire gives up waiting. What a worker still does, it does.
func (r *safing) expire() {
	for _, o := range r.outputs {
		r.took(o, hal.SlowDevice(o.class, o.Device.ID()))
	}
}

// settle answers the call once all is known.
func (r *safing) settle() {
	if r.left > 0 || r.end == nil {
		return
	}
	r.stop()
	r.server.log.Info("outputs were brought to their safe values", "outputs", len(r.outputs), "failed", r.failed.Failures)
	if r.failed.Failures > 0 {
		r.end(&r.failed)
	} else {
		r.end(nil)
	}
}
