package haptic

import (
	"errors"
	"math/bits"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
	"github.com/halberd-io/halberd/hal/uapi"
)

// bench is a bare board with a motor, one on a slow bus, keys, a vibrator of the kernel's trigger, one with a driver of its own, and a light.
func bench() *sim.Kernel {
	k := sim.New(sim.Options{Bare: true})
	k.AddInput(sim.Input{Name: "pwm-vibrator", Phys: "pwm/input0", Rumble: true})
	k.AddInput(sim.Input{Name: "drv2605", Rumble: true, Under: sim.OnI2C})
	k.AddInput(sim.Input{Name: "keys"})
	k.AddLED(sim.LED{Name: "vibrator", Max: 1, Triggers: []string{"timer", "transient"}})
	k.AddLED(sim.LED{Name: "aw8695:vibrator", Max: 255, Vibrates: true, Under: sim.OnI2C})
	k.AddLED(sim.LED{Name: "white:strip", Max: 255})
	return k
}

var buzzer = simtest.Entry{Table: "haptic", ID: "buzzer", Keys: `{"name":"pwm-vibrator"}`}

// TestNames: what is called a vibrator is a motor, and another LED where board.toml says so.
func TestNames(t *testing.T) {
	rows := []struct{ name, meant, want string }{
		{"none of board.toml", "none", "aw8695:vibrator drv2605 pwm-vibrator vibrator"},
		{"a driver's name", "pwm-vibrator", "aw8695:vibrator buzzer drv2605 vibrator"},
		{"where it is plugged in", "pwm/input0", "aw8695:vibrator buzzer drv2605 vibrator"},
		{"a vibrator", "vibrator", "aw8695:vibrator buzzer drv2605 pwm-vibrator"},
		{"a light", "white:strip", "aw8695:vibrator buzzer drv2605 pwm-vibrator vibrator"},
		{"a light's path", "/sys/class/leds/white:strip", "aw8695:vibrator buzzer drv2605 pwm-vibrator vibrator"},
		{"what cannot rumble", "keys", "aw8695:vibrator drv2605 pwm-vibrator vibrator"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			k := bench()
			b := simtest.Open(t, Driver(), k, false, simtest.Entry{Table: "haptic", ID: "buzzer", Keys: `{"name":"` + row.meant + `"}`})
			if got := b.IDs(); got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
			if again := simtest.Open(t, Driver(), k, false, b.Declared()...); again.IDs() != row.want {
				t.Errorf("what the motors say about themselves gives %s, want %s", again.IDs(), row.want)
			}
		})
	}
	simtest.ExpectRefused(t, Driver(), bench(), "board.toml:1: haptic.A: name must not be empty", simtest.Entries("haptic", `{"name":""}`)...)
}

// motors are all kinds, each with how it is seen to run, and what that is at full strength.
var motors = []struct {
	id      string
	full    int64
	running func(*sim.Kernel) int64
}{
	{"buzzer", 65535, func(k *sim.Kernel) int64 { return int64(k.Rumbling("event0")) }},
	{"drv2605", 65535, func(k *sim.Kernel) int64 { return int64(k.Rumbling("event1")) }},
	{"vibrator", 1, func(k *sim.Kernel) int64 { return k.Brightness("vibrator") }},
	{"aw8695:vibrator", 255, func(k *sim.Kernel) int64 { return k.Brightness("aw8695:vibrator") }},
}

// TestPlay: a motor runs as long as it is asked to, ends by itself, is run anew by another call, and stops when told or when the class closes.
func TestPlay(t *testing.T) {
	for _, m := range motors {
		t.Run(m.id, func(t *testing.T) {
			k, now := bench(), time.Duration(0)
			k.SetClock(func() time.Duration { return now })
			b := simtest.Open(t, Driver(), k, false, buzzer)
			at := func(at time.Duration, want int64) {
				t.Helper()
				now = at
				if got := m.running(k); got != want {
					t.Errorf("at %v: got %d, want %d", at, got, want)
				}
			}
			play := func(ms string) { b.Expect("Play", `{"motor":"`+m.id+`","durationMSec":`+ms+`}`, `{}`) }
			stop := func() { b.Expect("Stop", `{"motor":"`+m.id+`"}`, `{}`) }
			stop()
			play("300")
			at(0, m.full)
			at(299*time.Millisecond, m.full)
			at(300*time.Millisecond, 0)
			play("1000")
			at(500*time.Millisecond, m.full)
			play("100")
			at(599*time.Millisecond, m.full)
			at(600*time.Millisecond, 0)
			play("100")
			play("1000")
			at(1500*time.Millisecond, m.full)
			stop()
			at(1500*time.Millisecond, 0)
			stop()
			play("1000")
			at(1600*time.Millisecond, m.full)
			b.Close()
			at(1600*time.Millisecond, 0)
			if k.Opened() != 0 {
				t.Errorf("%d descriptors are open, want none", k.Opened())
			}
		})
	}
}

