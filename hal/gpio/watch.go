package gpio

import (
	"errors"
	"time"

	gpiocdev "github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
)

// change is what watchers are told: a value, or why there will be no more.
type change struct {
	value     int64
	edge      hal.Opt[string]
	timestamp hal.Opt[int64] // CLOCK_MONOTONIC, ns
	missed    int64          // edges that the kernel had no room for
	asOf      int64          // where the line was read for its watchers: see reading
	err       error
}

// reading is what a line was read as, and a time of CLOCK_MONOTONIC before that, in ns: edges up to then are in the value.
type reading struct{ value, asOf int64 }

// reader knows what one watcher was told last.
type reader struct {
	reading
	told bool // an edge since the line was read
}

// isNews reports whether a change is one to a watcher, and takes it for told. What the kernel saw while the line was read may be in what was read already.
func (r *reader) isNews(c change) bool {
	known := c.value == r.value
	switch {
	case c.asOf > 0:
		r.asOf, r.told = c.asOf, false
	case !c.timestamp.Set:
	case c.timestamp.Value <= r.asOf:
		return false
	default:
		known = known && !r.told && c.missed == 0
		r.told = true
	}
	r.value = c.value
	return !known
}

// watching is what the watchers of a line know. It belongs to the loop's goroutine.
type watching struct {
	feed      hal.Feed[change]
	following bool     // edges are asked for, or will be once a worker comes to it
	polled    *request // whose events the loop waits for
	ended     bool     // the line is gone, or the class closed
	retry     func()   // stops the timer of letGo
}

// watch calls f for every change from now on. All watchers share one request.
func (l *Line) watch(f func(change)) (stop func(), err error) {
	if l.ended {
		return nil, hal.GoneDevice(class, l.id)
	}
	unsubscribe := l.feed.Subscribe(f)
	if !l.following {
		l.following = true
		err = l.follow(edgeTo)
	}
	stop = func() {
		unsubscribe()
		if !l.feed.Watched() {
			l.leave()
		}
	}
	if err != nil {
		stop()
	}
	return stop, err
}

// edges are a request for edges; the zero value where a line is watched without.
type edges struct {
	request *request
	reading // once they were asked for
}

// follow asks for the edges of a line, on its bus's worker where it has one; then an error comes as a change. edge tells how the line may have come to the value that it has then.
func (l *Line) follow(edge func(value int64) string) error {
	if l.chip.bus == "" {
		e, err := l.acquire()
		if err != nil {
			return err
		}
		return l.poll(e, edge)
	}
	var e edges
	var err error
	return l.env.Loop.Submit(l.chip.bus, func() { e, err = l.acquire() }, func() { l.acquired(e, err, edge) })
}

// acquired goes on where a worker asked for edges.
func (l *Line) acquired(e edges, err error, edge func(value int64) string) {
	if l.ended {
		return
	}
	if err == nil {
		err = l.poll(e, edge)
	}
	if err != nil {
		l.end(err)
	} else if !l.feed.Watched() {
		l.leave()
	}
}

// acquire requests the edges of an input. An output is never made an input only because somebody watches: of it, only what Halberd sets is reported.
func (l *Line) acquire() (e edges, err error) {
	err = l.guard.Do(func() error {
		e, err = l.edges()
		return err
	})
	return e, l.refuse(err)
}

func (l *Line) edges() (edges, error) {
	if l.busy == byLease {
		return edges{}, l.free()
	}
	isInput, err := l.isInput()
	if err != nil || !isInput || l.output {
		return edges{}, err
	}
	if l.held != nil { // it was an output until Configure made it an input
		err = l.held.configure(l.setup.toWatch())
	} else {
		l.held, err = l.chip.request(l.offset, l.setup.toWatch())
	}
	if err != nil {
		return edges{}, l.withoutEdges(err)
	}
	now, err := l.held.look(l.bit)
	return edges{l.held, now}, err
}

