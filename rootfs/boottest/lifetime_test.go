//go:build boot

package boottest

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/halberd-io/halberd/service/client"
)

// TestReloadOfBadFile: it fails, says where, and the old policy stays in force; a good one then counts.
func TestReloadOfBadFile(t *testing.T) {
	must(t, app, "gpio", "get", "button")
	path := "/etc/halberd/policy.d/60-bad.toml"
	write(t, path, "[[grant]]\nid = \"bad\"\nusers = [1001]\nmethods = [\"io.halberd.Gpio.Fly\"]\ndevices = [\"*\"]\n")
	o := start(t, 0, nil, "systemctl", "reload", "halberd.service")
	if o.status == 0 {
		t.Error("the reload of a bad file succeeded")
	}
	if log := run(t, "journalctl", "-b", "-u", "halberd.service", "-o", "cat", "-n", "20"); !strings.Contains(log, "60-bad.toml:4") {
		t.Errorf("the log does not name 60-bad.toml:4:\n%s", log)
	}
	must(t, app, "gpio", "get", "button")
	refused(t, kiosk, "PermissionDenied", "gpio", "get", "button")
	if got := property(t, "halberd.service", "ActiveState"); got != "active" {
		t.Errorf("halberd.service is %s after a reload that failed", got)
	}
	write(t, path, "[[grant]]\nid = \"good\"\nusers = [1001]\nmethods = [\"io.halberd.Gpio.Get\"]\ndevices = [\"button\"]\n")
	run(t, "systemctl", "reload", "halberd.service")
	must(t, kiosk, "gpio", "get", "button")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	run(t, "systemctl", "reload", "halberd.service")
	refused(t, kiosk, "PermissionDenied", "gpio", "get", "button")
}

// waiting is how many connections wait in the backlog while the daemon is restarted.
const waiting = 20

// TestRestartKeepsBacklog: connections that no daemon has accepted yet, with their calls, are answered by the next one.
func TestRestartKeepsBacklog(t *testing.T) {
	for _, row := range []struct {
		name string
		end  func(t *testing.T, pid int)
	}{
		{"systemctl restart", func(t *testing.T, _ int) { run(t, "systemctl", "restart", "halberd.service") }},
		{"kill -9", func(t *testing.T, pid int) { kill(t, pid, syscall.SIGKILL) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			must(t, app, "gpio", "get", "button")
			pid, _ := strconv.Atoi(property(t, "halberd.service", "MainPID"))
			kill(t, pid, syscall.SIGSTOP)
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			var calls sync.WaitGroup
			var dialled, answered atomic.Int32
			for i := range waiting {
				calls.Go(func() {
					c, err := client.Dial(ctx, addresses[i%3])
					if err != nil {
						t.Error(err)
						return
					}
					defer c.Close()
					dialled.Add(1)
					if err := c.Call(ctx, "io.halberd.Gpio.Get", map[string]any{"line": "button"}, nil); err != nil {
						t.Error(err)
						return
					}
					answered.Add(1)
				})
			}
			eventually(t, "all are connected", func() bool { return dialled.Load() == waiting })
			if got := answered.Load(); got != 0 {
				t.Errorf("%d calls were answered by a daemon that is stopped", got)
			}
			row.end(t, pid)
			calls.Wait()
			if got := answered.Load(); got != waiting {
				t.Errorf("%d of %d calls were answered", got, waiting)
			}
			if now := property(t, "halberd.service", "MainPID"); now == strconv.Itoa(pid) || now == "0" {
				t.Errorf("the daemon is process %s, and was %d", now, pid)
			}
		})
	}
}

func kill(t testing.TB, pid int, signal syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, signal); err != nil {
		t.Fatal(err)
	}
}

// crash kills the daemon and waits for the next one.
func crash(t testing.TB) {
	t.Helper()
	pid, _ := strconv.Atoi(property(t, "halberd.service", "MainPID"))
	kill(t, pid, syscall.SIGKILL)
	eventually(t, "another daemon runs", func() bool {
		now := property(t, "halberd.service", "MainPID")
		return now != "0" && now != strconv.Itoa(pid) && property(t, "halberd.service", "ActiveState") == "active"
	})
}

