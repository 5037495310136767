package gpio

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	gpiocdev "github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
	"github.com/halberd-io/halberd/hal/uapi"
)

func TestInterlockErrors(t *testing.T) {
	out := func(id, line, more string) simtest.Entry {
		return declare(id, `{"chip":"soc","line":`+line+`,"direction":"output"`+more+`}`)
	}
	a, b := out("a", "0", ""), out("b", "1", "")
	for _, c := range []struct {
		name, want string
		entries    []simtest.Entry
	}{
		{"a good one", "", []simtest.Entry{a, b, interlocked("m", `"a","b"`, `,"max-active":1,"dead-time-msec":3600000`)}},
		{"a line in two", "", []simtest.Entry{a, b, out("c", "2", ""), interlocked("m", `"a","b"`, ``), interlocked("n", `"b","c"`, ``)}},
		{"one that starts active", "", []simtest.Entry{out("a", "0", `,"initial":1,"safe":0`), out("b", "1", `,"initial":0,"safe":1`), interlocked("m", `"a","b"`, ``)}},
		{"two of three that start active", "", []simtest.Entry{out("a", "0", `,"initial":1`), b, out("c", "2", `,"safe":1`), interlocked("m", `"a","b","c"`, `,"max-active":2`)}},
		{"a line that is not declared", `board.toml:2: interlock.m: line "LAMP" is not declared: there is no [gpio.ID] for it`, []simtest.Entry{a, interlocked("m", `"a","LAMP"`, ``)}},
		{"a group", `board.toml:3: interlock.m: line "g" is not declared: there is no [gpio.ID] for it`, []simtest.Entry{a, together("g", `"a"`), interlocked("m", `"a","g"`, ``)}},
		{"an input", `board.toml:2: interlock.m: line "in" needs direction = "output"`, []simtest.Entry{a, interlocked("m", `"a","in"`, ``), declare("in", button+`}`)}},
		{"no direction", `board.toml:3: interlock.m: line "x" needs direction = "output"`, []simtest.Entry{a, declare("x", `{"chip":"soc","line":1}`), interlocked("m", `"a","x"`, ``)}},
		{"one line", `board.toml:2: interlock.m: never-together: must have at least 2 elements`, []simtest.Entry{a, interlocked("m", `"a"`, ``)}},
		{"one line twice", `board.toml:3: interlock.m: line "a" is given twice`, []simtest.Entry{a, b, interlocked("m", `"a","b","a"`, ``)}},
		{"none that may be active", `board.toml:3: interlock.m: max-active: must be from 1 to 63`, []simtest.Entry{a, b, interlocked("m", `"a","b"`, `,"max-active":0`)}},
		{"all may be active", `board.toml:3: interlock.m: max-active is 2: it must be less than the 2 lines`, []simtest.Entry{a, b, interlocked("m", `"a","b"`, `,"max-active":2`)}},
		{"a dead time without end", `board.toml:3: interlock.m: dead-time-msec: must be from 0 to 3600000`, []simtest.Entry{a, b, interlocked("m", `"a","b"`, `,"dead-time-msec":3600001`)}},
		{"a dead time before", `board.toml:3: interlock.m: dead-time-msec: must be from 0 to 3600000`, []simtest.Entry{a, b, interlocked("m", `"a","b"`, `,"dead-time-msec":-1`)}},
		{"too many are active at the first start", `board.toml:3: interlock.m: 2 of its lines have initial = 1 or safe = 1, and at most 1 may be active`,
			[]simtest.Entry{out("a", "0", `,"initial":1,"safe":0`), out("b", "1", `,"initial":1,"safe":0`), interlocked("m", `"a","b"`, ``)}},
		{"too many are active at the first start, one by its safe value", `board.toml:3: interlock.m: 2 of its lines have initial = 1 or safe = 1, and at most 1 may be active`,
			[]simtest.Entry{out("a", "0", `,"initial":1,"safe":0`), out("b", "1", `,"safe":1`), interlocked("m", `"a","b"`, ``)}},
		{"too many are safe", `board.toml:3: interlock.m: 2 of its lines have safe = 1, and at most 1 may be active`,
			[]simtest.Entry{out("a", "0", `,"initial":0,"safe":1`), out("b", "1", `,"safe":1`), interlocked("m", `"a","b"`, ``)}},
		{"what was before is restored", `board.toml:3: interlock.m: line "b" has on-release = "restore": what it was before may be forbidden then`,
			[]simtest.Entry{a, out("b", "1", `,"on-release":"restore"`), interlocked("m", `"a","b"`, ``)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, got := bench(), ""
			if _, err := simtest.TryOpen(t, Driver(), k, true, c.entries...); err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// lockBench is a class on the chips near and far of valveChips, in simulated time: that of the class's clock and that of its loop go together.
type lockBench struct {
	*simtest.Bench
	sim *sim.Kernel
}

// locks runs a test with the lines a, b and c of the chip near, of which b is active-low, and d of the chip far.
func locks(t *testing.T, kernel func(*sim.Kernel) hal.Kernel, more map[string]string, entries []simtest.Entry, test func(b lockBench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		k := sim.New(sim.Options{Bare: true, Lends: true})
		k.AddChip(sim.Chip{Label: "near", Lines: []sim.Line{{Name: "A"}, {Name: "B", Level: 1}, {Name: "C"}}})
		k.AddChip(sim.Chip{Label: "far", Under: sim.OnI2C, Lines: []sim.Line{{Name: "D"}}})
		for id, keys := range map[string]string{"a": `"near","line":0`, "b": `"near","line":1,"active-low":true`, "c": `"near","line":2`, "d": `"far","line":0`} {
			entries = append(entries, declare(id, `{"chip":`+keys+`,"direction":"output"`+more[id]+`}`))
		}
		test(lockBench{simtest.Open(t, Driver(), kernel(k), true, entries...), k})
	})
}

// asItIs is the simulator as it is.
func asItIs(k *sim.Kernel) hal.Kernel { return k }

func (b lockBench) wait(d time.Duration) {
	time.Sleep(d)
	b.Loop.Advance(d)
}

// values are the logical values of a, b, c and d at their chips.
func (b lockBench) expectValues(when, want string) {
	b.Helper()
	got := ""
	for _, line := range []string{"A", "B", "C", "D"} {
		value := b.sim.Value(line)
		if line == "B" {
			value = 1 - value
		}
		got += string(rune('0' + value))
	}
	if got != want {
		b.Errorf("%s: the lines are %s, want %s", when, got, want)
	}
}

// lockStep is one call, after a while.
type lockStep struct {
	after            time.Duration
	method, in, want string
	values           string // of the lines then
}

func (b lockBench) play(name string, steps []lockStep) {
	b.Helper()
	for _, s := range steps {
		b.wait(s.after)
		b.Expect(s.method, s.in, s.want)
		b.expectValues(name+": "+s.method+" "+s.in, s.values)
	}
}

const ms = time.Millisecond

func on(line string) string  { return `{"line":"` + line + `","value":1}` }
func off(line string) string { return `{"line":"` + line + `","value":0}` }

func lockedBy(interlock, other string) string {
	return `Interlocked{"group":"` + interlock + `","conflicting":"` + other + `"}`
}

func tooEarly(interlock, other, msec string) string {
	return `Interlocked{"group":"` + interlock + `","conflicting":"` + other + `","retryAfterMSec":` + msec + `}`
}

// TestInterlock: for every way to set a line.
func TestInterlock(t *testing.T) {
	for _, c := range []struct {
		name    string
		entries []simtest.Entry
		steps   []lockStep
	}{
		{"two lines of two chips, with a dead time", []simtest.Entry{interlocked("m", `"b","d"`, `,"dead-time-msec":50`)}, []lockStep{
			{0, "Set", on("b"), tooEarly("m", "d", "50"), "0000"},
			{20500 * time.Microsecond, "Toggle", `{"line":"d"}`, tooEarly("m", "b", "30"), "0000"},
			{0, "Set", on("a"), `{}`, "1000"},
			{0, "Set", off("d"), `{}`, "1000"}, // no second deactivation
			{29500 * time.Microsecond, "Set", on("b"), `{}`, "1100"},
			{0, "Set", on("b"), `{}`, "1100"},
			{0, "Set", on("d"), lockedBy("m", "b"), "1100"},
			{time.Hour, "Toggle", `{"line":"d"}`, lockedBy("m", "b"), "1100"},
			{0, "Pulse", `{"line":"d","value":1,"durationUSec":10}`, lockedBy("m", "b"), "1100"},
			{0, "Pulse", `{"line":"d","value":0,"durationUSec":10}`, lockedBy("m", "b"), "1100"},
			{0, "SetMany", `{"values":{"a":0,"c":1,"d":1}}`, lockedBy("m", "b"), "1100"},
			{0, "SetMany", `{"values":{"b":0,"d":1}}`, lockedBy("m", "b"), "1100"},
			{0, "Toggle", `{"line":"b"}`, `{}`, "1000"},
			{0, "Set", on("b"), `{}`, "1100"}, // its own dead time is none
			{0, "SetMany", `{"values":{"b":0,"d":0}}`, `{}`, "1000"},
			{49 * ms, "Set", on("d"), tooEarly("m", "b", "1"), "1000"},
			{1 * ms, "Set", on("d"), `{}`, "1001"},
			{0, "SetMany", `{"values":{"a":0,"d":1}}`, `{}`, "0001"},
		}},
		{"two lines without a dead time", []simtest.Entry{interlocked("m", `"a","d"`, ``)}, []lockStep{
			{0, "SetMany", `{"values":{"a":1,"d":1}}`, lockedBy("m", "d"), "0000"},
			{0, "Set", on("a"), `{}`, "1000"},
			{0, "SetMany", `{"values":{"a":0,"d":1}}`, `{}`, "0001"},
			{0, "SetMany", `{"values":{"d":0,"a":1}}`, `{}`, "1000"},
			{0, "Pulse", `{"line":"a","value":0,"durationUSec":10}`, `{}`, "1000"},
			{0, "Pulse", `{"line":"a","value":1,"durationUSec":10}`, `{}`, "0000"},
			{0, "Set", on("d"), `{}`, "0001"},
		}},
		{"lines of one group", []simtest.Entry{together("g", `"a","b"`), interlocked("m", `"a","b"`, ``)}, []lockStep{
			{0, "SetMany", `{"values":{"a":1,"b":1}}`, lockedBy("m", "b"), "0000"},
			{0, "SetMany", `{"values":{"a":1,"b":0}}`, `{}`, "1000"},
			{0, "SetMany", `{"values":{"a":0,"b":1}}`, lockedBy("m", "a"), "1000"},
			{0, "Set", off("a"), `{}`, "0000"},
			{0, "SetMany", `{"values":{"a":0,"b":1}}`, `{}`, "0100"},
			{0, "Configure", `{"line":"a","initial":1}`, `NotSupported{"feature":"interlock"}`, "0100"},
		}},
		{"two of three", []simtest.Entry{interlocked("m", `"a","b","d"`, `,"max-active":2,"dead-time-msec":10`)}, []lockStep{
			{10 * ms, "SetMany", `{"values":{"a":1,"b":1}}`, `{}`, "1100"},
			{0, "Set", on("d"), lockedBy("m", "b"), "1100"},
			{0, "Set", off("a"), `{}`, "0100"},
			{0, "Set", on("d"), tooEarly("m", "a", "10"), "0100"},
			{0, "Set", on("b"), `{}`, "0100"},
			{10 * ms, "SetMany", `{"values":{"b":0,"d":1}}`, lockedBy("m", "b"), "0100"},
			{0, "Set", on("d"), `{}`, "0101"},
			{0, "Pulse", `{"line":"b","value":0,"durationUSec":10}`, `NotSupported{"feature":"interlock"}`, "0101"},
		}},
		{"two of three, and a group", []simtest.Entry{together("g", `"a","b"`), interlocked("m", `"a","b","d"`, `,"max-active":2,"dead-time-msec":10`)}, []lockStep{
			{10 * ms, "Set", on("a"), `{}`, "1000"},
			{0, "SetMany", `{"values":{"a":0,"b":1}}`, lockedBy("m", "a"), "1000"},
			{0, "SetMany", `{"values":{"a":1,"b":1}}`, `{}`, "1100"},
		}},
		{"a line in two", []simtest.Entry{interlocked("m", `"a","b"`, ``), interlocked("n", `"b","d"`, `,"dead-time-msec":10`)}, []lockStep{
			{10 * ms, "SetMany", `{"values":{"a":1,"d":1}}`, `{}`, "1001"},
			{0, "Set", on("b"), lockedBy("m", "a"), "1001"},
			{0, "SetMany", `{"values":{"a":0,"b":1}}`, lockedBy("n", "d"), "1001"},
			{0, "Set", off("d"), `{}`, "1000"},
			{0, "SetMany", `{"values":{"a":0,"b":1}}`, tooEarly("n", "d", "10"), "1000"},
			{10 * ms, "SetMany", `{"values":{"a":0,"b":1}}`, `{}`, "0100"},
		}},
		{"what is no more possible", []simtest.Entry{together("g", `"a","c"`), interlocked("m", `"a","d"`, ``)}, []lockStep{
			{0, "Configure", `{"line":"a","activeLow":true}`, `NotSupported{"feature":"interlock"}`, "0000"},
			{0, "Configure", `{"line":"c","activeLow":true}`, `NotSupported{"feature":"interlock"}`, "0000"},
			{0, "Configure", `{"line":"d","direction":"input"}`, `NotSupported{"feature":"interlock"}`, "0000"},
			{0, "Configure", `{"line":"b","initial":1}`, `{}`, "0100"},
			{0, "Lease", `{"lines":["a","c"]}`, `NotSupported{"feature":"interlock"}`, "0100"},
			{0, "Lease", `{"lines":["d"]}`, `NotSupported{"feature":"interlock"}`, "0100"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			locks(t, asItIs, nil, c.entries, func(b lockBench) { b.play(c.name, c.steps) })
		})
	}
}

// TestInterlockAtStart: what is active goes on where it may, and what is to become active does so after the dead time.
func TestInterlockAtStart(t *testing.T) {
	lock := []simtest.Entry{interlocked("m", `"a","d"`, `,"dead-time-msec":50`)}
	active := func(lines ...string) func(*sim.Kernel) hal.Kernel {
		return func(k *sim.Kernel) hal.Kernel {
			for _, line := range lines {
				k.Pull(line, 1)
			}
			return k
		}
	}
	for _, c := range []struct {
		name          string
		kernel        func(*sim.Kernel) hal.Kernel
		more          map[string]string
		entries       []simtest.Entry
		at0, at49     string
		at50, changes string
	}{
		{"nothing is active", asItIs, nil, lock, "0000", "0000", "0000", ""},
		{"one is active", active("D"), nil, lock, "0001", "0001", "0001", ""},
		{"both are active", active("A", "D"), nil, lock, "1000", "1000", "1000", "switched off"},
		{"one is to be active", asItIs, map[string]string{"a": `,"initial":1`}, lock, "0000", "0000", "1000", ""},
		{"one is to be active, and is", active("A"), map[string]string{"a": `,"initial":1`}, lock, "1000", "1000", "1000", ""},
		{"one is to be active on a slow bus", asItIs, map[string]string{"d": `,"safe":1`}, lock, "0000", "0000", "0001", ""},
		{"one is to be active in the place of another one", active("D"), map[string]string{"a": `,"initial":1`, "d": `,"safe":0`}, lock, "0000", "0000", "1000", ""},
		{"one is to be active, and another one is", active("D"), map[string]string{"a": `,"initial":1`}, lock, "0001", "0001", "0001", ""},
		{"a group", active("C"), map[string]string{"a": `,"initial":1`, "c": `,"initial":0`}, append(lock, together("g", `"a","c"`)), "0000", "0000", "1000", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			locks(t, c.kernel, c.more, c.entries, func(b lockBench) {
				b.expectValues("at once", c.at0)
				b.wait(49 * ms)
				b.expectValues("just before", c.at49)
				b.wait(1 * ms)
				b.expectValues("after the dead time", c.at50)
				b.wait(time.Hour)
				b.expectValues("long after", c.at50)
				if !strings.Contains(b.Log.String(), c.changes) {
					t.Errorf("logged %q, want %q in it", b.Log.String(), c.changes)
				}
				if n := b.Loop.Timers(); n != 0 {
					t.Errorf("%d timers are left", n)
				}
			})
		})
	}
}

// TestInterlockForgoes: what cannot become active is given up, and said, and what somebody set meanwhile stays so.
func TestInterlockForgoes(t *testing.T) {
	lock := []simtest.Entry{interlocked("m", `"a","d"`, `,"dead-time-msec":50`)}
	more := map[string]string{"a": `,"initial":1`}
	locks(t, asItIs, more, lock, func(b lockBench) {
		b.Expect("Set", off("a"), `{}`)
		b.wait(time.Minute)
		b.expectValues("after somebody set it", "0000")
	})
	locks(t, func(k *sim.Kernel) hal.Kernel { k.Pull("D", 1); return k }, more, lock, func(b lockBench) {
		b.wait(time.Minute)
		b.expectValues("while the other one is active", "0001")
		if !strings.Contains(b.Log.String(), "an output stays at 0") {
			t.Errorf("logged %q", b.Log.String())
		}
		b.Expect("Set", off("d"), `{}`)
		b.wait(time.Minute)
		b.expectValues("after it was given up", "0000")
	})
}

// TestInterlockReleases: on-release and Board.Safe write what is permitted, and the rest once it is.
func TestInterlockReleases(t *testing.T) {
	lock := []simtest.Entry{interlocked("m", `"a","d"`, `,"dead-time-msec":50`)}
	locks(t, asItIs, map[string]string{"a": `,"initial":0,"safe":1`, "d": `,"safe":0`}, lock, func(b lockBench) {
		b.wait(50 * ms)
		b.Expect("Set", on("d"), `{}`)
		line := b.Class.Devices.At(indexOf(b.Bench, "a")).(*Line)
		release, err := line.Claim()
		if err != nil {
			t.Fatal(err)
		}
		if err := release(); err == nil || simtest.Text(err) != lockedBy("m", "d") {
			t.Errorf("got %v, want that it is interlocked", err)
		}
		b.expectValues("while the other one is active", "0001")
		for _, o := range b.Class.Safe() {
			if o.Value == 0 {
				if err := o.Bring(); err != nil {
					t.Error(err)
				}
			}
		}
		if err := line.bringSafe(); err == nil || simtest.Text(err) != tooEarly("m", "d", "50") {
			t.Errorf("got %v, want that it is too early", err)
		}
		b.expectValues("the other one is safe", "0000")
		b.wait(200 * ms)
		b.expectValues("after the dead time", "1000")
	})
}

// TestInterlockFailsSafe: a line that is not held, or that could not be written, counts as active.
func TestInterlockFailsSafe(t *testing.T) {
	lock := []simtest.Entry{interlocked("m", `"a","d"`, ``), interlocked("n", `"b","c"`, ``)}
	failing := &setter{}
	locks(t, func(k *sim.Kernel) hal.Kernel { failing.Kernel = k; return failing }, nil, lock, func(b lockBench) {
		const eio = `System{"origin":"linux","errno":5,"errnoName":"EIO"}`
		b.sim.Unplug("gpiochip1")
		b.Rescan()
		b.play("a chip is gone", []lockStep{{0, "Set", on("a"), lockedBy("m", "d"), "0000"}})
		b.sim.Plug("gpiochip1")
		b.Rescan()
		failing.sets, failing.fail = nil, 1
		b.play("it is back", []lockStep{{0, "Set", on("d"), eio, "0000"}})
		b.play("it may be active", []lockStep{
			{0, "Set", on("a"), lockedBy("m", "d"), "0000"},
			{0, "Set", off("d"), `{}`, "0000"},
			{0, "SetMany", `{"values":{"a":1,"d":0}}`, `{}`, "1000"},
			{0, "Set", off("a"), `{}`, "0000"},
		})
		b.play("", []lockStep{{0, "Set", on("b"), `{}`, "0100"}})
		failing.sets, failing.fail = nil, 2
		b.play("one takes the place of another one, and fails", []lockStep{
			{0, "SetMany", `{"values":{"b":0,"c":1}}`, eio, "0000"},
			{0, "Set", on("b"), lockedBy("n", "c"), "0000"},
			{0, "Set", off("c"), `{}`, "0000"},
			{0, "Set", on("b"), `{}`, "0100"},
		})
		failing.sets, failing.fail = nil, 3
		b.play("one took the place of another one, and a third fails", []lockStep{{0, "SetMany", `{"values":{"b":0,"c":1,"d":1}}`, eio, "0100"}})
	})
	locks(t, func(k *sim.Kernel) hal.Kernel { return busy{k} }, nil, lock, func(b lockBench) {
		b.play("somebody has it", []lockStep{{0, "Set", on("a"), lockedBy("m", "d"), "0000"}})
	})
}

// busy is a kernel that has the lines of the second chip for itself.
type busy struct{ *sim.Kernel }

func (k busy) Ioctl(fd int, request uint, argument unsafe.Pointer) error {
	if request == uapi.GPIOGetLine && (*gpiocdev.LineRequest)(argument).Offsets[0] == 0 {
		info := new(gpiocdev.ChipInfo)
		if err := k.Kernel.Ioctl(fd, uapi.GPIOGetChipInfo, unsafe.Pointer(info)); err != nil || gpiocdev.BytesToString(info.Label[:]) == "far" {
			return unix.EBUSY
		}
	}
	return k.Kernel.Ioctl(fd, request, argument)
}

// TestInterlockDuringAPulse: a pulse to 0 keeps its place, and ends.
func TestInterlockDuringAPulse(t *testing.T) {
	locks(t, asItIs, nil, []simtest.Entry{interlocked("m", `"a","d"`, `,"dead-time-msec":50`)}, func(b lockBench) {
		b.wait(50 * ms)
		p := begin(b.Bench, `{"line":"a","value":0,"durationUSec":100000}`)
		b.wait(99 * ms)
		b.Expect("Set", on("d"), lockedBy("m", "a"))
		b.expectValues("during the pulse", "0000")
		b.wait(1 * ms)
		p.expect("at its end", "{}")
		b.expectValues("at its end", "1000")
		p = begin(b.Bench, `{"line":"a","value":1,"durationUSec":1000}`)
		b.wait(1 * ms)
		p.expect("the end of one to 1", "{}")
		b.play("after it", []lockStep{{0, "Set", on("d"), tooEarly("m", "a", "50"), "0000"}, {50 * ms, "Set", on("d"), `{}`, "0001"}})
	})
}

// hungWrites is a kernel whose second chip's writes hang.
type hungWrites struct {
	*sim.Kernel
	hangs, resume chan struct{}
	fd            int
}

func (k *hungWrites) Ioctl(fd int, request uint, argument unsafe.Pointer) error {
	if request == uapi.GPIOLineSetValues && fd == k.fd {
		close(k.hangs)
		<-k.resume
	}
	return k.Kernel.Ioctl(fd, request, argument)
}

// TestInterlockWithAHungBus: while a write hangs, its line counts as active, and nobody else waits.
func TestInterlockWithAHungBus(t *testing.T) {
	k := &hungWrites{hangs: make(chan struct{}), resume: make(chan struct{}), fd: -1}
	b := simtest.Open(t, Driver(), func() hal.Kernel { k.Kernel = valveChips(); return k }(), true,
		declare("near", `{"chip":"near","line":"B","direction":"output"}`), declare("far", `{"chip":"far","line":"B","direction":"output"}`), interlocked("m", `"near","far"`, ``))
	k.fd = b.Class.Devices.At(indexOf(b, "far")).(*Line).held.fd
	set, _, err := b.Permit("Set", on("far"))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- set.Run(nil) }()
	<-k.hangs
	b.Expect("Set", on("near"), lockedBy("m", "far"))
	b.Expect("Set", off("near"), `{}`)
	k.fd = -1
	close(k.resume)
	if err := <-done; err != nil {
		t.Error(err)
	}
	b.Expect("Set", on("near"), lockedBy("m", "far"))
	b.Expect("Set", off("far"), `{}`)
	b.Expect("Set", on("near"), `{}`)
}

// TestTakeOver: lines that a process before held are counted as they are.
func TestTakeOver(t *testing.T) {
	lock := []simtest.Entry{interlocked("m", `"a","b"`, ``)}
	locks(t, func(k *sim.Kernel) hal.Kernel { k.Pull("A", 1); return k }, nil, lock, func(b lockBench) {
		a, c := b.Class.Devices.At(indexOf(b.Bench, "a")).(*Line), b.Class.Devices.At(indexOf(b.Bench, "b")).(*Line)
		b.Expect("Set", on("b"), lockedBy("m", "a"))
		a.locked.become(a)
		if err := a.takeOver(a.held, a.bit, 1); err != nil {
			t.Error(err)
		}
		b.Expect("Set", on("b"), lockedBy("m", "a"))
		c.locked.become(c)
		if err := c.held.set(0, 1); err != nil {
			t.Error(err)
		}
		if err := c.takeOver(c.held, c.bit, 1); err != nil {
			t.Error(err)
		}
		b.expectValues("two were active", "1000")
		b.Expect("Set", off("a"), `{}`)
		b.Expect("Set", on("b"), `{}`)
	})
}

// TestInterlockOfAPulseAtStart: a line that was active at the start is so still, but a pulse would activate it again within the dead time of the start.
func TestInterlockOfAPulseAtStart(t *testing.T) {
	lock := []simtest.Entry{interlocked("m", `"a","d"`, `,"dead-time-msec":50`)}
	locks(t, func(k *sim.Kernel) hal.Kernel { k.Pull("A", 1); return k }, nil, lock, func(b lockBench) {
		b.play("at start", []lockStep{
			{0, "Set", on("a"), `{}`, "1000"},
			{0, "Pulse", `{"line":"a","value":0,"durationUSec":10}`, tooEarly("m", "d", "50"), "1000"},
			{50 * ms, "Pulse", `{"line":"a","value":0,"durationUSec":10}`, `{}`, "1000"},
		})
	})
}

func TestInterlocksOfALine(t *testing.T) {
	locks(t, asItIs, nil, []simtest.Entry{interlocked("m", `"a","b"`, ``), interlocked("n", `"b","d"`, ``)}, func(b lockBench) {
		for id, want := range map[string]string{"a": "m", "b": "m n", "c": "", "d": "n"} {
			if got := strings.Join(b.Class.Devices.At(indexOf(b.Bench, id)).(*Line).Interlocks(), " "); got != want {
				t.Errorf("%s: got %q, want %q", id, got, want)
			}
		}
	})
}
