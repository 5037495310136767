package gpio

import (
	"strings"
	"testing"
	"time"
	"unsafe"

	gpiocdev "github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
	"github.com/halberd-io/halberd/hal/uapi"
)

// lender is the board of valveChips whose descriptors can be passed. The line A can be pulled up from outside.
func lender() *sim.Kernel {
	k := sim.New(sim.Options{Bare: true, Lends: true})
	lines := []sim.Line{{Name: "A", Output: true, Level: 1}, {Name: "B"}, {Name: "C", Output: true, Level: 1}, {Name: "IN"}}
	k.AddChip(sim.Chip{Label: "near", Lines: lines})
	k.AddChip(sim.Chip{Label: "far", Under: sim.OnI2C, Lines: lines})
	return k
}

// everyLender runs a test on a chip of a platform bus and on one of a slow bus.
func everyLender(t *testing.T, test func(t *testing.T, chip string, k *sim.Kernel)) {
	for _, chip := range []string{"near", "far"} {
		t.Run(chip, func(t *testing.T) { test(t, chip, lender()) })
	}
}

// leased is a descriptor as its holder has it.
type leased struct {
	*testing.T
	k  *sim.Kernel
	fd int
}

// rent leases lines, which must succeed.
func rent(b *simtest.Bench, k *sim.Kernel, lines string) *leased {
	b.Helper()
	b.Expect("Lease", `{"lines":[`+lines+`]}`, `{"fileDescriptor":0}`)
	if len(b.Files) != 1 {
		b.Fatalf("%d descriptors came", len(b.Files))
	}
	return &leased{b.T, k, b.Files[0]}
}

func (l *leased) set(mask, values gpiocdev.LineBitmap) {
	l.Helper()
	v := gpiocdev.LineValues{Mask: mask, Bits: values}
	if err := l.k.Ioctl(l.fd, uapi.GPIOLineSetValues, unsafe.Pointer(&v)); err != nil {
		l.Errorf("the holder cannot set: %v", err)
	}
}

func (l *leased) get(mask gpiocdev.LineBitmap) gpiocdev.LineBitmap {
	l.Helper()
	v := gpiocdev.LineValues{Mask: mask}
	if err := l.k.Ioctl(l.fd, uapi.GPIOLineGetValues, unsafe.Pointer(&v)); err != nil {
		l.Errorf("the holder cannot read: %v", err)
	}
	return v.Bits
}

func (l *leased) configure(flags gpiocdev.LineFlagV2) {
	l.Helper()
	c := gpiocdev.LineConfig{Flags: flags}
	if err := l.k.Ioctl(l.fd, uapi.GPIOLineSetConfig, unsafe.Pointer(&c)); err != nil {
		l.Errorf("the holder cannot configure: %v", err)
	}
}

func (l *leased) close() {
	l.Helper()
	if err := l.k.Close(l.fd); err != nil {
		l.Errorf("the holder cannot close: %v", err)
	}
}

// outputs are the entries of valves with an on-release of their own.
func released(chip, more string) []simtest.Entry {
	return []simtest.Entry{declare("a", `{"chip":"`+chip+`","line":0,"direction":"output"`+more+`}`), declare("in", `{"chip":"`+chip+`","line":3,"direction":"input","bias":"pull_down"}`)}
}

const out, in = gpiocdev.LineFlagV2Output, gpiocdev.LineFlagV2Input

