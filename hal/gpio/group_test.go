package gpio

import (
	"strings"
	"testing"
	"time"
	"unsafe"

	gpiocdev "github.com/warthog618/go-gpiocdev/uapi"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
	"github.com/halberd-io/halberd/hal/uapi"
)

func together(id, lines string) simtest.Entry {
	return simtest.Entry{Table: groupTable, ID: id, Keys: `{"lines":[` + lines + `]}`}
}

// valves are three outputs of one chip, two of them a group, on a platform bus or on I2C.
func valves(chip string) []simtest.Entry {
	out := func(line, more string) string {
		return `{"chip":"` + chip + `","line":"` + line + `","direction":"output"` + more + `}`
	}
	return []simtest.Entry{
		declare("a", out("A", `,"safe":0`)), declare("b", out("B", `,"active-low":true,"initial":1`)), declare("c", out("C", `,"safe":0`)),
		together("pair", `"a","b"`),
	}
}

// valveChips is a bare board with the chips near and far, each with the lines A, B and C, of which B is low.
func valveChips() *sim.Kernel {
	k := sim.New(sim.Options{Bare: true})
	lines := []sim.Line{{Name: "A", Output: true, Level: 1}, {Name: "B"}, {Name: "C", Output: true, Level: 1}, {}}
	k.AddChip(sim.Chip{Label: "near", Lines: lines})
	k.AddChip(sim.Chip{Label: "far", Under: sim.OnI2C, Lines: lines})
	return k
}

// everyValve runs a test on a chip of a platform bus and on one of a slow bus. at is how the simulator calls a line of it.
func everyValve(t *testing.T, test func(t *testing.T, chip string, k *sim.Kernel)) {
	for _, chip := range []string{"near", "far"} {
		t.Run(chip, func(t *testing.T) { test(t, chip, valveChips()) })
	}
}

// levels are those of A, B and C.
func levels(k *sim.Kernel, chip string) (all string) {
	for _, at := range []string{"/0", "/1", "/2"} {
		all += string(rune('0' + k.Value(chip+at)))
	}
	return all
}

// TestGroupStarts: the lines of a group are one request, with the values that each line alone would have.
func TestGroupStarts(t *testing.T) {
	for _, c := range []struct {
		name, a, b, levels string
		first              bool
	}{
		{"left alone", ``, ``, "101", true},
		{"left alone, active-low", `,"active-low":true`, `,"active-low":true`, "101", true},
		{"all given", `,"initial":0`, `,"initial":1`, "011", true},
		{"one given", `,"initial":0`, ``, "001", true},
		{"safe at a restart", `,"initial":1,"safe":0`, `,"initial":1`, "001", false},
		{"each with its own settings", `,"active-low":true,"bias":"pull_down","initial":0`, `,"active-low":true,"initial":1`, "101", true},
	} {
		everyValve(t, func(t *testing.T, chip string, k *sim.Kernel) {
			out := `{"chip":"` + chip + `","direction":"output","line":`
			counted := &requests{Kernel: k}
			b := simtest.Open(t, Driver(), counted, c.first, together("pair", `"b","a"`), declare("a", out+`"A"`+c.a+`}`), declare("b", out+`"B"`+c.b+`}`))
			if got := levels(k, chip); got != c.levels {
				t.Errorf("%s: the levels are %s, want %s", c.name, got, c.levels)
			}
			if counted.lines != 2 || counted.made != 1 {
				t.Errorf("%s: %d requests of %d lines, want 1 of 2", c.name, counted.made, counted.lines)
			}
			b.Close()
			if edges := k.Changes(chip+"/0") + k.Changes(chip+"/1"); edges != strings.Count(xor(c.levels, "101"), "1") {
				t.Errorf("%s: %d edges", c.name, edges)
			}
			if n := k.Opened(); n != 0 {
				t.Errorf("%s: %d descriptors are left open", c.name, n)
			}
		})
	}
}

func xor(a, b string) (out string) {
	for i := range a {
		out += string('0' + (a[i] ^ b[i]))
	}
	return out
}

// requests counts what is asked of the kernel.
type requests struct {
	*sim.Kernel
	made, lines, sets int
}

func (k *requests) Ioctl(fd int, request uint, argument unsafe.Pointer) error {
	switch request {
	case uapi.GPIOGetLine:
		k.made++
		k.lines = int((*gpiocdev.LineRequest)(argument).Lines)
	case uapi.GPIOLineSetValues:
		k.sets++
	}
	return k.Kernel.Ioctl(fd, request, argument)
}

