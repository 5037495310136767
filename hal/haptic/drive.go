package haptic

import (
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/uapi"
)

// ffRumble is the number of the bit in a device's capabilities.
const ffRumble = uapi.FFRumble

// hasBit looks into a bitmap as sysfs prints it.
func hasBit(text string, bit int) bool {
	words := strings.Fields(text)
	const size = strconv.IntSize
	at := len(words) - 1 - bit/size
	if at < 0 {
		return false
	}
	word, err := strconv.ParseUint(words[at], 16, 64)
	return err == nil && word&(1<<(bit%size)) != 0
}

// feedback is the force feedback of one device. Its node is opened with the first call, and closed with the class: that ends its effects.
type feedback struct {
	kernel hal.Kernel
	node   string
	fd     int
	effect int16 // the kernel's number for ours; -1 before it is sent
}

func (f *feedback) open() (err error) {
	if f.fd < 0 {
		f.fd, err = f.kernel.Open(f.node, unix.O_RDWR|unix.O_NONBLOCK)
		if err != nil {
			f.fd = -1
		}
	}
	return gone(err)
}

func (f *feedback) play(ms, strength int64) error {
	if err := f.open(); err != nil {
		return err
	}
	e := &uapi.FFEffect{Type: uapi.FFRumble, ID: f.effect, Length: uint16(ms), Strong: uint16(strength * 0xffff / 1000)}
	if err := f.kernel.Ioctl(f.fd, uapi.InputSendEffect, unsafe.Pointer(e)); err != nil {
		return err
	}
	f.effect = e.ID
	return f.turn(1)
}

// turn begins or ends the effect.
func (f *feedback) turn(value int32) error {
	e := uapi.InputEvent{Type: uapi.InputFF, Code: uint16(f.effect), Value: value}
	_, err := f.kernel.Write(f.fd, unsafe.Slice((*byte)(unsafe.Pointer(&e)), uapi.InputEventSize))
	return err
}

func (f *feedback) stop() error {
	if f.effect < 0 { // it never ran
		_, err := f.kernel.Inode(f.node)
		return gone(err)
	}
	return f.turn(0)
}

func (f *feedback) close() {
	if f.fd >= 0 {
		_ = f.kernel.Close(f.fd)
		f.fd, f.effect = -1, -1
	}
}
