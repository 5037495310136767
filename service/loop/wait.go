package loop

import (
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// holdMSec is how long a held wait lasts at most, in milliseconds: long enough that a client with a call a millisecond never lets it elapse,
// short enough that a collection waits no longer than it is used to.
const holdMSec = 4

// wait fills l.events and returns how many there are; none after a signal or an elapsed hold.
func (l *Loop) wait() (int, error) {
	if !l.mayHold() {
		return l.ordinaryWait()
	}
	n, err := l.heldWait()
	if n == 0 {
		l.traffic = false
	}
	return n, err
}

// mayHold says whether nothing but descriptors is expected to end the next wait. The number of processors is asked each time, since it follows the
// limits of the daemon's cgroup; that costs some 20 ns.
func (l *Loop) mayHold() bool {
	return l.traffic && l.hold && l.busy == 0 && !l.timerWithin(holdMSec*time.Millisecond) && runtime.GOMAXPROCS(0) >= 2
}

// heldWait keeps its processor, so it may not last; see the package comment. epoll_pwait is there on every architecture, epoll_wait is not.
func (l *Loop) heldWait() (int, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(l.epoll), uintptr(unsafe.Pointer(&l.events[0])), maxEvents, holdMSec, 0, 0)
	return waited(n, errno)
}

// ordinaryWait lasts until something happens.
func (l *Loop) ordinaryWait() (int, error) {
	const forever = ^uintptr(0) // -1
	n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(l.epoll), uintptr(unsafe.Pointer(&l.events[0])), maxEvents, forever, 0, 0)
	return waited(n, errno)
}

func waited(n uintptr, errno unix.Errno) (int, error) {
	switch errno {
	case 0:
		return int(n), nil
	case unix.EINTR:
		return 0, nil
	}
	return 0, errno
}
