package listen

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/peer"
)

// Classify finds out what an inherited descriptor is, by asking the kernel, and sets it up as Bind would have: close-on-exec, non-blocking, with
// credentials on datagrams. Only Unix sockets are taken; one of the network is refused by name. On success the descriptor is the Socket's.
//
// A stream or packet socket that has a name and neither listens nor is connected comes from Android's init, and is made to listen. One that listens
// is never made to again: that would change the credentials that its clients see.
func Classify(fd int) (*Socket, error) {
	s := &Socket{FD: fd}
	if err := s.inherit(); err != nil {
		return nil, fmt.Errorf("cannot use descriptor %d: %w", fd, err)
	}
	return s, nil
}

func (s *Socket) inherit() (err error) {
	if s.Transport, err = transportOf(s.FD); err != nil {
		return err
	}
	name, err := nameOf(s.FD)
	if err != nil {
		return err
	}
	s.Address = Address{s.Transport, name}
	unix.CloseOnExec(s.FD)
	if err = unix.SetNonblock(s.FD, true); err != nil {
		return err
	}
	if err = s.quiet(); err != nil {
		return err
	}
	if s.Transport == peer.Datagram {
		return s.inheritDatagram()
	}
	return s.inheritStream()
}

// transportOf refuses what is not a Unix socket.
func transportOf(fd int) (peer.Transport, error) {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return 0, err
	}
	switch domain {
	case unix.AF_UNIX:
	case unix.AF_INET, unix.AF_INET6:
		return 0, errors.New("it is a network socket (AF_INET), and the network is never served")
	default:
		return 0, fmt.Errorf("it is a socket of address family %d, not AF_UNIX", domain)
	}
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return 0, err
	}
	for t, n := range socketTypes {
		if n == kind {
			return peer.Transport(t), nil
		}
	}
	return 0, fmt.Errorf("it is a socket of type %d", kind)
}

// nameOf is the name that a socket is bound to, with its exact length: a padded abstract name is not the same one. It is empty for none.
func nameOf(fd int) (string, error) {
	var raw sockaddr
	size := uint32(unsafe.Sizeof(raw))
	_, _, errno := unix.Syscall(unix.SYS_GETSOCKNAME, uintptr(fd), uintptr(unsafe.Pointer(&raw)), uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		return "", errno
	}
	path := raw.path[:max(min(int(size), int(unsafe.Sizeof(raw)))-int(unsafe.Offsetof(raw.path)), 0)]
	switch {
	case len(path) == 0:
		return "", nil
	case path[0] == 0:
		return "@" + string(path[1:]), nil
	}
	return unix.ByteSliceToString(path), nil
}

// beside are the options that put something beside every message, which a connection's reader has no room for.
var beside = [...]int{unix.SO_PASSCRED, unix.SO_PASSSEC, unix.SO_PASSPIDFD}

// quiet turns off what whoever bound the socket had turned on. Connections that wait to be accepted have inherited it: Accept clears it again.
func (s *Socket) quiet() error {
	refuseDescriptors(s.FD)
	for _, option := range beside {
		on, err := unix.GetsockoptInt(s.FD, unix.SOL_SOCKET, option)
		if err != nil || on == 0 {
			continue // a kernel without it
		}
		s.clear = append(s.clear, option)
		if s.Transport == peer.Datagram && option == unix.SO_PASSCRED {
			continue // what is queued already has its credentials, and must not lose them
		}
		if err := unix.SetsockoptInt(s.FD, unix.SOL_SOCKET, option, 0); err != nil {
			return err
		}
	}
	return nil
}

func (s *Socket) inheritDatagram() error {
	if s.Address.Name == "" {
		return errors.New("it is a datagram socket without a name")
	}
	return unix.SetsockoptInt(s.FD, unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
}

func (s *Socket) inheritStream() error {
	listening, err := unix.GetsockoptInt(s.FD, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil {
		return err
	}
	if listening != 0 {
		s.Listening = true
		return nil
	}
	switch _, err := unix.Getpeername(s.FD); err {
	case nil:
		return unix.SetsockoptInt(s.FD, unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer)
	case unix.ENOTCONN:
		return s.listenLate()
	default:
		return err
	}
}

// listenLate is for Android's init, which binds and leaves the rest to the service.
func (s *Socket) listenLate() error {
	if s.Address.Name == "" {
		return errors.New("it is neither bound nor connected")
	}
	s.Listening = true
	return unix.Listen(s.FD, backlog)
}
