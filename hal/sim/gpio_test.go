package sim

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"

	gpiocdev "github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/uapi"
)

const (
	in     = gpiocdev.LineFlagV2Input
	out    = gpiocdev.LineFlagV2Output
	edges  = gpiocdev.LineFlagV2EdgeBoth
	low    = gpiocdev.LineFlagV2ActiveLow
	up     = gpiocdev.LineFlagV2BiasPullUp
	down   = gpiocdev.LineFlagV2BiasPullDown
	off    = gpiocdev.LineFlagV2BiasDisabled
	drain  = gpiocdev.LineFlagV2OpenDrain
	source = gpiocdev.LineFlagV2OpenSource
)

// lab is a board with a chip of four lines and one without interrupts, both open.
type lab struct {
	*testing.T
	k          *Kernel
	chip, dumb int
}

func newLab(t *testing.T) *lab {
	k := New(Options{Bare: true})
	k.AddChip(Chip{Label: "lab", Lines: []Line{{Name: "a"}, {Name: "b"}, {Name: "c", Kernel: "hog", Output: true}, {Name: "d", Output: true, Level: 1}}})
	k.AddChip(Chip{Label: "dumb", NoInterrupts: true, Lines: []Line{{Name: "e"}}})
	l := &lab{T: t, k: k}
	l.chip, l.dumb = l.open("/dev/gpiochip0"), l.open("/dev/gpiochip1")
	t.Cleanup(func() {
		k.Close(l.chip)
		k.Close(l.dumb)
		if n := k.Opened(); n != 0 {
			t.Errorf("%d descriptors are left open", n)
		}
	})
	return l
}

func (l *lab) open(path string) int {
	l.Helper()
	fd, err := l.k.Open(path, unix.O_RDWR)
	if err != nil {
		l.Fatal(err)
	}
	return fd
}

func lines(flags gpiocdev.LineFlagV2, offsets ...uint32) *gpiocdev.LineRequest {
	r := &gpiocdev.LineRequest{Lines: uint32(len(offsets)), Config: gpiocdev.LineConfig{Flags: flags}}
	copy(r.Offsets[:], offsets)
	copy(r.Consumer[:], "lab")
	return r
}

// request makes a request that ends with the test.
func (l *lab) request(r *gpiocdev.LineRequest) int {
	l.Helper()
	if err := l.try(l.chip, r); err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { l.k.Close(int(r.Fd)) })
	return int(r.Fd)
}

func (l *lab) try(chip int, r *gpiocdev.LineRequest) error {
	return l.k.Ioctl(chip, uapi.GPIOGetLine, unsafe.Pointer(r))
}

func (l *lab) get(fd int, mask gpiocdev.LineBitmap) (gpiocdev.LineBitmap, error) {
	v := gpiocdev.LineValues{Mask: mask}
	err := l.k.Ioctl(fd, uapi.GPIOLineGetValues, unsafe.Pointer(&v))
	return v.Bits, err
}

func (l *lab) set(fd int, mask, values gpiocdev.LineBitmap) error {
	v := gpiocdev.LineValues{Mask: mask, Bits: values}
	return l.k.Ioctl(fd, uapi.GPIOLineSetValues, unsafe.Pointer(&v))
}

func (l *lab) configure(fd int, flags gpiocdev.LineFlagV2) error {
	c := gpiocdev.LineConfig{Flags: flags}
	return l.k.Ioctl(fd, uapi.GPIOLineSetConfig, unsafe.Pointer(&c))
}

func (l *lab) info(offset uint32) gpiocdev.LineInfoV2 {
	l.Helper()
	i := gpiocdev.LineInfoV2{Offset: offset}
	if err := l.k.Ioctl(l.chip, uapi.GPIOGetLineInfo, unsafe.Pointer(&i)); err != nil {
		l.Fatal(err)
	}
	return i
}

