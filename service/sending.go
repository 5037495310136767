package service

import (
	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/frame"
)

// How a connection sends, and how long it waits for its peer.

// awaitRest gives the rest of a message that was begun a time to arrive in.
func (c *conn) awaitRest() {
	switch waits := !c.closed && !c.parked && c.in.Len() > 0 && c.reads(); {
	case waits && c.unfinished == nil:
		c.unfinished = c.server.loop.After(c.server.limits.messageTime, func() { c.drop("a message that was never finished") })
	case !waits:
		c.stopUnfinished()
	}
}

// stopUnfinished ends the time of a message, which arrived or will not any more.
func (c *conn) stopUnfinished() {
	if c.unfinished != nil {
		c.unfinished.Stop()
		c.unfinished = nil
	}
}

// send sends as much of msg as the kernel takes at once, and queues the rest. On a STREAM msg is whole messages with their NULs.
func (c *conn) send(msg []byte) {
	if len(msg) == 0 || c.closed {
		return
	}
	if c.out.Len() == 0 {
		n, err := frame.Send(c.fd, msg, nil)
		switch {
		case err == nil && n == len(msg):
			return
		case err == nil:
			msg = msg[n:]
		case err != unix.EAGAIN:
			c.close()
			return
		}
	}
	c.out.Push(msg, nil)
	c.awaitReader()
}

// awaitReader gives a slow reader a time to take something.
func (c *conn) awaitReader() {
	if c.stalled == nil {
		c.stalled = c.server.loop.After(c.server.limits.writeTime, func() { c.drop("a reader that takes nothing") })
	}
}

func (c *conn) stopStalled() {
	if c.stalled != nil {
		c.stalled.Stop()
		c.stalled = nil
	}
}

// drain sends what waited, and goes on with what waited for that.
func (c *conn) drain() {
	progress, err := c.out.Flush(c.fd, c.packets)
	if err != nil && err != unix.EAGAIN {
		c.close()
		return
	}
	if progress || c.out.Len() == 0 {
		c.stopStalled()
	}
	if c.out.Len() > 0 {
		c.awaitReader()
		return
	}
	if c.session != nil {
		c.session.Flush()
	}
	if !c.packets {
		c.process()
	}
}

func (c *conn) framed(reply []byte) []byte {
	if c.packets {
		return reply
	}
	return append(reply, 0)
}
