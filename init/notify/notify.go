// Package notify tells the service manager how the daemon is: sd_notify(3), to the socket named by NOTIFY_SOCKET.
//
// Everything is a no-op without that variable, as under a manager that does not ask. An error says that the message was not delivered; the daemon
// serves on. A send may block while the manager's queue is full, as it is while the manager is being restarted.
package notify

import (
	"fmt"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// Ready says that the daemon serves: READY=1, and what `systemctl status` is to show (one line; nothing where it is empty). It also ends a reload.
func Ready(status string) error {
	if status == "" {
		return send(daemon.SdNotifyReady)
	}
	return send(daemon.SdNotifyReady + "\n" + statusField(status))
}

// Reloading says that a reload began, at the current time of CLOCK_MONOTONIC in microseconds, as Type=notify-reload (systemd 253) wants it. Ready
// ends it.
func Reloading() error {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return fmt.Errorf("cannot read the monotonic clock: %w", err)
	}
	return send(fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, now.Nano()/1000))
}

// Stopping says that the daemon ends.
func Stopping() error { return send(daemon.SdNotifyStopping) }

// Watchdog says that the daemon is alive. Call it at least once per WatchdogInterval.
func Watchdog() error { return send(daemon.SdNotifyWatchdog) }

// Status changes what `systemctl status` shows. It is one line; an empty one takes it away.
func Status(status string) error { return send(statusField(status)) }

// WatchdogInterval is how often to call Watchdog: half of what the manager allows. It is 0 where there is no watchdog, or one that is not meant for
// this process, or where the manager wrote nonsense.
func WatchdogInterval() time.Duration {
	limit, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return 0
	}
	return limit / 2
}

// statusField ends at the status's first newline, behind which another field would begin.
func statusField(status string) string {
	line, _, _ := strings.Cut(status, "\n")
	return "STATUS=" + line
}

func send(state string) error {
	if _, err := daemon.SdNotify(false, state); err != nil {
		return fmt.Errorf("cannot notify the service manager: %w", err)
	}
	return nil
}