func TestRequests(t *testing.T) {
	debounced := lines(in, 0)
	debounced.Config.AddAttribute(gpiocdev.LineConfigAttribute{Attr: gpiocdev.DebouncePeriod(1e6).Encode(), Mask: 1})
	debouncedOutput := lines(out, 0)
	debouncedOutput.Config.Attrs, debouncedOutput.Config.NumAttrs = debounced.Config.Attrs, 1
	padded, paddedConfig, many := lines(in, 0), lines(in, 0), lines(in, 0)
	padded.Padding[2], paddedConfig.Config.Padding[0], many.Config.NumAttrs = 1, 1, 11
	for _, c := range []struct {
		name string
		r    *gpiocdev.LineRequest
		want error
	}{
		{"as it is", lines(0, 0), nil},
		{"as it is, active-low", lines(low, 0), nil},
		{"input", lines(in, 0), nil},
		{"output", lines(out, 0), nil},
		{"input with everything", lines(in|edges|low|up, 0), nil},
		{"output with everything", lines(out|drain|low|down, 0), nil},
		{"two lines", lines(in, 0, 1), nil},
		{"debounced", debounced, nil},
		{"no line", lines(in), unix.EINVAL},
		{"too many lines", &gpiocdev.LineRequest{Lines: 65}, unix.EINVAL},
		{"no such offset", lines(in, 4), unix.EINVAL},
		{"one line twice", lines(in, 0, 0), unix.EBUSY},
		{"a line of the kernel", lines(in, 2), unix.EBUSY},
		{"one of two is busy", lines(in, 0, 2), unix.EBUSY},
		{"input and output", lines(in|out, 0), unix.EINVAL},
		{"edges of an output", lines(out|edges, 0), unix.EINVAL},
		{"edges without a direction", lines(edges, 0), unix.EINVAL},
		{"two drives", lines(out|drain|source, 0), unix.EINVAL},
		{"drive of an input", lines(in|drain, 0), unix.EINVAL},
		{"bias without a direction", lines(up, 0), unix.EINVAL},
		{"two biases", lines(in|up|down, 0), unix.EINVAL},
		{"bias and none", lines(in|up|off, 0), unix.EINVAL},
		{"an unknown flag", lines(in|1<<40, 0), unix.EINVAL},
		{"the flag of use", lines(in|gpiocdev.LineFlagV2Used, 0), unix.EINVAL},
		{"a debounced output", debouncedOutput, unix.EINVAL},
		{"padding", padded, unix.EINVAL},
		{"padding of the configuration", paddedConfig, unix.EINVAL},
		{"too many attributes", many, unix.EINVAL},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			err := l.try(l.chip, c.r)
			if err != c.want {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if err == nil {
				if info := l.info(c.r.Offsets[0]); !info.Flags.IsUsed() || gpiocdev.BytesToString(info.Consumer[:]) != "lab" {
					t.Errorf("the line is not with lab: %+v", info.Flags)
				}
				l.k.Close(int(c.r.Fd))
			}
			for offset := range uint32(2) {
				if info := l.info(offset); info.Flags.IsUsed() || info.Consumer[0] != 0 || info.Flags.IsActiveLow() || info.NumAttrs != 0 {
					t.Errorf("line %d is not free again: %+v", offset, info.Flags)
				}
			}
		})
	}
}

func TestChipInfo(t *testing.T) {
	l := newLab(t)
	var i gpiocdev.ChipInfo
	if err := l.k.Ioctl(l.chip, uapi.GPIOGetChipInfo, unsafe.Pointer(&i)); err != nil {
		t.Fatal(err)
	}
	if name, label := gpiocdev.BytesToString(i.Name[:]), gpiocdev.BytesToString(i.Label[:]); name != "gpiochip0" || label != "lab" || i.Lines != 4 {
		t.Errorf("got %s %s %d", name, label, i.Lines)
	}
	beyond := gpiocdev.LineInfoV2{Offset: 4}
	if err := l.k.Ioctl(l.chip, uapi.GPIOGetLineInfo, unsafe.Pointer(&beyond)); err != unix.EINVAL {
		t.Errorf("info of a line that is not there: got %v, want EINVAL", err)
	}
	if err := l.k.Ioctl(l.chip, 0x1234, unsafe.Pointer(&beyond)); err != unix.EINVAL {
		t.Errorf("an unknown request: got %v, want EINVAL", err)
	}
	if err := l.k.Ioctl(l.chip, uapi.GPIOGetLine, nil); err != unix.EFAULT {
		t.Errorf("no argument: got %v, want EFAULT", err)
	}
	hog := l.info(2)
	if !hog.Flags.IsUsed() || !hog.Flags.IsOutput() || gpiocdev.BytesToString(hog.Consumer[:]) != "hog" || gpiocdev.BytesToString(hog.Name[:]) != "c" {
		t.Errorf("the hog: %+v", hog)
	}
}

