package service

import (
	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/dispatch"
	"github.com/halberd-io/halberd/service/frame"
)

// How a connection sends, and how long it waits for its peer.

// awaitRest gives the rest of a message that was begun a time to arrive in. What was begun is kept here at the expense of its uid.
func (c *conn) awaitRest() {
	waits := !c.behind && c.in.Len() > 0 && c.reads()
	if waits {
		c.charge()
	}
	switch {
	case waits && c.account.bytes > c.server.mayHold(c.account):
		c.refuseRest()
	case waits && c.unfinished == nil:
		c.unfinished = c.server.loop.After(c.server.limits.messageTime, func() { c.drop("a message that was never finished") })
	case !waits:
		c.stopUnfinished()
	}
}

// refuseRest refuses a message that was begun, since its uid has too much here already, and ends the connection.
func (c *conn) refuseRest() {
	c.stopUnfinished()
	refusal := &hal.LimitExceeded{Limit: "queued-bytes-per-uid", Maximum: int64(c.server.mayHold(c.account))}
	c.in = frame.Splitter{}
	c.closing = true
	c.send(c.framed(dispatch.AppendError(nil, refusal)))
}

// charge charges the account with what waits here.
func (c *conn) charge() {
	if held := c.in.Len() + c.out.Len(); held != c.held {
		c.server.charge(c.account, held-c.held)
		c.held = held
	}
}

// mayQueue is how many bytes of replies may wait for the reader, before no call is carried out any more.
func (c *conn) mayQueue() int {
	return min(c.server.limits.maxQueued, c.server.mayHold(c.account)-c.account.bytes+c.held)
}

// overdrawn reports whether so many bytes more are beyond what may wait. For a uid that is one reply more than what it may have.
func (c *conn) overdrawn(more int) bool {
	c.charge()
	l := &c.server.limits
	return c.account.bytes+more > l.bytesPerUID+maxStreamReply || c.server.bytes+more > l.bytes
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
	c.queue(msg, nil)
}

// queue has the rest of a reply wait for the reader, where there is room. Else the connection ends: half a reply cannot be taken back.
func (c *conn) queue(msg []byte, files []int) {
	if c.overdrawn(len(msg)) {
		hal.CloseFiles(files)
		c.drop("replies that are not taken, beyond queued-bytes-per-uid")
		return
	}
	c.out.Push(msg, files)
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
	c.comeBack()
}

func (c *conn) framed(reply []byte) []byte {
	if c.packets {
		return reply
	}
	return append(reply, 0)
}