// TestLease: the holder drives the line, and when its connection ends the line goes where board.toml says, whatever the holder made of it.
func TestLease(t *testing.T) {
	for _, c := range []struct {
		name, keys string
		do         func(*leased)
		after      string // the line's value and level
	}{
		{"to the safe value", `,"initial":1,"safe":0`, func(h *leased) {}, "0 0"},
		{"to the safe value from another one", `,"initial":0,"safe":1`, func(h *leased) { h.set(1, 0) }, "1 1"},
		{"with another polarity", `,"initial":1,"safe":0`, func(h *leased) { h.configure(out | gpiocdev.LineFlagV2ActiveLow); h.set(1, 0) }, "0 0"},
		{"as an input", `,"initial":1,"safe":0`, func(h *leased) { h.configure(in | gpiocdev.LineFlagV2EdgeBoth) }, "0 0"},
		{"open drain", `,"initial":1,"safe":1`, func(h *leased) { h.configure(out | gpiocdev.LineFlagV2OpenDrain) }, "1 1"},
		{"active-low", `,"active-low":true,"safe":1`, func(h *leased) { h.set(1, 0) }, "1 0"},
		{"held", `,"initial":0,"on-release":"hold"`, func(h *leased) { h.set(1, 1) }, "1 1"},
		{"held by default", `,"initial":1`, func(h *leased) { h.set(1, 0) }, "0 0"},
		{"held, with another polarity", `,"initial":0`, func(h *leased) { h.configure(out | gpiocdev.LineFlagV2ActiveLow); h.set(1, 0) }, "1 1"},
		{"restored", `,"initial":1,"on-release":"restore"`, func(h *leased) { h.set(1, 0) }, "1 1"},
		{"restored, with a safe value", `,"initial":1,"safe":0,"on-release":"restore"`, func(h *leased) { h.configure(in) }, "1 1"},
	} {
		everyLender(t, func(t *testing.T, chip string, k *sim.Kernel) {
			b := simtest.Open(t, Driver(), k, true, released(chip, c.keys)...)
			held, edges := k.Opened(), k.Changes(chip+"/0")
			h := rent(b, k, `"a"`)
			if n := k.Changes(chip + "/0"); n != edges {
				t.Errorf("%s: the lease made %d edges", c.name, n-edges)
			}
			c.do(h)
			h.close()
			b.Hangup()
			b.Loop.Turn()
			b.Expect("Get", `{"line":"a"}`, `{"value":`+c.after[:1]+`}`)
			if got := k.Value(chip + "/0"); string(rune('0'+got)) != c.after[2:] {
				t.Errorf("%s: the level is %d, want %s", c.name, got, c.after[2:])
			}
			if consumer, output := k.Consumer(chip + "/0"); consumer != "halberd" || !output || k.Opened() != held {
				t.Errorf("%s: the line is with %q, output %v, %d descriptors; want halberd, true, %d", c.name, consumer, output, k.Opened(), held)
			}
			b.Expect("Set", `{"line":"a","value":1}`, `{}`)
			if n := b.Loop.Timers(); n != 0 {
				t.Errorf("%s: %d timers are left", c.name, n)
			}
		})
	}
}

// TestLeaseMakesBusy: for everybody, and watches end so. The lines beside it are free.
func TestLeaseMakesBusy(t *testing.T) {
	everyLender(t, func(t *testing.T, chip string, k *sim.Kernel) {
		b := simtest.Open(t, Driver(), k, true, append(valves(chip), declare("in", `{"chip":"`+chip+`","line":3}`))...)
		for _, id := range []string{"c", "in"} {
			w := b.Watch("Watch", `{"lines":["`+id+`"]}`)
			h := rent(b, k, `"`+id+`"`)
			busy := `Busy{"class":"Gpio","device":"` + id + `","holder":"lease"}`
			if w.Failed == nil || simtest.Text(w.Failed) != busy {
				t.Errorf("the watch ended with %v", w.Failed)
			}
			for method, in := range map[string]string{"Get": `{"line":"ID"}`, "GetMany": `{"lines":["a","ID"]}`, "Set": `{"line":"ID","value":1}`, "Toggle": `{"line":"ID"}`, "SetMany": `{"values":{"a":1,"ID":1}}`,
				"Pulse": `{"line":"ID","value":1,"durationUSec":1}`, "Configure": `{"line":"ID","direction":"output"}`, "Lease": `{"lines":["ID"]}`} {
				b.Expect(method, strings.ReplaceAll(in, "ID", id), busy)
			}
			again := b.Call("Lease", `{"lines":["in","c"]}`)
			if again != busy {
				t.Errorf("another lease with it: %s", again)
			}
			second, err := b.TryWatch("Watch", `{"lines":["`+id+`"]}`)
			if err == nil {
				err = second.Failed
			}
			if err == nil || simtest.Text(err) != busy {
				t.Errorf("another watch: %v", err)
			}
			b.Expect("Set", `{"line":"a","value":1}`, `{}`)
			h.close()
			b.Hangup()
			b.Loop.Turn()
			b.Expect("Get", `{"line":"`+id+`"}`, `{"value":0}`)
		}
	})
}

