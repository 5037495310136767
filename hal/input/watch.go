package input

import (
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/uapi"
)

// retry is how long a device waits whose bus's worker has too much to do.
const retry = 10 * time.Millisecond

// watch tells of every event from now on. The node is opened with the first watcher, and closed with the last.
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
	if d.polled < 0 && !d.opening {
		d.begin(w.State())
	}
	return func() {
		unsubscribe()
		if !d.feed.Watched() && !d.opening {
			d.rest()
		}
	}, nil
}

// rest closes the node, since nobody watches any more.
func (d *Device) rest() {
	d.unpoll()
	hal.Errand(d.env, class, d, func() error {
		return d.guard.Do(func() error {
			d.closeFD()
			return nil
		})
	}, func(error) {})
}

// begin opens the node for the watchers. What changed since the first one was told the state is told as a state.
func (d *Device) begin(told *event) {
	d.opening = true
	var now event
	fd := -1
	hal.Errand(d.env, class, d, func() error {
		return d.guard.Do(func() (err error) {
			d.closeFD()
			if d.fd, err = d.openNode(unix.O_RDONLY); err == nil {
				now, err = d.look(d.fd)
			}
			fd = d.fd
			return err
		})
	}, func(err error) {
		d.opening = false
		d.opened(fd, told, &now, err)
	})
}

// opened begins to wait for events, unless nobody wants them any more.
func (d *Device) opened(fd int, told, now *event, err error) {
	if d.ended {
		return
	}
	if err == nil && d.feed.Watched() {
		if err = d.env.Loop.Poll(fd, d.ready); err == nil {
			d.polled = fd
		}
	}
	switch {
	case err != nil:
		d.feed.Publish(change{err: d.refuse(err)})
		d.rest()
	case d.polled < 0:
		d.rest()
	case !slices.Equal(told.keys.Value, now.keys.Value) || !slices.Equal(told.switches.Value, now.switches.Value):
		d.feed.Publish(change{event: *now})
	}
}

func (d *Device) unpoll() {
	if d.polled >= 0 {
		d.env.Loop.Unpoll(d.polled)
		d.polled = -1
	}
}

// ready reads what there is. Reading waits for nothing: the events lie in the kernel.
func (d *Device) ready() {
	n := 0
	err := d.guard.Do(func() (err error) {
		n, err = d.env.Kernel.Read(d.fd, d.buf[:])
		return err
	})
	if err == unix.EAGAIN {
		return
	}
	if err != nil {
		d.feed.Publish(change{err: d.refuse(err)})
		d.rest()
		return
	}
	for at := 0; at+uapi.InputEventSize <= n; at += uapi.InputEventSize {
		d.tell((*uapi.InputEvent)(unsafe.Pointer(&d.buf[at])))
	}
}

// tell publishes one event. Marks between groups of events are none, but that some were lost: then the state is told.
func (d *Device) tell(e *uapi.InputEvent) {
	switch {
	case e.Type == uapi.InputSyn && e.Code == uapi.InputSynDropped:
		if now, err := d.state(); err == nil {
			d.feed.Publish(change{event: now})
		}
	case e.Type != uapi.InputSyn:
		d.feed.Publish(change{event: event{
			device: d.id, kind: hal.Some(kindOf(e.Type)), code: hal.Some(int64(e.Code)), value: hal.Some(int64(e.Value)),
			time: hal.Some(int64(e.Sec)*1_000_000_000 + int64(e.USec)*1000),
		}})
	}
}
