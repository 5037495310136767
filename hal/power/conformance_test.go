package power

import (
	"testing"

	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/hal/sim"
)

func TestConformance(t *testing.T) {
	haltest.Run(t, func(*testing.T) haltest.Harness {
		k := sim.New(sim.Options{Bare: true})
		return haltest.Harness{
			Driver: Driver(), Kernel: k, Opened: k.Opened,
			Calls: []haltest.Call{
				{Method: "Can", Parameters: `{}`},
				{Method: "Reboot", Parameters: `{"reason":"an update"}`},
				{Method: "Reboot", Parameters: `{"target":"recovery","delayMSec":5000,"reason":"an update"}`},
				{Method: "ForceReboot", Parameters: `{"reason":"an update"}`},
				{Method: "PowerOff", Parameters: `{"reason":"night"}`},
				{Method: "ForcePowerOff", Parameters: `{"delayMSec":60000,"reason":"night"}`},
				{Method: "Suspend", Parameters: `{}`},
				{Method: "Suspend", Parameters: `{"mode":"disk"}`, Refusal: "io.halberd.NotSupported"},
				{Method: "Suspend", Parameters: `{"wakeAtUSec":0}`, Refusal: "io.halberd.OutOfRange"},
				{Method: "ForceSuspend", Parameters: `{"mode":"freeze","wakeAtUSec":4102444800000000}`},
				{Method: "Inhibit", Parameters: `{"what":"shutdown","why":"an update is being written"}`},
				{Method: "Inhibitors", Parameters: `{}`},
				{Method: "Events", Parameters: `{}`},
			},
		}
	})
}
