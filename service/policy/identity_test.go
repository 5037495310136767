package policy

import (
	"fmt"
	"testing"
	"time"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/config"
	"github.com/halberd-io/halberd/service/config/configtest"
)

func TestIdentity(t *testing.T) {
	tests := []struct {
		name, keys string
		id         Identity
		want       bool
	}{
		{"the user", "users = [1000]", Identity{UID: 1000}, true},
		{"another user", "users = [1000]", Identity{UID: 1001}, false},
		{"the user by name", `users = ["kiosk"]`, Identity{UID: 900}, true},
		{"a name that does not exist", `users = ["ghost"]`, Identity{UID: 0}, false},
		{"a name that does not exist, and one that does", `users = ["ghost", "kiosk"]`, Identity{UID: 900}, true},
		{"the first of a range", `users = ["10-20"]`, Identity{UID: 10}, true},
		{"the last of a range", `users = ["10-20"]`, Identity{UID: 20}, true},
		{"before a range", `users = ["10-20"]`, Identity{UID: 9}, false},
		{"after a range", `users = ["10-20"]`, Identity{UID: 21}, false},
		{"in one of two ranges that overlap", `users = ["10-20", "15-30", 12]`, Identity{UID: 17}, true},
		{"the gid is no uid", "users = [1000]", Identity{UID: 1, GID: 1000}, false},

		{"the primary group", "groups = [300]", Identity{UID: 1, GID: 300}, true},
		{"a supplementary group", `groups = ["leds"]`, Identity{UID: 1, GID: 1, Groups: []uint32{5, 300}}, true},
		{"another group", "groups = [300]", Identity{UID: 300, GID: 1, Groups: []uint32{5}}, false},
		{"a range of groups", `groups = ["200-400"]`, Identity{UID: 1, GID: 1, Groups: []uint32{5, 300}}, true},
		{"a group that does not exist", `groups = ["ghosts"]`, Identity{UID: 0, GID: 0}, false},

		{"the unit", `units = ["a.service", "b.service"]`, Identity{UID: 1, Unit: "b.service"}, true},
		{"another unit", `units = ["a.service"]`, Identity{UID: 1, Unit: "b.service"}, false},
		{"no unit", `units = ["a.service"]`, Identity{UID: 1}, false},
		{"a unit of another case", `units = ["a.service"]`, Identity{UID: 1, Unit: "A.service"}, false},
		{"the label", `labels = ["x", "y"]`, Identity{UID: 1, Label: "y"}, true},
		{"another label", `labels = ["x"]`, Identity{UID: 1, Label: "y"}, false},
		{"no label", `labels = ["x"]`, Identity{UID: 1}, false},

		{"all of several keys", "users = [1]\ngroups = [2]\nunits = [\"a.service\"]\nlabels = [\"x\"]", Identity{UID: 1, GID: 2, Unit: "a.service", Label: "x"}, true},
		{"all but the user", "users = [1]\ngroups = [2]\nunits = [\"a.service\"]\nlabels = [\"x\"]", Identity{UID: 2, GID: 2, Unit: "a.service", Label: "x"}, false},
		{"all but the group", "users = [1]\ngroups = [2]\nunits = [\"a.service\"]\nlabels = [\"x\"]", Identity{UID: 1, GID: 1, Unit: "a.service", Label: "x"}, false},
		{"all but the unit", "users = [1]\ngroups = [2]\nunits = [\"a.service\"]\nlabels = [\"x\"]", Identity{UID: 1, GID: 2, Unit: "b.service", Label: "x"}, false},
		{"all but the label", "users = [1]\ngroups = [2]\nunits = [\"a.service\"]\nlabels = [\"x\"]", Identity{UID: 1, GID: 2, Unit: "a.service"}, false},
		{"group and unit", "groups = [2]\nunits = [\"a.service\"]", Identity{UID: 9, GID: 9, Groups: []uint32{2}, Unit: "a.service"}, true},
		{"unit and label", "units = [\"a.service\"]\nlabels = [\"x\"]", Identity{UID: 9, Unit: "a.service", Label: "x"}, true},

		{"a datagram's user", "users = [1000]", Identity{UID: 1000, Datagram: true}, true},
		{"a datagram's primary group", "groups = [300]", Identity{UID: 1, GID: 300, Datagram: true}, true},
		{"a datagram's supplementary group", "groups = [300]", Identity{UID: 1, GID: 1, Groups: []uint32{300}, Datagram: true}, false},
		{"a datagram's unit", `units = ["a.service"]`, Identity{UID: 1, Unit: "a.service", Datagram: true}, false},
		{"a datagram's label", `labels = ["x"]`, Identity{UID: 1, Label: "x", Datagram: true}, false},

		{"nobody by a unit", `units = ["a.service"]`, Identity{UID: 65534, GID: 65534, Unit: "a.service"}, false},
		{"nobody by a group", "groups = [300]", Identity{UID: 65534, GID: 300}, false},
		{"-1 by a label", `labels = ["x"]`, Identity{UID: 1<<32 - 1, GID: 1<<32 - 1, Label: "x"}, false},
		{"a user whose group is nobody's", "users = [1000]", Identity{UID: 1000, GID: 65534, Groups: []uint32{1<<32 - 1}}, true},
	}
	cat := configtest.Catalog()
	call := configtest.Call(cat, "io.halberd.Policy.Reload", `{}`)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Others' grants must not get in the way of the index.
			others := ""
			for i := range 40 {
				others += fmt.Sprintf("[[grant]]\nid = \"o%d\"\nusers = [%d, \"%d-%d\"]\nverbs = [\"administer\"]\n", i, 2000+i, 3000+10*i, 3015+20*i)
			}
			p, _ := compile(t, cat, others+"[[grant]]\nid = \"a\"\n"+tt.keys+"\nverbs = [\"administer\"]")
			s := p.Snapshot(tt.id)
			if got := s.Permit(call) == nil; got != tt.want {
				t.Errorf("permitted: %v, want %v", got, tt.want)
			}
			if got := s.Covers(call.Method); got != tt.want {
				t.Errorf("covered: %v, want %v", got, tt.want)
			}
			if got := p.Explain(tt.id, call.Method, call); got.Allowed != tt.want {
				t.Errorf("explained: %+v, want %v", got, tt.want)
			}
			if p.Snapshot(tt.id) != s {
				t.Error("the snapshot was made again")
			}
		})
	}
}

