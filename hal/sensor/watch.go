package sensor

import (
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
)

// watched is what the watches of a sensor share.
type watched struct {
	last    atomic.Int64    // what was read last, by anybody
	running map[*watch]bool // they end when the class closes
}

// watch looks at a sensor again and again, for one watcher. It belongs to the loop's goroutine.
type watch struct {
	sensor       *Sensor
	every        time.Duration
	above, below hal.Opt[int64]
	emit         func(value int64)
	fail         func(error)

	last int64 // what was reported or, with a threshold, seen
	stop func()
	over bool
}

// begin starts to look.
func (w *watch) begin() (stop func()) {
	shared := &w.sensor.watched
	w.last = shared.last.Load()
	if shared.running == nil {
		shared.running = map[*watch]bool{}
	}
	shared.running[w] = true
	w.wait()
	return w.end
}

func (w *watch) wait() { w.stop = w.sensor.env.Loop.After(w.every, w.sample) }

func (w *watch) end() {
	if !w.over {
		w.over = true
		w.stop()
		delete(w.sensor.watched.running, w)
	}
}

// sample reads, on the bus's worker where there is one. A worker that has too much to do is tried again.
func (w *watch) sample() {
	var value int64
	var err error
	read := func() { value, err = w.sensor.measure() }
	done := func() { w.took(value, err) }
	if w.sensor.bus == "" {
		read()
		done()
	} else if w.sensor.env.Loop.Submit(w.sensor.bus, read, done) != nil {
		w.wait()
	}
}

// took looks at a reading. One that failed is left out, unless the sensor is gone.
func (w *watch) took(value int64, err error) {
	switch {
	case w.over:
		return
	case errors.Is(err, unix.ENODEV):
		w.fail(hal.GoneDevice(class, w.sensor.id))
		return
	case err == nil:
		before := w.last
		w.last = value
		if w.news(before, value) {
			w.emit(value)
		}
	}
	if !w.over {
		w.wait()
	}
}

// news reports whether a value is to be told: any change without thresholds, else the crossing of one.
func (w *watch) news(before, now int64) bool {
	if !w.above.Set && !w.below.Set {
		return before != now
	}
	return w.zone(before) != w.zone(now)
}

// zone is 1 above the upper threshold, -1 below the lower one, and 0 between.
func (w *watch) zone(value int64) int {
	switch {
	case w.above.Set && value > w.above.Value:
		return 1
	case w.below.Set && value < w.below.Value:
		return -1
	}
	return 0
}
