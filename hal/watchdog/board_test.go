package watchdog

import (
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
)

// TestBadBoard: what contradicts itself or the hardware stops the daemon, with file and line.
func TestBadBoard(t *testing.T) {
	const whole = "board.toml:1: watchdog.main: the kernel takes whole seconds: timeout-msec and pretimeout-msec must be multiples of 1000"
	for _, c := range []struct {
		name, want string
		entries    []simtest.Entry
	}{
		{"two of them", "board.toml:2: watchdog.other: the watchdog that apps share is main already, at board.toml:1",
			[]simtest.Entry{main(`"arm":true`), {Table: "watchdog", ID: "other", Keys: `{"name":"watchdog1"}`}}},
		{"too long", "board.toml:1: watchdog.main: the watchdog can have a timeout of 1 to 20 seconds, not of 21", []simtest.Entry{main(`"timeout-msec":21000`)}},
		{"no whole seconds", whole, []simtest.Entry{main(`"timeout-msec":1500`)}},
		{"a warning in no whole seconds", whole, []simtest.Entry{main(`"pretimeout-msec":1500`)}},
		{"a warning too late", "board.toml:1: watchdog.main: pretimeout-msec must be less than timeout-msec", []simtest.Entry{main(`"timeout-msec":5000,"pretimeout-msec":5000`)}},
		{"another end", "board.toml:1: watchdog.main: on-hang: must be one of [reset log]", []simtest.Entry{main(`"on-hang":"panic"`)}},
		{"no name", "board.toml:1: watchdog.main: name must not be empty", []simtest.Entry{{Table: "watchdog", ID: "main", Keys: `{"name":""}`}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := sim.New(sim.Options{Bare: true})
			k.AddWatchdog(sim.Watchdog{MaxTimeout: 20})
			simtest.ExpectRefused(t, Driver(), k, c.want, c.entries...)
		})
	}
}

