package gpio

import (
	"strings"
	"testing"
	"time"

	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
)

// usb is a box of relays that is plugged in and out.
func usb(under string) sim.Chip {
	return sim.Chip{Label: "usb-relays", Under: "platform/" + under + "=platform", Lines: []sim.Line{{}, {Name: "RELAY"}, {Name: "SPARE"}}}
}

func gone(id string) string { return `DeviceGone{"class":"Gpio","device":"` + id + `"}` }

// TestPlugIn: a chip that comes has the names, directions and initial values of board.toml, also at a restart of the daemon, since the hardware starts.
func TestPlugIn(t *testing.T) {
	for _, under := range []string{"usb", "halberd-i2c=platform/i2c-1=i2c/1-0020"} {
		k := bench()
		b := simtest.Open(t, Driver(), k, false, declare("relay", `{"chip":"usb-relays","line":"RELAY","direction":"output","initial":1,"safe":0}`),
			declare("input", `{"chip":"usb-relays","line":0}`))
		b.Expect("Set", `{"line":"relay","value":1}`, `NoSuchDevice{"class":"Gpio","device":"relay"}`)
		before := b.IDs()
		name := k.AddChip(usb(under))
		b.Rescan()
		b.Expect("Get", `{"line":"relay"}`, `{"value":1}`)
		b.Expect("Get", `{"line":"SPARE"}`, `{"value":0}`)
		if held, output := k.Consumer("RELAY"); held != "halberd" || !output || k.Value("RELAY") != 1 {
			t.Errorf("the relay is with %q, output %v, level %d; want halberd, true, 1", held, output, k.Value("RELAY"))
		}
		b.Expect("Set", `{"line":"relay","value":0}`, `{}`)
		b.Rescan()
		if k.Value("RELAY") != 0 {
			t.Error("another look sets the initial value again")
		}
		k.Unplug(name)
		b.Expect("Set", `{"line":"relay","value":1}`, gone("relay"))
		b.Rescan()
		b.ExpectIDs(before)
		for _, id := range []string{"relay", "input", "SPARE"} {
			b.Expect("Get", `{"line":"`+id+`"}`, gone(id))
			b.Expect("GetMany", `{"lines":["BUTTON","`+id+`"]}`, gone(id))
		}
		b.Expect("Get", `{"line":"usb-relays/0"}`, `NoSuchDevice{"class":"Gpio","device":"usb-relays/0"}`)
		k.Plug(name)
		b.Rescan()
		b.Expect("Get", `{"line":"relay"}`, `{"value":1}`)
	}
}

// TestPlugLeavesOthersAlone: what was requested, set and watched stays so, edge by edge, while another chip comes and goes.
func TestPlugLeavesOthersAlone(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, true, declare("pump", pump+`}`), declare("far", `{"chip":"expander","line":1,"direction":"output"}`))
	b.Expect("Set", `{"line":"pump","value":1}`, `{}`)
	b.Expect("Set", `{"line":"far","value":1}`, `{}`)
	w := b.Watch("Watch", `{"lines":["BUTTON","FAR_IN","pump"]}`)
	w.Events()
	held := k.Opened()
	for range 3 {
		name := k.AddChip(usb("usb"))
		b.Rescan()
		k.Unplug(name)
		b.Rescan()
	}
	if k.Changes("PUMP") != 1 || k.Changes("FAR_OUT") != 1 || k.Opened() != held || w.Failed != nil {
		t.Errorf("%d and %d edges, %d descriptors, watch %v; want 1, 1, %d", k.Changes("PUMP"), k.Changes("FAR_OUT"), k.Opened(), w.Failed, held)
	}
	k.Pull("BUTTON", 1)
	expect(t, w, `{"line":"BUTTON","value":1,"edge":"rising"}`)
	k.Pull("FAR_IN", 1)
	expect(t, w, `{"line":"FAR_IN","value":1,"edge":"rising"}`)
}

