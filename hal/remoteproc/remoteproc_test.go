package remoteproc

import (
	"testing"
	"time"

	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
	"github.com/halberd-io/halberd/hal/sysfs"
)

// bench is a bare board with two processors.
func bench() *sim.Kernel {
	k := sim.New(sim.Options{Bare: true})
	k.AddProcessor(sim.Processor{Name: "40c00000.m4", Firmware: "motor.elf", Files: []string{"motor.elf", "other.elf"}, StaysDown: true})
	k.AddProcessor(sim.Processor{Name: "dsp", Firmware: "lost.elf"})
	return k
}

var m4 = simtest.Entry{Table: "remoteproc", ID: "m4", Keys: `{"name":"40c00000.m4"}`}

func TestConformance(t *testing.T) {
	haltest.Run(t, func(*testing.T) haltest.Harness {
		k := bench()
		add := func(p sim.Processor) string {
			p.Firmware, p.Files = "a.elf", []string{"a.elf"}
			name := k.AddProcessor(p)
			if !p.ReadOnly {
				_ = sysfs.Write(k, "/sys/class/remoteproc/"+name+"/state", "start")
			}
			return name
		}
		k.Crash(add(sim.Processor{Name: "down", StaysDown: true}))
		add(sim.Processor{Name: "up"})
		add(sim.Processor{Name: "needed", Clients: 9})
		add(sim.Processor{Name: "read-only", ReadOnly: true})
		return haltest.Harness{
			Driver: Driver(), Kernel: k, Opened: k.Opened,
			Unplug:  func() { k.Unplug("remoteproc0"); k.Unplug("remoteproc1") },
			Plug:    func() { k.Plug("remoteproc0"); k.Plug("remoteproc1") },
			Entries: []haltest.Entry{{Table: "remoteproc", ID: "m4", Keys: `{"name":"40c00000.m4"}`}},
			Calls: []haltest.Call{
				{Method: "Get", Parameters: `{"processor":"m4"}`},
				{Method: "Start", Parameters: `{"processor":"m4"}`},
				{Method: "Start", Parameters: `{"processor":"dsp"}`, Refusal: "io.systemd.System"},
				{Method: "Start", Parameters: `{"processor":"down"}`},
				{Method: "Start", Parameters: `{"processor":"read-only"}`, Refusal: "io.halberd.NotSupported"},
				{Method: "Stop", Parameters: `{"processor":"m4"}`},
				{Method: "Stop", Parameters: `{"processor":"up"}`},
				{Method: "Stop", Parameters: `{"processor":"needed"}`, Refusal: "io.halberd.Busy"},
				{Method: "SetFirmware", Parameters: `{"processor":"m4","firmware":"other.elf"}`},
				{Method: "Watch", Parameters: `{"processors":["m4"]}`},
			},
		}
	})
}

