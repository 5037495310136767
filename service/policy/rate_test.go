package policy

import (
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/config"
	"github.com/halberd-io/halberd/service/config/configtest"
)

const (
	ms = int64(time.Millisecond)
	s1 = int64(time.Second)
)

const rated = "[[grant]]\nid = \"a\"\nusers = [\"0-60000\"]\nmethods = [\"io.halberd.Led.*\", \"io.halberd.Gpio.*\"]\ndevices = [\"*\"]\n"

func TestRate(t *testing.T) {
	type step struct {
		at   int64 // ns
		uid  uint32
		want string
	}
	tests := []struct {
		name, policy string
		steps        []step
	}{
		{"one a second", rated + `rate = "1/s"`, []step{{0, 1, "a"}, {0, 1, "wait 1000"}, {s1 - 1, 1, "wait 1"}, {s1, 1, "a"}, {s1, 1, "wait 1000"}}},
		{"what was refused costs nothing", rated + `rate = "1/s"`, []step{{0, 1, "a"}, {1, 1, "wait 1000"}, {2, 1, "wait 1000"}, {s1, 1, "a"}}},
		{"each uid for itself", rated + `rate = "1/s"`, []step{{0, 1, "a"}, {0, 2, "a"}, {0, 1, "wait 1000"}, {0, 2, "wait 1000"}}},
		{"as many at once as the rate", rated + `rate = "3/s"`, []step{{0, 1, "a"}, {0, 1, "a"}, {0, 1, "a"}, {0, 1, "wait 334"}, {334 * ms, 1, "a"}, {334 * ms, 1, "wait 333"}}},
		{"a burst", rated + "rate = \"1/s\"\nburst = 3", []step{{0, 1, "a"}, {0, 1, "a"}, {0, 1, "a"}, {0, 1, "wait 1000"}, {s1, 1, "a"}, {s1, 1, "wait 1000"}, {10 * s1, 1, "a"}, {10 * s1, 1, "a"}, {10 * s1, 1, "a"}, {10 * s1, 1, "wait 1000"}}},
		{"a minute", rated + "rate = \"2/min\"\nburst = 1", []step{{0, 1, "a"}, {0, 1, "wait 30000"}, {30 * s1, 1, "a"}}},
		{"an hour", rated + "rate = \"1/h\"", []step{{0, 1, "a"}, {0, 1, "wait 3600000"}, {3600 * s1, 1, "a"}}},
		{"fast", rated + "rate = \"1000000/s\"\nburst = 1", []step{{0, 1, "a"}, {0, 1, "wait 1"}, {1000, 1, "a"}}},
		{"the greatest burst", rated + "rate = \"1/h\"\nburst = 1000000", []step{{0, 1, "a"}, {0, 1, "a"}}},
		{"another grant when the first is empty", rated + "rate = \"1/s\"\n[[grant]]\nid = \"b\"\nusers = [1]\nmethods = [\"io.halberd.Led.Get\"]\ndevices = [\"*\"]\nrate = \"1/min\"",
			[]step{{0, 1, "a"}, {0, 1, "b"}, {0, 1, "wait 1000"}, {s1, 1, "a"}, {s1, 1, "wait 1000"}}},
		{"a grant without rate takes no token", rated + "rate = \"1/s\"\n[[grant]]\nid = \"b\"\nusers = [1]\nmethods = [\"io.halberd.Led.Get\"]\ndevices = [\"front\"]",
			[]step{{0, 1, "b"}, {0, 1, "b"}, {0, 2, "a"}}},
	}
	cat := configtest.Catalog()
	call := configtest.Call(cat, "io.halberd.Led.Get", `{"led":"front"}`)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, c := compile(t, cat, tt.policy)
			for i, s := range tt.steps {
				c.ns = s.at
				snapshot := p.Snapshot(Identity{UID: s.uid})
				for range 2 { // Asking costs nothing.
					check, explained := snapshot.Check(call), p.Explain(Identity{UID: s.uid}, call.Method, call)
					if check.Allowed != (s.want == "a" || s.want == "b") || explained.Allowed != check.Allowed || explained.Grant != check.Grant {
						t.Errorf("step %d: Check says %+v, Explain %+v", i, check, explained)
					}
				}
				if got := answer(snapshot.Decide(call)); got != s.want {
					t.Errorf("step %d: got %s, want %s", i, got, s.want)
				}
			}
		})
	}
}

