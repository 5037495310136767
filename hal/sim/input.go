package sim

import (
	"path"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/uapi"
)

// Input is a device of input to add to the board.
type Input struct {
	Name   string
	Phys   string // where it is plugged in, in its driver's words: gpio-keys/input0; "" where that is not known
	Under  string // its parent device, as OnPlatform; "" for that
	Rumble bool   // it has a motor, as drivers/input/misc/pwm-vibra.c does it
}

// evdev follows drivers/input/evdev.c and input.c, for a device that has every key, switch and axis.
type evdev struct {
	kernel   *Kernel
	keys     [uapi.InputKeys / 8]byte
	switches [(uapi.InputSwitches + 7) / 8]byte
	axes     map[uint16]int32
	clients  []*evdevFile
	gone     bool
	motor    *motor // nil without
}

// evdevRoom is the size of a reader's queue, as for a device without many events in a packet. It is never quite full.
const evdevRoom = 64

// AddInput adds a device of input and gives the name of its node: event0. The kernel counts devices, as input0, and their nodes apart; here both have the same number.
func (k *Kernel) AddInput(i Input) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	name := k.number("event")
	d := &evdev{kernel: k, axes: map[uint16]int32{}}
	dir := k.inputFolder(i, "input"+strings.TrimPrefix(name, "event"), name)
	k.devices[name] = &device{paths: []string{dir + "/" + name, dir, "/sys/class/input/" + name, "/sys/class/input/" + path.Base(dir)}, subsystem: "input",
		plug: func() { k.AddInput(i) }, unplugged: func() { d.unplug() }}
	k.inputs[name] = d
	if i.Rumble {
		d.motor = newMotor(k)
	}
	k.addNode(name, "/dev/input/"+name, func(int) (file, error) { return d.openFile() })
	k.appear(name)
	return name
}

// inputFolder makes the folder of a device, with that of its node in it.
func (k *Kernel) inputFolder(i Input, name, node string) (dir string) {
	n := k.newDevice(or(i.Under, OnPlatform), "/sys/class/input", name, nil)
	dir = k.devices[name].paths[0]
	delete(k.devices, name) // it goes with its node
	n.add("name", constant(i.Name))
	n.add("phys", constant(i.Phys))
	n.add("uniq", constant(""))
	n.children["capabilities"] = folder()
	n.children["capabilities"].add("ff", constant(ffBits(i.Rumble)))
	k.mkdir(dir + "/" + node)
	k.link(dir+"/"+node+"/device", dir)
	k.link(dir+"/"+node+"/subsystem", "/sys/class/input")
	k.link("/sys/class/input/"+node, dir+"/"+node)
	return dir
}

// evdevFile is one reader. Its descriptor is the reading end of a pipe that holds one byte while whole packets wait, and that hangs up when the reader is revoked or the device is gone; the
// events themselves wait here.
type evdevFile struct {
	device  *evdev
	fd      int
	signal  int // the writing end; -1 when closed
	clock   int32
	events  []uapi.InputEvent
	whole   int // how many of the events are of whole packets: the others wait for theirs
	revoked bool
}

func (d *evdev) openFile() (file, error) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, err
	}
	f := &evdevFile{device: d, fd: ends[0], signal: ends[1], clock: unix.CLOCK_REALTIME}
	d.clients = append(d.clients, f)
	return f, nil
}

func (f *evdevFile) descriptor() int { return f.fd }

// close is evdev_release: the reader's effects are removed.
func (f *evdevFile) close() {
	d := f.device
	d.clients = slices.DeleteFunc(d.clients, func(other *evdevFile) bool { return other == f })
	if !d.gone && !f.revoked {
		f.flush()
	}
	f.hangUp()
}

// flush is input_flush_device.
func (f *evdevFile) flush() {
	if m := f.device.motor; m != nil {
		m.flush(f)
	}
}

func (f *evdevFile) hangUp() {
	if f.signal >= 0 {
		_ = unix.Close(f.signal)
		f.signal = -1
	}
}

// dead reports whether the reader gets ENODEV for everything.
func (f *evdevFile) dead() bool { return f.revoked || f.device.gone }

// pread is evdev_read, of a reader that does not wait: as many whole events as there is room for.
func (f *evdevFile) pread(p []byte, _ int64) (int, error) {
	switch {
	case len(p) > 0 && len(p) < uapi.InputEventSize:
		return 0, unix.EINVAL
	case f.dead():
		return 0, unix.ENODEV
	case f.whole == 0:
		return 0, unix.EAGAIN
	}
	n := 0
	for f.whole > 0 && len(p)-n >= uapi.InputEventSize {
		n += copy(p[n:], unsafe.Slice((*byte)(unsafe.Pointer(&f.events[0])), uapi.InputEventSize))
		f.events = f.events[1:]
		f.setWhole(f.whole - 1)
	}
	return n, nil
}

// setWhole says how many events can be read, and lets the descriptor say whether there are any.
func (f *evdevFile) setWhole(n int) {
	switch {
	case f.whole == 0 && n > 0 && f.signal >= 0:
		_, _ = unix.Write(f.signal, []byte{1})
	case f.whole > 0 && n == 0:
		_, _ = unix.Read(f.fd, make([]byte, 1))
	}
	f.whole = n
}

// move gives the reader another descriptor of its own, since this one is closed.
func (f *evdevFile) move(closed, to int) {
	if f.fd == closed {
		f.fd = to
	}
}

func (f *evdevFile) pwrite([]byte) (int, error) { return 0, unix.ESPIPE }

