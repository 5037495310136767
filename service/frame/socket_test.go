package frame

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

var kinds = map[string]int{"stream": unix.SOCK_STREAM, "seqpacket": unix.SOCK_SEQPACKET, "dgram": unix.SOCK_DGRAM}

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

// pair returns two connected sockets.
func pair(t testing.TB, kind int) (ours, theirs int) {
	t.Helper()
	leakCheck(t)
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fds[0]); unix.Close(fds[1]) })
	return fds[0], fds[1]
}

// bound returns a datagram socket with that name: "@" and more for an abstract one, a path, or "" for none.
func bound(t testing.TB, name string) int {
	t.Helper()
	leakCheck(t)
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if name == "" {
		return fd
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: name}); err != nil {
		t.Fatal(err)
	}
	return fd
}

var names atomic.Int64

// abstract returns an abstract name that nobody else has.
func abstract() string { return fmt.Sprintf("@halberd-frame-%d-%d", os.Getpid(), names.Add(1)) }

func set(t testing.TB, fd, option, value int) {
	t.Helper()
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, value); err != nil {
		t.Fatal(err)
	}
}

func mustSend(t testing.TB, fd int, msg string) {
	t.Helper()
	if n, err := Send(fd, []byte(msg), nil); n != len(msg) || err != nil {
		t.Fatalf("sent %d of %d bytes: %v", n, len(msg), err)
	}
}

// sendFiles sends msg with count descriptors.
func sendFiles(t testing.TB, fd int, msg string, count int, to string) {
	t.Helper()
	fds := make([]int, count) // standard input, as often
	var address unix.Sockaddr
	if to != "" {
		address = &unix.SockaddrUnix{Name: to}
	}
	if err := unix.Sendmsg(fd, []byte(msg), unix.UnixRights(fds...), address, 0); err != nil {
		t.Fatal(err)
	}
}

// needControlTruncation skips where the emulator gives the kernel more room for control data than it was asked for, and hides MSG_CTRUNC.
func needControlTruncation(t testing.TB) {
	t.Helper()
	for _, room := range []int{0, unix.CmsgSpace(credsLen)} {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0) // without leak check: such an emulator leaks
		if err != nil {
			t.Fatal(err)
		}
		set(t, fds[0], unix.SO_PASSCRED, 1)
		sendFiles(t, fds[1], "x", 1, "")
		_, oobn, flags, _, err := unix.Recvmsg(fds[0], make([]byte, 1), make([]byte, room), 0)
		unix.Close(fds[0])
		unix.Close(fds[1])
		if err != nil {
			t.Fatal(err)
		}
		if flags&unix.MSG_CTRUNC == 0 {
			t.Skipf("MSG_CTRUNC is missing here (no errno): flags %#x with %d of %d bytes of control data", flags, oobn, room)
		}
	}
}

// file is one end of a pipe, to be owned by whoever gets it; ended says whether all copies of it are closed.
func file(t testing.TB) (fd int, ended func() bool) {
	t.Helper()
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(p[0]) })
	return p[1], func() bool {
		n, err := unix.Read(p[0], make([]byte, 1))
		return n == 0 && err == nil
	}
}

func text(n int) string { return strings.Repeat("0123456789abcdef", n/16+1)[:n] }
