package hal_test

import (
	"testing"

	"github.com/halberd-io/halberd/hal"
)

// TestLeases: each is told when it begins and when the device is returned, once, and is there in between.
func TestLeases(t *testing.T) {
	var book hal.Leases
	var told []hal.Lease
	stop := book.Follow(func(l *hal.Lease) { told = append(told, *l) })
	a, b := book.Begin("Lamp", nil, &somebody{}), book.Begin("Lamp", nil, &somebody{})
	a.End()
	if all := book.All(); len(all) != 2 || all[0] != a || all[1] != b || !a.Ended || a.Returned || a.Number >= b.Number {
		t.Errorf("leased are %v", all)
	}
	a.Return()
	a.Return()
	stop()
	b.Return()
	if len(told) != 3 || told[0].Returned || told[1].Returned || !told[2].Returned || told[2].Number != a.Number || len(book.All()) != 0 {
		t.Errorf("told %v, left %v", told, book.All())
	}
}

// TestNobodyWantsToKnow: a class notes its leases all the same.
func TestNobodyWantsToKnow(t *testing.T) {
	var none *hal.Leases
	l := none.Begin("Lamp", nil, &somebody{})
	l.End()
	l.Return()
	if len(none.All()) != 0 {
		t.Error("there is a lease")
	}
}
