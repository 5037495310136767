package hal

// maxWaiting is how many events of a stream wait for a slow reader.
const maxWaiting = 256

// Stream declares a Watch without devices. first makes the event that comes at once, and alone without more. start calls the Watcher's Emit for each event from then on, on the loop's goroutine,
// until it is stopped. Events are told one by one: up to 256 wait for a slow reader, and then the oldest are skipped and counted in `lost`.
func Stream[P, R any, PP messageOf[P], PR messageOf[R]](verb Verb, name, doc string,
	first func(Holder, *P, *R) error, start func(h Holder, in *P, w *Watcher[R]) (stop func(), err error)) *Method {
	m := declare(verb, name, doc, "", func() *operation {
		o, in, out := newOperation[P, R, PP, PR](nil, "")
		o.events = true
		o.run = func(h Holder) error { return first(h, in, out) }
		o.watch = func(s *Session) error { return stream[P, R, PR](s, in, first, start) }
		return o
	})
	m.Watches = true
	return m
}

// stream begins the watch.
func stream[P, R any, PR messageOf[R]](s *Session, in *P, first func(Holder, *P, *R) error, start func(Holder, *P, *Watcher[R]) (func(), error)) error {
	b := &backlog[R, PR]{session: s}
	s.flush = b.flush
	event := new(R)
	if err := first(s.holder, in, event); err != nil {
		return err
	}
	b.emit(event)
	if s.stopped {
		return nil
	}
	stop, err := start(s.holder, in, &Watcher[R]{emit: b.emit, fail: s.fail, state: event})
	if err == nil {
		s.stopAtEnd(stop)
	}
	return err
}

// backlog is the events of a stream that wait for its reader, the oldest first.
type backlog[R any, PR messageOf[R]] struct {
	session *Session
	waiting []R
}

func (b *backlog[R, PR]) emit(event *R) {
	switch {
	case b.session.stopped:
		return
	case len(b.waiting) == 0 && b.session.event(PR(event)):
		return
	case len(b.waiting) == maxWaiting:
		b.session.lost++
		copy(b.waiting, b.waiting[1:])
		b.waiting = b.waiting[:maxWaiting-1]
	}
	b.waiting = append(b.waiting, *event)
}

// flush sends what the reader takes.
func (b *backlog[R, PR]) flush() {
	sent := 0
	for sent < len(b.waiting) && b.session.event(PR(&b.waiting[sent])) {
		sent++
	}
	b.waiting = append(b.waiting[:0], b.waiting[sent:]...)
}
