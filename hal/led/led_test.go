package led

import (
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
)

// bench is a bare board with three lights: one colour, three colours, and one on a slow bus.
func bench() *sim.Kernel {
	k := sim.New(sim.Options{Bare: true})
	k.AddLED(sim.LED{Name: "front:white", Max: 255})
	k.AddLED(sim.LED{Name: "status:rgb", Max: 100, Colors: []string{"red", "green", "blue"}})
	k.AddLED(sim.LED{Name: "far", Max: 7, Under: sim.OnI2C, Triggers: []string{"heartbeat"}})
	return k
}

var front = simtest.Entry{Table: "led", ID: "front", Keys: `{"name":"front:white"}`}

func TestNames(t *testing.T) {
	b := simtest.Open(t, Driver(), bench(), false, front)
	var got []string
	for i := range b.Class.Devices.Len() {
		d := b.Class.Devices.At(i)
		got = append(got, d.ID()+" on "+d.Bus())
	}
	if got, want := strings.Join(got, ", "), "far on i2c-1, front on , status:rgb on "; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestCalls(t *testing.T) {
	const some = `"triggers":["none","timer","heartbeat","default-on","pattern"]}`
	for _, c := range []struct{ name, method, in, want, get string }{
		{"set", "Set", `{"led":"front","brightness":128}`, `{}`, `{"brightness":128,"maxBrightness":255,"trigger":"none",` + some},
		{"set to the greatest", "Set", `{"led":"front","brightness":255}`, `{}`, `{"brightness":255,"maxBrightness":255,"trigger":"none",` + some},
		{"set too bright", "Set", `{"led":"front","brightness":256}`, `OutOfRange{"parameter":"brightness","minimum":0,"maximum":255}`,
			`{"brightness":0,"maxBrightness":255,"trigger":"none",` + some},
		{"set below zero", "Set", `{"led":"front","brightness":-1}`, `InvalidParameter{"parameter":"brightness"}`,
			`{"brightness":0,"maxBrightness":255,"trigger":"none",` + some},
		{"blink", "Blink", `{"led":"front","onMSec":100,"offMSec":900}`, `{}`, `{"brightness":255,"maxBrightness":255,"trigger":"timer",` + some},
		{"blink with a period of nothing", "Blink", `{"led":"front","onMSec":0,"offMSec":900}`, `InvalidParameter{"parameter":"onMSec"}`,
			`{"brightness":0,"maxBrightness":255,"trigger":"none",` + some},
		{"trigger", "SetTrigger", `{"led":"front","trigger":"heartbeat"}`, `{}`, `{"brightness":0,"maxBrightness":255,"trigger":"heartbeat",` + some},
		{"trigger that is not there", "SetTrigger", `{"led":"front","trigger":"usb"}`, `NotSupported{"feature":"usb"}`,
			`{"brightness":0,"maxBrightness":255,"trigger":"none",` + some},
		{"color of a white light", "SetColor", `{"led":"front","colors":{"red":1}}`, `NotSupported{"feature":"color"}`,
			`{"brightness":0,"maxBrightness":255,"trigger":"none",` + some},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := simtest.Open(t, Driver(), bench(), false, front)
			b.Expect(c.method, c.in, c.want)
			b.Expect("Get", `{"led":"front"}`, c.get)
		})
	}
}

const sysFront, sysStatus = "/sys/class/leds/front:white", "/sys/class/leds/status:rgb"

func TestSetEndsATriggerThatOthersStarted(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false, front)
	simtest.Echo(t, k, sysFront+"/trigger", "heartbeat\n")
	b.Expect("Set", `{"led":"front","brightness":9}`, `{}`)
	if got, want := simtest.Cat(t, k, sysFront+"/trigger"), "[none] timer heartbeat default-on pattern"; got != want {
		t.Errorf("trigger: got %s, want %s", got, want)
	}
	if got := simtest.Cat(t, k, sysFront+"/brightness"); got != "9" {
		t.Errorf("brightness: got %s, want 9", got)
	}
}

func TestBlinkUnits(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false, front)
	for _, in := range []string{"100 900", "20 30"} {
		on, off, _ := strings.Cut(in, " ")
		b.Expect("Blink", `{"led":"front","onMSec":`+on+`,"offMSec":`+off+`}`, `{}`)
		if got := simtest.Cat(t, k, sysFront+"/delay_on") + " " + simtest.Cat(t, k, sysFront+"/delay_off"); got != in {
			t.Errorf("delays in ms: got %s, want %s", got, in)
		}
	}
	b.Expect("Blink", `{"led":"far","onMSec":1,"offMSec":1}`, `NotSupported{"feature":"timer"}`)
}

