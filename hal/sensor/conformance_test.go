package sensor

import (
	"testing"

	"github.com/halberd-io/halberd/hal/haltest"
)

func TestConformance(t *testing.T) {
	haltest.Run(t, func(*testing.T) haltest.Harness {
		k := bench()
		return haltest.Harness{
			Driver: Driver(), Kernel: k, Opened: k.Opened,
			Entries: []haltest.Entry{{Table: "sensor", ID: "soc", Keys: `{"thermal":"cpu-thermal"}`}},
			Calls: []haltest.Call{
				{Method: "Get", Parameters: `{"sensor":"soc"}`},
				{Method: "Get", Parameters: `{"sensor":"supply/Main%20Rail"}`},
				{Method: "Get", Parameters: `{"sensor":"adc/voltage1"}`},
				{Method: "Watch", Parameters: `{"sensors":["soc"]}`},
				{Method: "Watch", Parameters: `{"sensors":["supply/fan1"],"above":1000}`},
			},
		}
	})
}
