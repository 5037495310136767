package led

import (
	"testing"

	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/hal/sim"
)

func TestConformance(t *testing.T) {
	haltest.Run(t, func(*testing.T) haltest.Harness {
		k := sim.New(sim.Options{Bare: true})
		k.AddLED(sim.LED{Name: "front:white", Max: 255})
		k.AddLED(sim.LED{Name: "status:rgb", Max: 100, Colors: []string{"red", "green", "blue"}})
		k.AddLED(sim.LED{Name: "far", Max: 7, Under: sim.OnI2C})
		return haltest.Harness{
			Driver: Driver(), Kernel: k, Opened: k.Opened,
			Unplug:  func() { k.Unplug("front:white"); k.Unplug("far") },
			Plug:    func() { k.Plug("front:white"); k.Plug("far") },
			Entries: []haltest.Entry{{Table: "led", ID: "front", Keys: `{"name":"front:white","initial":7,"safe":1,"on-release":"safe"}`}},
			Calls: []haltest.Call{
				{Method: "Get", Parameters: `{"led":"front"}`},
				{Method: "Get", Parameters: `{"led":"far"}`},
				{Method: "Set", Parameters: `{"led":"front","brightness":255}`},
				{Method: "Set", Parameters: `{"led":"far","brightness":7}`},
				{Method: "Set", Parameters: `{"led":"far","brightness":8}`, Refusal: "io.halberd.OutOfRange"},
				{Method: "Blink", Parameters: `{"led":"front","onMSec":100,"offMSec":900}`},
				{Method: "Blink", Parameters: `{"led":"far","onMSec":100,"offMSec":900}`},
				{Method: "Pattern", Parameters: `{"led":"front","steps":[{"brightness":0,"durationMSec":500},{"brightness":255,"durationMSec":500}],"repeat":3}`},
				{Method: "Pattern", Parameters: `{"led":"far","steps":[{"brightness":7,"durationMSec":1},{"brightness":7,"durationMSec":0}]}`},
				{Method: "SetTrigger", Parameters: `{"led":"front","trigger":"heartbeat"}`},
				{Method: "SetTrigger", Parameters: `{"led":"front","trigger":"usb"}`, Refusal: "io.halberd.NotSupported"},
				{Method: "SetColor", Parameters: `{"led":"status:rgb","colors":{"red":1,"blue":100}}`},
				{Method: "Get", Parameters: `{"led":"status:rgb"}`},
				{Method: "Set", Parameters: `{"led":"status:rgb","brightness":9}`},
				{Method: "SetColor", Parameters: `{"led":"front","colors":{"red":1}}`, Refusal: "io.halberd.NotSupported"},
				{Method: "Watch", Parameters: `{"leds":["front"]}`},
				{Method: "Watch", Parameters: `{"leds":["far"]}`},
				{Method: "Watch", Parameters: `{"leds":["status:rgb"]}`},
			},
		}
	})
}
