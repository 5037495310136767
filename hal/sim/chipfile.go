package sim

import (
	"slices"
	"unsafe"

	gpiocdev "github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/uapi"
)

// chipFile is an open /dev/gpiochipN. Its descriptor is the reading end of a pipe, as that of a request is.
type chipFile struct {
	kernel  *Kernel
	chip    *chip
	fd      int
	signal  int // the writing end; -1 when closed
	waits   bool
	watched map[uint32]bool // offsets
	changes []gpiocdev.LineInfoChangedV2
}

// maxChanges is how many changes wait to be read, as in gpio_chrdev_open. What comes then is lost.
const maxChanges = 32

// openFile is gpio_chrdev_open.
func (c *chip) openFile(k *Kernel, flags int) (file, error) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, err
	}
	f := &chipFile{kernel: k, chip: c, fd: ends[0], signal: ends[1], waits: flags&unix.O_NONBLOCK == 0, watched: map[uint32]bool{}}
	c.files = append(c.files, f)
	return f, nil
}

func (f *chipFile) descriptor() int { return f.fd }

// move gives the file another descriptor to wait with.
func (f *chipFile) move(closed, to int) {
	if f.fd == closed {
		f.fd = to
	}
}

func (f *chipFile) close() {
	f.chip.files = slices.DeleteFunc(f.chip.files, func(other *chipFile) bool { return other == f })
	f.hangUp()
}

func (f *chipFile) hangUp() {
	if f.signal >= 0 {
		_ = unix.Close(f.signal)
		f.signal = -1
	}
}

// pread is lineinfo_watch_read: as many whole changes as there is room for. The kernel lets whoever did not say O_NONBLOCK wait for the first one; here everything would stand still for ever.
func (f *chipFile) pread(p []byte, _ int64) (int, error) {
	switch {
	case f.chip.gone:
		return 0, unix.ENODEV
	case len(p) < uapi.GPIOLineChangeSize:
		return 0, unix.EINVAL
	case len(f.changes) == 0 && f.waits:
		return 0, unix.EDEADLK
	case len(f.changes) == 0:
		return 0, unix.EAGAIN
	}
	n := 0
	for len(f.changes) > 0 && len(p)-n >= uapi.GPIOLineChangeSize {
		n += copy(p[n:], unsafe.Slice((*byte)(unsafe.Pointer(&f.changes[0])), uapi.GPIOLineChangeSize))
		f.changes = f.changes[1:]
	}
	if len(f.changes) == 0 {
		_, _ = unix.Read(f.fd, make([]byte, 1))
	}
	return n, nil
}

func (f *chipFile) pwrite([]byte) (int, error) { return 0, unix.EINVAL }

func (f *chipFile) ioctl(number uint, argument unsafe.Pointer) error {
	if f.chip.gone {
		return unix.ENODEV
	}
	switch number {
	case uapi.GPIOGetChipInfo:
		f.chip.info((*gpiocdev.ChipInfo)(argument))
		return nil
	case uapi.GPIOGetLineInfo:
		f.kernel.release()
		return f.chip.lineInfo((*gpiocdev.LineInfoV2)(argument))
	case uapi.GPIOWatchLine:
		return f.watch((*gpiocdev.LineInfoV2)(argument))
	case uapi.GPIOUnwatchLine:
		return f.unwatch(*(*uint32)(argument))
	case uapi.GPIOGetLine:
		return f.kernel.requestLines(f.chip, (*gpiocdev.LineRequest)(argument))
	}
	return unix.EINVAL
}

// watch is lineinfo_get with watch.
func (f *chipFile) watch(i *gpiocdev.LineInfoV2) error {
	if f.watched[i.Offset] {
		return unix.EBUSY
	}
	if err := f.chip.lineInfo(i); err != nil {
		return err
	}
	f.watched[i.Offset] = true
	return nil
}

// unwatch is lineinfo_unwatch.
func (f *chipFile) unwatch(offset uint32) error {
	switch {
	case int(offset) >= len(f.chip.lines):
		return unix.EINVAL
	case !f.watched[offset]:
		return unix.EBUSY
	}
	delete(f.watched, offset)
	return nil
}

// changed is gpiod_line_state_notify, and lineinfo_changed_notify for each file that watches the line.
func (l *line) changed(what gpiocdev.ChangeType) {
	for _, f := range l.chip.files {
		if !f.watched[l.offset] || len(f.changes) == maxChanges || f.signal < 0 {
			continue
		}
		change := gpiocdev.LineInfoChangedV2{Info: gpiocdev.LineInfoV2{Offset: l.offset}, Timestamp: uint64(monotonic()), Type: what}
		_ = l.chip.lineInfo(&change.Info) // the offset is good
		if f.changes = append(f.changes, change); len(f.changes) == 1 {
			_, _ = unix.Write(f.signal, []byte{1})
		}
	}
}

// monotonic is ktime_get_ns.
func monotonic() int64 {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // cannot fail: the clock is there
	return now.Nano()
}
