package notify

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ErrNoManager is returned where no service manager listens.
var ErrNoManager = errors.New("there is no service manager to notify")

// barrierLimit is how long a manager may take to come to a message.
const barrierLimit = 5 * time.Second

// Store puts a descriptor into the manager's store under a name, which has no colon: from then on it outlives the process, and the next one finds it among LISTEN_FDS. The descriptor stays the
// caller's. A manager whose store is full or off takes the message all the same, and drops the descriptor: it tells nobody. It does not wait: a queue of the manager's that is full is EAGAIN.
func Store(name string, fd int) error {
	if strings.ContainsAny(name, ":\n") {
		return fmt.Errorf("cannot store descriptor %q: the name has a colon or a line end", name)
	}
	return sendFiles(unix.MSG_DONTWAIT, "FDSTORE=1\nFDNAME="+name, fd)
}

// Unstore takes the descriptors of a name out of the store. It does not wait.
func Unstore(name string) error {
	return sendFiles(unix.MSG_DONTWAIT, "FDSTOREREMOVE=1\nFDNAME="+name)
}

// Wait waits until the manager has worked off what was sent before, for 5 s at most.
func Wait() error { return barrier() }

// barrier waits until the manager has worked off what was sent before: it closes its end of a pipe then.
func barrier() error {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("cannot make a pipe: %w", err)
	}
	defer unix.Close(ends[0])
	err := sendFiles(0, "BARRIER=1", ends[1])
	unix.Close(ends[1])
	if err != nil {
		return err
	}
	return awaitHangUp(ends[0], time.Now().Add(barrierLimit))
}

func awaitHangUp(fd int, limit time.Time) error {
	for {
		left := time.Until(limit)
		if left <= 0 {
			return errors.New("cannot wait for the service manager: it does not answer")
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd)}}, int(left.Milliseconds())+1)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return fmt.Errorf("cannot wait for the service manager: %w", err)
		case n > 0:
			return nil
		}
	}
}

// sendFiles sends a state with descriptors.
func sendFiles(flags int, state string, fds ...int) error {
	address := os.Getenv("NOTIFY_SOCKET")
	if address == "" {
		return ErrNoManager
	}
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot notify the service manager: %w", err)
	}
	defer unix.Close(socket)
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	if err := unix.Sendmsg(socket, []byte(state), rights, &unix.SockaddrUnix{Name: address}, flags|unix.MSG_NOSIGNAL); err != nil {
		return fmt.Errorf("cannot notify the service manager: %w", err)
	}
	return nil
}
