package hal

// Feed tells the watchers of one device about its changes. The zero value is ready. It belongs to the loop's goroutine.
type Feed[E any] struct {
	subscribers []*subscriber[E]
}

type subscriber[E any] struct{ f func(E) } // nil once it was stopped

// Subscribe calls f for each event from now on, until it is stopped: then not even for an event that is being published. Stopping twice does no harm.
func (d *Feed[E]) Subscribe(f func(E)) (stop func()) {
	s := &subscriber[E]{f}
	d.subscribers = append(d.subscribers, s)
	return func() { d.remove(s) }
}

func (d *Feed[E]) remove(s *subscriber[E]) {
	s.f = nil
	for i, other := range d.subscribers {
		if other == s {
			// A new slice, since Publish may be walking over the old one.
			d.subscribers = append(append([]*subscriber[E]{}, d.subscribers[:i]...), d.subscribers[i+1:]...)
			return
		}
	}
}

// Watched reports whether anybody listens.
func (d *Feed[E]) Watched() bool { return len(d.subscribers) > 0 }

// Publish calls every subscriber. One that subscribes meanwhile gets the next event.
func (d *Feed[E]) Publish(event E) {
	for _, s := range d.subscribers {
		if s.f != nil {
			s.f(event)
		}
	}
}