// TestStrength: of a motor that can, whatever others have done to its gain; refused for one that cannot.
func TestStrength(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false, buzzer)
	other, err := k.Open("/dev/input/event0", unix.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	gain := uapi.InputEvent{Type: uapi.InputFF, Code: uapi.FFGain, Value: 1000}
	if _, err := k.Write(other, unsafe.Slice((*byte)(unsafe.Pointer(&gain)), uapi.InputEventSize)); err != nil {
		t.Fatal(err)
	}
	for strength, want := range map[string]uint16{"1000": 65535, "500": 32767, "1": 65} {
		b.Expect("Play", `{"motor":"buzzer","durationMSec":10,"strength":`+strength+`}`, `{}`)
		if got := k.Rumbling("event0"); got != want {
			t.Errorf("strength %s: got %d, want %d", strength, got, want)
		}
	}
	for _, id := range []string{"vibrator", "aw8695:vibrator"} {
		b.Expect("Play", `{"motor":"`+id+`","durationMSec":10,"strength":500}`, `NotSupported{"feature":"strength"}`)
		b.Expect("Play", `{"motor":"`+id+`","durationMSec":10,"strength":1000}`, `{}`)
	}
	for _, bad := range []string{"0", "1001"} {
		b.Expect("Play", `{"motor":"buzzer","durationMSec":10,"strength":`+bad+`}`, `InvalidParameter{"parameter":"strength"}`)
	}
}

// TestWithoutTheDaemon: what a daemon that is killed has begun stops with its descriptor.
func TestWithoutTheDaemon(t *testing.T) {
	k := &following{Kernel: bench()}
	b := simtest.Open(t, Driver(), k, false, buzzer)
	b.Expect("Play", `{"motor":"buzzer","durationMSec":5000}`, `{}`)
	if k.Rumbling("event0") == 0 {
		t.Error("the motor does not run")
	}
	if err := k.Kernel.Close(k.last); err != nil {
		t.Fatal(err)
	}
	if got := k.Rumbling("event0"); got != 0 {
		t.Errorf("the motor runs on with %d", got)
	}
}

// following remembers the last descriptor.
type following struct {
	*sim.Kernel
	last int
}

func (f *following) Open(path string, flags int) (int, error) {
	fd, err := f.Kernel.Open(path, flags)
	f.last = fd
	return fd, err
}

// TestBusy: others have sent all the effects that the motor can keep.
func TestBusy(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false, buzzer)
	fd, err := k.Open("/dev/input/event0", unix.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		err = k.Ioctl(fd, uapi.InputSendEffect, unsafe.Pointer(&uapi.FFEffect{Type: uapi.FFRumble, ID: -1}))
	}
	if err != unix.ENOSPC {
		t.Fatal(err)
	}
	b.Expect("Play", `{"motor":"buzzer","durationMSec":5000}`, `Busy{"class":"Haptic","device":"buzzer"}`)
	if err := k.Close(fd); err != nil {
		t.Fatal(err)
	}
	b.Expect("Play", `{"motor":"buzzer","durationMSec":5000}`, `{}`)
}

