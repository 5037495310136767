package input

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
	"github.com/halberd-io/halberd/hal/uapi"
)

// bench is a board with keys, and a keypad on a slow bus.
func bench(o sim.Options) *sim.Kernel {
	k := sim.New(o)
	k.AddInput(sim.Input{Name: "gpio-keys", Phys: "gpio-keys/input0"})
	k.AddInput(sim.Input{Name: "keypad", Under: sim.OnI2C})
	return k
}

var (
	bare = sim.Options{Bare: true}
	keys = simtest.Entry{Table: "input", ID: "keys", Keys: `{"name":"gpio-keys"}`}
)

// nodes are the devices, on the board and on a slow bus.
var nodes = map[string]string{"keys": "event0", "keypad": "event1"}

const (
	power = 116 // KEY_POWER
	lid   = 0   // SW_LID
	wheel = 8   // REL_WHEEL
)

// text is what a watcher is told: a state, or an event and the state after it.
func text(id, keys, switches, event string) string {
	if event != "" {
		event = "," + event
	}
	return fmt.Sprintf(`{"device":"%s","keys":[%s],"switches":[%s]%s}`, id, keys, switches, event)
}

var stamps = regexp.MustCompile(`,"timestampNSec":\d+`)

// untimed compares events without their times.
func untimed(t *testing.T, w *simtest.Watch, want ...string) {
	t.Helper()
	if got := stamps.ReplaceAllString(w.Events(), ""); got != strings.Join(want, "\n") {
		t.Errorf("events:\n got %s\nwant %s", got, strings.Join(want, "\n"))
	}
}

// TestNames: devices are called as their drivers call them. Of several with one name each can be meant by where it is plugged in.
func TestNames(t *testing.T) {
	k := bench(bare)
	k.AddInput(sim.Input{Name: "USB Keyboard", Phys: "usb-1/input0"})
	k.AddInput(sim.Input{Name: "USB Keyboard", Phys: "usb-1/input1"})
	k.AddInput(sim.Input{Name: ""})
	b := simtest.Open(t, Driver(), k, false, keys)
	if got, want := b.IDs(), "keypad keys"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, want := range []string{`several are called so; board.toml can name them" kind="input device" name=USB%20Keyboard`} {
		if !strings.Contains(b.Log.String(), want) {
			t.Errorf("the log does not say %s:\n%s", want, b.Log.String())
		}
	}
	b = simtest.Open(t, Driver(), k, false, keys, simtest.Entry{Table: "input", ID: "media", Keys: `{"name":"usb-1/input1"}`})
	if got, want := b.IDs(), "keypad keys media"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if again := simtest.Open(t, Driver(), k, false, b.Declared()...); again.IDs() != b.IDs() {
		t.Errorf("what the devices say about themselves gives %s, want %s", again.IDs(), b.IDs())
	}
	if k.Opened() != 0 {
		t.Errorf("%d descriptors are open, want none before somebody asks", k.Opened())
	}
	simtest.ExpectRefused(t, Driver(), k, "board.toml:1: input.A: it may be /sys/class/input/event2 or /sys/class/input/event3: say which", simtest.Entries("input", `{"name":"USB Keyboard"}`)...)
	simtest.ExpectRefused(t, Driver(), k, "board.toml:1: input.A: name must not be empty", simtest.Entries("input", `{"name":""}`)...)
}

// TestWatch: the state first, then each event; a second watcher shares the node, and the last one closes it.
func TestWatch(t *testing.T) {
	for id, node := range nodes {
		t.Run(id, func(t *testing.T) {
			k := bench(bare)
			b := simtest.Open(t, Driver(), k, false, keys)
			k.Press(node, power, 1)
			k.Report(node, uapi.InputSwitch, lid, 1)
			b.Expect("Watch", `{"devices":["`+id+`"]}`, `{"device":"`+id+`","keys":[116],"switches":[0],"sequence":1,"lost":0}`)
			first := b.Watch("Watch", `{"devices":["`+id+`"]}`)
			untimed(t, first, text(id, "116", "0", ""))
			k.Press(node, power, 0)
			k.Report(node, uapi.InputRel, wheel, -3)
			k.Report(node, uapi.InputSwitch, lid, 0)
			untimed(t, first,
				text(id, "", "0", `"type":"key","code":116,"value":0`),
				text(id, "", "0", `"type":"relative","code":8,"value":-3`),
				text(id, "", "", `"type":"switch","code":0,"value":0`))
			second := b.Watch("Watch", `{"devices":["`+id+`"]}`)
			untimed(t, second, text(id, "", "", ""))
			if k.Opened() != 1 {
				t.Errorf("%d descriptors are open for two watchers, want 1", k.Opened())
			}
			k.Press(node, 2, 1)
			k.Press(node, 2, 2)
			k.Report(node, uapi.InputKey, 0x2ff, 1)
			for _, w := range []*simtest.Watch{first, second} {
				untimed(t, w, text(id, "2", "", `"type":"key","code":2,"value":1`), text(id, "2", "", `"type":"key","code":2,"value":2`),
					text(id, "2,767", "", `"type":"key","code":767,"value":1`))
			}
			first.Stop()
			second.Stop()
			b.Loop.Turn()
			if k.Opened() != 0 || b.Loop.Timers() != 0 {
				t.Errorf("%d descriptors are open without a watcher, and %d timers run, want none", k.Opened(), b.Loop.Timers())
			}
			untimed(t, b.Watch("Watch", `{"devices":["`+id+`"]}`), text(id, "2,767", "", ""))
		})
	}
}