// TestGroupMembers: each line of a group is read, set and configured as one that stands alone, and leaves the others as they are.
func TestGroupMembers(t *testing.T) {
	everyValve(t, func(t *testing.T, chip string, k *sim.Kernel) {
		b := simtest.Open(t, Driver(), k, true, valves(chip)...)
		w := b.Watch("Watch", `{"lines":["a","b"]}`)
		w.Events()
		for _, step := range []struct{ method, in, want, levels string }{
			{"Get", `{"line":"a"}`, `{"value":0}`, "000"},
			{"Get", `{"line":"b"}`, `{"value":1}`, "000"},
			{"Set", `{"line":"a","value":1}`, `{}`, "100"},
			{"Set", `{"line":"b","value":0}`, `{}`, "110"},
			{"Toggle", `{"line":"a"}`, `{}`, "010"},
			{"GetMany", `{"lines":["a","b","c"]}`, `{"values":{"a":0,"b":0,"c":0}}`, "010"},
			{"Configure", `{"line":"a","activeLow":true}`, `{}`, "010"},
			{"Get", `{"line":"a"}`, `{"value":1}`, "010"},
			{"Configure", `{"line":"b","activeLow":false,"initial":0}`, `{}`, "000"},
			{"Configure", `{"line":"a","bias":"pull_up","initial":0}`, `{}`, "100"},
			{"Configure", `{"line":"a","direction":"input"}`, `NotSupported{"feature":"group"}`, "100"},
			{"Configure", `{"line":"b","drive":"open_drain"}`, `NotSupported{"feature":"group"}`, "100"},
			{"Set", `{"line":"b","value":1}`, `{}`, "110"},
		} {
			b.Expect(step.method, step.in, step.want)
			if got := levels(k, chip); got != step.levels {
				t.Errorf("%s %s: the levels are %s, want %s", step.method, step.in, got, step.levels)
			}
		}
		w.Expect(`{"line":"a","value":1}`, `{"line":"b","value":0}`, `{"line":"a","value":0}`, `{"line":"a","value":1}`, `{"line":"a","value":0}`, `{"line":"b","value":1}`)
		for id, want := range map[string]string{"a": "a b", "b": "a b", "c": ""} {
			if got := strings.Join(b.Class.Devices.At(indexOf(b, id)).(hal.Grouped).Together(), " "); got != want {
				t.Errorf("%s is with %q, want %q", id, got, want)
			}
		}
		for _, o := range b.Class.Safe() {
			if err := o.Bring(); err != nil {
				t.Errorf("%s: %v", o.Device.ID(), err)
			}
		}
		if got := levels(k, chip); got != "010" {
			t.Errorf("safe: the levels are %s, want 010", got)
		}
	})
}

// TestGroupThatAnotherProcessHad: nothing of a group is held while one line of it is somebody else's; then the others go to their safe values with the first that is set.
func TestGroupThatAnotherProcessHad(t *testing.T) {
	everyValve(t, func(t *testing.T, chip string, k *sim.Kernel) {
		release := take(t, k, map[string]string{"near": "gpiochip0", "far": "gpiochip1"}[chip], 1)
		b := simtest.Open(t, Driver(), k, true, valves(chip)...)
		if !strings.Contains(b.Log.String(), "cannot hold a group of outputs") || !strings.Contains(b.Log.String(), "where=board.toml:4") {
			t.Errorf("the log does not name it: %s", b.Log.String())
		}
		if held, _ := k.Consumer(chip + "/0"); held != "" {
			t.Errorf("the other line is with %q, want nobody", held)
		}
		b.Expect("Get", `{"line":"a"}`, `{"value":0}`)
		b.Expect("Set", `{"line":"b","value":1}`, `Busy{"class":"Gpio","device":"b","holder":"gpioset"}`)
		b.Expect("Set", `{"line":"a","value":1}`, `Busy{"class":"Gpio","device":"a"}`)
		release()
		b.Expect("Set", `{"line":"b","value":0}`, `{}`)
		if got := levels(k, chip); got != "010" {
			t.Errorf("the levels are %s, want 010", got)
		}
	})
}

