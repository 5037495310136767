package haptic

import (
	"testing"

	"github.com/halberd-io/halberd/hal/haltest"
)

func TestConformance(t *testing.T) {
	haltest.Run(t, func(*testing.T) haltest.Harness {
		k := bench()
		each := func(do func(string)) func() {
			return func() {
				for _, name := range []string{"event0", "event1", "vibrator", "aw8695:vibrator"} {
					do(name)
				}
			}
		}
		return haltest.Harness{
			Driver: Driver(), Kernel: k, Opened: k.Opened,
			Unplug: each(k.Unplug), Plug: each(k.Plug),
			Entries: []haltest.Entry{{Table: "haptic", ID: "buzzer", Keys: `{"name":"pwm-vibrator"}`}, {Table: "haptic", ID: "strip", Keys: `{"name":"white:strip"}`}},
			Calls: []haltest.Call{
				{Method: "Play", Parameters: `{"motor":"buzzer","durationMSec":100}`},
				{Method: "Play", Parameters: `{"motor":"drv2605","durationMSec":100,"strength":500}`},
				{Method: "Play", Parameters: `{"motor":"vibrator","durationMSec":100}`},
				{Method: "Play", Parameters: `{"motor":"vibrator","durationMSec":100,"strength":999}`, Refusal: "io.halberd.NotSupported"},
				{Method: "Play", Parameters: `{"motor":"aw8695:vibrator","durationMSec":100,"strength":1000}`},
				{Method: "Play", Parameters: `{"motor":"strip","durationMSec":100}`, Refusal: "io.halberd.NotSupported"},
				{Method: "Stop", Parameters: `{"motor":"buzzer"}`},
				{Method: "Stop", Parameters: `{"motor":"vibrator"}`},
				{Method: "Stop", Parameters: `{"motor":"aw8695:vibrator"}`},
			},
		}
	})
}
