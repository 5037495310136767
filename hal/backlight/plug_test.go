package backlight

import (
	"testing"

	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
)

// TestPlug: a backlight that comes has the name and the initial value of board.toml, and one that goes and comes between two looks is another one.
func TestPlug(t *testing.T) {
	for _, under := range []string{sim.OnPlatform, sim.OnI2C} {
		k := sim.New(sim.Options{Bare: true})
		b := simtest.Open(t, Driver(), k, false, simtest.Entry{Table: "backlight", ID: "panel", Keys: `{"name":"lcd","initial":7,"safe":1}`})
		rescan := func() {
			t.Helper()
			if b.Class.Rescan() {
				t.Errorf("it wants to look again: %s", b.Log.String())
			}
			b.Loop.Turn()
		}
		b.Expect("Get", `{"backlight":"panel"}`, `NoSuchDevice{"class":"Backlight","device":"panel"}`)
		k.AddBacklight(sim.Backlight{Name: "lcd", Max: 10, Under: under})
		k.AddBacklight(sim.Backlight{Name: "keys", Max: 10, Under: under})
		rescan()
		if got := b.IDs(); got != "keys panel" {
			t.Errorf("got %s, want keys panel", got)
		}
		b.Expect("Get", `{"backlight":"panel"}`, `{"brightness":7,"maxBrightness":10,"permille":700,"actualBrightness":7,"on":true}`)
		b.Expect("Set", `{"backlight":"panel","brightness":3}`, `{}`)
		rescan()
		if got := simtest.Cat(t, k, sys+"lcd/brightness"); got != "3" {
			t.Errorf("another look: brightness %s, want 3", got)
		}
		w := b.Watch("Watch", `{"backlights":["panel","keys"]}`)
		held := k.Opened()
		k.Unplug("lcd")
		k.Plug("lcd")
		gone := `DeviceGone{"class":"Backlight","device":"panel"}`
		for call, in := range map[string]string{"Get": ``, "Set": `,"permille":1`, "SetPower": `,"on":true`} {
			b.Expect(call, `{"backlight":"panel"`+in+`}`, gone)
		}
		rescan()
		if w.Failed == nil || simtest.Text(w.Failed) != gone || k.Opened() != held || b.Loop.Timers() != 0 {
			t.Errorf("the watch ended with %v; %d descriptors, %d timers, want %d, 0", w.Failed, k.Opened(), b.Loop.Timers(), held)
		}
		if got := simtest.Cat(t, k, sys+"lcd/brightness"); got != "7" {
			t.Errorf("replaced: brightness %s, want 7", got)
		}
		k.Unplug("lcd")
		rescan()
		b.Class.Changed("lcd")
		b.Expect("Get", `{"backlight":"panel"}`, gone)
	}
}
