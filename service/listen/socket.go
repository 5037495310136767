package listen

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/peer"
)

// Socket is a socket that the daemon serves.
type Socket struct {
	FD        int
	Address   Address
	Listening bool // false for a datagram socket, and for a stream that is connected already
	Transport peer.Transport

	clear []int  // options that accepted sockets may have inherited, and are to lose
	file  string // path to unlink at Close; empty where there is none, or it is not ours
	inode inode  // what we put there
}

// inode says which file a path led to.
type inode struct{ device, number uint64 }

// backlog is how many connections wait to be accepted, as in halberd.socket; the kernel lowers it to net.core.somaxconn. They are accepted in their order, whoever they are of, so that a longer one
// would be a longer wait for whoever comes behind a flood.
const backlog = 256

// sendBuffer is SO_SNDBUF of a connection, in bytes; the kernel doubles it, and a packet may then have 64 KiB less 32 bytes. Left at its default, a
// client that does not read would pin 0.2 MiB of kernel memory.
const sendBuffer = 32 << 10

// datagramBuffer is SO_SNDBUF of the datagram socket, as in halberd.socket: replies to all callers that they have not read yet are in it.
const datagramBuffer = 1 << 20

var socketTypes = [...]int{peer.Stream: unix.SOCK_STREAM, peer.Seqpacket: unix.SOCK_SEQPACKET, peer.Datagram: unix.SOCK_DGRAM}

// Bind makes a socket at an address: non-blocking, close-on-exec, and listening where its type listens. The caller closes it.
//
// A path's folder is made with mode 0755 where it is missing, and a socket that is there is replaced, but only if nobody listens on it; the socket
// has mode 0666, since what a peer may do is decided by its identity.
//
// Datagram sockets ask for credentials (SO_PASSCRED) before they have their name, so that no datagram comes without. Connections need no such thing,
// since their identity is asked for by SO_PEERCRED; it would only cost control data on every message.
func Bind(a Address) (*Socket, error) {
	s := &Socket{FD: -1, Address: a, Transport: a.Type}
	if err := s.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot listen on %v: %w", a, err), s.Close())
	}
	return s, nil
}

func (s *Socket) open() (err error) {
	if err = checkName(s.Address); err != nil {
		return err
	}
	s.FD, err = unix.Socket(unix.AF_UNIX, socketTypes[s.Transport]|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	if err = s.prepare(); err != nil {
		return err
	}
	if s.Address.abstract() {
		err = s.Address.call(unix.SYS_BIND, s.FD)
	} else {
		err = s.bindFile()
	}
	if err != nil || s.Transport == peer.Datagram {
		return err
	}
	s.Listening = true
	return unix.Listen(s.FD, backlog)
}

// prepare sets what must be set before the first peer comes. Accepted sockets inherit it.
func (s *Socket) prepare() error {
	refuseDescriptors(s.FD)
	if s.Transport != peer.Datagram {
		return nil
	}
	_ = unix.SetsockoptInt(s.FD, unix.SOL_SOCKET, unix.SO_SNDBUF, datagramBuffer) // as much of it as the system lets everybody have
	return unix.SetsockoptInt(s.FD, unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
}

// refuseDescriptors lets the kernel refuse a message with a descriptor at its sender (SO_PASSRIGHTS, 6.16). An older kernel cannot; there the
// receiver has no room for any.
func refuseDescriptors(fd int) { _ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSRIGHTS, 0) }

// Close closes the socket, and removes its path if Bind made it and it is still the one that Bind made. Closing twice does nothing.
func (s *Socket) Close() error {
	if s.FD < 0 {
		return nil
	}
	err := errors.Join(s.unlink(), unix.Close(s.FD))
	s.FD = -1
	return err
}
