package gpio

import (
	"testing"

	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/hal/sim"
)

const triedAgain = "the end of a pulse is tried again"

func TestConformance(t *testing.T) {
	haltest.Run(t, func(*testing.T) haltest.Harness {
		k := withPair()
		return haltest.Harness{
			Driver: Driver(), Kernel: k, Opened: k.Opened,
			Unplug: func() { k.Unplug("gpiochip0"); k.Unplug("gpiochip1") },
			Plug:   func() { k.Plug("gpiochip0"); k.Plug("gpiochip1") },
			Entries: []haltest.Entry{
				{Table: "gpio", ID: "pump", Keys: pump + `,"safe":0}`},
				{Table: "gpio", ID: "lamp", Keys: `{"chip":"soc","line":"LAMP","direction":"output"}`},
				{Table: "gpio", ID: "button", Keys: button + `,"bias":"pull_up","active-low":true}`},
				{Table: "gpio", ID: "far", Keys: `{"chip":"expander","line":"FAR_OUT","direction":"output","initial":1}`},
				{Table: "gpio", ID: "left", Keys: `{"chip":"soc","line":7,"direction":"output","safe":0}`},
				{Table: "gpio", ID: "right", Keys: `{"chip":"soc","line":8,"direction":"output","active-low":true}`},
				{Table: "gpio-group", ID: "pair", Keys: `{"lines":["left","right"]}`},
			},
			Calls: []haltest.Call{
				{Method: "Get", Parameters: `{"line":"pump"}`},
				{Method: "Get", Parameters: `{"line":"button"}`},
				{Method: "Get", Parameters: `{"line":"FAR_IN"}`},
				{Method: "Get", Parameters: `{"line":"VBUS"}`, Refusal: "io.halberd.Busy"},
				{Method: "GetMany", Parameters: `{"lines":["pump","button","FAR_IN"]}`},
				{Method: "Set", Parameters: `{"line":"pump","value":1}`},
				{Method: "Set", Parameters: `{"line":"lamp","value":0}`},
				{Method: "Set", Parameters: `{"line":"far","value":0}`},
				{Method: "Set", Parameters: `{"line":"button","value":0}`, Refusal: "io.halberd.NotSupported"},
				{Method: "Set", Parameters: `{"line":"right","value":1}`},
				{Method: "SetMany", Parameters: `{"values":{"right":1,"left":1}}`},
				{Method: "SetMany", Parameters: `{"values":{"far":0,"left":1,"pump":1,"right":0}}`},
				{Method: "SetMany", Parameters: `{"values":{"pump":1,"button":0}}`, Refusal: "io.halberd.NotSupported"},
				{Method: "Toggle", Parameters: `{"line":"pump"}`},
				{Method: "Pulse", Parameters: `{"line":"pump","value":1,"durationUSec":1000}`, Tolerates: triedAgain},
				{Method: "Pulse", Parameters: `{"line":"far","value":0,"durationUSec":10000000}`, Tolerates: triedAgain},
				{Method: "Pulse", Parameters: `{"line":"left","value":1,"durationUSec":1}`, Tolerates: triedAgain},
				{Method: "Pulse", Parameters: `{"line":"button","value":1,"durationUSec":1}`, Refusal: "io.halberd.NotSupported"},
				{Method: "Configure", Parameters: `{"line":"pump","direction":"input","bias":"pull_up"}`},
				{Method: "Configure", Parameters: `{"line":"soc/5","direction":"output","initial":1,"activeLow":true}`},
				{Method: "Configure", Parameters: `{"line":"far","drive":"open_drain"}`},
				{Method: "Configure", Parameters: `{"line":"button","drive":"open_drain"}`, Refusal: "io.halberd.NotSupported"},
				{Method: "Configure", Parameters: `{"line":"left","activeLow":true,"initial":1}`},
				{Method: "Configure", Parameters: `{"line":"left","direction":"input"}`, Refusal: "io.halberd.NotSupported"},
				{Method: "Lease", Parameters: `{"lines":["pump"]}`, Refusal: "io.halberd.NotSupported"},
				{Method: "Lease", Parameters: `{"lines":["FAR_IN"]}`, Refusal: "io.halberd.NotSupported"},
				{Method: "Watch", Parameters: `{"lines":["pump"]}`},
				{Method: "Watch", Parameters: `{"lines":["button"]}`},
				{Method: "Watch", Parameters: `{"lines":["FAR_IN"],"edge":"rising"}`},
				{Method: "Watch", Parameters: `{"lines":["far"]}`},
			},
		}
	})
}

// withPair is the bench whose first chip has two lines more.
func withPair() *sim.Kernel {
	k := sim.New(sim.Options{Bare: true})
	for _, c := range chips() {
		if c.Label == "soc" {
			c.Lines = append(c.Lines, sim.Line{}, sim.Line{})
		}
		k.AddChip(c)
	}
	return k
}
