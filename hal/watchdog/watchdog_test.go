package watchdog

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
)

// bench opens the class over one watchdog, in the loop's time. Keys are those of board.toml beside the name; "" is no table at all.
func bench(t *testing.T, w sim.Watchdog, keys string) (*simtest.Bench, *sim.Kernel) {
	t.Helper()
	k := sim.New(sim.Options{Bare: true})
	k.AddWatchdog(w)
	return open1(t, k, keys), k
}

// open1 opens the class anew, as a daemon does that starts.
func open1(t *testing.T, k *sim.Kernel, keys string) *simtest.Bench {
	t.Helper()
	var entries []simtest.Entry
	if keys != "" {
		entries = append(entries, main(keys))
	}
	b := simtest.Open(t, Driver(), k, false, entries...)
	k.SetClock(b.Loop.Now)
	b.Loop.Turn()
	return b
}

func main(keys string) simtest.Entry {
	return simtest.Entry{Table: "watchdog", ID: "main", Keys: `{"name":"watchdog0",` + keys + `}`}
}

// state reads what the kernel says about the watchdog.
func state(t *testing.T, k *sim.Kernel) string {
	t.Helper()
	return simtest.Cat(t, k, "/sys/class/watchdog/watchdog0/state")
}

// expect compares what the kernel says, and how often the board was reset.
func expect(b *simtest.Bench, k *sim.Kernel, wantState string, wantResets int) {
	b.Helper()
	if got, resets := state(b.T, k), k.Resets("watchdog0"); got != wantState || resets != wantResets {
		b.Errorf("the kernel says %s and %d resets, want %s and %d", got, resets, wantState, wantResets)
	}
}

// status compares what Status says: the state, and the apps as name=state.
func status(b *simtest.Bench, wantState, wantApps string) {
	b.Helper()
	got := b.Call("Status", `{}`)
	_, apps, _ := strings.Cut(got, `"apps":[`)
	var all []string
	for _, a := range strings.Split(apps, "{")[1:] {
		all = append(all, member(a, "name")+"="+member(a, "state"))
	}
	if list := strings.Join(all, " "); member(got, "state") != wantState || list != wantApps {
		b.Errorf("got %s\nwant %s with %q", got, wantState, wantApps)
	}
}

func member(text, key string) string {
	_, rest, _ := strings.Cut(text, `"`+key+`":"`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

// pass lets time pass in steps of a second.
func pass(b *simtest.Bench, d time.Duration) {
	for range d / time.Second {
		b.Loop.Advance(time.Second)
	}
}

const (
	arm    = `"arm":true,"timeout-msec":30000,"on-hang":`
	ui     = `{"name":"ui"}`
	ui10   = `{"name":"ui","timeoutMSec":10000}`
	noSuch = `NoSuchDevice{"class":"Watchdog","device":"ui"}`
)

// TestStartArmsNothing: only board.toml and Arm open the device, and the pings then keep the board from its reset.
func TestStartArmsNothing(t *testing.T) {
	for _, c := range []struct{ name, keys, state string }{
		{"without a table", ``, "inactive"},
		{"with one that does not say so", `"timeout-msec":30000`, "inactive"},
		{"with one that says not to", `"arm":false`, "inactive"},
		{"with one that says so", `"arm":true`, "active"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, k := bench(t, sim.Watchdog{}, c.keys)
			expect(b, k, c.state, 0)
			pass(b, 10*time.Minute)
			expect(b, k, c.state, 0)
		})
	}
}

func TestStatus(t *testing.T) {
	b, _ := bench(t, sim.Watchdog{}, `"timeout-msec":30000,"on-hang":"log"`)
	b.Expect("Status", `{}`, `{"state":"disarmed","watchdog":"main","onHang":"log","causedReset":false,"apps":[]}`)
	b.Expect("Arm", `{}`, `{}`)
	b.Expect("Register", ui10, `{}`)
	b.Connect("another")
	b.Expect("Register", `{"name":"ui","timeoutMSec":200}`, `{}`)
	b.Expect("Status", `{}`, `{"state":"armed","watchdog":"main","onHang":"log","timeoutMSec":30000,"causedReset":false,"apps":[`+
		`{"name":"ui","timeoutMSec":10000,"state":"healthy","own":false},{"name":"ui","timeoutMSec":200,"state":"healthy","own":true}]}`)
}

// TestUnitsAndPings: seconds in the kernel, and four pings in each of its timeouts, whoever set it.
func TestUnitsAndPings(t *testing.T) {
	for _, c := range []struct {
		name     string
		watchdog sim.Watchdog
		keys     string
		timeout  string // as Status has it
		silence  time.Duration
	}{
		{"of board.toml", sim.Watchdog{}, `"timeout-msec":40000`, "40000", 10 * time.Second},
		{"of the driver", sim.Watchdog{Timeout: 8}, `"on-hang":"log"`, "8000", 2 * time.Second},
		{"that cannot be set", sim.Watchdog{Fixed: true, Timeout: 4}, `"timeout-msec":30000`, "4000", time.Second},
		{"that nobody knows", sim.Watchdog{Unknown: true, Timeout: 2}, `"on-hang":"log"`, "1000", time.Second / 4},
		{"on a slow bus", sim.Watchdog{Under: sim.OnI2C}, `"timeout-msec":40000`, "40000", 10 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := sim.New(sim.Options{Bare: true})
			k.AddWatchdog(c.watchdog)
			record := haltest.Record(k)
			b := simtest.Open(t, Driver(), record, false, main(c.keys))
			k.SetClock(b.Loop.Now)
			b.Expect("Arm", `{}`, `{}`)
			if got := b.Call("Status", `{}`); !strings.Contains(got, `"state":"armed"`) || !strings.Contains(got, `"timeoutMSec":`+c.timeout+",") {
				t.Errorf("got %s, want it armed with %s ms", got, c.timeout)
			}
			record.Reset()
			b.Loop.Advance(100 * c.silence)
			expect(b, k, "active", 0)
			pings := 0
			for _, call := range record.Calls() {
				if call.Err == nil && (call.Op == haltest.Write || call.Request == unix.WDIOC_KEEPALIVE) {
					pings++
				}
			}
			if pings != 100 {
				t.Errorf("%d pings in %v, want 100", pings, 100*c.silence)
			}
			if n := b.Loop.Timers(); n != 1 {
				t.Errorf("%d timers run, want that of the pings alone", n)
			}
		})
	}
}

