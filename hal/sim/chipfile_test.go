package sim

import (
	"testing"
	"unsafe"

	gpiocdev "github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/uapi"
)

// changes reads what happened to the lines that are watched.
func (l *lab) changes(fd, atMost int) (all []gpiocdev.LineInfoChangedV2, err error) {
	buf := make([]gpiocdev.LineInfoChangedV2, atMost)
	n, err := l.k.Read(fd, unsafe.Slice((*byte)(unsafe.Pointer(&buf[0])), atMost*uapi.GPIOLineChangeSize))
	return buf[:max(n, 0)/uapi.GPIOLineChangeSize], err
}

func (l *lab) watch(fd int, offset uint32) (gpiocdev.LineInfoV2, error) {
	i := gpiocdev.LineInfoV2{Offset: offset}
	return i, l.k.Ioctl(fd, uapi.GPIOWatchLine, unsafe.Pointer(&i))
}

func (l *lab) unwatch(fd int, offset uint32) error {
	return l.k.Ioctl(fd, uapi.GPIOUnwatchLine, unsafe.Pointer(&offset))
}

// TestWatchedLines: an open chip tells of the lines that are watched through it that they are requested, configured and released, in whatever way that comes about.
func TestWatchedLines(t *testing.T) {
	l := newLab(t)
	fd, err := l.k.Open("/dev/gpiochip0", unix.O_RDWR|unix.O_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	defer l.k.Close(fd)
	if info, err := l.watch(fd, 3); err != nil || gpiocdev.BytesToString(info.Name[:]) != "d" || info.Flags != out {
		t.Errorf("watch: got %v, %v", info, err)
	}
	if _, err := l.changes(fd, 1); err != unix.EAGAIN || ready(fd) != 0 {
		t.Errorf("before anything happened: %v, ready %#x", err, ready(fd))
	}
	r := lines(in, 0, 3)
	if err := l.try(l.chip, r); err != nil {
		t.Fatal(err)
	}
	if err := l.configure(int(r.Fd), out); err != nil {
		t.Fatal(err)
	}
	if err := l.set(int(r.Fd), 3, 3); err != nil {
		t.Fatal(err)
	}
	if ready(fd) != unix.POLLIN || ready(l.chip) != 0 {
		t.Errorf("ready: %#x, the file that watches nothing %#x", ready(fd), ready(l.chip))
	}
	l.k.Close(int(r.Fd))
	got, err := l.changes(fd, 4)
	want := []struct {
		what  gpiocdev.ChangeType
		flags gpiocdev.LineFlagV2
	}{{gpiocdev.LineChangedRequested, in | gpiocdev.LineFlagV2Used}, {gpiocdev.LineChangedConfig, out | gpiocdev.LineFlagV2Used}, {gpiocdev.LineChangedReleased, out}}
	if len(got) != len(want) || err != nil {
		t.Fatalf("got %d changes, %v, want %d", len(got), err, len(want))
	}
	for i, w := range want {
		if got[i].Type != w.what || got[i].Info.Flags != w.flags || got[i].Info.Offset != 3 || got[i].Timestamp == 0 {
			t.Errorf("change %d: got %d of line %d with %v, want %d with %v", i, got[i].Type, got[i].Info.Offset, got[i].Info.Flags, w.what, w.flags)
		}
	}
	if ready(fd) != 0 {
		t.Error("it can be read after all was read")
	}
}

// TestWatchesOfLines: what can go wrong.
func TestWatchesOfLines(t *testing.T) {
	l := newLab(t)
	if _, err := l.watch(l.chip, 4); err != unix.EINVAL {
		t.Errorf("a line that is not there: %v", err)
	}
	if err := l.unwatch(l.chip, 4); err != unix.EINVAL {
		t.Errorf("no watch of a line that is not there: %v", err)
	}
	if err := l.unwatch(l.chip, 0); err != unix.EBUSY {
		t.Errorf("the end of a watch that is none: %v", err)
	}
	for _, offset := range []uint32{0, 3} {
		if _, err := l.watch(l.chip, offset); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.watch(l.chip, 0); err != unix.EBUSY {
		t.Errorf("twice: %v", err)
	}
	if err := l.unwatch(l.chip, 3); err != nil {
		t.Fatal(err)
	}
	r := l.request(lines(in, 0, 3))
	for range maxChanges {
		if err := l.configure(r, out); err != nil {
			t.Fatal(err)
		}
	}
	got, err := l.changes(l.chip, 2*maxChanges)
	if len(got) != maxChanges || err != nil || got[0].Type != gpiocdev.LineChangedRequested || got[maxChanges-1].Type != gpiocdev.LineChangedConfig {
		t.Errorf("%d changes, %v, want the first %d", len(got), err, maxChanges)
	}
	if _, err := l.k.Read(l.chip, make([]byte, uapi.GPIOLineChangeSize-1)); err != unix.EINVAL {
		t.Errorf("no room: %v", err)
	}
	l.k.Unplug("gpiochip0")
	if _, err := l.changes(l.chip, 1); err != unix.ENODEV || ready(l.chip)&unix.POLLHUP == 0 {
		t.Errorf("unplugged: %v, ready %#x", err, ready(l.chip))
	}
}
