package sensor

import (
	"testing"

	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/hal/sim"
)

func TestConformance(t *testing.T) {
	haltest.Run(t, func(*testing.T) haltest.Harness {
		k := sim.New(sim.Options{Bare: true})
		k.AddHwmon(lm75("0048", "21500"))
		k.AddHwmon(sim.Sensor{Attributes: attributes{"name": "supply", "fan1_input": "2400", "in0_input": "12034", "in0_label": "Main Rail", "in0_min": "10800", "in0_alarm": "0"}})
		k.AddZone(sim.Sensor{Attributes: attributes{"type": "cpu-thermal", "temp": "48312"}})
		k.AddIIO(sim.Sensor{Attributes: attributes{"name": "adc", "in_voltage1_raw": "-17", "in_voltage_scale": "0.8"}})
		return haltest.Harness{
			Driver: Driver(), Kernel: k, Opened: k.Opened,
			Unplug:  func() { k.Unplug("hwmon0"); k.Unplug("thermal_zone0"); k.Unplug("iio:device0") },
			Plug:    func() { k.Plug("hwmon0"); k.Plug("thermal_zone0"); k.Plug("iio:device0") },
			Entries: []haltest.Entry{{Table: "sensor", ID: "soc", Keys: `{"thermal":"cpu-thermal"}`}},
			Calls: []haltest.Call{
				{Method: "Get", Parameters: `{"sensor":"soc"}`},
				{Method: "Get", Parameters: `{"sensor":"supply/Main%20Rail"}`},
				{Method: "Get", Parameters: `{"sensor":"adc/voltage1"}`},
				{Method: "Get", Parameters: `{"sensor":"lm75/temp1"}`},
				{Method: "Watch", Parameters: `{"sensors":["soc"]}`},
				{Method: "Watch", Parameters: `{"sensors":["supply/fan1"],"above":1000}`},
			},
		}
	})
}
