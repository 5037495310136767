package listen

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/peer"
)

// inheritable makes a socket as an init system does: blocking, and open over exec.
func inheritable(t *testing.T, a Address, listening bool) int {
	t.Helper()
	fd := unbound(t, socketTypes[a.Type])
	check(t, a.call(unix.SYS_BIND, fd))
	if listening {
		check(t, unix.Listen(fd, 5))
	}
	return fd
}

func TestClassify(t *testing.T) {
	path := filepath.Join(shortFolder(t), "socket")
	tests := []struct {
		name     string
		address  Address
		listens  bool
		want     bool // listens afterwards
		passcred int
	}{
		{"stream", Address{peer.Stream, abstract()}, true, true, 0},
		{"seqpacket", Address{peer.Seqpacket, abstract()}, true, true, 0},
		{"dgram", Address{peer.Datagram, abstract()}, false, false, 1},
		{"a path", Address{peer.Stream, path}, true, true, 0},
		{"Android's stream", Address{peer.Stream, path + "2"}, false, true, 0},
		{"Android's seqpacket", Address{peer.Seqpacket, path + "3"}, false, true, 0},
		{"Android's datagram", Address{peer.Datagram, path + "4"}, false, false, 1},
		{"padded", Address{peer.Stream, abstract() + "\x00\x00"}, true, true, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			leakCheck(t)
			fd := inheritable(t, test.address, test.listens)
			s, err := Classify(fd)
			if err != nil {
				t.Fatal(err)
			}
			if s.FD != fd || s.Address != test.address || s.Transport != test.address.Type || s.Listening != test.want {
				t.Errorf("got %+v, want %d at %v", s, fd, test.address)
			}
			checkFlags(t, fd)
			if got := option(t, fd, unix.SO_ACCEPTCONN); (got == 1) != test.want {
				t.Errorf("listening: got %d, want %v", got, test.want)
			}
			if got := option(t, fd, unix.SO_PASSCRED); got != test.passcred {
				t.Errorf("SO_PASSCRED: got %d, want %d", got, test.passcred)
			}
			check(t, s.Close())
			if test.address.Name[0] == '/' {
				if _, err := os.Lstat(test.address.Name); err != nil {
					t.Errorf("the path is not ours to remove: %v", err)
				}
			}
		})
	}
}

func TestClassifyConnection(t *testing.T) {
	for _, transport := range []peer.Transport{peer.Stream, peer.Seqpacket} {
		t.Run(transport.String(), func(t *testing.T) {
			leakCheck(t)
			fds, err := unix.Socketpair(unix.AF_UNIX, socketTypes[transport], 0)
			check(t, err)
			defer unix.Close(fds[1])
			check(t, unix.SetsockoptInt(fds[0], unix.SOL_SOCKET, unix.SO_PASSCRED, 1))
			s, err := Classify(fds[0])
			check(t, err)
			defer s.Close()
			if s.Listening || s.Transport != transport || s.Address != (Address{Type: transport}) {
				t.Errorf("got %+v, want a connection without a name", s)
			}
			checkFlags(t, s.FD)
			if got := option(t, s.FD, unix.SO_PASSCRED); got != 0 {
				t.Errorf("SO_PASSCRED: got %d, want 0", got)
			}
			if got := option(t, s.FD, unix.SO_SNDBUF); got != 2*sendBuffer {
				t.Errorf("send buffer: got %d, want %d", got, 2*sendBuffer)
			}
		})
	}
}

func TestClassifyRefuses(t *testing.T) {
	tests := []struct {
		name string
		open func() (int, error)
		want string
	}{
		{"IPv4", func() (int, error) { return unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0) }, "network socket (AF_INET)"},
		{"IPv6", func() (int, error) { return unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM, 0) }, "network socket (AF_INET)"},
		{"netlink", func() (int, error) { return unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE) }, "address family 16"},
		{"a file", func() (int, error) { return unix.Open("/dev/null", unix.O_RDWR, 0) }, unix.ENOTSOCK.Error()},
		{"nothing", func() (int, error) { return -1, nil }, unix.EBADF.Error()},
		{"an unbound stream", func() (int, error) { return unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0) }, "neither bound nor connected"},
		{"an unbound datagram socket", func() (int, error) { return unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0) }, "without a name"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fd, err := test.open()
			if err != nil {
				t.Skipf("cannot open one: %v", err)
			}
			defer unix.Close(fd)
			s, err := Classify(fd)
			if err == nil || s != nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %+v, %v, want an error with %q", s, err, test.want)
			}
			if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); fd >= 0 && err != nil {
				t.Errorf("a refused descriptor is its owner's to close: %v", err)
			}
		})
	}
}

// Datagrams that came before the daemon did keep their credentials.
func TestClassifyKeepsQueuedCredentials(t *testing.T) {
	leakCheck(t)
	a := Address{peer.Datagram, abstract()}
	fd := unbound(t, unix.SOCK_DGRAM)
	check(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1))
	check(t, a.call(unix.SYS_BIND, fd))
	client := dial(t, a)
	_, err := unix.Write(client, []byte("x"))
	check(t, err)
	_, err = Classify(fd)
	check(t, err)
	checkCredentials(t, fd)
}

// What a socket reports beside a message would not fit where the daemon reads it.
func TestClassifyTurnsOffTheRest(t *testing.T) {
	leakCheck(t)
	fd := inheritable(t, Address{peer.Datagram, abstract()}, false)
	for _, name := range []int{unix.SO_PASSSEC, unix.SO_PASSPIDFD} {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, name, 1); err != nil {
			t.Skipf("cannot turn on option %d: %v", name, err)
		}
	}
	_, err := Classify(fd)
	check(t, err)
	for _, name := range []int{unix.SO_PASSSEC, unix.SO_PASSPIDFD} {
		if got := option(t, fd, name); got != 0 {
			t.Errorf("option %d: got %d, want 0", name, got)
		}
	}
}

// A client sees the credentials of whoever called listen, and a second call would change them.
func TestClassifyDoesNotListenAgain(t *testing.T) {
	leakCheck(t)
	a := Address{peer.Stream, abstract()}
	fd := inheritable(t, a, false)
	const other = 4711
	failed := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), other, ^uintptr(0)); errno != 0 {
			failed <- errno
			return
		}
		failed <- unix.Listen(fd, 5)
	}()
	if err := <-failed; errors.Is(err, unix.EPERM) {
		t.Skipf("cannot change the uid: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	_, err := Classify(fd)
	check(t, err)
	u, err := unix.GetsockoptUcred(dial(t, a), unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil || u.Uid != other {
		t.Errorf("the server's uid, as a client sees it: got %d (%v), want %d", u.Uid, err, other)
	}
}