// TestReplaced: a chip that went and came under the same name and number between two looks is another one, which has to be requested anew.
func TestReplaced(t *testing.T) {
	for _, c := range []struct{ chip, out, line, in string }{{"gpiochip0", "pump", "PUMP", "BUTTON"}, {"gpiochip1", "far", "FAR_OUT", "FAR_IN"}} {
		k := bench()
		b := simtest.Open(t, Driver(), k, false, declare("pump", pump+`,"initial":1}`), declare("far", `{"chip":"expander","line":1,"direction":"output","initial":1}`))
		w := b.Watch("Watch", `{"lines":["`+c.out+`"]}`)
		before, held := b.IDs(), k.Opened()
		k.Unplug(c.chip)
		k.Plug(c.chip)
		b.Expect("Set", `{"line":"`+c.out+`","value":1}`, gone(c.out))
		b.Rescan()
		b.ExpectIDs(before)
		if w.Failed == nil || simtest.Text(w.Failed) != gone(c.out) {
			t.Errorf("%s: the watch ended with %v", c.chip, w.Failed)
		}
		if consumer, output := k.Consumer(c.line); consumer != "halberd" || !output || k.Value(c.line) != 1 || k.Opened() != held {
			t.Errorf("%s: the new line is with %q, output %v, level %d, %d descriptors; want halberd, true, 1, %d", c.chip, consumer, output, k.Value(c.line), k.Opened(), held)
		}
		b.Expect("Toggle", `{"line":"`+c.out+`"}`, `{}`)
		if k.Value(c.line) != 0 {
			t.Errorf("%s: the new line is not driven", c.chip)
		}
		w = b.Watch("Watch", `{"lines":["`+c.in+`"]}`)
		w.Events()
		k.Pull(c.in, 1)
		expect(t, w, `{"line":"`+c.in+`","value":1,"edge":"rising"}`)
	}
}

// TestNamesStay: no name passes from one line to another one, whatever comes and goes.
func TestNamesStay(t *testing.T) {
	k := sim.New(sim.Options{Bare: true})
	first := k.AddChip(usb("a"))
	b := simtest.Open(t, Driver(), k, false)
	b.ExpectIDs("RELAY SPARE usb-relays/0")

	second := k.AddChip(usb("b"))
	b.Rescan()
	b.ExpectIDs("RELAY SPARE usb-relays/0 usb-relays@b/0 usb-relays@b/1 usb-relays@b/2")
	k.Pull(first+"/1", 1)
	b.Expect("GetMany", `{"lines":["RELAY","usb-relays@b/1"]}`, `{"values":{"RELAY":1,"usb-relays@b/1":0}}`)

	k.Unplug(first)
	b.Rescan()
	b.ExpectIDs("usb-relays@b/0 usb-relays@b/1 usb-relays@b/2")
	b.Expect("Get", `{"line":"RELAY"}`, gone("RELAY"))

	k.Plug(first)
	b.Rescan()
	b.ExpectIDs("usb-relays@a/0 usb-relays@a/1 usb-relays@a/2 usb-relays@b/0 usb-relays@b/1 usb-relays@b/2")
	b.Expect("Get", `{"line":"RELAY"}`, gone("RELAY"))

	k.Unplug(first)
	k.Unplug(second)
	b.Rescan()
	k.Plug(second)
	b.Rescan()
	b.ExpectIDs("RELAY SPARE usb-relays/0")
	b.Expect("Get", `{"line":"RELAY"}`, `{"value":0}`)
	b.Expect("Get", `{"line":"usb-relays@b/1"}`, gone("usb-relays@b/1"))
}

// TestPlugMakesBoardAmbiguous: an entry that would mean two lines goes on meaning the one that it means; the other one has no name until the first is gone.
func TestPlugMakesBoardAmbiguous(t *testing.T) {
	k := sim.New(sim.Options{Bare: true})
	first := k.AddChip(usb("a"))
	b := simtest.Open(t, Driver(), k, false, declare("relay", `{"chip":"usb-relays","line":1,"direction":"output","initial":1}`))
	b.Expect("Set", `{"line":"relay","value":1}`, `{}`)
	second := k.AddChip(usb("b"))
	for range 3 {
		b.Rescan()
		b.ExpectIDs("SPARE relay usb-relays/0 usb-relays@b/0 usb-relays@b/2")
	}
	if n := strings.Count(b.Log.String(), "name its path in /sys"); n != 1 {
		t.Errorf("it is said %d times, want once: %s", n, b.Log.String())
	}
	if held, _ := k.Consumer(second + "/1"); held != "" || k.Changes(first+"/1") != 1 {
		t.Errorf("the other line is with %q, the first one made %d edges; want nobody, 1", held, k.Changes(first+"/1"))
	}
	k.Unplug(first)
	b.Rescan()
	b.ExpectIDs("relay usb-relays@b/0 usb-relays@b/2")
	if held, _ := k.Consumer(second + "/1"); held != "halberd" || k.Value(second+"/1") != 1 {
		t.Errorf("the line that is left is with %q at %d, want halberd, 1", held, k.Value(second+"/1"))
	}
}

