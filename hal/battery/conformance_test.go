package battery

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/hal/sim"
)

func TestConformance(t *testing.T) {
	haltest.Run(t, func(*testing.T) haltest.Harness {
		k := bench()
		k.AddSupply(sim.Supply{Name: "odd", Properties: map[string]string{"TYPE": "Battery", "STATUS": "Full", "CYCLE_COUNT": "1"}})
		k.FailProperty("odd", "CYCLE_COUNT", unix.EINVAL)
		return haltest.Harness{
			Driver: Driver(), Kernel: k, Opened: k.Opened,
			Unplug:  func() { k.Unplug("BAT0"); k.Unplug("gauge") },
			Plug:    func() { k.Plug("BAT0"); k.Plug("gauge") },
			Entries: []haltest.Entry{{Table: "battery", ID: "main", Keys: `{"name":"BAT0"}`}},
			Calls: []haltest.Call{
				{Method: "Get", Parameters: `{"supply":"main"}`},
				{Method: "Get", Parameters: `{"supply":"gauge"}`},
				{Method: "Get", Parameters: `{"supply":"usb"}`},
				{Method: "Get", Parameters: `{"supply":"odd"}`, Tolerates: "a property that a driver answers ENODEV for is left out, as the kernel does it"},
				{Method: "SetChargeLimits", Parameters: `{"supply":"main","startPercent":40,"endPercent":80}`},
				{Method: "SetChargeLimits", Parameters: `{"supply":"main","endPercent":80}`},
				{Method: "SetChargeLimits", Parameters: `{"supply":"usb","endPercent":80}`, Refusal: "io.halberd.NotSupported"},
				{Method: "Watch", Parameters: `{"supplies":["main"]}`},
				{Method: "Watch", Parameters: `{"supplies":["gauge"]}`},
			},
		}
	})
}

// bench is a bare board with a battery, a fuel gauge on a slow bus and a charger.
func bench() *sim.Kernel {
	k := sim.New(sim.Options{Bare: true})
	k.AddSupply(sim.Supply{Name: "BAT0", ChargeLimits: true, Properties: map[string]string{
		"TYPE": "Battery", "STATUS": "Discharging", "PRESENT": "1", "TECHNOLOGY": "Li-ion", "HEALTH": "Good", "CAPACITY": "87", "VOLTAGE_NOW": "3912000",
		"CURRENT_NOW": "-412000", "CHARGE_NOW": "2610000", "CHARGE_FULL": "3000000", "TEMP": "298", "CYCLE_COUNT": "31",
	}})
	k.AddSupply(sim.Supply{Name: "gauge", Under: sim.OnI2C, Properties: map[string]string{"TYPE": "Battery", "STATUS": "Not charging", "CAPACITY": "50"}})
	k.AddSupply(sim.Supply{Name: "usb", Properties: map[string]string{"TYPE": "USB", "ONLINE": "1", "INPUT_CURRENT_LIMIT": "500000"}})
	return k
}
