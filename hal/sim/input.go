package sim

import (
	"encoding/binary"
	"math/bits"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/uapi"
)

// Input is a device of input to add to the board.
type Input struct {
	Name   string
	Under  string // its parent device, as OnPlatform; "" for that
	Rumble bool   // it has a motor, as drivers/input/misc/pwm-vibra.c does it
}

// evdev follows drivers/input/evdev.c and input.c.
type evdev struct {
	kernel   *Kernel
	keys     [uapi.InputKeys / 8]byte
	switches [(uapi.InputSwitches + 7) / 8]byte
	clients  map[*evdevFile]bool
	gone     bool
	motor    *motor // nil without
}

// motor follows drivers/input/ff-core.c and ff-memless.c.
type motor struct {
	effects map[int16]effect
	runs    int16 // the effect that was begun; -1 for none
	until   time.Duration
	next    int16
}

type effect struct {
	uapi.FFEffect
	owner *evdevFile
}

// effectsRoom is how many effects a motor without memory of its own takes.
const effectsRoom = 16

// evdevRoom is how many events wait for one reader, as for a device without many events in a packet.
const evdevRoom = 64

// AddInput adds a device of input and gives the name of its node: event0.
func (k *Kernel) AddInput(i Input) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	number := k.number("event")
	n := k.newDevice(or(i.Under, OnPlatform), "/sys/class/input", number, func() { k.AddInput(i) })
	d := &evdev{clients: map[*evdevFile]bool{}}
	k.inputs[number] = d
	n.children["device"] = folder() // where the kernel has a link to inputN
	n.children["device"].add("name", constant(i.Name))
	if i.Rumble {
		d.motor = &motor{effects: map[int16]effect{}, runs: -1}
		n.children["device"].children["capabilities"] = folder()
		n.children["device"].children["capabilities"].add("ff", constant(ffBits))
	}
	d.kernel = k
	k.devices[number].unplugged = d.unplug
	k.addNode(number, "/dev/input/"+number, func(flags int) (file, error) { return d.openFile(flags) })
	k.appear(number)
	return number
}

// evdevFile is one reader. Its descriptor is an eventfd that can be read while events wait.
type evdevFile struct {
	device  *evdev
	fd      int
	clock   int32
	events  []uapi.InputEvent
	revoked bool
}

func (d *evdev) openFile(int) (file, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, err
	}
	f := &evdevFile{device: d, fd: fd, clock: unix.CLOCK_REALTIME}
	d.clients[f] = true
	return f, nil
}

func (f *evdevFile) descriptor() int { return f.fd }

// close ends what the reader has done: its effects are removed.
func (f *evdevFile) close() {
	delete(f.device.clients, f)
	if m := f.device.motor; m != nil {
		for id, e := range m.effects {
			if e.owner == f {
				m.remove(id)
			}
		}
	}
}

// ffBits are the effects FF_RUMBLE and FF_GAIN, as sysfs prints them for a program of this word size.
var ffBits = map[int]string{32: "1 10000 0 0", 64: "100010000 0"}[bits.UintSize]

func (m *motor) remove(id int16) {
	delete(m.effects, id)
	if m.runs == id {
		m.runs = -1
	}
}

// send takes an effect, new or changed.
func (m *motor) send(f *evdevFile, e *uapi.FFEffect) error {
	switch {
	case e.Type != uapi.FFRumble:
		return unix.EINVAL
	case e.ID < 0 && len(m.effects) == effectsRoom:
		return unix.ENOSPC
	case e.ID < 0:
		e.ID = m.next
		m.next++
	case m.effects[e.ID].owner != f:
		return unix.EINVAL
	}
	m.effects[e.ID] = effect{*e, f}
	return nil
}

// turn begins or ends an effect. One that is not there is none of the reader's business, and no error.
func (m *motor) turn(now time.Duration, e *uapi.InputEvent) {
	id := int16(e.Code)
	effect, there := m.effects[id]
	switch {
	case !there:
	case e.Value > 0:
		m.runs, m.until = id, now+time.Duration(effect.Length)*time.Millisecond
	case m.runs == id:
		m.runs = -1
	}
}

