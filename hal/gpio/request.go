package gpio

import (
	"fmt"
	"unsafe"

	gpiocdev "github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/uapi"
)

// consumer is the name that the kernel shows for the lines that Halberd holds.
const consumer = "halberd"

// request is one line that the kernel gave to us, until it is closed. It is for one goroutine at a time; arguments of system calls stand in it, so that a call does not allocate.
type request struct {
	kernel hal.Kernel
	fd     int
	values gpiocdev.LineValues
	seqno  uint32 // of the last event
	events [16]gpiocdev.LineEvent
}

// request asks for one line. EBUSY: somebody has it. The caller closes it.
func (c *chip) request(offset uint32, config gpiocdev.LineConfig) (*request, error) {
	r := &gpiocdev.LineRequest{Config: config, Lines: 1}
	r.Offsets[0] = offset
	copy(r.Consumer[:], consumer)
	if err := c.ioctl(uapi.GPIOGetLine, unsafe.Pointer(r)); err != nil {
		return nil, fmt.Errorf("cannot request line %d of %s: %w", offset, c.name, err)
	}
	return &request{kernel: c.kernel, fd: int(r.Fd)}, nil
}

func (r *request) close() { _ = r.kernel.Close(r.fd) }

// get reads the logical value.
func (r *request) get() (int64, error) {
	r.values = gpiocdev.LineValues{Mask: 1}
	if err := r.kernel.Ioctl(r.fd, uapi.GPIOLineGetValues, unsafe.Pointer(&r.values)); err != nil {
		return 0, fmt.Errorf("cannot read a line: %w", err)
	}
	return int64(r.values.Bits & 1), nil
}

// look reads the logical value, and notes when.
func (r *request) look() (now reading, err error) {
	now.asOf = monotonic()
	now.value, err = r.get()
	return now, err
}

// monotonic is CLOCK_MONOTONIC in ns, by which the kernel dates edges.
func monotonic() int64 {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // cannot fail: the clock is there
	return now.Nano()
}

// set drives a logical value.
func (r *request) set(value int64) error {
	r.values = gpiocdev.LineValues{Mask: 1, Bits: gpiocdev.LineBitmap(value)}
	if err := r.kernel.Ioctl(r.fd, uapi.GPIOLineSetValues, unsafe.Pointer(&r.values)); err != nil {
		return fmt.Errorf("cannot set a line: %w", err)
	}
	return nil
}

// configure gives the line another configuration.
func (r *request) configure(config gpiocdev.LineConfig) error {
	if err := r.kernel.Ioctl(r.fd, uapi.GPIOLineSetConfig, unsafe.Pointer(&config)); err != nil {
		return fmt.Errorf("cannot configure a line: %w", err)
	}
	return nil
}

// read reads the events that wait, at most as many as there is room for. The slice is the request's own.
func (r *request) read() ([]gpiocdev.LineEvent, error) {
	room := unsafe.Slice((*byte)(unsafe.Pointer(&r.events)), unsafe.Sizeof(r.events))
	n, err := r.kernel.Read(r.fd, room)
	if err != nil {
		return nil, fmt.Errorf("cannot read the events of a line: %w", err)
	}
	return r.events[:n/uapi.GPIOLineEventSize], nil
}

// output configures a line as an output that drives a logical value from the start.
func output(flags gpiocdev.LineFlagV2, value int64) gpiocdev.LineConfig {
	config := gpiocdev.LineConfig{Flags: flags | gpiocdev.LineFlagV2Output}
	config.AddAttribute(gpiocdev.LineConfigAttribute{Attr: gpiocdev.OutputValues(value).Encode(), Mask: 1})
	return config
}

// input configures a line as an input. A period of 0 leaves debouncing as it is.
func input(flags gpiocdev.LineFlagV2, debounceUSec int64) gpiocdev.LineConfig {
	config := gpiocdev.LineConfig{Flags: flags | gpiocdev.LineFlagV2Input}
	if debounceUSec > 0 {
		a := gpiocdev.LineConfigAttribute{Mask: 1}
		a.Attr.Encode32(gpiocdev.LineAttributeIDDebounce, uint32(debounceUSec))
		config.AddAttribute(a)
	}
	return config
}
