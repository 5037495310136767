package policy

import (
	"testing"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/config/configtest"
)

// A set holds what was put into it, and nothing else, however many methods there are.
func TestMethods(t *testing.T) {
	for _, n := range []int{1, 63, 64, 65, 127, 128, 129, 200} {
		odd, all := noMethods(n), noMethods(n)
		for i := range n {
			if i%2 == 1 {
				odd.set(i)
			}
		}
		for i := range n {
			if got := odd.has(i); got != (i%2 == 1) {
				t.Errorf("of %d, %d: got %v", n, i, got)
			}
			one := noMethods(n)
			one.set(i)
			all.add(one)
			if !all.has(i) || i+1 < n && all.has(i+1) {
				t.Errorf("of %d, after %d was added: got %v", n, i, all)
			}
		}
		if want := (n + 63) / 64; len(odd) != want {
			t.Errorf("%d methods take %d words, want %d", n, len(odd), want)
		}
	}
}

// Equal identities share a snapshot, and those that differ only in what no grant asks for.
func TestSnapshotsAreShared(t *testing.T) {
	cat := configtest.Catalog()
	const user, unit, label = "[[grant]]\nid = \"u\"\nusers = [1]\nverbs = [\"administer\"]\n", "[[grant]]\nid = \"n\"\nunits = [\"a.service\"]\nverbs = [\"administer\"]\n", "[[grant]]\nid = \"l\"\nlabels = [\"x\"]\nverbs = [\"administer\"]\n"
	one := Identity{UID: 1, GID: 2, Unit: "a.service", Label: "x"}
	for _, tt := range []struct {
		name, policy string
		other        Identity
		want         bool
	}{
		{"equal", user + unit + label, one, true},
		{"another user", user, Identity{UID: 2, GID: 2, Unit: "a.service", Label: "x"}, false},
		{"another group", user, Identity{UID: 1, GID: 3, Unit: "a.service", Label: "x"}, false},
		{"another unit, for which nothing asks", user + label, Identity{UID: 1, GID: 2, Unit: "b.service", Label: "x"}, true},
		{"another unit", user + unit, Identity{UID: 1, GID: 2, Unit: "b.service", Label: "x"}, false},
		{"another label, for which nothing asks", user + unit, Identity{UID: 1, GID: 2, Unit: "a.service", Label: "y"}, true},
		{"another label", user + label, Identity{UID: 1, GID: 2, Unit: "a.service", Label: "y"}, false},
	} {
		p, _ := compile(t, cat, tt.policy)
		first, other := p.Snapshot(one), p.Snapshot(tt.other)
		if got := first == other; got != tt.want {
			t.Errorf("%s: shared %v, want %v", tt.name, got, tt.want)
		}
		if p.Snapshot(one) != first {
			t.Errorf("%s: the first one has another snapshot now", tt.name)
		}
	}
}

// A method that a larger catalog has behind all that the policy knows is none of the policy's.
func TestMethodOfALargerCatalog(t *testing.T) {
	cat, larger := configtest.Catalog(), configtest.Catalog()
	added := &hal.Interface{Name: "io.halberd.New", Methods: configtest.Catalog().Interface("org.varlink.service").Methods}
	if err := larger.Add(added); err != nil {
		t.Fatal(err)
	}
	m := added.Methods[0]
	if m.Index != len(cat.Methods()) {
		t.Fatalf("it stands at %d, want %d", m.Index, len(cat.Methods()))
	}
	p, _ := compile(t, cat, "[[grant]]\nid = \"a\"\nusers = [1]\nmethods = [\"io.halberd.*\"]\ndevices = [\"*\"]")
	if p.Snapshot(Identity{UID: 1}).Covers(m) {
		t.Errorf("%s is covered", m.FullName())
	}
}
