package backlight

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
)

var panel = simtest.Entry{Table: "backlight", ID: "panel", Keys: `{"name":"backlight-0"}`}

const sys = "/sys/class/backlight/"

func TestNames(t *testing.T) {
	b := simtest.Open(t, Driver(), bench(), false, panel)
	var got []string
	for i := range b.Class.Devices.Len() {
		d := b.Class.Devices.At(i)
		got = append(got, d.ID()+" on "+d.Bus())
	}
	if got, want := strings.Join(got, ", "), "10-0045 on i2c-1, keypad on keypad, panel on backlight-0"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestCalls(t *testing.T) {
	const before = `{"brightness":40,"maxBrightness":255,"permille":157,"actualBrightness":40,"on":true}`
	for _, c := range []struct{ name, method, in, want, get string }{
		{"brightness", "Set", `"brightness":128`, `{}`, `{"brightness":128,"maxBrightness":255,"permille":502,"actualBrightness":128,"on":true}`},
		{"the greatest", "Set", `"brightness":255`, `{}`, `{"brightness":255,"maxBrightness":255,"permille":1000,"actualBrightness":255,"on":true}`},
		{"none", "Set", `"brightness":0`, `{}`, `{"brightness":0,"maxBrightness":255,"permille":0,"actualBrightness":0,"on":true}`},
		{"permille", "Set", `"permille":500`, `{}`, `{"brightness":128,"maxBrightness":255,"permille":502,"actualBrightness":128,"on":true}`},
		{"a permille of less than a step", "Set", `"permille":1`, `{}`, `{"brightness":1,"maxBrightness":255,"permille":4,"actualBrightness":1,"on":true}`},
		{"0 permille", "Set", `"permille":0`, `{}`, `{"brightness":0,"maxBrightness":255,"permille":0,"actualBrightness":0,"on":true}`},
		{"all", "Set", `"permille":1000`, `{}`, `{"brightness":255,"maxBrightness":255,"permille":1000,"actualBrightness":255,"on":true}`},
		{"too bright", "Set", `"brightness":256`, `OutOfRange{"parameter":"brightness","minimum":0,"maximum":255}`, before},
		{"below zero", "Set", `"brightness":-1`, `InvalidParameter{"parameter":"brightness"}`, before},
		{"more than the whole", "Set", `"permille":1001`, `InvalidParameter{"parameter":"permille"}`, before},
		{"both", "Set", `"brightness":1,"permille":1`, `InvalidParameter{"parameter":"permille"}`, before},
		{"neither", "Set", `"brightness":null`, `InvalidParameter{"parameter":"brightness"}`, before},
		{"off", "SetPower", `"on":false`, `{}`, `{"brightness":40,"maxBrightness":255,"permille":157,"actualBrightness":40,"on":false}`},
		{"on", "SetPower", `"on":true`, `{}`, before},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := simtest.Open(t, Driver(), bench(), false, panel)
			b.Expect(c.method, `{"backlight":"panel",`+c.in+`}`, c.want)
			b.Expect("Get", `{"backlight":"panel"}`, c.get)
		})
	}
}

// TestPower: the kernel counts how blank it is to be, and whatever is not 0 is off.
func TestPower(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false)
	b.Expect("Set", `{"backlight":"10-0045","brightness":9}`, `{}`)
	for _, c := range []struct{ name, set, power, get string }{
		{"off", `false`, "4", `{"brightness":9,"maxBrightness":31,"permille":290,"actualBrightness":0,"on":false}`},
		{"on", `true`, "0", `{"brightness":9,"maxBrightness":31,"permille":290,"actualBrightness":9,"on":true}`},
	} {
		b.Expect("SetPower", `{"backlight":"10-0045","on":`+c.set+`}`, `{}`)
		if got := simtest.Cat(t, k, sys+"10-0045/bl_power"); got != c.power {
			t.Errorf("%s: bl_power is %s, want %s", c.name, got, c.power)
		}
		b.Expect("Get", `{"backlight":"10-0045"}`, c.get)
	}
	simtest.Echo(t, k, sys+"10-0045/bl_power", "1")
	b.Expect("Get", `{"backlight":"10-0045"}`, `{"brightness":9,"maxBrightness":31,"permille":290,"actualBrightness":0,"on":false}`)
}

