package fan

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
			Unplug:  func() { k.Unplug("hwmon0"); k.Unplug("hwmon1"); k.Unplug("cooling_device2") },
			Plug:    func() { k.Plug("hwmon0"); k.Plug("hwmon1"); k.Plug("cooling_device2") },
			Entries: []haltest.Entry{{Table: "fan", ID: "case", Keys: `{"hwmon":"nct6775","channel":"pwm2","initial":500,"safe":1000,"on-release":"safe"}`}},
			Calls: []haltest.Call{
				{Method: "Get", Parameters: `{"fan":"case"}`},
				{Method: "Get", Parameters: `{"fan":"nct6775/pwm1"}`},
				{Method: "Get", Parameters: `{"fan":"pwmfan/pwm1"}`},
				{Method: "Get", Parameters: `{"fan":"Fan"}`},
				{Method: "Set", Parameters: `{"fan":"case","permille":300}`},
				{Method: "Set", Parameters: `{"fan":"nct6775/pwm1","permille":0}`},
				{Method: "Set", Parameters: `{"fan":"gpio_fan/pwm1","permille":1000}`},
				{Method: "Set", Parameters: `{"fan":"pwmfan/pwm1","permille":200}`},
				{Method: "Set", Parameters: `{"fan":"Fan","permille":200}`},
				{Method: "SetMode", Parameters: `{"fan":"case","mode":"auto"}`},
				{Method: "SetMode", Parameters: `{"fan":"nct6775/pwm1","mode":"manual"}`},
				{Method: "SetMode", Parameters: `{"fan":"gpio_fan/pwm1","mode":"auto"}`, Refusal: "io.halberd.NotSupported"},
				{Method: "SetMode", Parameters: `{"fan":"pwmfan/pwm1","mode":"auto"}`, Refusal: "io.halberd.NotSupported"},
				{Method: "SetMode", Parameters: `{"fan":"Fan","mode":"manual"}`, Refusal: "io.halberd.NotSupported"},
			},
		}
	})
}

// bench is a bare board with fans of all kinds: two of a chip on a slow bus, one on GPIO lines, one on a PWM whose supply can be switched, one without modes, a cooling device that is a fan, and one that is none.
// Two of the cooling devices are fans of hwmon as well.
func bench() *sim.Kernel {
	k := sim.New(sim.Options{Bare: true})
	k.AddFan(sim.Fan{Driver: sim.FanChip, Under: sim.OnI2C, Fans: 2, Speed: 2550})                                        // hwmon0
	k.AddFan(sim.Fan{Driver: sim.FanOnGPIO, Under: "platform/gpio-fan=platform", Speed: 4500})                            // hwmon1, cooling_device0
	k.AddFan(sim.Fan{Driver: sim.FanOnPWM, Under: "platform/pwm-fan=platform"})                                           // hwmon2, cooling_device1
	k.AddCooling("Fan", 10)                                                                                               // cooling_device2
	k.AddCooling("cpufreq-cpu0", 4)                                                                                       // cooling_device3
	k.AddFan(sim.Fan{Driver: sim.FanBare, Under: "platform/1e786000.pwm-tacho-controller=platform", Fans: 1, Speed: 255}) // hwmon3
	return k
}