// TestWhich: of several watchdogs apps share the one of board.toml, by any of its names, else the kernel's first; without any they are refused.
func TestWhich(t *testing.T) {
	for _, c := range []struct {
		name     string
		dogs     int
		entry    string // the name in board.toml
		want     string
		register string
	}{
		{"the first of many", 11, "", "watchdog0", `{}`},
		{"by the kernel's name", 11, "watchdog10", "main", `{}`},
		{"by its identity", 2, "Other Watchdog", "main", `{}`},
		{"by its device", 2, "1-0048", "main", `{}`},
		{"one that is not there", 2, "watchdog7", "", `NoSuchDevice{"class":"Watchdog","device":"main"}`},
		{"none at all", 0, "", "", `NoSuchDevice{"class":"Watchdog","device":"watchdog0"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := sim.New(sim.Options{Bare: true})
			for i := range c.dogs {
				w := sim.Watchdog{}
				if i == 1 {
					w = sim.Watchdog{Identity: "Other Watchdog", Under: sim.OnI2C}
				}
				k.AddWatchdog(w)
			}
			var entries []simtest.Entry
			if c.entry != "" {
				entries = append(entries, simtest.Entry{Table: "watchdog", ID: "main", Keys: `{"name":"` + c.entry + `"}`})
			}
			b := simtest.Open(t, Driver(), k, false, entries...)
			if got := member(b.Call("Status", `{}`), "watchdog"); got != c.want {
				t.Errorf("apps share %q, want %q", got, c.want)
			}
			b.Expect("Register", ui10, c.register)
			b.Expect("Arm", `{}`, c.register)
			b.Expect("Disarm", `{}`, c.register)
		})
	}
}

// TestDeclared: what halberd detect prints means the same watchdogs.
func TestDeclared(t *testing.T) {
	b, k := bench(t, sim.Watchdog{}, ``)
	entries := b.Declared()
	if want := (simtest.Entry{Table: "watchdog", ID: "watchdog0", Keys: `{"name":"watchdog0"}`}); len(entries) != 1 || entries[0] != want {
		t.Fatalf("got %v, want %v", entries, want)
	}
	b.Close()
	again := simtest.Open(t, Driver(), k, false, entries...)
	if got := again.IDs(); got != "watchdog0" {
		t.Errorf("got %s, want watchdog0", got)
	}
}

// TestPlug: a watchdog that goes is not pinged, apps stay, and one that comes is armed where board.toml says so.
func TestPlug(t *testing.T) {
	for _, under := range []string{sim.OnPlatform, sim.OnI2C} {
		b, k := bench(t, sim.Watchdog{Under: under}, arm+`"reset"`)
		b.Expect("Register", ui10, `{}`)
		held := k.Opened()
		for range 3 {
			k.Unplug("watchdog0")
			pass(b, 9*time.Second)
			b.Expect("Ping", ui, `{}`)
			b.Class.Rescan()
			b.Loop.Turn()
			status(b, "absent", "ui=healthy")
			b.Expect("Arm", `{}`, `DeviceGone{"class":"Watchdog","device":"main"}`)
			b.Expect("Ping", ui, `{}`)
			k.Plug("watchdog0")
			b.Class.Rescan()
			b.Loop.Turn()
			status(b, "armed", "ui=healthy")
			expect(b, k, "active", 0)
			if n := k.Opened(); n != held || b.Loop.Timers() != 2 {
				t.Errorf("%d descriptors and %d timers, want %d, and one for the app and one for the pings", n, b.Loop.Timers(), held)
			}
		}
	}
}

// TestArmHalfWay: hardware that is open is pinged, though the caller hears of a failure.
func TestArmHalfWay(t *testing.T) {
	k := &deaf{Kernel: sim.New(sim.Options{Bare: true}), request: unix.WDIOC_SETTIMEOUT}
	k.AddWatchdog(sim.Watchdog{})
	b := simtest.Open(t, Driver(), k, false, main(`"timeout-msec":30000`))
	k.SetClock(b.Loop.Now)
	if got := b.Call("Arm", `{}`); !strings.Contains(got, `"errno":5`) {
		t.Errorf("got %s, want the failure", got)
	}
	status(b, "armed", "")
	pass(b, 10*time.Minute)
	expect(b, k.Kernel, "active", 0)
	k.request = 0
	b.Expect("Arm", `{}`, `{}`)
	if got := b.Call("Status", `{}`); !strings.Contains(got, `"timeoutMSec":30000`) {
		t.Errorf("armed again: got %s, want 30000 ms", got)
	}
}

// TestPingsThatFail: the log says so once, and the next one is tried all the same.
func TestPingsThatFail(t *testing.T) {
	k := &deaf{Kernel: sim.New(sim.Options{Bare: true})}
	k.AddWatchdog(sim.Watchdog{})
	b := simtest.Open(t, Driver(), k, false, main(arm+`"reset"`))
	k.SetClock(b.Loop.Now)
	b.Loop.Turn()
	k.request = unix.WDIOC_KEEPALIVE
	pass(b, 20*time.Second)
	k.request = 0
	pass(b, 5*time.Minute)
	expect(b, k.Kernel, "active", 0)
	if n := strings.Count(b.Log.String(), "cannot ping"); n != 1 {
		t.Errorf("the log says %d times that a ping failed, want once:\n%s", n, b.Log.String())
	}
}

// TestDisarmThatFails: the hardware is as it was, and pinged.
func TestDisarmThatFails(t *testing.T) {
	k := &deaf{Kernel: sim.New(sim.Options{Bare: true})}
	k.AddWatchdog(sim.Watchdog{})
	b := simtest.Open(t, Driver(), k, false, main(arm+`"reset"`))
	k.SetClock(b.Loop.Now)
	b.Loop.Turn()
	k.request = unix.WDIOC_SETOPTIONS
	if got := b.Call("Disarm", `{}`); !strings.Contains(got, `"errno":5`) {
		t.Errorf("got %s, want the failure", got)
	}
	pass(b, 5*time.Minute)
	status(b, "armed", "")
	expect(b, k.Kernel, "active", 0)
}

// TestSlowBus: pings wait for nobody, and a bus that has too much to do is tried again.
func TestSlowBus(t *testing.T) {
	b, k := bench(t, sim.Watchdog{Under: sim.OnI2C}, arm+`"reset"`)
	b.Loop.Full = true
	b.Expect("Disarm", `{}`, `Busy{"class":"Watchdog","device":"main"}`)
	pass(b, 11*time.Second)
	b.Loop.Full = false
	pass(b, 5*time.Minute)
	status(b, "armed", "")
	expect(b, k, "active", 0)
}

// deaf is a kernel that fails one request with EIO.
type deaf struct {
	*sim.Kernel
	request uint
}

func (d *deaf) Ioctl(fd int, request uint, argument unsafe.Pointer) error {
	if request == d.request {
		return unix.EIO
	}
	return d.Kernel.Ioctl(fd, request, argument)
}
