package hal

// maxWaiting is how many events of a stream wait for a slow reader.
const maxWaiting = 256

// Stream declares a Watch without devices. first makes the event that comes at once, and alone without more. start calls the Watcher's Emit for each event from then on, on the loop's goroutine,
// until it is stopped. Events are told one by one: up to 256 wait for a slow reader, and then the oldest are skipped and counted in `lost`.
func Stream[P, R any, PP messageOf[P], PR messageOf[R]](verb Verb, name, doc string,
	first func(Holder, *P, *R) error, start func(h Holder, in *P, w *Watcher[R]) (stop func(), err error)) *Method {
	m := declare(verb, name, doc, "", func() operation {
		o := &streaming[P, R, PP, PR]{start: start}
		o.do = first
		return o
	})
	m.Watches = true
	return m
}

// streaming is a call that watches no devices.
type streaming[P, R any, PP messageOf[P], PR messageOf[R]] struct {
	plain[P, R, PP, PR]
	start func(Holder, *P, *Watcher[R]) (stop func(), err error)
}

func (o *streaming[P, R, PP, PR]) results(f *Fields) {
	var first, none int64 = 1, 0
	eventFields(f, PR(&o.out), &first, &none)
}

func (o *streaming[P, R, PP, PR]) watch(s *Session) error {
	b := &backlog[R, PR]{session: s}
	s.flush = b.flush
	first := new(R)
	if err := o.do(s.holder, &o.in, first); err != nil {
		return err
	}
	b.emit(first)
	if s.stopped {
		return nil
	}
	stop, err := o.start(s.holder, &o.in, &Watcher[R]{emit: b.emit, fail: s.fail, state: first})
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