func TestValues(t *testing.T) {
	l := newLab(t)
	inputs := l.request(lines(in, 0, 1))
	l.k.Pull("b", 1)
	for _, c := range []struct {
		name       string
		mask, want gpiocdev.LineBitmap
		err        error
	}{
		{"both", 3, 2, nil}, {"the first", 1, 0, nil}, {"the second", 2, 2, nil}, {"more than there are", 7, 2, nil}, {"none", 0, 0, unix.EINVAL}, {"none of them", 4, 0, unix.EINVAL},
	} {
		if got, err := l.get(inputs, c.mask); err != c.err || err == nil && got != c.want {
			t.Errorf("%s: got %b, %v; want %b, %v", c.name, got, err, c.want, c.err)
		}
	}
	if err := l.set(inputs, 1, 1); err != unix.EPERM {
		t.Errorf("setting an input: got %v, want EPERM", err)
	}
	if err := l.set(inputs, 0, 0); err != unix.EINVAL {
		t.Errorf("setting nothing: got %v, want EINVAL", err)
	}
}

func TestOutputLevels(t *testing.T) {
	for _, c := range []struct {
		name             string
		flags            gpiocdev.LineFlagV2
		pull, set, level int
		read             gpiocdev.LineBitmap
	}{
		{"high", out, 0, 1, 1, 1}, {"low", out, 1, 0, 0, 0},
		{"active-low 1", out | low, 0, 1, 0, 1}, {"active-low 0", out | low, 0, 0, 1, 0},
		{"open drain low", out | drain, 1, 0, 0, 0}, {"open drain floats up", out | drain, 1, 1, 1, 1}, {"open drain is held down", out | drain, 0, 1, 0, 0},
		{"open source high", out | source, 0, 1, 1, 1}, {"open source floats", out | source, 1, 0, 1, 1},
		{"open drain with a pull-up", out | drain | up, 0, 1, 1, 1},
		{"active-low open drain floats at 0", out | drain | low, 1, 0, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			l.k.Pull("a", c.pull)
			fd := l.request(lines(c.flags, 0))
			if err := l.set(fd, 1, gpiocdev.LineBitmap(c.set)); err != nil {
				t.Fatal(err)
			}
			if got := l.k.Value("a"); got != c.level {
				t.Errorf("level: got %d, want %d", got, c.level)
			}
			if got, err := l.get(fd, 1); got != c.read || err != nil {
				t.Errorf("value: got %d, %v; want %d", got, err, c.read)
			}
		})
	}
}

func TestConfigure(t *testing.T) {
	l := newLab(t)
	fd := l.request(lines(0, 3))
	if v, err := l.get(fd, 1); v != 1 || err != nil {
		t.Errorf("an output taken as it is: got %d, %v; want 1", v, err)
	}
	if err := l.configure(fd, low); err != nil || l.info(3).Flags.IsActiveLow() {
		t.Errorf("a configuration without a direction: %v; it must leave the line alone", err)
	}
	if err := l.configure(fd, in|out); err != unix.EINVAL {
		t.Errorf("two directions: got %v, want EINVAL", err)
	}
	if n := l.k.Changes("d"); n != 0 {
		t.Errorf("%d edges, want none", n)
	}
	if err := l.configure(fd, in|up); err != nil || !l.info(3).Flags.IsInput() {
		t.Errorf("to an input: %v", err)
	}
	l.k.Close(fd)
	if i := l.info(3); !i.Flags.IsInput() || i.Flags.IsBiasPullUp() {
		t.Errorf("when let go: %+v", i.Flags)
	}
}

// event reads one event.
func (l *lab) events(fd, atMost int) (all []gpiocdev.LineEvent, err error) {
	buf := make([]gpiocdev.LineEvent, atMost)
	n, err := l.k.Read(fd, unsafe.Slice((*byte)(unsafe.Pointer(&buf[0])), atMost*uapi.GPIOLineEventSize))
	if err != nil {
		return nil, err
	}
	return buf[:n/uapi.GPIOLineEventSize], nil
}

func ready(fd int) int16 {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	_, _ = unix.Poll(fds, 0)
	return fds[0].Revents
}

