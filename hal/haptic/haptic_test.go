package haptic

import (
	"math/bits"
	"testing"
	"time"

	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
)

// bench is a bare board with a motor, one on a slow bus, and keys.
func bench() *sim.Kernel {
	k := sim.New(sim.Options{Bare: true})
	k.AddInput(sim.Input{Name: "pwm-vibrator", Rumble: true})
	k.AddInput(sim.Input{Name: "drv2605", Rumble: true, Under: sim.OnI2C})
	k.AddInput(sim.Input{Name: "keys"})
	return k
}

var buzzer = simtest.Entry{Table: "haptic", ID: "buzzer", Keys: `{"name":"pwm-vibrator"}`}

func TestConformance(t *testing.T) {
	haltest.Run(t, func(*testing.T) haltest.Harness {
		k := bench()
		return haltest.Harness{
			Driver: Driver(), Kernel: k, Opened: k.Opened,
			Unplug:  func() { k.Unplug("event0"); k.Unplug("event1") },
			Plug:    func() { k.Plug("event0"); k.Plug("event1") },
			Entries: []haltest.Entry{{Table: "haptic", ID: "buzzer", Keys: `{"name":"pwm-vibrator"}`}},
			Calls: []haltest.Call{
				{Method: "Play", Parameters: `{"motor":"buzzer","durationMSec":100}`},
				{Method: "Play", Parameters: `{"motor":"drv2605","durationMSec":100,"strengthPermille":500}`},
				{Method: "Stop", Parameters: `{"motor":"buzzer"}`},
			},
		}
	})
}

func TestNames(t *testing.T) {
	if got, want := simtest.Open(t, Driver(), bench(), false, buzzer).IDs(), "buzzer drv2605"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestPlay: it runs as strongly and as long as it is asked to, ends by itself, and stops when told, or when the class closes.
func TestPlay(t *testing.T) {
	for id, node := range map[string]string{"buzzer": "event0", "drv2605": "event1"} {
		t.Run(id, func(t *testing.T) {
			k, now := bench(), time.Duration(0)
			k.SetClock(func() time.Duration { return now })
			b := simtest.Open(t, Driver(), k, false, buzzer)
			strength := func(want uint16) {
				t.Helper()
				if got := k.Rumbling(node); got != want {
					t.Errorf("at %v: got %d, want %d", now, got, want)
				}
			}
			b.Expect("Play", `{"motor":"`+id+`","durationMSec":300}`, `{}`)
			strength(65535)
			now = 299 * time.Millisecond
			strength(65535)
			now = 300 * time.Millisecond
			strength(0)
			b.Expect("Play", `{"motor":"`+id+`","durationMSec":1000,"strengthPermille":500}`, `{}`)
			strength(32767)
			b.Expect("Play", `{"motor":"`+id+`","durationMSec":1000,"strengthPermille":100}`, `{}`)
			strength(6553)
			b.Expect("Stop", `{"motor":"`+id+`"}`, `{}`)
			strength(0)
			b.Expect("Stop", `{"motor":"`+id+`"}`, `{}`)
			b.Expect("Play", `{"motor":"`+id+`","durationMSec":1000}`, `{}`)
			b.Close()
			strength(0)
			if k.Opened() != 0 {
				t.Errorf("%d descriptors are open, want none", k.Opened())
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	b := simtest.Open(t, Driver(), bench(), false, buzzer)
	b.Expect("Play", `{"motor":"buzzer","durationMSec":5001}`, `InvalidParameter{"parameter":"durationMSec"}`)
	b.Expect("Play", `{"motor":"buzzer","durationMSec":0}`, `InvalidParameter{"parameter":"durationMSec"}`)
	b.Expect("Play", `{"motor":"keys","durationMSec":1}`, `NoSuchDevice{"class":"Haptic","device":"keys"}`)
}

// TestBudget: a motor runs half of the time at most, and 5 s at once.
func TestBudget(t *testing.T) {
	b, now := budget{left: longest}, time.Unix(1000, 0)
	spend := func(after, d, want time.Duration) {
		t.Helper()
		now = now.Add(after)
		if got := b.spend(now, d); got != want {
			t.Errorf("at %v, for %v: got %v to wait, want %v", now.Sub(time.Unix(1000, 0)), d, got, want)
		}
	}
	spend(0, 3*time.Second, 0)
	spend(0, 2*time.Second, 0)
	spend(time.Second, time.Second, time.Second) // it still runs, for another second
	spend(1100*time.Millisecond, 100*time.Millisecond, 0)
	spend(30*time.Second, 5*time.Second, 0) // no more than that, however long it rested
	spend(5*time.Second, time.Second, time.Second)
	spend(time.Second, time.Second, 0)
}

func TestHasBit(t *testing.T) {
	rows := map[string]bool{"": false, "0": false, "zz": false}
	if bits.UintSize == 64 { // drivers/input/misc/pwm-vibra.c, as sysfs prints it
		rows["100010000 0"], rows["100000000 0"], rows["10000"] = true, false, false
	} else {
		rows["1 10000 0 0"], rows["1 0 0 0"], rows["10000"] = true, false, false
	}
	for text, want := range rows {
		if got := hasBit(text, ffRumble); got != want {
			t.Errorf("%q: got %t, want %t", text, got, want)
		}
	}
}