// Rumbling tells how strongly a device's motor runs, from 0 to 65535.
func (k *Kernel) Rumbling(device string) uint16 {
	k.mu.Lock()
	defer k.mu.Unlock()
	m := k.inputs[device].motor
	if m.runs < 0 || k.clock() >= m.until {
		return 0
	}
	return m.effects[m.runs].Strong
}

// pread gives as many whole events as there is room for.
func (f *evdevFile) pread(p []byte, _ int64) (int, error) {
	switch {
	case f.revoked || f.device.gone:
		return 0, unix.ENODEV
	case len(p) < uapi.InputEventSize:
		return 0, unix.EINVAL
	case len(f.events) == 0:
		return 0, unix.EAGAIN
	}
	n := 0
	for len(f.events) > 0 && len(p)-n >= uapi.InputEventSize {
		n += copy(p[n:], unsafe.Slice((*byte)(unsafe.Pointer(&f.events[0])), uapi.InputEventSize))
		f.events = f.events[1:]
	}
	if len(f.events) == 0 {
		_, _ = unix.Read(f.fd, make([]byte, 8))
	}
	return n, nil
}

// pwrite takes events for the device, as the states of its LEDs, which this one does not have.
func (f *evdevFile) pwrite(p []byte) (int, error) {
	switch {
	case f.revoked || f.device.gone:
		return 0, unix.ENODEV
	case len(p) < uapi.InputEventSize:
		return 0, unix.EINVAL
	}
	for at := 0; at+uapi.InputEventSize <= len(p); at += uapi.InputEventSize {
		var e uapi.InputEvent
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&e)), uapi.InputEventSize), p[at:])
		if e.Type == uapi.InputFF && f.device.motor != nil {
			f.device.motor.turn(f.device.kernel.clock(), &e)
		}
	}
	return len(p) / uapi.InputEventSize * uapi.InputEventSize, nil
}

func (f *evdevFile) ioctl(request uint, argument unsafe.Pointer) error {
	if f.revoked || f.device.gone {
		return unix.ENODEV
	}
	length := int(request>>16) & 0x3fff
	switch {
	case request == uapi.InputSetClock:
		f.clock = *(*int32)(argument)
	case request == uapi.InputRevoke:
		if *(*int32)(argument) != 0 {
			return unix.EINVAL
		}
		f.revoked = true
		f.wake()
	case request == uapi.InputSendEffect && f.device.motor != nil:
		return f.device.motor.send(f, (*uapi.FFEffect)(argument))
	case request == uapi.InputGetKeys(length):
		copy(unsafe.Slice((*byte)(argument), length), f.device.keys[:])
	case request == uapi.InputGetSwitches(length):
		copy(unsafe.Slice((*byte)(argument), length), f.device.switches[:])
	default:
		return unix.EINVAL
	}
	return nil
}

func (f *evdevFile) wake() {
	_, _ = unix.Write(f.fd, binary.NativeEndian.AppendUint64(nil, 1))
}

// take queues an event, with the mark behind it. Where there is no room, all that waits is lost, and a mark says so.
func (f *evdevFile) take(kind, code uint16, value int32) {
	var now unix.Timespec
	_ = unix.ClockGettime(f.clock, &now)
	stamp := func(kind, code uint16, value int32) uapi.InputEvent {
		return uapi.InputEvent{Sec: uintptr(now.Sec), USec: uintptr(now.Nsec / 1000), Type: kind, Code: code, Value: value}
	}
	if len(f.events)+2 > evdevRoom {
		f.events = append(f.events[:0], stamp(uapi.InputSyn, uapi.InputSynDropped, 0))
	}
	if len(f.events) == 0 {
		f.wake()
	}
	f.events = append(f.events, stamp(kind, code, value), stamp(uapi.InputSyn, 0, 0))
}

// Press presses a key (1) or lets it go (0). As in the kernel, a value that the key has already is no event.
func (k *Kernel) Press(device string, code uint16, value int32) {
	k.mu.Lock()
	defer k.mu.Unlock()
	d := k.inputs[device]
	bit := byte(1) << (code % 8)
	if down := d.keys[code/8]&bit != 0; down == (value != 0) {
		return
	}
	d.keys[code/8] ^= bit
	for f := range d.clients {
		f.take(uapi.InputKey, code, value)
	}
}

func (d *evdev) unplug() {
	d.gone = true
	for f := range d.clients {
		f.wake()
	}
}
