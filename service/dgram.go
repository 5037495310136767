package service

import (
	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/dispatch"
	"github.com/halberd-io/halberd/service/frame"
	"github.com/halberd-io/halberd/service/peer"
)

const (
	maxSenders       = 1024 // datagram identities that are remembered with what the policy gives them
	maxTaken         = 64   // datagrams that are taken from the kernel in one round
	maxWaitingPerUID = 32   // that wait for their turn; any more are dropped
	maxWaiting       = 512  // of all uids together
	maxKept          = 4096 // bytes of memory that a datagram keeps when it is used again
)

// datagrams serves a DGRAM socket. It is best effort: what cannot be sent at once is dropped and counted.
type datagrams struct {
	server  *Server
	fd      int
	senders map[sender]*caller
	free    []*datagram
	waiting int // for their turn
	unread  *unread
}

func newDatagrams(s *Server, fd int) (*datagrams, error) {
	u, err := newUnread(fd)
	return &datagrams{server: s, fd: fd, senders: map[sender]*caller{}, unread: u}, err
}

// sender is an identity that datagrams come from.
type sender struct{ uid, gid uint32 }

// datagram is one call on its way. It is used again once it is answered.
type datagram struct {
	*caller
	from    *datagrams
	address []byte
	pid     int32 // of its sender, which others of that identity send beside
	oneway  bool

	account *account // while it waits for its turn
	message []byte
	large   bool // and not kept
}

// Ready carries one datagram out at once where nobody else waits. Otherwise it takes all from the kernel, whose queue is short and everybody's, so that each
// waits in the line of its uid.
func (d *datagrams) Ready(uint32) {
	if d.server.alone() {
		d.receive(true)
		return
	}
	for range maxTaken {
		if !d.receive(false) {
			return
		}
	}
}

// receive takes one datagram and carries it out, now or in its turn, or drops it. It reports whether there was one.
func (d *datagrams) receive(now bool) bool {
	p, err := d.server.receiver.Receive(d.fd, true)
	if err != nil {
		if err != unix.EAGAIN {
			d.server.log.Warn("cannot receive a datagram", "error", err)
		}
		return false
	}
	switch why := d.objection(&p); {
	case why != "":
		d.drop(&p, why)
	case now:
		d.run(&p)
	default:
		d.keep(&p)
	}
	return true
}

func (d *datagrams) drop(p *frame.Packet, why string) {
	d.server.dropped++
	d.server.recordPacket(*p, "datagram dropped: "+why)
}

// run carries a datagram out.
func (d *datagrams) run(p *frame.Packet) {
	call := d.take(p)
	if d.serve(call, message(p.Data), tooLarge(p)) == dispatch.Done {
		d.release(call)
	}
}

// keep has a datagram wait for its turn.
func (d *datagrams) keep(p *frame.Packet) {
	a := d.server.account(p.UID)
	defer d.server.tidy(a)
	if a.datagrams >= maxWaitingPerUID || d.waiting >= maxWaiting || a.bytes+len(p.Data) > d.server.mayHold(a) {
		d.drop(p, "too many wait")
		return
	}
	call := d.take(p)
	call.account, call.large = a, tooLarge(p)
	if !call.large {
		call.message = append(call.message, message(p.Data)...)
	}
	d.count(call, 1)
	d.server.await(a, call)
}

// count adds a datagram to those that wait, or takes it off.
func (d *datagrams) count(call *datagram, n int) {
	d.waiting += n
	call.account.datagrams += n
	d.server.charge(call.account, n*len(call.message))
}

// turn is the datagram's turn, after it waited.
func (c *datagram) turn(int) (cost int, more bool) {
	d := c.from
	d.count(c, -1)
	cost = costOf(len(c.message))
	if d.serve(c, c.message, c.large) == dispatch.Done {
		d.release(c)
	}
	return cost, false
}

// objection says why a datagram is dropped without an answer.
func (d *datagrams) objection(p *frame.Packet) string {
	switch {
	case !p.HasCreds:
		return "no credentials"
	case p.ControlTruncated || p.Descriptors > 0:
		return "descriptors that were not asked for"
	case len(p.Address) > 0 && p.Address[0] != 0:
		return "a sender with a pathname address"
	case tooLarge(p) && len(p.Address) == 0:
		return "too large"
	}
	return ""
}

