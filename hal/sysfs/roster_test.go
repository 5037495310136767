package sysfs_test

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sysfs"
)

// bulb is a device that writes down what happens to it. Its starts belong to the worker of its bus.
type bulb struct {
	id, bus      string
	starts       []bool
	gone, closed int
}

func (d *bulb) ID() string       { return d.id }
func (d *bulb) Bus() string      { return d.bus }
func (d *bulb) Start(first bool) { d.starts = append(d.starts, first) }
func (d *bulb) Unplug()          { d.gone++ }
func (d *bulb) Close()           { d.closed++ }

// shelf is a roster of bulbs over the lights of a simulated board.
type shelf struct {
	*testing.T
	*sysfs.Roster[*bulb]
	kernel *sim.Kernel
	loop   *haltest.Loop
	log    strings.Builder
	// places changes what is found; nil for nothing.
	places func([]sysfs.Place) []sysfs.Place
	// fails is what opening answers, by the kernel's name.
	fails  map[string]error
	opened []*bulb
}

const lights = "/sys/class/leds"

// newShelf has a roster with entries of board.toml, "ID=kernel's name", where the name all* means all that begin so. It has looked for nothing yet.
func newShelf(t *testing.T, entries ...string) *shelf {
	s := &shelf{T: t, kernel: sim.New(sim.Options{Bare: true}), loop: haltest.NewLoop(), fails: map[string]error{}}
	env := &hal.Env{Kernel: s.kernel, Loop: s.loop, Log: slog.New(slog.NewTextHandler(&s.log, nil))}
	for i, e := range entries {
		id, name, _ := strings.Cut(e, "=")
		env.Entries = append(env.Entries, hal.Entry{Table: "bulb", ID: id, Where: fmt.Sprintf("board.toml:%d", i+1), Value: name})
	}
	s.Roster = &sysfs.Roster[*bulb]{Env: env, Set: hal.NewSet[*bulb]("Bulb", "bulb"), Noun: "bulb", Places: s.find, Means: means, Open: s.open}
	return s
}

func (s *shelf) find() ([]sysfs.Place, error) {
	all, err := sysfs.Entries(s.Env.Kernel, lights)
	if s.places != nil {
		all = s.places(all)
	}
	return all, err
}

func means(e *hal.Entry, p sysfs.Place) bool {
	name := e.Value.(string)
	if stem, all := strings.CutSuffix(name, "*"); all {
		return strings.HasPrefix(p.Path, lights+"/"+stem)
	}
	return p.Path == lights+"/"+name
}

// open opens a bulb. One whose name begins with far is on a slow bus.
func (s *shelf) open(id string, p sysfs.Place, _ *hal.Entry) (*bulb, error) {
	name := strings.TrimPrefix(p.Path, lights+"/")
	if err := s.fails[name]; err != nil {
		return nil, err
	}
	d := &bulb{id: id}
	if strings.HasPrefix(name, "far") {
		d.bus = "i2c-1"
	}
	s.opened = append(s.opened, d)
	return d, nil
}

func (s *shelf) add(names ...string) *shelf {
	for _, name := range names {
		s.kernel.AddLED(sim.LED{Name: name, Max: 1})
	}
	return s
}

// begin begins, which must not fail.
func (s *shelf) begin() *shelf {
	s.Helper()
	if err := s.Begin(); err != nil {
		s.Fatal(err)
	}
	return s
}

// rescan looks again, and compares whether it wants to look once more, and what there is.
func (s *shelf) rescan(again bool, ids string) {
	s.Helper()
	if got := s.Rescan(); got != again {
		s.Errorf("it wants to look again: %v, want %v: %s", got, again, s.log.String())
	}
	s.loop.Turn()
	s.expect(ids)
}

func (s *shelf) expect(ids string) {
	s.Helper()
	var got []string
	for _, d := range s.Set.All() {
		got = append(got, d.id)
	}
	if got := strings.Join(got, " "); got != ids {
		s.Errorf("got %q, want %q", got, ids)
	}
}

// said expects that the log says something so often.
func (s *shelf) said(times int, what string) {
	s.Helper()
	if got := strings.Count(s.log.String(), what); got != times {
		s.Errorf("%q is said %d times, want %d: %s", what, got, times, s.log.String())
	}
}

