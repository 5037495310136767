package frame

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

func TestSendErrors(t *testing.T) {
	listener := bound(t, abstract())
	gone := abstract()
	tests := []struct {
		name string
		to   []byte
		want error
	}{
		{"nobody has the name", []byte("\x00" + gone[1:]), unix.ECONNREFUSED},
		{"no such path", []byte("/nonexistent/socket"), unix.ENOENT},
		{"a name that is too long", make([]byte, 109), unix.EINVAL},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if n, err := Send(listener, []byte("x"), test.to); err != test.want || n != 0 {
				t.Errorf("got %d, %v, want 0, %v", n, err, test.want)
			}
		})
	}
}

// The longest abstract name has 107 bytes after its NUL, one more than x/sys takes.
func TestSendToLongestName(t *testing.T) {
	server, client := bound(t, ""), bound(t, "")
	address := &sockaddr{family: unix.AF_UNIX}
	copy(address.path[1:], text(107))
	if _, _, errno := unix.Syscall(unix.SYS_BIND, uintptr(server), uintptr(unsafe.Pointer(address)), unsafe.Sizeof(*address)); errno != 0 {
		t.Fatal(errno)
	}
	if n, err := Send(client, []byte("hello"), address.path[:]); n != 5 || err != nil {
		t.Fatalf("sent %d: %v", n, err)
	}
	if p, err := NewReceiver().Receive(server, true); err != nil || string(p.Data) != "hello" {
		t.Errorf("got %q (%v), want hello", p.Data, err)
	}
}

// A peer that is gone is an error, never a signal.
func TestSendToClosed(t *testing.T) {
	for _, kind := range []string{"stream", "seqpacket"} {
		t.Run(kind, func(t *testing.T) {
			fds, err := unix.Socketpair(unix.AF_UNIX, kinds[kind]|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			unix.Close(fds[1])
			defer unix.Close(fds[0])
			if n, err := Send(fds[0], []byte("x"), nil); n != 0 || err != unix.EPIPE {
				t.Errorf("got %d, %v, want EPIPE", n, err)
			}
		})
	}
}

// A blocking socket is not waited for either.
func TestSendDoesNotBlock(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			ours, _ := pair(t, kind)
			if err := unix.SetNonblock(ours, false); err != nil {
				t.Fatal(err)
			}
			msg := make([]byte, 1<<15)
			for {
				n, err := Send(ours, msg, nil)
				if err == unix.EAGAIN && n == 0 {
					return
				}
				if err != nil || n == 0 {
					t.Fatalf("got %d, %v, want EAGAIN at last", n, err)
				}
			}
		})
	}
}
