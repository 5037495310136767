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
	err := p.call.op.watch(s)
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
type slot[R any] struct {
	event   R
	waiting bool
}

// watching is a call that watches several devices.
type watching[D Device, P, R any, PP messageOf[P], PR messageOf[R]] struct {
	targets[D]
	in    P
	out   R
	state func(D, *P, *R) error
	start func(d D, in *P, w *Watcher[R]) (stop func(), err error)
}

func (o *watching[D, P, R, PP, PR]) params(f *Fields) {
	o.visit(f)
	PP(&o.in).Fields(f)
}

func (o *watching[D, P, R, PP, PR]) results(f *Fields) {
	var first, none int64 = 1, 0
	eventFields(f, PR(&o.out), &first, &none)
}

func eventFields(f *Fields, event Message, sequence, lost *int64) {
	event.Fields(f)
	f.Int("sequence", sequence, Unitless, "Counts the events of this watch from 1, skipped ones included.")
	f.Int("lost", lost, Unitless, "How many events were skipped before this one, because the reader was slow.")
}

// run gives the current state once, which one reply can hold for one device.
func (o *watching[D, P, R, PP, PR]) run(Holder) error {
	if len(o.list) > 1 {
		return &InvalidParameter{Parameter: o.name, What: "several devices can only be watched with more"}
	}
	return o.state(o.list[0].dev, &o.in, &o.out)
}

func (o *watching[D, P, R, PP, PR]) watch(s *Session) error {
	slots := make([]slot[R], len(o.list))
	send := func(i int) {
		slots[i].waiting = !s.event(PR(&slots[i].event))
	}
	s.flush = func() {
		for i := range slots {
			if slots[i].waiting {
				send(i)
			}
		}
	}
	emit := func(i int, event *R) {
		if s.stopped {
			return
		}
		if slots[i].waiting {
			s.lost++
		}
		slots[i].event = *event
		send(i)
	}
	for i := range o.list {
		if err := o.begin(s, i, emit); err != nil {
			return err
		}
		if s.stopped {
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

// begin sends the state of the i-th device and then its changes.
func (o *watching[D, P, R, PP, PR]) begin(s *Session, i int, emit func(int, *R)) error {
	dev, now := o.list[i].dev, new(R)
	follow := func() error {
		emit(i, now)
		if s.stopped {
			return nil
		}
		stop, err := o.start(dev, &o.in, &Watcher[R]{func(event *R) { emit(i, event) }, s.fail, now})
		if err == nil {
			s.stopAtEnd(stop)
		}
		return err
	}
	if dev.Bus() == "" {
		if err := o.state(dev, &o.in, now); err != nil {
			return err
		}
		return follow()
	}
	var err error
	return s.sink.Submit(dev.Bus(), func() { err = o.state(dev, &o.in, now) }, func() {
		if s.stopped {
			return
		}
		if err == nil {
			err = follow()
		}
		if err != nil {
			s.fail(err)
		}
	})
}

func (o *watching[D, P, R, PP, PR]) reset() {
	o.clear()
	o.in, o.out = *new(P), *new(R)
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
