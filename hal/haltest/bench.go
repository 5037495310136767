package haltest

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/wire"
)

// while is how far a check moves the time to see what a class does by itself: longer than the longest pulse, 10 s.
const while = 15 * time.Second

// bench is a class that a check has open: the class calls the recorder, that the faulty kernel, and that the harness's.
type bench struct {
	harness  Harness
	faulty   *Faulty
	recorder *Recorder
	loop     *Loop
	class    *hal.Class // nil before openClass, or where that failed
	leases   hal.Leases
	before   traces
	sessions []*hal.Session
	patience time.Duration // with goroutines that have to end
}

func newBench(h Harness) *bench {
	b := &bench{harness: h, faulty: FailAt(h.Kernel, 0, 0), loop: NewLoop(), patience: patience}
	b.recorder = Record(b.faulty)
	b.before = tracesOf(&h)
	return b
}

// openClass opens the class and registers it, so that its methods have names. It fails where the class panics, too.
func (b *bench) openClass() error {
	env := &hal.Env{Kernel: b.recorder, Loop: b.loop, Log: slog.New(slog.DiscardHandler), FirstStart: true, Leases: &b.leases}
	env.Machine, _ = b.harness.Kernel.(hal.Machine)
	for _, e := range b.harness.Entries {
		entry, err := b.harness.entry(e)
		if err != nil {
			return err
		}
		env.Entries = append(env.Entries, entry)
	}
	return try(func() error {
		class, err := b.harness.Driver.Open(env)
		switch {
		case err != nil:
			return err
		case class == nil:
			return errors.New("there is neither a class nor an error")
		}
		b.class = class
		b.loop.Turn()
		return hal.NewCatalog().AddClass(class)
	})
}

// panicked is a panic as an error.
type panicked struct{ text string }

func (p *panicked) Error() string { return p.text }

// try turns a panic into an error.
func try(do func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &panicked{fmt.Sprintf("panic: %v\n%s", r, debug.Stack())}
		}
	}()
	return do()
}

func isPanic(err error) bool {
	var p *panicked
	return errors.As(err, &p)
}

// closeClass ends the watches and closes the class.
func (b *bench) closeClass() error {
	return try(func() error {
		for _, s := range b.sessions {
			s.Stop()
		}
		b.sessions = nil
		if b.class != nil && b.class.Close != nil {
			b.class.Close()
		}
		b.class = nil
		b.loop.Turn()
		return nil
	})
}

// end closes everything, where a check has not done it.
func (b *bench) end() {
	_ = b.closeClass()
	if b.harness.Close != nil {
		b.harness.Close()
	}
}

// method finds a method by its name, or gives nil.
func (b *bench) method(name string) *hal.Method {
	for _, m := range b.class.Methods {
		if m.Name == name {
			return m
		}
	}
	return nil
}

// permit is a gate that is open.
type permit struct{}

func (permit) Permit(*hal.Call) error { return nil }

// somebody is a holder that never ends.
type somebody struct{}

func (somebody) Ended(func()) (stop func()) { return func() {} }

func (somebody) Owner() hal.Owner { return "somebody" }

// authorise takes a call up to where it could run.
func (b *bench) authorise(c Call, g hal.Gate) (*hal.Call, hal.Permitted, error) {
	m := b.method(c.Method)
	if m == nil {
		return nil, hal.Permitted{}, fmt.Errorf("there is no method %s", c.Method)
	}
	if err := wire.Valid([]byte(c.Parameters)); err != nil {
		return nil, hal.Permitted{}, err
	}
	call, err := m.Decode(wire.Trim([]byte(c.Parameters)))
	if err != nil {
		return nil, hal.Permitted{}, err
	}
	permitted, err := call.Authorise(g)
	if err != nil {
		call.Release()
		return nil, hal.Permitted{}, err
	}
	return call, permitted, nil
}

// run makes a call as dispatch does: on the loop, or on the worker of the device's bus. It gives the reply, or the error, which may be a panic.
func (b *bench) run(c Call) (reply []byte, err error) {
	err = try(func() error {
		call, permitted, err := b.authorise(c, permit{})
		if err != nil {
			return err
		}
		defer call.Release()
		if err := b.carryOut(call, permitted); err != nil {
			return err
		}
		reply = permitted.Reply(nil)
		hal.CloseFiles(permitted.Files())
		return nil
	})
	return reply, err
}

// errNotRun is what a call gives that nobody ran.
var errNotRun = errors.New("the job of the call did not run")

// carryOut runs a call that was permitted.
func (b *bench) carryOut(call *hal.Call, permitted hal.Permitted) error {
	bus, err := permitted.Bus()
	switch {
	case err != nil:
		return err
	case call.Method.Later:
		return b.await(permitted)
	case bus != "":
		ran := errNotRun
		if err := b.loop.Submit(bus, func() { ran = permitted.Run(somebody{}) }, func() {}); err != nil {
			return err
		}
		b.loop.Turn()
		return ran
	}
	err = permitted.Run(somebody{})
	b.loop.Turn()
	return err
}

// await makes a call that is answered later, and goes no further than its answer: what the class does by itself after that is no part of the call.
func (b *bench) await(permitted hal.Permitted) error {
	answered, ran := false, errNotRun
	permitted.Start(somebody{}, func(err error) { answered, ran = true, err })
	b.loop.Turn()
	for waited := time.Duration(0); !answered && waited < while; waited += step {
		b.loop.Advance(step)
	}
	return ran
}

// step is how exactly await sees when a call is answered.
const step = 10 * time.Millisecond

// reader takes the events of a watch.
type reader struct {
	loop    *Loop
	blocked bool // it takes none
	events  [][]byte
	failed  error
}

func (r *reader) Event(encode func([]byte) []byte) bool {
	if !r.blocked {
		r.events = append(r.events, encode(nil))
	}
	return !r.blocked
}

func (r *reader) Submit(bus string, run, done func()) error { return r.loop.Submit(bus, run, done) }
func (r *reader) Fail(err error)                            { r.failed = err }

// watch begins a watch. It runs until the class is closed, or the reader stops it.
func (b *bench) watch(c Call) (r *reader, s *hal.Session, err error) {
	r = &reader{loop: b.loop}
	s, err = b.watchFor(c, r)
	return r, s, err
}

func (b *bench) watchFor(c Call, r *reader) (s *hal.Session, err error) {
	err = try(func() error {
		_, permitted, err := b.authorise(c, permit{})
		if err != nil {
			return err
		}
		if s, err = permitted.Watch(somebody{}, r); err != nil {
			return err
		}
		b.sessions = append(b.sessions, s)
		b.loop.Turn()
		return r.failed
	})
	return s, err
}

// pass lets time pass.
func (b *bench) pass() error {
	return try(func() error {
		b.loop.Advance(while)
		return nil
	})
}
