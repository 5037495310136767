package gpio

import (
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/halberd-io/halberd/hal"
)

// How requests outlive the process. A request of declared outputs is given to the service manager before the first write to it, with a record of what it is, and the next process takes it over as
// it is: see inherit.go. So a restart, an upgrade and a crash of Halberd make no edge. A request is called by its chip and its first line, which no other one has.

// keeping is whose worker waits for the service manager, once the class is open.
const keeping = "gpio keeping"

// store keeps requests. A nil one keeps nothing.
type store struct {
	keeper  hal.Keeper
	log     *slog.Logger
	waiting atomic.Bool // while the class is being opened, when nobody waits, each request is with the manager before it is written to
}

func newStore(env *hal.Env) *store {
	if env.Keeper == nil {
		return nil
	}
	s := &store{keeper: env.Keeper, log: env.Log}
	s.waiting.Store(true)
	return s
}

// opened ends the waiting.
func (s *store) opened() {
	if s != nil {
		s.waiting.Store(false)
	}
}

// keptAs is what a request is called whose first line is this one.
func (p place) keptAs() string { return fmt.Sprintf("gpio/%s/%d", p.chip.name, p.offset) }

// keep lets a request outlive the process. Where that fails it is one all the same. A manager that does not answer is not waited for again.
func (s *store) keep(r *request, first place, what *record) {
	put := s.keeper.Push
	if s.waiting.Load() {
		put = s.keeper.Keep
	}
	name := first.keptAs()
	if err := put(name, r.fd, what.bytes()); err != nil {
		s.waiting.Store(false)
		s.log.Warn("an output is let go when this process ends", "chip", first.chip.label, "lines", what.offsets(), "err", err)
		return
	}
	r.store, r.name = s, name
}

// settle waits until the manager has let go of what it was told to.
func (s *store) settle() {
	if err := s.keeper.Wait(); err != nil {
		s.log.Warn("the service manager may still hold outputs", "err", err)
	}
}

// drop forgets what is kept of a chip that is gone.
func (s *store) drop(c *chip) {
	if s == nil {
		return
	}
	for offset := range c.lines {
		s.keeper.Drop(place{c, uint32(offset)}.keptAs())
	}
}

// note has the journal say something else about a request that is kept. Only a write to memory comes of it.
func (r *request) note(what *record) {
	if r.name == "" {
		return
	}
	if err := r.store.keeper.Note(r.name, what.bytes()); err != nil {
		r.store.log.Warn("a restart may not leave an output as it is", "request", r.name, "err", err)
	}
}

// forget keeps a request no longer.
func (r *request) forget() {
	if r.name != "" {
		r.store.keeper.Drop(r.name)
		r.name = ""
	}
}

// letGo closes a request for good. When the process ends it is only closed.
func (r *request) letGo() {
	r.forget()
	r.close()
}

// isKept reports whether the request that holds the line outlives the process: board.toml declares the output.
func (l *Line) isKept() bool {
	return l.chip.store != nil && l.declared.direction == directionOutput
}

// note has the journal say what is new of a line that is held. Its guard is held.
func (l *Line) note() {
	if l.held != nil && l.held.name != "" {
		l.held.note(recordOf(l.mates(), true))
	}
}

// record is what the journal is to say about the request of a lease.
func (le *lease) record() *record {
	r := &record{chip: le.lines[0].chip.inode, leased: true, begun: true}
	for i, n := range le.notes {
		n.before = le.before[i]
		r.lines = append(r.lines, n)
	}
	return r
}

// note has the journal say what the lines were before.
func (le *lease) note() {
	if le.request != nil && le.request.name != "" {
		le.request.note(le.record())
	}
}

// outlive lets the request of a lease that was made for it outlive the process, so that the next one ends the lease.
func (le *lease) outlive(r *request) {
	if first := le.lines[0]; first.chip.store != nil {
		first.chip.store.keep(r, first.place, le.record())
	}
}

// waits reports whether making the lease waits for the manager: it holds lines, too, that are to be requested anew. That is no work for the loop.
func (le *lease) waits() (waits bool) {
	for _, l := range le.lines {
		_ = l.guard.Do(func() error {
			whole := len(le.lines) == 1 || l.group != nil
			waits = waits || !whole && l.held != nil && l.held.name != ""
			return nil
		})
	}
	return waits
}

// workAway is work, for a job that may wait for the manager.
func (le *lease) workAway(job, done func()) {
	first := le.lines[0]
	if first.chip.bus != "" || !le.waits() {
		le.work(job, done)
	} else if first.env.Loop.Submit(keeping, job, done) != nil {
		le.stop = first.env.Loop.After(again, func() { le.workAway(job, done) })
	}
}