// TestRosterNames: what devices are called at the start, and just so when they are plugged in later.
func TestRosterNames(t *testing.T) {
	nameless := func(all []sysfs.Place) []sysfs.Place {
		for i := range all {
			all[i].Name = ""
		}
		return all
	}
	alike := func(all []sysfs.Place) []sysfs.Place {
		for i := range all {
			all[i].Name = "bulb"
		}
		return all
	}
	for _, c := range []struct {
		name, entries, there string
		places               func([]sysfs.Place) []sysfs.Place
		ids, log             string
	}{
		{"the kernel's names", "", "a b", nil, "a b", ""},
		{"what an ID may not have", "", "a*", nil, "a%2A", ""},
		{"a name of board.toml", "door=a", "a b", nil, "b door", ""},
		{"what is not there", "door=none", "a", nil, "a", "a device of board.toml is not there"},
		{"a name of board.toml is never that of other hardware", "a=none", "a b", nil, "b", "board.toml gives its name to another one"},
		{"board.toml turns names around", "a=b b=a", "a b", nil, "a b", ""},
		{"several of one name", "", "a b", alike, "", "several are called so"},
		{"board.toml names one of them", "door=a", "a b", alike, "door", "several are called so"},
		{"no name of its own", "door=a", "a b", nameless, "door", ""},
	} {
		for _, when := range []string{"at the start", "later"} {
			t.Run(c.name+", "+when, func(t *testing.T) {
				s := newShelf(t, strings.Fields(c.entries)...)
				s.places = c.places
				if when == "later" {
					s.begin()
				}
				s.add(strings.Fields(c.there)...)
				if when == "later" {
					s.rescan(false, c.ids)
				} else {
					s.begin().expect(c.ids)
				}
				if c.log == "" && strings.Contains(s.log.String(), "left out") {
					t.Errorf("it leaves one out: %s", s.log.String())
				}
				if !strings.Contains(s.log.String(), c.log) {
					t.Errorf("it does not say %q: %s", c.log, s.log.String())
				}
			})
		}
	}
}

// TestRosterContradictions: what contradicts board.toml is an error at the start, after which all is closed, and left out later, with a word.
func TestRosterContradictions(t *testing.T) {
	which := func(e *hal.Entry, all []sysfs.Place) error { return fmt.Errorf("%s is one of %d", e.ID, len(all)) }
	titled := func(all []sysfs.Place) []sysfs.Place {
		for i := range all {
			all[i].Title = "the bulb " + all[i].Name
		}
		return all
	}
	unfit := &hal.EntryError{Entry: &hal.Entry{Table: "bulb", ID: "door", Where: "board.toml:1"}, Err: errors.New("it is too dim")}
	for _, c := range []struct {
		name, entries string
		set           func(*shelf)
		err, ids      string
	}{
		{"an entry may mean two", "door=a*", nil, "board.toml:1: bulb.door: it may be /sys/class/leds/a1 or /sys/class/leds/a2: say which", "b"},
		{"a class has its own words for it", "door=a*", func(s *shelf) { s.Which = which }, "board.toml:1: bulb.door: door is one of 2", "b"},
		{"messages use titles", "door=a*", func(s *shelf) { s.places = titled }, "board.toml:1: bulb.door: it may be the bulb a1 or the bulb a2: say which", "b"},
		{"two entries mean one", "door=b gate=b", nil, "board.toml:2: bulb.gate: /sys/class/leds/b is bulb.door already, at board.toml:1", "a1 a2"},
		{"one that another entry may mean", "door=a* gate=a1", nil, "board.toml:1: bulb.door: it may be /sys/class/leds/a1 or /sys/class/leds/a2: say which", "b gate"},
		{"unfit for its entry", "door=b", func(s *shelf) { s.fails["b"] = unfit }, "board.toml:1: bulb.door: it is too dim", "a1 a2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newShelf(t, strings.Fields(c.entries)...).add("a1", "a2", "b")
			if c.set != nil {
				c.set(s)
			}
			if err := s.Begin(); err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("at the start: got %v, want %s", err, c.err)
			}
			for _, d := range s.opened {
				if d.closed != 1 || len(d.starts) != 0 {
					t.Errorf("%s was closed %d times and started %v, want once and not at all", d.id, d.closed, d.starts)
				}
			}
			s = newShelf(t, strings.Fields(c.entries)...)
			if c.set != nil {
				c.set(s)
			}
			s.begin().add("a1", "a2", "b")
			for range 3 {
				s.rescan(false, c.ids)
			}
			if !strings.Contains(s.log.String(), "a device is left out") || strings.Count(s.log.String(), strings.ReplaceAll(c.err, `"`, `\"`)) > 2 {
				t.Errorf("it is not said, or again and again: %s", s.log.String())
			}
		})
	}
}

