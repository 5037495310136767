package watchdog

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
)

// house is a board with a watchdog, and its service manager, whatever becomes of the process.
type house struct {
	*testing.T
	k       *sim.Kernel
	shelf   *simtest.Shelf
	entries []simtest.Entry
	process *simtest.Process
	b       *simtest.Bench
	past    time.Duration // before this process
}

func newHouse(t *testing.T, w sim.Watchdog) *house {
	h := &house{T: t, k: sim.New(sim.Options{Bare: true}), shelf: simtest.NewShelf(t)}
	h.k.AddWatchdog(w)
	return h
}

// start starts a process that dies before a step, or lives with 0.
func (h *house) start(dies int) {
	h.Helper()
	h.startAs(h.shelf.Start(h.k, dies))
}

func (h *house) startAs(p *simtest.Process) {
	h.Helper()
	h.process = p
	var err error
	if h.b, err = simtest.TryOpenIn(h.T, Driver(), &hal.Env{Kernel: h.process, Keeper: h.process}, h.entries...); err != nil {
		h.Fatal(err)
	}
	loop, past := h.b.Loop, h.past
	h.k.SetClock(func() time.Duration { return past + loop.Now() })
}

// stop ends the process as SIGTERM does, and lets time pass.
func (h *house) stop(wait time.Duration) {
	h.Helper()
	h.b.Close()
	h.process.Kill()
	h.pass(wait)
}

// kill ends it as SIGKILL does.
func (h *house) kill(wait time.Duration) {
	h.b.Class = nil
	h.process.Kill()
	h.pass(wait)
}

func (h *house) pass(wait time.Duration) {
	h.past += h.b.Loop.Now() + wait
	past := h.past
	h.k.SetClock(func() time.Duration { return past })
}

// expect compares what Status says, what the kernel says, and how often the board was reset.
func (h *house) expect(when, status, kernel string, resets int) {
	h.Helper()
	h.b.Loop.Turn()
	if got := h.b.Call("Status", `{}`); !strings.HasPrefix(got, `{"state":"`+status+`"`) {
		h.Errorf("%s: Status is %s, want %s", when, got, status)
	}
	h.expectKernel(when, kernel, resets)
}

func (h *house) expectKernel(when, kernel string, resets int) {
	h.Helper()
	if got, n := state(h.T, h.k), h.k.Resets("watchdog0"); got != kernel || n != resets {
		h.Errorf("%s: the kernel says %s after %d resets, want %s after %d", when, got, n, kernel, resets)
	}
}

func (h *house) expectKept(when string, want int) {
	h.Helper()
	if got := h.shelf.Names(); len(got) != want {
		h.Errorf("%s: kept are %q, want %d", when, got, want)
	}
}

// TestKept: neither a restart nor a crash disarms the watchdog, or lets it reset the board, and the next process pings it.
func TestKept(t *testing.T) {
	for _, under := range []string{"", sim.OnI2C} {
		for _, w := range []sim.Watchdog{{Under: under}, {Under: under, NoSysfs: true}, {Under: under, NoWayOut: true}, {Under: under, Fixed: true, Unknown: true, Timeout: 8}} {
			h := newHouse(t, w)
			h.start(0)
			h.b.Expect("Arm", `{}`, `{}`)
			h.b.Loop.Advance(7 * time.Second)
			for round := range 4 {
				if round%2 == 0 {
					h.stop(7 * time.Second) // a fixed one has 8 s, from the last ping
				} else {
					h.kill(time.Second)
				}
				h.start(0)
				if h.b.Loop.Turn(); h.k.Resets("watchdog0") != 0 {
					t.Fatalf("%+v: the board was reset in round %d", w, round)
				}
				if got := h.b.Call("Status", `{}`); !strings.HasPrefix(got, `{"state":"armed"`) {
					t.Errorf("%+v: got %s", w, got)
				}
				h.b.Loop.Advance(10 * time.Minute)
				if h.k.Resets("watchdog0") != 0 {
					t.Errorf("%+v: the next process does not ping it", w)
				}
				h.expectKept("armed", 1)
			}
			if w.NoWayOut {
				h.b.Expect("Disarm", `{}`, `NotSupported{"feature":"disarm"}`)
				continue
			}
			h.b.Expect("Disarm", `{}`, `{}`)
			h.shelf.Settle()
			h.expectKept("disarmed", 0)
			h.stop(time.Hour)
			h.start(0)
			if got := h.b.Call("Status", `{}`); !strings.HasPrefix(got, `{"state":"disarmed"`) || h.k.Resets("watchdog0") != 0 {
				t.Errorf("%+v: got %s after %d resets", w, got, h.k.Resets("watchdog0"))
			}
			h.stop(0)
			if n := h.k.Opened(); n != 0 {
				t.Errorf("%+v: %d descriptors are left open", w, n)
			}
		}
	}
}

