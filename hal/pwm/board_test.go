package pwm

import (
	"errors"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
)

// TestStart: what a channel of board.toml becomes when Halberd starts, off or on as it was left.
func TestStart(t *testing.T) {
	running := sim.PWMState{Period: 500, Duty: 100, Enabled: true}
	off := sim.PWMState{Period: 500, Duty: 100}
	for _, c := range []struct {
		name, keys string
		boot       sim.PWMState
		first      bool
		want       sim.PWMState
	}{
		{"left alone", ``, running, true, running},
		{"a period for one without", `,"period-nsec":1000`, sim.PWMState{}, true, sim.PWMState{Period: 1000}},
		{"a period for one that is off", `,"period-nsec":50`, off, true, sim.PWMState{Period: 50, Duty: 50}},
		{"a polarity for one that is off", `,"period-nsec":500,"polarity":"inversed"`, off, true, sim.PWMState{Period: 500, Duty: 100, Inversed: true}},
		{"neither for one that is on", `,"period-nsec":1000,"polarity":"inversed"`, running, true, running},
		{"initial", `,"period-nsec":1000,"initial":900,"safe":0`, running, true, sim.PWMState{Period: 1000, Duty: 900, Enabled: true}},
		{"safe at a restart", `,"period-nsec":1000,"initial":900,"safe":0`, running, false, sim.PWMState{Period: 1000, Enabled: true}},
		{"initial is not for a restart", `,"period-nsec":1000,"initial":900`, running, false, running},
		{"initial, inversed", `,"period-nsec":1000,"initial":900,"polarity":"inversed"`, running, true, sim.PWMState{Period: 1000, Duty: 900, Inversed: true, Enabled: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := sim.New(sim.Options{Bare: true})
			k.AddPWMChip(sim.PWMChip{Under: "platform/soc.pwm=platform", Channels: 1, Boot: c.boot})
			b := simtest.Open(t, Driver(), k, c.first, simtest.Entry{Table: "pwm", ID: "x", Keys: `{"chip":"soc.pwm","channel":0` + c.keys + `}`})
			if got := k.PWM("pwmchip0", 0); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if s := b.Log.String(); s != "" {
				t.Errorf("it says %s", s)
			}
		})
	}
}

// TestStartOfATakenChannel: the class opens without it, says so, and takes it when it is free.
func TestStartOfATakenChannel(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false, simtest.Entry{Table: "pwm", ID: "x", Keys: `{"chip":"soc.pwm","channel":2,"period-nsec":5}`})
	if s := b.Log.String(); !strings.Contains(s, "channel=x") || !strings.Contains(s, "the device is busy") {
		t.Errorf("it says %q", s)
	}
	b.Expect("Set", `{"channel":"x","enabled":true}`, `Busy{"class":"Pwm","device":"x"}`)
}

func TestDeclared(t *testing.T) {
	k := sim.New(sim.Options{Bare: true})
	k.AddPWMChip(sim.PWMChip{Under: "platform/two=platform", Channels: 1})
	k.AddPWMChip(sim.PWMChip{Under: "platform/two=platform", Channels: 2})
	k.AddPWMChip(sim.PWMChip{Under: "platform/one=platform", Channels: 1})
	for _, c := range []struct{ name, chip, want string }{
		{"the parent's name", "one", "x"},
		{"the parent's path", "/sys/devices/platform/one", "x"},
		{"through a link", "/sys/class/pwm/pwmchip2/device", "x"},
		{"the chip's path", "/sys/devices/platform/two/pwm/pwmchip1", "one/0 x"},
		{"the chip's number", "pwmchip0", "one/0 x"},
		{"what is not there", "three", "one/0"},
		{"a path that is not there", "/sys/devices/platform/three", "one/0"},
	} {
		b := simtest.Open(t, Driver(), k, false, simtest.Entry{Table: "pwm", ID: "x", Keys: `{"chip":"` + c.chip + `","channel":0}`})
		if got := b.IDs(); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
		b.Close()
	}
}