// TestHang: an app that does not ping in time, or ends, and what comes of it.
func TestHang(t *testing.T) {
	hangs := func(b *simtest.Bench) { pass(b, 11*time.Second) }
	ends := func(b *simtest.Bench) { b.Hangup(); b.Connect("another") }
	for _, c := range []struct {
		name, onHang string
		hang         func(*simtest.Bench)
		state        string
		resets       int
	}{
		{"silent, with reset", `"reset"`, hangs, "expiring", 1},
		{"ended, with reset", `"reset"`, ends, "expiring", 1},
		{"silent, with log", `"log"`, hangs, "armed", 0},
		{"ended, with log", `"log"`, ends, "armed", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, k := bench(t, sim.Watchdog{}, arm+c.onHang)
			b.Expect("Register", ui10, `{}`)
			for range 5 {
				pass(b, 9*time.Second)
				b.Expect("Ping", ui, `{}`)
			}
			status(b, "armed", "ui=healthy")
			c.hang(b)
			status(b, c.state, "ui=hung")
			expect(b, k, "active", 0)
			if n := strings.Count(b.Log.String(), "an app hangs"); n != 1 || !strings.Contains(b.Log.String(), "owner=somebody") {
				t.Errorf("the log says %d times that an app hangs, want once, with its user:\n%s", n, b.Log.String())
			}
			pass(b, 40*time.Second)
			if got := k.Resets("watchdog0"); got != c.resets {
				t.Errorf("%d resets, want %d", got, c.resets)
			}
			status(b, c.state, "ui=hung")
		})
	}
}

// TestResetStays: neither a ping nor a new registration holds up a reset that was decided upon, and arming is refused meanwhile. Disarming helps.
func TestResetStays(t *testing.T) {
	b, k := bench(t, sim.Watchdog{}, arm+`"reset"`)
	b.Expect("Register", ui10, `{}`)
	pass(b, 11*time.Second)
	b.Expect("Ping", ui, `{}`)
	b.Expect("Register", ui10, `{}`)
	b.Expect("Unregister", ui, `{}`)
	b.Expect("Arm", `{}`, `Busy{"class":"Watchdog","device":"main"}`)
	status(b, "expiring", "")
	pass(b, 10*time.Second)
	expect(b, k, "active", 0)
	b.Expect("Disarm", `{}`, `{}`)
	pass(b, time.Minute)
	expect(b, k, "inactive", 0)
	status(b, "disarmed", "")
	b.Expect("Arm", `{}`, `{}`)
	pass(b, time.Minute)
	status(b, "armed", "")
	expect(b, k, "active", 0)
}