// TestRestartUnderLoad: while apps call all the time, no connect is ever refused, and whoever lost a connection is answered on the next.
func TestRestartUnderLoad(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	var stopped atomic.Bool
	var apps sync.WaitGroup
	var calls, lost [3]atomic.Int32
	for i, address := range addresses[:3] {
		apps.Go(func() {
			for !stopped.Load() {
				err := once(ctx, address)
				time.Sleep(2 * time.Millisecond) // leaves systemd some of the emulated processors
				switch {
				case err == nil:
					calls[i].Add(1)
				case errors.Is(err, client.ErrConnectionLost):
					lost[i].Add(1)
				default:
					t.Errorf("%s: %v", address, err)
					return
				}
			}
		})
	}
	run(t, "systemctl", "restart", "halberd.service")
	crash(t)
	before := [3]int32{calls[0].Load(), calls[1].Load(), calls[2].Load()}
	eventually(t, "each app is answered again", func() bool {
		return calls[0].Load() > before[0] && calls[1].Load() > before[1] && calls[2].Load() > before[2]
	})
	stopped.Store(true)
	apps.Wait()
	t.Logf("answered %d, %d, %d; lost with the daemon that had accepted them %d, %d, %d", calls[0].Load(), calls[1].Load(), calls[2].Load(),
		lost[0].Load(), lost[1].Load(), lost[2].Load())
}

// once connects and calls.
func once(ctx context.Context, address string) error {
	c, err := client.Dial(ctx, address)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Call(ctx, "io.halberd.Gpio.Get", map[string]any{"line": "button"}, nil)
}

// TestStopReachesSafeState: stopping for good does, a restart and a crash do not call for it.
func TestStopReachesSafeState(t *testing.T) {
	pin := line(t, "20") + "/value"
	must(t, 0, "gpio", "set", "valve", "1")
	if got := read(t, pin); got != "1" {
		t.Fatalf("the valve's pin is %s, want 1", got)
	}
	clearTrace(t)
	run(t, "systemctl", "stop", "halberd.service")
	want := "gpio_value: " + kernelNumber(t, 20) + " set 0"
	if trace := read(t, "/sys/kernel/tracing/trace"); !strings.Contains(trace, want) {
		t.Errorf("the kernel saw no %q:\n%s", want, tail(trace, 40))
	}
	must(t, app, "gpio", "get", "button")
	for _, end := range []func(){
		func() { run(t, "systemctl", "restart", "halberd.service") },
		func() { crash(t) },
	} {
		since := time.Now().Add(-time.Second).Format("2006-01-02 15:04:05")
		before := safeCalls(t)
		end()
		must(t, app, "gpio", "get", "button")
		if after := safeCalls(t); after != before {
			t.Errorf("since %s, `halctl safe` was called by what is no stop", since)
		}
	}
}

// safeCalls is how often halberd-safe.service called the daemon.
func safeCalls(t testing.TB) int {
	t.Helper()
	return strings.Count(run(t, "journalctl", "-b", "-o", "cat", "HALBERD_METHOD=io.halberd.Board.Safe"), "Board.Safe")
}

// clearTrace begins to record changes of lines anew.
func clearTrace(t testing.TB) {
	t.Helper()
	if start(t, 0, nil, "mountpoint", "-q", "/sys/kernel/tracing").status != 0 {
		run(t, "mount", "-t", "tracefs", "tracefs", "/sys/kernel/tracing")
	}
	write(t, "/sys/kernel/tracing/events/gpio/enable", "1")
	write(t, "/sys/kernel/tracing/trace", "")
}

// TestWatchdog: systemd's watchdog is armed and the daemon tells it that it lives.
func TestWatchdog(t *testing.T) {
	must(t, app, "gpio", "get", "button") // it is there
	if got := property(t, "halberd.service", "WatchdogUSec"); got != "30s" {
		t.Errorf("WatchdogUSec is %s, want 30s", got)
	}
	if got := property(t, "halberd.service", "WatchdogTimestampMonotonic"); got == "0" {
		t.Error("the daemon never notified the watchdog")
	}
	if got := property(t, "halberd.service", "StatusText"); !strings.Contains(got, "policy generation") {
		t.Errorf("StatusText is %q, want the policy generation", got)
	}
}