// TestOneStep: what is only on or off is on for any permille but 0.
func TestOneStep(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false)
	for _, c := range []struct{ permille, want string }{{"0", "0"}, {"1", "1"}, {"400", "1"}, {"1000", "1"}} {
		b.Expect("Set", `{"backlight":"keypad","permille":`+c.permille+`}`, `{}`)
		if got := simtest.Cat(t, k, sys+"keypad/brightness"); got != c.want {
			t.Errorf("%s permille: got %s, want %s", c.permille, got, c.want)
		}
	}
}

// TestDriverFails: the caller is told, and Get what the kernel says.
func TestDriverFails(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false, panel)
	w := b.Watch("Watch", `{"backlights":["panel"]}`)
	w.Events()
	k.FailBacklight("backlight-0", unix.ETIMEDOUT)
	b.Expect("Set", `{"backlight":"panel","brightness":5}`, `Timeout{"class":"Backlight","device":"panel"}`)
	b.Expect("SetPower", `{"backlight":"panel","on":false}`, `Timeout{"class":"Backlight","device":"panel"}`)
	b.Expect("Get", `{"backlight":"panel"}`, `{"brightness":5,"maxBrightness":255,"permille":20,"actualBrightness":5,"on":true}`)
	w.Expect(`{"backlight":"panel","brightness":5,"actualBrightness":5,"on":true}`)
}

func TestWatch(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false, panel)
	b.Loop.Inline = true // two workers have no order between them
	w := b.Watch("Watch", `{"backlights":["panel","10-0045"]}`)
	w.Expect(`{"backlight":"panel","brightness":40,"actualBrightness":40,"on":true}`, `{"backlight":"10-0045","brightness":0,"actualBrightness":0,"on":true}`)
	b.Call("Set", `{"backlight":"panel","brightness":5}`)
	w.Expect(`{"backlight":"panel","brightness":5,"actualBrightness":5,"on":true}`)
	b.Call("Set", `{"backlight":"panel","brightness":5}`)
	w.Expect()
	b.Call("SetPower", `{"backlight":"10-0045","on":false}`)
	w.Expect(`{"backlight":"10-0045","brightness":0,"actualBrightness":0,"on":false}`)
	k.SetBacklight("backlight-0", 77)
	w.Expect()
	b.Class.Changed("keypad")
	b.Class.Changed("nobody")
	b.Loop.Advance(1)
	w.Expect()
	b.Class.Changed("backlight-0")
	b.Loop.Advance(1)
	w.Expect(`{"backlight":"panel","brightness":77,"actualBrightness":77,"on":true}`)
	simtest.Echo(t, k, sys+"backlight-0/bl_power", "4")
	b.Loop.Advance(period)
	w.Expect(`{"backlight":"panel","brightness":77,"actualBrightness":77,"on":false}`)
	w.Stop()
	b.Call("Set", `{"backlight":"panel","brightness":1}`)
	b.Class.Changed("backlight-0")
	b.Loop.Advance(period)
	w.Expect()
	if n := b.Loop.Timers(); n != 0 {
		t.Errorf("%d timers run with nobody watching", n)
	}
}

func TestStart(t *testing.T) {
	for _, c := range []struct {
		name, keys string
		first      bool
		want       string
	}{
		{"left alone", ``, true, "40"},
		{"initial", `,"initial":7,"safe":1`, true, "7"},
		{"safe at a restart", `,"initial":7,"safe":1`, false, "1"},
		{"safe", `,"safe":0`, true, "0"},
		{"initial is not for a restart", `,"initial":7`, false, "40"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := bench()
			simtest.Echo(t, k, sys+"backlight-0/bl_power", "4")
			simtest.Open(t, Driver(), k, c.first, simtest.Entry{Table: "backlight", ID: "panel", Keys: `{"name":"backlight-0"` + c.keys + `}`})
			if got := simtest.Cat(t, k, sys+"backlight-0/brightness"); got != c.want {
				t.Errorf("brightness: got %s, want %s", got, c.want)
			}
			if got := simtest.Cat(t, k, sys+"backlight-0/bl_power"); got != "4" {
				t.Errorf("bl_power: got %s, want 4", got)
			}
		})
	}
}