// TestArmBeginsAnew: what hung while nobody watched over it is no reason for a reset.
func TestArmBeginsAnew(t *testing.T) {
	b, k := bench(t, sim.Watchdog{}, `"on-hang":"reset"`)
	b.Expect("Register", `{"name":"gone","timeoutMSec":10000}`, `{}`)
	b.Hangup()
	b.Expect("Register", ui10, `{}`)
	pass(b, time.Minute)
	status(b, "disarmed", "gone=hung ui=hung")
	b.Expect("Arm", `{}`, `{}`)
	status(b, "armed", "ui=healthy")
	pass(b, 9*time.Second)
	b.Expect("Ping", ui, `{}`)
	b.Expect("Unregister", ui, `{}`)
	pass(b, 5*time.Minute)
	status(b, "armed", "")
	expect(b, k, "active", 0)
}

// TestNames: a name belongs to a user, on whatever connection or datagram, and to one connection at a time.
func TestNames(t *testing.T) {
	b, _ := bench(t, sim.Watchdog{}, ``)
	first := b.Connect("kiosk")
	b.Expect("Register", ui10, `{}`)
	b.Connect("kiosk")
	b.Expect("Ping", ui, `{}`)
	b.Expect("Register", ui10, `Busy{"class":"Watchdog","device":"ui"}`)
	b.Connect("logger")
	b.Expect("Ping", ui, noSuch)
	b.Expect("Unregister", ui, noSuch)
	b.Expect("Register", ui10, `{}`)
	status(b, "disarmed", "ui=healthy ui=healthy")
	b.Use(first)
	b.Expect("Register", `{"name":"ui","timeoutMSec":20000}`, `{}`)
	b.Hangup()
	status(b, "disarmed", "ui=hung ui=healthy")
	b.Connect("kiosk")
	b.Expect("Ping", ui, noSuch)
	b.Expect("Register", ui10, `{}`)
	status(b, "disarmed", "ui=healthy ui=healthy")
	b.Expect("Unregister", ui, `{}`)
	b.Expect("Unregister", ui, noSuch)
	b.Hangup()
	status(b, "disarmed", "ui=healthy")
	b.Connect("kiosk")
	b.Expect("Register", `{"name":"","timeoutMSec":10000}`, `InvalidParameter{"parameter":"name"}`)
}

// TestEndedIsCleared: a user can take back what an ended connection of it left.
func TestEndedIsCleared(t *testing.T) {
	b, k := bench(t, sim.Watchdog{}, arm+`"log"`)
	b.Expect("Register", ui10, `{}`)
	b.Hangup()
	status(b, "armed", "ui=hung")
	b.Expect("Unregister", ui, `{}`)
	status(b, "armed", "")
	pass(b, time.Minute)
	expect(b, k, "active", 0)
}

// TestHealthyAgain: an app that hung and pings again is healthy, where that did not reset the board.
func TestHealthyAgain(t *testing.T) {
	b, _ := bench(t, sim.Watchdog{}, arm+`"log"`)
	b.Expect("Register", ui10, `{}`)
	for range 3 {
		pass(b, 11*time.Second)
		status(b, "armed", "ui=hung")
		b.Expect("Ping", ui, `{}`)
		status(b, "armed", "ui=healthy")
	}
	if n := strings.Count(b.Log.String(), "an app hangs"); n != 3 {
		t.Errorf("the log says %d times that an app hangs, want 3", n)
	}
}

func TestLimits(t *testing.T) {
	b, _ := bench(t, sim.Watchdog{}, ``)
	for user := range maxApps / maxPerUser {
		b.Connect(hal.Owner(rune('a' + user)))
		for i := range maxPerUser {
			b.Expect("Register", `{"name":"app`+string(rune('a'+i))+`","timeoutMSec":10000}`, `{}`)
		}
		b.Expect("Register", `{"name":"more","timeoutMSec":10000}`, `LimitExceeded{"limit":"watchdog-registrations-per-uid","maximum":16}`)
		b.Expect("Register", `{"name":"appa","timeoutMSec":20000}`, `{}`)
	}
	b.Connect("one more")
	b.Expect("Register", ui10, `LimitExceeded{"limit":"watchdog-registrations","maximum":128}`)
}

