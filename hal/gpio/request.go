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

// request is one line, or several in an order, that the kernel gave to us, until it is closed. It is for one goroutine at a time; arguments of system calls stand in it, so that a call does not allocate.
type request struct {
	kernel hal.Kernel
	fd     int
	store  *store
	name   string // that it is kept under; "" where it ends with the process
	values gpiocdev.LineValues
	seqno  uint32 // of the last event
	events [16]gpiocdev.LineEvent
}

// request asks for one line. EBUSY: somebody has it. The caller closes it.
func (c *chip) request(offset uint32, config gpiocdev.LineConfig) (*request, error) {
	return c.requestLines([]uint32{offset}, config)
}

// requestAll asks for several lines at once, all or none.
func (c *chip) requestAll(offsets []uint32, wants []want) (*request, error) {
	config, err := configOf(wants)
	if err != nil {
		return nil, err
	}
	return c.requestLines(offsets, config)
}

func (c *chip) requestLines(offsets []uint32, config gpiocdev.LineConfig) (*request, error) {
	r := &gpiocdev.LineRequest{Config: config, Lines: uint32(len(offsets))}
	copy(r.Offsets[:], offsets)
	copy(r.Consumer[:], consumer)
	if err := c.ioctl(uapi.GPIOGetLine, unsafe.Pointer(r)); err != nil {
		return nil, fmt.Errorf("cannot request lines %d of %s: %w", offsets, c.name, err)
	}
	return &request{kernel: c.kernel, fd: int(r.Fd)}, nil
}

func (r *request) close() { _ = r.kernel.Close(r.fd) }

// get reads the logical value of the line with a bit.
func (r *request) get(bit int) (int64, error) {
	now, err := r.getAll(1 << bit)
	return int64(now.Get(bit)), err
}

// getAll reads the logical values of the lines in a mask.
func (r *request) getAll(mask gpiocdev.LineBitmap) (gpiocdev.LineBitmap, error) {
	r.values = gpiocdev.LineValues{Mask: mask}
	if err := r.kernel.Ioctl(r.fd, uapi.GPIOLineGetValues, unsafe.Pointer(&r.values)); err != nil {
		return 0, fmt.Errorf("cannot read a line: %w", err)
	}
	return r.values.Bits & mask, nil
}

// look reads the logical value, and notes when.
func (r *request) look(bit int) (now reading, err error) {
	now.asOf = monotonic()
	now.value, err = r.get(bit)
	return now, err
}

// monotonic is CLOCK_MONOTONIC in ns, by which the kernel dates edges.
func monotonic() int64 {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // cannot fail: the clock is there
	return now.Nano()
}

// set drives a logical value at the line with a bit.
func (r *request) set(bit int, value int64) error {
	return r.setAll(1<<bit, gpiocdev.LineBitmap(value)<<bit)
}

// setAll drives the logical values of the lines in a mask, with one call of the kernel: at once, where the chip's driver can.
func (r *request) setAll(mask, values gpiocdev.LineBitmap) error {
	r.values = gpiocdev.LineValues{Mask: mask, Bits: values}
	if err := r.kernel.Ioctl(r.fd, uapi.GPIOLineSetValues, unsafe.Pointer(&r.values)); err != nil {
		return fmt.Errorf("cannot set a line: %w", err)
	}
	return nil
}

// configureAll gives all lines another configuration.
func (r *request) configureAll(wants []want) error {
	config, err := configOf(wants)
	if err != nil {
		return err
	}
	return r.configure(config)
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
