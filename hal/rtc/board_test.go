package rtc

import (
	"testing"

	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
)

func named(id, keys string) simtest.Entry { return simtest.Entry{Table: "rtc", ID: id, Keys: keys} }

// TestBadBoard: what contradicts itself or the hardware stops the daemon, with file and line.
func TestBadBoard(t *testing.T) {
	for _, c := range []struct {
		name, want string
		entries    []simtest.Entry
	}{
		{"two that wake", "board.toml:2: rtc.b: the clock that wakes this board is a already, at board.toml:1",
			[]simtest.Entry{named("a", `{"name":"rtc0","wakes":true}`), named("b", `{"name":"rtc1","wakes":true}`)}},
		{"one that cannot wake", "board.toml:1: rtc.a: the clock cannot wake this board", []simtest.Entry{named("a", `{"name":"rtc1","wakes":true}`)}},
		{"no name", "board.toml:1: rtc.a: name must not be empty", []simtest.Entry{named("a", `{"name":""}`)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := sim.New(sim.Options{Bare: true})
			k.AddRTC(sim.RTC{})
			k.AddRTC(sim.RTC{NoAlarm: true})
			simtest.ExpectRefused(t, Driver(), k, c.want, c.entries...)
		})
	}
}

// TestWhichWakes: the clock of board.toml, by either of its names, else the kernel's first that can.
func TestWhichWakes(t *testing.T) {
	none := `{"wakes":[]}`
	for _, c := range []struct{ name, entry, wakes, wake string }{
		{"the first that can", ``, `{"clock":"rtc1","wakes":[]}`, `{}`},
		{"by the kernel's name", `{"name":"rtc10","wakes":true}`, `{"clock":"main","wakes":[]}`, `{}`},
		{"by its device", `{"name":"1-0048","wakes":true}`, `{"clock":"main","wakes":[]}`, `{}`},
		{"named, no more", `{"name":"rtc1"}`, `{"clock":"main","wakes":[]}`, `{}`},
		{"one that is not there", `{"name":"rtc11","wakes":true}`, none, `NoSuchDevice{"class":"Rtc","device":"main"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := sim.New(sim.Options{Bare: true})
			k.AddRTC(sim.RTC{NoAlarm: true})
			for i := range 10 {
				k.AddRTC(sim.RTC{Under: map[int]string{4: sim.OnI2C}[i]})
			}
			var entries []simtest.Entry
			if c.entry != "" {
				entries = append(entries, named("main", c.entry))
			}
			b := simtest.Open(t, Driver(), k, false, entries...)
			b.Expect("Wakes", `{}`, c.wakes)
			b.Expect("Wake", `{"name":"a","atUSec":1767229200000000}`, c.wake)
		})
	}
	for _, c := range []struct {
		name   string
		clocks int
		want   string
	}{{"none that can", 1, `NotSupported{"feature":"wake"}`}, {"none at all", 0, `NoSuchDevice{"class":"Rtc","device":"rtc0"}`}} {
		k := sim.New(sim.Options{Bare: true})
		for range c.clocks {
			k.AddRTC(sim.RTC{NoAlarm: true})
		}
		b := simtest.Open(t, Driver(), k, false)
		b.Expect("Wakes", `{}`, none)
		b.Expect("Wake", `{"name":"a","atUSec":1767229200000000}`, c.want)
	}
}

// TestRange: of kernels that tell, and of those that do not.
func TestRange(t *testing.T) {
	for text, want := range map[string][2]int64{
		"[0,4294967295]": {0, 1<<32 - 1}, "[946684800,4102444799]": {946684800, 4102444799}, "[-2208988800,253402300799]": {0, lastEver},
		"[0,18446744073709551615]": {0, lastEver}, "": {0, lastEver}, "[x,y]": {0, lastEver},
	} {
		if first, last := parseRange(text); first != want[0] || last != want[1] {
			t.Errorf("%q: got %d to %d, want %d to %d", text, first, last, want[0], want[1])
		}
	}
}

// TestDeclared: what halberd detect prints means the same clocks.
func TestDeclared(t *testing.T) {
	k := sim.New(sim.Options{Bare: true})
	k.AddRTC(sim.RTC{})
	k.AddRTC(sim.RTC{NoAlarm: true})
	b := simtest.Open(t, Driver(), k, false)
	entries := b.Declared()
	if len(entries) != 2 || entries[0] != named("rtc0", `{"name":"rtc0"}`) {
		t.Fatalf("got %v", entries)
	}
	b.Close()
	if got := simtest.Open(t, Driver(), k, false, entries...).IDs(); got != "rtc0 rtc1" {
		t.Errorf("got %s, want rtc0 rtc1", got)
	}
}