// TestLeaseOfInputs: the holder sees the line as board.toml has it, and what was an input is one afterwards.
func TestLeaseOfInputs(t *testing.T) {
	everyLender(t, func(t *testing.T, chip string, k *sim.Kernel) {
		b := simtest.Open(t, Driver(), k, true, declare("in", `{"chip":"`+chip+`","line":3,"direction":"input","active-low":true,"bias":"pull_up"}`), declare("x", `{"chip":"`+chip+`","line":1}`))
		h := rent(b, k, `"x","in"`)
		if got := h.get(3); got != 0 {
			t.Errorf("the holder reads %b, want 00", got)
		}
		k.Pull(chip+"/3", 0)
		if got := h.get(3); got != 2 {
			t.Errorf("the holder reads %b, want 10", got)
		}
		h.configure(out)
		h.set(3, 3)
		if k.Value(chip+"/1") != 1 {
			t.Error("the holder does not drive the line")
		}
		h.close()
		b.Hangup()
		b.Loop.Turn()
		for _, line := range []string{"/1", "/3"} {
			if consumer, output := k.Consumer(chip + line); consumer != "" || output {
				t.Errorf("%s is with %q, output %v; want nobody, false", line, consumer, output)
			}
		}
	})
}

// TestLeaseTogether: lines of one chip that are held one by one become one request, keep their values, and become themselves again.
func TestLeaseTogether(t *testing.T) {
	everyLender(t, func(t *testing.T, chip string, sim *sim.Kernel) {
		k := &requests{Kernel: sim}
		keys := func(line, more string) string {
			return `{"chip":"` + chip + `","line":"` + line + `","direction":"output"` + more + `}`
		}
		b := simtest.Open(t, Driver(), k, true, declare("a", keys("A", `,"initial":1`)), declare("b", keys("B", `,"active-low":true,"initial":0,"safe":1`)), declare("in", `{"chip":"`+chip+`","line":3,"direction":"input"}`))
		h := rent(b, sim, `"b","in","a"`)
		if k.lines != 3 || levels(sim, chip) != "111" || h.get(7) != 4 {
			t.Errorf("%d lines were requested, the levels are %s, the holder reads %b; want 3, 111, 100", k.lines, levels(sim, chip), h.get(7))
		}
		h.set(5, 1)
		if got := levels(sim, chip); got != "001" {
			t.Errorf("the levels are %s, want 001", got)
		}
		h.close()
		b.Hangup()
		b.Loop.Turn()
		b.Expect("GetMany", `{"lines":["a","b"]}`, `{"values":{"a":0,"b":1}}`)
		b.Expect("SetMany", `{"values":{"a":1,"b":0}}`, `{}`)
	})
}

// TestLeaseOfAGroup: it is leased whole, with the request that it is.
func TestLeaseOfAGroup(t *testing.T) {
	everyLender(t, func(t *testing.T, chip string, sim *sim.Kernel) {
		k := &requests{Kernel: sim}
		b := simtest.Open(t, Driver(), k, true, valves(chip)...)
		b.Expect("SetMany", `{"values":{"a":1,"b":0}}`, `{}`)
		for _, part := range []string{`"a"`, `"b","c"`, `"a","b","c"`} {
			b.Expect("Lease", `{"lines":[`+part+`]}`, `NotSupported{"feature":"group"}`)
		}
		made, edges := k.made, sim.Changes(chip+"/0")
		h := rent(b, sim, `"b","a"`)
		if k.made != made || sim.Changes(chip+"/0") != edges || h.get(3) != 1 {
			t.Errorf("it was requested anew, made an edge, or the holder reads %b, want 01", h.get(3))
		}
		h.set(3, 2)
		b.Expect("Set", `{"line":"b","value":1}`, `Busy{"class":"Gpio","device":"b","holder":"lease"}`)
		b.Expect("Set", `{"line":"c","value":1}`, `{}`)
		h.close()
		b.Hangup()
		b.Loop.Turn()
		b.Expect("GetMany", `{"lines":["a","b"]}`, `{"values":{"a":0,"b":1}}`)
		b.Expect("SetMany", `{"values":{"a":1,"b":0}}`, `{}`)
		b.Close()
		if n := sim.Opened(); n != 0 {
			t.Errorf("%d descriptors are left open", n)
		}
	})
}

