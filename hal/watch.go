package hal

import "errors"

var errNoWatch = errors.New("cannot watch: the method reports no changes")

// Sink takes the events of one watch to their reader. All its methods are called on the loop's goroutine.
type Sink interface {
	// Event queues one reply of the watch, which is encoded by encode, and reports false where the reader is so far behind that it was not taken.
	Event(encode func(dst []byte) []byte) bool
	// Submit runs job on the worker of a bus and then done on the loop, as Loop does.
	Submit(bus string, job, done func()) error
	// Fail ends the watch with an error. The session was stopped already.
	Fail(err error)
}

// Session is a running watch: the current state of each device first, then its changes. Each event has a sequence number, one more than that of the event before,
// skipped ones counted. A slow reader does not get every event: of each device the newest waits until there is room, and `lost` says how many were skipped since the last one it got.
type Session struct {
	call     *Call
	holder   Holder
	sink     Sink
	sequence int64
	lost     int64
	flush    func()
	stops    []func()
	stopped  bool
	begun    bool  // Watch has returned, and Fail is how an error is told
	early    error // one that came before
}

// Watch starts a watch for whoever calls. On an error nothing is left running.
func (p Permitted) Watch(h Holder, sink Sink) (*Session, error) {
	s := &Session{call: p.call, holder: h, sink: sink}
	err := errNoWatch
	if p.call.op.watch != nil {
		err = p.call.op.watch(s)
	}
	s.begun = true
	if err == nil {
		err = s.early
	}
	if err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// Call is the call that began the watch, to ask a gate about again. It is never released for another one, since a worker may still be reading for it.
func (s *Session) Call() *Call { return s.call }

// Flush sends what waited for room.
func (s *Session) Flush() {
	if !s.stopped {
		s.flush()
	}
}

// Stop ends the watch. It may be called twice.
func (s *Session) Stop() {
	if s.stopped {
		return
	}
	s.stopped = true
	for _, stop := range s.stops {
		stop()
	}
	s.stops = nil
}

// stopAtEnd calls stop when the watch ends: at once where its reader ended it meanwhile.
func (s *Session) stopAtEnd(stop func()) {
	if s.stopped {
		stop()
		return
	}
	s.stops = append(s.stops, stop)
}

// fail ends the watch with an error: that of Watch itself, where it has not returned yet.
func (s *Session) fail(err error) {
	if s.stopped {
		return
	}
	s.Stop()
	if s.begun {
		s.sink.Fail(err)
	} else {
		s.early = err
	}
}

// slot is the newest event of one device that is not sent yet.
type slot struct {
	event   Message
	waiting bool
}

func eventFields(f *Fields, event Message, sequence, lost *int64) {
	event.Fields(f)
	f.Int("sequence", sequence, Unitless, "Counts the events of this watch from 1, skipped ones included.")
	f.Int("lost", lost, Unitless, "How many events were skipped before this one, because the reader was slow.")
}

// alone gives the current state once, which one reply can hold for one device.
func (o *operation) alone(state func() error) error {
	if len(o.targets) > 1 {
		return &InvalidParameter{Parameter: o.name, What: "several devices can only be watched with more"}
	}
	return state()
}

// follow begins a watch of the devices of a call.
func follow[D Device, P, R any, PR messageOf[R]](o *operation, s *Session, in *P, state func(D, *P, *R) error, start func(D, *P, *Watcher[R]) (func(), error)) error {
	newest, first := make([]R, len(o.targets)), make([]R, len(o.targets))
	w := &following{session: s, slots: make([]slot, len(o.targets))}
	emit := func(i int, event *R) { w.emit(i, func() { newest[i] = *event }) }
	w.state = func(i int) error { return state(o.targets[i].dev.(D), in, &first[i]) }
	w.start = func(i int) (func(), error) {
		emit(i, &first[i])
		if s.stopped {
			return nil, nil
		}
		return start(o.targets[i].dev.(D), in, &Watcher[R]{func(event *R) { emit(i, event) }, s.fail, &first[i]})
	}
	for i := range newest {
		w.slots[i].event = PR(&newest[i])
	}
	return w.begin(o)
}

// following is a watch of several devices.
type following struct {
	session *Session
	slots   []slot
	state   func(i int) error                    // reads the state of a device
	start   func(i int) (stop func(), err error) // tells it, and then what follows
}

// emit takes a device's newest event, by keep, and sends it where there is room.
func (w *following) emit(i int, keep func()) {
	if w.session.stopped {
		return
	}
	if w.slots[i].waiting {
		w.session.lost++
	}
	keep()
	w.send(i)
}

func (w *following) send(i int) { w.slots[i].waiting = !w.session.event(w.slots[i].event) }

// flush sends what waited.
func (w *following) flush() {
	for i := range w.slots {
		if w.slots[i].waiting {
			w.send(i)
		}
	}
}

func (w *following) begin(o *operation) error {
	w.session.flush = w.flush
	for i := range o.targets {
		if err := w.beginOne(i, o.targets[i].dev.Bus()); err != nil {
			return err
		}
		if w.session.stopped {
			break
		}
	}
	return nil
}

// event sends one event, or reports that it has to wait.
func (s *Session) event(m Message) bool {
	if s.stopped {
		return false
	}
	sequence := s.sequence + s.lost + 1
	f := &s.call.fields
	sent := s.sink.Event(func(dst []byte) []byte {
		f.mode, f.out = encoding, append(dst, '{')
		eventFields(f, m, &sequence, &s.lost)
		dst = append(f.out, '}')
		f.out = nil
		return dst
	})
	if sent {
		s.sequence, s.lost = sequence, 0
	}
	return sent
}

// beginOne sends the state of the i-th device and then its changes.
func (w *following) beginOne(i int, bus string) error {
	if bus == "" {
		if err := w.state(i); err != nil {
			return err
		}
		return w.goOn(i)
	}
	var err error
	return w.session.sink.Submit(bus, func() { err = w.state(i) }, func() {
		if w.session.stopped {
			return
		}
		if err == nil {
			err = w.goOn(i)
		}
		if err != nil {
			w.session.fail(err)
		}
	})
}

// goOn begins to follow a device whose state was read.
func (w *following) goOn(i int) error {
	stop, err := w.start(i)
	if err == nil && stop != nil {
		w.session.stopAtEnd(stop)
	}
	return err
}

// Watcher is who watches one device. It belongs to the loop's goroutine.
type Watcher[R any] struct {
	emit  func(*R)
	fail  func(error)
	state *R
}

// State is what the watcher was told first, before it began to wait for changes: what happened in between is nobody's to tell but the class's, which can compare.
func (w *Watcher[R]) State() *R { return w.state }

// Emit reports a change.
func (w *Watcher[R]) Emit(event *R) { w.emit(event) }

// Fail ends the watch, of all its devices, with an error: the device is gone, or a worker could not begin.
func (w *Watcher[R]) Fail(err error) { w.fail(err) }
