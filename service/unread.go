package service

import "golang.org/x/sys/unix"

// unread estimates how much of what a DGRAM socket sent is not taken by its receivers yet, and whose it is. All of it is charged to the socket's send buffer, however many receivers there are, and a
// receiver that has connected may have any number in its queue: without a bound, whoever never reads would take everybody's replies.
//
// The kernel tells the sum alone (SIOCOUTQ). So what is sent to an account is added up, and taken back as far as the sum can be explained by the others. Whoever reads its replies gives no cause; whoever
// does not stays at its bound, a quarter of what the others leave, once three quarters of the room are taken. But who calls on and on while others read can be taken for one that reads: which of them
// did, nothing tells. So those whom no grant names, of whom there can be any number, get no reply that would fill more than half of the room, whoever fills it, and have no part in the sums.
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

// admit reports whether a reply may be sent to an account, and counts it. named: a grant names its uid.
func (u *unread) admit(uid uint32, bytes int, named bool) bool {
	cost := costOfReply(bytes)
	if !named {
		return u.sum()+cost <= u.room/2
	}
	if u.by[uid]+cost > u.room/16 || !u.fits(uid, cost) { // until then it is not worth a system call
		sum := u.sum()
		u.look(uid, sum)
		if !u.fits(uid, cost) && sum+cost > u.room/4*3 {
			return false
		}
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

// look takes back what an account is known to have read, now that the kernel says what nobody has read.
func (u *unread) look(uid uint32, sum int) {
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

// sum is what the kernel charges the socket with. Where it does not tell, nothing is known to have been read.
func (u *unread) sum() int {
	sum, err := unix.IoctlGetInt(u.fd, unix.SIOCOUTQ)
	if err != nil {
		return u.all
	}
	return sum
}
