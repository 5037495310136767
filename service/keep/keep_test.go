package keep

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// manager is a service manager's store as systemd has it: it keeps duplicates, and gives them back to the next process.
type manager struct {
	t      *testing.T
	stored []Inherited
	full   bool
	err    error // of Store
	hangs  error // of Wait
}

func newManager(t *testing.T) *manager {
	m := &manager{t: t}
	t.Cleanup(func() {
		for _, one := range m.stored {
			unix.Close(one.FD)
		}
	})
	return m
}

func (m *manager) dup(fd int) int {
	m.t.Helper()
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		m.t.Fatal(err)
	}
	return n
}

func (m *manager) Store(name string, fd int) error {
	if m.err == nil && !m.full {
		m.stored = append(m.stored, Inherited{name, m.dup(fd)})
	}
	return m.err
}

func (m *manager) Unstore(name string) error {
	m.stored = slices.DeleteFunc(m.stored, func(one Inherited) bool {
		if one.Name == name {
			unix.Close(one.FD)
		}
		return one.Name == name
	})
	return nil
}

func (m *manager) Wait() error { return m.hangs }

// start is the next process: it inherits what is stored.
func (m *manager) start() *Store {
	m.t.Helper()
	s, err := m.tryStart()
	if err != nil {
		m.t.Fatal(err)
	}
	return s
}

func (m *manager) tryStart() (*Store, error) {
	m.t.Helper()
	var passed []Inherited
	for _, one := range m.stored {
		passed = append(passed, Inherited{one.Name, m.dup(one.FD)})
	}
	s, err := Open(passed, m)
	m.t.Cleanup(func() { unix.Close(s.journal.fd) })
	return s, err
}

// pipe gives the reading end of a pipe with a text in it.
func pipe(t *testing.T, text string) int {
	t.Helper()
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Write(ends[1], []byte(text)); err != nil {
		t.Fatal(err)
	}
	unix.Close(ends[1])
	t.Cleanup(func() { unix.Close(ends[0]) })
	return ends[0]
}

// content reads what a descriptor that was kept has, and closes it.
func content(t *testing.T, fd int) string {
	t.Helper()
	buf := make([]byte, 64)
	n, err := unix.Read(fd, buf)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(fd)
	return string(buf[:n])
}

func keep(t *testing.T, s *Store, name string, fd int, record string) {
	t.Helper()
	if err := s.Keep(name, fd, []byte(record)); err != nil {
		t.Fatal(err)
	}
}

// expect takes a name and compares what there is.
func expect(t *testing.T, s *Store, name, record, text string) {
	t.Helper()
	fd, got, ok := s.Take(name)
	if !ok || string(got) != record || (fd >= 0) != (text != "") {
		t.Errorf("%s: got %d, %q, %t, want %q and %q", name, fd, got, ok, record, text)
		return
	}
	if fd >= 0 {
		if got := content(t, fd); got != text {
			t.Errorf("%s: got the descriptor of %q, want %q", name, got, text)
		}
	}
}

func expectNone(t *testing.T, s *Store, names ...string) {
	t.Helper()
	for _, name := range names {
		if fd, record, ok := s.Take(name); ok {
			t.Errorf("%s: got %d, %q, want nothing", name, fd, record)
		}
	}
}

// TestKeptOverRestarts: the next process finds what was kept, once, with its newest record; what was dropped it does not find.
func TestKeptOverRestarts(t *testing.T) {
	m := newManager(t)
	s := m.start()
	keep(t, s, "Gpio/pump", pipe(t, "pump"), "one")
	keep(t, s, "Gpio/lamp", pipe(t, "lamp"), "lamp")
	keep(t, s, "Gpio/horn", pipe(t, "horn"), "horn")
	keep(t, s, "claim/Gpio/pump", -1, "1000")
	for _, record := range []string{"two", "three"} {
		if err := s.Note("Gpio/pump", []byte(record)); err != nil {
			t.Fatal(err)
		}
	}
	s.Drop("Gpio/lamp")
	next := m.start()
	expect(t, next, "Gpio/pump", "three", "pump")
	expect(t, next, "claim/Gpio/pump", "1000", "")
	expectNone(t, next, "Gpio/pump", "Gpio/lamp", "Gpio/nobody")
	if got := next.Sweep(); !slices.Equal(got, []string{"Gpio/horn"}) {
		t.Errorf("swept %q, want the one that nobody took", got)
	}
	last := m.start()
	expectNone(t, last, "Gpio/horn", "Gpio/lamp")
	expect(t, last, "claim/Gpio/pump", "1000", "")
	if len(m.stored) != 2 {
		t.Errorf("%d descriptors are stored, want the journal and the pump", len(m.stored))
	}
}

// TestKeptAgain: a name that is kept anew has the new descriptor alone.
func TestKeptAgain(t *testing.T) {
	m := newManager(t)
	s := m.start()
	keep(t, s, "Gpio/pump", pipe(t, "old"), "old")
	keep(t, s, "Gpio/pump", pipe(t, "new"), "new")
	expect(t, m.start(), "Gpio/pump", "new", "new")
	if len(m.stored) != 2 {
		t.Errorf("%d descriptors are stored, want 2", len(m.stored))
	}
}

