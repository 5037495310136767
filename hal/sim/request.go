package sim

import (
	"math/bits"
	"unsafe"

	gpiocdev "github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/uapi"
)

// request is a number of lines requested together. Its descriptor is the reading end of a pipe that holds one byte while events wait, and that hangs up when the chip is gone; the
// events themselves wait here, since a pipe cannot drop the oldest. A duplicate of the descriptor, whoever made it, stands for the same request, and the lines are held until the last
// one is closed, wherever that is: the writing end tells.
type request struct {
	chip   *chip
	lines  []*line
	events []gpiocdev.LineEvent
	room   int
	seqno  uint32
	perOne map[*line]uint32 // sequence numbers of each line
	signal int              // the writing end; -1 when closed
	fd     int              // the descriptor that was used last
}

// fifo is the kernel's rounding of an event buffer: a power of two.
func fifo(asked uint32, lines int) int {
	n := min(uint(asked), uint(gpiocdev.LinesMax)*16)
	if n == 0 {
		n = uint(lines) * 16
	}
	return 1 << bits.Len(n-1)
}

// requestLines is linereq_create.
func (k *Kernel) requestLines(c *chip, r *gpiocdev.LineRequest) error {
	if r.Lines == 0 || r.Lines > uint32(gpiocdev.LinesMax) || r.Padding != [5]uint32{} {
		return unix.EINVAL
	}
	n := int(r.Lines)
	if err := validate(&r.Config, n); err != nil {
		return err
	}
	k.release()
	req := &request{chip: c, room: fifo(r.EventBufferSize, n), perOne: map[*line]uint32{}, signal: -1}
	err := req.take(r, n)
	if err == nil {
		err = req.connect(k)
	}
	if err != nil {
		req.close()
		return err
	}
	r.Fd = int32(req.fd)
	for _, l := range req.lines {
		l.changed(gpiocdev.LineChangedRequested)
	}
	return nil
}

// take requests each line and configures it. On an error the caller frees those that it got.
func (r *request) take(from *gpiocdev.LineRequest, n int) error {
	for i, offset := range from.Offsets[:n] {
		if int(offset) >= len(r.chip.lines) {
			return unix.EINVAL
		}
		l := r.chip.lines[offset]
		if l.used {
			return unix.EBUSY
		}
		r.lines = append(r.lines, l)
		l.used, l.request, l.consumer = true, r, gpiocdev.BytesToString(from.Consumer[:31])
		if l.consumer == "" {
			l.consumer = "?"
		}
		if err := l.configure(flagsOf(&from.Config, i), valueOf(&from.Config, i), debounceOf(&from.Config, i)); err != nil {
			return err
		}
	}
	return nil
}

func (r *request) connect(k *Kernel) error {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return err
	}
	r.fd, r.signal = ends[0], ends[1]
	h := &handle{file: r, readable: true}
	if err := k.count(r.fd, h); err != nil {
		_ = unix.Close(r.fd)
		return err
	}
	k.files[r.fd] = h
	return nil
}

// isClosed reports whether nobody has the reading end of the pipe. Of a chip that is gone nothing is left to let go of.
func (r *request) isClosed() bool { return r.signal < 0 || !isRead(r.signal) }

func (r *request) close() {
	for _, l := range r.lines {
		if l.request == r {
			l.free()
		}
	}
	r.hangUp()
}

func (r *request) hangUp() {
	if r.signal >= 0 {
		_ = unix.Close(r.signal)
		r.signal = -1
	}
}

// edge queues an event for a line that asked for it.
func (r *request) edge(l *line, logical int) {
	id, flag := gpiocdev.LineEventFallingEdge, gpiocdev.LineFlagV2EdgeFalling
	if logical == 1 {
		id, flag = gpiocdev.LineEventRisingEdge, gpiocdev.LineFlagV2EdgeRising
	}
	if !l.has(flag) || r.signal < 0 {
		return
	}
	r.seqno++
	r.perOne[l]++
	if len(r.events) == r.room {
		r.events = r.events[1:]
	}
	r.events = append(r.events, gpiocdev.LineEvent{
		Timestamp: uint64(monotonic()), ID: id, Offset: l.offset, Seqno: r.seqno, LineSeqno: r.perOne[l],
	})
	if len(r.events) == 1 {
		_, _ = unix.Write(r.signal, []byte{1})
	}
}

// pread is linereq_read: as many whole events as there is room for.
func (r *request) pread(p []byte, _ int64) (int, error) {
	switch {
	case r.chip.gone:
		return 0, unix.ENODEV
	case len(p) < uapi.GPIOLineEventSize:
		return 0, unix.EINVAL
	case len(r.events) == 0:
		return 0, unix.EAGAIN
	}
	n := 0
	for len(r.events) > 0 && len(p)-n >= uapi.GPIOLineEventSize {
		n += copy(p[n:], (*[uapi.GPIOLineEventSize]byte)(unsafe.Pointer(&r.events[0]))[:])
		r.events = r.events[1:]
	}
	if len(r.events) == 0 {
		_, _ = unix.Read(r.fd, make([]byte, 1))
	}
	return n, nil
}