func TestEdges(t *testing.T) {
	l := newLab(t)
	fd := l.request(lines(in|edges, 0, 1))
	if _, err := l.events(fd, 1); err != unix.EAGAIN {
		t.Errorf("nothing yet: got %v, want EAGAIN", err)
	}
	for _, c := range []struct {
		line  string
		level int
	}{{"a", 1}, {"b", 1}, {"b", 1}, {"a", 0}} {
		l.k.Pull(c.line, c.level)
	}
	if ready(fd) != unix.POLLIN {
		t.Error("the descriptor does not say that events wait")
	}
	first, err := l.events(fd, 2)
	if err != nil {
		t.Fatal(err)
	}
	if ready(fd) != unix.POLLIN {
		t.Error("the descriptor does not say that one more event waits")
	}
	rest, err := l.events(fd, 5)
	if err != nil {
		t.Fatal(err)
	}
	if ready(fd) != 0 {
		t.Error("the descriptor says that events wait, and none does")
	}
	rise, fall := gpiocdev.LineEventRisingEdge, gpiocdev.LineEventFallingEdge
	for i, want := range []gpiocdev.LineEvent{
		{ID: rise, Offset: 0, Seqno: 1, LineSeqno: 1}, {ID: rise, Offset: 1, Seqno: 2, LineSeqno: 1}, {ID: fall, Offset: 0, Seqno: 3, LineSeqno: 2},
	} {
		got := append(first, rest...)[i]
		if got.Timestamp == 0 {
			t.Errorf("event %d has no time", i)
		}
		got.Timestamp = 0
		if got != want {
			t.Errorf("event %d: got %+v, want %+v", i, got, want)
		}
	}
	if _, err := l.k.Read(fd, make([]byte, uapi.GPIOLineEventSize-1)); err != unix.EINVAL {
		t.Errorf("a buffer that is too short: got %v, want EINVAL", err)
	}
}

func TestEdgesOfOneKind(t *testing.T) {
	for _, c := range []struct {
		name  string
		flags gpiocdev.LineFlagV2
		want  gpiocdev.LineEventID
	}{
		{"rising", in | gpiocdev.LineFlagV2EdgeRising, gpiocdev.LineEventRisingEdge},
		{"falling", in | gpiocdev.LineFlagV2EdgeFalling, gpiocdev.LineEventFallingEdge},
		{"rising and active-low", in | low | gpiocdev.LineFlagV2EdgeRising, gpiocdev.LineEventRisingEdge},
	} {
		l := newLab(t)
		fd := l.request(lines(c.flags, 0))
		l.k.Pull("a", 1)
		l.k.Pull("a", 0)
		events, err := l.events(fd, 4)
		if len(events) != 1 || events[0].ID != c.want {
			t.Errorf("%s: got %+v, %v", c.name, events, err)
		}
	}
}

func TestFullQueueDropsTheOldest(t *testing.T) {
	for _, c := range []struct{ asked, room uint32 }{{0, 16}, {1, 1}, {5, 8}, {64, 64}, {5000, 1024}} {
		l := newLab(t)
		r := lines(in|edges, 0)
		r.EventBufferSize = c.asked
		fd := l.request(r)
		for i := range int(c.room) + 3 {
			l.k.Pull("a", 1-i%2)
		}
		events, err := l.events(fd, int(c.room)+10)
		if err != nil || len(events) != int(c.room) || events[0].LineSeqno != 4 {
			t.Errorf("asked for %d: got %d events, the first number %d, %v; want %d, 4", c.asked, len(events), events[0].LineSeqno, err, c.room)
		}
	}
}

func TestWithoutInterrupts(t *testing.T) {
	l := newLab(t)
	for name, r := range map[string]*gpiocdev.LineRequest{"edges": lines(in|edges, 0)} {
		if err := l.try(l.dumb, r); err != unix.ENXIO {
			t.Errorf("%s: got %v, want ENXIO", name, err)
		}
	}
	r := lines(in, 0)
	if err := l.try(l.dumb, r); err != nil {
		t.Errorf("reading: %v", err)
	}
	l.k.Close(int(r.Fd))
}

func TestUnplugChip(t *testing.T) {
	l := newLab(t)
	fd := l.request(lines(in|edges, 0))
	l.k.Pull("a", 1)
	l.k.Unplug("gpiochip0")
	if ready(fd)&unix.POLLHUP == 0 {
		t.Error("the descriptor does not hang up")
	}
	if _, err := l.events(fd, 1); err != unix.ENODEV {
		t.Errorf("read: got %v, want ENODEV", err)
	}
	if _, err := l.get(fd, 1); err != unix.ENODEV {
		t.Errorf("get: got %v, want ENODEV", err)
	}
	if err := l.try(l.chip, lines(in, 1)); err != unix.ENODEV {
		t.Errorf("another request: got %v, want ENODEV", err)
	}
	if _, err := l.k.Open("/dev/gpiochip0", unix.O_RDWR); err != unix.ENOENT {
		t.Errorf("open: got %v, want ENOENT", err)
	}
	if names, _ := l.k.ReadDir("/sys/bus/gpio/devices"); len(names) != 1 {
		t.Errorf("there are %v", names)
	}
}

