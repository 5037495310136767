package radio

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
	"github.com/halberd-io/halberd/hal/uapi"
)

const (
	device = "/dev/rfkill"
	// bus is whose worker does what may wait for a radio: the kernel has one lock for all of them, which it holds while a driver switches its radio.
	bus = "rfkill"
	// recovery is how long after a failure the device is opened again.
	recovery = time.Second
)

// control is /dev/rfkill. It tells of every radio as soon as it is open and of each change from then on, and takes what is to be done to one. It belongs to the loop's goroutine, but for write.
type control struct {
	env     *hal.Env
	node    atomic.Pointer[node] // nil while it is not open
	states  map[uint32]state     // what it told last, by index
	radios  map[uint32]*Radio    // who is to be told
	opening bool                 // a worker is at it
	stop    func()               // of the timer after a failure; nil without one
	closed  bool
}

// node is /dev/rfkill, opened. Its guard is about writing: the loop alone reads and closes.
type node struct {
	env   *hal.Env
	fd    int
	guard hal.Guard
}

func newControl(env *hal.Env) *control {
	return &control{env: env, states: map[uint32]state{}, radios: map[uint32]*Radio{}}
}

// open opens the device, which may wait for a driver. It can be written to at once: what is to be done at the start of a radio waits behind this for the worker.
func (c *control) open() error {
	fd, err := c.env.Kernel.Open(device, unix.O_RDWR|unix.O_NONBLOCK)
	if err != nil {
		return fmt.Errorf("cannot open %s: %w", device, err)
	}
	c.node.Store(&node{env: c.env, fd: fd})
	return nil
}

func (n *node) close() { n.guard.Close(bus, func() { _ = n.env.Kernel.Close(n.fd) }) }

// begin opens the device at the start, when nobody waits yet.
func (c *control) begin() { c.opened(c.open()) }

// look opens the device where that is not done yet: it comes with the first radio. It reports false where the worker has too much to do.
func (c *control) look() (done bool) {
	if c.opening || c.closed || c.node.Load() != nil {
		return true
	}
	var err error
	c.opening = c.env.Loop.Submit(bus, func() { err = c.open() }, func() {
		c.opening = false
		c.opened(err)
	}) == nil
	return c.opening
}

// opened begins to listen to the device.
func (c *control) opened(err error) {
	n := c.node.Load()
	if err == nil && c.closed {
		c.let(n)
		return
	}
	if err == nil {
		if err = c.env.Loop.Poll(n.fd, func() { _ = c.read() }); err != nil {
			c.let(n)
		}
	}
	if err != nil && !sysfs.Missing(err) {
		c.env.Log.Warn("radios cannot be switched or watched", "err", err)
	}
}

// read takes what the device has to tell.
func (c *control) read() error {
	n := c.node.Load()
	if n == nil {
		return &hal.NotSupported{Feature: device}
	}
	for {
		var e uapi.RfkillEvent
		got, err := c.env.Kernel.Read(n.fd, bytesOf(&e))
		switch {
		case err == unix.EAGAIN:
			return nil
		case err == nil && got == uapi.RfkillEventSize:
			c.heard(&e)
			continue
		case err == nil:
			err = unix.EIO
		}
		c.lose(n, err)
		return err
	}
}

func bytesOf(e *uapi.RfkillEvent) []byte {
	return (*[uapi.RfkillEventSize]byte)(unsafe.Pointer(e))[:]
}

// heard notes the state of a radio, and tells it.
func (c *control) heard(e *uapi.RfkillEvent) {
	if e.Op == uapi.RfkillDel {
		delete(c.states, e.Idx)
		return
	}
	now := state{soft: e.Soft != 0, hard: e.Hard != 0}
	before, known := c.states[e.Idx]
	c.states[e.Idx] = now
	if r := c.radios[e.Idx]; r != nil && (!known || before != now) {
		r.changes.Publish(hal.Sample[state]{State: now})
	}
}

// lose gives up a device that failed, and opens it again later: then it tells of every radio anew.
func (c *control) lose(n *node, err error) {
	c.env.Log.Warn("cannot hear of radios for a while", "err", err)
	c.let(n)
	if c.stop == nil {
		c.stop = c.env.Loop.After(recovery, c.recover)
	}
}

// recover opens the device again, or tries later.
func (c *control) recover() {
	c.stop = nil
	if !c.look() {
		c.stop = c.env.Loop.After(recovery, c.recover)
	}
}

// let closes a device.
func (c *control) let(n *node) {
	c.node.Store(nil)
	c.env.Loop.Unpoll(n.fd)
	n.close()
}

// errShort is what a kernel answers that took a part.
var errShort = errors.New("the kernel took only a part of it")

// write asks for a change of the radio with an index, on the worker.
func (c *control) write(idx uint32, blocked bool) error {
	n := c.node.Load()
	if n == nil {
		return &hal.NotSupported{Feature: device}
	}
	e := uapi.RfkillEvent{Idx: idx, Op: uapi.RfkillChange} // of any type
	if blocked {
		e.Soft = 1
	}
	return n.guard.Do(func() error {
		took, err := c.env.Kernel.Write(n.fd, bytesOf(&e))
		if err == nil && took != uapi.RfkillEventSize {
			err = errShort
		}
		if err != nil {
			err = fmt.Errorf("cannot write to %s: %w", device, err)
		}
		return err
	})
}

// close ends it all.
func (c *control) close() {
	c.closed = true
	if c.stop != nil {
		c.stop()
		c.stop = nil
	}
	if n := c.node.Load(); n != nil && !c.opening {
		c.let(n)
	}
}
