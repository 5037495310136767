package service

import "golang.org/x/sys/unix"

// unread estimates how much of what a DGRAM socket sent is not taken by its receivers yet, and whose it is. All of it is charged to the socket's send buffer, however many receivers there are, and a
// receiver that has connected may have any number in its queue: without a bound, whoever never reads would take everybody's replies.
//
// The kernel tells the sum alone (SIOCOUTQ). So what is sent to an account is added up, and taken back as far as the sum can be explained by the others: the estimates together are never below the
// sum. Whoever reads its replies gives no cause; whoever does not stays at its bound, a quarter of what the others leave.
type unread struct {
	fd   int
	room int            // of the send buffer
	by   map[uint32]int // bytes, by the uid of the account
	all  int
}

func newUnread(fd int) (*unread, error) {
	room, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF)
	return &unread{fd: fd, room: room, by: map[uint32]int{}}, err
}

// costOfReply is what the kernel charges for a datagram, at most: its bytes and a head, in a piece of memory whose size is a power of two.
func costOfReply(bytes int) int { return 1024 + 2*bytes }

// admit reports whether a reply may be sent to an account, and counts it.
func (u *unread) admit(uid uint32, bytes int) bool {
	cost := costOfReply(bytes)
	if u.by[uid]+cost > u.room/16 || !u.fits(uid, cost) { // until then it is not worth a system call
		u.look(uid)
	}
	if !u.fits(uid, cost) {
		return false
	}
	u.by[uid] += cost
	u.all += cost
	return true
}

// fits reports whether an account may have so many bytes more. One that has read all may have one reply.
func (u *unread) fits(uid uint32, cost int) bool {
	own := u.by[uid]
	return own == 0 || own+cost <= (u.room-(u.all-own))/4
}

// look takes back what an account is known to have read.
func (u *unread) look(uid uint32) {
	sum, err := unix.IoctlGetInt(u.fd, unix.SIOCOUTQ)
	if err != nil {
		return
	}
	if sum == 0 {
		clear(u.by)
		u.all = 0
		return
	}
	own := u.by[uid]
	left := min(own, max(0, sum-(u.all-own)))
	u.all -= own - left
	if u.by[uid] = left; left == 0 {
		delete(u.by, uid)
	}
}