// TestRefusals: of parameters, of what there is not, and of a LED that the kernel cannot run for a time.
func TestRefusals(t *testing.T) {
	b := simtest.Open(t, Driver(), bench(), false, buzzer, simtest.Entry{Table: "haptic", ID: "strip", Keys: `{"name":"white:strip"}`})
	b.Expect("Play", `{"motor":"buzzer","durationMSec":5001}`, `InvalidParameter{"parameter":"durationMSec"}`)
	b.Expect("Play", `{"motor":"buzzer","durationMSec":0}`, `InvalidParameter{"parameter":"durationMSec"}`)
	b.Expect("Play", `{"motor":"keys","durationMSec":1}`, `NoSuchDevice{"class":"Haptic","device":"keys"}`)
	b.Expect("Play", `{"motor":"strip","durationMSec":1}`, `NotSupported{"feature":"transient"}`)
	b.Expect("Stop", `{"motor":"strip"}`, `{}`)
}

// TestDuty: a motor that has run for 5 s has to rest, whoever asks; another one has not. One that is stopped early is charged for what it ran.
func TestDuty(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false, buzzer)
	b.Expect("Play", `{"motor":"buzzer","durationMSec":5000}`, `{}`)
	b.Expect("Stop", `{"motor":"buzzer"}`, `{}`)
	b.Expect("Play", `{"motor":"buzzer","durationMSec":4000}`, `{}`)
	if got := b.Call("Play", `{"motor":"buzzer","durationMSec":5000}`); !strings.HasPrefix(got, "RateLimited") {
		t.Errorf("got %s, want RateLimited", got)
	}
	if k.Rumbling("event0") == 0 {
		t.Error("what was refused has stopped the motor")
	}
	b.Expect("Play", `{"motor":"drv2605","durationMSec":5000}`, `{}`)
}

// never is a drive that fails.
type never struct{ err error }

func (d never) play(time.Duration, int64) error { return d.err }
func (d never) stop() error                     { return d.err }
func (never) close()                            {}

// TestFailureCostsNothing: what did not run need not rest, and what could not be stopped is not taken for stopped.
func TestFailureCostsNothing(t *testing.T) {
	now := time.Unix(1000, 0)
	m := &Motor{drive: never{unix.EIO}}
	for range 3 {
		if err := m.play(now, longest, full); err != unix.EIO {
			t.Errorf("got %v, want EIO", err)
		}
	}
	m.drive = never{}
	if err := m.play(now, longest, full); err != nil {
		t.Error(err)
	}
	m.drive = never{unix.EIO}
	if err := m.stop(now); err != unix.EIO || !m.budget.runs(now) {
		t.Errorf("got %v, runs %t, want EIO, true", err, m.budget.runs(now))
	}
	var limited *hal.RateLimited
	if err := m.play(now.Add(time.Second+time.Nanosecond), longest, full); !errors.As(err, &limited) || limited.RetryAfterMSec != 9000 {
		t.Errorf("got %v, want to try again in 9000 ms: 4 s until it stops, and 5 s of rest, both a little less", err)
	}
}

// TestBudget: a motor runs half of the time in the long run, and 5 s at once.
func TestBudget(t *testing.T) {
	const s = time.Second
	type step struct{ after, run, wait time.Duration } // run: 0 to stop
	rows := map[string][]step{
		"rested":                         {{0, 5 * s, 0}},
		"at once":                        {{0, 2 * s, 0}, {2 * s, 3 * s, 0}, {3 * s, s, s}},
		"as long as it rested":           {{0, 5 * s, 0}, {6 * s, s, 0}, {s, s, s}, {s, s, 0}},
		"no more than that":              {{0, 5 * s, 0}, {100 * s, 5 * s, 0}, {5 * s, s, s}},
		"replaced":                       {{0, 5 * s, 0}, {s, 4 * s, 0}, {4 * s, s, s}},
		"replaced for longer":            {{0, 5 * s, 0}, {s, 5 * s, 9 * s}, {9 * s, 5 * s, 0}},
		"stopped":                        {{0, 5 * s, 0}, {s, 0, 0}, {0, 4 * s, 0}},
		"stopped when it was over":       {{0, s, 0}, {2 * s, 0, 0}, {0, 5 * s, 0}},
		"refused, and tried as is said":  {{0, 5 * s, 0}, {5 * s, 2 * s, 2 * s}, {2 * s, 2 * s, 0}},
		"refused a moment too early":     {{0, 5 * s, 0}, {7*s - 1, 2 * s, 1}, {1, 2 * s, 0}},
		"refused while it runs, as said": {{0, 3 * s, 0}, {s, 5 * s, 5 * s}, {5 * s, 5 * s, 0}},
	}
	for name, steps := range rows {
		t.Run(name, func(t *testing.T) {
			var b budget
			now := time.Unix(1000, 0)
			for i, step := range steps {
				now = now.Add(step.after)
				if step.run == 0 {
					b.stop(now)
				} else if got := b.spend(now, step.run); got != step.wait {
					t.Errorf("step %d, for %v: got %v to wait, want %v", i+1, step.run, got, step.wait)
				}
			}
		})
	}
}

