// Package keep keeps descriptors over a restart of the daemon, in the store of a service manager (systemd's FileDescriptorStoreMax=).
//
// What each of them is stands in a journal, which is itself a descriptor in the store: a file in memory (memfd_create). It has an entry for each name, and an entry has two slots that are
// written in turn, each with a number and a checksum, so that a process which is killed while it writes leaves the record before. What the journal does not know, or what has no
// descriptor any more since the manager dropped it, is closed and forgotten: it goes to its safe state like anything after a first start.
package keep

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// Manager is the service manager's store. It does what it is told in order.
type Manager interface {
	// Store tells it to put a descriptor into the store.
	Store(name string, fd int) error
	// Unstore tells it to take all descriptors of a name out of it.
	Unstore(name string) error
	// Wait returns when it has done all that.
	Wait() error
}

// Inherited is a descriptor that the manager gave back.
type Inherited struct {
	Name string
	FD   int
}

// Store is a hal.Keeper.
type Store struct {
	manager Manager

	mu      sync.Mutex
	journal journal
	entries map[string]*entry
	free    []int // numbers of entries that are not used
}

// entry is one name.
type entry struct {
	number   int
	sequence uint64
	record   []byte
	fd       int  // that was inherited and not taken yet; -1 otherwise
	hasFD    bool // whether a descriptor belongs to it at all
	taken    bool
}

// errFull is returned where there is no room for another name.
var errFull = errors.New("cannot keep any more descriptors")

// Open makes a store of what was inherited, whose descriptors become its own. What contradicts itself in it is closed; the error then says so, and the store is good all the same. It does not
// wait for the manager, which gets a journal when something is kept for the first time.
func Open(inherited []Inherited, m Manager) (*Store, error) {
	s := &Store{manager: m, journal: journal{-1}, entries: map[string]*entry{}}
	byName := map[string][]int{}
	for _, one := range inherited {
		byName[one.Name] = append(byName[one.Name], one.FD)
	}
	doubt := s.openJournal(byName)
	if s.journal.fd < 0 {
		for n := range maxEntries {
			s.free = append(s.free, n)
		}
	}
	return s, errors.Join(doubt, s.match(byName))
}

// openJournal reads the journal that was inherited.
func (s *Store) openJournal(byName map[string][]int) (doubt error) {
	fds := byName[journalName]
	delete(byName, journalName)
	if len(fds) == 1 {
		var j journal
		if j, doubt = openJournal(fds[0]); doubt == nil {
			s.journal = j
			s.read()
			return nil
		}
	} else if len(fds) > 1 {
		doubt = errors.New("the store has several journals")
	}
	if len(fds) > 0 {
		_ = s.manager.Unstore(journalName)
		closeAll(map[string][]int{journalName: fds})
	}
	return doubt
}

// begin makes a journal where there is none, and has the manager keep it.
func (s *Store) begin() error {
	if s.journal.fd >= 0 {
		return nil
	}
	j, err := newJournal()
	if err != nil {
		return err
	}
	if err := s.manager.Store(journalName, j.fd); err != nil {
		unix.Close(j.fd)
		return err
	}
	s.journal = j
	return nil
}

// read takes in what the journal says.
func (s *Store) read() {
	for n := range maxEntries {
		r, ok := s.journal.read(n)
		if !ok || r.name == "" || s.entries[r.name] != nil {
			s.free = append(s.free, n)
			if ok && r.name != "" { // it would be there again once the other one is dropped
				_ = s.journal.clear(n, r)
			}
			continue
		}
		s.entries[r.name] = &entry{number: n, sequence: r.sequence, record: r.data, fd: -1, hasFD: r.hasFD}
	}
}

