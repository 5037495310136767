package rtc

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/wire"
)

const (
	maxWakes   = 512 // in all
	maxPerUser = 32

	often = 30 * time.Second // how long a sleep of the board may go unnoticed
	retry = 5 * time.Second  // after a failure
)

// wake is one that is to come.
type wake struct {
	owner hal.Owner
	name  string
	at    int64 // in s since 1970
}

// queue has the wakes of all users, earliest first. It is the loop's.
type queue struct {
	env    *hal.Env
	clocks *hal.Set[*Clock]
	id     string // of the clock that carries the wakes, or did last
	all    []*wake

	looking bool   // at the clock
	again   bool   // once it has looked
	failing bool   // the last look did not work
	stop    func() // the timer of the next look; nil where there is none
	closed  bool
}

func newQueue(env *hal.Env) *queue {
	q := &queue{env: env, clocks: hal.NewSet[*Clock](class, "clock"), id: "rtc0"}
	for i := range env.Entries {
		if env.Entries[i].Value.(*entry).Wakes.Value {
			q.id = env.Entries[i].ID
		}
	}
	q.load()
	return q
}

// carrier is the clock whose alarm is used: the one of board.toml, else the kernel's first that can.
func (q *queue) carrier() (first *Clock, err error) {
	for _, d := range q.clocks.All() {
		if d.wakes && (first == nil || !first.carries && (d.carries || d.ordinal() < first.ordinal())) {
			first = d
		}
	}
	switch {
	case first != nil && (first.carries || !q.declared()):
		q.id = first.id
		return first, nil
	case q.clocks.Len() > 0 && !q.declared():
		return nil, &hal.NotSupported{Feature: "wake"}
	}
	return nil, q.clocks.Missing(q.id)
}

// declared reports whether board.toml says which clock carries the wakes.
func (q *queue) declared() bool {
	return slices.ContainsFunc(q.env.Entries, func(e hal.Entry) bool { return e.Value.(*entry).Wakes.Value })
}

// find finds a wake by its user and its name.
func (q *queue) find(owner hal.Owner, name string) *wake {
	for _, w := range q.all {
		if w.owner == owner && w.name == name {
			return w
		}
	}
	return nil
}

// put takes a wake in, behind those of the same second.
func (q *queue) put(w *wake) {
	at := len(q.all)
	for at > 0 && q.all[at-1].at > w.at {
		at--
	}
	q.all = slices.Insert(q.all, at, w)
}

// remove takes a wake out, and reports whether it was there.
func (q *queue) remove(w *wake) bool {
	before := len(q.all)
	q.all = slices.DeleteFunc(q.all, func(other *wake) bool { return other == w })
	return len(q.all) < before
}

// room refuses a wake too many.
func (q *queue) room(owner hal.Owner) error {
	own := 0
	for _, w := range q.all {
		if w.owner == owner {
			own++
		}
	}
	switch {
	case own >= maxPerUser:
		return &hal.LimitExceeded{Limit: "wakes-per-uid", Maximum: maxPerUser}
	case len(q.all) >= maxWakes:
		return &hal.LimitExceeded{Limit: "wakes", Maximum: maxWakes}
	}
	return nil
}

// add takes in a wake whose clock says that it is now so late. Where a step fails, everything is as it was.
func (q *queue) add(d *Clock, w *wake, now int64, done func(error)) {
	old := q.find(w.owner, w.name)
	switch {
	case w.at <= now || w.at > d.last:
		done(d.outOfRange("atUSec", now+1))
		return
	case old != nil:
		q.remove(old)
	default:
		if err := q.room(w.owner); err != nil {
			done(err)
			return
		}
	}
	q.put(w)
	q.settle(d, func(err error) {
		if err != nil && q.remove(w) {
			if old != nil {
				q.put(old)
			}
			q.keep()
		}
		q.look() // which sets the timer, or the alarm as it was
		done(err)
	})
}

// cancel takes a wake out. Where a step fails, it stays.
func (q *queue) cancel(w *wake, done func(error)) {
	q.remove(w)
	settled := func(err error) {
		if err != nil && q.find(w.owner, w.name) == nil {
			q.put(w)
			q.keep()
		}
		q.look()
		done(err)
	}
	if d, err := q.carrier(); err == nil {
		q.settle(d, settled)
	} else {
		q.env.Loop.Post(func() { q.save(settled) })
	}
}

// settle sets the alarm for the first wake, and then saves them all.
func (q *queue) settle(d *Clock, done func(error)) {
	q.arm(d, func(_ int64, err error) {
		if err != nil {
			done(err)
			return
		}
		q.save(done)
	})
}

// arm sets the alarm for the first wake of now, and gives the clock's time.
func (q *queue) arm(d *Clock, done func(now int64, err error)) {
	at, now := int64(0), int64(0)
	if len(q.all) > 0 {
		at = q.all[0].at
	}
	q.ask(d, func() (err error) {
		now, err = d.arm(at)
		return err
	}, func(err error) { done(now, err) })
}