func tooLarge(p *frame.Packet) bool { return p.Truncated || len(message(p.Data)) > frame.MaxRequest }

// serve carries a call out, and answers it unless a worker does.
func (d *datagrams) serve(call *datagram, msg []byte, large bool) dispatch.Status {
	reply := d.server.reply[:0]
	call.cred.PID = call.pid
	if large {
		call.recordDrop("datagram dropped: too large")
		d.send(call, dispatch.AppendError(reply, &hal.MessageTooLarge{Limit: frame.MaxRequest}))
		return dispatch.Done
	}
	e, err := dispatch.Parse(msg)
	if err == nil && !e.Oneway && len(call.address) == 0 {
		err = errUnnamed
	}
	if err != nil {
		d.server.dropped++
		call.recordDrop("datagram dropped: " + err.Error())
		return dispatch.Done
	}
	call.oneway = e.Oneway
	reply, status := d.server.dispatcher.Serve(&e, call, reply)
	d.server.reply = reply[:0]
	if status == dispatch.Done && len(reply) > 0 {
		d.send(call, reply)
	}
	return status
}

// take makes a call of a datagram. The address is copied, since a worker may run the call.
func (d *datagrams) take(p *frame.Packet) *datagram {
	var call *datagram
	if n := len(d.free); n > 0 {
		call, d.free = d.free[n-1], d.free[:n-1]
	} else {
		call = &datagram{from: d}
	}
	call.address = append(call.address[:0], p.Address...)
	call.caller, call.pid = d.sender(p), p.PID
	return call
}

func (d *datagrams) release(call *datagram) {
	call.account, call.message = nil, call.message[:0]
	if cap(call.message) > maxKept {
		call.message = nil
	}
	if len(d.free) < maxTaken {
		d.free = append(d.free, call)
	}
}

// sender gives the caller of a datagram's credentials, which the kernel put there.
func (d *datagrams) sender(p *frame.Packet) *caller {
	key := sender{p.UID, p.GID}
	c := d.senders[key]
	if c == nil {
		if len(d.senders) >= maxSenders {
			clear(d.senders)
		}
		c = &caller{server: d.server, fd: -1, cred: peer.FromDatagram(p.UID, p.GID, p.PID)}
		d.senders[key] = c
	}
	return c
}

// send answers, or drops the answer: nobody waits for a datagram's sender.
func (d *datagrams) send(call *datagram, reply []byte) {
	if len(call.address) == 0 {
		return
	}
	if !d.unread.admit(d.server.files.SubUIDs.Owner(call.cred.UID), len(reply), call.rights().IsNamed()) {
		d.server.dropped++
		call.recordDrop("reply to a datagram dropped: the uid does not read those that it got")
		return
	}
	if _, err := frame.Send(d.fd, reply, call.address); err != nil {
		d.server.dropped++
		d.server.log.Debug("datagram reply dropped", "error", err, call.subject())
	}
}

// Connected is false: nothing that a datagram begins can end with it.
func (c *datagram) Connected() bool { return false }

// Holder stands for the datagram.
func (c *datagram) Holder() hal.Holder { return c }

// Ended never calls f.
func (c *datagram) Ended(func()) (stop func()) { return func() {} }

// ReplyLimit is what one datagram may have.
func (c *datagram) ReplyLimit() int { return maxDatagramReply }

// Finish sends the reply of a call that a worker ran.
func (c *datagram) Finish(reply []byte) {
	if reply != nil {
		c.cred.PID = c.pid
		c.from.send(c, reply)
	}
	c.from.release(c)
}

// MayPass is never called: what returns descriptors is not implemented on datagrams.
func (c *datagram) MayPass(int) error { return errUnnamed }

// Attach is never called.
func (c *datagram) Attach([]int) {}

// Reserve is never called: more is not implemented on datagrams.
func (c *datagram) Reserve(int) error { return errUnnamed }

// Watching is never called.
func (c *datagram) Watching(*hal.Session) {}

// Event is never called.
func (c *datagram) Event([]byte) bool { return true }

// EndWatch is never called.
func (c *datagram) EndWatch([]byte) {}
