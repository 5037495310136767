package servicetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/peer"
)

// Raw is a bare client socket: bytes in, bytes out, with none of service/client's care. Its reads wait 10 s at most.
type Raw struct {
	FD   int
	kind peer.Transport
	to   unix.Sockaddr // of datagrams
	held []byte        // read and not yet returned, of a stream
}

// Dial connects a bare socket to one of a server's sockets. A datagram socket gets an abstract name from the kernel. The error is the kernel's.
func Dial(kind peer.Transport, name string) (*Raw, error) {
	types := map[peer.Transport]int{peer.Stream: unix.SOCK_STREAM, peer.Seqpacket: unix.SOCK_SEQPACKET, peer.Datagram: unix.SOCK_DGRAM}
	fd, err := unix.Socket(unix.AF_UNIX, types[kind]|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	r := &Raw{FD: fd, kind: kind, to: &unix.SockaddrUnix{Name: name}}
	wait := unix.NsecToTimeval(int64(10 * time.Second))
	if err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait); err == nil {
		if kind == peer.Datagram {
			err = unix.Bind(fd, &unix.SockaddrUnix{})
		} else {
			err = unix.Connect(fd, r.to)
		}
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return r, nil
}

// Adopt takes over a bare socket that somebody else made, to be closed by Close.
func Adopt(fd int, kind peer.Transport, name string) *Raw {
	return &Raw{FD: fd, kind: kind, to: &unix.SockaddrUnix{Name: name}}
}

// MustDial is Dial for a server in a test, and closes at the test's end.
func (s *Server) MustDial(t testing.TB, kind peer.Transport) *Raw {
	t.Helper()
	r, err := Dial(kind, s.Name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// Close closes the socket. It may be called twice.
func (r *Raw) Close() {
	if r.FD >= 0 {
		unix.Close(r.FD)
		r.FD = -1
	}
}

// Send sends bytes as they are, in one write.
func (r *Raw) Send(b []byte) error {
	for {
		var err error
		if r.kind == peer.Datagram {
			err = unix.Sendto(r.FD, b, unix.MSG_NOSIGNAL, r.to)
		} else if len(b) == 0 {
			return nil
		} else {
			var n int
			n, err = unix.SendmsgN(r.FD, b, nil, nil, unix.MSG_NOSIGNAL)
			if err == nil && n < len(b) && r.kind == peer.Stream {
				b = b[n:]
				continue
			}
		}
		if err != unix.EINTR {
			return err
		}
	}
}

// Write sends one message, on a stream with its NUL.
func (r *Raw) Write(msg string) error {
	if r.kind == peer.Stream {
		msg += "\x00"
	}
	return r.Send([]byte(msg))
}

// Read receives one message, on a stream without its NUL. "" is the end of the connection.
func (r *Raw) Read() (string, error) {
	buf := make([]byte, 128<<10)
	for {
		if i := strings.IndexByte(string(r.held), 0); i >= 0 {
			msg := string(r.held[:i])
			r.held = r.held[i+1:]
			return msg, nil
		}
		n, _, err := unix.Recvfrom(r.FD, buf, 0)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return "", err
		case n == 0 && len(r.held) > 0:
			return "", fmt.Errorf("the connection ended inside a message: %q", r.held)
		case n == 0:
			return "", nil
		case r.kind != peer.Stream:
			return string(buf[:n]), nil
		default:
			r.held = append(r.held, buf[:n]...)
		}
	}
}

// Call sends one message and receives one.
func (r *Raw) Call(msg string) (string, error) {
	if err := r.Write(msg); err != nil {
		return "", err
	}
	return r.Read()
}
