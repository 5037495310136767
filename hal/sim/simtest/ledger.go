package simtest

import (
	"strings"

	"github.com/halberd-io/halberd/hal"
)

// Ledger reads what a class notes of its leases.
type Ledger struct {
	b     *Bench
	class string
	told  []string
}

// Ledger begins to read what is noted from now on.
func (b *Bench) Ledger() *Ledger {
	g := &Ledger{b: b, class: b.Class.Name}
	b.Leases.Follow(func(l *hal.Lease) {
		sign := map[bool]string{false: "+", true: "-"}[l.Returned]
		g.told = append(g.told, sign+l.Device.ID())
	})
	return g
}

// Expect compares what was noted since it was asked last ("+a -a"), and what is leased now, with a star where the lease has ended ("a*").
func (g *Ledger) Expect(when, told, now string) {
	g.b.Helper()
	var all []string
	for _, l := range g.b.Leases.All() {
		all = append(all, l.Device.ID()+map[bool]string{true: "*"}[l.Ended])
		if l.Class != g.class || l.Holder == nil {
			g.b.Errorf("%s: %s is leased in class %s, by %v", when, l.Device.ID(), l.Class, l.Holder)
		}
	}
	if got := strings.Join(g.told, " "); got != told || strings.Join(all, " ") != now {
		g.b.Errorf("%s: noted %q, leased %q, want %q, %q", when, got, all, told, now)
	}
	g.told = nil
}
