package service

import (
	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/frame"
)

// How a connection passes descriptors. What was passed and is not received yet lives on, and counts against the daemon in the kernel, so a uid may have only a few of them on their way.

// MayPass refuses a call whose reply would have a descriptor, while too many are on their way to the caller's uid, or it has leased too many devices.
func (c *conn) MayPass(devices int) error {
	if err := c.mayLease(devices); err != nil {
		return err
	}
	most, passed := c.server.limits.passed, 0
	for other := range c.server.passing {
		if other.received() {
			other.passed = 0
			delete(c.server.passing, other)
		} else if other.account == c.account {
			passed += other.passed
		}
	}
	if passed >= most {
		return &hal.LimitExceeded{Limit: "passed-descriptors-per-uid", Maximum: int64(most)}
	}
	return nil
}

// mayLease refuses to lease more devices than an account may have. A device counts until it is free: its descriptors cost the daemon and the kernel something so long.
func (c *conn) mayLease(devices int) error {
	most, leased := c.server.limits.leased, devices
	for _, l := range c.server.leases.All() {
		if callerOf(l.Holder).Account() == c.Account() {
			leased++
		}
	}
	if devices > 0 && leased > most {
		return &hal.LimitExceeded{Limit: "leased-devices-per-uid", Maximum: int64(most)}
	}
	return nil
}

// received reports whether the peer took all that was sent: the kernel then has nothing in its queue, nor have we.
func (c *conn) received() bool {
	if c.out.Len() > 0 {
		return false
	}
	queued, err := unix.IoctlGetInt(c.fd, unix.SIOCOUTQ)
	return err == nil && queued == 0
}

// Attach keeps the descriptors that ride the next reply.
func (c *conn) Attach(files []int) { c.files = files }

// sendAttached sends a reply with the descriptors that were attached, which ride its first byte, as a message of its own.
func (c *conn) sendAttached(reply []byte) {
	files := c.files
	c.files = nil
	if c.closed {
		hal.CloseFiles(files)
		return
	}
	c.passed += len(files)
	c.server.passing[c] = struct{}{}
	reply = c.framed(reply)
	if c.out.Len() == 0 {
		n, err := frame.SendFiles(c.fd, reply, files)
		switch {
		case err == nil:
			hal.CloseFiles(files)
			c.send(reply[n:])
			return
		case err != unix.EAGAIN:
			hal.CloseFiles(files)
			c.close()
			return
		}
	}
	c.queue(reply, files)
}
