package gpio

import (
	"strings"
	"testing"
	"time"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
)

// pulsing is a call of Pulse that was begun.
type pulsing struct {
	b        *simtest.Bench
	answered int
	err      error
}

// begin begins a pulse, and does what is to be done at once.
func begin(b *simtest.Bench, in string) *pulsing {
	b.Helper()
	permitted, _, err := b.Permit("Pulse", in)
	if err != nil {
		b.Fatal(err)
	}
	p := &pulsing{b: b}
	permitted.Start(b.Holder(), func(err error) { p.answered++; p.err = err })
	if p.answered > 0 {
		b.Error("it is answered before it began")
	}
	b.Loop.Turn()
	return p
}

// expect compares the answer, "" for none yet.
func (p *pulsing) expect(when, want string) {
	p.b.Helper()
	got := ""
	if p.answered > 0 {
		got = "{}"
	}
	if p.err != nil {
		got = simtest.Text(p.err)
	}
	if got != want || p.answered > 1 {
		p.b.Errorf("%s: answered %d times, %s; want %s", when, p.answered, got, want)
	}
}

// TestPulse: the line is at the value for just that time, and then at the other one, and is free again.
func TestPulse(t *testing.T) {
	for _, c := range []struct {
		name, in              string
		before, during, after string // levels; b is active-low, and at logical 1
		duration              time.Duration
	}{
		{"up", `{"line":"a","value":1,"durationUSec":1500}`, "000", "100", "000", 1500 * time.Microsecond},
		{"down", `{"line":"b","value":0,"durationUSec":1}`, "000", "010", "000", time.Microsecond},
		{"up where it was up", `{"line":"b","value":1,"durationUSec":10000000}`, "000", "000", "010", 10 * time.Second},
		{"alone", `{"line":"c","value":1,"durationUSec":20}`, "000", "001", "000", 20 * time.Microsecond},
	} {
		everyValve(t, func(t *testing.T, chip string, k *sim.Kernel) {
			b := simtest.Open(t, Driver(), k, true, valves(chip)...)
			p := begin(b, c.in)
			for _, step := range []struct {
				when         string
				wait         time.Duration
				levels, want string
			}{
				{"at once", 0, c.during, ""},
				{"just before the end", c.duration - 1, c.during, ""},
				{"at the end", 1, c.after, "{}"},
				{"long after", time.Minute, c.after, "{}"},
			} {
				b.Loop.Advance(step.wait)
				p.expect(c.name+" "+step.when, step.want)
				if got := levels(k, chip); got != step.levels {
					t.Errorf("%s, %s: the levels are %s, want %s", c.name, step.when, got, step.levels)
				}
			}
			b.Expect("SetMany", `{"values":{"a":1,"b":1,"c":1}}`, `{}`)
			if n := b.Loop.Timers(); n != 0 {
				t.Errorf("%d timers are left", n)
			}
		})
	}
}

func TestPulseRefused(t *testing.T) {
	b := simtest.Open(t, Driver(), bench(), true, declare("pump", pump+`}`), declare("b", button+`}`))
	for _, c := range []struct{ in, want string }{
		{`{"line":"b","value":1,"durationUSec":5}`, `NotSupported{"feature":"output"}`},
		{`{"line":"LAMP","value":1,"durationUSec":5}`, `NotSupported{"feature":"output"}`},
		{`{"line":"pump","value":2,"durationUSec":5}`, `InvalidParameter{"parameter":"value"}`},
		{`{"line":"pump","value":1,"durationUSec":0}`, `InvalidParameter{"parameter":"durationUSec"}`},
		{`{"line":"pump","value":1,"durationUSec":10000001}`, `InvalidParameter{"parameter":"durationUSec"}`},
		{`{"line":"pump","value":1}`, `InvalidParameter{"parameter":"durationUSec"}`},
	} {
		b.Expect("Pulse", c.in, c.want)
	}
}