// Whoever has a range of uids, to take one after the other in a namespace, has the tokens of one.
func TestRateOfSubUIDs(t *testing.T) {
	cat := configtest.Catalog()
	files, err := config.ParsePolicy(accounts(t), cat, "f.toml", "[[grant]]\nid = \"a\"\ngroups = [300]\nmethods = [\"io.halberd.Led.Get\"]\ndevices = [\"*\"]\nrate = \"1/s\"\n")
	if err != nil {
		t.Fatal(err)
	}
	files.SubUIDs = config.SubUIDs{{Low: 100000, High: 165535}}
	p, c := Compile(files, cat, 1, nil), &clock{}
	p.buckets.now = c.now
	call := configtest.Call(cat, "io.halberd.Led.Get", `{"led":"front"}`)
	for _, row := range []struct {
		uid  uint32
		want string
	}{{100007, "a"}, {100000, "wait 1000"}, {165535, "wait 1000"}, {165536, "a"}, {99999, "a"}, {99999, "wait 1000"}} {
		id := Identity{UID: row.uid, GID: 300}
		if v, free := p.Explain(id, call.Method, call), row.want == "a"; v.Allowed != free {
			t.Errorf("uid %d: Explain says %+v, want allowed %v", row.uid, v, free)
		}
		if got := answer(p.Snapshot(id).Decide(call)); got != row.want {
			t.Errorf("uid %d: got %s, want %s", row.uid, got, row.want)
		}
	}
}

// A call on several devices takes one token from each grant that it needs, or none from any.
func TestRateOfSeveralDevices(t *testing.T) {
	cat := configtest.Catalog()
	p, c := compile(t, cat, `
[[grant]]
id = "pump"
users = [1]
methods = ["io.halberd.Gpio.Get"]
devices = ["relay-pump"]
rate = "1/s"
[[grant]]
id = "chip"
users = [1]
methods = ["io.halberd.Gpio.Get"]
devices = ["chip/*"]
rate = "1/min"
burst = 2
`)
	s := p.Snapshot(Identity{UID: 1})
	all := configtest.Call(cat, "io.halberd.Gpio.Get", `{"lines":["chip/4","chip/5","relay-pump"]}`)
	chip := configtest.Call(cat, "io.halberd.Gpio.Get", `{"lines":["chip/5"]}`)
	pump := configtest.Call(cat, "io.halberd.Gpio.Get", `{"lines":["relay-pump"]}`)
	denied := configtest.Call(cat, "io.halberd.Gpio.Get", `{"lines":["relay-pump","relay-fan"]}`)
	for i, step := range []struct {
		at   int64
		call *hal.Call
		want string
	}{
		{0, denied, "denied pump relay-fan"}, // takes no token
		{0, all, "chip"},
		{0, all, "wait 1000"}, // of the pump; takes no token of the chip
		{0, chip, "chip"},
		{0, chip, "wait 60000"},
		{s1, all, "wait 59000"}, // takes no token of the pump
		{s1, pump, "pump"},
		{s1, all, "wait 59000"},               // the longer one
		{s1, denied, "denied pump relay-fan"}, // and not that there is to wait
		{60 * s1, all, "chip"},
	} {
		c.ns = step.at
		if got := answer(s.Decide(step.call)); got != step.want {
			t.Errorf("step %d: got %s, want %s", i, got, step.want)
		}
	}
}

// The grant that is named for a call that has to wait is the first of those that have a token soonest, and of several devices the first one's.
func TestWhichGrantIsLate(t *testing.T) {
	cat := configtest.Catalog()
	grant := func(id, devices, rate string) string {
		return fmt.Sprintf("[[grant]]\nid = %q\nusers = [1]\nmethods = [\"io.halberd.Gpio.Get\"]\ndevices = [%q]\nrate = %q\n", id, devices, rate)
	}
	pump, both := `{"lines":["relay-pump"]}`, `{"lines":["relay-pump","chip/4"]}`
	for _, tt := range []struct {
		name, policy, parameters string
		calls                    int
		want                     string
	}{
		{"of two that wait as long", grant("a", "*", "1/s") + grant("b", "*", "1/s"), pump, 2, "a"},
		{"the one that waits less", grant("a", "*", "1/min") + grant("b", "*", "1/s"), pump, 2, "b"},
		{"of two devices that wait as long", grant("a", "relay-pump", "1/s") + grant("b", "chip/4", "1/s"), both, 1, "a"},
		{"of two devices the one that waits longer", grant("a", "relay-pump", "1/s") + grant("b", "chip/4", "1/min"), both, 1, "b"},
	} {
		p, _ := compile(t, cat, tt.policy)
		s, call := p.Snapshot(Identity{UID: 1}), configtest.Call(cat, "io.halberd.Gpio.Get", tt.parameters)
		for range tt.calls {
			if _, err := s.Decide(call); err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
		}
		if v := s.Check(call); v.Allowed || v.Grant != tt.want {
			t.Errorf("%s: got %+v, want %s", tt.name, v, tt.want)
		}
	}
}