func TestBoardErrors(t *testing.T) {
	for _, c := range []struct {
		name, want string
		entries    []string
	}{
		{"one channel twice", "board.toml:2: pwm.B: /sys/class/pwm/pwmchip0 0 is pwm.A already, at board.toml:1", []string{`{"chip":"soc.pwm","channel":0}`, `{"chip":"pwmchip0","channel":0}`}},
		{"no such channel", "board.toml:1: pwm.A: soc.pwm has no channel 3: there are 3, from 0", []string{`{"chip":"soc.pwm","channel":3}`}},
		{"which of two", "board.toml:1: pwm.A: it may be /sys/class/pwm/pwmchip0 0 or /sys/class/pwm/pwmchip2 0: say which", []string{`{"chip":"soc.pwm","channel":0}`}},
		{"initial without a period", "board.toml:1: pwm.A: initial and safe need a period-nsec", []string{`{"chip":"soc.pwm","channel":0,"initial":0}`}},
		{"too long", "board.toml:1: pwm.A: a duty of 11 ns is longer than the period, 10 ns", []string{`{"chip":"soc.pwm","channel":0,"period-nsec":10,"safe":11}`}},
		{"polarity without a period", "board.toml:1: pwm.A: polarity needs a period-nsec", []string{`{"chip":"soc.pwm","channel":0,"polarity":"inversed"}`}},
		{"safe without a value", `board.toml:1: pwm.A: on-release = "safe" needs a value for safe`, []string{`{"chip":"soc.pwm","channel":0,"on-release":"safe"}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := bench()
			if c.name == "which of two" {
				k.AddPWMChip(sim.PWMChip{Under: "platform/soc.pwm=platform", Channels: 3})
			}
			simtest.ExpectRefused(t, Driver(), k, c.want, simtest.Entries("pwm", c.entries...)...)
		})
	}
}

// What the devices say for board.toml names the same devices again, each by itself.
func TestDeclaration(t *testing.T) {
	simtest.ExpectDeclarations(t, Driver(), bench())
}

// memory is a hal.State.
type memory struct {
	text  []byte
	saves int
	err   error
}

func (m *memory) Load(string) ([]byte, error) { return m.text, m.err }

func (m *memory) Save(_ string, data []byte) error {
	m.saves++
	m.text = data
	return m.err
}

// TestExportsOutliveTheDaemon: what Halberd exported is its own when it starts again, and somebody else's is not. After the next boot nothing is known any more.
func TestExportsOutliveTheDaemon(t *testing.T) {
	k, m := bench(), &memory{}
	driver := Driver()
	driver.Open = func(env *hal.Env) (*hal.Class, error) {
		env.State = m
		return Open(env)
	}
	b := simtest.Open(t, driver, k, true)
	for range 2 {
		b.Expect("Set", `{"channel":"soc.pwm/0","periodNSec":100}`, `{}`)
	}
	if m.saves != 1 {
		t.Errorf("it was saved %d times, want once", m.saves)
	}
	b.Close()
	simtest.Echo(t, k, soc+"/export", "1")
	b = simtest.Open(t, driver, k, false)
	b.Expect("Set", `{"channel":"soc.pwm/0","dutyNSec":100}`, `{}`)
	b.Expect("Set", `{"channel":"soc.pwm/1","periodNSec":100}`, `Busy{"class":"Pwm","device":"soc.pwm/1"}`)
	b.Close()
	b = simtest.Open(t, driver, k, true)
	b.Expect("Set", `{"channel":"soc.pwm/0","dutyNSec":100}`, `Busy{"class":"Pwm","device":"soc.pwm/0"}`)
	if len(m.text) != 0 {
		t.Errorf("%q is left of the boot before", m.text)
	}
	b.Close()
	m.err = errors.New("no disk")
	b = simtest.Open(t, driver, k, false)
	b.Expect("Set", `{"channel":"1-0040/0","periodNSec":100}`, `{}`)
	if s := b.Log.String(); strings.Count(s, "no disk") != 2 {
		t.Errorf("it says %s", s)
	}
}

// TestClaim: what becomes of a channel when whoever claimed it lets it go, having changed all of it meanwhile.
func TestClaim(t *testing.T) {
	running := sim.PWMState{Period: 500, Duty: 100, Enabled: true, Inversed: true}
	changed := sim.PWMState{Period: 50, Duty: 5, Enabled: true}
	for _, c := range []struct {
		name, keys string
		boot, want sim.PWMState
	}{
		{"not declared", ``, running, changed},
		{"declared", `{"chip":"soc.pwm","channel":0}`, running, changed},
		{"a safe duty", `{"chip":"soc.pwm","channel":0,"period-nsec":1000,"safe":10,"polarity":"inversed"}`, running, sim.PWMState{Period: 1000, Duty: 10, Enabled: true, Inversed: true}},
		{"hold", `{"chip":"soc.pwm","channel":0,"period-nsec":1000,"safe":10,"on-release":"hold"}`, running, changed},
		{"restore", `{"chip":"soc.pwm","channel":0,"on-release":"restore"}`, running, running},
		{"restore what had no period", `{"chip":"soc.pwm","channel":0,"on-release":"restore"}`, sim.PWMState{}, sim.PWMState{Period: 50, Duty: 5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := sim.New(sim.Options{Bare: true})
			k.AddPWMChip(sim.PWMChip{Under: "platform/soc.pwm=platform", Channels: 1, Boot: c.boot})
			id, entries := "soc.pwm/0", []simtest.Entry(nil)
			if c.keys != "" {
				id, entries = "x", []simtest.Entry{{Table: "pwm", ID: "x", Keys: c.keys}}
			}
			b := simtest.Open(t, Driver(), k, false, entries...)
			d, _ := b.Class.Devices.(*hal.Set[*Channel]).Find([]byte(id))
			release, err := d.Claim()
			if err != nil {
				t.Fatal(err)
			}
			if err := d.bring(changed); err != nil {
				t.Fatal(err)
			}
			if release != nil {
				if err := release(); err != nil {
					t.Error(err)
				}
			}
			if got := k.PWM("pwmchip0", 0); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}