// TestPulseMakesBusy: nothing else changes the line meanwhile; it is read and watched, and the others of its group are free.
func TestPulseMakesBusy(t *testing.T) {
	everyValve(t, func(t *testing.T, chip string, k *sim.Kernel) {
		b := simtest.Open(t, Driver(), k, true, valves(chip)...)
		w := b.Watch("Watch", `{"lines":["a"]}`)
		w.Events()
		p := begin(b, `{"line":"a","value":1,"durationUSec":1000}`)
		busy := `Busy{"class":"Gpio","device":"a","holder":"pulse"}`
		b.Expect("Set", `{"line":"a","value":0}`, busy)
		b.Expect("Toggle", `{"line":"a"}`, busy)
		b.Expect("Configure", `{"line":"a","activeLow":true}`, busy)
		b.Expect("SetMany", `{"values":{"c":1,"a":0}}`, busy)
		second := begin(b, `{"line":"a","value":0,"durationUSec":1}`)
		second.expect("another pulse", busy)
		b.Expect("Get", `{"line":"a"}`, `{"value":1}`)
		b.Expect("GetMany", `{"lines":["a","c"]}`, `{"values":{"a":1,"c":0}}`)
		b.Expect("Set", `{"line":"b","value":0}`, `{}`)
		third := begin(b, `{"line":"c","value":1,"durationUSec":2000}`)
		b.Loop.Advance(time.Millisecond)
		p.expect("at its end", "{}")
		b.Expect("Set", `{"line":"a","value":1}`, `{}`)
		w.Expect(`{"line":"a","value":1}`, `{"line":"a","value":0}`, `{"line":"a","value":1}`)
		third.expect("before its end", "")
		b.Loop.Advance(time.Millisecond)
		third.expect("at its end", "{}")
	})
}

// TestPulseGoesOnWithoutItsCaller: a connection that ends does not end it before its time, nor leave it.
func TestPulseGoesOnWithoutItsCaller(t *testing.T) {
	k := valveChips()
	b := simtest.Open(t, Driver(), k, true, valves("near")...)
	begin(b, `{"line":"a","value":1,"durationUSec":1000}`)
	b.Hangup()
	if k.Value("near/0") != 1 {
		t.Error("it ended with its caller")
	}
	b.Loop.Advance(time.Millisecond)
	if k.Value("near/0") != 0 {
		t.Error("it did not end")
	}
}

// TestSafeCutsPulse: the safe value stays, though the pulse would have ended at another one.
func TestSafeCutsPulse(t *testing.T) {
	everyValve(t, func(t *testing.T, chip string, k *sim.Kernel) {
		b := simtest.Open(t, Driver(), k, true, valves(chip)...)
		p := begin(b, `{"line":"a","value":0,"durationUSec":1000}`)
		for _, o := range b.Class.Safe() {
			if err := o.Bring(); err != nil {
				t.Fatal(err)
			}
		}
		b.Loop.Turn()
		p.expect("at once", `System{"origin":"linux","errno":125,"errnoName":"ECANCELED"}`)
		b.Loop.Advance(time.Second)
		p.expect("later", `System{"origin":"linux","errno":125,"errnoName":"ECANCELED"}`)
		if got := levels(k, chip)[:1]; got != "0" {
			t.Errorf("the level is %s, want the safe one", got)
		}
		b.Expect("Set", `{"line":"a","value":1}`, `{}`)
		if n := b.Loop.Timers(); n != 0 {
			t.Errorf("%d timers are left", n)
		}
	})
}

// TestPulseEndsWithTheClass: a daemon that is stopped does not leave it, of any line of a group.
func TestPulseEndsWithTheClass(t *testing.T) {
	everyValve(t, func(t *testing.T, chip string, k *sim.Kernel) {
		b := simtest.Open(t, Driver(), k, true, valves(chip)...)
		p, q, r := begin(b, `{"line":"a","value":1,"durationUSec":1000000}`), begin(b, `{"line":"b","value":0,"durationUSec":1000000}`), begin(b, `{"line":"c","value":1,"durationUSec":1000000}`)
		if got := levels(k, chip); got != "111" {
			t.Errorf("during the pulses the levels are %s, want 111", got)
		}
		b.Close()
		b.Loop.Turn()
		if got := levels(k, chip); got != "000" {
			t.Errorf("the levels are %s, want 000", got)
		}
		for id, p := range map[string]*pulsing{"a": p, "b": q, "c": r} {
			p.expect(id, gone(id))
		}
		if n := b.Loop.Timers() + k.Opened(); n != 0 {
			t.Errorf("%d timers and descriptors are left", n)
		}
	})
}

