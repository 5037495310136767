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
	account *account
	packets bool // SEQPACKET

	in      frame.Splitter
	out     frame.Queue
	events  uint32 // what epoll waits for
	parked  bool
	behind  bool // calls that have been received wait, and nothing more is received until they were carried out
	waits   bool // for its turn
	held    int  // bytes that the account is charged with
	session *hal.Session
	watched int  // devices of the session
	hungUp  bool // seen while parked: epoll says nothing any more
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
	if (gone || events&unix.EPOLLIN != 0) && c.reads() && !c.waits {
		c.serveInTurn()
	}
	c.settle()
}

// reads reports whether input is wanted.
func (c *conn) reads() bool {
	return !c.closed && !c.parked && !c.closing && (c.out.Len() == 0 || c.out.Len() < c.mayQueue())
}

// more reports whether calls wait of which epoll says nothing.
func (c *conn) more() bool { return (c.behind || c.hungUp) && c.reads() }

// serveInTurn carries out at once what has come, where nobody else waits.
func (c *conn) serveInTurn() {
	if c.server.alone() {
		c.takeTurn(maxTurn)
		if !c.more() {
			return
		}
	}
	c.await()
}

// await waits for the connection's turn.
func (c *conn) await() {
	c.waits = true
	c.server.await(c.account, c)
}

// comeBack goes on with calls that have come, once others had their turn. While the connection is parked or its reader is slow, what ends that does.
func (c *conn) comeBack() {
	if c.more() && !c.waits {
		c.await()
	}
}

// turn is the connection's turn, after it waited.
func (c *conn) turn(most int) (cost int, more bool) {
	c.waits = false
	if c.reads() {
		cost = c.takeTurn(most)
	}
	c.settle()
	c.waits = c.more()
	return cost, c.waits
}

// takeTurn carries out calls until they have cost most, and says what they cost. Of packets it takes one: epoll says whether there are more.
func (c *conn) takeTurn(most int) (cost int) {
	if c.behind {
		return c.process(most)
	}
	return c.receive(most)
}

// hangUp handles the end of the peer while the connection is parked. A watch ends at once, and so does what the connection holds. A worker's call goes on, and what was sent
// before the end is carried out after it, without anybody to answer.
func (c *conn) hangUp() {
	if c.session != nil {
		c.close()
		return
	}
	c.hungUp = true
	c.out.Drop()
	c.server.loop.Remove(c.fd)
	c.end()
}

func (c *conn) receive(most int) (cost int) {
	receiver := c.server.streams
	if c.packets {
		receiver = c.server.receiver
	}
	p, err := receiver.Receive(c.fd, false)
	switch {
	case err == unix.EAGAIN:
	case err != nil:
		c.close()
	case p.ControlTruncated || p.Descriptors > 0:
		c.drop("descriptors that were not asked for")
	case len(p.Data) == 0:
		c.empty()
	case c.packets:
		return c.packet(p)
	default:
		c.in.Push(p.Data)
		return c.process(most)
	}
	return 0
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

// packet handles one message of a SEQPACKET connection, and says what it cost.
func (c *conn) packet(p frame.Packet) (cost int) {
	reply := c.server.reply[:0]
	msg := message(p.Data)
	if p.Truncated || len(msg) > frame.MaxRequest {
		c.recordDrop("packet dropped: too large")
		reply = dispatch.AppendError(reply, &hal.MessageTooLarge{Limit: frame.MaxRequest})
	} else {
		reply = c.serve(msg, reply)
	}
	c.server.reply = reply[:0]
	cost = costOf(len(p.Data) + len(reply))
	if len(reply) > 0 {
		c.send(reply)
	}
	return cost
}

// message takes the NUL off a packet that ends in one: packets need none.
func message(packet []byte) []byte {
	if n := len(packet); n > 0 && packet[n-1] == 0 {
		return packet[:n-1]
	}
	return packet
}

// process carries out calls that have arrived on a STREAM, and sends their replies together.
func (c *conn) process(most int) (cost int) {
	replies, cost := c.calls(most, c.server.reply[:0])
	c.server.reply = replies[:0]
	if !c.closed {
		c.in.Keep()
		c.send(replies)
	}
	c.awaitRest()
	return cost
}

// calls carries out calls until they have cost most, and appends their replies.
func (c *conn) calls(most int, replies []byte) ([]byte, int) {
	c.behind = true
	cost := 0
	for cost < most && c.reads() && (cost == 0 || len(replies)+c.out.Len() < c.mayQueue()) {
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
		cost += costOf(len(msg) + max(0, len(replies)-before))
		if c.in.Len() == 0 {
			c.behind = false // to come back for nothing would cost system calls
			break
		}
	}
	return replies, cost
}

// serve carries out one call and appends its reply, as it is sent, to replies, which are those of calls before it. It may have sent those already.
func (c *conn) serve(msg, replies []byte) []byte {
	e, err := dispatch.Parse(msg)
	if err != nil {
		c.send(replies)
		c.drop(err.Error())
		return replies[:0]
	}
	if c.refused != nil {
		c.closing = true
		return c.framed(dispatch.AppendError(replies, c.refused))
	}
	if e.More {
		// A watch queues its first events itself, behind these.
		c.send(replies)
		replies = replies[:0]
		if c.closed { // nothing begins that nobody is there to end
			return replies
		}
	}
	before := len(replies)
	replies, status := c.server.dispatcher.Serve(&e, c, replies)
	if len(c.files) > 0 {
		c.send(replies[:before])
		c.sendAttached(replies[before:])
		replies, before = replies[:0], 0
	}
	if status != dispatch.Done {
		c.parked = true
	}
	if len(replies) > before {
		replies = c.framed(replies)
	}
	return replies
}

// settle closes the connection where it is done, and tells epoll what to wait for.
func (c *conn) settle() {
	if c.closed {
		return
	}
	c.charge()
	switch {
	case c.hungUp && c.session != nil:
		c.close()
		return
	case c.closing && !c.parked && (c.hungUp || c.out.Len() == 0):
		c.discard()
		c.close()
		return
	case c.hungUp:
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
		c.files, reply = nil, nil
	}
	if c.closed {
		return
	}
	c.parked = false
	if len(c.files) > 0 {
		c.sendAttached(reply)
	} else if reply != nil {
		c.send(c.framed(reply))
	}
	c.comeBack()
	c.settle()
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
	c.charge()
	c.server.loop.Remove(c.fd)
	unix.Close(c.fd)
	c.server.forget(c)
	c.end()
}

// end ends what the connection holds.
func (c *conn) end() {
	ends := c.ends
	c.ends = nil
	for _, e := range ends {
		e.call()
	}
}

// ending is one function to be called when the connection ends.
type ending struct {
	f       func()
	stopped bool
}

func (e *ending) call() {
	if !e.stopped {
		e.f()
	}
}

// Ended calls f when the connection has ended, soon where it has already. What is stopped is forgotten, so that a connection that begins and ends things all day long does not grow.
func (c *conn) Ended(f func()) (stop func()) {
	e := &ending{f: f}
	if c.closed || c.hungUp {
		c.server.loop.Post(e.call)
	} else {
		c.ends = append(c.ends, e)
	}
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
	c.account = s.account(cred.UID)
	return c
}
