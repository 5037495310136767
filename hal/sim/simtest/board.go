package simtest

import (
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sim"
)

// Entries declares devices of one table that are named A, B and so on, by their keys as JSON.
func Entries(table string, keys ...string) (entries []Entry) {
	for i, k := range keys {
		entries = append(entries, Entry{Table: table, ID: string(rune('A' + i)), Keys: k})
	}
	return entries
}

// ExpectRefused opens a class, at the first start of the daemon, with entries that it must refuse in exactly the words that are wanted, and without leaving a descriptor open.
func ExpectRefused(t *testing.T, driver hal.Driver, k *sim.Kernel, want string, entries ...Entry) {
	t.Helper()
	if _, err := TryOpen(t, driver, k, true, entries...); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if n := k.Opened(); n != 0 {
		t.Errorf("%d descriptors are left open", n)
	}
}

// ExpectDeclarations puts what each device says of itself for board.toml into one, under another name, and expects the same devices again, each by itself.
func ExpectDeclarations(t *testing.T, driver hal.Driver, k *sim.Kernel) {
	t.Helper()
	b := Open(t, driver, k, false)
	ids, entries := b.IDs(), b.Declared()
	if n := b.Class.Devices.Len(); n == 0 || len(entries) != n {
		t.Fatalf("%d declarations for %d devices", len(entries), n)
	}
	for i := range entries {
		entries[i].ID += "-declared"
	}
	b.Close()
	Open(t, driver, k, false, entries...).ExpectIDs(strings.ReplaceAll(ids, " ", "-declared ") + "-declared")
}