// TestVibratorOfAnotherTrigger: whatever had the LED before, it vibrates.
func TestVibratorOfAnotherTrigger(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false)
	const trigger = "/sys/class/leds/vibrator/trigger"
	simtest.Echo(t, k, trigger, "timer")
	b.Expect("Stop", `{"motor":"vibrator"}`, `{}`)
	if got := k.Brightness("vibrator"); got != 1 {
		t.Errorf("stopping what did not vibrate sets the LED to %d", got)
	}
	b.Expect("Play", `{"motor":"vibrator","durationMSec":100}`, `{}`)
	if got := simtest.Cat(t, k, trigger); !strings.Contains(got, "[transient]") || k.Brightness("vibrator") != 1 {
		t.Errorf("the triggers are %s, the brightness %d, want [transient], 1", got, k.Brightness("vibrator"))
	}
}

// TestUnplug: calls say so at once and afterwards, and what comes back runs.
func TestUnplug(t *testing.T) {
	for i, device := range []string{"event0", "event1", "vibrator", "aw8695:vibrator"} {
		m := motors[i]
		t.Run(m.id, func(t *testing.T) {
			k := bench()
			b := simtest.Open(t, Driver(), k, false, buzzer)
			b.Expect("Play", `{"motor":"`+m.id+`","durationMSec":1000}`, `{}`)
			held := k.Opened()
			gone := `DeviceGone{"class":"Haptic","device":"` + m.id + `"}`
			k.Unplug(device)
			for range 2 {
				b.Expect("Play", `{"motor":"`+m.id+`","durationMSec":1000}`, gone)
				b.Expect("Stop", `{"motor":"`+m.id+`"}`, gone)
				if b.Class.Rescan() {
					t.Errorf("it wants to look again: %s", b.Log.String())
				}
				b.Loop.Turn()
			}
			k.Plug(device)
			b.Class.Rescan()
			b.Loop.Turn()
			b.Expect("Play", `{"motor":"`+m.id+`","durationMSec":1000}`, `{}`)
			if m.running(k) != m.full || k.Opened() != held {
				t.Errorf("the motor runs with %d, %d descriptors are open, want %d, %d", m.running(k), k.Opened(), m.full, held)
			}
		})
	}
}

// TestTakenPlace: what has come under the number of a motor that is gone is not run in its place, also before the class has looked.
func TestTakenPlace(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false, buzzer)
	held := k.Opened()
	k.Unplug("event0")
	if got := k.AddInput(sim.Input{Name: "gamepad", Rumble: true}); got != "event0" {
		t.Fatalf("the new motor is %s, want event0", got)
	}
	const gone = `DeviceGone{"class":"Haptic","device":"buzzer"}`
	b.Expect("Stop", `{"motor":"buzzer"}`, gone)
	b.Expect("Play", `{"motor":"buzzer","durationMSec":1000}`, gone)
	if n := k.Opened(); n != held {
		t.Errorf("%d descriptors are open, want %d", n, held)
	}
}

func TestHasBit(t *testing.T) {
	rows := map[string]bool{"": false, "0": false, "zz": false}
	if bits.UintSize == 64 { // drivers/input/misc/pwm-vibra.c, as sysfs prints it
		rows["100010000 0"], rows["100000000 0"], rows["10000"] = true, false, false
	} else {
		rows["1 10000 0 0"], rows["1 0 0 0"], rows["10000"] = true, false, false
	}
	for text, want := range rows {
		if got := hasBit(text, uapi.FFRumble); got != want {
			t.Errorf("%q: got %t, want %t", text, got, want)
		}
	}
}
