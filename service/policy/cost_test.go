package policy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/config"
	"github.com/halberd-io/halberd/service/config/configtest"
)

// nothing examines nothing, so that what is left is what the call itself allocates.
type nothing struct{}

func (nothing) Examine(string, hal.Scalar) {}

func TestPermitDoesNotAllocate(t *testing.T) {
	cat := configtest.Catalog()
	const head = "[[grant]]\nid = \"a\"\nusers = [1]\nmethods = [\"io.halberd.*\"]\n"
	for _, tt := range []struct {
		name, policy, method, parameters string
		examines                         float64 // how often the parameters are looked at
	}{
		{"open", "", "Policy.WhoAmI", `{}`, 0},
		{"without a device", head + "devices = [\"*\"]", "Policy.Reload", `{}`, 0},
		{"a device", head + "devices = [\"front\"]", "Led.Get", `{"led":"front"}`, 0},
		{"a prefix", head + "devices = [\"x*\", \"fr*\"]", "Led.Get", `{"led":"front"}`, 0},
		{"the board's names", head + "devices = [\"Led/*\"]", "Board.Safe", `{"device":"Led/front"}`, 0},
		{"several devices", head + "devices = [\"chip/*\", \"relay-pump\"]", "Gpio.Get", `{"lines":["chip/4","chip/5","relay-pump"]}`, 0},
		{"a rate", head + "devices = [\"*\"]\nrate = \"1000000/s\"\nburst = 1000000", "Led.Get", `{"led":"front"}`, 0},
		{"a limit", head + "devices = [\"*\"]\nwhere.brightness.max = 5", "Led.Set", `{"led":"front","brightness":5}`, 1},
		{"a limit and several devices", head + "devices = [\"*\"]\nwhere.values.max = 5", "Gpio.Set", `{"lines":["chip/4","chip/5"],"values":{"a":1,"b":2}}`, 1},
		{"limits of two grants", head + "devices = [\"front\"]\nwhere.brightness.max = 4\n" + strings.Replace(head, `"a"`, `"b"`, 1) + "devices = [\"*\"]\nwhere.brightness.max = 5",
			"Led.Set", `{"led":"front","brightness":5}`, 2},
	} {
		p, _ := compile(t, cat, tt.policy)
		s := p.Snapshot(Identity{UID: 1})
		call := configtest.Call(cat, full(tt.method), tt.parameters)
		own := tt.examines * testing.AllocsPerRun(100, func() { call.Examine(nothing{}) })
		got := testing.AllocsPerRun(100, func() {
			if err := s.Permit(call); err != nil {
				t.Error(err)
			}
		})
		if got > own {
			t.Errorf("%s: %v allocations, and %v of the call itself", tt.name, got, own)
		}
	}
}

func TestSnapshotDoesNotAllocate(t *testing.T) {
	cat := configtest.Catalog()
	p, _ := compile(t, cat, "[[grant]]\nid = \"a\"\nunits = [\"a.service\"]\nverbs = [\"administer\"]")
	m := cat.Method([]byte("io.halberd.Policy.Reload"))
	for _, id := range []Identity{{UID: 1, GID: 1, Datagram: true}, {UID: 1, GID: 1, Groups: []uint32{1, 2, 3}, Unit: "a.service"}} {
		p.Snapshot(id)
		got := testing.AllocsPerRun(100, func() {
			if p.Snapshot(id).Covers(m) == id.Datagram {
				t.Error("wrong")
			}
		})
		if got != 0 {
			t.Errorf("%+v: %v allocations", id, got)
		}
	}
}

// manyGrants are grants of one uid: for devices of their own, with limits and rates of their own.
func manyGrants(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "[[grant]]\nid = \"g%d\"\nusers = [1]\nmethods = [\"io.halberd.Led.*\"]\ndevices = [\"front-%d\", \"panel-%d-*\"]\n", i, i, i)
		switch i % 4 {
		case 1:
			b.WriteString("where.brightness.max = 5\n")
		case 2:
			b.WriteString("rate = \"1000000/s\"\nburst = 1000000\n")
		}
	}
	b.WriteString("[[grant]]\nid = \"last\"\nusers = [1]\nmethods = [\"io.halberd.Led.Set\"]\ndevices = [\"front\"]\n")
	return b.String()
}

