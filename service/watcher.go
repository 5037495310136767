package service

import "github.com/halberd-io/halberd/hal"

// What dispatch wants of a connection that watches.

// Reserve counts the devices of a watch that is about to begin.
func (c *conn) Reserve(devices int) error {
	most := c.server.limits.watched
	if c.account.watched+devices > most {
		return &hal.LimitExceeded{Limit: "watched-devices-per-uid", Maximum: int64(most)}
	}
	c.watched = devices
	c.account.watched += devices
	return nil
}

// Watching keeps the watch.
func (c *conn) Watching(s *hal.Session) {
	if s == nil || c.closed {
		c.unreserve()
		if s != nil {
			s.Stop()
		}
		return
	}
	c.session = s
	c.server.watches[c] = struct{}{}
}

func (c *conn) unreserve() {
	c.account.watched -= c.watched
	c.watched = 0
	c.server.tidy(c.account) // which may have been all that was left of it, where the connection has ended meanwhile
}

// Event sends an event, unless the reader is behind.
func (c *conn) Event(reply []byte) bool {
	if c.closed {
		return true
	}
	if c.out.Len() > 0 {
		return false
	}
	c.send(c.framed(reply))
	c.settle()
	return true
}

// EndWatch ends the watch with an error. The calls behind it have to wait until the loop comes round, since it may be another connection's call that
// ended the watch, and that one's replies are being made.
func (c *conn) EndWatch(reply []byte) {
	c.forgetWatch()
	c.send(c.framed(reply))
	c.server.loop.Post(func() { c.resume(nil) })
}

func (c *conn) forgetWatch() {
	if c.session != nil {
		c.session.Stop()
		c.session = nil
		c.unreserve()
		delete(c.server.watches, c)
	}
}

// recheck ends a watch that the policy in force does not permit any more. It had its token when it began.
func (c *conn) recheck() {
	call := c.session.Call()
	if v := c.rights().Check(call); !v.Allowed && !v.Limited {
		err := &hal.PermissionDenied{Reason: v.Reason, Grant: given(v.Grant)}
		c.recordDenial(call, err)
		c.EndWatch(c.server.dispatcher.Refuse(call.Method, err))
	}
}