func TestLeaseRefused(t *testing.T) {
	k := lender()
	defer take(t, k, "gpiochip0", 2)()
	b := simtest.Open(t, Driver(), k, true, append(valves("near"), declare("in", `{"chip":"near","line":3,"direction":"input"}`))...)
	held := k.Opened()
	for _, c := range []struct{ name, in, want string }{
		{"two chips", `"in","far/0"`, `InvalidParameter{"parameter":"lines"}`},
		{"a line of another process", `"c"`, `Busy{"class":"Gpio","device":"c","holder":"gpioset"}`},
		{"one of two lines", `"in","c"`, `Busy{"class":"Gpio","device":"c","holder":"gpioset"}`},
		{"no such line", `"x"`, `NoSuchDevice{"class":"Gpio","device":"x"}`},
		{"nothing", ``, `InvalidParameter{"parameter":"lines"}`},
	} {
		b.Expect("Lease", `{"lines":[`+c.in+`]}`, c.want)
		if n := k.Opened(); n != held {
			t.Errorf("%s: %d descriptors are open, want %d", c.name, n, held)
		}
	}
	b.Expect("Get", `{"line":"in"}`, `{"value":0}`)
	begin(b, `{"line":"a","value":1,"durationUSec":1000}`)
	b.Expect("Lease", `{"lines":["a","b"]}`, `Busy{"class":"Gpio","device":"a","holder":"pulse"}`)
	b.Expect("Set", `{"line":"b","value":1}`, `{}`)
}

// TestLeaseOnASimulatedBoard: what no kernel has cannot be passed, and asking for it changes nothing.
func TestLeaseOnASimulatedBoard(t *testing.T) {
	k := valveChips()
	b := simtest.Open(t, Driver(), k, true, valves("near")...)
	w := b.Watch("Watch", `{"lines":["a","near/3"]}`)
	w.Events()
	for _, lines := range []string{`"c"`, `"b","a"`, `"near/3","c"`} {
		b.Expect("Lease", `{"lines":[`+lines+`]}`, `NotSupported{"feature":"lease"}`)
	}
	b.Expect("Set", `{"line":"a","value":1}`, `{}`)
	k.Pull("near/3", 1)
	if got, want := edgesOf(w), `{"line":"a","value":1} {"line":"near/3","value":1,"edge":"rising"}`; got != want {
		t.Errorf("the watch told %s, want %s", got, want)
	}
}

// TestHolderKeepsTheLine: a descriptor cannot be revoked. The safe value is written all the same, the line is busy while the holder has it, and is held again afterwards.
func TestHolderKeepsTheLine(t *testing.T) {
	everyLender(t, func(t *testing.T, chip string, k *sim.Kernel) {
		b := simtest.Open(t, Driver(), k, true, released(chip, `,"initial":0,"safe":0`)...)
		h := rent(b, k, `"a"`)
		h.set(1, 1)
		b.Hangup()
		b.Loop.Turn()
		if k.Value(chip+"/0") != 0 {
			t.Error("the safe value is not written")
		}
		b.Expect("Set", `{"line":"a","value":1}`, `Busy{"class":"Gpio","device":"a","holder":"halberd"}`)
		h.set(1, 1)
		b.Loop.Advance(10 * time.Second)
		if k.Value(chip+"/0") != 1 {
			t.Error("the holder cannot drive it any more")
		}
		h.close()
		b.Loop.Turn()
		if consumer, output := k.Consumer(chip + "/0"); consumer != "halberd" || !output || k.Value(chip+"/0") != 0 {
			t.Errorf("the line is with %q, output %v, level %d; want halberd, true, the safe one", consumer, output, k.Value(chip+"/0"))
		}
		b.Loop.Advance(calm)
		if n := b.Loop.Timers() + b.Loop.Polled(); n != 0 {
			t.Errorf("%d timers and descriptors are left", n)
		}
	})
}

// TestEndLease: a lease can be ended while its holder goes on, by the holder itself or by an administrator, with all lines of it.
func TestEndLease(t *testing.T) {
	everyLender(t, func(t *testing.T, chip string, k *sim.Kernel) {
		b := simtest.Open(t, Driver(), k, true, valves(chip)...)
		line := func(id string) hal.Lessor { return b.Class.Devices.At(indexOf(b, id)).(hal.Lessor) }
		h := rent(b, k, `"a","b"`)
		h.set(3, 3)
		holder, freed := b.Holder(), 0
		if line("c").EndLease(holder, func() { freed++ }) || line("a").EndLease(&struct{ hal.Holder }{}, func() { freed++ }) {
			t.Error("somebody else ended it, or there was one that is not")
		}
		h.close()
		if !line("b").EndLease(holder, func() { freed++ }) || freed > 0 && chip == "far" {
			t.Error("the holder cannot end it")
		}
		b.Loop.Turn()
		if freed != 1 || line("a").EndLease(nil, func() {}) {
			t.Errorf("it was freed %d times, or is still there", freed)
		}
		b.Expect("GetMany", `{"lines":["a","b"]}`, `{"values":{"a":0,"b":1}}`)
		b.Hangup()
		h = rent(b, k, `"c"`)
		h.close()
		if !line("c").EndLease(nil, func() { freed++ }) {
			t.Error("an administrator cannot end it")
		}
		b.Loop.Turn()
		if freed != 2 {
			t.Error("nobody is told of the end")
		}
	})
}

