package simtest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sim"
)

// Shelf is what a service manager keeps while the processes of a test come and go. As systemd does, it has duplicates of descriptors, and closes what it is to drop a while later: when somebody
// waits for it, a process is started, or Settle is called.
type Shelf struct {
	*testing.T
	// Err is answered by Keep and Push, instead of keeping anything.
	Err error

	mu      sync.Mutex
	kept    map[string]shelved
	dropped []int
}

type shelved struct {
	fd     int // -1 for a record alone
	record []byte
}

// NewShelf makes an empty one, which is emptied when the test ends.
func NewShelf(t *testing.T) *Shelf {
	s := &Shelf{T: t, kept: map[string]shelved{}}
	t.Cleanup(s.Empty)
	return s
}

// Empty closes all that is kept.
func (s *Shelf) Empty() {
	s.mu.Lock()
	for name := range s.kept {
		s.drop(name)
	}
	s.mu.Unlock()
	s.Settle()
}

func (s *Shelf) duplicate(fd int) int {
	if fd < 0 {
		return -1
	}
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		s.Errorf("cannot keep descriptor %d: %v", fd, err)
	}
	return own
}

func (s *Shelf) keep(name string, fd int, record []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Err != nil {
		return s.Err
	}
	s.drop(name)
	s.kept[name] = shelved{s.duplicate(fd), bytes.Clone(record)}
	return nil
}

func (s *Shelf) drop(name string) {
	if k, ok := s.kept[name]; ok {
		delete(s.kept, name)
		s.dropped = append(s.dropped, k.fd)
	}
}

// Settle closes what was dropped.
func (s *Shelf) Settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, fd := range s.dropped {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
	s.dropped = nil
}

// Names lists what is kept.
func (s *Shelf) Names() (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range maps.Keys(s.kept) {
		names = append(names, name)
	}
	return names
}

// Spoil changes what is noted about something that is kept.
func (s *Shelf) Spoil(name string, change func(record []byte) []byte) {
	s.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.kept[name]
	if !ok {
		s.Fatalf("%s is not kept, of %d", name, len(s.kept))
	}
	k.record = change(bytes.Clone(k.record))
	s.kept[name] = k
}

// Put keeps a descriptor under a name, as no process would.
func (s *Shelf) Put(name string, fd int, record []byte) {
	s.Helper()
	if err := s.keep(name, fd, record); err != nil {
		s.Fatal(err)
	}
}

// Process is a process of Halberd's as the kernel and the service manager see it: it has descriptors, which are closed when it dies, and that may be at any moment. It is a hal.Kernel and a hal.Keeper.
type Process struct {
	hal.Kernel
	shelf *Shelf
	taken map[string]bool

	mu    sync.Mutex
	fds   map[int]bool
	steps int
	dies  int // before this step; 0 for never
}

// killed is what a process panics with that dies.
var killed = errors.New("the process is killed")

// Start starts a process. It dies before its n-th step, counted from 1: one that asks the kernel for something, or the manager. 0 is for one that lives.
func (s *Shelf) Start(k hal.Kernel, dies int) *Process {
	s.Settle()
	return &Process{Kernel: k, shelf: s, taken: map[string]bool{}, fds: map[int]bool{}, dies: dies}
}

// Run lets the process do something, and reports whether it lived through it. One that dies is gone at once, with all of its descriptors, and nothing of it may be used any more.
func (p *Process) Run(f func()) (lives bool) {
	defer func() {
		if r := recover(); r == error(killed) {
			p.end()
		} else if r != nil {
			panic(r)
		}
	}()
	f()
	return true
}

// Kill ends the process where it is.
func (p *Process) Kill() { p.end() }

func (p *Process) end() {
	for fd := range p.fds {
		_ = p.Kernel.Close(fd)
	}
	p.fds = map[int]bool{}
}

func (p *Process) step() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.steps++; p.steps == p.dies {
		panic(killed)
	}
}

func (p *Process) has(fd int, open bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if open {
		p.fds[fd] = true
	} else {
		delete(p.fds, fd)
	}
}

// Open opens.
func (p *Process) Open(path string, flags int) (int, error) {
	p.step()
	fd, err := p.Kernel.Open(path, flags)
	if err == nil {
		p.has(fd, true)
	}
	return fd, err
}

// Close closes.
func (p *Process) Close(fd int) error {
	p.step()
	p.has(fd, false)
	return p.Kernel.Close(fd)
}

// Pass duplicates.
func (p *Process) Pass(fd int) (int, error) {
	p.step()
	passed, err := p.Kernel.Pass(fd)
	if err == nil {
		p.has(passed, true)
	}
	return passed, err
}

// GaveAway says that another process has a descriptor.
func (p *Process) GaveAway(fd int) { p.has(fd, false) }

// Ioctl makes a request. What a request for GPIO lines gives is the process's.
func (p *Process) Ioctl(fd int, request uint, argument unsafe.Pointer) error {
	p.step()
	err := p.Kernel.Ioctl(fd, request, argument)
	if made := sim.Requested(request, argument); made > 0 && err == nil {
		p.has(made, true)
	}
	return err
}

// Write writes.
func (p *Process) Write(fd int, b []byte) (int, error) {
	p.step()
	return p.Kernel.Write(fd, b)
}

// Take gives what the process before kept.
func (p *Process) Take(name string) (fd int, record []byte, ok bool) {
	p.shelf.mu.Lock()
	defer p.shelf.mu.Unlock()
	k, ok := p.shelf.kept[name]
	if !ok || p.taken[name] {
		return -1, nil, false
	}
	p.taken[name] = true
	fd = p.shelf.duplicate(k.fd)
	if fd >= 0 {
		p.has(fd, true)
	}
	return fd, bytes.Clone(k.record), true
}

// Keep keeps, and waits.
func (p *Process) Keep(name string, fd int, record []byte) error {
	if err := p.Push(name, fd, record); err != nil {
		return err
	}
	return p.Wait()
}

// Push keeps.
func (p *Process) Push(name string, fd int, record []byte) error {
	p.step()
	p.taken[name] = true
	return p.shelf.keep(name, fd, record)
}

// Note replaces a record.
func (p *Process) Note(name string, record []byte) error {
	p.step()
	p.shelf.mu.Lock()
	defer p.shelf.mu.Unlock()
	k, ok := p.shelf.kept[name]
	if !ok {
		return fmt.Errorf("%s is not kept", name)
	}
	p.shelf.kept[name] = shelved{k.fd, bytes.Clone(record)}
	return nil
}

// Drop keeps no longer.
func (p *Process) Drop(name string) {
	p.step()
	p.shelf.mu.Lock()
	defer p.shelf.mu.Unlock()
	p.shelf.drop(name)
}

// Wait waits for the manager.
func (p *Process) Wait() error {
	p.step()
	p.shelf.Settle()
	return nil
}
