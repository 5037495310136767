package sim_test

import (
	"slices"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/uapi"
)

// reader is an open node of events.
type reader struct {
	*testing.T
	k  *sim.Kernel
	fd int
}

func openInput(t *testing.T, k *sim.Kernel) reader {
	t.Helper()
	fd, err := k.Open("/dev/input/event0", unix.O_RDWR|unix.O_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	return reader{t, k, fd}
}

// event is one without its time.
type event struct {
	kind, code uint16
	value      int32
}

// read reads at most n events.
func (r reader) read(n int) (all []event, err error) {
	buf := make([]uapi.InputEvent, n+1)
	got, err := r.k.Read(r.fd, unsafe.Slice((*byte)(unsafe.Pointer(&buf[0])), n*uapi.InputEventSize))
	for _, e := range buf[:max(got, 0)/uapi.InputEventSize] {
		all = append(all, event{e.Type, e.Code, e.Value})
	}
	return all, err
}

func (r reader) expect(n int, want ...event) {
	r.Helper()
	if got, err := r.read(n); err != nil || !slices.Equal(got, want) {
		r.Errorf("got %v (%v), want %v", got, err, want)
	}
}

// polled is what poll says of the descriptor.
func (r reader) polled() int16 {
	r.Helper()
	fds := []unix.PollFd{{Fd: int32(r.fd), Events: unix.POLLIN}}
	if _, err := unix.Poll(fds, 0); err != nil {
		r.Fatal(err)
	}
	return fds[0].Revents
}

func (r reader) fails(what string, got, want error) {
	r.Helper()
	if got != want {
		r.Errorf("%s: got %v, want %v", what, got, want)
	}
}

var (
	report  = event{}
	dropped = event{uapi.InputSyn, uapi.InputSynDropped, 0}
)

func key(code uint16, value int32) event { return event{uapi.InputKey, code, value} }

// TestEvdevReads: whole events, as many as there is room for, and only news.
func TestEvdevReads(t *testing.T) {
	k := sim.New(sim.Options{Bare: true})
	k.AddInput(sim.Input{Name: "keys"})
	r := openInput(t, k)
	_, err := r.read(1)
	r.fails("an empty queue", err, unix.EAGAIN)
	if r.polled() != 0 {
		t.Error("an empty queue can be read")
	}
	k.Press("event0", 30, 1)
	k.Press("event0", 30, 1)
	k.Press("event0", 30, 2)
	k.Report("event0", uapi.InputSwitch, 0, 0)
	k.Report("event0", uapi.InputAbs, 1, 7)
	k.Report("event0", uapi.InputAbs, 1, 7)
	k.Report("event0", uapi.InputRel, 1, 0)
	if r.polled() != unix.POLLIN {
		t.Error("a queue with events cannot be read")
	}
	if _, err := k.Read(r.fd, make([]byte, uapi.InputEventSize-1)); err != unix.EINVAL {
		t.Errorf("less than an event: got %v, want EINVAL", err)
	}
	if n, err := k.Read(r.fd, make([]byte, 2*uapi.InputEventSize-1)); n != uapi.InputEventSize || err != nil {
		t.Errorf("less than two events: got %d (%v), want %d", n, err, uapi.InputEventSize)
	}
	r.expect(9, report, key(30, 2), report, event{uapi.InputAbs, 1, 7}, report)
	if r.polled() != 0 {
		t.Error("a queue that was read empty can be read")
	}
}

// TestEvdevFull: what is too much for the queue leaves a mark and the newest event, which can be read when its packet is whole.
func TestEvdevFull(t *testing.T) {
	k := sim.New(sim.Options{Bare: true})
	k.AddInput(sim.Input{Name: "keys"})
	r := openInput(t, k)
	for i := range int32(31) {
		k.Press("event0", 30, 1-i%2)
	}
	other := openInput(t, k)
	k.Press("event0", 31, 1)
	r.expect(63, dropped, report)
	k.Press("event0", 31, 0)
	r.expect(63, key(31, 0), report)
	other.expect(63, key(31, 1), report, key(31, 0), report)
}

// TestEvdevState: reading the state takes what led to it out of the queue of who asks, and of nobody else.
func TestEvdevState(t *testing.T) {
	k := sim.New(sim.Options{Bare: true})
	k.AddInput(sim.Input{Name: "keys"})
	r, other := openInput(t, k), openInput(t, k)
	k.Press("event0", 30, 1)
	k.Report("event0", uapi.InputSwitch, 2, 1)
	k.Report("event0", uapi.InputRel, 0, -1)
	var keys [96]byte
	var switches [3]byte
	r.fails("keys", k.Ioctl(r.fd, uapi.InputGetKeys(96), unsafe.Pointer(&keys)), nil)
	if keys[3] != 1<<6 {
		t.Errorf("the keys are %v, want the one of code 30", keys)
	}
	r.expect(9, report, event{uapi.InputSwitch, 2, 1}, report, event{uapi.InputRel, 0, -1}, report) // a mark at the beginning stays
	other.fails("switches", k.Ioctl(other.fd, uapi.InputGetSwitches(3), unsafe.Pointer(&switches)), nil)
	if switches != [3]byte{1 << 2} {
		t.Errorf("the switches are %v, want the one of code 2", switches)
	}
	other.expect(9, key(30, 1), report, event{uapi.InputRel, 0, -1}, report)
}

// TestEvdevClock: another clock makes what waits worthless.
func TestEvdevClock(t *testing.T) {
	k := sim.New(sim.Options{Bare: true})
	k.AddInput(sim.Input{Name: "keys"})
	r := openInput(t, k)
	k.Press("event0", 30, 1)
	for clock, want := range map[int32]error{unix.CLOCK_REALTIME: nil, unix.CLOCK_PROCESS_CPUTIME_ID: unix.EINVAL} {
		r.fails("a clock", k.Ioctl(r.fd, uapi.InputSetClock, unsafe.Pointer(&clock)), want)
	}
	clock := int32(unix.CLOCK_MONOTONIC)
	r.fails("a clock", k.Ioctl(r.fd, uapi.InputSetClock, unsafe.Pointer(&clock)), nil)
	_, err := r.read(9)
	r.fails("before a packet is whole", err, unix.EAGAIN)
	k.Press("event0", 30, 0)
	r.expect(9, dropped, key(30, 0), report)
}

// TestEvdevRevoked: the request takes the number 0, and a pointer to it is none. Then the reader, and no other, gets ENODEV for all it does.
func TestEvdevRevoked(t *testing.T) {
	k := sim.New(sim.Options{Bare: true})
	k.AddInput(sim.Input{Name: "keys"})
	r, other := openInput(t, k), openInput(t, k)
	var zero int32
	r.fails("a pointer", k.Ioctl(r.fd, uapi.InputRevoke, unsafe.Pointer(&zero)), unix.EINVAL)
	r.fails("another number", k.IoctlInt(r.fd, uapi.InputRevoke, 1), unix.EINVAL)
	r.fails("another request", k.IoctlInt(r.fd, uapi.InputSetClock, 0), unix.EINVAL)
	k.Press("event0", 30, 1)
	r.fails("0", k.IoctlInt(r.fd, uapi.InputRevoke, 0), nil)
	expectDead(r)
	other.expect(9, key(30, 1), report)
	k.Unplug("event0")
	expectDead(other)
	_, err := k.Open("/dev/input/event0", unix.O_RDONLY)
	r.fails("opening what is gone", err, unix.ENOENT)
}

func expectDead(r reader) {
	r.Helper()
	if r.polled()&unix.POLLHUP == 0 {
		r.Error("the reader is not woken")
	}
	_, err := r.read(1)
	r.fails("reading", err, unix.ENODEV)
	_, err = r.k.Write(r.fd, make([]byte, uapi.InputEventSize))
	r.fails("writing", err, unix.ENODEV)
	var keys [96]byte
	r.fails("a request", r.k.Ioctl(r.fd, uapi.InputGetKeys(96), unsafe.Pointer(&keys)), unix.ENODEV)
	r.fails("revoking", r.k.IoctlInt(r.fd, uapi.InputRevoke, 0), unix.ENODEV)
}

// TestEvdevTree: a node of events stands in the folder of its device, and both go together.
func TestEvdevTree(t *testing.T) {
	k := sim.New(sim.Options{Bare: true})
	k.AddInput(sim.Input{Name: "keys"})
	for path, want := range map[string]string{
		"/sys/class/input/event0":        "../../devices/platform/halberd-sim/input/input0/event0",
		"/sys/class/input/event0/device": "../../input0",
	} {
		if got, err := k.Readlink(path); err != nil || got != want {
			t.Errorf("%s: got %s (%v), want %s", path, got, err, want)
		}
	}
	k.Unplug("event0")
	for _, dir := range []string{"/sys/class/input", "/dev/input", "/sys/devices/platform/halberd-sim/input"} {
		if names, err := k.ReadDir(dir); err != nil || len(names) > 0 {
			t.Errorf("%s has %v (%v) after unplugging, want nothing", dir, names, err)
		}
	}
	k.Plug("event0")
	openInput(t, k)
}

// TestMotor: effects belong to who sent them, and run together.
func TestMotor(t *testing.T) {
	k, now := sim.New(sim.Options{Bare: true}), time.Duration(0)
	k.SetClock(func() time.Duration { return now })
	k.AddInput(sim.Input{Name: "motor", Rumble: true})
	k.AddInput(sim.Input{Name: "keys"})
	r, other := openInput(t, k), openInput(t, k)
	send := func(by reader, id int16, kind uint16, ms uint16) (int16, error) {
		e := uapi.FFEffect{Type: kind, ID: id, Length: ms, Strong: 0x4000}
		return e.ID, orID(&e, k.Ioctl(by.fd, uapi.InputSendEffect, unsafe.Pointer(&e)))
	}
	play := func(by reader, id uint16, value int32) {
		t.Helper()
		e := uapi.InputEvent{Type: uapi.InputFF, Code: id, Value: value}
		if n, err := k.Write(by.fd, unsafe.Slice((*byte)(unsafe.Pointer(&e)), uapi.InputEventSize)); n != uapi.InputEventSize || err != nil {
			t.Errorf("writing: got %d (%v)", n, err)
		}
	}
	runs := func(at time.Duration, want uint16) {
		t.Helper()
		now = at
		if got := k.Rumbling("event0"); got != want {
			t.Errorf("at %v: got %#x, want %#x", at, got, want)
		}
	}
	for _, c := range []struct {
		name string
		by   reader
		id   int16
		kind uint16
		want error
	}{
		{"the first", r, -1, uapi.FFRumble, nil}, {"the second", other, -1, uapi.FFRumble, nil}, {"again", r, 0, uapi.FFRumble, nil},
		{"somebody else's", r, 1, uapi.FFRumble, unix.EACCES}, {"one that is not there", r, 7, uapi.FFRumble, unix.EINVAL}, {"one that cannot be", r, 16, uapi.FFRumble, unix.EINVAL},
		{"another kind", r, -1, 0x51, unix.EINVAL},
	} {
		_, err := send(c.by, c.id, c.kind, 100)
		r.fails(c.name, err, c.want)
	}
	play(r, 0, 1)
	runs(0, 0x4000)
	play(r, 1, 2)
	runs(50*time.Millisecond, 0x8000)
	runs(100*time.Millisecond, 0x4000)
	runs(200*time.Millisecond, 0)
	play(other, 1, 1)
	play(r, uapi.FFGain, 0x7fff)
	runs(250*time.Millisecond, 0x1fff)
	play(r, 1, 0)
	runs(250*time.Millisecond, 0)
	play(other, 1, 1)
	r.fails("closing", k.Close(other.fd), nil)
	runs(250*time.Millisecond, 0)
	fd, err := k.Open("/dev/input/event1", unix.O_RDWR)
	r.fails("opening", err, nil)
	_, err = send(reader{t, k, fd}, -1, uapi.FFRumble, 1)
	r.fails("a device without a motor", err, unix.ENOSYS)
}

// orID expects that an effect that was taken has a number.
func orID(e *uapi.FFEffect, err error) error {
	if err == nil && e.ID < 0 {
		return unix.EIO
	}
	return err
}

// TestTransient: the trigger lets a LED be on for a time, takes no second beginning before that is over, and leaves it off.
func TestTransient(t *testing.T) {
	k, now := sim.New(sim.Options{Bare: true}), time.Duration(0)
	k.SetClock(func() time.Duration { return now })
	k.AddLED(sim.LED{Name: "v", Max: 1, Triggers: []string{"transient"}})
	write := func(name, text string, want error) {
		t.Helper()
		fd, err := k.Open("/sys/class/leds/v/"+name, unix.O_WRONLY)
		if err == nil {
			_, err = k.Pwrite(fd, []byte(text), 0)
			_ = k.Close(fd)
		}
		if err != want {
			t.Errorf("%s of %s: got %v, want %v", text, name, err, want)
		}
	}
	shines := func(at time.Duration, want int64) {
		t.Helper()
		now = at
		if got := k.Brightness("v"); got != want {
			t.Errorf("at %v: got %d, want %d", at, got, want)
		}
	}
	write("activate", "1", unix.ENOENT)
	write("trigger", "transient", nil)
	write("state", "2", unix.EINVAL)
	write("activate", "2", unix.EINVAL)
	write("duration", "x", unix.EINVAL)
	write("state", "1", nil)
	write("activate", "1", nil)
	shines(0, 0) // no duration
	write("duration", "100", nil)
	write("activate", "1", nil)
	shines(50*time.Millisecond, 1)
	write("activate", "1", nil) // of no effect
	shines(99*time.Millisecond, 1)
	shines(100*time.Millisecond, 0)
	write("activate", "1", nil)
	write("activate", "0", nil)
	shines(100*time.Millisecond, 0)
	write("state", "0", nil)
	write("activate", "1", nil)
	shines(150*time.Millisecond, 0)
	shines(200*time.Millisecond, 1) // off for a time
	write("trigger", "none", nil)
	shines(200*time.Millisecond, 0)
	write("activate", "1", unix.ENOENT)
}
