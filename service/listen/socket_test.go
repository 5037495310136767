package listen

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/peer"
)

// leakCheck checks at the end of the test, after whatever closes descriptors by Cleanup, that none is left.
func leakCheck(t testing.TB) {
	t.Helper()
	before := openDescriptors(t)
	t.Cleanup(func() {
		if got := openDescriptors(t); got != before {
			t.Errorf("open descriptors: got %d, want %d as before", got, before)
		}
	})
}

func openDescriptors(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

var names atomic.Int64

// abstract returns an abstract name that nobody else has.
func abstract() string { return fmt.Sprintf("@halberd-listen-%d-%d", os.Getpid(), names.Add(1)) }

// bind makes a socket that is closed at the end of the test.
func bind(t testing.TB, a Address) *Socket {
	t.Helper()
	leakCheck(t)
	s, err := Bind(a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// unbound makes a plain socket, as others make them.
func unbound(t testing.TB, kind int) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, kind, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// dial connects to an address.
func dial(t testing.TB, a Address) int {
	t.Helper()
	fd := unbound(t, socketTypes[a.Type]|unix.SOCK_CLOEXEC)
	if err := a.call(unix.SYS_CONNECT, fd); err != nil {
		t.Fatal(err)
	}
	return fd
}

func option(t testing.TB, fd, name int) int {
	t.Helper()
	value, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, name)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func checkFlags(t testing.TB, fd int) {
	t.Helper()
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("descriptor flags: got %#x (%v), want close-on-exec", flags, err)
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
		t.Errorf("file flags: got %#x (%v), want non-blocking", flags, err)
	}
}

func TestBind(t *testing.T) {
	tests := []struct {
		transport           peer.Transport
		listening, passcred int
	}{
		{peer.Stream, 1, 0},
		{peer.Seqpacket, 1, 0},
		{peer.Datagram, 0, 1},
	}
	name := abstract() // the same for all: there is a table of names per type
	for _, test := range tests {
		t.Run(test.transport.String(), func(t *testing.T) {
			a := Address{test.transport, name}
			s := bind(t, a)
			checkFlags(t, s.FD)
			if s.Address != a || s.Transport != test.transport || s.Listening != (test.listening == 1) {
				t.Errorf("got %+v", s)
			}
			if got := option(t, s.FD, unix.SO_TYPE); got != socketTypes[test.transport] {
				t.Errorf("type: got %d, want %d", got, socketTypes[test.transport])
			}
			if got := option(t, s.FD, unix.SO_ACCEPTCONN); got != test.listening {
				t.Errorf("listening: got %d, want %d", got, test.listening)
			}
			if got := option(t, s.FD, unix.SO_PASSCRED); got != test.passcred {
				t.Errorf("SO_PASSCRED: got %d, want %d", got, test.passcred)
			}
			if got, err := nameOf(s.FD); got != name || err != nil {
				t.Errorf("name: got %q (%v), want exactly %q", got, err, name)
			}
			if again, err := Bind(a); !errors.Is(err, unix.EADDRINUSE) || again != nil || !strings.Contains(err.Error(), a.String()) {
				t.Errorf("a second one: got %v (%v), want EADDRINUSE for %v", again, err, a)
			}
		})
	}
}

func TestBindLongestName(t *testing.T) {
	name := abstract()
	name += strings.Repeat("x", 108-len(name))
	a, err := Parse("stream:" + name)
	if err != nil {
		t.Fatal(err)
	}
	s := bind(t, a)
	if got, err := nameOf(s.FD); got != name || err != nil {
		t.Errorf("name: got %q (%v), want %q", got, err, name)
	}
	dial(t, a)
}

func TestBindRefuses(t *testing.T) {
	leakCheck(t)
	for _, a := range []Address{{}, {peer.Stream, "x"}, {peer.Datagram, "/run/x"}, {peer.Stream, "@" + strings.Repeat("x", 108)}} {
		if s, err := Bind(a); err == nil || s != nil {
			t.Errorf("%+v: got %v, %v, want an error", a, s, err)
		}
	}
}

// The identity of a datagram that is sent before anybody reads must be there, so the credentials are asked for before the name is.
func TestDatagramsHaveCredentials(t *testing.T) {
	s := bind(t, Address{peer.Datagram, abstract()})
	client := dial(t, s.Address)
	if _, err := unix.Write(client, []byte("x")); err != nil {
		t.Fatal(err)
	}
	checkCredentials(t, s.FD)
}

func checkCredentials(t *testing.T, fd int) {
	t.Helper()
	oob := make([]byte, unix.CmsgSpace(unix.SizeofUcred))
	_, n, _, _, err := unix.Recvmsg(fd, make([]byte, 1), oob, 0)
	if err != nil {
		t.Fatal(err)
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(messages) != 1 {
		t.Fatalf("control messages: got %d (%v), want 1", len(messages), err)
	}
	if u, err := unix.ParseUnixCredentials(&messages[0]); err != nil || u.Uid != uint32(os.Getuid()) || u.Pid != int32(os.Getpid()) {
		t.Errorf("got %+v (%v), want our own", u, err)
	}
}

// Where the kernel can refuse descriptors at their sender, no socket of ours takes any, nor does what it accepts.
func TestDescriptorsAreRefused(t *testing.T) {
	if err := unix.SetsockoptInt(unbound(t, unix.SOCK_STREAM), unix.SOL_SOCKET, unix.SO_PASSRIGHTS, 0); err != nil {
		t.Skipf("SO_PASSRIGHTS: %v", err)
	}
	send := func(fd int) error { return unix.Sendmsg(fd, []byte("x"), unix.UnixRights(0), nil, 0) }
	for _, transport := range []peer.Transport{peer.Stream, peer.Seqpacket, peer.Datagram} {
		t.Run(transport.String(), func(t *testing.T) {
			s := bind(t, Address{transport, abstract()})
			client := dial(t, s.Address)
			if err := send(client); err != unix.EPERM {
				t.Errorf("sending a descriptor: got %v, want EPERM", err)
			}
			if !s.Listening {
				return
			}
			conn, err := s.Accept()
			check(t, err)
			defer unix.Close(conn)
			if err := send(client); err != unix.EPERM {
				t.Errorf("sending a descriptor when accepted: got %v, want EPERM", err)
			}
			if err := send(conn); err != nil {
				t.Errorf("sending one the other way: got %v, want none", err)
			}
		})
	}
}
