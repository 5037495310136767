package backlight

import (
	"testing"

	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/hal/sim"
)

func TestConformance(t *testing.T) {
	haltest.Run(t, func(*testing.T) haltest.Harness {
		k := bench()
		return haltest.Harness{
			Driver: Driver(), Kernel: k, Opened: k.Opened,
			Unplug:  func() { k.Unplug("backlight-0"); k.Unplug("10-0045") },
			Plug:    func() { k.Plug("backlight-0"); k.Plug("10-0045") },
			Entries: []haltest.Entry{{Table: "backlight", ID: "panel", Keys: `{"name":"backlight-0","initial":7,"safe":1,"on-release":"safe"}`}},
			Calls: []haltest.Call{
				{Method: "Get", Parameters: `{"backlight":"panel"}`},
				{Method: "Get", Parameters: `{"backlight":"10-0045"}`},
				{Method: "Set", Parameters: `{"backlight":"panel","brightness":255}`},
				{Method: "Set", Parameters: `{"backlight":"10-0045","permille":500}`},
				{Method: "Set", Parameters: `{"backlight":"10-0045","brightness":32}`, Refusal: "io.halberd.OutOfRange"},
				{Method: "SetPower", Parameters: `{"backlight":"panel","on":false}`},
				{Method: "SetPower", Parameters: `{"backlight":"10-0045","on":true}`},
				{Method: "Watch", Parameters: `{"backlights":["panel"]}`},
				{Method: "Watch", Parameters: `{"backlights":["panel","10-0045"]}`, Refusal: "org.varlink.service.InvalidParameter"},
			},
		}
	})
}

// bench is a bare board with three backlights: one of the SoC, one on a slow bus whose driver asks the hardware, and one that is on or off.
func bench() *sim.Kernel {
	k := sim.New(sim.Options{Bare: true})
	k.AddBacklight(sim.Backlight{Name: "backlight-0", Max: 255, Brightness: 40})
	k.AddBacklight(sim.Backlight{Name: "10-0045", Max: 31, Under: sim.OnI2C, Reads: true})
	k.AddBacklight(sim.Backlight{Name: "keypad", Max: 1})
	return k
}