func TestGroupErrors(t *testing.T) {
	out := func(line, more string) string {
		return `{"chip":"soc","line":` + line + `,"direction":"output"` + more + `}`
	}
	a, b := declare("a", out("0", "")), declare("b", out("1", ""))
	for _, c := range []struct {
		name, want string
		entries    []simtest.Entry
	}{
		{"a line that is not declared", `board.toml:2: gpio-group.g: line "LAMP" is not declared: there is no [gpio.ID] for it`, []simtest.Entry{a, together("g", `"a","LAMP"`)}},
		{"an input", `board.toml:2: gpio-group.g: line "in" needs direction = "output"`, []simtest.Entry{declare("in", button+`}`), together("g", `"in"`)}},
		{"no direction", `board.toml:2: gpio-group.g: line "x" needs direction = "output"`, []simtest.Entry{declare("x", `{"chip":"soc","line":0}`), together("g", `"x"`)}},
		{"open drain", `board.toml:2: gpio-group.g: line "x" is open_drain: the kernel sets such lines one by one`,
			[]simtest.Entry{declare("x", out("0", `,"drive":"open_drain"`)), together("g", `"x"`)}},
		{"two chips", `board.toml:3: gpio-group.g: line "far" is of chip "expander", and the first line of "soc": a group is of one chip, called by one name`,
			[]simtest.Entry{a, declare("far", `{"chip":"expander","line":1,"direction":"output"}`), together("g", `"a","far"`)}},
		{"two groups", `board.toml:4: gpio-group.h: line "b" is in gpio-group.g already, at board.toml:3`, []simtest.Entry{a, b, together("g", `"a","b"`), together("h", `"b"`)}},
		{"one line twice", `board.toml:2: gpio-group.g: line "a" is in gpio-group.g already, at board.toml:2`, []simtest.Entry{a, together("g", `"a","a"`)}},
		{"no line", `board.toml:1: gpio-group.g: lines: must have at least 1 elements`, []simtest.Entry{together("g", ``)}},
		{"a line that the chip does not have", `board.toml:2: gpio.x: chip soc has lines 0 to 6, and no line 7`, []simtest.Entry{a, declare("x", out("7", "")), together("g", `"a","x"`)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			simtest.ExpectRefused(t, Driver(), bench(), c.want, c.entries...)
		})
	}
}

// TestGroupIsPlugged: a group comes and goes with its chip, and takes its initial values when it comes.
func TestGroupIsPlugged(t *testing.T) {
	everyValve(t, func(t *testing.T, chip string, k *sim.Kernel) {
		name := map[string]string{"near": "gpiochip0", "far": "gpiochip1"}[chip]
		b := simtest.Open(t, Driver(), k, true, valves(chip)...)
		held := k.Opened()
		for range 3 {
			b.Expect("Set", `{"line":"a","value":1}`, `{}`)
			k.Unplug(name)
			b.Expect("Set", `{"line":"a","value":1}`, gone("a"))
			b.Rescan()
			b.Expect("Set", `{"line":"b","value":1}`, gone("b"))
			k.Plug(name)
			b.Rescan()
			b.Expect("GetMany", `{"lines":["a","b"]}`, `{"values":{"a":0,"b":1}}`)
			if consumer, output := k.Consumer(chip + "/1"); consumer != "halberd" || !output || k.Opened() != held {
				t.Errorf("the line is with %q, output %v, %d descriptors; want halberd, true, %d", consumer, output, k.Opened(), held)
			}
		}
	})
}

// TestGroupWithoutALine: a chip that comes without one of the lines leaves the group unheld, and its lines as they are.
func TestGroupWithoutALine(t *testing.T) {
	k := sim.New(sim.Options{Bare: true})
	b := simtest.Open(t, Driver(), k, true, valves("near")...)
	k.AddChip(sim.Chip{Label: "near", Lines: []sim.Line{{Name: "A", Output: true, Level: 1}}})
	b.Rescan()
	if !strings.Contains(b.Log.String(), "not all of its lines are there") {
		t.Errorf("the log does not say it: %s", b.Log.String())
	}
	b.Expect("Set", `{"line":"a","value":0}`, `NotSupported{"feature":"group"}`)
	b.Expect("Get", `{"line":"a"}`, `{"value":1}`)
	if k.Changes("A") != 0 {
		t.Error("the line changed")
	}
}

// TestGroupWithABusyWorker: a group on a bus whose worker has too much to do is requested later.
func TestGroupWithABusyWorker(t *testing.T) {
	k := valveChips()
	b := simtest.Open(t, Driver(), k, true, valves("far")...)
	k.Unplug("gpiochip1")
	k.Plug("gpiochip1")
	b.Loop.Full = true
	if !b.Class.Rescan() {
		t.Error("it does not want to look again")
	}
	b.Loop.Full = false
	b.Rescan()
	b.Loop.Advance(time.Second)
	if held, _ := k.Consumer("far/0"); held != "halberd" {
		t.Errorf("the line is with %q, want halberd", held)
	}
}

// The kernel has room for few settings that differ.
func TestSettingsThatDoNotFit(t *testing.T) {
	var wants []want
	for i := range 11 {
		wants = append(wants, want{flags: gpiocdev.LineFlagV2Input, debounceUSec: int64(i + 1)})
	}
	if _, err := configOf(wants[:10]); err != nil {
		t.Errorf("10 periods: %v", err)
	}
	if _, err := configOf(wants); err == nil || simtest.Text(err) != `NotSupported{"feature":"settings"}` {
		t.Errorf("11 periods: %v", err)
	}
	config, err := configOf([]want{{flags: gpiocdev.LineFlagV2Output, value: 1}, {flags: gpiocdev.LineFlagV2Input}, {flags: gpiocdev.LineFlagV2Input}})
	if err != nil || config.NumAttrs != 2 || config.Attrs[0].Mask != 6 || config.Attrs[1].Mask != 1 {
		t.Errorf("got %+v, %v", config, err)
	}
}