// TestSafeReachesLeasedLines: through the descriptor that was kept, whatever the holder made of the line, and the other lines of the lease stay as they are.
func TestSafeReachesLeasedLines(t *testing.T) {
	everyLender(t, func(t *testing.T, chip string, k *sim.Kernel) {
		b := simtest.Open(t, Driver(), k, true, valves(chip)...)
		h := rent(b, k, `"a","b"`)
		h.configure(out)
		h.set(3, 3)
		for _, o := range b.Class.Safe() {
			if err := o.Bring(); err != nil {
				t.Errorf("%s: %v", o.Device.ID(), err)
			}
		}
		if got := levels(k, chip); got != "010" {
			t.Errorf("the levels are %s, want 010", got)
		}
		h.set(1, 1)
		if got := levels(k, chip); got != "110" {
			t.Errorf("the holder cannot go on: the levels are %s, want 110", got)
		}
	})
}

// TestClaimAndLease: what is leased or pulsing cannot be claimed, and a claim that was there before has the last word about a value that is restored.
func TestClaimAndLease(t *testing.T) {
	everyLender(t, func(t *testing.T, chip string, k *sim.Kernel) {
		b := simtest.Open(t, Driver(), k, true, released(chip, `,"initial":1,"on-release":"restore"`)...)
		line := b.Class.Devices.At(indexOf(b, "a")).(hal.Claimable)
		restore, err := line.Claim()
		if err != nil {
			t.Fatal(err)
		}
		b.Expect("Set", `{"line":"a","value":0}`, `{}`)
		h := rent(b, k, `"a"`)
		if _, err := line.Claim(); err == nil || simtest.Text(err) != `Busy{"class":"Gpio","device":"a","holder":"lease"}` {
			t.Errorf("a claim of a leased line: %v", err)
		}
		h.configure(in)
		if err := restore(); err != nil || k.Value(chip+"/0") != 1 {
			t.Errorf("the end of the claim: %v, level %d, want 1", err, k.Value(chip+"/0"))
		}
		h.set(1, 0)
		h.close()
		b.Hangup()
		b.Loop.Turn()
		b.Expect("Get", `{"line":"a"}`, `{"value":1}`)
		begin(b, `{"line":"a","value":0,"durationUSec":1000}`)
		if _, err := line.Claim(); err == nil || simtest.Text(err) != `Busy{"class":"Gpio","device":"a","holder":"pulse"}` {
			t.Errorf("a claim of a pulsing line: %v", err)
		}
	})
}

// TestLeaseEndsWithTheChip, and with the class: nothing is left, and nothing is written.
func TestLeaseEndsWithTheChip(t *testing.T) {
	everyLender(t, func(t *testing.T, chip string, k *sim.Kernel) {
		name := map[string]string{"near": "gpiochip0", "far": "gpiochip1"}[chip]
		b := simtest.Open(t, Driver(), k, true, valves(chip)...)
		h, g := rent(b, k, `"c"`), rent(b, k, `"a","b"`)
		k.Unplug(name)
		b.Rescan()
		b.Expect("Get", `{"line":"c"}`, gone("c"))
		k.Plug(name)
		b.Rescan()
		b.Expect("GetMany", `{"lines":["a","b","c"]}`, `{"values":{"a":0,"b":1,"c":0}}`)
		b.Hangup()
		h.close()
		g.close()
		h = rent(b, k, `"c"`)
		h.set(1, 1)
		b.Close()
		b.Hangup()
		b.Loop.Advance(time.Minute)
		if k.Value(chip+"/2") != 1 {
			t.Error("the line was written to")
		}
		h.close()
		if n := k.Opened() + b.Loop.Timers(); n != 0 {
			t.Errorf("%d descriptors and timers are left", n)
		}
	})
}