// TestKilledWhileWriting: of a record that is not whole, the one before counts.
func TestKilledWhileWriting(t *testing.T) {
	m := newManager(t)
	s := m.start()
	keep(t, s, "Gpio/pump", pipe(t, "pump"), "one")
	if err := s.Note("Gpio/pump", []byte("two")); err != nil {
		t.Fatal(err)
	}
	e := s.entries["Gpio/pump"]
	if _, err := unix.Pwrite(s.journal.fd, []byte("x"), offset(e.number, e.sequence%2)+slotHead+3); err != nil {
		t.Fatal(err)
	}
	expect(t, m.start(), "Gpio/pump", "one", "pump")
}

// TestDoubtfulStores: what contradicts itself is closed and forgotten, said, and keeps nobody from going on.
func TestDoubtfulStores(t *testing.T) {
	rows := []struct {
		name  string
		spoil func(m *manager, s *Store)
		said  string // "" where there is nothing to say
	}{
		{"the manager dropped the descriptor", func(m *manager, s *Store) { m.Unstore(storedAs(s.entries["Gpio/pump"].number)) }, ""},
		{"a descriptor that nobody knows", func(m *manager, s *Store) { m.Store("keep-500", pipe(m.t, "x")); s.Drop("Gpio/pump") }, "1 descriptors in the store are unknown"},
		{"two descriptors of a name", func(m *manager, s *Store) { m.Store(storedAs(s.entries["Gpio/pump"].number), pipe(m.t, "x")) }, "unknown"},
		{"no journal", func(m *manager, _ *Store) { m.Unstore(journalName) }, "unknown"},
		{"two journals", func(m *manager, s *Store) { m.Store(journalName, s.journal.fd) }, "several journals"},
		{"another version", func(_ *manager, s *Store) {
			unix.Pwrite(s.journal.fd, []byte("halberd kept descriptors, version 9\n"), 0)
		}, "another version"},
		{"a journal that is cut", func(_ *manager, s *Store) { unix.Ftruncate(s.journal.fd, 4096) }, "damaged"},
		{"a journal that is a pipe", func(m *manager, _ *Store) { m.Unstore(journalName); m.Store(journalName, pipe(m.t, "x")) }, "damaged"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			m := newManager(t)
			s := m.start()
			keep(t, s, "Gpio/pump", pipe(t, "pump"), "one")
			row.spoil(m, s)
			next, err := m.tryStart()
			if (err == nil) != (row.said == "") || err != nil && !strings.Contains(err.Error(), row.said) {
				t.Fatalf("got %v, want %q in it", err, row.said)
			}
			expectNone(t, next, "Gpio/pump")
			keep(t, next, "Gpio/pump", pipe(t, "again"), "two")
			expect(t, m.start(), "Gpio/pump", "two", "again")
		})
	}
}

// TestNoStore: without a manager nothing is kept, and one that drops what it is given is found out at the next start.
func TestNoStore(t *testing.T) {
	m := newManager(t)
	s := m.start()
	m.err = errors.New("nobody listens")
	if err := s.Keep("Gpio/pump", pipe(t, "pump"), nil); !errors.Is(err, m.err) {
		t.Errorf("got %v, want %v", err, m.err)
	}
	m.err = nil
	s = m.start()
	m.full = true
	keep(t, s, "Gpio/pump", pipe(t, "pump"), "one")
	expectNone(t, m.start(), "Gpio/pump")
	s = m.start()
	m.full, m.hangs = false, errors.New("it does not answer")
	if err := s.Keep("Gpio/lamp", pipe(t, "lamp"), nil); !errors.Is(err, m.hangs) {
		t.Errorf("got %v, want %v", err, m.hangs)
	}
	if err := s.Push("Gpio/hall", pipe(t, "hall"), nil); err != nil {
		t.Errorf("got %v of what does not wait", err)
	}
	m.err, m.hangs = m.hangs, nil
	if err := s.Push("Gpio/attic", pipe(t, "attic"), nil); !errors.Is(err, m.err) {
		t.Errorf("got %v, want %v", err, m.err)
	}
	m.err = nil
	next := m.start()
	expectNone(t, next, "Gpio/lamp", "Gpio/attic")
	expect(t, next, "Gpio/hall", "", "hall")
}

func TestRoom(t *testing.T) {
	s := newManager(t).start()
	for n := range maxEntries {
		keep(t, s, fmt.Sprintf("Gpio/%d", n), -1, "")
	}
	if err := s.Keep("Gpio/more", -1, nil); err != errFull {
		t.Errorf("got %v, want %v", err, errFull)
	}
	s.Drop("Gpio/7")
	keep(t, s, "Gpio/more", -1, strings.Repeat("r", maxRecord))
	if err := s.Note("Gpio/more", make([]byte, maxRecord+1)); err == nil {
		t.Error("a record that is too long was noted")
	}
	if err := s.Keep(strings.Repeat("n", maxName+1), -1, nil); err == nil {
		t.Error("a name that is too long was kept")
	}
	if err := s.Note("Gpio/nobody", nil); err == nil {
		t.Error("the record of a name that is not kept was noted")
	}
}