func TestSetColor(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false)
	for _, c := range []struct{ name, colors, want, intensity string }{
		{"all", `{"red":1,"green":2,"blue":3}`, `{}`, "1 2 3"},
		{"one keeps the others", `{"green":100}`, `{}`, "1 100 3"},
		{"too much", `{"red":5,"blue":101}`, `OutOfRange{"parameter":"colors.blue","minimum":0,"maximum":100}`, "1 100 3"},
		{"too little", `{"red":-1}`, `OutOfRange{"parameter":"colors.red","minimum":0,"maximum":100}`, "1 100 3"},
		{"unknown", `{"red":5,"amber":1}`, `NotSupported{"feature":"amber"}`, "1 100 3"},
		{"none", `{}`, `InvalidParameter{"parameter":"colors"}`, "1 100 3"},
	} {
		b.Expect("SetColor", `{"led":"status:rgb","colors":`+c.colors+`}`, c.want)
		if got := simtest.Cat(t, k, sysStatus+"/multi_intensity"); got != c.intensity {
			t.Errorf("%s: multi_intensity: got %s, want %s", c.name, got, c.intensity)
		}
	}
}

// TestColors: what a light of several colours says of them, and to whom it tells that they changed.
func TestColors(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false)
	w := b.Watch("Watch", `{"leds":["status:rgb"]}`)
	now := func(brightness, trigger, red string) string {
		return `{"led":"status:rgb","brightness":` + brightness + `,"trigger":"` + trigger + `","colors":{"blue":100,"green":100,"red":` + red + `}}`
	}
	w.Expect(now("0", "none", "100"))
	b.Expect("SetColor", `{"led":"status:rgb","colors":{"red":5}}`, `{}`)
	w.Expect(now("0", "none", "5"))
	b.Expect("Set", `{"led":"status:rgb","brightness":40}`, `{}`)
	w.Expect(now("40", "none", "5"))
	b.Expect("Get", `{"led":"status:rgb"}`, `{"brightness":40,"maxBrightness":100,"trigger":"none","triggers":["none","timer","heartbeat","default-on","pattern"],"colors":{"blue":100,"green":100,"red":5}}`)
	simtest.Echo(t, k, sysStatus+"/multi_intensity", "6 100 100")
	b.Loop.Advance(period)
	w.Expect(now("40", "none", "6"))
	b.Expect("SetTrigger", `{"led":"status:rgb","trigger":"heartbeat"}`, `{}`)
	w.Expect(now("40", "heartbeat", "6"))
	b.Expect("SetColor", `{"led":"status:rgb","colors":{"red":7}}`, `{}`)
	w.Expect(now("40", "heartbeat", "7"))
	b.Expect("SetColor", `{"led":"status:rgb","colors":{"red":7}}`, `{}`)
	w.Expect()
}

// TestColorsThatDoNotAddUp: other colours than intensities are an error, and nothing is made up.
func TestColorsThatDoNotAddUp(t *testing.T) {
	b := simtest.Open(t, Driver(), confused{bench()}, false)
	b.Expect("Get", `{"led":"status:rgb"}`, `failure: cannot read the colours of status:rgb: there are 5, and 3 intensities`)
}

// confused has the triggers for the colours.
type confused struct{ *sim.Kernel }

func (c confused) Open(path string, flags int) (int, error) {
	return c.Kernel.Open(strings.Replace(path, "multi_index", "trigger", 1), flags)
}

func TestStart(t *testing.T) {
	for _, c := range []struct {
		name, keys string
		first      bool
		want       string
	}{
		{"left alone", `{"name":"front:white"}`, true, "40"},
		{"initial", `{"name":"front:white","initial":7,"safe":1}`, true, "7"},
		{"safe at a restart", `{"name":"front:white","initial":7,"safe":1}`, false, "1"},
		{"safe", `{"name":"front:white","safe":0}`, true, "0"},
		{"initial is not for a restart", `{"name":"front:white","initial":7}`, false, "40"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := bench()
			simtest.Echo(t, k, sysFront+"/brightness", "40")
			simtest.Open(t, Driver(), k, c.first, simtest.Entry{Table: "led", ID: "front", Keys: c.keys})
			if got := simtest.Cat(t, k, sysFront+"/brightness"); got != c.want {
				t.Errorf("brightness: got %s, want %s", got, c.want)
			}
		})
	}
}

// TestDeclaredNames: a name of board.toml is never that of other hardware.
func TestDeclaredNames(t *testing.T) {
	b := simtest.Open(t, Driver(), bench(), true, simtest.Entry{Table: "led", ID: "front:white", Keys: `{"name":"missing"}`})
	b.Expect("Get", `{"led":"front:white"}`, `NoSuchDevice{"class":"Led","device":"front:white"}`)
}

