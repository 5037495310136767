package frame

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Packet is what one Receive took in. Data and Address are the receiver's, and valid until its next Receive.
type Packet struct {
	// Data is at most MaxRequest+1 bytes: room for a message of the full length and a NUL behind it. A message is too long if it is longer than
	// MaxRequest without that NUL, or Truncated.
	Data []byte
	// Truncated says that the packet was longer than the buffer; the rest is lost (MSG_TRUNC).
	Truncated bool
	// ControlTruncated says that control data did not fit, was malformed, or was of a kind that nobody asked for: a bad message.
	ControlTruncated bool
	// HasCreds says that the kernel put the sender's real ids beside the packet (SCM_CREDENTIALS). Without it, UID and GID are 65534, nobody.
	HasCreds bool
	UID, GID uint32
	PID      int32
	// Address is where a datagram came from: the bytes of sun_path. It is nil for an unnamed socket; an abstract name starts with a NUL byte.
	Address []byte
	// Descriptors is how many descriptors came, unasked. They were closed.
	Descriptors int
}

const nobody = 65534

// Receiver holds what recvmsg(2) needs. One serves all sockets of a loop, since whatever it took in is used up before the next Receive.
type Receiver struct {
	header  unix.Msghdr
	vector  unix.Iovec
	name    sockaddr
	control [maxControl]byte
	data    []byte
}

// sockaddr is struct sockaddr_un, with the path as bytes on every architecture.
type sockaddr struct {
	family uint16
	path   [108]byte
}

const pathOffset = unsafe.Offsetof(sockaddr{}.path)

// maxControl is more than any architecture needs for credentials.
const maxControl = 32

// maxChunk is how much of a stream is taken in at a time, in bytes. What has to wait waits in the kernel, at its sender's expense.
const maxChunk = 4 << 10

// NewReceiver makes a receiver for packets, of about 64 KiB.
func NewReceiver() *Receiver { return newReceiver(MaxRequest + 1) }

// NewStreamReceiver makes a receiver for streams, which takes 4 KiB at a time.
func NewStreamReceiver() *Receiver { return newReceiver(maxChunk) }

func newReceiver(length int) *Receiver {
	r := &Receiver{data: make([]byte, length)}
	r.vector.Base = &r.data[0]
	r.vector.SetLen(length)
	r.header.Iov = &r.vector
	r.header.SetIovlen(1)
	return r
}

// Receive takes one packet, or as much of a stream as there is, without blocking and without allocating. It passes EAGAIN on as it is, and
// retries EINTR.
//
// wantControl is for datagrams: it asks for credentials and the sender's address. There is room for the credentials exactly, so a descriptor
// that somebody sends along is never installed, but shows as ControlTruncated. Without wantControl there is no room at all, so whatever comes
// shows so (a socket with SO_PASSCRED would report every message).
//
// A stream has ended when Data is empty. On SOCK_SEQPACKET an empty packet looks the same: ask Ended.
func (r *Receiver) Receive(fd int, wantControl bool) (Packet, error) {
	r.prepare(wantControl)
	n, err := r.receive(fd)
	if err != nil {
		return Packet{UID: nobody, GID: nobody}, err
	}
	p := Packet{
		Data:             r.data[:n],
		Truncated:        r.header.Flags&unix.MSG_TRUNC != 0,
		ControlTruncated: r.header.Flags&unix.MSG_CTRUNC != 0,
		UID:              nobody, GID: nobody,
	}
	if wantControl {
		p.Address = r.address()
		p.identify(parseControl(r.control[:r.header.Controllen], closeDescriptor))
	}
	return p, nil
}

func (r *Receiver) prepare(wantControl bool) {
	r.header.Flags = 0
	r.header.Name, r.header.Namelen = nil, 0
	r.header.Control = nil
	r.header.SetControllen(0)
	if wantControl {
		r.header.Name, r.header.Namelen = (*byte)(unsafe.Pointer(&r.name)), uint32(unsafe.Sizeof(r.name))
		r.header.Control = &r.control[0]
		r.header.SetControllen(unix.CmsgSpace(credsLen))
	}
}

func (r *Receiver) receive(fd int) (int, error) {
	for {
		n, _, errno := unix.RawSyscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&r.header)), unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

// address is the sun_path that the kernel wrote. A pathname's NUL is counted by the kernel and cut off here; an abstract name is its exact bytes.
func (r *Receiver) address() []byte {
	length := min(int(r.header.Namelen), int(unsafe.Sizeof(r.name))) - int(pathOffset)
	if length <= 0 {
		return nil
	}
	path := r.name.path[:length]
	if path[0] != 0 && path[length-1] == 0 {
		path = path[:length-1]
	}
	return path
}

func (p *Packet) identify(c control) {
	p.ControlTruncated = p.ControlTruncated || c.malformed
	p.Descriptors = c.descriptors
	if c.hasCreds && !c.malformed {
		p.HasCreds, p.UID, p.GID, p.PID = true, c.uid, c.gid, c.pid
	}
}

func closeDescriptor(fd int) { _ = unix.Close(fd) }

// Ended tells a SOCK_SEQPACKET connection that has ended from one on which an empty packet arrived: Receive returns no data for both. It has
// ended when the peer has shut down its sending side and nothing with a byte in it is left to read. So ask it only after an empty Receive.
func Ended(fd int) (bool, error) {
	hangup, err := hungUp(fd)
	if err != nil || !hangup {
		return false, err
	}
	left, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
	return left == 0, err
}

func hungUp(fd int) (bool, error) {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	for {
		_, err := unix.Poll(fds, 0)
		if err != unix.EINTR {
			return fds[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR|unix.POLLNVAL) != 0, err
		}
	}
}