// TestLeaseOnAHungBus: the caller is not kept for ever, and gets nothing afterwards.
func TestLeaseOnAHungBus(t *testing.T) {
	for _, c := range []struct {
		name, want string
		during     func(*simtest.Bench)
	}{
		{"it hangs for long", `Timeout{"class":"Gpio","device":"a"}`, func(b *simtest.Bench) { b.Loop.Advance(patience) }},
		{"the holder ends meanwhile", `System{"origin":"linux","errno":125,"errnoName":"ECANCELED"}`, func(b *simtest.Bench) { b.Hangup() }},
		{"the class is closed meanwhile", gone("a"), func(b *simtest.Bench) { b.Close() }},
	} {
		k, bus := lender(), &hungBus{}
		b := simtest.Open(t, bus.driver(), k, true, released("far", `,"initial":1,"safe":0`)...)
		held := k.Opened()
		permitted, _, err := b.Permit("Lease", `{"lines":["a"]}`)
		if err != nil {
			t.Fatal(err)
		}
		p := &pulsing{b: b}
		bus.hangs = true
		permitted.Start(b.Holder(), func(err error) { p.answered++; p.err = err })
		b.Loop.Turn()
		p.expect(c.name+", before", "")
		c.during(b)
		bus.comeBack(t)
		b.Loop.Turn()
		p.expect(c.name, c.want)
		if b.Class == nil {
			held = 0
		} else {
			b.Expect("Set", `{"line":"a","value":1}`, `{}`)
		}
		if n := k.Opened(); n != held {
			t.Errorf("%s: %d descriptors are open, want %d", c.name, n, held)
		}
		if n := b.Loop.Timers(); n != 0 {
			t.Errorf("%s: %d timers are left", c.name, n)
		}
	}
}

// TestLeaseWithABusyWorker: what is still to be done at the end is done when there is time.
func TestLeaseWithABusyWorker(t *testing.T) {
	k := lender()
	b := simtest.Open(t, Driver(), k, true, released("far", `,"initial":1,"safe":0`)...)
	rent(b, k, `"a"`).close()
	b.Loop.Full = true
	b.Hangup()
	b.Loop.Advance(time.Second)
	if k.Value("far/0") != 1 {
		t.Error("somebody waited for the bus")
	}
	b.Loop.Full = false
	b.Loop.Advance(again)
	if k.Value("far/0") != 0 {
		t.Error("the safe value is not written")
	}
	b.Expect("Set", `{"line":"a","value":1}`, `{}`)
}

// TestFaultsInALease: whatever call of the kernel fails, the caller learns of it or has the lease, the lines are free and held afterwards, and nothing is left behind.
func TestFaultsInALease(t *testing.T) {
	for _, lines := range []string{`"c"`, `"a","b"`, `"c","in"`, `"in"`} {
		everyLender(t, func(t *testing.T, chip string, _ *sim.Kernel) {
			for at, done := 1, false; !done; at++ {
				for _, errno := range []unix.Errno{unix.EIO, unix.EBUSY, unix.EMFILE} {
					k := lender()
					faulty := haltest.FailAt(k, 0, 0)
					b := simtest.Open(t, Driver(), faulty, true, append(valves(chip), declare("in", `{"chip":"`+chip+`","line":3,"direction":"input"}`))...)
					held := k.Opened()
					faulty.Arm(at, errno)
					answer := b.Call("Lease", `{"lines":[`+lines+`]}`)
					failed := faulty.Failed()
					for _, fd := range b.Files {
						_ = k.Close(fd)
					}
					if failed != "" && failed != haltest.Close && len(b.Files) > 0 {
						t.Errorf("%s, call %d (%s) fails with %v: the answer is %s", lines, at, failed, errno, answer)
					}
					b.Hangup()
					b.Loop.Advance(time.Minute)
					failed = faulty.Failed()
					faulty.Arm(0, 0)
					if got := levels(k, chip); got != "000" {
						t.Errorf("%s, call %d (%s) fails with %v: the levels are %s, want 000", lines, at, failed, errno, got)
					}
					b.Expect("SetMany", `{"values":{"a":1,"b":0,"c":1}}`, `{}`)
					b.Expect("Get", `{"line":"in"}`, `{"value":0}`)
					if n := k.Opened() + b.Loop.Timers(); n != held {
						t.Errorf("%s, call %d (%s) fails with %v: %d descriptors and timers are left, want %d", lines, at, failed, errno, n, held)
					}
					b.Close()
					if done = failed == ""; done {
						break
					}
				}
			}
		})
	}
}
