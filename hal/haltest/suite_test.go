package haltest

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/halberd-io/halberd/hal"
)

var _ = flag.Bool("update", false, "write the golden files of testdata anew")

// comparing lets a test compare golden files whatever -update says: the toys with flaws must not write theirs.
func comparing(t *testing.T) {
	t.Helper()
	update := flag.Lookup("update").Value
	before := update.String()
	_ = update.Set("false")
	t.Cleanup(func() { _ = update.Set(before) })
}

// Each check finds what it is for.
func TestChecksFind(t *testing.T) {
	comparing(t)
	tests := []struct {
		check, name string
		wrong       flaws
		want        string // what one of the problems contains
	}{
		{"documented", "class without documentation", flaws{doc: "-"}, "class Lamp has no documentation"},
		{"documented", "class of another name", flaws{name: "Lamps"}, `the class is named "Lamps", and its driver says "Lamp"`},
		{"documented", "class in lower case", flaws{name: "lamp"}, `class "lamp": the name is not`},
		{"documented", "method without documentation", flaws{methodDoc: "-"}, "method Get has no documentation"},
		{"documented", "method in lower case", flaws{methodName: "set"}, `method "set": the name is not`},
		{"documented", "method without a verb", flaws{verb: 9}, "method Get has no verb"},
		{"documented", "method without its device", flaws{device: "led"}, "method Get does not have its device led as its first parameter"},
		{"documented", "parameter of white space", flaws{fieldDoc: " "}, "Set, parameter level has no documentation"},
		{"documented", "parameter inside a parameter", flaws{nestedDoc: "-"}, "Send, parameter parts, address has no documentation"},
		{"documented", "parameter with an underscore", flaws{fieldName: "the_level"}, `Set, parameter "the_level": the name is not`},
		{"documented", "parameter twice", flaws{twice: "level"}, "Set, parameter level: the name is there twice"},
		{"documented", "parameter like the device", flaws{twice: "lamp"}, "Set, parameter lamp: the name is there twice"},
		{"documented", "enumeration with a minus", flaws{enumValue: "pull-down"}, `Send, parameter bias, value "pull-down": the name is not`},
		{"documented", "unit that the name does not have", flaws{unitName: "delay"}, "Send, parameter delay: the name does not say that the unit is ms"},
		{"documented", "unit other than that of the name", flaws{unitName: "delayNSec"}, `Send, parameter delayNSec: the name says ns, and the unit declared is "ms"`},
		{"documented", "unit of another prefix", flaws{unitName: "delaySec"}, `Send, parameter delaySec: the name says s, and the unit declared is "ms"`},
		{"documented", "unknown unit", flaws{unit: "furlong"}, "Set, parameter level: the name does not say that the unit is furlong"},
		{"documented", "table without documentation", flaws{tableDoc: "-"}, "table lamp has no documentation"},
		{"documented", "key without documentation", flaws{keyDoc: "-"}, "table lamp name has no documentation"},
		{"documented", "class that does not open", flaws{noClass: true}, "cannot open the class: there is neither a class nor an error"},
		{"documented", "class that panics", flaws{panicsOpening: true}, "cannot open the class: panic: opening"},

		{"text", "other text than the golden one", flaws{methodDoc: "Reads it."}, "the interface is not that of testdata"},
		{"text", "no golden text", flaws{name: "Lantern"}, "-update writes it"},

		{"names", "malformed", flaws{badID: true}, `the device "a b": ' ' cannot stand in a name`},
		{"names", "listed and not found", flaws{badID: true}, `Get of "a b": lamp: ' ' cannot stand in a name`},
		{"names", "two devices of one name", flaws{twoIDs: true}, `two devices are named "hall"`},
		{"names", "two names of one device", flaws{alias: true}, `Get of "HALL" finds a device, and none has that ID`},
		{"names", "two names of one among several", flaws{alias: true}, `SetMany of "HALL" finds a device, and none has that ID`},
		{"names", "two names of one with a value", flaws{alias: true}, `SetLevels of "HALL" finds a device, and none has that ID`},
		{"names", "one device of two kinds", flaws{shelf: "hall"}, `Count of "yard": no such device: Lamp/yard`},

		{"calls", "method without a call", flaws{methodName: "Put"}, "the harness has no call of Put"},
		{"calls", "call without a method", flaws{methodName: "Put"}, "the harness has a call of Set, and there is no such method"},
		{"calls", "refused", flaws{fails: true}, `Get {"lamp":"hall"}: not supported: get`},
		{"calls", "result beyond its limits", flaws{wrongResult: true}, `Get {"lamp":"hall"}: level is 256 (or so many), want 0 to 255`},
		{"calls", "result of an event beyond its limits", flaws{wrongResult: true}, `Watch {"lamps":["hall"]}, event 1: level is 256`},
		{"calls", "result that is not declared", flaws{extraResult: true}, `Get {"lamp":"hall"}: extra is not declared`},
		{"calls", "result that is not there", flaws{missingResult: true}, `Get {"lamp":"hall"}: level is not there`},
		{"calls", "observer that writes", flaws{observerWrites: true}, `Get {"lamp":"hall"}: it observes, and writes: pwrite /sys/lamps/hall "0"`},

		{"watches", "state that is another one", flaws{moody: true}, `Watch {"lamps":["hall"]}: the first event is {"kind":"","level":2,"sequence":1,"lost":0}, and without more the state is {"kind":"","level":1,"sequence":1,"lost":0}`},
		{"watches", "event without a change", flaws{chatters: true}, `Watch {"lamps":["hall"]}: 2 events, and nothing happened, want the 1 states alone`},
		{"watches", "what a slow reader lost", flaws{chatters: true}, `Watch {"lamps":["hall"]}, of a slow reader: the first event is {"kind":"","level":0,"sequence":2,"lost":1}`},

		{"gate", "kernel asked before the gate", flaws{nosy: true}, `the gate refused it, and the kernel was asked: readdir /sys/lamps`},
		{"gate", "kernel written later", flaws{sneaky: true}, `the gate refused it, and later the kernel was asked: pwrite /sys/lamps/hall "1"`},

		{"malformed", "more taken than declared", flaws{lax: true}, "Set, level: max+1: it is not refused as InvalidParameter"},
		{"malformed", "more taken of one among several", flaws{lax: true}, "SetLevels, levels: max+1 inside: it is not refused as InvalidParameter"},
		{"malformed", "less than the least of one among several", flaws{lax: true}, "SetLevels, levels: min-1 inside: it is not refused as InvalidParameter"},
		{"malformed", "less taken than declared", flaws{tight: true}, "Set, level: max: it is refused"},
		{"malformed", "kernel asked meanwhile", flaws{nosy: true}, "the kernel was asked before the gate: readdir"},

		{"faults when opening", "descriptor left", flaws{leaks: true}, "opening, call 4 of the kernel failing with EIO, leaves behind: 1 descriptors of the harness's kernel, 0 before, a descriptor of /sys/lamps/hall"},
		{"faults when opening", "timer left", flaws{leavesTimer: true}, "opening, without a fault, leaves behind: 1 timers"},

		{"faults in a call", "write that failed in silence", flaws{swallowsWrite: true},
			`Set {"lamp":"hall","level":7}, call 1 of the kernel failing with EIO (pwrite): the caller is told that it worked`},
		{"faults in a call", "read that failed in silence", flaws{swallowsRead: true},
			`Get {"lamp":"hall"}, call 1 of the kernel failing with EACCES (pread): the caller is told that it worked`},
		{"faults in a call", "device that is gone", flaws{plainErrors: true}, `failing with ENODEV (pread): the answer is "no such device", want DeviceGone`},
		{"faults in a call", "device that is busy", flaws{plainErrors: true}, `failing with EBUSY (pwrite): the answer is "device or resource busy", want Busy`},
		{"faults in a call", "error without a number", flaws{vague: true}, "the answer is neither a refusal nor an error of the kernel: something went wrong"},
		{"faults in a call", "panic", flaws{panicsLate: true}, `Set {"lamp":"hall","level":7}, call 1 of the kernel failing with EIO: panic: an error`},
		{"faults in a call", "panic on a worker", flaws{panicsLate: true, slow: true}, `a job panicked: an error`},
		{"faults in a call", "panic in the second of several", flaws{panicsLate: true}, `SetMany {"lamps":["yard","hall"],"level":7}, call 2 of the kernel failing with EBUSY: panic`},
		{"faults in a call", "device that stays broken", flaws{sticks: true}, `Set {"lamp":"hall","level":7}, after call 1 of the kernel failing with EIO: the device is busy`},

		{"faults when closing", "closing leaves a timer", flaws{leavesTimer: true}, "leaves behind: 1 timers"},

		{"rescan", "none", flaws{noRescan: true}, `the class names the subsystems ["lamps"], and has no Rescan`},
		{"rescan", "no subsystems", flaws{noSubsystems: true}, "the class has a Rescan, and names no subsystems"},
		{"rescan", "harness that unplugs nothing", flaws{noPlug: true}, "the class has a Rescan, and the harness unplugs nothing"},
		{"rescan", "panic", flaws{panicsRescanning: true}, "a rescan of the same hardware: panic: rescanning"},
		{"rescan", "no rest", flaws{restless: true}, "a rescan of the same hardware: <nil>, again: true"},
		{"rescan", "touching what is the same", flaws{reopens: true}, "a rescan of the same hardware touches it: open /sys/lamps/hall"},
		{"rescan", "device that stays", flaws{forgetful: true}, `unplugging leaves ["hall" "yard"] of ["hall" "yard"]`},
		{"rescan", "descriptor of another one", flaws{byName: true}, `Get {"lamp":"hall"} on hardware that was replaced: the device is gone`},
		{"rescan", "descriptors that add up", flaws{keepsGone: true}, "5 descriptors are held after unplugging and plugging, 2 before"},
		{"rescan", "watch that does not end", flaws{quiet: true}, `Watch {"lamps":["hall"]}: the watch ends with <nil>, want DeviceGone`},

		{"faults in a rescan", "not looking again", flaws{givesUp: true}, `there are "yard", want "hall yard", and it does not want to look again`},
		{"faults in a rescan", "descriptors that add up", flaws{keepsGone: true}, "leaves behind: 1 descriptors of the harness's kernel"},
		{"faults in a rescan", "no rest", flaws{restless: true}, "again: true"},

		{"close", "closing twice", flaws{closesOnce: true}, "closing again: panic: closed twice"},
		{"close", "lease left", flaws{leavesLease: true}, "closing leaves behind: a lease of hall"},
		{"close", "timer left", flaws{leavesTimer: true}, "closing leaves behind: 1 timers"},
		{"close", "descriptor polled", flaws{leavesPoll: true}, "1 polled descriptors"},
		{"close", "descriptor of the process left", flaws{leavesDescriptor: true}, "of the process, anon_inode:[eventfd]"},
		{"close", "kernel asked later", flaws{touchesLater: true}, "after closing the kernel is asked: readdir /sys/lamps"},
	}
	tested := map[string]bool{}
	for _, test := range tests {
		tested[test.check] = true
		t.Run(test.check+"/"+test.name, func(t *testing.T) {
			got := strings.Join(checkNamed(t, test.check).problems(harness(test.wrong), false), "\n")
			if !strings.Contains(got, test.want) {
				t.Errorf("the check finds\n%s\nwant among it\n%s", got, test.want)
			}
		})
	}
	for _, c := range checks {
		if !tested[c.name] {
			t.Errorf("nothing shows that the check %q can fail", c.name)
		}
	}
}

