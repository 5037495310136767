package led

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
)

// period is how often a light that is watched is looked at, since its attributes do not tell of changes made by others.
const period = 500 * time.Millisecond

// change is what watchers are told: a state, or why there will be no more.
type change struct {
	state
	err error
}

// watching is what the watchers of a light know. It belongs to the loop's goroutine.
type watching struct {
	feed hal.Feed[change]
	seen state
	stop func() // of the timer; nil while nobody watches

	ended bool // the light is gone, or the class closed
}

// report tells the watchers what was set or read, from the goroutine that did it.
func (d *LED) report(now state) {
	if d.bus == "" {
		d.note(now)
	} else {
		d.env.Loop.Post(func() { d.note(now) })
	}
}

// note publishes a state where it is a new one. While a trigger drives the light, its brightness is no news.
func (d *LED) note(now state) {
	if now.trigger == d.seen.trigger && (now.trigger != noTrigger || now.brightness == d.seen.brightness) {
		return
	}
	d.seen = now
	d.feed.Publish(change{state: now})
}

// watch calls emit for every change from now on.
func (d *LED) watch(emit func(change)) (stop func()) {
	unsubscribe := d.feed.Subscribe(emit)
	if d.stop == nil {
		d.wait()
	}
	return func() {
		unsubscribe()
		if !d.feed.Watched() {
			d.rest()
		}
	}
}

func (d *LED) wait() { d.stop = d.env.Loop.After(period, d.sample) }

// rest ends the sampling.
func (d *LED) rest() {
	if d.stop != nil {
		d.stop()
		d.stop = nil
	}
}

// sample looks at the light, on its bus's worker where it has one. A worker that has too much to do is tried again.
func (d *LED) sample() {
	var now state
	var err error
	read := func() { now, err = d.read() }
	done := func() { d.took(now, err) }
	if d.bus == "" {
		read()
		done()
	} else if d.env.Loop.Submit(d.bus, read, done) != nil {
		d.wait()
	}
}

// took looks at what was read. A reading that failed is left out, unless the light is gone.
func (d *LED) took(now state, err error) {
	switch {
	case d.ended || d.stop == nil:
		return // nobody watches any more
	case errors.Is(err, unix.ENODEV):
		d.feed.Publish(change{err: hal.GoneDevice(class, d.id)})
	case err == nil:
		d.note(now)
	}
	if d.feed.Watched() {
		d.rest() // a watch that began meanwhile has a timer of its own
		d.wait()
	}
}
