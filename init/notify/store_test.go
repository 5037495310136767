package notify

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// keeper is the receiving end of NOTIFY_SOCKET, as systemd has it: with descriptors.
type keeper struct {
	*testing.T
	fd int
}

func newKeeper(t *testing.T) *keeper {
	path := filepath.Join(t.TempDir(), "notify")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrUnix{Name: path})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	t.Setenv("NOTIFY_SOCKET", path)
	return &keeper{t, fd}
}

// next takes one message.
func (m *keeper) next() (state string, fds []int) {
	buf, control := make([]byte, 4096), make([]byte, 128)
	n, cn, _, _, err := unix.Recvmsg(m.fd, buf, control, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		m.Error(err)
		return "", nil
	}
	messages, err := unix.ParseSocketControlMessage(control[:cn])
	if err != nil {
		m.Error(err)
	}
	for i := range messages {
		if got, err := unix.ParseUnixRights(&messages[i]); err == nil {
			fds = append(fds, got...)
		}
	}
	return string(buf[:n]), fds
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// TestStore: the descriptor is sent with its name, and Wait returns when the manager has come to the barrier behind it, not before.
func TestStore(t *testing.T) {
	m := newKeeper(t)
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := Store("line-7", int(file.Fd())); err != nil {
		t.Fatal(err)
	}
	stored := make(chan error, 1)
	go func() { stored <- Wait() }()
	state, fds := m.next()
	var got, want unix.Stat_t
	if len(fds) != 1 || unix.Fstat(fds[0], &got) != nil || unix.Fstat(int(file.Fd()), &want) != nil || got.Ino != want.Ino || state != "FDSTORE=1\nFDNAME=line-7" {
		t.Errorf("got %q with %v", state, fds)
	}
	closeAll(fds)
	state, fds = m.next()
	if state != "BARRIER=1" || len(fds) != 1 {
		t.Errorf("got %q with %v, want the barrier", state, fds)
	}
	select {
	case err := <-stored:
		t.Errorf("it returned %v before the manager came to the barrier", err)
	default:
	}
	closeAll(fds)
	if err := <-stored; err != nil {
		t.Error(err)
	}
}

// TestFullQueue: a manager that does not keep up holds nobody up.
func TestFullQueue(t *testing.T) {
	newKeeper(t)
	for n := range 10_000 {
		if err := Unstore("line-7"); errors.Is(err, unix.EAGAIN) {
			break
		} else if err != nil || n == 9999 {
			t.Fatalf("message %d: got %v, want EAGAIN some time", n, err)
		}
	}
	if err := Store("line-7", 0); !errors.Is(err, unix.EAGAIN) {
		t.Errorf("got %v, want EAGAIN", err)
	}
}

func TestUnstore(t *testing.T) {
	m := newKeeper(t)
	if err := Unstore("line-7"); err != nil {
		t.Fatal(err)
	}
	if state, fds := m.next(); state != "FDSTOREREMOVE=1\nFDNAME=line-7" || len(fds) != 0 {
		t.Errorf("got %q with %v", state, fds)
	}
}

func TestStoreErrors(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	if err := Store("line-7", 0); !errors.Is(err, ErrNoManager) {
		t.Errorf("got %v, want %v", err, ErrNoManager)
	}
	for _, name := range []string{"a:b", "a\nREADY=1"} {
		if err := Store(name, 0); err == nil || !strings.Contains(err.Error(), "colon or a line end") {
			t.Errorf("%q: got %v, want it refused", name, err)
		}
	}
	t.Setenv("NOTIFY_SOCKET", "/nowhere/notify")
	if err := Store("line-7", 0); !errors.Is(err, unix.ENOENT) {
		t.Errorf("got %v, want %v", err, unix.ENOENT)
	}
}
