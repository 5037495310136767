package service

import (
	"slices"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/dispatch"
	"github.com/halberd-io/halberd/service/frame"
	"github.com/halberd-io/halberd/service/loop"
	"github.com/halberd-io/halberd/service/peer"
)

// conn is one connection, STREAM or SEQPACKET. Only the loop's goroutine touches it, so it has no lock.
//
// Replies come in the order of the calls: while a worker runs a call, or a watch runs, the connection is parked, and nothing more
// is read from it. So it is while more than maxQueued bytes wait for a slow reader.
type conn struct {
	caller
	packets bool // SEQPACKET

	in      frame.Splitter
	out     frame.Queue
	events  uint32 // what epoll waits for
	parked  bool
	behind  bool // calls that have arrived wait for their turn, and nothing more is received until they had it
	posted  bool // for which the loop comes back
	session *hal.Session
	watched int  // devices of the session
	hungUp  bool // seen while parked
	closing bool // to be closed once everything is sent
	closed  bool
	refused hal.Refusal // answered to the first call, instead of what it asks for

	unfinished *loop.Timer // a message that was begun
	stalled    *loop.Timer // a reader that takes nothing
	expiry     *loop.Timer // of a refused connection
	ends       []*ending

	files  []int // that ride the next reply
	passed int   // descriptors that may be on their way
}

// Ready handles what epoll says about the connection.
func (c *conn) Ready(events uint32) {
	gone := events&(unix.EPOLLHUP|unix.EPOLLERR) != 0
	switch {
	case gone && c.parked:
		c.hangUp()
		return
	case gone && !c.reads():
		c.close()
		return
	}
	if events&unix.EPOLLOUT != 0 {
		c.drain()
	}
	if (gone || events&unix.EPOLLIN != 0) && c.reads() && !c.behind {
		c.receive()
	}
	c.settle()
}

// reads reports whether input is wanted.
func (c *conn) reads() bool {
	return !c.closed && !c.parked && !c.closing && !c.hungUp && c.out.Len() < c.server.limits.maxQueued
}

// hangUp handles the end of the peer while the connection is parked. A watch ends at once. A worker's call goes on, and what was sent
// before the end is carried out after it.
func (c *conn) hangUp() {
	if c.session != nil {
		c.close()
		return
	}
	c.hungUp = true
	c.server.loop.Remove(c.fd)
}

func (c *conn) receive() {
	p, err := c.server.receiver.Receive(c.fd, false)
	switch {
	case err == unix.EAGAIN:
	case err != nil:
		c.close()
	case p.ControlTruncated || p.Descriptors > 0:
		c.drop("descriptors that were not asked for")
	case len(p.Data) == 0:
		c.empty()
	case c.packets:
		c.packet(p)
	default:
		c.in.Push(p.Data)
		c.process()
	}
}

// empty handles the end of the peer's sending: its unfinished message is lost, and replies on their way are sent. An empty packet is no end, and no
// message either.
func (c *conn) empty() {
	if c.packets {
		ended, err := frame.Ended(c.fd)
		if err == nil && !ended {
			c.drop("an empty packet")
			return
		}
	}
	c.closing = true
}

// drop closes a connection that broke the protocol.
func (c *conn) drop(why string) {
	c.server.dropped++
	c.recordDrop("connection dropped: " + why)
	c.close()
}

// packet handles one message of a SEQPACKET connection.
func (c *conn) packet(p frame.Packet) {
	reply := c.server.reply[:0]
	msg := message(p.Data)
	if p.Truncated || len(msg) > frame.MaxRequest {
		c.recordDrop("packet dropped: too large")
		reply = dispatch.AppendError(reply, &hal.MessageTooLarge{Limit: frame.MaxRequest})
	} else {
		reply = c.serve(msg, reply)
	}
	c.server.reply = reply[:0]
	if len(reply) > 0 {
		c.send(reply)
	}
}

// message takes the NUL off a packet that ends in one: packets need none.
func message(packet []byte) []byte {
	if n := len(packet); n > 0 && packet[n-1] == 0 {
		return packet[:n-1]
	}
	return packet
}

// maxTurn is how many calls of one connection are carried out before others have their turn.
const maxTurn = 32

// process carries out calls that have arrived on a STREAM, and sends their replies together.
func (c *conn) process() {
	replies := c.turn(c.server.reply[:0])
	c.server.reply = replies[:0]
	if !c.closed {
		c.in.Keep()
		c.send(replies)
	}
	c.comeBack()
	c.awaitRest()
}

// turn carries out the calls of one turn and appends their replies.
func (c *conn) turn(replies []byte) []byte {
	c.behind = true
	for turn := 0; turn < maxTurn && c.reads() && len(replies)+c.out.Len() < c.server.limits.maxQueued; turn++ {
		msg, err := c.in.Next()
		if err != nil {
			replies = dispatch.AppendError(replies, &hal.MessageTooLarge{Limit: frame.MaxRequest})
			replies = append(replies, 0)
			c.closing = true
		}
		if msg == nil || err != nil {
			c.behind = false
			break
		}
		c.stopUnfinished()
		before := len(replies)
		replies = c.serve(msg, replies)
		if len(replies) > before {
			replies = append(replies, 0)
		}
	}
	if c.in.Len() == 0 {
		c.behind = false // the turn took the last call: to come back for nothing would cost five system calls
	}
	return replies
}

