package loop

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// wait lasts until something happens, or not at all where something is to be done at the end of the round. It fills l.events and returns how many there
// are; none after a signal.
func (l *Loop) wait() (int, error) {
	const forever = ^uintptr(0) // -1
	timeout := forever
	if len(l.later) > 0 {
		timeout = 0
	}
	// epoll_pwait is there on every architecture, epoll_wait is not.
	n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(l.epoll), uintptr(unsafe.Pointer(&l.events[0])), maxEvents, timeout, 0, 0)
	switch errno {
	case 0:
		return int(n), nil
	case unix.EINTR:
		return 0, nil
	}
	return 0, errno
}
