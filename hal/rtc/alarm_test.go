package rtc

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sim"
)

// broken is a kernel that fails one request, or the writing of a text.
type broken struct {
	hal.Kernel
	request uint
	text    string
	err     error
}

func (k *broken) Ioctl(fd int, request uint, argument unsafe.Pointer) error {
	if request == k.request {
		return k.err
	}
	return k.Kernel.Ioctl(fd, request, argument)
}

func (k *broken) Pwrite(fd int, p []byte, offset int64) (int, error) {
	if string(p) == k.text {
		return 0, k.err
	}
	return k.Kernel.Pwrite(fd, p, offset)
}

// TestAlarmOfOthers: an earlier alarm of somebody else is waited for, a later one makes way, and none is turned off for nothing.
func TestAlarmOfOthers(t *testing.T) {
	b := newBoard(t, sim.RTC{})
	b.setAlarm("rtc0", 50)
	b.wakeAt("a", 100, `{}`)
	b.expect("a@100", "50")
	b.Expect("CancelWake", `{"name":"a"}`, `{}`)
	b.expect("", "50")
	b.wakeAt("a", 100, `{}`)
	b.Loop.Advance(90 * time.Second)
	b.expect("a@100", "100")
	b.Loop.Advance(30 * time.Second)
	b.expect("", "")

	b = newBoard(t, sim.RTC{})
	b.setAlarm("rtc0", 200)
	b.wakeAt("a", 100, `{}`)
	b.expect("a@100", "100")
	if n := strings.Count(b.Log.String(), "makes way for an earlier wake"); n != 1 {
		t.Errorf("the log says %d times that an alarm made way, want once", n)
	}
}

// TestSleep: the board slept, and so did the loop's time: half a minute later the queue has noticed.
func TestSleep(t *testing.T) {
	b := newBoard(t, sim.RTC{})
	b.wakeAt("a", 3600, `{}`)
	b.wakeAt("b", 7200, `{}`)
	slept := time.Hour
	b.sim.SetClock(func() time.Duration { return slept + b.Loop.Now() })
	b.Loop.Advance(30 * time.Second)
	b.expect("b@7200", "7200")
}

// TestClockIsSet: wakes that are over by the new time have come, and those that are not come at theirs.
func TestClockIsSet(t *testing.T) {
	for _, under := range []string{sim.OnPlatform, sim.OnI2C} {
		b := newBoard(t, sim.RTC{Under: under})
		b.wakeAt("a", 100, `{}`)
		b.wakeAt("b", 3700, `{}`)
		b.Expect("Set", `{"clock":"rtc0","timeUSec":1767229200000000}`, `{}`) // an hour later
		b.expect("b@3700", "3700")
		b.Expect("Set", `{"clock":"rtc0","timeUSec":1767225600000000}`, `{}`)
		b.expect("b@3700", "3700")
		b.Loop.Advance(3701 * time.Second)
		b.expect("", "")
	}
}

// TestFailure: where the alarm cannot be set, or the disk cannot be written, the queue and the alarm are as they were, and nothing else is said to the disk.
func TestFailure(t *testing.T) {
	for _, c := range []struct {
		name   string
		breaks func(*board, *broken)
		call   func(b *board, want string)
		want   string
	}{
		{"a wake whose alarm cannot be set", func(_ *board, k *broken) { k.text = "1767225650" }, (*board).add, `"errno":5`},
		{"a wake that makes a busy alarm way", func(_ *board, k *broken) { k.text, k.err = "0", unix.EBUSY }, (*board).add, "Busy{"},
		{"a wake that cannot be saved", func(b *board, _ *broken) { b.disk.err = errDisk }, (*board).add, errDisk.Error()},
		{"another time that cannot be saved", func(b *board, _ *broken) { b.disk.err = errDisk }, (*board).change, errDisk.Error()},
		{"another time whose alarm cannot be set", func(_ *board, k *broken) { k.text = "1767225650" }, (*board).change, `"errno":5`},
		{"an end whose alarm cannot be set", func(_ *board, k *broken) { k.text = "1767225800" }, (*board).cancel, `"errno":5`},
		{"an end that cannot be saved", func(b *board, _ *broken) { b.disk.err = errDisk }, (*board).cancel, errDisk.Error()},
	} {
		for _, under := range []string{sim.OnPlatform, sim.OnI2C} {
			t.Run(c.name+" "+under, func(t *testing.T) {
				b := newBoard(t, sim.RTC{Under: under})
				k := &broken{Kernel: b.sim, err: unix.EIO}
				b.kernel = k
				b.start(t)
				b.wakeAt("a", 100, `{}`)
				b.wakeAt("b", 200, `{}`)
				saved := string(b.disk.data[stateName])
				c.breaks(b, k)
				c.call(b, c.want)
				k.text, b.disk.err = "", nil
				b.Loop.Advance(6 * time.Second)
				b.expect("a@100 b@200", "100")
				if got := string(b.disk.data[stateName]); got != saved {
					t.Errorf("saved is %s, want %s", got, saved)
				}
			})
		}
	}
}

