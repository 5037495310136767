// Package dispatch takes one call from its envelope to its reply: method, gate, run, reply.
//
// The errors of a call are decided in the order that the contract gives: no such method; not permitted at all, before the parameters are read; bad
// parameters; not permitted for this device or these values; no such device; and then whatever the hardware says.
package dispatch

import (
	"errors"
	"log/slog"
	"syscall"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/wire"
)

// Peer is the caller as dispatch sees it, and the way back to it. Its methods are called on the loop's goroutine.
type Peer interface {
	hal.Gate
	// Enter refuses a method that the caller may not call at all, whatever the parameters are. They are for its records, and decide nothing.
	Enter(m *hal.Method, parameters wire.Value) error
	// Connected is false for a datagram, whose caller has no end.
	Connected() bool
	// Account is whom a call that waits for a bus counts for.
	Account() uint32
	// Holder stands for the caller's connection, or for the datagram.
	Holder() hal.Holder
	// ReplyLimit is the longest reply that can be sent, in bytes.
	ReplyLimit() int
	// Blocked refuses a call that would change a device which somebody else has for itself.
	Blocked(call *hal.Call) error
	// MayPass refuses a call on so many devices whose reply would have descriptors, where too many were passed and not received yet, or too many devices are leased.
	MayPass(devices int) error
	// Attach hands over the descriptors that ride the reply which Serve returns, or which Finish is called with, next.
	Attach(files []int)
	// Finish sends the reply of a call for which Serve said Waiting. nil is the reply of a oneway call.
	Finish(reply []byte)
	// Reserve makes room for a watch of so many devices, or refuses it; one without devices counts as one. What was reserved is given back where no watch comes of it, and when it ends.
	Reserve(devices int) error
	// Watching hands over the running watch of a call for which Serve said Watching. It is called before Serve returns,
	// with nil where there is none after all.
	Watching(s *hal.Session)
	// Event sends an event of that watch and reports false where the reader is too far behind.
	Event(reply []byte) bool
	// EndWatch sends the last reply of that watch, an error.
	EndWatch(reply []byte)
}

// Status says what became of a call.
type Status uint8

const (
	// Done: the reply was appended; nothing was, for a oneway call.
	Done Status = iota
	// Waiting: the call runs on, on a worker or otherwise, and Peer.Finish gets the reply.
	Waiting
	// Watching: the call is a watch now, and Peer.Event gets its replies.
	Watching
)

// Deadline is how long a call may wait for hardware on a slow bus.
const Deadline = hal.Patience

// Loop is the loop as dispatch sees it.
type Loop interface {
	hal.Loop
	// SubmitFor is Submit for one of several that share a bus, none of whom may have all of its room.
	SubmitFor(owner uint32, bus string, job, done func()) error
}

// Dispatcher carries calls out. It belongs to the loop's goroutine.
type Dispatcher struct {
	Catalog *hal.Catalog
	Loop    Loop
	Log     *slog.Logger
	// Late notes that a call changes a device once a bus has time for it, though the device is on none, and gives what is to be called when that is over.
	Late func(class, id string) (over func())

	event []byte // where events are encoded
}

// Serve carries out one call and appends its reply to dst.
func (d *Dispatcher) Serve(e *Envelope, p Peer, dst []byte) ([]byte, Status) {
	from := len(dst)
	dst, status := d.serve(e, p, dst)
	if e.Oneway {
		return dst[:from], status
	}
	return fit(dst, from, p.ReplyLimit()), status
}

func (d *Dispatcher) serve(e *Envelope, p Peer, dst []byte) ([]byte, Status) {
	m := d.Catalog.Method(e.Method)
	if m == nil {
		return d.refuse(dst, nil, MethodNotFound(string(e.Method))), Done
	}
	if e.Upgrade || !p.Connected() && (e.More || m.NeedsConnection) {
		return d.refuse(dst, m, MethodNotImplemented(m.FullName())), Done
	}
	if err := p.Enter(m, e.Parameters); err != nil {
		return d.refuse(dst, m, err), Done
	}
	call, err := m.Decode(e.Parameters)
	if err != nil {
		return d.refuse(dst, m, err), Done
	}
	permitted, err := call.Authorise(p)
	if err != nil {
		call.Release()
		return d.refuse(dst, m, err), Done
	}
	return d.run(e, p, call, permitted, dst)
}

func (d *Dispatcher) run(e *Envelope, p Peer, call *hal.Call, permitted hal.Permitted, dst []byte) ([]byte, Status) {
	m := call.Method
	bus, err := permitted.Bus()
	if err == nil && m.Verb != hal.Observe {
		err = p.Blocked(call)
	}
	if err == nil && m.PassesFiles {
		err = p.MayPass(call.Devices())
	}
	if err != nil {
		call.Release()
		return d.refuse(dst, m, err), Done
	}
	if e.More && m.Watches {
		return d.watch(p, permitted, m, max(call.Devices(), 1), dst)
	}
	if m.Later {
		return d.start(e.Oneway, p, call, permitted, dst)
	}
	if bus != "" {
		return d.submit(bus, e.Oneway, p, call, permitted, dst)
	}
	err = permitted.Run(p.Holder())
	dst = d.reply(dst, m, permitted, err)
	d.pass(e.Oneway, p, permitted, err)
	call.Release()
	return dst, Done
}

// pass hands the descriptors of a reply on.
func (d *Dispatcher) pass(oneway bool, p Peer, permitted hal.Permitted, err error) {
	files := permitted.Files()
	switch {
	case len(files) == 0:
	case oneway || err != nil:
		hal.CloseFiles(files)
	default:
		p.Attach(files)
	}
}

