package kernel_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/kernel"
)

// listen opens the kernel's messages. Where that cannot be, the test is skipped.
func listen(t *testing.T) int {
	t.Helper()
	fd, err := kernel.Linux{}.Uevents()
	if err != nil {
		t.Skipf("uevents: %v", err)
	}
	t.Cleanup(func() { _ = kernel.Linux{}.Close(fd) })
	return fd
}

// hear waits for a message that contains something, a second at most.
func hear(t *testing.T, fd int, what string) (message string, err error) {
	t.Helper()
	p := make([]byte, 8192)
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); {
		n, err := kernel.Linux{}.Uevent(fd, p)
		switch {
		case err == syscall.EAGAIN:
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 50)
		case err != nil:
			return "", err
		case strings.Contains(string(p[:n]), what):
			return string(p[:n]), nil
		}
	}
	return "", syscall.ETIMEDOUT
}

// provoke lets the kernel send a message about /dev/null, which changes nothing. Where that cannot be, the test is skipped.
func provoke(t *testing.T) {
	t.Helper()
	if err := os.WriteFile("/sys/class/mem/null/uevent", []byte("change"), 0); err != nil {
		t.Skipf("a message of the kernel: %v", err)
	}
}

func TestUevents(t *testing.T) {
	fd := listen(t)
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("F_GETFD = %d, %v, want FD_CLOEXEC", flags, err)
	}
	provoke(t)
	message, err := hear(t, fd, "/null")
	if err == syscall.ETIMEDOUT {
		t.Skip("a message of the kernel: it does not reach this network namespace")
	}
	for _, want := range []string{"change@/devices/virtual/mem/null\x00", "\x00ACTION=change\x00", "\x00SUBSYSTEM=mem\x00"} {
		if !strings.Contains(message, want) {
			t.Errorf("got %q, %v, want %q in it", message, err, want)
		}
	}
	provoke(t)
	for err := error(syscall.EAGAIN); err == syscall.EAGAIN; {
		_, err = kernel.Linux{}.Uevent(fd, make([]byte, 16))
		if err != syscall.EAGAIN && err != syscall.ENOBUFS {
			t.Errorf("a message that is longer than the room for it: %v, want ENOBUFS", err)
		}
	}
}

// What another process sends to the socket is no message.
func TestUeventOfAnotherProcess(t *testing.T) {
	fd := listen(t)
	own, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	other, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(other)
	const text = "remove@/devices/forged\x00ACTION=remove\x00SUBSYSTEM=gpio\x00"
	if err := unix.Sendto(other, []byte(text), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Pid: own.(*unix.SockaddrNetlink).Pid}); err != nil {
		t.Skipf("a forged message: %v", err)
	}
	empty := 0
	p := make([]byte, 8192)
	for range 1000 {
		n, err := kernel.Linux{}.Uevent(fd, p)
		if err != nil {
			break
		}
		if n == 0 {
			empty++
		}
		if strings.Contains(string(p[:n]), "forged") {
			t.Errorf("a forged message is given: %q", p[:n])
		}
	}
	if empty != 1 {
		t.Errorf("%d messages are given as nothing, want the forged one", empty)
	}
}

// Each file has its number, and a link leads to that of what it points to.
func TestInode(t *testing.T) {
	root := tree(t)
	k := kernel.Linux{Root: root}
	if err := os.Mkdir(filepath.Join(root, "leds"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("leds", filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	folder, err := k.Inode("/leds")
	if err != nil || folder == 0 {
		t.Errorf("got %d, %v, want a number", folder, err)
	}
	if got, err := k.Inode("/link"); got != folder || err != nil {
		t.Errorf("through a link: got %d, %v, want %d", got, err, folder)
	}
	if got, err := k.Inode("/brightness"); got == folder || err != nil {
		t.Errorf("another file: got %d, %v, want another one than %d", got, err, folder)
	}
	if _, err := k.Inode("/none"); err != syscall.ENOENT {
		t.Errorf("nothing: got %v, want ENOENT", err)
	}
}
