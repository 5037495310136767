package remoteproc

import (
	"testing"
	"time"

	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
)

// bench is a bare board with two processors.
func bench() *sim.Kernel {
	k := sim.New(sim.Options{Bare: true})
	k.AddProcessor(sim.Processor{Name: "40c00000.m4", Firmware: "motor.elf", Files: []string{"motor.elf", "other.elf"}})
	k.AddProcessor(sim.Processor{Name: "dsp", Firmware: "lost.elf"})
	return k
}

var m4 = simtest.Entry{Table: "remoteproc", ID: "m4", Keys: `{"name":"40c00000.m4"}`}

func TestConformance(t *testing.T) {
	haltest.Run(t, func(*testing.T) haltest.Harness {
		k := bench()
		return haltest.Harness{
			Driver: Driver(), Kernel: k, Opened: k.Opened,
			Unplug:  func() { k.Unplug("remoteproc0"); k.Unplug("remoteproc1") },
			Plug:    func() { k.Plug("remoteproc0"); k.Plug("remoteproc1") },
			Entries: []haltest.Entry{{Table: "remoteproc", ID: "m4", Keys: `{"name":"40c00000.m4"}`}},
			Calls: []haltest.Call{
				{Method: "Get", Parameters: `{"processor":"m4"}`},
				{Method: "Start", Parameters: `{"processor":"m4"}`},
				{Method: "Start", Parameters: `{"processor":"dsp"}`, Refusal: "io.systemd.System"},
				{Method: "Stop", Parameters: `{"processor":"m4"}`},
				{Method: "SetFirmware", Parameters: `{"processor":"m4","firmware":"other.elf"}`},
				{Method: "Watch", Parameters: `{"processors":["m4"]}`},
			},
		}
	})
}

const (
	offline = `{"name":"40c00000.m4","state":"offline","firmware":"motor.elf"}`
	runs    = `{"name":"40c00000.m4","state":"running","firmware":"motor.elf"}`
	noFile  = `System{"origin":"linux","errno":2,"errnoName":"ENOENT"}`
	busy    = `Busy{"class":"Remoteproc","device":"m4"}`
)

// TestCalls: each row is a way of a processor, as calls with what they answer.
func TestCalls(t *testing.T) {
	type call struct{ method, in, want string }
	get := func(want string) call { return call{"Get", `{"processor":"m4"}`, want} }
	do := func(method, want string) call { return call{method, `{"processor":"m4"}`, want} }
	load := func(name, want string) call {
		return call{"SetFirmware", `{"processor":"m4","firmware":"` + name + `"}`, want}
	}
	rows := []struct {
		name  string
		calls []call
	}{
		{"started and stopped", []call{get(offline), do("Start", `{}`), get(runs), do("Stop", `{}`), get(offline)}},
		{"each again", []call{do("Stop", `{}`), do("Start", `{}`), do("Start", `{}`), get(runs), do("Stop", `{}`), do("Stop", `{}`), get(offline)}},
		{"other firmware", []call{load("other.elf", `{}`), do("Start", `{}`), get(`{"name":"40c00000.m4","state":"running","firmware":"other.elf"}`)}},
		{"firmware that is not there", []call{load("nothing.elf", `{}`), do("Start", noFile), get(`{"name":"40c00000.m4","state":"offline","firmware":"nothing.elf"}`)}},
		{"firmware while it runs", []call{do("Start", `{}`), load("other.elf", busy), get(runs)}},
		{"firmware in a folder", []call{load("../motor.elf", `InvalidParameter{"parameter":"firmware"}`), load("a/b", `InvalidParameter{"parameter":"firmware"}`), load("", `InvalidParameter{"parameter":"firmware"}`), get(offline)}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			b := simtest.Open(t, Driver(), bench(), false, m4)
			for _, c := range row.calls {
				b.Expect(c.method, c.in, c.want)
			}
		})
	}
}

// TestWatch: what is done is told at once, a crash within a second, and the end of the device ends it.
func TestWatch(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false, m4)
	w := b.Watch("Watch", `{"processors":["m4"]}`)
	want := func(state string) {
		t.Helper()
		if got, want := w.Events(), `{"processor":"m4","name":"40c00000.m4","state":"`+state+`","firmware":"motor.elf"}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	want("offline")
	b.Expect("Start", `{"processor":"m4"}`, `{}`)
	want("running")
	k.Crash("remoteproc0")
	b.Loop.Advance(2 * time.Second)
	want("crashed")
	k.Unplug("remoteproc0")
	b.Class.Rescan()
	if w.Failed == nil || b.Loop.Timers() != 0 {
		t.Errorf("unplugged: the watch ended with %v, %d timers are left", w.Failed, b.Loop.Timers())
	}
}