// isInput asks board.toml and then the kernel for the direction.
func (l *Line) isInput() (bool, error) {
	if l.setup.direction != "" {
		return l.setup.direction == directionInput, nil
	}
	info, err := l.chip.info(l.offset)
	if err != nil {
		return false, err
	}
	return !info.Flags.IsOutput(), nil
}

// withoutEdges tells a chip without interrupts from one that is gone: up to Linux 5.13 both are ENODEV.
func (l *Line) withoutEdges(err error) error {
	none := errors.Is(err, unix.ENXIO) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL)
	if errors.Is(err, unix.ENODEV) {
		_, gone := l.chip.info(l.offset)
		none = gone == nil
	}
	if none {
		return &hal.NotSupported{Feature: "edge"}
	}
	return err
}

// poll waits for edges. What the line was when they were asked for is told to those who know it otherwise.
func (l *Line) poll(e edges, edge func(value int64) string) error {
	if e.request == nil {
		return nil
	}
	word := edge(e.value)
	l.feed.Publish(change{value: e.value, asOf: e.asOf, edge: hal.Opt[string]{Value: word, Set: word != ""}})
	if e.request == l.polled {
		return nil
	}
	if err := l.env.Loop.Poll(e.request.fd, l.ready); err != nil {
		return err
	}
	l.polled = e.request
	return nil
}

// ready reads the edges that wait.
func (l *Line) ready() {
	events, err := l.polled.read()
	if errors.Is(err, unix.EAGAIN) {
		return
	}
	if err != nil || len(events) == 0 {
		l.end(hal.GoneDevice(class, l.id))
		return
	}
	for i := range events {
		l.tell(&events[i])
		if l.polled == nil {
			return // the last watcher left
		}
	}
}

// tell publishes one edge. A gap in the kernel's numbers is what it had no room for.
func (l *Line) tell(e *gpiocdev.LineEvent) {
	c := change{timestamp: hal.Some(int64(e.Timestamp)), missed: int64(e.LineSeqno - l.polled.seqno - 1)}
	if e.ID == gpiocdev.LineEventRisingEdge {
		c.value = 1
	}
	c.edge = hal.Some(edgeTo(c.value))
	l.polled.seqno = e.LineSeqno
	l.feed.Publish(c)
}

// noEdge is how a line comes to a value that is configured otherwise.
func noEdge(int64) string { return "" }

// edgeTo is the edge that leads to a value.
func edgeTo(value int64) string {
	if value == 1 {
		return rising
	}
	return falling
}

// end ends all watches of the line with an error.
func (l *Line) end(err error) {
	l.leave()
	l.feed.Publish(change{err: err})
}

// leave ends the waiting for edges, and lets go of the request that was made for it.
func (l *Line) leave() {
	l.following = false
	if l.polled != nil {
		l.env.Loop.Unpoll(l.polled.fd)
		l.polled = nil
	}
	l.letGo()
}

// letGo releases the line, on its bus's worker where it has one. A worker that has too much to do is tried again: the loop itself never waits for a bus.
func (l *Line) letGo() {
	switch {
	case l.ended || l.following:
	case l.chip.bus == "":
		l.release()
	case l.env.Loop.Submit(l.chip.bus, l.release, func() {}) != nil:
		l.rest()
		l.retry = l.env.Loop.After(time.Second, l.letGo)
	}
}

// rest stops the timer of letGo.
func (l *Line) rest() {
	if l.retry != nil {
		l.retry()
		l.retry = nil
	}
}

// release lets go of a request that was made for watching.
func (l *Line) release() {
	_ = l.guard.Do(func() error {
		if l.held != nil && !l.output {
			l.held.close()
			l.held = nil
		}
		return nil
	})
}

// report tells the watchers what was set, from the goroutine that did it.
func (l *Line) report(value int64) {
	if l.chip.bus != "" {
		l.env.Loop.Post(func() { l.feed.Publish(change{value: value}) })
	} else {
		l.feed.Publish(change{value: value})
	}
}
