package cpu

import (
	"testing"

	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/hal/sim"
)

func TestConformance(t *testing.T) {
	haltest.Run(t, func(*testing.T) haltest.Harness {
		k := board()
		return haltest.Harness{
			Driver: Driver(), Kernel: k, Opened: k.Opened,
			Unplug:  func() { k.Unplug("policy0") },
			Plug:    func() { k.Plug("policy0") },
			Entries: []haltest.Entry{{Table: "cpu", ID: "little", Keys: `{"policy":"policy0"}`}},
			Calls: []haltest.Call{
				{Method: "Get", Parameters: `{"policy":"little"}`},
				{Method: "Get", Parameters: `{"policy":"policy4"}`},
				{Method: "SetGovernor", Parameters: `{"policy":"little","governor":"powersave"}`},
				{Method: "SetGovernor", Parameters: `{"policy":"little","governor":"interactive"}`, Refusal: "io.halberd.NotSupported"},
				{Method: "SetLimits", Parameters: `{"policy":"little","minimumKHz":600000,"maximumKHz":1000000}`},
				{Method: "SetLimits", Parameters: `{"policy":"policy4","maximumKHz":2000000}`},
				{Method: "SetLimits", Parameters: `{"policy":"little","maximumKHz":1500001}`, Refusal: "io.halberd.OutOfRange"},
				{Method: "LatencyHold", Parameters: `{"uSec":50}`, Refusal: "io.halberd.NotSupported"},
			},
		}
	})
}

// board has four small processors and two big ones, whose driver has no list of frequencies.
func board() *sim.Kernel {
	k := sim.New(sim.Options{Bare: true})
	k.AddPolicy(sim.Policy{CPUs: []int{0, 1, 2, 3}, Frequencies: []int64{400_000, 600_000, 1_000_000, 1_500_000}, Governors: []string{"schedutil", "powersave", "performance"}})
	k.AddPolicy(sim.Policy{CPUs: []int{4, 5}, Frequencies: []int64{500_000, 2_000_000}, Governors: []string{"schedutil", "performance"}, Ranged: true})
	return k
}