// comeBack goes on with calls that have arrived, once others had their turn. While the connection is parked or its reader is slow, what ends that does.
func (c *conn) comeBack() {
	if !c.behind || c.posted || !c.reads() {
		return
	}
	c.posted = true
	c.server.loop.Post(func() {
		c.posted = false
		if c.behind && c.reads() {
			c.process()
			c.settle()
		}
	})
}

// serve carries out one call and appends its reply to replies, which are those of calls before it.
func (c *conn) serve(msg, replies []byte) []byte {
	e, err := dispatch.Parse(msg)
	if err != nil {
		c.send(replies)
		c.drop(err.Error())
		return replies[:0]
	}
	if c.refused != nil {
		c.closing = true
		return dispatch.AppendError(replies, c.refused)
	}
	if e.More {
		// A watch queues its first events itself, behind these.
		c.send(replies)
		replies = replies[:0]
	}
	before := len(replies)
	replies, status := c.server.dispatcher.Serve(&e, c, replies)
	if len(c.files) > 0 {
		c.send(replies[:before])
		c.sendAttached(replies[before:])
		replies = replies[:0]
	}
	if status != dispatch.Done {
		c.parked = true
	}
	return replies
}

// settle closes the connection where it is done, and tells epoll what to wait for.
func (c *conn) settle() {
	if c.closed || c.hungUp {
		return
	}
	if c.closing && !c.parked && c.out.Len() == 0 {
		c.discard()
		c.close()
		return
	}
	var events uint32
	if c.reads() && !c.behind {
		events |= unix.EPOLLIN
	}
	if c.out.Len() > 0 {
		events |= unix.EPOLLOUT
	}
	if events != c.events {
		c.events = events
		if err := c.server.loop.Modify(c.fd, events); err != nil {
			c.server.log.Error("cannot wait for a connection", "error", err)
			c.close()
		}
	}
}

// discard reads what the peer still sent, since closing a socket with unread input would take the last reply from it.
func (c *conn) discard() {
	_ = unix.Shutdown(c.fd, unix.SHUT_RD)
	for range 64 {
		if p, err := c.server.receiver.Receive(c.fd, false); err != nil || len(p.Data) == 0 {
			return
		}
	}
}

// Connected is true: a connection has an end.
func (c *conn) Connected() bool { return true }

// Holder stands for the connection.
func (c *conn) Holder() hal.Holder { return c }

// ReplyLimit is what one reply may have.
func (c *conn) ReplyLimit() int {
	if c.packets {
		return maxPacketReply
	}
	return maxStreamReply
}

// Finish sends the reply of a call that a worker ran, and goes on with the calls behind it.
func (c *conn) Finish(reply []byte) { c.resume(reply) }

// resume unparks the connection.
func (c *conn) resume(reply []byte) {
	if c.closed || c.hungUp {
		hal.CloseFiles(c.files) // nobody takes them
		c.files = nil
	}
	if c.closed {
		return
	}
	c.parked = false
	if c.hungUp {
		c.afterHangUp()
		return
	}
	if len(c.files) > 0 {
		c.sendAttached(reply)
	} else if reply != nil {
		c.send(c.framed(reply))
	}
	if !c.packets && !c.closed {
		c.process()
	}
	c.settle()
}

// afterHangUp carries out what the peer sent before it ended, without anybody to answer.
func (c *conn) afterHangUp() {
	c.hungUp = false
	if !c.packets {
		c.process()
	}
	for !c.closed && !c.closing && !c.parked {
		if c.behind {
			c.process()
		} else {
			c.receive()
		}
	}
	if c.parked && !c.closed {
		c.hangUp()
		return
	}
	c.close()
}

// close ends the connection in every case: nothing of it is left.
func (c *conn) close() {
	if c.closed {
		return
	}
	c.closed = true
	c.forgetWatch()
	c.stopStalled()
	c.stopUnfinished()
	if c.expiry != nil {
		c.expiry.Stop()
	}
	c.out.Drop()
	c.in = frame.Splitter{} // who held something may be remembered longer
	if !c.hungUp {
		c.server.loop.Remove(c.fd)
	}
	unix.Close(c.fd)
	c.server.forget(c)
	ends := c.ends
	c.ends = nil
	for _, e := range ends {
		if !e.stopped {
			e.f()
		}
	}
}

// ending is one function to be called when the connection ends.
type ending struct {
	f       func()
	stopped bool
}

// Ended calls f when the connection has ended. What is stopped is forgotten, so that a connection that begins and ends things all day long does not grow.
func (c *conn) Ended(f func()) (stop func()) {
	e := &ending{f: f}
	c.ends = append(c.ends, e)
	return func() {
		e.stopped = true
		c.ends = slices.DeleteFunc(c.ends, func(other *ending) bool { return other == e })
	}
}

// newConn takes over an accepted or inherited connection.
func (s *Server) newConn(fd int, t peer.Transport) *conn {
	cred, err := peer.FromConn(fd, t)
	if err != nil {
		s.log.Warn("cannot tell who connected: served as nobody", "error", err)
	}
	c := &conn{packets: t == peer.Seqpacket, events: unix.EPOLLIN}
	c.caller = caller{server: s, cred: cred, fd: fd}
	return c
}