// One decision is made at one time, and none where no rate is looked at.
func TestTheClockIsReadOnce(t *testing.T) {
	cat := configtest.Catalog()
	p, _ := compile(t, cat, rated+"rate = \"10/s\"\n[[grant]]\nid = \"b\"\nusers = [1]\nmethods = [\"io.halberd.Gpio.Get\"]\ndevices = [\"relay-pump\"]\nrate = \"10/s\"\n"+
		"[[grant]]\nid = \"c\"\nusers = [1]\nmethods = [\"io.halberd.Led.Set\"]\ndevices = [\"*\"]")
	reads := 0
	p.buckets.now = func() int64 { reads++; return s1 * int64(reads) }
	for _, tt := range []struct {
		method, parameters string
		want               int
	}{{"Gpio.Get", `{"lines":["relay-pump","chip/4","chip/5"]}`, 1}, {"Led.Get", `{"led":"front"}`, 1}, {"Led.Set", `{"led":"front","brightness":1}`, 0}, {"Policy.WhoAmI", `{}`, 0}} {
		reads = 0
		if _, err := p.Snapshot(Identity{UID: 1}).Decide(configtest.Call(cat, full(tt.method), tt.parameters)); err != nil || reads != tt.want {
			t.Errorf("%s: read %d times, want %d (%v)", tt.method, reads, tt.want, err)
		}
	}
}

func TestReloadKeepsBuckets(t *testing.T) {
	cat := configtest.Catalog()
	call := configtest.Call(cat, "io.halberd.Led.Get", `{"led":"front"}`)
	before := rated + `rate = "1/h"`
	for _, tt := range []struct{ name, after, want string }{
		{"the same", before, "wait 3600000"},
		{"another text", "# comment\n\n" + before, "wait 3600000"},
		{"another place", "[[grant]]\nid = \"z\"\nusers = [1]\nverbs = [\"administer\"]\nrate = \"5/s\"\n" + before, "wait 3600000"},
		{"another rate", rated + `rate = "1/min"`, "a"},
		{"another burst", rated + "rate = \"1/h\"\nburst = 2", "a"},
		{"another id", "[[grant]]\nid = \"b\"" + rated[len("[[grant]]\nid = \"a\""):] + `rate = "1/h"`, "b"},
		{"no rate", rated, "a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, _ := compile(t, cat, before)
			if got := answer(p.Snapshot(Identity{UID: 1}).Decide(call)); got != "a" {
				t.Fatalf("at first: got %s", got)
			}
			files, err := config.ParsePolicy(accounts(t), cat, "f.toml", tt.after)
			if err != nil {
				t.Fatal(err)
			}
			next := Compile(files, cat, 2, p)
			if got := answer(next.Snapshot(Identity{UID: 1}).Decide(call)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if next.Generation() != 2 {
				t.Errorf("got generation %d", next.Generation())
			}
			// The old policy goes on to work for who still has a snapshot of it.
			if err := p.Snapshot(Identity{UID: 2}).Permit(call); err != nil {
				t.Errorf("the old policy: %v", err)
			}
		})
	}
}

// A grant that goes and comes back begins anew, and leaves nothing behind.
func TestReloadDropsBuckets(t *testing.T) {
	cat := configtest.Catalog()
	call := configtest.Call(cat, "io.halberd.Led.Get", `{"led":"front"}`)
	first, _ := compile(t, cat, rated+`rate = "1/h"`)
	if err := first.Snapshot(Identity{UID: 1}).Permit(call); err != nil {
		t.Fatal(err)
	}
	second := Compile(&config.PolicyFiles{}, cat, 2, first)
	if n := len(second.buckets.full); n != 0 {
		t.Errorf("%d buckets are kept", n)
	}
	files, err := config.ParsePolicy(accounts(t), cat, "f.toml", rated+`rate = "1/h"`)
	if err != nil {
		t.Fatal(err)
	}
	if err := Compile(files, cat, 3, second).Snapshot(Identity{UID: 1}).Permit(call); err != nil {
		t.Errorf("after it was gone: %v", err)
	}
}