// TestPlugContradictsBoard: what would stop the daemon at the start is left out afterwards.
func TestPlugContradictsBoard(t *testing.T) {
	for _, c := range []struct {
		name, ids, log string
		entries        []simtest.Entry
	}{
		{"one line twice", "SPARE usb-relays/0", "line 1 of usb-relays is gpio.A already",
			[]simtest.Entry{declare("A", `{"chip":"usb-relays","line":1}`), declare("B", `{"chip":"gpiochip0","line":"RELAY"}`)}},
		{"no such offset", "RELAY SPARE usb-relays/0", "has lines 0 to 2, and no line 3", []simtest.Entry{declare("A", `{"chip":"usb-relays","line":3}`)}},
		{"a reserved name", "SPARE usb-relays/0 usb-relays/1", "", []simtest.Entry{declare("RELAY", `{"chip":"none","line":3}`)}},
		{"all names reserved", "SPARE usb-relays/0", "board.toml gives its name to another one",
			[]simtest.Entry{declare("RELAY", `{"chip":"none","line":3}`), declare("usb-relays/1", `{"chip":"none","line":4}`)}},
	} {
		k := sim.New(sim.Options{Bare: true})
		b := simtest.Open(t, Driver(), k, false, c.entries...)
		k.AddChip(usb("a"))
		b.Rescan()
		b.ExpectIDs(c.ids)
		if !strings.Contains(b.Log.String(), c.log) {
			t.Errorf("%s: the log does not say %q: %s", c.name, c.log, b.Log.String())
		}
	}
}

// TestPlugWithABusyWorker: an output on a bus whose worker has too much to do is requested later.
func TestPlugWithABusyWorker(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false, declare("far", `{"chip":"expander","line":1,"direction":"output","initial":1}`))
	k.Unplug("gpiochip1")
	k.Plug("gpiochip1")
	b.Loop.Full = true
	if !b.Class.Rescan() || k.Value("FAR_OUT") != 0 {
		t.Error("it does not want to look again, or waited for the bus")
	}
	b.Loop.Full = false
	b.Rescan()
	if k.Value("FAR_OUT") != 1 {
		t.Error("the initial value is not set")
	}
}

// TestUnplugWhileAWorkerIsAtIt: a worker that comes back closes what it was at, and nothing of it is used afterwards.
func TestUnplugWhileAWorkerIsAtIt(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false, declare("far", `{"chip":"expander","line":1,"direction":"output"}`))
	far, _ := b.Class.Devices.At(indexOf(b, "far")).(*Line)
	hung, end := make(chan bool), make(chan bool)
	err := b.Loop.Submit("i2c-1", func() {
		_ = far.guard.Do(func() error { hung <- true; <-end; return nil })
	}, func() {})
	if err != nil {
		t.Fatal(err)
	}
	<-hung
	k.Unplug("gpiochip1")
	if b.Class.Rescan() {
		t.Error("it wants to look again")
	}
	b.Expect("Get", `{"line":"far"}`, gone("far"))
	end <- true
	b.Loop.Turn()
	b.Loop.Advance(time.Second)
	b.Close()
	if n := k.Opened(); n != 0 {
		t.Errorf("%d descriptors are left open", n)
	}
}

func indexOf(b *simtest.Bench, id string) int {
	for i := range b.Class.Devices.Len() {
		if b.Class.Devices.At(i).ID() == id {
			return i
		}
	}
	b.Fatalf("there is no %s", id)
	return 0
}
