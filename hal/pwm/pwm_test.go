package pwm

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
)

var fan0 = simtest.Entry{Table: "pwm", ID: "fan0", Keys: `{"chip":"soc.pwm","channel":0}`}

const soc = "/sys/class/pwm/pwmchip0"

func TestNames(t *testing.T) {
	b := simtest.Open(t, Driver(), bench(), false, fan0)
	var got []string
	for i := range b.Class.Devices.Len() {
		d := b.Class.Devices.At(i)
		got = append(got, d.ID()+" on "+d.Bus())
	}
	want := "1-0040/0 on i2c-1, 1-0040/1 on i2c-1, 1-0040/2 on i2c-1, 1-0040/3 on i2c-1, fan0 on pwmchip0, soc.pwm/1 on pwmchip0, soc.pwm/2 on pwmchip0"
	if got := strings.Join(got, ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestCalls(t *testing.T) {
	const before = `{"periodNSec":1000,"dutyNSec":400,"polarity":"normal","enabled":true}`
	for _, c := range []struct{ name, method, in, want, get string }{
		{"the duty", "Set", `"dutyNSec":1000`, `{}`, `{"periodNSec":1000,"dutyNSec":1000,"polarity":"normal","enabled":true}`},
		{"no duty", "Set", `"dutyNSec":0`, `{}`, `{"periodNSec":1000,"dutyNSec":0,"polarity":"normal","enabled":true}`},
		{"a shorter period", "Set", `"periodNSec":500`, `{}`, `{"periodNSec":500,"dutyNSec":400,"polarity":"normal","enabled":true}`},
		{"both", "Set", `"periodNSec":300,"dutyNSec":300`, `{}`, `{"periodNSec":300,"dutyNSec":300,"polarity":"normal","enabled":true}`},
		{"off", "Set", `"enabled":false`, `{}`, `{"periodNSec":1000,"dutyNSec":400,"polarity":"normal","enabled":false}`},
		{"all", "Set", `"periodNSec":7,"dutyNSec":3,"enabled":false`, `{}`, `{"periodNSec":7,"dutyNSec":3,"polarity":"normal","enabled":false}`},
		{"times of more than 32 bits", "Set", `"periodNSec":5000000000,"dutyNSec":4999999999`, `{}`, `{"periodNSec":5000000000,"dutyNSec":4999999999,"polarity":"normal","enabled":true}`},
		{"a duty longer than the period", "Set", `"dutyNSec":1001`, `OutOfRange{"parameter":"dutyNSec","minimum":0,"maximum":1000}`, before},
		{"a duty longer than the new period", "Set", `"periodNSec":500,"dutyNSec":501`, `OutOfRange{"parameter":"dutyNSec","minimum":0,"maximum":500}`, before},
		{"a period shorter than the duty", "Set", `"periodNSec":399`, `OutOfRange{"parameter":"periodNSec","minimum":400,"maximum":9223372036854775807}`, before},
		{"no period", "Set", `"periodNSec":0`, `InvalidParameter{"parameter":"periodNSec"}`, before},
		{"less than no duty", "Set", `"dutyNSec":-1`, `InvalidParameter{"parameter":"dutyNSec"}`, before},
		{"nothing", "Set", ``, `InvalidParameter{"parameter":"parameters"}`, before},
		{"polarity", "SetPolarity", `"polarity":"inversed"`, `{}`, `{"periodNSec":1000,"dutyNSec":400,"polarity":"inversed","enabled":true}`},
		{"the same polarity", "SetPolarity", `"polarity":"normal"`, `{}`, before},
		{"no polarity", "SetPolarity", `"polarity":"upside_down"`, `InvalidParameter{"parameter":"polarity"}`, before},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := simtest.Open(t, Driver(), bench(), false, fan0)
			b.Expect("Set", `{"channel":"fan0","periodNSec":1000,"dutyNSec":400,"enabled":true}`, `{}`)
			in := `{"channel":"fan0",` + c.in + `}`
			b.Expect(c.method, strings.Replace(in, ",}", "}", 1), c.want)
			b.Expect("Get", `{"channel":"fan0"}`, c.get)
		})
	}
}