// ask has the worker of a clock's bus do something with it.
func (q *queue) ask(d *Clock, job func() error, done func(error)) {
	hal.Errand(q.env, class, d, func() error { return d.guard.Do(job) }, func(err error) { done(hal.Refuse(class, d.id, err)) })
}

// look sets the alarm for the first wake, lets go of those that have come, and waits for the next look.
func (q *queue) look() {
	q.rest()
	d, err := q.carrier()
	switch {
	case q.closed || err != nil || len(q.all) == 0:
		return
	case q.looking:
		q.again = true
		return
	}
	q.looking = true
	q.arm(d, func(now int64, err error) {
		q.looking = false
		if !q.closed {
			q.looked(d, now, err)
		}
	})
}

// looked goes on after a look.
func (q *queue) looked(d *Clock, now int64, err error) {
	if err != nil {
		if !q.failing {
			q.env.Log.Error("cannot set the alarm for a wake", "clock", d.id, "err", err)
		}
		q.failing = true
		q.wait(retry)
		return
	}
	q.failing = false
	came := q.drop(now)
	switch {
	case came || q.again || len(q.all) == 0: // the last one may have been taken out meanwhile
		q.again = false
		q.look()
	default:
		q.wait(time.Duration(q.all[0].at-now) * time.Second)
	}
}

// drop takes out the wakes that have come.
func (q *queue) drop(now int64) (came bool) {
	for len(q.all) > 0 && q.all[0].at <= now {
		w := q.all[0]
		q.env.Log.Info("a wake has come", "wake", w.name, "owner", string(w.owner), "at", time.Unix(w.at, 0).UTC())
		q.all = slices.Delete(q.all, 0, 1)
		came = true
	}
	if came {
		q.keep()
	}
	return came
}

// keep saves the wakes where nobody waits for it.
func (q *queue) keep() {
	q.save(func(err error) {
		if err != nil {
			q.env.Log.Error("cannot save the wakes", "err", err)
		}
	})
}

// wait looks again later.
func (q *queue) wait(d time.Duration) {
	q.rest()
	q.stop = q.env.Loop.After(min(d, often), func() {
		q.stop = nil
		q.look()
	})
}

// rest ends the waiting.
func (q *queue) rest() {
	if q.stop != nil {
		q.stop()
		q.stop = nil
	}
}

// close ends it all. The wakes are kept.
func (q *queue) close() {
	q.closed = true
	q.rest()
}

const (
	stateName = "rtc-wakes" // and the worker that saves it
	version   = 1
)

// saved is what is kept.
type saved struct {
	Version int64
	Wakes   []savedWake
}

// Fields declares what is kept.
func (s *saved) Fields(f *hal.Fields) {
	f.IntIn("version", &s.Version, version, version, hal.Unitless, "The version of what follows.")
	hal.Each(f, "wakes", &s.Wakes, 0, maxWakes, "The wakes, earliest first.")
}

type savedWake struct {
	Owner, Name string
	At          int64
}

// Fields declares what is kept of a wake.
func (w *savedWake) Fields(f *hal.Fields) {
	f.Text("owner", &w.Owner, "Whose it is.")
	f.Text("name", &w.Name, "Its name.")
	f.IntIn("atSec", &w.At, 1, lastEver, hal.Seconds, "When it comes, since 1970.")
}

// save keeps all wakes on the disk, on a worker of its own.
func (q *queue) save(done func(error)) {
	if q.env.State == nil {
		done(nil)
		return
	}
	s := saved{Version: version}
	for _, w := range q.all {
		s.Wakes = append(s.Wakes, savedWake{string(w.owner), w.name, w.at})
	}
	data := hal.Encode(nil, &s)
	var err error
	full := q.env.Loop.Submit(stateName, func() { err = q.env.State.Save(stateName, data) }, func() { done(err) })
	if full != nil {
		done(full)
	}
}

// load takes in what is kept. What cannot be read is said, and forgotten with the next wake.
func (q *queue) load() {
	if q.env.State == nil {
		return
	}
	data, err := q.env.State.Load(stateName)
	if err == nil && data != nil {
		err = q.parse(data)
	}
	if err != nil {
		q.env.Log.Error("cannot read the wakes of before: there are none", "err", err)
	}
}

var errKept = errors.New("not what was saved")

func (q *queue) parse(data []byte) error {
	var s saved
	err := wire.Valid(data)
	if err == nil {
		err = hal.Decode(wire.Trim(data), &s)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errKept, err)
	}
	for _, w := range s.Wakes {
		owner := hal.Owner(w.Owner)
		if hal.CheckID(w.Name) == nil && q.find(owner, w.Name) == nil && q.room(owner) == nil {
			q.put(&wake{owner, w.Name, w.At})
		}
	}
	return nil
}
