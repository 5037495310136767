package rtc

import (
	"testing"

	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/hal/sim"
)

func TestConformance(t *testing.T) {
	for _, c := range []struct{ name, under string }{{"quick", sim.OnPlatform}, {"slow", sim.OnI2C}} {
		t.Run(c.name, func(t *testing.T) {
			haltest.Run(t, func(*testing.T) haltest.Harness {
				k := sim.New(sim.Options{Bare: true})
				k.AddRTC(sim.RTC{Under: c.under})
				k.AddRTC(sim.RTC{NoAlarm: true})
				k.AddRTC(sim.RTC{Invalid: true})
				return haltest.Harness{
					Driver: Driver(), Kernel: k, Opened: k.Opened,
					Unplug:  func() { k.Unplug("rtc0"); k.Unplug("rtc1") },
					Plug:    func() { k.Plug("rtc0"); k.Plug("rtc1") },
					Entries: []haltest.Entry{{Table: "rtc", ID: "main", Keys: `{"name":"rtc0","wakes":true}`}},
					Calls: []haltest.Call{
						{Method: "Get", Parameters: `{"clock":"main"}`},
						{Method: "Get", Parameters: `{"clock":"rtc1"}`},
						{Method: "Get", Parameters: `{"clock":"rtc2"}`, Refusal: "io.halberd.NotSupported"},
						{Method: "Set", Parameters: `{"clock":"main","timeUSec":1800000000000000}`},
						{Method: "Set", Parameters: `{"clock":"main","timeUSec":4294967296000000}`, Refusal: "io.halberd.OutOfRange"},
						{Method: "Wake", Parameters: `{"name":"backup","atUSec":1767229200000000}`},
						{Method: "Wake", Parameters: `{"name":"backup","atUSec":1767225600000000}`, Refusal: "io.halberd.OutOfRange"},
						{Method: "CancelWake", Parameters: `{"name":"backup"}`, Refusal: "io.halberd.NoSuchDevice"},
						{Method: "Wakes", Parameters: `{}`},
					},
				}
			})
		})
	}
}