// TestTime: it is the kernel's, of CLOCK_MONOTONIC.
func TestTime(t *testing.T) {
	k := bench(bare)
	b := simtest.Open(t, Driver(), k, false, keys)
	w := b.Watch("Watch", `{"devices":["keys"]}`)
	w.Events()
	before := monotonic(t)
	k.Press("event0", power, 1)
	var at int64
	_, stamp, _ := strings.Cut(w.Events(), `"timestampNSec":`)
	if _, err := fmt.Sscanf(stamp, "%d", &at); err != nil || at < before-1000 || at > monotonic(t) || at%1000 != 0 {
		t.Errorf("the event is of %d ns (%v), want some µs between %d and %d", at, err, before, monotonic(t))
	}
}

func monotonic(t *testing.T) int64 {
	t.Helper()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		t.Fatal(err)
	}
	return now.Nano()
}

// TestSecondWatcherTakesNothing: reading the state takes the events that led to it out of the queue of who asks, which must not be the watchers'.
func TestSecondWatcherTakesNothing(t *testing.T) {
	for id, node := range nodes {
		k := bench(bare)
		b := simtest.Open(t, Driver(), k, false, keys)
		first := b.Watch("Watch", `{"devices":["`+id+`"]}`)
		first.Events()
		k.Press(node, power, 1)
		second, err := b.TryWatch("Watch", `{"devices":["`+id+`"]}`)
		if err != nil {
			t.Fatal(err)
		}
		pressed := text(id, "116", "", `"type":"key","code":116,"value":1`)
		untimed(t, first, pressed)
		if got := stamps.ReplaceAllString(second.Events(), ""); !strings.HasPrefix(got, text(id, "116", "", "")) || !strings.HasSuffix(got, text(id, "116", "", "")) && !strings.HasSuffix(got, pressed) {
			t.Errorf("the second one got %s, want the state, and in the end a key that is down", got)
		}
	}
}

// TestKernelLosesEvents: the state is told instead, once, and what follows as before.
func TestKernelLosesEvents(t *testing.T) {
	for id, node := range nodes {
		t.Run(id, func(t *testing.T) {
			k := bench(bare)
			b := simtest.Open(t, Driver(), k, false, keys)
			w := b.Watch("Watch", `{"devices":["`+id+`"]}`)
			w.Events()
			for range 40 {
				k.Press(node, power, 1)
				k.Press(node, power, 0)
			}
			k.Press(node, 2, 1)
			untimed(t, w, text(id, "2", "", ""))
			k.Press(node, 2, 0)
			untimed(t, w, text(id, "", "", `"type":"key","code":2,"value":0`))
		})
	}
}

// TestSlowReader: what it gets in the end says what is down, whatever was skipped.
func TestSlowReader(t *testing.T) {
	k := bench(bare)
	b := simtest.Open(t, Driver(), k, false, keys)
	w := b.Watch("Watch", `{"devices":["keys"]}`)
	w.Events()
	w.Blocked = true
	for _, code := range []uint16{2, 3, 4} {
		k.Press("event0", code, 1)
	}
	k.Press("event0", 3, 0)
	b.Loop.Turn()
	w.Flush()
	untimed(t, w, text("keys", "2,4", "", `"type":"key","code":3,"value":0`))
}

