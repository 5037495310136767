package fan

import (
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
)

func declare(id, keys string) simtest.Entry { return simtest.Entry{Table: "fan", ID: id, Keys: keys} }

// TestNames: each fan once, by hwmon where that has it, with the bus that its calls run on.
func TestNames(t *testing.T) {
	b := simtest.Open(t, Driver(), bench(), false, declare("case", `{"hwmon":"nct6775","channel":"pwm2"}`))
	var got []string
	for i := range b.Class.Devices.Len() {
		d := b.Class.Devices.At(i)
		got = append(got, d.ID()+" on "+d.Bus())
	}
	want := "Fan on cooling_device2, aspeed_pwm_tacho/pwm1 on hwmon3, case on i2c-1, gpio_fan/pwm1 on hwmon1, nct6775/pwm1 on i2c-1, pwmfan/pwm1 on hwmon2"
	if got := strings.Join(got, ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestStems(t *testing.T) {
	for _, c := range []struct {
		hwmon, cooling string
		same           bool
	}{
		{"pwmfan", "pwm-fan", true}, {"gpio_fan", "gpio-fan", true}, {"emc2305", "emc2305_fan", true}, {"emc2305", "emc2305_fan1", true}, {"acpi_fan", "Fan", false}, {"pwmfan", "gpio-fan", false},
		{"emc2301", "emc2305_fan", false},
	} {
		if got := stem(c.hwmon) == stem(c.cooling); got != c.same {
			t.Errorf("%s and %s: got the same: %t", c.hwmon, c.cooling, got)
		}
	}
}

// several is a board on which names repeat.
func several() *sim.Kernel {
	k := sim.New(sim.Options{Bare: true})
	for _, parent := range []string{"1-004c", "1-004d"} {
		k.AddFan(sim.Fan{Name: "emc2305", Under: "platform/i2c-1=i2c/" + parent + "=i2c", Fans: 2, Speed: 1})
	}
	k.AddFan(sim.Fan{Name: "twice", Under: "platform/one=platform"})
	k.AddFan(sim.Fan{Name: "twice", Under: "platform/one=platform"})
	k.AddCooling("Fan", 1)
	k.AddCooling("Fan", 1)
	k.AddCooling("lcd", 1)
	return k
}

func TestSameNames(t *testing.T) {
	b := simtest.Open(t, Driver(), several(), false)
	want := "Fan@cooling_device0 Fan@cooling_device1 emc2305@1-004c/pwm1 emc2305@1-004c/pwm2 emc2305@1-004d/pwm1 emc2305@1-004d/pwm2 twice@hwmon2/pwm1 twice@hwmon3/pwm1"
	if got := b.IDs(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestDeclared(t *testing.T) {
	for _, c := range []struct{ name, keys, gone string }{
		{"hwmon by parent", `{"hwmon":"emc2305@1-004d","channel":"pwm2"}`, "emc2305@1-004d/pwm2"},
		{"hwmon by number", `{"hwmon":"twice@hwmon3"}`, "twice@hwmon3/pwm1"},
		{"a cooling device by number", `{"cooling":"Fan@cooling_device1"}`, "Fan@cooling_device1"},
		{"a cooling device that does not say what it is", `{"cooling":"lcd"}`, ""},
		{"another tachometer", `{"hwmon":"emc2305@1-004c","channel":"pwm1","tachometer":"fan2"}`, "emc2305@1-004c/pwm1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := simtest.Open(t, Driver(), several(), false, declare("x", c.keys))
			if got := b.Call("Get", `{"fan":"x"}`); !strings.HasPrefix(got, `{"permille":`) {
				t.Errorf("got %s", got)
			}
			if strings.Contains(" "+b.IDs()+" ", " "+c.gone+" ") {
				t.Errorf("%s is there, too", c.gone)
			}
		})
	}
}

// TestTachometer: it is counted where board.toml says.
func TestTachometer(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false, declare("x", `{"hwmon":"nct6775","channel":"pwm1","tachometer":"fan2"}`))
	b.Expect("Set", `{"fan":"x","permille":1000}`, `{}`)
	b.Expect("Get", `{"fan":"x"}`, `{"permille":1000,"mode":"manual","rpm":1020}`)
}

func TestBoardErrors(t *testing.T) {
	for _, c := range []struct {
		name, want string
		entries    []string
	}{
		{"one twice", "board.toml:2: fan.B: /sys/class/hwmon/hwmon0 pwm1 is fan.A already, at board.toml:1", []string{`{"hwmon":"nct6775","channel":"pwm1"}`, `{"hwmon":"nct6775@1-0048","channel":"pwm1"}`}},
		{"which output", "board.toml:1: fan.A: it may be /sys/class/hwmon/hwmon0 pwm1 or /sys/class/hwmon/hwmon0 pwm2: say which", []string{`{"hwmon":"nct6775"}`}},
		{"neither", "board.toml:1: fan.A: exactly one of hwmon and cooling names the device", []string{`{"channel":"pwm1"}`}},
		{"both", "board.toml:1: fan.A: exactly one of hwmon and cooling names the device", []string{`{"hwmon":"nct6775","cooling":"Fan"}`}},
		{"a cooling device with an output", "board.toml:1: fan.A: channel, tachometer and auto go with hwmon", []string{`{"cooling":"Fan","channel":"pwm1"}`}},
		{"a cooling device with a mode", "board.toml:1: fan.A: channel, tachometer and auto go with hwmon", []string{`{"cooling":"Fan","auto":2}`}},
		{"no output", "board.toml:1: fan.A: channel is an output, as pwm1", []string{`{"hwmon":"nct6775","channel":"fan1"}`}},
		{"no tachometer", "board.toml:1: fan.A: tachometer is an input, as fan1", []string{`{"hwmon":"nct6775","channel":"pwm1","tachometer":"../fan1"}`}},
		{"a tachometer that is not there", "board.toml:1: fan.A: nct6775 has no fan7", []string{`{"hwmon":"nct6775","channel":"pwm1","tachometer":"fan7"}`}},
		{"safe without a value", `board.toml:1: fan.A: on-release = "safe" needs a value for safe`, []string{`{"hwmon":"nct6775","channel":"pwm1","on-release":"safe"}`}},
		{"too fast", `board.toml:1: fan.A: safe: must be from 0 to 1000`, []string{`{"hwmon":"nct6775","channel":"pwm1","safe":1001}`}},
		{"by hand is not automatic", `board.toml:1: fan.A: auto: must be from 2 to 255`, []string{`{"hwmon":"nct6775","channel":"pwm1","auto":1}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			simtest.ExpectRefused(t, Driver(), bench(), c.want, simtest.Entries("fan", c.entries...)...)
		})
	}
}

// What the devices say for board.toml names the same devices again, each by itself.
func TestDeclaration(t *testing.T) {
	for _, k := range []*sim.Kernel{bench(), several()} {
		simtest.ExpectDeclarations(t, Driver(), k)
	}
}

func gone(id string) string { return `DeviceGone{"class":"Fan","device":"` + id + `"}` }

// TestPlug: a fan that comes has the name and the initial speed of board.toml, and one that goes and comes between two looks is another one.
func TestPlug(t *testing.T) {
	k := sim.New(sim.Options{Bare: true})
	b := simtest.Open(t, Driver(), k, false, declare("case", `{"hwmon":"gpio_fan","initial":300}`))
	b.Expect("Get", `{"fan":"case"}`, `NoSuchDevice{"class":"Fan","device":"case"}`)
	name := k.AddFan(sim.Fan{Driver: sim.FanOnGPIO, Speed: 4500})
	b.Rescan()
	b.Expect("Get", `{"fan":"case"}`, `{"permille":333,"mode":"manual","rpm":1500}`)
	b.Expect("Set", `{"fan":"case","permille":1000}`, `{}`)
	b.Rescan()
	b.Expect("Get", `{"fan":"case"}`, `{"permille":1000,"mode":"manual","rpm":4500}`)
	k.Unplug(name)
	k.Plug(name)
	for call, in := range map[string]string{"Get": ``, "Set": `,"permille":1`, "SetMode": `,"mode":"manual"`} {
		b.Expect(call, `{"fan":"case"`+in+`}`, gone("case"))
	}
	b.Rescan()
	b.Expect("Get", `{"fan":"case"}`, `{"permille":333,"mode":"manual","rpm":1500}`)
	k.Unplug(name)
	b.Rescan()
	b.Expect("Get", `{"fan":"case"}`, gone("case"))
	if got := b.IDs(); got != "" || k.Opened() != 0 {
		t.Errorf("%q and %d descriptors are left", got, k.Opened())
	}
}

// TestNamesStay: a fan keeps its name beside another one that is called the same, and that one does not inherit it.
func TestNamesStay(t *testing.T) {
	k := sim.New(sim.Options{Bare: true})
	first := k.AddFan(sim.Fan{Name: "x", Under: "platform/one=platform"})
	b := simtest.Open(t, Driver(), k, false)
	k.AddFan(sim.Fan{Name: "x", Under: "platform/two=platform"})
	for _, want := range []string{"x/pwm1 x@two/pwm1", "x@two/pwm1"} {
		b.Rescan()
		if got := b.IDs(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if want == "x/pwm1 x@two/pwm1" {
			k.Unplug(first)
		}
	}
	b.Expect("Get", `{"fan":"x/pwm1"}`, gone("x/pwm1"))
	k.Plug(first)
	b.Rescan()
	if got, want := b.IDs(), "x@one/pwm1 x@two/pwm1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestBrokenDevice: one that cannot be read does not keep the others from being there. It may be the hwmon device of a fan that is a cooling device, too, so that gets no name meanwhile.
func TestBrokenDevice(t *testing.T) {
	k := &simtest.Unreadable{Kernel: bench(), Suffix: "hwmon1/name"}
	b := simtest.Open(t, Driver(), k, false)
	if got, want := b.IDs(), "aspeed_pwm_tacho/pwm1 nct6775/pwm1 nct6775/pwm2 pwmfan/pwm1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for range 2 {
		if !b.Class.Rescan() {
			t.Error("it does not want to look again")
		}
	}
	if n := strings.Count(b.Log.String(), "place=/sys/class/hwmon/hwmon1"); n != 1 {
		t.Errorf("it is said %d times, want once: %s", n, b.Log.String())
	}
	k.Suffix = ""
	b.Rescan()
	if got, want := b.IDs(), "Fan aspeed_pwm_tacho/pwm1 gpio_fan/pwm1 nct6775/pwm1 nct6775/pwm2 pwmfan/pwm1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