// TestRosterLongNames: what is called too long for an ID is left out, at the start, too, and has the name that board.toml gives it.
func TestRosterLongNames(t *testing.T) {
	s := newShelf(t, "door=a2*").add("a1", "a2", "b")
	s.places = func(all []sysfs.Place) []sysfs.Place {
		for i := range all {
			if all[i].Name != "b" {
				all[i].Name = strings.Repeat(all[i].Name, 65)
			}
		}
		return all
	}
	s.begin().expect("b door")
	for range 2 {
		s.rescan(false, "b door")
	}
	s.said(1, "its name is too long")
}

// TestRosterNamesStay: a device keeps its name whatever comes beside it, and no name passes on to another one while the first is there.
func TestRosterNamesStay(t *testing.T) {
	s := newShelf(t, "door=a*").add("a1", "b")
	s.places = func(all []sysfs.Place) []sysfs.Place {
		for i := range all {
			all[i].Name = strings.TrimRight(all[i].Name, "0123456789")
		}
		return all
	}
	s.begin().expect("b door")
	first := s.opened[0]
	s.add("a2", "b2")
	for range 2 {
		s.rescan(false, "b door")
	}
	s.said(1, "say which")
	s.said(1, "several are called so")
	if d, _ := s.Set.Find([]byte("door")); d != first || d.gone != 0 {
		t.Errorf("door is another one")
	}
	s.kernel.Unplug("a1")
	s.kernel.Unplug("b")
	s.rescan(false, "b door")
	if d, _ := s.Set.Find([]byte("door")); d == first || first.gone != 1 || first.closed != 0 {
		t.Errorf("the first one was unplugged %d times and closed %d times, want 1 and 0", first.gone, first.closed)
	}
	s.said(2, "a device is gone")
}

// TestRosterReplaced: hardware that went and came under one name between two looks is other hardware.
func TestRosterReplaced(t *testing.T) {
	s := newShelf(t).add("a", "b").begin()
	s.kernel.Unplug("a")
	s.kernel.Plug("a")
	s.rescan(false, "a b")
	old, other, now := s.opened[0], s.opened[1], s.opened[2]
	if old.gone != 1 || other.gone != 0 || len(s.opened) != 3 {
		t.Errorf("unplugged %d and %d times, opened %d; want 1, 0 and 3", old.gone, other.gone, len(s.opened))
	}
	if !slices.Equal(now.starts, []bool{true}) {
		t.Errorf("the new one was started %v, want once, as hardware that starts", now.starts)
	}
	s.kernel.Unplug("a")
	s.rescan(false, "b")
	if refusal := s.Set.Missing("a").ErrorName(); refusal != "io.halberd.DeviceGone" {
		t.Errorf("the name answers %s, want DeviceGone", refusal)
	}
	s.Close()
	if now.closed != 0 || other.closed != 1 {
		t.Errorf("closed %d times what is gone and %d times what is there, want 0 and 1", now.closed, other.closed)
	}
}