// TestUnplug: watches end so.
func TestUnplug(t *testing.T) {
	for id, node := range nodes {
		for _, looked := range []bool{true, false} {
			k := bench(bare)
			b := simtest.Open(t, Driver(), k, false, keys)
			w := b.Watch("Watch", `{"devices":["`+id+`"]}`)
			k.Unplug(node)
			if looked {
				b.Class.Rescan()
			}
			b.Loop.Turn()
			if want := `DeviceGone{"class":"Input","device":"` + id + `"}`; w.Failed == nil || simtest.Text(w.Failed) != want || k.Opened() != 0 {
				t.Errorf("%s: the watch ended with %v, %d descriptors are open, want %s, none", id, w.Failed, k.Opened(), want)
			}
		}
	}
}

// TestTakenPlace: what has come under the number of a device that is gone is neither leased nor watched in its place, also before the class has looked.
func TestTakenPlace(t *testing.T) {
	k := bench(sim.Options{Bare: true, Lends: true})
	b := simtest.Open(t, Driver(), k, false, keys)
	k.Unplug("event0")
	if got := k.AddInput(sim.Input{Name: "keyboard"}); got != "event0" {
		t.Fatalf("the new device is %s, want event0", got)
	}
	const gone = `DeviceGone{"class":"Input","device":"keys"}`
	b.Expect("Lease", `{"device":"keys"}`, gone)
	b.Expect("Watch", `{"devices":["keys"]}`, gone)
	if n := k.Opened(); n != 0 {
		t.Errorf("%d descriptors are open, want none", n)
	}
}

// TestFullWorker: what a worker has no room for is refused, and what has to be done is done later.
func TestFullWorker(t *testing.T) {
	k := bench(sim.Options{Bare: true, Lends: true})
	b := simtest.Open(t, Driver(), k, false, keys)
	w := b.Watch("Watch", `{"devices":["keys"]}`)
	lent := lend(b, k, "keys")
	b.Loop.Full = true
	b.Expect("Lease", `{"device":"keys"}`, `Busy{"class":"Input","device":"keys"}`)
	b.Hangup()
	if _, err := lent.read(); err != unix.EAGAIN {
		t.Errorf("reading gives %v, want EAGAIN until there is room", err)
	}
	w.Stop()
	b.Loop.Turn()
	b.Loop.Full = false
	b.Loop.Advance(retry)
	if _, err := lent.read(); err != unix.ENODEV {
		t.Errorf("reading gives %v, want ENODEV", err)
	}
	if err := k.Close(lent.fd); err != nil {
		t.Error(err)
	}
	if k.Opened() != 0 || b.Loop.Timers() != 0 {
		t.Errorf("%d descriptors are open, and %d timers run, want none", k.Opened(), b.Loop.Timers())
	}
}

// holding is who has a lease, and reads from the kernel.
type holding struct {
	*testing.T
	k  *sim.Kernel
	fd int
}

func (h holding) read() ([]uapi.InputEvent, error) {
	events := make([]uapi.InputEvent, 8)
	n, err := h.k.Read(h.fd, unsafe.Slice((*byte)(unsafe.Pointer(&events[0])), len(events)*uapi.InputEventSize))
	return events[:max(n, 0)/uapi.InputEventSize], err
}

// lease takes one.
func lend(b *simtest.Bench, k *sim.Kernel, id string) holding {
	b.Helper()
	b.Expect("Lease", `{"device":"`+id+`"}`, `{"fileDescriptor":0}`)
	if len(b.Files) != 1 {
		b.Fatalf("%d descriptors came, want 1", len(b.Files))
	}
	return holding{b.T, k, b.Files[0]}
}

// expect expects that a key's event is there, of CLOCK_MONOTONIC, in a packet.
func (h holding) expect(code uint16, value int32) {
	h.Helper()
	events, err := h.read()
	if err != nil || len(events) != 2 || events[0].Code != code || events[0].Value != value || events[1].Type != uapi.InputSyn || events[0].Sec > uintptr(monotonic(h.T)/1e9) {
		h.Errorf("got %+v (%v), want key %d to be %d", events, err, code, value)
	}
}

// TestLease: each holder sees every event through a descriptor that cannot be written, until its connection ends, and the others go on.
func TestLease(t *testing.T) {
	for id, node := range nodes {
		t.Run(id, func(t *testing.T) {
			k := bench(sim.Options{Bare: true, Lends: true})
			b := simtest.Open(t, Driver(), k, false, keys)
			one := lend(b, k, id)
			first := b.Connect("another one")
			two := lend(b, k, id)
			w := b.Watch("Watch", `{"devices":["`+id+`"]}`)
			w.Events()
			k.Press(node, power, 1)
			one.expect(power, 1)
			two.expect(power, 1)
			untimed(t, w, text(id, "116", "", `"type":"key","code":116,"value":1`))
			if _, err := k.Write(one.fd, make([]byte, uapi.InputEventSize)); err != unix.EBADF {
				t.Errorf("writing gives %v, want EBADF", err)
			}
			b.Use(first)
			b.Hangup()
			k.Press(node, power, 0)
			if _, err := two.read(); err != unix.ENODEV {
				t.Errorf("reading after the end gives %v, want ENODEV", err)
			}
			one.expect(power, 0)
			b.Close()
			if _, err := one.read(); err != unix.ENODEV {
				t.Errorf("reading after the class closed gives %v, want ENODEV", err)
			}
			if k.Opened() != 2 {
				t.Errorf("%d descriptors are open, want the two that were handed over", k.Opened())
			}
		})
	}
}