const (
	isOff  = `{"name":"40c00000.m4","state":"offline","firmware":"motor.elf"}`
	runs   = `{"name":"40c00000.m4","state":"running","firmware":"motor.elf"}`
	noFile = `System{"origin":"linux","errno":2,"errnoName":"ENOENT"}`
	busy   = `Busy{"class":"Remoteproc","device":"m4"}`
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
		{"started and stopped", []call{get(isOff), do("Start", `{}`), get(runs), do("Stop", `{}`), get(isOff)}},
		{"each again", []call{do("Stop", `{}`), do("Start", `{}`), do("Start", `{}`), get(runs), do("Stop", `{}`), do("Stop", `{}`), get(isOff)}},
		{"other firmware", []call{load("other.elf", `{}`), do("Start", `{}`), get(`{"name":"40c00000.m4","state":"running","firmware":"other.elf"}`)}},
		{"firmware that is not there", []call{load("nothing.elf", `{}`), do("Start", noFile), get(`{"name":"40c00000.m4","state":"offline","firmware":"nothing.elf"}`)}},
		{"firmware while it runs", []call{do("Start", `{}`), load("other.elf", busy), get(runs)}},
		{"firmware in a folder", []call{load("../motor.elf", `InvalidParameter{"parameter":"firmware"}`), load("a/b", `InvalidParameter{"parameter":"firmware"}`), load("", `InvalidParameter{"parameter":"firmware"}`), get(isOff)}},
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

// TestStates: what becomes of a processor in each of its states, as the kernel has it afterwards and as the caller is told.
func TestStates(t *testing.T) {
	const (
		invalid = `System{"origin":"linux","errno":22,"errnoName":"EINVAL"}`
		failed  = `System{"origin":"linux","errno":5,"errnoName":"EIO"}`
	)
	firmware := `{"processor":"m4","firmware":"other.elf"}`
	runs := func(k *sim.Kernel, _ *simtest.Bench) { command(k, "start") }
	crashed := func(k *sim.Kernel, b *simtest.Bench) { command(k, "start"); k.Crash("remoteproc0") }
	for _, c := range []struct {
		name, method, in, want, state string
		processor                     sim.Processor
		before                        func(*sim.Kernel, *simtest.Bench)
	}{
		{"start one that others started", "Start", "", `{}`, "running", sim.Processor{}, runs},
		{"stop one that others started", "Stop", "", `{}`, "offline", sim.Processor{}, runs},
		{"stop one that a driver needs", "Stop", "", busy, "running", sim.Processor{Clients: 1}, runs},
		{"start one that was started before Linux", "Start", "", `{}`, "attached", sim.Processor{Detached: true}, nil},
		{"stop one that Linux is not attached to", "Stop", "", invalid, "detached", sim.Processor{Detached: true}, nil},
		{"stop one that was started before Linux", "Stop", "", `{}`, "offline", sim.Processor{Detached: true}, runs},
		{"firmware for one that Linux is not attached to", "SetFirmware", firmware, busy, "detached", sim.Processor{Detached: true}, nil},
		{"start one that crashed", "Start", "", `{}`, "running", sim.Processor{StaysDown: true}, crashed},
		{"stop one that crashed", "Stop", "", invalid, "crashed", sim.Processor{StaysDown: true}, crashed},
		{"firmware for one that crashed", "SetFirmware", firmware, busy, "crashed", sim.Processor{StaysDown: true}, crashed},
		{"start one that recovers by itself", "Start", "", `{}`, "running", sim.Processor{}, crashed},
		{"start one whose firmware is gone", "Start", "", failed, "offline", sim.Processor{StaysDown: true}, func(k *sim.Kernel, b *simtest.Bench) {
			crashed(k, b)
			k.RemoveFirmware("remoteproc0", "motor.elf")
		}},
		{"start one whose recovery failed", "Start", "", busy, "offline", sim.Processor{}, func(k *sim.Kernel, b *simtest.Bench) {
			command(k, "start")
			k.RemoveFirmware("remoteproc0", "motor.elf")
			k.Crash("remoteproc0")
		}},
		{"start one that its driver alone controls", "Start", "", `NotSupported{"feature":"start"}`, "offline", sim.Processor{ReadOnly: true}, nil},
		{"stop one that its driver alone controls", "Stop", "", `NotSupported{"feature":"stop"}`, "offline", sim.Processor{ReadOnly: true}, nil},
		{"firmware for one that its driver alone controls", "SetFirmware", firmware, `NotSupported{"feature":"firmware"}`, "offline", sim.Processor{ReadOnly: true}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := sim.New(sim.Options{Bare: true})
			c.processor.Name, c.processor.Firmware, c.processor.Files = "m4", "motor.elf", []string{"motor.elf", "other.elf"}
			k.AddProcessor(c.processor)
			b := simtest.Open(t, Driver(), k, false)
			if c.before != nil {
				c.before(k, b)
			}
			if c.in == "" {
				c.in = `{"processor":"m4"}`
			}
			b.Expect(c.method, c.in, c.want)
			firmware := "motor.elf"
			if c.state == "attached" {
				firmware = "unknown"
			}
			b.Expect("Get", `{"processor":"m4"}`, `{"name":"m4","state":"`+c.state+`","firmware":"`+firmware+`"}`)
		})
	}
}

// command writes a command as a shell would.
func command(k *sim.Kernel, text string) {
	if err := sysfs.Write(k, "/sys/class/remoteproc/remoteproc0/state", text+"\n"); err != nil {
		panic(err)
	}
}

