// Package notify tells the service manager how the daemon is: sd_notify(3), to the socket named by NOTIFY_SOCKET.
//
// Everything is a no-op without that variable, as under a manager that does not ask. An error says that the message was not delivered; the daemon
// serves on. A send but for the sign of life may block while the manager's queue is full, as it is while the manager is being restarted.
package notify

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The messages, as sd_notify(3) has them. go-systemd's package for them imports net, which adds 600 KB to the ARMv7 binary.
const (
	ready     = "READY=1"
	reloading = "RELOADING=1"
	stopping  = "STOPPING=1"
	alive     = "WATCHDOG=1"
)

// Ready says that the daemon serves: READY=1, and what `systemctl status` is to show (one line; nothing where it is empty). It also ends a reload.
func Ready(status string) error {
	if status == "" {
		return send(ready)
	}
	return send(ready + "\n" + statusField(status))
}

// Reloading says that a reload began, at the current time of CLOCK_MONOTONIC in microseconds, as Type=notify-reload (systemd 253) wants it. Ready
// ends it.
func Reloading() error {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return fmt.Errorf("cannot read the monotonic clock: %w", err)
	}
	return send(fmt.Sprintf("%s\nMONOTONIC_USEC=%d", reloading, now.Nano()/1000))
}

// Stopping says that the daemon ends.
func Stopping() error { return send(stopping) }

// Watchdog says that the daemon is alive. Call it at least once per WatchdogInterval.
//
// It does not wait: a queue of the manager's that is full is EAGAIN, and worth another try soon.
func Watchdog() error { return sendWith(alive, unix.MSG_DONTWAIT) }

// Status changes what `systemctl status` shows. It is one line; an empty one takes it away.
func Status(status string) error { return send(statusField(status)) }

// WatchdogInterval is how often to call Watchdog: half of what the manager allows. It is 0 where there is no watchdog, or one that is not meant for
// this process, or where the manager wrote nonsense.
func WatchdogInterval() time.Duration {
	pid := os.Getenv("WATCHDOG_PID")
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || usec <= 0 || usec > int64(maxInterval/time.Microsecond) || pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	return time.Duration(usec) * time.Microsecond / 2
}

// maxInterval is longer than anybody waits for a service.
const maxInterval = 24 * time.Hour

// statusField ends at the status's first newline, behind which another field would begin.
func statusField(status string) string {
	line, _, _ := strings.Cut(status, "\n")
	return "STATUS=" + line
}

// send is a no-op without a manager.
func send(state string) error { return sendWith(state, 0) }

func sendWith(state string, flags int) error {
	if err := sendFiles(flags, state); err != nil && !errors.Is(err, ErrNoManager) {
		return err
	}
	return nil
}
