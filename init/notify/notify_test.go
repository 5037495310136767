package notify

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// manager is a service manager's socket, to which NOTIFY_SOCKET leads.
func manager(t *testing.T, name string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", name)
	return conn
}

func receive(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	buf := make([]byte, 4096)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

func TestMessages(t *testing.T) {
	tests := []struct {
		name string
		send func() error
		want string // a regular expression
	}{
		{"ready", func() error { return Ready("") }, `READY=1`},
		{"ready with a status", func() error { return Ready("4 sockets, 12 grants") }, `READY=1\nSTATUS=4 sockets, 12 grants`},
		{"a status cannot bring a field of its own", func() error { return Ready("a\nMAINPID=1") }, `READY=1\nSTATUS=a`},
		{"reloading", Reloading, `RELOADING=1\nMONOTONIC_USEC=[0-9]+`},
		{"stopping", Stopping, `STOPPING=1`},
		{"watchdog", Watchdog, `WATCHDOG=1`},
		{"status", func() error { return Status("reading the policy") }, `STATUS=reading the policy`},
		{"no status any more", func() error { return Status("") }, `STATUS=`},
	}
	sockets := map[string]string{
		"abstract": fmt.Sprintf("@halberd-notify-%d", os.Getpid()),
		"path":     filepath.Join(t.TempDir(), "notify"),
	}
	for kind, name := range sockets {
		t.Run(kind, func(t *testing.T) {
			conn := manager(t, name)
			for _, test := range tests {
				t.Run(test.name, func(t *testing.T) {
					if err := test.send(); err != nil {
						t.Fatal(err)
					}
					if got := receive(t, conn); !regexp.MustCompile(`^` + test.want + `$`).MatchString(got) {
						t.Errorf("got %q, want %q", got, test.want)
					}
				})
			}
		})
	}
}

// systemd compares the time with its own: the same clock, in microseconds.
func TestReloadingTellsTheTime(t *testing.T) {
	conn := manager(t, fmt.Sprintf("@halberd-notify-time-%d", os.Getpid()))
	before := monotonic(t)
	if err := Reloading(); err != nil {
		t.Fatal(err)
	}
	after := monotonic(t)
	digits := regexp.MustCompile(`[0-9]+$`).FindString(receive(t, conn))
	if got, err := strconv.ParseInt(digits, 10, 64); err != nil || got < before || got > after {
		t.Errorf("got %q (%v), want between %d and %d", digits, err, before, after)
	}
}

func monotonic(t *testing.T) int64 {
	t.Helper()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		t.Fatal(err)
	}
	return now.Nano() / int64(time.Microsecond)
}

func everything() map[string]error {
	return map[string]error{"Ready": Ready("x"), "Reloading": Reloading(), "Stopping": Stopping(), "Watchdog": Watchdog(), "Status": Status("x")}
}

func TestNobodyAsks(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	for name, err := range everything() {
		if err != nil {
			t.Errorf("%s: got %v, want nothing", name, err)
		}
	}
}

func TestNobodyListens(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "nothing"))
	for name, err := range everything() {
		if !errors.Is(err, unix.ENOENT) {
			t.Errorf("%s: got %v, want ENOENT", name, err)
		}
	}
}

func TestWatchdogInterval(t *testing.T) {
	own := strconv.Itoa(os.Getpid())
	tests := []struct {
		name, usec, pid string
		want            time.Duration
	}{
		{"none", "", "", 0},
		{"ours", "30000000", own, 15 * time.Second},
		{"for nobody in particular", "1000", "", 500 * time.Microsecond},
		{"another process's", "30000000", "1", 0},
		{"nonsense", "soon", own, 0},
		{"zero", "0", own, 0},
		{"a nonsensical process", "30000000", "x", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("WATCHDOG_USEC", test.usec)
			t.Setenv("WATCHDOG_PID", test.pid)
			if got := WatchdogInterval(); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestNoDescriptorIsLeft(t *testing.T) {
	conn := manager(t, fmt.Sprintf("@halberd-notify-leak-%d", os.Getpid()))
	before := openDescriptors(t)
	for name, err := range everything() {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		receive(t, conn)
	}
	if got := openDescriptors(t); got != before {
		t.Errorf("open descriptors: got %d, want %d as before", got, before)
	}
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// TestManagerThatIsBusy: a sign of life does not wait for a manager whose queue is full: what waits for it is the whole daemon, and anybody can fill the queue.
func TestManagerThatIsBusy(t *testing.T) {
	manager(t, fmt.Sprintf("@halberd-notify-busy-%d", os.Getpid()))
	full := make(chan error, 1)
	go func() {
		for {
			if err := Watchdog(); err != nil {
				full <- err
				return
			}
		}
	}()
	select {
	case err := <-full:
		if !errors.Is(err, unix.EAGAIN) {
			t.Errorf("got %v, want EAGAIN", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it waits")
	}
}