// TestWithoutAPeriod: the kernel refuses everything until there is one.
func TestWithoutAPeriod(t *testing.T) {
	b := simtest.Open(t, Driver(), bench(), false, fan0)
	for _, c := range []struct{ name, method, in, want string }{
		{"read", "Get", ``, `{"periodNSec":0,"dutyNSec":0,"polarity":"normal","enabled":false}`},
		{"off is off", "Set", `,"enabled":false`, `{}`},
		{"on", "Set", `,"enabled":true`, `OutOfRange{"parameter":"periodNSec","minimum":1,"maximum":9223372036854775807}`},
		{"a duty", "Set", `,"dutyNSec":1`, `OutOfRange{"parameter":"dutyNSec","minimum":0,"maximum":0}`},
		{"on with a duty", "Set", `,"dutyNSec":1,"enabled":true`, `OutOfRange{"parameter":"periodNSec","minimum":1,"maximum":9223372036854775807}`},
		{"turned around", "SetPolarity", `,"polarity":"inversed"`, `NotSupported{"feature":"period"}`},
		{"normal is normal", "SetPolarity", `,"polarity":"normal"`, `{}`},
		{"a period", "Set", `,"periodNSec":9`, `{}`},
	} {
		b.Expect(c.method, `{"channel":"fan0"`+c.in+`}`, c.want)
	}
}

// share is for how much of its time a channel is active.
func share(s sim.PWMState) float64 {
	if !s.Enabled {
		return 0
	}
	return float64(s.Duty) / float64(s.Period)
}

// states are all settings of a channel with times up to 3 ns.
func states() (all []sim.PWMState) {
	for period := range uint64(3) {
		for duty := range period + 2 {
			for i := range 4 {
				all = append(all, sim.PWMState{Period: period + 1, Duty: duty, Enabled: i&1 != 0, Inversed: i&2 != 0})
			}
		}
	}
	return all
}

// TestOrder: from every setting to every other one, the kernel takes each step, no step is made twice, the signal is never active for longer than before or afterwards, and it turns around only while it is off.
func TestOrder(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false, fan0)
	d, _ := b.Class.Devices.(*hal.Set[*Channel]).Find([]byte("fan0"))
	for _, from := range states() {
		for _, to := range states() {
			before := k.PWM("pwmchip0", 0)
			if err := d.bring(from); err != nil {
				t.Fatalf("%+v to %+v: %v", before, from, err)
			}
			k.PWMApplied("pwmchip0", 0)
			if err := d.bring(to); err != nil {
				t.Fatalf("%+v to %+v: %v", from, to, err)
			}
			steps := k.PWMApplied("pwmchip0", 0)
			if got := k.PWM("pwmchip0", 0); got != to {
				t.Fatalf("%+v to %+v: got %+v", from, to, got)
			}
			last := from
			for _, s := range steps {
				if share(s) > max(share(from), share(to)) {
					t.Errorf("%+v to %+v: %+v is active for longer", from, to, steps)
				}
				if s.Inversed != last.Inversed && (s.Enabled || last.Enabled) {
					t.Errorf("%+v to %+v: it turns around while it is on: %+v", from, to, steps)
				}
				last = s
			}
			if most := differences(from, to); len(steps) > most {
				t.Errorf("%+v to %+v: %d steps, want %d at most: %+v", from, to, len(steps), most, steps)
			}
		}
	}
}

func differences(from, to sim.PWMState) (n int) {
	for _, differ := range []bool{from.Period != to.Period, from.Duty != to.Duty, from.Enabled != to.Enabled, from.Inversed != to.Inversed} {
		if differ {
			n++
		}
	}
	if from.Inversed != to.Inversed && from.Enabled && to.Enabled {
		n += 2
	}
	return n
}