// TestResetOutlivesProcess: a reset that was decided upon comes, whatever becomes of the process.
func TestResetOutlivesProcess(t *testing.T) {
	for _, end := range []func(*house){func(h *house) { h.stop(time.Second) }, func(h *house) { h.kill(time.Second) }} {
		h := newHouse(t, sim.Watchdog{})
		h.start(0)
		h.b.Expect("Arm", `{}`, `{}`)
		h.b.Expect("Register", `{"name":"app","timeoutMSec":1000}`, `{}`)
		h.b.Loop.Advance(2 * time.Second)
		h.expect("the app hangs", "expiring", "active", 0)
		end(h)
		h.start(0)
		h.expect("the next process", "expiring", "active", 0)
		h.b.Expect("Arm", `{}`, `Busy{"class":"Watchdog","device":"watchdog0"}`)
		h.b.Loop.Advance(time.Minute)
		h.expectKernel("a minute later", "inactive", 1)
		h.b.Expect("Disarm", `{}`, `{}`)
		h.expect("after Disarm", "disarmed", "inactive", 1)
		h.stop(0)
	}
}

// TestStoppedForGood: after Board.Safe the end of the process disarms, for a minute.
func TestStoppedForGood(t *testing.T) {
	for _, c := range []struct {
		after  time.Duration
		kernel string
		kept   int
	}{{0, "inactive", 0}, {leaveTime - time.Second, "inactive", 0}, {leaveTime, "active", 1}} {
		h := newHouse(t, sim.Watchdog{})
		h.start(0)
		if all := h.b.Class.Safe(); len(all) != 0 {
			t.Errorf("%d outputs are to be made safe where nothing is armed", len(all))
		}
		h.b.Expect("Arm", `{}`, `{}`)
		for range 2 {
			for _, o := range h.b.Class.Safe() {
				if err := o.Bring(); err != nil {
					t.Error(err)
				}
			}
			h.b.Loop.Turn()
		}
		h.expect("after Safe", "armed", "active", 0)
		h.b.Loop.Advance(c.after)
		h.stop(time.Second)
		h.expectKernel("after the end", c.kernel, 0)
		h.expectKept("after the end", c.kept)
	}
}

// TestDoubtfulWatchdog: what is not what the journal says is let go. It runs then, and is taken over as any that runs.
func TestDoubtfulWatchdog(t *testing.T) {
	for name, spoil := range map[string]func(record []byte) []byte{
		"empty":           func([]byte) []byte { return nil },
		"cut":             func(r []byte) []byte { return r[:len(r)-1] },
		"another version": func(r []byte) []byte { r[0] = 2; return r },
		"another state":   func(r []byte) []byte { r[1] = 2; return r },
		"another device":  func(r []byte) []byte { r[6]++; return r },
	} {
		h := newHouse(t, sim.Watchdog{})
		h.start(0)
		h.b.Expect("Arm", `{}`, `{}`)
		h.kill(time.Second)
		h.shelf.Spoil("watchdog/watchdog0", spoil)
		h.start(0)
		if !strings.Contains(h.b.Log.String(), "is let go") {
			t.Errorf("%s: the log is %s", name, h.b.Log.String())
		}
		h.expect(name, "armed", "active", 0)
		h.b.Loop.Advance(10 * time.Minute)
		h.expect(name+", later", "armed", "active", 0)
		h.expectKept(name, 1)
		h.stop(0)
	}
}

