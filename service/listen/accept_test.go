package listen

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/peer"
)

func TestAccept(t *testing.T) {
	for _, transport := range []peer.Transport{peer.Stream, peer.Seqpacket} {
		t.Run(transport.String(), func(t *testing.T) {
			s := bind(t, Address{transport, abstract()})
			if fd, err := s.Accept(); fd != -1 || err != unix.EAGAIN {
				t.Errorf("nobody there: got %d, %v, want -1, EAGAIN", fd, err)
			}
			dial(t, s.Address)
			fd, err := s.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(fd)
			checkFlags(t, fd)
			s.Settle(fd)
			if got, want := option(t, fd, unix.SO_SNDBUF), 2*sendBuffer; got != want {
				t.Errorf("send buffer: got %d, want %d (the kernel doubles it)", got, want)
			}
			if got := option(t, fd, unix.SO_PASSCRED); got != 0 {
				t.Errorf("SO_PASSCRED: got %d, want 0", got)
			}
		})
	}
}

func TestAcceptErrors(t *testing.T) {
	s := &Socket{FD: -1}
	if fd, err := s.Accept(); fd != -1 || err != unix.EBADF {
		t.Errorf("got %d, %v, want -1, EBADF", fd, err)
	}
	datagram := bind(t, Address{peer.Datagram, abstract()})
	if fd, err := datagram.Accept(); fd != -1 || err != unix.EOPNOTSUPP {
		t.Errorf("got %d, %v, want -1, EOPNOTSUPP", fd, err)
	}
}

// A listener with PassCredentials hands them on to what it accepts, also to those that wait already when it is inherited.
func TestAcceptClearsWhatWasInherited(t *testing.T) {
	leakCheck(t)
	a := Address{peer.Stream, abstract()}
	listener := unbound(t, unix.SOCK_STREAM)
	if err := unix.SetsockoptInt(listener, unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		t.Fatal(err)
	}
	if err := a.call(unix.SYS_BIND, listener); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(listener, 5); err != nil {
		t.Fatal(err)
	}
	dial(t, a)
	s, err := Classify(listener)
	if err != nil {
		t.Fatal(err)
	}
	dial(t, a)
	for _, which := range []string{"one that waited", "one that came later"} {
		fd, err := s.Accept()
		if err != nil {
			t.Fatal(err)
		}
		s.Settle(fd)
		if got := option(t, fd, unix.SO_PASSCRED); got != 0 {
			t.Errorf("%s: SO_PASSCRED: got %d, want 0", which, got)
		}
		unix.Close(fd)
	}
}

func BenchmarkAccept(b *testing.B) {
	s := bind(b, Address{peer.Stream, abstract()})
	for b.Loop() {
		client, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Address.call(unix.SYS_CONNECT, client); err != nil {
			b.Fatal(err)
		}
		fd, err := s.Accept()
		if err != nil {
			b.Fatal(err)
		}
		s.Settle(fd)
		unix.Close(fd)
		unix.Close(client)
	}
}
