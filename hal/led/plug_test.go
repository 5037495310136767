package led

import (
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
)

// TestPlug: a light that comes has the name and the initial value of board.toml, and one that goes and comes between two looks is another one.
func TestPlug(t *testing.T) {
	for _, under := range []string{sim.OnPlatform, sim.OnI2C} {
		k := sim.New(sim.Options{Bare: true})
		b := simtest.Open(t, Driver(), k, false, simtest.Entry{Table: "led", ID: "usb", Keys: `{"name":"usb:red","initial":7,"safe":1}`})
		b.Expect("Get", `{"led":"usb"}`, `NoSuchDevice{"class":"Led","device":"usb"}`)
		k.AddLED(sim.LED{Name: "usb:red", Max: 10, Under: under})
		k.AddLED(sim.LED{Name: "usb:green", Max: 10, Under: under})
		b.Rescan()
		b.ExpectIDs("usb usb:green")
		if got := simtest.Cat(t, k, "/sys/class/leds/usb:red/brightness"); got != "7" {
			t.Errorf("brightness: got %s, want 7", got)
		}
		b.Expect("Set", `{"led":"usb","brightness":3}`, `{}`)
		b.Rescan()
		if got := simtest.Cat(t, k, "/sys/class/leds/usb:red/brightness"); got != "3" {
			t.Errorf("another look: brightness %s, want 3", got)
		}
		w := b.Watch("Watch", `{"leds":["usb","usb:green"]}`)
		held := k.Opened()
		k.Unplug("usb:red")
		k.Plug("usb:red")
		gone := `DeviceGone{"class":"Led","device":"usb"}`
		for _, call := range []string{"Set", "Blink", "SetTrigger"} {
			in := map[string]string{"Set": `"brightness":1`, "Blink": `"onMSec":1,"offMSec":1`, "SetTrigger": `"trigger":"heartbeat"`}[call]
			b.Expect(call, `{"led":"usb",`+in+`}`, gone)
		}
		b.Rescan()
		if w.Failed == nil || simtest.Text(w.Failed) != gone || k.Opened() != held || b.Loop.Timers() != 0 {
			t.Errorf("the watch ended with %v; %d descriptors, %d timers, want %d, 0", w.Failed, k.Opened(), b.Loop.Timers(), held)
		}
		if got := simtest.Cat(t, k, "/sys/class/leds/usb:red/brightness"); got != "7" {
			t.Errorf("replaced: brightness %s, want 7", got)
		}
		b.Expect("Set", `{"led":"usb","brightness":2}`, `{}`)
		k.Unplug("usb:red")
		b.Rescan()
		b.ExpectIDs("usb:green")
		b.Expect("Get", `{"led":"usb"}`, gone)
	}
}

// TestPlugContradictsBoard: what would stop the daemon at the start is left out afterwards, and said once.
func TestPlugContradictsBoard(t *testing.T) {
	k := sim.New(sim.Options{Bare: true})
	b := simtest.Open(t, Driver(), k, false, simtest.Entry{Table: "led", ID: "usb", Keys: `{"name":"usb:red","initial":70}`},
		simtest.Entry{Table: "led", ID: "usb:green", Keys: `{"name":"none"}`})
	k.AddLED(sim.LED{Name: "usb:red", Max: 10})
	k.AddLED(sim.LED{Name: "usb:green", Max: 10})
	held := k.Opened()
	for range 3 {
		b.Rescan()
		b.ExpectIDs("")
	}
	for _, want := range []string{"70 is more than the light's greatest brightness, 10", "board.toml gives its name to another one"} {
		if n := strings.Count(b.Log.String(), want); n != 1 {
			t.Errorf("%q is said %d times, want once", want, n)
		}
	}
	if k.Opened() != held {
		t.Errorf("%d descriptors are left open", k.Opened()-held)
	}
}

// TestTriggerOfALightThatGoes: the settings of a trigger are opened by their paths, which are not there any more.
func TestTriggerOfALightThatGoes(t *testing.T) {
	for _, c := range []struct{ at, method, in string }{
		{"delay_on", "Blink", `"onMSec":1,"offMSec":1`},
		{"/pattern", "Pattern", `"steps":[{"brightness":1,"durationMSec":1},{"brightness":2,"durationMSec":1}]`},
		{"/repeat", "Pattern", `"steps":[{"brightness":1,"durationMSec":1},{"brightness":2,"durationMSec":1}]`},
	} {
		k := &vanishing{Kernel: bench()}
		b := simtest.Open(t, Driver(), k, false, front)
		k.at = c.at
		b.Expect(c.method, `{"led":"front",`+c.in+`}`, `DeviceGone{"class":"Led","device":"front"}`)
	}
}

// vanishing unplugs the light when a file of it is opened.
type vanishing struct {
	*sim.Kernel
	at string
}

func (v *vanishing) Open(path string, flags int) (int, error) {
	if v.at != "" && strings.HasSuffix(path, v.at) {
		v.at = ""
		v.Unplug("front:white")
	}
	return v.Kernel.Open(path, flags)
}
