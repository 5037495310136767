package sim

import (
	"fmt"
	"slices"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/uapi"
)

// Radio is a radio to add to the board.
type Radio struct {
	Name, Type string
	Under      string // its parent device, as OnPlatform; "" for that
	Soft, Hard bool   // what blocks it at first
	Stubborn   bool   // its driver refuses to switch it
}

// radios are all of them, with /dev/rfkill, which is there from the first one on. They follow net/rfkill/core.c.
type radios struct {
	next  uint32 // the index of the next one, which no other one ever has
	all   []*radio
	files []*radioFile // open /dev/rfkill
}

type radio struct {
	idx        uint32
	device     string // in /sys
	name       string
	kind       uint8
	soft, hard bool
	stubborn   bool
}

// AddRadio adds a radio and gives its name in /sys: rfkill0.
func (k *Kernel) AddRadio(r Radio) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	kind := slices.Index(uapi.RfkillTypes[:], r.Type)
	if kind < 1 {
		panic("sim: no type of radio " + r.Type)
	}
	new := &radio{idx: k.radios.next, name: r.Name, kind: uint8(kind), soft: r.Soft, hard: r.Hard, stubborn: r.Stubborn}
	new.device = fmt.Sprint("rfkill", new.idx)
	k.radios.next++
	n := k.newDevice(or(r.Under, OnPlatform), "/sys/class/rfkill", new.device, func() { k.AddRadio(r) })
	n.add("name", constant(r.Name))
	n.add("type", constant(r.Type))
	n.add("index", constant(strconv.Itoa(int(new.idx))))
	n.add("persistent", constant("0"))
	n.add("hard", flag(&new.hard))
	// Whoever writes needs CAP_NET_ADMIN, which Halberd does not have.
	n.add("soft", &attribute{flag(&new.soft).show, func(string) error { return unix.EPERM }})
	k.mkdir("/dev").children["rfkill"] = &node{open: func(int) (file, error) { return k.radios.open() }}
	k.radios.all = append(k.radios.all, new)
	k.radios.tell(new, uapi.RfkillAdd)
	k.appear(new.device)
	return new.device
}

// flag is an attribute that reads a truth value.
func flag(value *bool) *attribute {
	return &attribute{show: func() (string, error) {
		if *value {
			return "1\n", nil
		}
		return "0\n", nil
	}}
}

// RadioDevice is the name in /sys of a radio that is there. A test that names none is wrong, and panics.
func (k *Kernel) RadioDevice(name string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.radios.find(name).device
}

func (s *radios) find(name string) *radio {
	for _, r := range s.all {
		if r.name == name {
			return r
		}
	}
	panic("sim: no radio " + name)
}

// HardBlock moves the switch of a radio, as its driver tells by rfkill_set_hw_state.
func (k *Kernel) HardBlock(name string, blocked bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	r := k.radios.find(name)
	if r.hard != blocked {
		r.hard = blocked
		k.radios.tell(r, uapi.RfkillChange)
	}
}

// SoftBlock blocks or unblocks a radio, as another program does it.
func (k *Kernel) SoftBlock(name string, blocked bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.radios.set(k.radios.find(name), blocked)
}

// set is rfkill_set_block: a driver that refuses is heard of by nobody.
func (s *radios) set(r *radio, blocked bool) {
	if r.stubborn || r.soft == blocked {
		return
	}
	r.soft = blocked
	s.tell(r, uapi.RfkillChange)
}

// unplug is rfkill_unregister.
func (s *radios) unplug(device string) {
	s.all = slices.DeleteFunc(s.all, func(r *radio) bool {
		if r.device != device {
			return false
		}
		s.tell(r, uapi.RfkillDel)
		return true
	})
}

// tell is rfkill_send_events.
func (s *radios) tell(r *radio, op uint8) {
	for _, f := range s.files {
		f.queue(r.event(op))
	}
}

// event is rfkill_fill_event.
func (r *radio) event(op uint8) uapi.RfkillEvent {
	e := uapi.RfkillEvent{Idx: r.idx, Type: r.kind, Op: op}
	if r.soft {
		e.Soft = 1
	}
	if r.hard {
		e.Hard = 1
	}
	return e
}

// radioFile is an open /dev/rfkill. Its descriptor is the reading end of a pipe that holds one byte while events wait.
type radioFile struct {
	radios     *radios
	fd, signal int
	events     []uapi.RfkillEvent
}

// open is rfkill_fop_open: it tells of every radio at first.
func (s *radios) open() (file, error) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, err
	}
	f := &radioFile{radios: s, fd: ends[0], signal: ends[1]}
	for _, r := range s.all {
		f.queue(r.event(uapi.RfkillAdd))
	}
	s.files = append(s.files, f)
	return f, nil
}

func (f *radioFile) descriptor() int { return f.fd }

func (f *radioFile) queue(e uapi.RfkillEvent) {
	f.events = append(f.events, e)
	if len(f.events) == 1 {
		_, _ = unix.Write(f.signal, []byte{1})
	}
}

// pread is rfkill_fop_read: one event, and as much of it as there is room for.
func (f *radioFile) pread(p []byte, _ int64) (int, error) {
	if len(f.events) == 0 {
		return 0, unix.EAGAIN
	}
	n := copy(p, (*[uapi.RfkillEventSize]byte)(unsafe.Pointer(&f.events[0]))[:])
	if f.events = f.events[1:]; len(f.events) == 0 {
		_, _ = unix.Read(f.fd, make([]byte, 1))
	}
	return n, nil
}

// pwrite is rfkill_fop_write. A radio that is not there is an EINVAL, and a driver that refuses is none.
func (f *radioFile) pwrite(p []byte) (int, error) {
	if len(p) < uapi.RfkillEventSize-1 {
		return 0, unix.EINVAL
	}
	var e uapi.RfkillEvent
	n := copy((*[uapi.RfkillEventSize]byte)(unsafe.Pointer(&e))[:], p)
	if int(e.Type) >= len(uapi.RfkillTypes) || e.Op != uapi.RfkillChange && e.Op != uapi.RfkillChangeAll {
		return 0, unix.EINVAL
	}
	found := e.Op == uapi.RfkillChangeAll
	for _, r := range f.radios.all {
		if (e.Type == 0 || e.Type == r.kind) && (e.Op == uapi.RfkillChangeAll || e.Idx == r.idx) {
			f.radios.set(r, e.Soft != 0)
			found = true
		}
	}
	if !found {
		return 0, unix.EINVAL
	}
	return n, nil
}

func (f *radioFile) ioctl(uint, unsafe.Pointer) error { return unix.ENOSYS }

func (f *radioFile) close() {
	_ = unix.Close(f.signal)
	f.radios.files = slices.DeleteFunc(f.radios.files, func(other *radioFile) bool { return other == f })
}
