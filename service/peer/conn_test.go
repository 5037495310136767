package peer

import (
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestFromConn(t *testing.T) {
	many := make([]uint32, maxGroups)
	for i := range many {
		many[i] = uint32(20000 + i)
	}
	tests := []struct {
		name       string
		credential syscall.Credential
	}{
		{"another uid", syscall.Credential{Uid: 4711, Gid: 4712, Groups: []uint32{}}},
		{"one group", syscall.Credential{Uid: 4711, Gid: 4712, Groups: []uint32{4713}}},
		{"groups", syscall.Credential{Uid: 4711, Gid: 4712, Groups: []uint32{4713, 4714, 4715}}},
		{"the primary group listed too", syscall.Credential{Uid: 4711, Gid: 4712, Groups: []uint32{4712, 4713}}},
		{"as many groups as are asked for at first", syscall.Credential{Uid: 4711, Gid: 4712, Groups: many[:usualGroups]}},
		{"one more", syscall.Credential{Uid: 4711, Gid: 4712, Groups: many[:usualGroups+1]}},
		{"very many groups", syscall.Credential{Uid: 4711, Gid: 4712, Groups: many[:5000]}},
		{"as many groups as there can be", syscall.Credential{Uid: 4711, Gid: 4712, Groups: many}},
		{"root", syscall.Credential{Uid: 0, Gid: 0, Groups: []uint32{}}},
		{"nobody", syscall.Credential{Uid: 65534, Gid: 65534, Groups: []uint32{}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := startChild(t, &test.credential)
			got, err := FromConn(c.conn, Stream)
			if err != nil || got.UID != test.credential.Uid || got.GID != test.credential.Gid || got.Transport != Stream {
				t.Errorf("got %d:%d by %v (%v), want %d:%d by stream", got.UID, got.GID, got.Transport, err, test.credential.Uid, test.credential.Gid)
			}
			if got.PID != int32(c.pid) {
				t.Errorf("process: got %d, want %d", got.PID, c.pid)
			}
			if want := visibleGroups(t, c.conn, test.credential.Groups); !slices.Equal(got.Groups, want) {
				t.Errorf("groups: got %d, want %d, beginning with %v", len(got.Groups), len(want), want[:min(8, len(want))])
			}
		})
	}
}

// visibleGroups is what FromConn can see of a peer's groups: nothing where ERANGE is the answer to every size.
func visibleGroups(t *testing.T, conn int, groups []uint32) []uint32 {
	t.Helper()
	if _, err := getGroups(conn, make([]uint32, maxGroups)); err != nil {
		t.Logf("SO_PEERGROUPS cannot tell %d groups here: %v", len(groups), err)
		return nil
	}
	return groups
}

// The identity is that of connect(2), and survives the death of who connected.
// TestOwner: the same uid as FromConn has, and nobody's beside an error.
func TestOwner(t *testing.T) {
	c := startChild(t, &syscall.Credential{Uid: 4711, Gid: 4712, Groups: []uint32{}})
	if got, err := Owner(c.conn); got != 4711 || err != nil {
		t.Errorf("got %d, %v, want 4711", got, err)
	}
	if got, err := Owner(-1); got != nobody || !errors.Is(err, unix.EBADF) {
		t.Errorf("got %d, %v, want nobody, EBADF", got, err)
	}
}

func TestFromConnOfADeadPeer(t *testing.T) {
	c := startChild(t, &syscall.Credential{Uid: 4711, Gid: 4712, Groups: []uint32{4713}})
	c.end()
	got, err := FromConn(c.conn, Stream)
	if err != nil || got.UID != 4711 || got.GID != 4712 || !got.InGroup(4713) {
		t.Errorf("got %d:%d %v (%v), want 4711:4712 [4713]", got.UID, got.GID, got.Groups, err)
	}
}

func TestFromConnOfOurselves(t *testing.T) {
	for transport, kind := range map[Transport]int{Stream: unix.SOCK_STREAM, Seqpacket: unix.SOCK_SEQPACKET} {
		fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		got, err := FromConn(fds[0], transport)
		if err != nil || got.UID != uint32(os.Geteuid()) || got.GID != uint32(os.Getegid()) || got.PID != int32(os.Getpid()) || got.Transport != transport {
			t.Errorf("%v: got %+v (%v), want ourselves", transport, got, err)
		}
		unix.Close(fds[0])
		unix.Close(fds[1])
	}
}

// Whatever fails, the identity is nobody's.
func TestFromConnFailsClosed(t *testing.T) {
	unconnected, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(unconnected)
	null, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(null)
	tests := []struct {
		name string
		fd   int
		want error
		said string
	}{
		{"not open", -1, unix.EBADF, "credentials"},
		{"no socket", null, unix.ENOTSOCK, "credentials"},
		{"not connected", unconnected, unix.ENODATA, "groups"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := FromConn(test.fd, Stream)
			if !errors.Is(err, test.want) || !strings.HasPrefix(err.Error(), "cannot read the peer's "+test.said) {
				t.Errorf("got %v, want %v about the peer's %s", err, test.want, test.said)
			}
			if got.UID != nobody || got.GID != nobody || got.Groups != nil || got.PID != 0 {
				t.Errorf("got %+v, want nobody", got)
			}
		})
	}
}

// What the kernel's last answer to SO_PEERGROUPS comes to. Answers that this kernel never gives are given by older ones, and by emulators.
func TestGroupsFrom(t *testing.T) {
	tests := []struct {
		name string
		n    int
		err  error
		want []uint32
		fail error
	}{
		{"all", 3, nil, []uint32{1, 2, 3}, nil},
		{"some", 2, nil, []uint32{1, 2}, nil},
		{"none", 0, nil, nil, nil},
		{"ERANGE whatever the size", 3, unix.ERANGE, nil, nil},
		{"an old kernel", 3, unix.ENOPROTOOPT, nil, nil},
		{"no socket", 3, unix.ENOTSOCK, nil, unix.ENOTSOCK},
		{"no peer", 3, unix.ENODATA, nil, unix.ENODATA},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := groupsFrom([]uint32{1, 2, 3}, test.n, test.err)
			if !slices.Equal(got, test.want) || err != test.fail {
				t.Errorf("got %v, %v, want %v, %v", got, err, test.want, test.fail)
			}
		})
	}
}
