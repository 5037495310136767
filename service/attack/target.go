package attack

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/halberd-io/halberd/service/servicetest"
)

// Target is a daemon to be attacked, and what attacker and victim are permitted there.
type Target struct {
	Name     string // the abstract name of its three sockets
	PID      int    // of its process
	Emulated bool   // whether an emulator runs it, which is not the kernel in everything
	Attacker servicetest.As
	Victim   servicetest.As

	// Read, Change and Watch are calls that the attacker may make. Change is done and undone by its two calls, and Watch follows what they change.
	Read   string
	Change [2]string
	Watch  string
	// Slow is one that waits for a bus, and Claim takes a device; "" where there is none.
	Slow, Claim string
	// Denied is a call that it may not make.
	Denied string

	// VictimCall is what the victim calls all the time, and VictimReply what is answered.
	VictimCall, VictimReply string
	// Look are calls of root whose answers do not change while the attacker touches only what it may.
	Look []string
	// Touched is how often anything changed that the attacker may not change; nil where nothing counts that.
	Touched func() int
	// Timeout is how long the daemon waits for the rest of a message, and for a reader.
	Timeout time.Duration
	// Lasts is how long each attack goes on at least; 150 ms where it says nothing.
	Lasts time.Duration
	// MaxRSS is how many bytes of memory the daemon may ever have; 0 where that is not looked at.
	MaxRSS int
}

// long is from when on there is time for everything that an attack can do.
const long = time.Second

// Run makes every attack on a target, or those of certain names, and says what the victim had to wait. It needs root, to start children of other uids.
func Run(t *testing.T, target Target, names ...string) {
	servicetest.SkipUnlessRoot(t)
	if target.Lasts == 0 {
		target.Lasts = 150 * time.Millisecond
	}
	v := startVictim(t, target)
	defer v.end(t)
	table := &table{}
	table.add("nobody attacks", v.report(t, "nobody attacks", target.Lasts), 0)
	for _, a := range attacks {
		if len(names) > 0 && !slices.Contains(names, a.name) {
			continue
		}
		t.Run(a.name, func(t *testing.T) {
			if missing := a.missing(&target); missing != "" {
				t.Skip(missing)
			}
			before := observe(t, target)
			out := attackAs(t, target, a.name)
			w := v.report(t, out, 0)
			table.add(a.name, w, before.compare(t, target))
		})
	}
	t.Logf("waits and sizes:\n%s", table)
}

// table is what the victim had to wait and how large the daemon was in each attack.
type table struct{ strings.Builder }

func (t *table) add(name string, w waited, rss int) {
	fmt.Fprintf(t, "%-50s %6d calls, p50 %10v, p99 %10v, at most %10v", name, w.Calls, w.Median.Round(time.Microsecond), w.P99.Round(time.Microsecond), w.Most.Round(time.Microsecond))
	if rss > 0 {
		fmt.Fprintf(t, ", %5.1f MB", float64(rss)/1e6)
	}
	t.WriteByte('\n')
}

// Beside has a victim call while f does something to the target, and says what it had to wait.
func Beside(t *testing.T, target Target, what string, f func()) {
	t.Helper()
	servicetest.SkipUnlessRoot(t)
	v := startVictim(t, target)
	defer v.end(t)
	v.report(t, "before", 0)
	f()
	v.report(t, what, 0)
}