// A group of nobody's number cannot be named in a file; should one get into the policy, it still matches nothing.
func TestNobodysGroupMatchesNothing(t *testing.T) {
	g := &config.Grant{ID: "a", Groups: config.IDs{Given: true, Ranges: []config.Range{{Low: 0, High: 1<<32 - 1}}}, Verbs: []hal.Verb{hal.Administer}}
	for _, tt := range []struct {
		id   Identity
		want bool
	}{
		{Identity{UID: 1, GID: 65534, Groups: []uint32{65534, 1<<32 - 1}}, false},
		{Identity{UID: 1, GID: 1<<32 - 1}, false},
		{Identity{UID: 1, GID: 5}, true},
	} {
		if got := matches(g, &tt.id); got != tt.want {
			t.Errorf("%+v: got %v", tt.id, got)
		}
	}
}

func TestNeeds(t *testing.T) {
	cat := configtest.Catalog()
	for _, tt := range []struct {
		keys          string
		units, labels bool
	}{{"users = [1]", false, false}, {`units = ["a.service"]`, true, false}, {"users = [1]\nlabels = [\"x\"]", false, true}} {
		p, _ := compile(t, cat, "[[grant]]\nid = \"a\"\n"+tt.keys+"\nverbs = [\"administer\"]")
		if p.NeedsUnits() != tt.units || p.NeedsLabels() != tt.labels {
			t.Errorf("%s: got %v and %v", tt.keys, p.NeedsUnits(), p.NeedsLabels())
		}
		one, other := p.Snapshot(Identity{UID: 1, Unit: "b.service"}), p.Snapshot(Identity{UID: 1, Unit: "c.service"})
		if (one == other) == tt.units {
			t.Errorf("%s: units tell snapshots apart: %v", tt.keys, one != other)
		}
		if p.Generation() != 1 || p.Len() != 1 {
			t.Errorf("got generation %d with %d grants", p.Generation(), p.Len())
		}
	}
}

// TestGroupsOfARange: a grant that is for all groups of a peer is matched once, and not once for each: 65,536 of them took 12 s.
func TestGroupsOfARange(t *testing.T) {
	p, _ := compile(t, configtest.Catalog(), "[[grant]]\nid = \"a\"\ngroups = [\"100000-165535\"]\nmethods = [\"io.halberd.Led.*\"]\ndevices = [\"*\"]\n")
	least := func(first uint32) time.Duration {
		id, best := Identity{UID: 1, Groups: make([]uint32, 1<<13)}, time.Hour
		for i := range id.Groups {
			id.Groups[i] = first + uint32(i)
		}
		for range 5 {
			begin := time.Now()
			p.Snapshot(id)
			best = min(best, time.Since(begin))
		}
		return best
	}
	if none, all := least(200000), least(100000); all > 300*none {
		t.Errorf("8,192 groups took %v, and %v where no grant is for them", all, none)
	}
}

// TestManyGroups: who has 65,536 groups of its own, and comes with ever others of them, does not fill the memory.
func TestManyGroups(t *testing.T) {
	p, _ := compile(t, configtest.Catalog(), rated)
	id := Identity{UID: 1, Groups: make([]uint32, 1<<16)}
	for i := range id.Groups {
		id.Groups[i] = uint32(100000 + i)
	}
	for i := range 64 {
		id.Groups[0] = uint32(i)
		if !p.Snapshot(id).IsNamed() {
			t.Fatal("no grant matches")
		}
	}
	kept := 0
	for key := range p.snapshots {
		kept += len(key)
	}
	if most := 64 << 10; kept > most {
		t.Errorf("got %d bytes of 64 identities kept, want at most %d", kept, most)
	}
}