// bring sets a channel.
func (c *Channel) bring(s sim.PWMState) error {
	next := state{int64(s.Period), int64(s.Duty), normal, s.Enabled}
	if s.Inversed {
		next.polarity = inversed
	}
	return c.guard.Do(func() error { return c.change(func(state) (state, error) { return next, nil }) })
}

// TestHalfWay: a step that the driver refuses leaves what the documentation says.
func TestHalfWay(t *testing.T) {
	for _, c := range []struct {
		name, method, in, want string
		refuses                func(before, after sim.PWMState) error
		left                   sim.PWMState
	}{
		{"the duty after a longer period", "Set", `"periodNSec":2000,"dutyNSec":1500`, `System{"origin":"linux","errno":22,"errnoName":"EINVAL"}`,
			func(_, after sim.PWMState) error { return failIf(after.Duty == 1500, unix.EINVAL) }, sim.PWMState{Period: 2000, Duty: 400, Enabled: true}},
		{"the period after its duty", "Set", `"periodNSec":300,"dutyNSec":100`, `System{"origin":"linux","errno":34,"errnoName":"ERANGE"}`,
			func(_, after sim.PWMState) error { return failIf(after.Period == 300, unix.ERANGE) }, sim.PWMState{Period: 1000, Duty: 100, Enabled: true}},
		{"switched off first", "Set", `"periodNSec":300,"dutyNSec":100,"enabled":false`, `System{"origin":"linux","errno":5,"errnoName":"EIO"}`,
			func(_, after sim.PWMState) error { return failIf(after.Duty == 100, unix.EIO) }, sim.PWMState{Period: 1000, Duty: 400}},
		{"a polarity that the chip does not have", "SetPolarity", `"polarity":"inversed"`, `NotSupported{"feature":"inversed"}`,
			func(_, after sim.PWMState) error { return failIf(after.Inversed, unix.EINVAL) }, sim.PWMState{Period: 1000, Duty: 400, Enabled: true}},
		{"a polarity that the driver does not know", "SetPolarity", `"polarity":"inversed"`, `NotSupported{"feature":"inversed"}`,
			func(_, after sim.PWMState) error { return failIf(after.Inversed, enotsupp) }, sim.PWMState{Period: 1000, Duty: 400, Enabled: true}},
		{"a polarity that fails", "SetPolarity", `"polarity":"inversed"`, `System{"origin":"linux","errno":5,"errnoName":"EIO"}`,
			func(_, after sim.PWMState) error { return failIf(after.Inversed, unix.EIO) }, sim.PWMState{Period: 1000, Duty: 400, Enabled: true}},
		{"on again after turning around", "SetPolarity", `"polarity":"inversed"`, `Timeout{"class":"Pwm","device":"fan0"}`,
			func(_, after sim.PWMState) error { return failIf(after.Inversed && after.Enabled, unix.ETIMEDOUT) }, sim.PWMState{Period: 1000, Duty: 400, Inversed: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := sim.New(sim.Options{Bare: true})
			k.AddPWMChip(sim.PWMChip{Under: "platform/soc.pwm=platform", Channels: 1, Refuses: c.refuses})
			b := simtest.Open(t, Driver(), k, false, fan0)
			b.Expect("Set", `{"channel":"fan0","periodNSec":1000,"dutyNSec":400,"enabled":true}`, `{}`)
			b.Expect(c.method, `{"channel":"fan0",`+c.in+`}`, c.want)
			if got := k.PWM("pwmchip0", 0); got != c.left {
				t.Errorf("got %+v, want %+v", got, c.left)
			}
		})
	}
}

func failIf(fails bool, err error) error {
	if fails {
		return err
	}
	return nil
}

