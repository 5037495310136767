package listen

import (
	"golang.org/x/sys/unix"
)

// Accept takes the next connection, without blocking: close-on-exec and non-blocking. The caller closes it, or settles it. It passes errors of accept4(2) on as they are: EAGAIN where nobody
// waits, EMFILE and ENFILE where no descriptor is left.
func (s *Socket) Accept() (int, error) { return accept(s.FD) }

// Settle prepares a connection that was accepted to be served: it has a send buffer of 32 KiB (which the kernel doubles), and does not report credentials or the like beside its messages, whatever
// its listener was set to by whoever bound it.
func (s *Socket) Settle(fd int) {
	for _, option := range s.clear {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, 0)
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer) // cannot fail on a socket
}

func accept(listener int) (int, error) {
	for {
		fd, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(listener), 0, 0, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		switch errno {
		case 0:
			return int(fd), nil
		case unix.EINTR, unix.ECONNABORTED:
		default:
			return -1, errno
		}
	}
}
