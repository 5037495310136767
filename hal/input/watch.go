package input

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/uapi"
)

// retry is how long a device waits whose bus's worker has too much to do.
const retry = 10 * time.Millisecond

// watch tells of every event from now on. The node is opened with the first watcher, and closed with the last. What changed since a watcher was told the state is told as a state.
func (d *Device) watch(w *hal.Watcher[event]) (stop func(), err error) {
	if d.ended {
		return nil, hal.GoneDevice(class, d.id)
	}
	unsubscribe := d.feed.Subscribe(func(c change) {
		if c.err != nil {
			w.Fail(c.err)
			return
		}
		w.Emit(&c.event)
	})
	switch told := w.State().state; {
	case d.polled < 0 && !d.asking:
		d.state = told
		d.begin()
	case told == d.state:
	case d.asking:
		d.unsure = true
	default:
		now := d.now()
		w.Emit(&now)
	}
	return func() {
		unsubscribe()
		d.restUnwatched()
	}, nil
}

// now is the state as an event.
func (d *Device) now() event { return event{device: d.id, state: d.state} }

// begin opens the node for the watchers.
func (d *Device) begin() {
	d.inquire(func() (now state, err error) {
		d.closeFD()
		if d.fd, err = d.openNode(); err == nil {
			now, err = d.ask(d.fd)
		}
		return now, err
	})
}

// askAgain reads the state anew, since events were lost. What is in the queue until then is not told: of keys and switches the kernel takes it out, and the rest is of a packet that is not whole.
func (d *Device) askAgain() {
	d.unsure = true
	d.unpoll()
	d.inquire(func() (state, error) { return d.ask(d.fd) })
}

// inquire lets the worker read the state, and then waits for events.
func (d *Device) inquire(ask func() (state, error)) {
	d.asking = true
	var now state
	fd := -1
	hal.Errand(d.env, class, d, func() error {
		return d.guard.Do(func() (err error) {
			now, err = ask()
			fd = d.fd
			return err
		})
	}, func(err error) {
		d.asking = false
		d.answered(fd, now, err)
	})
}

// answered begins to wait for events, unless nobody wants them any more. A worker that has too much to do ends the watches: that is told, where a silence would not be.
func (d *Device) answered(fd int, now state, err error) {
	switch {
	case d.ended:
		return
	case err == nil && d.feed.Watched():
		if err = d.env.Loop.Poll(fd, d.ready); err == nil {
			d.polled = fd
		}
	}
	if err != nil {
		d.feed.Publish(change{err: d.refuse(err)})
	}
	if d.polled < 0 {
		d.rest()
	} else if now != d.state || d.unsure {
		d.state, d.unsure = now, false
		d.feed.Publish(change{event: d.now()})
	}
}

// rest closes the node, since nobody watches any more. One that is just being opened is closed then.
func (d *Device) rest() {
	if d.asking || d.ended {
		return
	}
	d.unpoll()
	hal.Errand(d.env, class, d, func() error {
		return d.guard.Do(func() error {
			d.closeFD()
			return nil
		})
	}, func(err error) {
		if _, full := err.(*hal.Busy); full {
			d.env.Loop.After(retry, d.restUnwatched)
		}
	})
}

// restUnwatched is rest, unless somebody watches again.
func (d *Device) restUnwatched() {
	if !d.feed.Watched() {
		d.rest()
	}
}

func (d *Device) unpoll() {
	if d.polled >= 0 {
		d.env.Loop.Unpoll(d.polled)
		d.polled = -1
	}
}

// ready reads the events that wait. Nobody else closes or reads what is polled.
func (d *Device) ready() {
	n, err := d.env.Kernel.Read(d.polled, unsafe.Slice((*byte)(unsafe.Pointer(&d.buf)), unsafe.Sizeof(d.buf)))
	switch err {
	case nil:
		d.tellAll(d.buf[:n/uapi.InputEventSize])
	case unix.EAGAIN:
	default:
		d.feed.Publish(change{err: d.refuse(err)})
		d.rest()
	}
}

// tellAll publishes events until some were lost before the next, or nobody watches any more. The marks between packets are no news.
func (d *Device) tellAll(events []uapi.InputEvent) {
	for i := range events {
		e := &events[i]
		switch {
		case e.Type == uapi.InputSyn && e.Code == uapi.InputSynDropped:
			d.askAgain()
		case e.Type != uapi.InputSyn:
			d.state.follow(e)
			d.feed.Publish(change{event: d.eventOf(e)})
		}
		if d.polled < 0 {
			return
		}
	}
}

// eventOf makes of the kernel's event ours.
func (d *Device) eventOf(e *uapi.InputEvent) event {
	return event{
		device: d.id, state: d.state, kind: hal.Some(kindOf(e.Type)), code: hal.Some(int64(e.Code)), value: hal.Some(int64(e.Value)),
		time: hal.Some(int64(e.Sec)*int64(time.Second) + int64(e.USec)*int64(time.Microsecond)),
	}
}