// TestWhoseChannel: what a driver uses, or somebody else exported, is read where that can be, and never set.
func TestWhoseChannel(t *testing.T) {
	const other = `{"channel":"soc.pwm/1"}`
	const set = `{"channel":"soc.pwm/1","periodNSec":100,"dutyNSec":50,"enabled":true}`
	k := bench()
	b := simtest.Open(t, Driver(), k, false, fan0)
	b.Expect("Set", `{"channel":"soc.pwm/2","periodNSec":1}`, `Busy{"class":"Pwm","device":"soc.pwm/2"}`)
	b.Expect("Get", `{"channel":"soc.pwm/2"}`, `NotSupported{"feature":"export"}`)
	b.Expect("Get", other, `NotSupported{"feature":"export"}`)
	held := k.Opened()
	simtest.Echo(t, k, soc+"/export", "1\n")
	simtest.Echo(t, k, soc+"/pwm1/period", "7")
	b.Expect("Set", set, `Busy{"class":"Pwm","device":"soc.pwm/1"}`)
	b.Expect("SetPolarity", `{"channel":"soc.pwm/1","polarity":"inversed"}`, `Busy{"class":"Pwm","device":"soc.pwm/1"}`)
	b.Expect("Get", other, `{"periodNSec":7,"dutyNSec":0,"polarity":"normal","enabled":false}`)
	if n := k.Opened(); n != held {
		t.Errorf("%d descriptors of what is not ours are kept", n-held)
	}
	simtest.Echo(t, k, soc+"/unexport", "1\n")
	b.Expect("Set", set, `{}`)
	b.Expect("Get", other, `{"periodNSec":100,"dutyNSec":50,"polarity":"normal","enabled":true}`)
	simtest.Echo(t, k, soc+"/unexport", "1\n")
	b.Expect("Get", other, `DeviceGone{"class":"Pwm","device":"soc.pwm/1"}`)
	b.Expect("Get", other, `NotSupported{"feature":"export"}`)
	b.Expect("Set", `{"channel":"soc.pwm/1","dutyNSec":60}`, `{}`)
	b.Expect("Get", other, `{"periodNSec":100,"dutyNSec":60,"polarity":"normal","enabled":true}`)
}

// TestExportedWhenUsed: looking exports nothing, and what is declared is exported at once, and stays so.
func TestExportedWhenUsed(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false, fan0)
	exported := func() (all []string) {
		names, err := k.ReadDir(soc)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasPrefix(name, "pwm") {
				all = append(all, name)
			}
		}
		return all
	}
	b.Call("Get", `{"channel":"soc.pwm/1"}`)
	if got := fmt.Sprint(exported()); got != "[pwm0]" {
		t.Errorf("at the start: got %s, want [pwm0]", got)
	}
	b.Expect("Set", `{"channel":"soc.pwm/1","periodNSec":10}`, `{}`)
	b.Close()
	if got := fmt.Sprint(exported()); got != "[pwm0 pwm1]" || k.Opened() != 0 {
		t.Errorf("afterwards: got %s and %d descriptors, want [pwm0 pwm1] and 0", got, k.Opened())
	}
}

func TestSafe(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, true, simtest.Entry{Table: "pwm", ID: "fan0", Keys: `{"chip":"soc.pwm","channel":0,"period-nsec":1000,"initial":0,"safe":700}`}, simtest.Entry{Table: "pwm", ID: "x", Keys: `{"chip":"soc.pwm","channel":1}`})
	b.Expect("Set", `{"channel":"fan0","periodNSec":50,"dutyNSec":1,"enabled":false}`, `{}`)
	b.Expect("SetPolarity", `{"channel":"fan0","polarity":"inversed"}`, `{}`)
	all := b.Class.Safe()
	if len(all) != 1 || all[0].Device.ID() != "fan0" || all[0].Value != 700 {
		t.Fatalf("the safe outputs are %+v", all)
	}
	if err := all[0].Bring(); err != nil {
		t.Fatal(err)
	}
	if got, want := k.PWM("pwmchip0", 0), (sim.PWMState{Period: 1000, Duty: 700, Enabled: true}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	k.Unplug("pwmchip0")
	if got, want := simtest.Text(all[0].Bring()), `DeviceGone{"class":"Pwm","device":"fan0"}`; got != want {
		t.Errorf("unplugged: got %s, want %s", got, want)
	}
}