// TestAnotherWatchdog: one that board.toml does not name any more is disarmed, and one that is unplugged is forgotten.
func TestAnotherWatchdog(t *testing.T) {
	h := newHouse(t, sim.Watchdog{})
	h.k.AddWatchdog(sim.Watchdog{})
	h.start(0)
	h.b.Expect("Arm", `{}`, `{}`)
	h.kill(time.Second)
	h.entries = []simtest.Entry{{Table: "watchdog", ID: "main", Keys: `{"name":"watchdog1"}`}}
	h.start(0)
	h.expect("another board", "disarmed", "inactive", 0)
	h.expectKept("another board", 0)
	h.b.Expect("Arm", `{}`, `{}`)
	h.k.Unplug("watchdog1")
	h.b.Rescan()
	h.expectKept("unplugged", 0)
	h.stop(0)
}

// TestNothingKeepsIt: without a keeper that works the end of the process disarms, as it did before.
func TestNothingKeepsIt(t *testing.T) {
	h := newHouse(t, sim.Watchdog{})
	h.shelf.Err = errors.New("no room")
	h.start(0)
	h.b.Expect("Arm", `{}`, `{}`)
	if !strings.Contains(h.b.Log.String(), "is disarmed when this process ends") {
		t.Errorf("the log is %s", h.b.Log.String())
	}
	h.stop(time.Hour)
	h.expectKernel("after the end", "inactive", 0)
}

// TestKilledWhileArming: whatever the moment, what was armed stays so and is pinged by the next process, and a Disarm that was cut off leaves none that nobody pings.
func TestKilledWhileArming(t *testing.T) {
	for n := 1; ; n++ {
		h := newHouse(t, sim.Watchdog{})
		h.start(0)
		h.stop(0)
		p := h.shelf.Start(h.k, n)
		if !p.Run(func() { h.startAs(p) }) {
			continue
		}
		lives := p.Run(func() {
			h.b.Expect("Arm", `{}`, `{}`)
			h.b.Loop.Advance(20 * time.Second)
			h.b.Expect("Disarm", `{}`, `{}`)
			h.b.Close()
		})
		if lives {
			if n < 10 {
				t.Errorf("there are %d steps only", n)
			}
			return
		}
		before := state(t, h.k)
		h.kill(time.Second)
		h.start(0)
		h.b.Loop.Advance(time.Hour)
		h.expect("afterwards", map[string]string{"active": "armed", "inactive": "disarmed"}[before], before, 0)
		if now := state(t, h.k); now != before || h.k.Resets("watchdog0") != 0 {
			t.Errorf("killed before step %d: the watchdog is %s and was %s, after %d resets", n, now, before, h.k.Resets("watchdog0"))
		}
		h.stop(0)
	}
}

// held is a kernel that holds a ping until it is told to go on.
type held struct {
	hal.Kernel
	goOn chan struct{} // nil: it does not hold
}

func (k *held) Ioctl(fd int, request uint, argument unsafe.Pointer) error {
	if request == unix.WDIOC_KEEPALIVE && k.goOn != nil {
		<-k.goOn
	}
	return k.Kernel.Ioctl(fd, request, argument)
}

// TestResetDecidedWhileArming: a reset that is decided upon while a worker arms the watchdog once more comes as well, whatever becomes of the process.
func TestResetDecidedWhileArming(t *testing.T) {
	h := newHouse(t, sim.Watchdog{Under: sim.OnI2C})
	process := h.shelf.Start(h.k, 0)
	slow := &held{Kernel: process}
	h.process = process
	b, err := simtest.TryOpenIn(t, Driver(), &hal.Env{Kernel: slow, Keeper: process})
	if err != nil {
		t.Fatal(err)
	}
	h.b = b
	b.Expect("Arm", `{}`, `{}`)
	b.Expect("Register", `{"name":"app","timeoutMSec":1000}`, `{}`)
	permitted, call, err := b.Permit("Arm", `{}`)
	if err != nil {
		t.Fatal(err)
	}
	defer call.Release()
	slow.goOn = make(chan struct{})
	app := b.Holder().(*simtest.Connection)
	permitted.Start(b.Connect("admin"), func(error) {})
	app.End()
	b.Loop.Post(func() { close(slow.goOn) })
	h.expect("the app hangs", "expiring", "active", 0)
	h.kill(time.Second)
	h.start(0)
	h.expect("the next process", "expiring", "active", 0)
}