// TestUnplugEndsPulse: the caller learns of it at once.
func TestUnplugEndsPulse(t *testing.T) {
	everyValve(t, func(t *testing.T, chip string, k *sim.Kernel) {
		b := simtest.Open(t, Driver(), k, true, valves(chip)...)
		p := begin(b, `{"line":"a","value":1,"durationUSec":1000000}`)
		k.Unplug(map[string]string{"near": "gpiochip0", "far": "gpiochip1"}[chip])
		b.Rescan()
		p.expect("unplugged", gone("a"))
		if n := b.Loop.Timers(); n != 0 {
			t.Errorf("%d timers are left", n)
		}
	})
}

// TestPulseEndIsTriedAgain: an end that cannot be written, or for which a worker has no time, comes as soon as it can.
func TestPulseEndIsTriedAgain(t *testing.T) {
	everyValve(t, func(t *testing.T, chip string, sim *sim.Kernel) {
		k := &setter{Kernel: sim}
		b := simtest.Open(t, Driver(), k, true, valves(chip)...)
		p := begin(b, `{"line":"a","value":1,"durationUSec":1000}`)
		k.fail, k.all = 1, true
		b.Loop.Full = chip == "far"
		b.Loop.Advance(time.Second)
		p.expect("it cannot be written", "")
		b.Expect("Set", `{"line":"a","value":1}`, `Busy{"class":"Gpio","device":"a","holder":"pulse"}`)
		k.fail, b.Loop.Full = 0, false
		b.Loop.Advance(again)
		p.expect("it can", "{}")
		if got := levels(sim, chip)[:1]; got != "0" {
			t.Errorf("the level is %s, want 0", got)
		}
		p = begin(b, `{"line":"a","value":1,"durationUSec":1000}`)
		k.fail = 1
		b.Loop.Advance(time.Minute)
		p.expect("it can never be written", `System{"origin":"linux","errno":5,"errnoName":"EIO"}`)
		if !strings.Contains(b.Log.String(), "cannot end a pulse") {
			t.Error("the log does not say it")
		}
		k.fail = 0
		b.Expect("Set", `{"line":"a","value":0}`, `{}`)
	})
}

// hungBus is a loop whose workers do not come back while it hangs.
type hungBus struct {
	hal.Loop
	hangs bool
	jobs  []func() error
}

func (l *hungBus) Submit(bus string, job, done func()) error {
	if l.hangs {
		l.jobs = append(l.jobs, func() error { return l.Loop.Submit(bus, job, done) })
		return nil
	}
	return l.Loop.Submit(bus, job, done)
}

// comeBack lets the workers do what they hung at.
func (l *hungBus) comeBack(t *testing.T) {
	t.Helper()
	l.hangs = false
	for _, job := range l.jobs {
		if err := job(); err != nil {
			t.Error(err)
		}
	}
	l.jobs = nil
}

// driver is the class on that loop.
func (l *hungBus) driver() hal.Driver {
	d := Driver()
	d.Open = func(env *hal.Env) (*hal.Class, error) {
		l.Loop, env.Loop = env.Loop, l
		return Open(env)
	}
	return d
}

// TestPulseOnAHungBus: the caller is not kept for ever, and the pulse ends when the bus comes back.
func TestPulseOnAHungBus(t *testing.T) {
	k, bus := valveChips(), &hungBus{}
	b := simtest.Open(t, bus.driver(), k, true, valves("far")...)
	const late = `Timeout{"class":"Gpio","device":"a"}`
	expectLevel := func(when, want string) {
		t.Helper()
		if got := levels(k, "far")[:1]; got != want {
			t.Errorf("%s: the level is %s, want %s", when, got, want)
		}
	}
	bus.hangs = true
	p := begin(b, `{"line":"a","value":1,"durationUSec":1000}`)
	b.Loop.Advance(patience - 1)
	p.expect("the bus hangs", "")
	b.Loop.Advance(1)
	p.expect("it hangs for long", late)
	bus.comeBack(t)
	b.Loop.Turn()
	expectLevel("the bus is back", "1")
	b.Loop.Advance(time.Millisecond)
	expectLevel("at the end", "0")
	p.expect("at the end", late)

	p = begin(b, `{"line":"a","value":1,"durationUSec":1000}`)
	bus.hangs = true
	b.Loop.Advance(time.Minute)
	p.expect("the bus hangs at the end", late)
	bus.comeBack(t)
	b.Loop.Turn()
	expectLevel("the bus is back again", "0")
	b.Expect("Set", `{"line":"a","value":1}`, `{}`)
	if n := b.Loop.Timers(); n != 0 {
		t.Errorf("%d timers are left", n)
	}
}
