//go:build boot

package boottest

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// watchdogStatus is what io.halberd.Watchdog.Status tells.
type watchdogStatus struct {
	State, Watchdog, OnHang string
	TimeoutMSec             int64
	Apps                    []struct {
		Name, State string
		Own         bool
	}
}

// armedWatchdogs are those that the kernel says are armed, by whomever.
func armedWatchdogs(t testing.TB) (names []string) {
	t.Helper()
	paths, _ := filepath.Glob("/sys/class/watchdog/watchdog*/state")
	if len(paths) == 0 {
		t.Skip("no watchdog tells its state: is the kernel built without CONFIG_WATCHDOG_SYSFS?")
	}
	for _, p := range paths {
		if read(t, p) == "active" {
			names = append(names, filepath.Base(filepath.Dir(p)))
		}
	}
	return names
}

// TestHardwareWatchdog: the hardware is armed by Arm alone and stopped by Disarm, with an app that registers and pings in between. The guest is never reset: an app that hangs would do that, so it is unregistered
// before anything else ends.
func TestHardwareWatchdog(t *testing.T) {
	if armed := armedWatchdogs(t); len(armed) > 0 {
		t.Fatalf("%q are armed, and nobody has asked for it", armed)
	}
	c := dial(t, "stream:@halberd")
	t.Cleanup(func() {
		_ = halctl(t, 0, "watchdog", "unregister", "boot-test")
		if o := halctl(t, 0, "watchdog", "disarm"); o.status != 0 {
			t.Errorf("the watchdog stays armed: %s", o.all())
		}
		if armed := armedWatchdogs(t); len(armed) > 0 {
			t.Errorf("%q are armed after Disarm", armed)
		}
	})
	must(t, 0, "watchdog", "arm")
	var status watchdogStatus
	call(t, c, "io.halberd.Watchdog.Status", nil, &status)
	armed := armedWatchdogs(t)
	if len(armed) != 1 || status.State != "armed" || status.TimeoutMSec < 1000 {
		t.Fatalf("the kernel says that %q are armed, and Halberd %+v", armed, status)
	}
	if seconds := number(t, "/sys/class/watchdog/"+armed[0]+"/timeout"); seconds*1000 != float64(status.TimeoutMSec) {
		t.Errorf("the timeout is %d ms, and the kernel says %v s", status.TimeoutMSec, seconds)
	}
	call(t, c, "io.halberd.Watchdog.Register", map[string]any{"name": "boot-test", "timeoutMSec": 600_000}, nil)
	must(t, 0, "watchdog", "ping", "boot-test")
	refused(t, app, "PermissionDenied", "watchdog", "arm")
	call(t, c, "io.halberd.Watchdog.Status", nil, &status)
	if len(status.Apps) != 1 || status.Apps[0].Name != "boot-test" || status.Apps[0].State != "healthy" || !status.Apps[0].Own {
		t.Errorf("the apps are %+v, want boot-test, healthy", status.Apps)
	}
	must(t, 0, "watchdog", "unregister", "boot-test")
	refused(t, 0, "io.halberd.NoSuchDevice", "watchdog", "ping", "boot-test")
	if got := armedWatchdogs(t); !slices.Equal(got, armed) {
		t.Errorf("%q are armed, want %q", got, armed)
	}
}

// TestHardwareWatchdogAtRestart: neither a restart nor a crash of the daemon disarms, the next one pings, and stopping it for good disarms.
func TestHardwareWatchdogAtRestart(t *testing.T) {
	t.Cleanup(func() {
		_ = halctl(t, 0, "watchdog", "disarm")
		if armed := armedWatchdogs(t); len(armed) > 0 {
			t.Errorf("%q are armed after Disarm", armed)
		}
	})
	must(t, 0, "watchdog", "arm")
	armed := armedWatchdogs(t)
	clearTrace(t)
	const events = "/sys/kernel/tracing/events/watchdog"
	traced := exists(events + "/enable")
	if traced {
		write(t, events+"/enable", "1")
		t.Cleanup(func() { write(t, events+"/enable", "0") })
	}
	for _, end := range []func(){
		func() { run(t, "systemctl", "restart", "halberd.service") },
		func() { crash(t) },
	} {
		end()
		var status watchdogStatus
		eventually(t, "the next daemon has the watchdog", func() bool {
			call(t, dial(t, "stream:@halberd"), "io.halberd.Watchdog.Status", nil, &status)
			return status.State == "armed"
		})
		if got := armedWatchdogs(t); len(armed) != 1 || !slices.Equal(got, armed) {
			t.Errorf("%q are armed, want %q", got, armed)
		}
	}
	if trace := read(t, "/sys/kernel/tracing/trace"); traced && strings.Contains(trace, "watchdog_stop") {
		t.Errorf("the kernel stopped the watchdog:\n%s", tail(trace, 40))
	}
	run(t, "systemctl", "stop", "halberd.service")
	if got := armedWatchdogs(t); len(got) > 0 {
		t.Errorf("%q are armed after a stop for good", got)
	}
	must(t, app, "gpio", "get", "button") // the socket starts it again
}