// looked counts the coverings that a call looks at: it must not grow with the grants.
func TestCostOfManyGrants(t *testing.T) {
	cat := configtest.Catalog()
	call := configtest.Call(cat, "io.halberd.Led.Set", `{"led":"front","brightness":5}`)
	for _, n := range []int{10, 1000} {
		p, _ := compile(t, cat, manyGrants(n))
		s := p.Snapshot(Identity{UID: 1})
		if grant, err := s.Decide(call); grant != "last" || err != nil {
			t.Fatalf("got %s, %v", grant, err)
		}
		r := s.view.of(call.Method)
		if found := len(p.decision.covering); found != 1 || len(r.lengths) > 4 {
			t.Errorf("of %d grants, %d coverings and %d lengths of prefixes are looked at", n, found, len(r.lengths))
		}
	}
}

// Grants that come to the same are looked at once.
func TestEqualGrantsAreOne(t *testing.T) {
	cat := configtest.Catalog()
	text := ""
	for i := range 100 {
		text += fmt.Sprintf("[[grant]]\nid = \"g%d\"\nusers = [1]\nmethods = [\"io.halberd.Led.Set\"]\ndevices = [\"*\"]\nwhere.brightness.max = %d\n", i, i%2)
	}
	p, _ := compile(t, cat, text)
	s := p.Snapshot(Identity{UID: 1})
	r := s.view.of(cat.Method([]byte("io.halberd.Led.Set")))
	if n := len(r.prefix[""].limited); n != 2 {
		t.Errorf("%d rules are looked at", n)
	}
}

func BenchmarkPermit(b *testing.B) {
	cat := configtest.Catalog()
	set := configtest.Call(cat, "io.halberd.Led.Set", `{"led":"front","brightness":5}`)
	for _, n := range []int{10, 10_000} {
		p, _ := compile(b, cat, manyGrants(n))
		s := p.Snapshot(Identity{UID: 1})
		b.Run(fmt.Sprintf("grants=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Permit(set); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPermitWhere(b *testing.B) {
	cat := configtest.Catalog()
	p, _ := compile(b, cat, "[[grant]]\nid = \"a\"\nusers = [1]\nmethods = [\"io.halberd.Led.Set\"]\ndevices = [\"*\"]\nwhere.brightness.max = 5")
	s, set := p.Snapshot(Identity{UID: 1}), configtest.Call(cat, "io.halberd.Led.Set", `{"led":"front","brightness":5}`)
	b.ReportAllocs()
	for b.Loop() {
		_ = s.Permit(set)
	}
}

func BenchmarkExplain(b *testing.B) {
	cat := configtest.Catalog()
	set := configtest.Call(cat, "io.halberd.Led.Set", `{"led":"back","brightness":5}`)
	p, _ := compile(b, cat, manyGrants(10_000))
	for b.Loop() {
		p.Explain(Identity{UID: 1}, set.Method, set)
	}
}

// Grants of others, each of a uid of its own: what a new peer and a known one cost.
func BenchmarkSnapshot(b *testing.B) {
	cat := configtest.Catalog()
	var text strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&text, "[[grant]]\nid = \"g%d\"\nusers = [%d]\nmethods = [\"io.halberd.Led.*\"]\ndevices = [\"front\"]\n", i, 1000+i)
	}
	files, err := config.ParsePolicy(config.Options{}, cat, "f.toml", text.String())
	if err != nil {
		b.Fatal(err)
	}
	p := Compile(files, cat, 1, nil)
	b.Run("known", func(b *testing.B) {
		for b.Loop() {
			p.Snapshot(Identity{UID: 1500})
		}
	})
	b.Run("new", func(b *testing.B) {
		uid := uint32(0)
		for b.Loop() {
			uid++
			p.Snapshot(Identity{UID: 1000 + uid})
		}
	})
	b.Run("compile", func(b *testing.B) {
		for b.Loop() {
			Compile(files, cat, 1, nil)
		}
	})
}