func TestBoardErrors(t *testing.T) {
	for _, c := range []struct {
		name, want string
		entries    []string
	}{
		{"one light twice", "board.toml:2: led.B: /sys/class/leds/front:white is led.A already, at board.toml:1", []string{`{"name":"front:white"}`, `{"name":"front:white"}`}},
		{"too bright", "board.toml:1: led.A: 256 is more than the light's greatest brightness, 255", []string{`{"name":"front:white","safe":256}`}},
		{"safe without a value", `board.toml:1: led.A: on-release = "safe" needs a value for safe`, []string{`{"name":"front:white","on-release":"safe"}`}},
		{"path", `board.toml:1: led.A: "../x" is no name of a device in /sys: '/' cannot stand in it`, []string{`{"name":"../x"}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			simtest.ExpectRefused(t, Driver(), bench(), c.want, simtest.Entries("led", c.entries...)...)
		})
	}
}

func TestMissingLightIsLeftOut(t *testing.T) {
	b := simtest.Open(t, Driver(), bench(), true, simtest.Entry{Table: "led", ID: "rear", Keys: `{"name":"rear:red"}`})
	b.Expect("Get", `{"led":"rear"}`, `NoSuchDevice{"class":"Led","device":"rear"}`)
	if !strings.Contains(b.Log.String(), "device=rear where=board.toml:1") {
		t.Errorf("the log does not name it: %s", b.Log.String())
	}
}

func TestWatch(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false, front)
	w := b.Watch("Watch", `{"leds":["front","far"]}`)
	w.Expect(`{"led":"front","brightness":0,"trigger":"none"}`, `{"led":"far","brightness":0,"trigger":"none"}`)
	b.Call("Set", `{"led":"front","brightness":5}`)
	w.Expect(`{"led":"front","brightness":5,"trigger":"none"}`)
	b.Call("Set", `{"led":"front","brightness":5}`)
	w.Expect()
	b.Call("Set", `{"led":"far","brightness":3}`)
	w.Expect(`{"led":"far","brightness":3,"trigger":"none"}`)
	simtest.Echo(t, k, sysFront+"/brightness", "77")
	simtest.Echo(t, k, "/sys/class/leds/far/brightness", "2")
	w.Expect()
	b.Loop.Advance(period)
	w.Expect(`{"led":"front","brightness":77,"trigger":"none"}`, `{"led":"far","brightness":2,"trigger":"none"}`)
	b.Call("Blink", `{"led":"front","onMSec":5,"offMSec":5}`)
	w.Expect(`{"led":"front","brightness":77,"trigger":"timer"}`)
	simtest.Echo(t, k, sysFront+"/brightness", "78")
	b.Loop.Advance(2 * period)
	w.Expect()
	w.Stop()
	b.Call("Set", `{"led":"front","brightness":1}`)
	w.Expect()
	b.Loop.Advance(period)
	if n := b.Loop.Timers(); n != 0 {
		t.Errorf("%d timers run with nobody watching", n)
	}
}

func TestWatchSurvivesABusyWorker(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false)
	w := b.Watch("Watch", `{"leds":["far"]}`)
	w.Events()
	simtest.Echo(t, k, "/sys/class/leds/far/brightness", "2")
	b.Loop.Full = true
	b.Loop.Advance(3 * period)
	w.Expect()
	b.Loop.Full = false
	b.Loop.Advance(period)
	w.Expect(`{"led":"far","brightness":2,"trigger":"none"}`)
}

func TestUnplug(t *testing.T) {
	for _, id := range []string{"front:white", "far"} {
		k := bench()
		b := simtest.Open(t, Driver(), k, false)
		w := b.Watch("Watch", `{"leds":["`+id+`"]}`)
		k.Unplug(id)
		gone := `DeviceGone{"class":"Led","device":"` + id + `"}`
		b.Expect("Get", `{"led":"`+id+`"}`, gone)
		b.Expect("Set", `{"led":"`+id+`","brightness":1}`, gone)
		b.Expect("SetTrigger", `{"led":"`+id+`","trigger":"heartbeat"}`, gone)
		b.Loop.Advance(period)
		if w.Failed == nil || simtest.Text(w.Failed) != gone {
			t.Errorf("%s: the watch ended with %v", id, w.Failed)
		}
		if n := b.Loop.Timers(); n != 0 {
			t.Errorf("%s: %d timers run with nobody watching", id, n)
		}
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false, front)
	b.Watch("Watch", `{"leds":["front","far"]}`)
	if k.Opened() == 0 {
		t.Error("no descriptor is kept")
	}
	b.Close()
	b.Loop.Advance(3 * period)
	if n := k.Opened(); n != 0 {
		t.Errorf("%d descriptors are left open", n)
	}
	if n := b.Loop.Timers(); n != 0 {
		t.Errorf("%d timers are left", n)
	}
}

func TestSetDoesNotAllocate(t *testing.T) {
	k := &quiet{Kernel: bench()}
	b := simtest.Open(t, Driver(), k, false, front)
	found, _ := b.Class.Devices.(*hal.Set[*LED]).Find([]byte("front"))
	in := &setIn{Brightness: 3}
	k.on = true
	got := testing.AllocsPerRun(100, func() {
		if err := found.set(in, &hal.None{}); err != nil {
			t.Fatal(err)
		}
	})
	k.on = false
	if got != 0 {
		t.Errorf("got %v allocations a call, want 0", got)
	}
}

// quiet answers as a light without a trigger does, once it is on, without the simulator's own allocations.
type quiet struct {
	*sim.Kernel
	on bool
}

func (q *quiet) Pread(fd int, p []byte, offset int64) (int, error) {
	if q.on {
		return copy(p, "[none]"), nil
	}
	return q.Kernel.Pread(fd, p, offset)
}

func (q *quiet) Pwrite(fd int, p []byte, offset int64) (int, error) {
	if q.on {
		return len(p), nil
	}
	return q.Kernel.Pwrite(fd, p, offset)
}

// What the devices say for board.toml names the same devices again, each by itself.
func TestDeclaration(t *testing.T) {
	simtest.ExpectDeclarations(t, Driver(), bench())
}

func TestTree(t *testing.T) {
	b := simtest.Open(t, Driver(), simtest.Tree(t, "testdata/rpi4.tree"), false, simtest.Entry{Table: "led", ID: "status", Keys: `{"name":"rgb:status"}`})
	for _, c := range []struct{ id, bus, want string }{
		{"ACT", "", `{"brightness":0,"maxBrightness":255,"trigger":"mmc0","triggers":["none","rc-feedback",`},
		{"PWR", "", `{"brightness":255,"maxBrightness":255,"trigger":"default-on","triggers":["none","rc-feedback",`},
		{"mmc0::", "", `{"brightness":0,"maxBrightness":255,"trigger":"mmc0","triggers":["none","rc-feedback",`},
		{"input5::capslock", "usb1", `{"brightness":0,"maxBrightness":1,"trigger":"kbd-capslock","triggers":["none","rc-feedback",`},
		{"status", "i2c-1", `{"brightness":12,"maxBrightness":255,"trigger":"none","triggers":["none","timer","heartbeat"],"colors":{"blue":255,"green":0,"red":10}}`},
	} {
		if got := b.Call("Get", `{"led":"`+c.id+`"}`); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: got %s, want %s", c.id, got, c.want)
		}
		found, _ := b.Class.Devices.(*hal.Set[*LED]).Find([]byte(c.id))
		if found == nil || found.Bus() != c.bus {
			t.Errorf("%s: got %v, want one on %q", c.id, found, c.bus)
		}
	}
	if n := b.Class.Devices.Len(); n != 5 {
		t.Errorf("got %d lights, want 5", n)
	}
}

// TestRestoreColours: a light of several colours goes back to those that it had, with its brightness or its trigger.
func TestRestoreColours(t *testing.T) {
	for _, c := range []struct{ name, call, in string }{
		{"steady", "Set", `{"led":"x","brightness":70}`},
		{"by a trigger", "SetTrigger", `{"led":"x","trigger":"heartbeat"}`},
	} {
		k := bench()
		b := simtest.Open(t, Driver(), k, false, simtest.Entry{Table: "led", ID: "x", Keys: `{"name":"status:rgb","on-release":"restore"}`})
		b.Expect("SetColor", `{"led":"x","colors":{"red":1,"green":2,"blue":3}}`, `{}`)
		b.Expect(c.call, c.in, `{}`)
		before := b.Call("Get", `{"led":"x"}`)
		d, _ := b.Class.Devices.(*hal.Set[*LED]).Find([]byte("x"))
		release, err := d.Claim()
		if err != nil {
			t.Fatal(err)
		}
		b.Expect("SetColor", `{"led":"x","colors":{"red":100,"green":0}}`, `{}`)
		b.Expect("Set", `{"led":"x","brightness":5}`, `{}`)
		if err := release(); err != nil {
			t.Error(err)
		}
		if got := b.Call("Get", `{"led":"x"}`); c.call == "Set" && got != before || simtest.Cat(t, k, sysStatus+"/multi_intensity") != "1 2 3" {
			t.Errorf("%s: got %s, want %s", c.name, got, before)
		}
	}
}