// match gives each entry its descriptor. Entries without one that should have one are forgotten, and descriptors without an entry closed.
func (s *Store) match(byName map[string][]int) (doubt error) {
	for name, e := range s.entries {
		fds := byName[storedAs(e.number)]
		if !e.hasFD && len(fds) == 0 {
			continue
		}
		if e.hasFD && len(fds) == 1 {
			e.fd = fds[0]
			delete(byName, storedAs(e.number))
			continue
		}
		s.forget(name, e)
	}
	if len(byName) > 0 {
		doubt = fmt.Errorf("%d descriptors in the store are unknown, and are closed", len(byName))
	}
	for name := range byName {
		_ = s.manager.Unstore(name)
	}
	closeAll(byName)
	return doubt
}

func closeAll(byName map[string][]int) {
	for _, fds := range byName {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}
}

// storedAs is an entry's name in the manager's store.
func storedAs(number int) string { return fmt.Sprintf("keep-%d", number) }

// forget frees an entry.
func (s *Store) forget(name string, e *entry) {
	delete(s.entries, name)
	s.free = append(s.free, e.number)
	_ = s.journal.clear(e.number, slot{sequence: e.sequence})
}

// Take gives what the process before kept.
func (s *Store) Take(name string) (fd int, record []byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[name]
	if e == nil || e.taken {
		return -1, nil, false
	}
	e.taken = true
	fd, e.fd = e.fd, -1
	return fd, e.record, true
}

// Keep keeps a descriptor, or with -1 a record alone. What was kept under the name before is dropped.
func (s *Store) Keep(name string, fd int, record []byte) error {
	err := s.Push(name, fd, record)
	if err != nil || fd < 0 {
		return err
	}
	if err := s.manager.Wait(); err != nil {
		s.Drop(name)
		return err
	}
	return nil
}

// Wait waits for the manager. It has no part in the locking, so that who does not wait is not held up by who does.
func (s *Store) Wait() error { return s.manager.Wait() }

// Push is Keep without waiting for the manager.
func (s *Store) Push(name string, fd int, record []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(name) > maxName || len(record) > maxRecord {
		return fmt.Errorf("cannot keep %s: its name or its record is too long", name)
	}
	if err := s.begin(); err != nil {
		return err
	}
	s.drop(name)
	if len(s.free) == 0 {
		return errFull
	}
	e := &entry{number: s.free[len(s.free)-1], fd: -1, hasFD: fd >= 0, taken: true, record: record}
	if r, ok := s.journal.read(e.number); ok {
		e.sequence = r.sequence
	}
	// The record first: a descriptor without one would be closed by the next process, a record without a descriptor only forgotten.
	if err := s.note(name, e, record); err != nil {
		return err
	}
	if fd >= 0 {
		if err := s.manager.Store(storedAs(e.number), fd); err != nil {
			_ = s.journal.write(e.number, slot{sequence: e.sequence + 1})
			return err
		}
	}
	s.free = s.free[:len(s.free)-1]
	s.entries[name] = e
	return nil
}

// Note replaces a record.
func (s *Store) Note(name string, record []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[name]
	if e == nil || len(record) > maxRecord {
		return fmt.Errorf("cannot note what %s is", name)
	}
	return s.note(name, e, record)
}

func (s *Store) note(name string, e *entry, record []byte) error {
	e.sequence++
	e.record = record
	return s.journal.write(e.number, slot{sequence: e.sequence, name: name, data: record, hasFD: e.hasFD})
}

// Drop keeps a name no longer.
func (s *Store) Drop(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(name)
}

func (s *Store) drop(name string) {
	e := s.entries[name]
	if e == nil {
		return
	}
	if e.fd >= 0 {
		unix.Close(e.fd)
	}
	if e.hasFD {
		_ = s.manager.Unstore(storedAs(e.number))
	}
	s.forget(name, e)
}

// Sweep drops what nobody has taken, and gives the names.
func (s *Store) Sweep() (dropped []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, e := range s.entries {
		if !e.taken {
			s.drop(name)
			dropped = append(dropped, name)
		}
	}
	return dropped
}