// TestEndLease: a holder's leases can be ended while it goes on, by itself or by an administrator.
func TestEndLease(t *testing.T) {
	for i, id := range []string{"keypad", "keys"} {
		t.Run(id, func(t *testing.T) {
			k := bench(sim.Options{Bare: true, Lends: true})
			b := simtest.Open(t, Driver(), k, false, keys)
			device := b.Class.Devices.At(i).(hal.Lessor)
			other := b.Holder()
			noted := b.Ledger()
			kept := lend(b, k, id)
			b.Connect("another one")
			mine := []holding{lend(b, k, id), lend(b, k, id)}
			told := 0
			noted.Expect("leased", "+"+id+" +"+id+" +"+id, id+" "+id+" "+id)
			if !device.EndLease(b.Holder(), func() { told++ }) {
				t.Error("there is nothing to end")
			}
			b.Loop.Turn()
			for _, h := range mine {
				if _, err := h.read(); err != unix.ENODEV {
					t.Errorf("reading after the end gives %v, want ENODEV", err)
				}
			}
			if _, err := kept.read(); err != unix.EAGAIN || told != 1 {
				t.Errorf("reading from another one's gives %v, told %d times, want EAGAIN, once", err, told)
			}
			if device.EndLease(b.Holder(), func() { told++ }) || !device.EndLease(nil, func() { told++ }) {
				t.Error("want nothing to end for the holder, and something for the administrator")
			}
			b.Loop.Turn()
			if _, err := kept.read(); err != unix.ENODEV || told != 2 || device.EndLease(other, func() { told++ }) {
				t.Errorf("reading after the administrator gives %v, told %d times, want ENODEV, twice", err, told)
			}
			noted.Expect("ended", "-"+id+" -"+id+" -"+id, "")
			lend(b, k, id)
			b.Close()
			noted.Expect("the class is closed", "+"+id+" -"+id, "")
		})
	}
}

// TestLeaseOfAHolderThatIsGone: a descriptor that nobody gets is closed, and there is no lease.
func TestLeaseOfAHolderThatIsGone(t *testing.T) {
	k := bench(sim.Options{Bare: true, Lends: true})
	b := simtest.Open(t, Driver(), k, false, keys)
	permitted, call, err := b.Permit("Lease", `{"device":"keypad"}`)
	if err != nil {
		t.Fatal(err)
	}
	defer call.Release()
	var got error
	permitted.Start(b.Holder(), func(err error) { got = err })
	b.Hangup()
	if _, gone := got.(*hal.DeviceGone); !gone || k.Opened() != 0 || b.Loop.Timers() != 0 {
		t.Errorf("got %v, %d descriptors are open, want it to be told, and none", got, k.Opened())
	}
}

// TestSimulatedLease: what only a kernel can give.
func TestSimulatedLease(t *testing.T) {
	k := bench(bare)
	b := simtest.Open(t, Driver(), k, false, keys)
	b.Expect("Lease", `{"device":"keys"}`, `NotSupported{"feature":"lease"}`)
	if k.Opened() != 0 {
		t.Errorf("%d descriptors are open, want none", k.Opened())
	}
}

// TestLongName: a device that is called too long is left out, as anybody may plug one in, and board.toml can name it.
func TestLongName(t *testing.T) {
	k := bench(bare)
	long := strings.Repeat("ключ", 12)
	k.AddInput(sim.Input{Name: long})
	b := simtest.Open(t, Driver(), k, false, keys)
	b.ExpectIDs("keypad keys")
	if !strings.Contains(b.Log.String(), "too long") {
		t.Errorf("the log does not say why: %s", b.Log.String())
	}
	b = simtest.Open(t, Driver(), k, false, simtest.Entry{Table: "input", ID: "key", Keys: `{"name":"` + long + `"}`})
	b.ExpectIDs("gpio-keys key keypad")
}