func checkNamed(t *testing.T, name string) check {
	t.Helper()
	for _, c := range checks {
		if c.name == name {
			return c
		}
	}
	t.Fatalf("there is no check %q", name)
	return check{}
}

// A goroutine that stays is found when the suite's patience ends.
func TestGoroutineLeftIsFound(t *testing.T) {
	b := newBench(harness(flaws{leavesGoroutine: true})())
	defer b.end()
	b.patience = 10 * time.Millisecond
	if err := b.openClass(); err != nil {
		t.Fatal(err)
	}
	if err := b.closeClass(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(b.left(), "\n"); !strings.Contains(got, "(*toy).begin") {
		t.Errorf("left are\n%s\nwant the goroutine of begin", got)
	}
}

// A panic of a message is a finding, not the end of the tests.
func TestMalformedFindsPanics(t *testing.T) {
	f := &findings{open: harness(flaws{panics: true}), seen: map[string]bool{}}
	f.with(func(b *bench) {
		try := &decoding{findings: f, bench: b, method: b.method("Set")}
		try.refuses("a panic", `{"lamp":"hall","level":200}`, "level")
	})
	if got := strings.Join(f.problems, "\n"); !strings.Contains(got, "Set, a panic: panic: 200") {
		t.Errorf("found %q, want the panic", got)
	}
}

// A fault that a call may tolerate is no finding.
func TestTolerates(t *testing.T) {
	open := func() Harness {
		h := harness(flaws{swallowsRead: true})()
		h.Calls = []Call{{Method: "Get", Parameters: `{"lamp":"hall"}`, Tolerates: "it is but a toy"}}
		return h
	}
	if got := checkNamed(t, "faults in a call").problems(open, false); len(got) > 0 {
		t.Errorf("found %q, want nothing", got)
	}
}

// A class may have devices of two kinds.
func TestTwoKindsOfDevices(t *testing.T) {
	if got := checkNamed(t, "names").problems(harness(flaws{shelf: "oak"}), false); len(got) > 0 {
		t.Errorf("found %q, want nothing", got)
	}
}

// A call that the harness wants refused must not be carried out.
func TestRefusalThatDoesNotCome(t *testing.T) {
	open := func() Harness {
		h := harness(flaws{})()
		h.Calls = []Call{{Method: "Get", Parameters: `{"lamp":"hall"}`, Refusal: "io.halberd.NotSupported"}}
		return h
	}
	got := strings.Join(checkNamed(t, "calls").problems(open, false), "\n")
	if !strings.Contains(got, "it is carried out, want it refused as io.halberd.NotSupported") {
		t.Errorf("found %q, want the call that is carried out", got)
	}
}

// Entries that do not fit the tables are the harness's own fault, and are said.
func TestBadEntries(t *testing.T) {
	for name, e := range map[string]Entry{
		"the class has no table led":  {"led", "a", `{}`},
		"lamp.a: name: missing":       {"lamp", "a", `{}`},
		"lamp.a: cannot read JSON: ":  {"lamp", "a", `{`},
		"lamp.a: name: must be a str": {"lamp", "a", `{"name":1}`},
	} {
		open := func() Harness {
			h := harness(flaws{})()
			h.Entries = []Entry{e}
			return h
		}
		if got := strings.Join(checkNamed(t, "documented").problems(open, false), "\n"); !strings.Contains(got, "cannot open the class: "+name) {
			t.Errorf("found %q, want %s", got, name)
		}
	}
}

func TestGoldenText(t *testing.T) {
	comparing(t)
	folder := t.TempDir()
	f := &findings{open: harness(flaws{}), seen: map[string]bool{}}
	f.textIn(folder)
	if len(f.problems) != 1 || !strings.Contains(f.problems[0], "-update writes it") {
		t.Errorf("without a golden file found %q, want that", f.problems)
	}
	if err := os.WriteFile(filepath.Join(folder, "Lamp.varlink"), []byte(golden(t)), 0o644); err != nil {
		t.Fatal(err)
	}
	f = &findings{open: harness(flaws{}), seen: map[string]bool{}}
	if f.textIn(folder); len(f.problems) != 0 {
		t.Errorf("with its golden file found %q, want nothing", f.problems)
	}
}

func golden(t *testing.T) string {
	t.Helper()
	text := ""
	f := &findings{open: harness(flaws{}), seen: map[string]bool{}}
	f.with(func(b *bench) { text = hal.InterfaceText("io.halberd.Lamp", b.class.Doc, b.class.Methods, nil) })
	return text
}

// Names of both kinds are understood where they end in a unit.
func TestUnitsInNames(t *testing.T) {
	tests := []struct {
		name string
		unit hal.Unit
		ok   bool
	}{
		{"periodNSec", hal.Nanoseconds, true},
		{"timeUSec", hal.Microseconds, true},
		{"uSec", hal.Microseconds, true},
		{"timeoutMSec", hal.Milliseconds, true},
		{"dead-time-msec", hal.Milliseconds, true},
		{"timeoutSec", hal.Seconds, true},
		{"length", hal.Bytes, true},
		{"minimum", hal.AsParameter, true},
		{"brightness", hal.Unitless, true},
		{"timeoutMSec", hal.Seconds, false},
		{"currentKHz", hal.KiloHertz, true},
		{"current", hal.KiloHertz, false},
		{"timeoutMSec", hal.Unitless, false},
		{"timeoutSec", hal.Milliseconds, false},
		{"dead-time-msec", hal.Seconds, false},
		{"dead-time", hal.Milliseconds, false},
		{"timeout", hal.Seconds, false},
	}
	for _, test := range tests {
		t.Run(test.name+" in "+string(test.unit), func(t *testing.T) {
			var f findings
			f.seen = map[string]bool{}
			f.unit("x", hal.Field{Name: test.name, Kind: hal.Int, Unit: test.unit})
			if got := len(f.problems) == 0; got != test.ok {
				t.Errorf("accepted: %t, want %t: %q", got, test.ok, f.problems)
			}
		})
	}
}

// What a reply may hold is what was declared, within its limits, at every depth.
func TestDeclares(t *testing.T) {
	fields := []hal.Field{
		{Name: "n", Kind: hal.Int, Min: 1, Max: 5},
		{Name: "b", Kind: hal.Bool, Optional: true},
		{Name: "t", Kind: hal.Text, Optional: true, Max: 3},
		{Name: "e", Kind: hal.Enum, Optional: true, Values: []string{"on", "off"}},
		{Name: "d", Kind: hal.Blob, Optional: true, Max: 2},
		{Name: "ts", Kind: hal.Texts, Optional: true, Min: 1, Max: 2},
		{Name: "m", Kind: hal.IntMap, Optional: true, Max: 1},
		{Name: "r", Kind: hal.Raw, Optional: true},
		{Name: "l", Kind: hal.List, Optional: true, Max: 2, Fields: []hal.Field{{Name: "x", Kind: hal.Int, Max: 9}}},
	}
	tests := []struct{ text, want string }{
		{`{"n":1}`, ""},
		{`{"n":5,"b":true,"t":"abc","e":"off","d":"AAE=","ts":["a"],"m":{"a":1},"r":{"any":[1.5]},"l":[{"x":0},{"x":9}]}`, ""},
		{`{}`, "x: n is not there"},
		{`{"n":0}`, "x: n is 0 (or so many), want 1 to 5"},
		{`{"n":6}`, "x: n is 6 (or so many), want 1 to 5"},
		{`{"n":"1"}`, "x: n is a string"},
		{`{"n":1.0}`, "x: n is a number"},
		{`{"n":null}`, "x: n is null"},
		{`{"n":1,"n":1}`, `x: duplicate key "n"`},
		{`{"n":1,"q":1}`, "x: q is not declared"},
		{`{"n":1`, "x: cannot read JSON"},
		{`{"n":1,"t":"abcd"}`, "x: t is 4 (or so many), want 0 to 3"},
		{`{"n":1,"e":"dim"}`, `x: e is "dim", want one of ["on" "off"]`},
		{`{"n":1,"d":"AAEC"}`, "x: d is 3 (or so many), want 0 to 2"},
		{`{"n":1,"d":"A"}`, "x: d: not base64"},
		{`{"n":1,"ts":[]}`, "x: ts is 0 (or so many), want 1 to 2"},
		{`{"n":1,"m":{"a":1,"b":2}}`, "x: m is 2 (or so many), want 0 to 1"},
		{`{"n":1,"r":[]}`, "x: r is an array"},
		{`{"n":1,"l":[{"x":0},{}]}`, "x: l[1]: x is not there"},
		{`{"n":1,"l":[{"x":10}]}`, "x: l[0]: x is 10 (or so many), want 0 to 9"},
		{`{"n":1,"l":[{"x":1},{"x":1},{"x":1}]}`, "x: l is 3 (or so many), want 0 to 2"},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			f := findings{seen: map[string]bool{}}
			f.declares("x", fields, []byte(test.text))
			got := strings.Join(f.problems, "\n")
			if (test.want == "") != (got == "") || !strings.Contains(got, test.want) {
				t.Errorf("found %q, want %q", got, test.want)
			}
		})
	}
}