// TestRosterTriesAgain: what cannot be opened or looked at is said once, left out, and looked for again.
func TestRosterTriesAgain(t *testing.T) {
	broken := false
	for _, c := range []struct {
		name, log string
		set       func(s *shelf)
	}{
		{"a device that cannot be opened", "cannot open a device", func(s *shelf) { s.fails["a"] = map[bool]error{true: unix.EIO}[broken] }},
		{"a place that cannot be read", "cannot look at a device", func(s *shelf) {
			s.places = func(all []sysfs.Place) []sysfs.Place {
				if broken {
					all[0].Err = unix.EIO
				}
				return all
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newShelf(t)
			s.begin().add("a", "b")
			broken = true
			c.set(s)
			for range 3 {
				s.rescan(true, "b")
			}
			s.said(1, c.log)
			broken = false
			c.set(s)
			s.rescan(false, "a b")
			s.kernel.Unplug("a")
			s.rescan(false, "b")
			broken = true
			c.set(s)
			s.kernel.Plug("a")
			s.rescan(true, "b")
			s.said(2, c.log)
		})
	}
}

// TestRosterInDoubt: a device of which cannot be told whether it is there stays, and is looked at again. All of one entry are one question.
func TestRosterInDoubt(t *testing.T) {
	s := newShelf(t).add("a", "b")
	s.places = func(all []sysfs.Place) (parts []sysfs.Place) {
		for _, p := range all {
			for _, part := range []string{"0", "1", "2"} {
				parts = append(parts, sysfs.Place{Path: p.Path, Part: part, Name: p.Name + "/" + part})
			}
		}
		return parts
	}
	s.begin()
	faulty := haltest.FailAt(s.kernel, 1, unix.EIO)
	s.Env.Kernel = faulty
	s.rescan(true, "a/0 a/1 a/2 b/0 b/1 b/2")
	s.said(1, "cannot look for devices")
	s.said(1, "input/output error")
	if n := faulty.Count(); n != 3 {
		t.Errorf("looking at two entries and their list took %d calls, want 3", n)
	}
	s.kernel.Unplug("a")
	s.rescan(false, "b/0 b/1 b/2")
	for _, d := range s.opened[:3] {
		if d.gone != 1 {
			t.Errorf("%s was unplugged %d times", d.id, d.gone)
		}
	}
}

// TestRosterStarts: what is there at the start is started at once, as this start of the daemon is; what comes later starts for the first time, on the worker of its bus.
func TestRosterStarts(t *testing.T) {
	s := newShelf(t).add("a", "far a")
	s.loop.Full = true
	s.begin().expect("a far%20a")
	s.add("b", "far b")
	s.rescan(true, "a b far%20a far%20b")
	starts := func(want ...string) {
		t.Helper()
		for i, d := range s.opened {
			if got := fmt.Sprint(d.starts); got != want[i] {
				t.Errorf("%s was started %s, want %s", d.id, got, want[i])
			}
		}
	}
	starts("[false]", "[false]", "[true]", "[]")
	s.rescan(true, "a b far%20a far%20b")
	starts("[false]", "[false]", "[true]", "[]")
	s.loop.Full = false
	for range 2 {
		s.rescan(false, "a b far%20a far%20b")
		starts("[false]", "[false]", "[true]", "[true]")
	}
	s = newShelf(t).add("a", "far a")
	s.Env.FirstStart = true
	s.begin()
	starts("[true]", "[true]")
}

// TestRosterStartsOnAWorker: a start that waits for its bus holds nobody up, and what is unplugged meanwhile is not waited for.
func TestRosterStartsOnAWorker(t *testing.T) {
	s := newShelf(t)
	hung, goOn := make(chan bool), make(chan bool)
	s.begin().add("far")
	if err := s.loop.Submit("i2c-1", func() { hung <- true; <-goOn }, func() {}); err != nil {
		t.Fatal(err)
	}
	<-hung
	if s.Rescan() {
		t.Error("it wants to look again")
	}
	s.kernel.Unplug("far")
	if s.Rescan() || s.opened[0].gone != 1 {
		t.Errorf("it wants to look again, or was unplugged %d times", s.opened[0].gone)
	}
	goOn <- true
	s.loop.Turn()
	s.expect("")
	s.Close()
}

// TestRosterWithoutAList: a class that cannot be listed stops the daemon at the start, and is tried again later, with all that was there.
func TestRosterWithoutAList(t *testing.T) {
	s := newShelf(t).add("a")
	fail := errors.New("no list")
	places := s.Places
	s.Places = func() ([]sysfs.Place, error) { return nil, fail }
	if err := s.Begin(); !errors.Is(err, fail) {
		t.Errorf("at the start: got %v, want %v", err, fail)
	}
	s.Places = places
	s.begin().expect("a")
	s.Places = func() ([]sysfs.Place, error) { return nil, fail }
	s.rescan(true, "a")
	s.said(1, "no list")
}

// TestNamed: entries whose numbers come as they come have the names that an attribute says, and one that cannot be read says so.
func TestNamed(t *testing.T) {
	k := sim.New(sim.Options{Bare: true})
	k.AddHwmon(sim.Sensor{Attributes: map[string]string{"name": "lm75", "temp1_input": "1"}})
	k.AddHwmon(sim.Sensor{Attributes: map[string]string{"name": "fan"}})
	k.FailAttribute("hwmon1", "name", unix.EIO)
	places, err := sysfs.Named(k, "/sys/class/hwmon", "name")
	if err != nil || len(places) != 2 || places[0] != (sysfs.Place{Path: "/sys/class/hwmon/hwmon0", Name: "lm75"}) || !errors.Is(places[1].Err, unix.EIO) {
		t.Errorf("got %v, %v", places, err)
	}
	if places, err = sysfs.Named(k, "/sys/class/none", "name"); err != nil || len(places) != 0 {
		t.Errorf("of a class that is not there: got %v, %v", places, err)
	}
}