// TestTree: processors of real drivers, on a kernel that has no attribute for recovery.
func TestTree(t *testing.T) {
	b := simtest.Open(t, Driver(), simtest.Tree(t, "testdata/stm32mp1.tree"), false)
	b.ExpectIDs("m4 scp")
	b.Expect("Get", `{"processor":"m4"}`, `{"name":"m4","state":"running","firmware":"rproc-m4-fw"}`)
	b.Expect("Start", `{"processor":"m4"}`, `{}`)
	b.Expect("SetFirmware", `{"processor":"m4","firmware":"a b"}`, `InvalidParameter{"parameter":"firmware"}`)
	b.Expect("Get", `{"processor":"scp"}`, `{"name":"scp","state":"crashed","firmware":"mediatek/mt8183/scp.img"}`)
	b.Expect("Start", `{"processor":"scp"}`, `NotSupported{"feature":"recovery"}`)
	for i, bus := range []string{"remoteproc0", "remoteproc1"} {
		if got := b.Class.Devices.At(i).Bus(); got != bus {
			t.Errorf("%s: got bus %s, want %s", b.Class.Devices.At(i).ID(), got, bus)
		}
	}
}

// TestPlug: a processor that comes has the name of board.toml whatever its number, and one that goes and comes between two looks is another one.
func TestPlug(t *testing.T) {
	k := sim.New(sim.Options{Bare: true})
	b := simtest.Open(t, Driver(), k, false, m4)
	b.Expect("Get", `{"processor":"m4"}`, `NoSuchDevice{"class":"Remoteproc","device":"m4"}`)
	k.AddProcessor(sim.Processor{Name: "dsp"})
	name := k.AddProcessor(sim.Processor{Name: "40c00000.m4", Firmware: "motor.elf", Files: []string{"motor.elf"}})
	b.Rescan()
	b.ExpectIDs("dsp m4")
	b.Expect("Start", `{"processor":"m4"}`, `{}`)
	w := b.Watch("Watch", `{"processors":["m4"]}`)
	held := k.Opened()
	k.Unplug(name)
	k.Plug(name)
	gone := `DeviceGone{"class":"Remoteproc","device":"m4"}`
	for _, method := range []string{"Get", "Start", "Stop"} {
		b.Expect(method, `{"processor":"m4"}`, gone)
	}
	b.Expect("SetFirmware", `{"processor":"m4","firmware":"motor.elf"}`, gone)
	b.Rescan()
	if w.Failed == nil || simtest.Text(w.Failed) != gone || k.Opened() != held || b.Loop.Timers() != 0 {
		t.Errorf("the watch ended with %v; %d descriptors, %d timers, want %d, 0", w.Failed, k.Opened(), b.Loop.Timers(), held)
	}
	b.Expect("Get", `{"processor":"m4"}`, isOff)
	k.Unplug(name)
	b.Rescan()
	b.ExpectIDs("dsp")
	b.Expect("Start", `{"processor":"m4"}`, gone)
}

func TestBoardErrors(t *testing.T) {
	twins := func() *sim.Kernel {
		k := bench()
		k.AddProcessor(sim.Processor{Name: "dsp"})
		return k
	}
	for _, c := range []struct {
		name, want string
		entries    []string
	}{
		{"one processor twice", "board.toml:2: remoteproc.B: /sys/class/remoteproc/remoteproc0 is remoteproc.A already, at board.toml:1", []string{`{"name":"40c00000.m4"}`, `{"name":"40c00000.m4"}`}},
		{"one of two", "board.toml:1: remoteproc.A: it may be /sys/class/remoteproc/remoteproc1 or /sys/class/remoteproc/remoteproc2: say which", []string{`{"name":"dsp"}`}},
		{"no name", "board.toml:1: remoteproc.A: name: missing", []string{`{}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			simtest.ExpectRefused(t, Driver(), twins(), c.want, simtest.Entries("remoteproc", c.entries...)...)
		})
	}
}

// What the devices say for board.toml names the same devices again, each by itself.
func TestDeclaration(t *testing.T) {
	simtest.ExpectDeclarations(t, Driver(), bench())
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
	b.Rescan()
	if w.Failed == nil || b.Loop.Timers() != 0 {
		t.Errorf("unplugged: the watch ended with %v, %d timers are left", w.Failed, b.Loop.Timers())
	}
}
