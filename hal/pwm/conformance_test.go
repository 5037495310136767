package pwm

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
			Unplug: func() { k.Unplug("pwmchip0"); k.Unplug("pwmchip1") },
			Plug:   func() { k.Plug("pwmchip0"); k.Plug("pwmchip1") },
			Entries: []haltest.Entry{
				{Table: "pwm", ID: "fan0", Keys: `{"chip":"soc.pwm","channel":0,"period-nsec":40000,"initial":10000,"safe":40000,"on-release":"safe"}`},
				{Table: "pwm", ID: "taken", Keys: `{"chip":"soc.pwm","channel":2}`},
			},
			Calls: []haltest.Call{
				{Method: "Get", Parameters: `{"channel":"fan0"}`},
				{Method: "Get", Parameters: `{"channel":"1-0040/3"}`, Refusal: "io.halberd.NotSupported"},
				{Method: "Set", Parameters: `{"channel":"fan0","dutyNSec":30000}`},
				{Method: "Set", Parameters: `{"channel":"fan0","periodNSec":20000,"dutyNSec":20000,"enabled":false}`},
				{Method: "Set", Parameters: `{"channel":"fan0","dutyNSec":40001}`, Refusal: "io.halberd.OutOfRange"},
				{Method: "Set", Parameters: `{"channel":"taken","enabled":false}`, Refusal: "io.halberd.Busy"},
				{Method: "Set", Parameters: `{"channel":"1-0040/3","periodNSec":1000000,"dutyNSec":1,"enabled":true}`},
				{Method: "SetPolarity", Parameters: `{"channel":"fan0","polarity":"inversed"}`},
				{Method: "SetPolarity", Parameters: `{"channel":"1-0040/0","polarity":"inversed"}`, Refusal: "io.halberd.NotSupported"},
			},
		}
	})
}

// bench is a bare board with two chips: one of the SoC, whose last channel a driver uses, and one on a slow bus.
func bench() *sim.Kernel {
	k := sim.New(sim.Options{Bare: true})
	k.AddPWMChip(sim.PWMChip{Under: "platform/soc.pwm=platform", Channels: 3, Used: []int{2}})
	k.AddPWMChip(sim.PWMChip{Under: "platform/soc.i2c=platform/i2c-1=i2c/1-0040=i2c", Channels: 4})
	return k
}