var errDisk = errors.New("the disk is full")

func (b *board) add(want string) {
	b.contains(b.Call("Wake", `{"name":"new","atUSec":1767225650000000}`), want)
}

func (b *board) change(want string) {
	b.contains(b.Call("Wake", `{"name":"a","atUSec":1767225650000000}`), want)
}

func (b *board) cancel(want string) { b.contains(b.Call("CancelWake", `{"name":"a"}`), want) }

func (b *board) contains(got, want string) {
	b.Helper()
	if !strings.Contains(got, want) {
		b.Errorf("got %s, want %s in it", got, want)
	}
}

// TestFailingAlarm: a queue whose alarm cannot be set says so once, and tries again.
func TestFailingAlarm(t *testing.T) {
	b := newBoard(t, sim.RTC{})
	k := &broken{Kernel: b.sim, err: unix.EIO}
	b.kernel = k
	b.start(t)
	b.wakeAt("a", 100, `{}`)
	b.wakeAt("b", 200, `{}`)
	k.text = "1767225800"
	b.Loop.Advance(120 * time.Second)
	b.expect("b@200", "")
	k.text = ""
	b.Loop.Advance(5 * time.Second)
	b.expect("b@200", "200")
	if n := strings.Count(b.Log.String(), "cannot set the alarm"); n != 1 {
		t.Errorf("the log says %d times that it cannot, want once:\n%s", n, b.Log.String())
	}
}

// TestBusyWorker: a bus or a disk with too much to do refuses, and nothing is changed.
func TestBusyWorker(t *testing.T) {
	b := newBoard(t, sim.RTC{Under: sim.OnI2C})
	b.wakeAt("a", 100, `{}`)
	b.Loop.Full = true
	b.wakeAt("b", 50, `Busy{"class":"Rtc","device":"rtc0"}`)
	b.Expect("CancelWake", `{"name":"a"}`, `Busy{"class":"Rtc","device":"rtc0"}`)
	b.Loop.Full = false
	b.Loop.Advance(6 * time.Second)
	b.expect("a@100", "100")
	b.Loop.Advance(100 * time.Second)
	b.expect("", "")
}

// TestPlug: the queue waits for its clock, or goes on with another one that can.
func TestPlug(t *testing.T) {
	b := newBoard(t, sim.RTC{}, sim.RTC{NoAlarm: true}, sim.RTC{})
	rescan := func() { b.Class.Rescan(); b.Loop.Turn() }
	b.wakeAt("a", 100, `{}`)
	b.sim.Unplug("rtc0")
	rescan()
	if got := b.alarm("rtc2"); got != "100" {
		t.Errorf("the other clock has its alarm at %q, want 100", got)
	}
	b.contains(b.Call("Wakes", `{}`), `"clock":"rtc2"`)
	b.sim.Unplug("rtc2")
	rescan()
	b.wakeAt("b", 100, `NotSupported{"feature":"wake"}`)
	b.sim.Unplug("rtc1")
	rescan()
	b.wakeAt("b", 100, `DeviceGone{"class":"Rtc","device":"rtc2"}`)
	if b.Loop.Timers() != 0 {
		t.Errorf("%d timers run without a clock", b.Loop.Timers())
	}
	b.Expect("CancelWake", `{"name":"a"}`, `{}`)
	b.Expect("Wakes", `{}`, `{"wakes":[]}`)
	b.sim.Plug("rtc0")
	rescan()
	b.wakeAt("b", 200, `{}`)
	b.expect("b@200", "200")
	b.sim.Unplug("rtc0")
	b.sim.Plug("rtc0") // with its alarm lost
	rescan()
	b.expect("b@200", "200")
}

// TestCancelWhileLooking: the last wake may be taken out while its clock, on a slow bus, is being looked at.
func TestCancelWhileLooking(t *testing.T) {
	for _, under := range []string{sim.OnPlatform, sim.OnI2C} {
		b := newBoard(t, sim.RTC{Under: under})
		b.wakeAt("a", 100, `{}`)
		permitted, call, err := b.Permit("CancelWake", `{"name":"a"}`)
		if err != nil {
			t.Fatal(err)
		}
		got := errors.New("nothing")
		b.sim.Unplug("rtc0")
		b.sim.Plug("rtc0")
		b.Class.Rescan() // which posts a look
		b.Loop.Post(func() { permitted.Start(b.Holder(), func(err error) { got = err }) })
		b.Loop.Turn()
		call.Release()
		if got != nil {
			t.Errorf("%s: got %v, want no error", under, got)
		}
		b.expect("", "")
	}
}