func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cat := configtest.Catalog()
		files, err := config.ParsePolicy(config.Options{}, cat, "f.toml", rated+`rate = "1/s"`)
		if err != nil {
			t.Fatal(err)
		}
		s := Compile(files, cat, 1, nil).Snapshot(Identity{UID: 1})
		call := configtest.Call(cat, "io.halberd.Led.Get", `{"led":"front"}`)
		for _, want := range []string{"a", "wait 1000"} {
			if got := answer(s.Decide(call)); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		time.Sleep(time.Second)
		if got := answer(s.Decide(call)); got != "a" {
			t.Errorf("after a second: got %s", got)
		}
	})
}

func TestBucketsAreBounded(t *testing.T) {
	b, c := newBuckets(), &clock{}
	b.now = c.now
	rate := config.Rate{Count: 1, Per: time.Hour, Burst: 1}
	limit := b.number([]limitKey{{"a", rate}})[0]
	for uid := range uint32(maxBuckets) {
		name := bucket{limit, uid}
		if wait := b.wait(name, rate, c.ns); wait != 0 {
			t.Fatalf("bucket %d has to wait %d", uid, wait)
		}
		b.take(name, rate, c.ns)
		c.ns++
	}
	one := bucket{limit, maxBuckets}
	first := int64(time.Hour) // when the first bucket is full
	for _, now := range []int64{c.ns, c.ns + 1, first - 1} {
		if got := b.wait(one, rate, now); got != first-now {
			t.Errorf("at %d: got %d, want %d", now, got, first-now)
		}
	}
	if got := b.wait(bucket{limit, 0}, rate, c.ns); got != first-c.ns {
		t.Errorf("a bucket that is there: got %d", got)
	}
	if got := b.wait(one, rate, first); got != 0 || len(b.full) != maxBuckets-1 {
		t.Errorf("when one is full: got %d, and %d are kept", got, len(b.full))
	}
	if got := b.wait(one, rate, math.MaxInt64/2); got != 0 {
		t.Errorf("much later: got %d", got)
	}
	b.take(one, rate, first)
	if got := b.wait(bucket{limit, maxBuckets + 1}, rate, 3*first); got != 0 || len(b.full) != 0 {
		t.Errorf("when all are full: got %d, and %d are kept", got, len(b.full))
	}
	if b.sweep != 1024 {
		t.Errorf("buckets are looked through again at %d", b.sweep)
	}
}

// Full buckets do not pile up.
func TestFullBucketsAreDropped(t *testing.T) {
	b, c := newBuckets(), &clock{}
	rate := config.Rate{Count: 1, Per: time.Second, Burst: 1}
	most := 0
	for uid := range uint32(100_000) {
		if wait := b.wait(bucket{1, uid}, rate, c.ns); wait != 0 {
			t.Fatalf("bucket %d has to wait", uid)
		}
		b.take(bucket{1, uid}, rate, c.ns)
		c.ns += 10 * ms // so that 100 are not full at a time
		most = max(most, len(b.full))
	}
	if most > 1024 {
		t.Errorf("%d buckets were kept", most)
	}
}

func TestMilliseconds(t *testing.T) {
	for ns, want := range map[int64]int64{0: 0, 1: 1, ms: 1, ms + 1: 2, 59 * s1: 59000} {
		if got := milliseconds(ns); got != want {
			t.Errorf("%d: got %d, want %d", ns, got, want)
		}
	}
}

func TestIntervals(t *testing.T) {
	r := newRandom(1)
	for range 300 {
		var tree intervals
		var all []config.Range
		for i := range r.IntN(40) {
			low := uint32(r.IntN(100))
			all = append(all, config.Range{Low: low, High: low + uint32(r.IntN(30))})
			tree.add(all[i], i)
		}
		tree.build()
		for id := range uint32(140) {
			got, want := map[int32]bool{}, map[int32]bool{}
			tree.find(id, func(g int32) { got[g] = true })
			for i, one := range all {
				if one.Contains(id) {
					want[int32(i)] = true
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("%v: %d: got %v, want %v", all, id, got, want)
			}
		}
	}
}