// A request ends with its last descriptor, whichever that is, and each of them stands for the whole of it.
func TestPassedRequests(t *testing.T) {
	for _, own := range []bool{true, false} {
		k := New(Options{Bare: true, Lends: true})
		k.AddChip(Chip{Label: "lab", Lines: []Line{{Name: "a"}, {Name: "b"}}})
		l := &lab{T: t, k: k}
		chip := l.open("/dev/gpiochip0")
		r := lines(in|edges, 0, 1)
		if err := l.try(chip, r); err != nil {
			t.Fatal(err)
		}
		first, last := int(r.Fd), -1
		passed, err := k.Pass(first)
		if err != nil {
			t.Fatal(err)
		}
		if first, last = passed, first; own {
			first, last = last, first
		}
		if err := k.Close(first); err != nil {
			t.Fatal(err)
		}
		k.Pull("b", 1)
		events := make([]byte, 2*uapi.GPIOLineEventSize)
		if n, err := k.Read(last, events); n != uapi.GPIOLineEventSize || err != nil {
			t.Errorf("got %d bytes of events, %v", n, err)
		}
		if _, err := k.Read(last, events); err != unix.EAGAIN {
			t.Errorf("got %v, want EAGAIN", err)
		}
		if used, _ := k.Consumer("a"); used != "lab" {
			t.Errorf("the line is with %q, want lab", used)
		}
		for _, fd := range []int{last, chip} {
			if err := k.Close(fd); err != nil {
				t.Error(err)
			}
		}
		if used, _ := k.Consumer("a"); used != "" || k.Opened() != 0 {
			t.Errorf("the line is with %q, %d descriptors are open", used, k.Opened())
		}
	}
	k := New(Options{})
	fd, err := k.Open("/dev/gpiochip0", unix.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close(fd)
	if _, err := k.Pass(fd); err != unix.EOPNOTSUPP {
		t.Errorf("a board that does not lend: got %v, want EOPNOTSUPP", err)
	}
}

// TestDuplicates: whoever duplicates a request's descriptor holds its lines, until the last one is closed, wherever that is; what the chip makes of a line then is its own.
func TestDuplicates(t *testing.T) {
	for _, forgets := range []bool{false, true} {
		k := New(Options{Bare: true, NoFdinfo: forgets})
		k.AddChip(Chip{Label: "lab", Lines: []Line{{Name: "a"}, {Name: "b"}}, Forgets: forgets})
		l := &lab{T: t, k: k}
		chip := l.open("/dev/gpiochip0")
		r := lines(out, 1)
		if err := l.try(chip, r); err != nil {
			t.Fatal(err)
		}
		other, err := unix.Dup(int(r.Fd))
		if err != nil {
			t.Fatal(err)
		}
		if err := k.Close(int(r.Fd)); err != nil {
			t.Error(err)
		}
		if err := l.set(other, 1, 1); err != nil || k.Value("b") != 1 || k.Writes("b") != 2 {
			t.Errorf("got %v, level %d, %d writes, want 1 and 2", err, k.Value("b"), k.Writes("b"))
		}
		link, err := k.Readlink(fmt.Sprintf("/proc/self/fd/%d", other))
		if link != "anon_inode:gpio-line" || err != nil {
			t.Errorf("got %q, %v", link, err)
		}
		info, err := k.Open(fmt.Sprintf("/proc/self/fdinfo/%d", other), unix.O_RDONLY)
		if err != nil {
			t.Fatal(err)
		}
		text := make([]byte, 200)
		n, err := k.Pread(info, text, 0)
		if told := strings.Contains(string(text[:max(n, 0)]), "gpio-chip:\tgpiochip0\ngpio-line:\t1\n"); told == forgets || err != nil {
			t.Errorf("got %q, %v", text[:max(n, 0)], err)
		}
		if err := l.try(chip, lines(out, 1)); err != unix.EBUSY {
			t.Errorf("got %v, want EBUSY", err)
		}
		unix.Close(other)
		if used, output := k.Consumer("b"); used != "" || output == forgets || k.Value("b") == 1 == forgets {
			t.Errorf("the line is with %q, output %t, level %d", used, output, k.Value("b"))
		}
		for _, fd := range []int{info, chip} {
			if err := k.Close(fd); err != nil {
				t.Error(err)
			}
		}
		if n := k.Opened(); n != 0 {
			t.Errorf("%d descriptors are open", n)
		}
	}
}
