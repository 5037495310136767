package hal

import (
	"errors"
	"syscall"
	"time"
)

// Sampler tells the watchers of one device about changes that the kernel does not tell of: while anybody watches, the device is looked at every period, on its bus's worker where it has one.
// What Halberd itself sets or reads is told at once, by Note. It belongs to the loop's goroutine, but for Note.
type Sampler[S any] struct {
	device Device
	class  string
	env    *Env
	period time.Duration
	read   func() (S, error)
	same   func(a, b S) bool

	feed  Feed[Sample[S]]
	seen  S
	stop  func() // of the timer; nil while nobody watches
	reads bool   // the device is being looked at
	again bool   // and is to be looked at once more, since it changed meanwhile
	ended bool   // the device is gone, or the class closed
}

// Sample is what watchers are told: a state, or why there will be no more.
type Sample[S any] struct {
	State S
	Err   error
}

// NewSampler makes the sampler of a device. read reads its state, on the worker of its bus; same reports whether a second state is no news after a first.
func NewSampler[S any](env *Env, class string, d Device, period time.Duration, read func() (S, error), same func(a, b S) bool) *Sampler[S] {
	return &Sampler[S]{device: d, class: class, env: env, period: period, read: read, same: same}
}

// Note tells the watchers what was set or read, from the goroutine that did it.
func (s *Sampler[S]) Note(now S) {
	if s.device.Bus() == "" {
		s.note(now)
	} else {
		s.env.Loop.Post(func() { s.note(now) })
	}
}

// note publishes a state where it is a new one.
func (s *Sampler[S]) note(now S) {
	if s.same(s.seen, now) {
		return
	}
	s.seen = now
	s.feed.Publish(Sample[S]{State: now})
}

// Watch calls emit for every change from now on, until it is stopped. It refuses where the device is gone.
func (s *Sampler[S]) Watch(emit func(Sample[S])) (stop func(), err error) {
	if s.ended {
		return nil, GoneDevice(s.class, s.device.ID())
	}
	unsubscribe := s.feed.Subscribe(emit)
	if s.stop == nil {
		s.wait()
	}
	return func() {
		unsubscribe()
		if !s.feed.Watched() {
			s.rest()
		}
	}, nil
}

// Look looks at the device soon, if anybody watches: the kernel told of a change. However often it tells, one look waits at most.
func (s *Sampler[S]) Look() {
	switch {
	case s.stop == nil:
	case s.reads:
		s.again = true
	default:
		s.rest()
		s.stop = s.env.Loop.After(0, s.sample)
	}
}

func (s *Sampler[S]) wait() { s.stop = s.env.Loop.After(s.period, s.sample) }

// rest ends the sampling.
func (s *Sampler[S]) rest() {
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
}

// sample looks at the device. A worker that has too much to do is tried again.
func (s *Sampler[S]) sample() {
	var now S
	var err error
	read := func() { now, err = s.read() }
	done := func() { s.reads = false; s.took(now, err) }
	s.reads, s.again = true, false
	if bus := s.device.Bus(); bus == "" {
		read()
		done()
	} else if s.env.Loop.Submit(bus, read, done) != nil {
		s.reads = false
		s.wait()
	}
}

// took looks at what was read. A reading that failed is left out, unless the device is gone.
func (s *Sampler[S]) took(now S, err error) {
	switch {
	case s.ended || s.stop == nil:
		return // nobody watches any more
	case errors.Is(err, syscall.ENODEV):
		s.gone()
	case err == nil:
		s.note(now)
	}
	if s.feed.Watched() {
		s.rest() // a watch that began meanwhile has a timer of its own
		s.wait()
	}
	if s.again {
		s.Look()
	}
}

func (s *Sampler[S]) gone() {
	s.feed.Publish(Sample[S]{Err: GoneDevice(s.class, s.device.ID())})
}

// Close ends the sampling without a word, since the class closes.
func (s *Sampler[S]) Close() {
	s.ended = true
	s.rest()
}

// Unplug ends the sampling, and tells the watchers that the device is gone.
func (s *Sampler[S]) Unplug() {
	s.Close()
	s.gone()
}