// TestClose: a daemon that ends does not reset the board, whatever apps there are, unless that was decided upon before.
func TestClose(t *testing.T) {
	for _, c := range []struct {
		name     string
		watchdog sim.Watchdog
		before   func(*simtest.Bench)
		state    string
		resets   int
	}{
		{"with nobody", sim.Watchdog{}, func(*simtest.Bench) {}, "inactive", 0},
		{"on a slow bus", sim.Watchdog{Under: sim.OnI2C}, func(*simtest.Bench) {}, "inactive", 0},
		{"with an app", sim.Watchdog{}, func(b *simtest.Bench) { b.Expect("Register", ui10, `{}`) }, "inactive", 0},
		{"with a reset on its way", sim.Watchdog{}, func(b *simtest.Bench) { b.Expect("Register", ui10, `{}`); pass(b, 11*time.Second) }, "active", 1},
		{"with no way out", sim.Watchdog{NoWayOut: true}, func(*simtest.Bench) {}, "active", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, k := bench(t, c.watchdog, arm+`"reset"`)
			c.before(b)
			b.Close()
			expect(b, k, c.state, 0)
			if n := k.Opened(); n != 0 || b.Loop.Timers() != 0 {
				t.Errorf("%d descriptors and %d timers are left", n, b.Loop.Timers())
			}
			b.Loop.Advance(time.Hour)
			if got := k.Resets("watchdog0"); got != c.resets {
				t.Errorf("%d resets, want %d", got, c.resets)
			}
		})
	}
}

// TestEndOfTheDaemon: the server ends the connections of apps, and the class before the loop goes round again: no app hung.
func TestEndOfTheDaemon(t *testing.T) {
	b, k := bench(t, sim.Watchdog{}, arm+`"reset"`)
	c := b.Connect("kiosk")
	b.Expect("Register", ui10, `{}`)
	c.End()
	b.Close()
	expect(b, k, "inactive", 0)
}

// TestTakeOver: what the daemon before could not disarm, or left when it was killed, is pinged again; what another process has is left alone.
func TestTakeOver(t *testing.T) {
	for _, keys := range []string{``, `"on-hang":"log"`, arm + `"reset"`} {
		b, k := bench(t, sim.Watchdog{NoWayOut: true}, keys)
		b.Expect("Arm", `{}`, `{}`)
		b.Expect("Disarm", `{}`, `NotSupported{"feature":"disarm"}`)
		status(b, "armed", "")
		b.Close()
		b = open1(t, k, keys)
		status(b, "armed", "")
		pass(b, 10*time.Minute)
		expect(b, k, "active", 0)
	}
	k := sim.New(sim.Options{Bare: true})
	k.AddWatchdog(sim.Watchdog{})
	fd, err := k.Open("/dev/watchdog0", unix.O_WRONLY)
	if err != nil {
		t.Fatal(err)
	}
	b := open1(t, k, ``)
	status(b, "disarmed", "")
	b.Expect("Arm", `{}`, `Busy{"class":"Watchdog","device":"watchdog0"}`)
	b.Expect("Disarm", `{}`, `{}`)
	pass(b, 59*time.Second)
	expect(b, k, "active", 0)
	if err := k.Close(fd); err != nil {
		t.Fatal(err)
	}
}

// TestDisarm: it is closed so that the kernel stops it, and can be opened again.
func TestDisarm(t *testing.T) {
	for _, w := range []sim.Watchdog{{}, {Fixed: true}, {Under: sim.OnI2C}} {
		b, k := bench(t, w, `"on-hang":"log"`)
		held := k.Opened()
		for range 3 {
			b.Expect("Arm", `{}`, `{}`)
			b.Expect("Arm", `{}`, `{}`)
			expect(b, k, "active", 0)
			b.Expect("Disarm", `{}`, `{}`)
			b.Expect("Disarm", `{}`, `{}`)
			expect(b, k, "inactive", 0)
			if n := k.Opened(); n != held || b.Loop.Timers() != 0 {
				t.Errorf("%d descriptors and %d timers, want %d and none", n, b.Loop.Timers(), held)
			}
		}
		pass(b, 5*time.Minute)
		expect(b, k, "inactive", 0)
	}
}

// TestNoWayOutWithoutAttributes: where /sys does not tell, the kernel's answer does.
func TestNoWayOutWithoutAttributes(t *testing.T) {
	b, k := bench(t, sim.Watchdog{NoWayOut: true, NoSysfs: true}, `"on-hang":"log"`)
	b.Expect("Arm", `{}`, `{}`)
	b.Expect("Disarm", `{}`, `NotSupported{"feature":"disarm"}`)
	pass(b, 5*time.Minute)
	status(b, "armed", "")
	if got := k.Resets("watchdog0"); got != 0 {
		t.Errorf("%d resets, want none", got)
	}
}