func (r *request) pwrite([]byte) (int, error) { return 0, unix.EBADF }

func (r *request) ioctl(number uint, argument unsafe.Pointer) error {
	if r.chip.gone {
		return unix.ENODEV
	}
	switch number {
	case uapi.GPIOLineGetValues:
		return r.getValues((*gpiocdev.LineValues)(argument))
	case uapi.GPIOLineSetValues:
		return r.setValues((*gpiocdev.LineValues)(argument))
	case uapi.GPIOLineSetConfig:
		return r.setConfig((*gpiocdev.LineConfig)(argument))
	}
	return unix.EINVAL
}

func (r *request) getValues(v *gpiocdev.LineValues) error {
	if v.Mask&gpiocdev.NewLineBitMask(len(r.lines)) == 0 {
		return unix.EINVAL
	}
	v.Bits = 0
	for i, l := range r.lines {
		if v.Mask.Get(i) == 1 {
			v.Bits = v.Bits.Set(i, l.logical(l.physical()))
		}
	}
	return nil
}

func (r *request) setValues(v *gpiocdev.LineValues) error {
	if v.Mask&gpiocdev.NewLineBitMask(len(r.lines)) == 0 {
		return unix.EINVAL
	}
	for i, l := range r.lines {
		if v.Mask.Get(i) == 1 && !l.has(gpiocdev.LineFlagV2Output) {
			return unix.EPERM
		}
	}
	for i, l := range r.lines {
		if v.Mask.Get(i) == 1 {
			l.driven = l.logical(v.Bits.Get(i))
			l.writes++
			l.settle()
		}
	}
	return nil
}

// setConfig changes only lines that are given a direction.
func (r *request) setConfig(c *gpiocdev.LineConfig) error {
	if err := validate(c, len(r.lines)); err != nil {
		return err
	}
	for i, l := range r.lines {
		flags := flagsOf(c, i)
		if flags&gpiocdev.LineFlagV2DirectionMask == 0 {
			continue
		}
		if err := l.configure(flags, valueOf(c, i), debounceOf(c, i)); err != nil {
			return err
		}
		l.changed(gpiocdev.LineChangedConfig)
	}
	return nil
}

// attr finds the attribute of a line, of which the first counts.
func attr(c *gpiocdev.LineConfig, id gpiocdev.LineAttributeID, line int) (gpiocdev.LineConfigAttribute, bool) {
	for _, a := range c.Attrs[:c.NumAttrs] {
		if a.Attr.ID == id && a.Mask.Get(line) == 1 {
			return a, true
		}
	}
	return gpiocdev.LineConfigAttribute{}, false
}

func flagsOf(c *gpiocdev.LineConfig, line int) gpiocdev.LineFlagV2 {
	if a, ok := attr(c, gpiocdev.LineAttributeIDFlags, line); ok {
		return gpiocdev.LineFlagV2(a.Attr.Value64())
	}
	return c.Flags
}

func valueOf(c *gpiocdev.LineConfig, line int) int {
	a, _ := attr(c, gpiocdev.LineAttributeIDOutputValues, line)
	return gpiocdev.LineBitmap(a.Attr.Value64()).Get(line)
}

func debounceOf(c *gpiocdev.LineConfig, line int) uint32 {
	a, _ := attr(c, gpiocdev.LineAttributeIDDebounce, line)
	return a.Attr.Value32()
}

// validate is gpio_v2_line_config_validate.
func validate(c *gpiocdev.LineConfig, lines int) error {
	if c.NumAttrs > uint32(len(c.Attrs)) || c.Padding != [5]uint32{} {
		return unix.EINVAL
	}
	for i := range lines {
		flags := flagsOf(c, i)
		if !valid(flags) || debounceOf(c, i) != 0 && flags&gpiocdev.LineFlagV2Input == 0 {
			return unix.EINVAL
		}
	}
	return nil
}

// known are the flags of Linux 6.12, without HTE, which needs hardware of its own.
const known = gpiocdev.LineFlagV2ActiveLow | gpiocdev.LineFlagV2DirectionMask | gpiocdev.LineFlagV2EdgeMask |
	gpiocdev.LineFlagV2DriveMask | gpiocdev.LineFlagV2BiasMask | gpiocdev.LineFlagV2EventClockRealtime

// valid is gpio_v2_line_flags_validate.
func valid(f gpiocdev.LineFlagV2) bool {
	any := func(mask gpiocdev.LineFlagV2) bool { return f&mask != 0 }
	all := func(mask gpiocdev.LineFlagV2) bool { return f&mask == mask }
	switch {
	case any(^known),
		all(gpiocdev.LineFlagV2DirectionMask),
		any(gpiocdev.LineFlagV2EdgeMask) && !any(gpiocdev.LineFlagV2Input),
		all(gpiocdev.LineFlagV2DriveMask),
		any(gpiocdev.LineFlagV2DriveMask) && !any(gpiocdev.LineFlagV2Output),
		any(bias) && !any(gpiocdev.LineFlagV2DirectionMask),
		bits.OnesCount64(uint64(f&bias)) > 1:
		return false
	}
	return true
}