// write is evdev_write: events that are injected, of which those for the motor count here.
func (f *evdevFile) write(p []byte) (int, error) {
	switch {
	case len(p) > 0 && len(p) < uapi.InputEventSize:
		return 0, unix.EINVAL
	case f.dead():
		return 0, unix.ENODEV
	}
	n := 0
	for ; len(p)-n >= uapi.InputEventSize; n += uapi.InputEventSize {
		var e uapi.InputEvent
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&e)), uapi.InputEventSize), p[n:])
		if e.Type == uapi.InputFF && f.device.motor != nil {
			f.device.motor.event(e.Code, e.Value)
		}
	}
	return n, nil
}

// ioctl is evdev_ioctl_handler, for the requests whose argument is a pointer.
func (f *evdevFile) ioctl(request uint, argument unsafe.Pointer) error {
	if f.dead() {
		return unix.ENODEV
	}
	length := int(request>>16) & 0x3fff
	switch request {
	case uapi.InputSetClock:
		return f.setClock(*(*int32)(argument))
	case uapi.InputSendEffect:
		if f.device.motor == nil {
			return unix.ENOSYS
		}
		return f.device.motor.send(f, (*uapi.FFEffect)(argument))
	case uapi.InputGetKeys(length):
		f.drop(uapi.InputKey)
		copy(unsafe.Slice((*byte)(argument), length), f.device.keys[:])
		return nil
	case uapi.InputGetSwitches(length):
		f.drop(uapi.InputSwitch)
		copy(unsafe.Slice((*byte)(argument), length), f.device.switches[:])
		return nil
	}
	return unix.EINVAL
}

// take is the same for those whose argument is a number. With a pointer, which is never 0, revoking is refused.
func (f *evdevFile) take(request uint, argument int) error {
	switch {
	case f.dead():
		return unix.ENODEV
	case request != uapi.InputRevoke || argument != 0:
		return unix.EINVAL
	}
	f.revoked = true
	f.flush()
	f.hangUp()
	return nil
}

// setClock is evdev_set_clk_type: what waits has times of another clock, and is lost.
func (f *evdevFile) setClock(clock int32) error {
	if clock != unix.CLOCK_REALTIME && clock != unix.CLOCK_MONOTONIC && clock != unix.CLOCK_BOOTTIME {
		return unix.EINVAL
	}
	if f.clock == clock {
		return nil
	}
	f.clock = clock
	if len(f.events) > 0 {
		f.events = append(f.events[:0], f.stamp(uapi.InputSyn, uapi.InputSynDropped, 0))
		f.setWhole(0)
	}
	return nil
}

// drop is __evdev_flush_queue: who is told a state does not get the events that led to it, nor packets that are empty without them.
func (f *evdevFile) drop(kind uint16) {
	var left []uapi.InputEvent
	whole, inPacket := 0, 1 // so that a mark at the beginning stays
	for _, e := range f.events {
		mark := e.Type == uapi.InputSyn && e.Code == uapi.InputSynReport
		if e.Type == kind || mark && inPacket == 0 {
			continue
		}
		left = append(left, e)
		inPacket++
		if mark {
			inPacket, whole = 0, len(left)
		}
	}
	f.events = left
	f.setWhole(whole)
}

func (f *evdevFile) stamp(kind, code uint16, value int32) uapi.InputEvent {
	var now unix.Timespec
	_ = unix.ClockGettime(f.clock, &now)
	return uapi.InputEvent{Sec: uintptr(now.Sec), USec: uintptr(now.Nsec / 1000), Type: kind, Code: code, Value: value}
}

// pass is __pass_event: where the queue is full, all but the newest event is lost, and a mark says so, which can be read with the rest of the packet.
func (f *evdevFile) pass(kind, code uint16, value int32) {
	mark := kind == uapi.InputSyn && code == uapi.InputSynReport
	if f.revoked || mark && f.whole == len(f.events) {
		return
	}
	f.events = append(f.events, f.stamp(kind, code, value))
	if len(f.events) == evdevRoom {
		f.events = []uapi.InputEvent{f.stamp(uapi.InputSyn, uapi.InputSynDropped, 0), f.events[evdevRoom-1]}
		f.setWhole(0)
	}
	if mark {
		f.setWhole(len(f.events))
	}
}

// Report lets the hardware of a device report an event, and that its packet is whole. What is not news the kernel leaves out: a key or a switch that is so already, an axis that has not moved.
func (k *Kernel) Report(device string, kind, code uint16, value int32) {
	k.mu.Lock()
	defer k.mu.Unlock()
	d := k.inputs[device]
	if !d.isNews(kind, code, value) {
		return
	}
	for _, f := range d.clients {
		f.pass(kind, code, value)
		f.pass(uapi.InputSyn, uapi.InputSynReport, 0)
	}
}

// Press presses a key (1) or lets it go (0).
func (k *Kernel) Press(device string, code uint16, value int32) {
	k.Report(device, uapi.InputKey, code, value)
}

// isNews is input_get_disposition, which keeps the state.
func (d *evdev) isNews(kind, code uint16, value int32) bool {
	switch kind {
	case uapi.InputKey:
		return value == 2 || flip(d.keys[:], code, value != 0)
	case uapi.InputSwitch:
		return flip(d.switches[:], code, value != 0)
	case uapi.InputAbs:
		was := d.axes[code]
		d.axes[code] = value
		return was != value
	case uapi.InputRel:
		return value != 0
	}
	return true
}

// flip sets a bit, and reports whether it was another one.
func flip(bitmap []byte, at uint16, to bool) bool {
	bit := byte(1) << (at % 8)
	if is := bitmap[at/8]&bit != 0; is == to {
		return false
	}
	bitmap[at/8] ^= bit
	return true
}

// unplug is evdev_cleanup.
func (d *evdev) unplug() {
	d.gone = true
	for _, f := range d.clients {
		f.hangUp()
	}
}
