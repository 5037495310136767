package haptic

import (
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
	"github.com/halberd-io/halberd/hal/uapi"
)

// rumbles reports whether a device of input can rumble, and whether it can be told how strongly all its effects are. The effects are words of the kernel's long in hexadecimal, the highest first.
func rumbles(k hal.Kernel, entry string) (can, gain bool, err error) {
	text, err := sysfs.Read(k, entry+"/device/capabilities/ff")
	if err != nil {
		return false, false, unless(sysfs.Missing(err), err)
	}
	return hasBit(text, uapi.FFRumble), hasBit(text, uapi.FFGain), nil
}

// unless gives an error that is not to be expected.
func unless(expected bool, err error) error {
	if expected {
		return nil
	}
	return err
}

// hasBit looks into a bitmap as sysfs prints it.
func hasBit(text string, bit int) bool {
	words := strings.Fields(text)
	const size = strconv.IntSize
	at := len(words) - 1 - bit/size
	if at < 0 {
		return false
	}
	word, err := strconv.ParseUint(words[at], 16, size)
	return err == nil && word&(1<<(bit%size)) != 0
}

// rumble is the force feedback of one device. Its node is opened with the first call, and closed with the class: that removes the effect.
type rumble struct {
	kernel hal.Kernel
	node   string
	entry  string // in /sys/class/input
	inode  uint64 // of the folder that it leads to
	gain   bool   // somebody may have set how strong effects are
	fd     int
	effect int16 // the kernel's number for ours; -1 before it is sent
}

func (r *rumble) open() (err error) {
	if r.fd >= 0 {
		return nil
	}
	if r.fd, err = r.kernel.Open(r.node, unix.O_WRONLY|unix.O_NONBLOCK); err != nil {
		r.fd = -1
		return gone(err)
	}
	if err = r.there(); err != nil {
		r.close()
	}
	return err
}

// there is ENODEV for a motor that is gone, also where another device has its node.
func (r *rumble) there() error { return sysfs.There(r.kernel, r.entry, r.inode) }

// play sends the effect, in place of the one before, and begins it. Where the second step fails the motor is as it was, or begins the new effect if it was running.
func (r *rumble) play(d time.Duration, strength int64) error {
	if err := r.open(); err != nil {
		return err
	}
	level := uint16(strength * 0xffff / full)
	e := &uapi.FFEffect{Type: uapi.FFRumble, ID: r.effect, Length: uint16(d.Milliseconds()), Strong: level, Weak: level}
	err := r.kernel.Ioctl(r.fd, uapi.InputSendEffect, unsafe.Pointer(e))
	switch {
	case err == unix.ENOSPC:
		return unix.EBUSY // others have sent as many effects as the device can keep
	case err != nil:
		return err
	}
	r.effect = e.ID
	if !r.gain {
		return r.write(uapi.InputEvent{Type: uapi.InputFF, Code: uint16(r.effect), Value: 1})
	}
	return r.write(uapi.InputEvent{Type: uapi.InputFF, Code: uapi.FFGain, Value: 0xffff}, uapi.InputEvent{Type: uapi.InputFF, Code: uint16(r.effect), Value: 1})
}

func (r *rumble) write(events ...uapi.InputEvent) error {
	_, err := r.kernel.Write(r.fd, unsafe.Slice((*byte)(unsafe.Pointer(&events[0])), len(events)*uapi.InputEventSize))
	return err
}

func (r *rumble) stop() error {
	if r.effect < 0 { // it never ran
		return r.there()
	}
	return r.write(uapi.InputEvent{Type: uapi.InputFF, Code: uint16(r.effect), Value: 0})
}

func (r *rumble) close() {
	if r.fd >= 0 {
		_ = r.kernel.Close(r.fd)
		r.fd, r.effect = -1, -1
	}
}