// start begins a call that is answered later.
func (d *Dispatcher) start(oneway bool, p Peer, call *hal.Call, permitted hal.Permitted, dst []byte) ([]byte, Status) {
	m, limit := call.Method, p.ReplyLimit()
	var early error
	begun, answered := false, false
	permitted.Start(p.Holder(), func(err error) {
		if !begun {
			early, answered = err, true
			return
		}
		d.finish(oneway, p, m, permitted, limit, err)
		call.Release()
	})
	begun = true
	if !answered {
		return dst, Waiting
	}
	dst = d.reply(dst, m, permitted, early)
	d.pass(oneway, p, permitted, early)
	call.Release()
	return dst, Done
}

// finish answers a call that was not answered at once.
func (d *Dispatcher) finish(oneway bool, p Peer, m *hal.Method, permitted hal.Permitted, limit int, err error) {
	reply := fit(d.reply(nil, m, permitted, err), 0, limit)
	d.pass(oneway, p, permitted, err)
	if oneway {
		reply = nil
	}
	p.Finish(reply)
}

// submit lets the worker of a bus run the call. A call that is not back at its deadline is answered without it; its memory is not used again, since the
// worker may still write there.
func (d *Dispatcher) submit(bus string, oneway bool, p Peer, call *hal.Call, permitted hal.Permitted, dst []byte) ([]byte, Status) {
	var (
		runErr   error
		late     bool
		m        = call.Method
		holder   = p.Holder()
		limit    = p.ReplyLimit()
		class    = m.Class
		deviceID = call.DeviceID(0)
	)
	stop := d.Loop.After(Deadline, func() {
		late = true
		d.finish(oneway, p, m, permitted, limit, hal.SlowDevice(class, deviceID))
	})
	over := d.beside(class, permitted.Beside(bus))
	err := d.Loop.SubmitFor(p.Account(), bus, func() { runErr = permitted.Run(holder) }, func() {
		over()
		if late {
			if runErr == nil {
				permitted.Discard()
			}
			return
		}
		stop()
		d.finish(oneway, p, m, permitted, limit, runErr)
		call.Release()
	})
	if err != nil {
		over()
		stop()
		call.Release()
		return d.refuse(dst, m, hal.BusyDevice(class, deviceID, "")), Done
	}
	return dst, Waiting
}

// beside notes devices that a call changes late.
func (d *Dispatcher) beside(class string, ids []string) (over func()) {
	if len(ids) == 0 {
		return func() {}
	}
	var all []func()
	for _, id := range ids {
		all = append(all, d.Late(class, id))
	}
	return func() {
		for _, f := range all {
			f()
		}
	}
}

// watch starts a watch. Its call is never released: a worker may be reading a device's state for it when it ends.
func (d *Dispatcher) watch(p Peer, permitted hal.Permitted, m *hal.Method, devices int, dst []byte) ([]byte, Status) {
	if err := p.Reserve(devices); err != nil {
		return d.refuse(dst, m, err), Done
	}
	session, err := permitted.Watch(p.Holder(), &sink{d: d, p: p, m: m})
	if err != nil {
		p.Watching(nil)
		return d.refuse(dst, m, err), Done
	}
	p.Watching(session)
	return dst, Watching
}

// reply appends the results, or what went wrong.
func (d *Dispatcher) reply(dst []byte, m *hal.Method, permitted hal.Permitted, err error) []byte {
	if err != nil {
		return d.refuse(dst, m, err)
	}
	dst = permitted.Reply(append(dst, `{"parameters":`...))
	return append(dst, '}')
}

// fit replaces a reply that cannot be sent. Methods that change anything have short replies, and lists come in pages, so nothing is lost by it.
func fit(dst []byte, from, limit int) []byte {
	if len(dst)-from <= limit {
		return dst
	}
	return AppendError(dst[:from], &hal.MessageTooLarge{Limit: int64(limit)})
}

// refuse appends an error reply. What is no refusal is a failure of ours or of the kernel: it is logged, and the caller learns its number.
func (d *Dispatcher) refuse(dst []byte, m *hal.Method, err error) []byte {
	var refusal hal.Refusal
	if !errors.As(err, &refusal) {
		refusal = d.failure(m, err)
	}
	return AppendError(dst, refusal)
}

func (d *Dispatcher) failure(m *hal.Method, err error) hal.Refusal {
	d.Log.Error("call failed", "method", m.FullName(), "error", err)
	errno := syscall.EIO
	errors.As(err, &errno)
	return hal.SystemError(errno)
}

// AppendError appends a whole error reply.
func AppendError(dst []byte, r hal.Refusal) []byte {
	dst = wire.AppendString(append(dst, `{"error":`...), r.ErrorName())
	dst = hal.Encode(append(dst, `,"parameters":`...), r)
	return append(dst, '}')
}

// sink is the way of a watch's events to its peer.
type sink struct {
	d *Dispatcher
	p Peer
	m *hal.Method
}

// Event encodes a reply that others will follow.
func (s *sink) Event(encode func([]byte) []byte) bool {
	reply := encode(append(s.d.event[:0], `{"parameters":`...))
	s.d.event = append(reply, `,"continues":true}`...)
	return s.p.Event(s.d.event)
}

// Submit reads a device's state on its bus's worker.
func (s *sink) Submit(bus string, job, done func()) error {
	if s.d.Loop.Submit(bus, job, done) != nil {
		return hal.BusyDevice(s.m.Class, bus, "")
	}
	return nil
}

// Fail sends the error that ends a watch.
func (s *sink) Fail(err error) { s.p.EndWatch(s.d.refuse(nil, s.m, err)) }

// Refuse sends the error that ends a watch of a peer that may not go on with it.
func (d *Dispatcher) Refuse(m *hal.Method, err error) []byte { return d.refuse(nil, m, err) }