// TestSafe: what SetPower switched off is on again where the safe value is light, and what others switched off stays off.
func TestSafe(t *testing.T) {
	for _, c := range []struct {
		name, safe  string
		prepare     func(*testing.T, *simtest.Bench, *sim.Kernel)
		light, left string
	}{
		{"on", "9", func(*testing.T, *simtest.Bench, *sim.Kernel) {}, "9", "0"},
		{"switched off", "9", func(_ *testing.T, b *simtest.Bench, _ *sim.Kernel) {
			b.Expect("SetPower", `{"backlight":"panel","on":false}`, `{}`)
		}, "9", "0"},
		{"switched off, to be dark", "0", func(_ *testing.T, b *simtest.Bench, _ *sim.Kernel) {
			b.Expect("SetPower", `{"backlight":"panel","on":false}`, `{}`)
		}, "0", "4"},
		{"switched off by others", "9", func(t *testing.T, _ *simtest.Bench, k *sim.Kernel) {
			simtest.Echo(t, k, sys+"backlight-0/bl_power", "4")
		}, "9", "4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := bench()
			b := simtest.Open(t, Driver(), k, false, simtest.Entry{Table: "backlight", ID: "panel", Keys: `{"name":"backlight-0","safe":` + c.safe + `}`})
			b.Expect("Set", `{"backlight":"panel","brightness":200}`, `{}`)
			c.prepare(t, b, k)
			all := b.Class.Safe()
			if len(all) != 1 || all[0].Device.ID() != "panel" {
				t.Fatalf("the safe outputs are %+v", all)
			}
			if err := all[0].Bring(); err != nil {
				t.Error(err)
			}
			if light, power := simtest.Cat(t, k, sys+"backlight-0/brightness"), simtest.Cat(t, k, sys+"backlight-0/bl_power"); light != c.light || power != c.left {
				t.Errorf("got brightness %s and bl_power %s, want %s and %s", light, power, c.light, c.left)
			}
		})
	}
}

// TestClaim: what becomes of a backlight when whoever claimed it lets it go, having made it dark meanwhile.
func TestClaim(t *testing.T) {
	for _, c := range []struct{ name, keys, light, power string }{
		{"nothing said", ``, "3", "4"},
		{"a safe value", `,"safe":9`, "9", "0"},
		{"hold", `,"safe":9,"on-release":"hold"`, "3", "4"},
		{"restore", `,"safe":9,"on-release":"restore"`, "200", "0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := bench()
			b := simtest.Open(t, Driver(), k, false, simtest.Entry{Table: "backlight", ID: "panel", Keys: `{"name":"backlight-0"` + c.keys + `}`})
			b.Expect("Set", `{"backlight":"panel","brightness":200}`, `{}`)
			d, _ := b.Class.Devices.(*hal.Set[*Backlight]).Find([]byte("panel"))
			release, err := d.Claim()
			if err != nil {
				t.Fatal(err)
			}
			b.Expect("Set", `{"backlight":"panel","brightness":3}`, `{}`)
			b.Expect("SetPower", `{"backlight":"panel","on":false}`, `{}`)
			if release != nil {
				if err := release(); err != nil {
					t.Error(err)
				}
			}
			if light, power := simtest.Cat(t, k, sys+"backlight-0/brightness"), simtest.Cat(t, k, sys+"backlight-0/bl_power"); light != c.light || power != c.power {
				t.Errorf("got brightness %s and bl_power %s, want %s and %s", light, power, c.light, c.power)
			}
		})
	}
}

func TestBoardErrors(t *testing.T) {
	for _, c := range []struct {
		name, want string
		entries    []string
	}{
		{"one twice", "board.toml:2: backlight.B: /sys/class/backlight/backlight-0 is backlight.A already, at board.toml:1", []string{`{"name":"backlight-0"}`, `{"name":"backlight-0"}`}},
		{"too bright", "board.toml:1: backlight.A: 256 is more than the backlight's greatest brightness, 255", []string{`{"name":"backlight-0","initial":256}`}},
		{"safe without a value", `board.toml:1: backlight.A: on-release = "safe" needs a value for safe`, []string{`{"name":"backlight-0","on-release":"safe"}`}},
		{"path", `board.toml:1: backlight.A: "../x" is no name of a device in /sys: '/' cannot stand in it`, []string{`{"name":"../x"}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			simtest.ExpectRefused(t, Driver(), bench(), c.want, simtest.Entries("backlight", c.entries...)...)
		})
	}
}

// What the devices say for board.toml names the same devices again, each by itself.
func TestDeclaration(t *testing.T) {
	simtest.ExpectDeclarations(t, Driver(), bench())
}
