package sensor

import (
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
)

func gone(id string) string { return `DeviceGone{"class":"Sensor","device":"` + id + `"}` }

// TestPlug: a sensor that comes has the name of board.toml, and one that goes and comes between two looks is another one.
func TestPlug(t *testing.T) {
	k := sim.New(sim.Options{Bare: true})
	b := simtest.Open(t, Driver(), k, false, declare("usb", `{"hwmon":"lm75","input":"temp1"}`))
	b.Expect("Get", `{"sensor":"usb"}`, `NoSuchDevice{"class":"Sensor","device":"usb"}`)
	name := k.AddHwmon(lm75("0048", "21500"))
	k.AddIIO(sim.Sensor{Attributes: attributes{"name": "adc", "in_voltage0_raw": "2", "in_voltage_scale": "3"}})
	b.Rescan()
	b.ExpectIDs("adc/voltage0 usb")
	b.Expect("Get", `{"sensor":"adc/voltage0"}`, `{"value":6000,"unit":"micro_volt"}`)
	w := b.Watch("Watch", `{"sensors":["usb","adc/voltage0"]}`)
	k.Unplug(name)
	b.Expect("Get", `{"sensor":"usb"}`, gone("usb"))
	k.Plug(name)
	b.Rescan()
	b.ExpectIDs("adc/voltage0 usb")
	if w.Failed == nil || simtest.Text(w.Failed) != gone("usb") || b.Loop.Timers() != 0 {
		t.Errorf("the watch ended with %v, %d timers", w.Failed, b.Loop.Timers())
	}
	b.Expect("Get", `{"sensor":"usb"}`, `{"value":21500,"unit":"milli_celsius","maximum":80000}`)
	k.Unplug(name)
	b.Rescan()
	b.ExpectIDs("adc/voltage0")
	b.Expect("Get", `{"sensor":"usb"}`, gone("usb"))
}

// TestNamesStay: a sensor keeps its name beside another one that is called the same, and that one does not inherit it.
func TestNamesStay(t *testing.T) {
	k := sim.New(sim.Options{Bare: true})
	first := k.AddHwmon(lm75("0048", "1"))
	b := simtest.Open(t, Driver(), k, false)
	b.ExpectIDs("lm75/temp1")
	second := k.AddHwmon(lm75("0049", "2"))
	b.Rescan()
	b.ExpectIDs("lm75/temp1 lm75@1-0049/temp1")
	b.Expect("Get", `{"sensor":"lm75/temp1"}`, `{"value":1,"unit":"milli_celsius","maximum":80000}`)
	k.Unplug(first)
	b.Rescan()
	b.ExpectIDs("lm75@1-0049/temp1")
	b.Expect("Get", `{"sensor":"lm75/temp1"}`, gone("lm75/temp1"))
	k.Plug(first)
	b.Rescan()
	b.ExpectIDs("lm75@1-0048/temp1 lm75@1-0049/temp1")
	k.Unplug(second)
	b.Rescan()
	b.ExpectIDs("lm75@1-0048/temp1")
}

// TestPlugMakesBoardAmbiguous: an entry that would mean two sensors goes on meaning the one that it means.
func TestPlugMakesBoardAmbiguous(t *testing.T) {
	k := sim.New(sim.Options{Bare: true})
	first := k.AddHwmon(lm75("0048", "1"))
	b := simtest.Open(t, Driver(), k, false, declare("x", `{"hwmon":"lm75","input":"temp1"}`))
	k.AddHwmon(lm75("0049", "2"))
	for range 3 {
		b.Rescan()
		b.ExpectIDs("x")
	}
	if n := strings.Count(b.Log.String(), "name the parent, as lm75@1-0048"); n != 1 {
		t.Errorf("it is said %d times, want once: %s", n, b.Log.String())
	}
	b.Expect("Get", `{"sensor":"x"}`, `{"value":1,"unit":"milli_celsius","maximum":80000}`)
	k.Unplug(first)
	b.Rescan()
	b.ExpectIDs("x")
	b.Expect("Get", `{"sensor":"x"}`, `{"value":2,"unit":"milli_celsius","maximum":80000}`)
}
