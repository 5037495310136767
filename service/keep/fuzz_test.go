package keep

import (
	"encoding/binary"
	"hash/crc32"
	"maps"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/haltest"
)

// journalSeeds are slots: which entry and half, then what stands behind the checksum.
var journalSeeds = []string{
	"", seed(0, 1, slot{1, "Gpio/pump", []byte("one"), true}), seed(0, 0, slot{2, "Gpio/pump", []byte("two"), true}), seed(1, 1, slot{7, "claim/Gpio/pump", []byte("1000"), false}),
	seed(1, 1, slot{1, "Gpio/pump", nil, true}), seed(2, 0, slot{sequence: 8}), seed(254, 0, slot{1<<64 - 1, "x", nil, false}),
	seed(3, 0, slot{2, strings.Repeat("n", maxName), make([]byte, maxRecord), false}),
}

func seed(number, half byte, s slot) string {
	return string([]byte{number, half}) + strings.TrimRight(string(s.bytes()[4:]), "\x00")
}

// checkJournal opens a store whose journal has such slots, all with a checksum that is right. Whatever they say, no entry is lost or used twice, the names are those of the journal, and what is kept
// afterwards is there after a restart.
func checkJournal(t *testing.T, text string) {
	t.Helper()
	m := &manager{t: t}
	defer func() {
		for _, one := range m.stored {
			unix.Close(one.FD)
		}
	}()
	j, err := newJournal()
	if err != nil {
		t.Fatal(err)
	}
	for s := range strings.SplitSeq(text, "\xff\xff") {
		spoil(t, j, s)
	}
	m.Store(journalName, j.fd)
	unix.Close(j.fd)
	s := reopen(t, m)
	defer unix.Close(s.journal.fd)
	if err := s.Keep("Gpio/new", -1, []byte("record")); err != nil {
		t.Errorf("%q: %v", text, err)
	}
	names := slices.Sorted(maps.Keys(s.entries))
	again := reopen(t, m)
	defer unix.Close(again.journal.fd)
	if got := slices.Sorted(maps.Keys(again.entries)); !slices.Equal(got, names) {
		t.Errorf("%q: after a restart there are %q, want %q", text, got, names)
	}
	if _, record, ok := again.Take("Gpio/new"); !ok || string(record) != "record" {
		t.Errorf("%q: after a restart there is %q, %t", text, record, ok)
	}
}

// spoil writes a slot with a checksum that is right.
func spoil(t *testing.T, j journal, text string) {
	t.Helper()
	if len(text) < 2 {
		return
	}
	raw := make([]byte, slotSize)
	copy(raw[4:], text[2:])
	binary.LittleEndian.PutUint32(raw, crc32.ChecksumIEEE(raw[4:]))
	if _, err := unix.Pwrite(j.fd, raw, offset(int(text[0]), uint64(text[1]%2))); err != nil {
		t.Fatal(err)
	}
}

// reopen starts the next process, and looks whether each entry is either used once or free once.
func reopen(t *testing.T, m *manager) *Store {
	t.Helper()
	var passed []Inherited
	for _, one := range m.stored {
		passed = append(passed, Inherited{one.Name, m.dup(one.FD)})
	}
	s, err := Open(passed, m)
	if err != nil {
		t.Errorf("got %v", err)
	}
	used := slices.Clone(s.free)
	for name, e := range s.entries {
		used = append(used, e.number)
		if name == "" || len(e.record) > maxRecord+maxName {
			t.Errorf("an entry %q with a record of %d bytes", name, len(e.record))
		}
	}
	slices.Sort(used)
	for i, n := range used {
		if i != n || len(used) != maxEntries {
			t.Errorf("%d entries are free or used, the %d. is %d", len(used), i, n)
			break
		}
	}
	return s
}

func FuzzJournal(f *testing.F) {
	for _, s := range journalSeeds {
		f.Add(s)
	}
	f.Add(strings.Join(journalSeeds, "\xff\xff"))
	f.Fuzz(checkJournal)
}

func TestRandomJournals(t *testing.T) {
	for text := range haltest.Inputs(300, append(journalSeeds, strings.Join(journalSeeds, "\xff\xff"))...) {
		checkJournal(t, text)
	}
}

// FuzzSlot: what is written into a slot is read from it, and what is not whole is not.
func FuzzSlot(f *testing.F) {
	f.Add(uint64(7), "Gpio/pump", []byte("record"), true, uint16(20), byte(1))
	f.Add(uint64(1<<64-1), "", []byte{}, false, uint16(0), byte(0x80))
	f.Fuzz(func(t *testing.T, sequence uint64, name string, data []byte, hasFD bool, at uint16, flip byte) {
		if len(name) > maxName || len(data) > maxRecord {
			return
		}
		raw := (&slot{sequence, name, data, hasFD}).bytes()
		got, whole := parse(raw)
		if !whole || got.sequence != sequence || got.name != name || string(got.data) != string(data) || got.hasFD != hasFD {
			t.Errorf("got %+v, %t, want %d %q %q %t", got, whole, sequence, name, data, hasFD)
		}
		raw[int(at)%slotSize] ^= flip
		if _, whole := parse(raw); whole != (flip == 0) {
			t.Errorf("with byte %d changed by %d it is whole: %t", at%slotSize, flip, whole)
		}
	})
}
