package sim

import (
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// Backlight is a backlight to add to the board.
type Backlight struct {
	Name       string
	Under      string // its parent device, as OnPlatform; "" for that
	Max        int64
	Brightness int64 // at first
	Reads      bool  // the driver asks the hardware how bright it is, which is 0 while it is off
	Fails      error // what the driver answers to a change; nil for nothing
}

// backlight follows drivers/video/backlight/backlight.c.
type backlight struct {
	kernel *Kernel
	Backlight
	power uint64 // as FB_BLANK_UNBLANK and the others of include/uapi/linux/fb.h: 0 is on
}

// AddBacklight adds a backlight, which is on.
func (k *Kernel) AddBacklight(l Backlight) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := k.newDevice(or(l.Under, OnPlatform), "/sys/class/backlight", l.Name, func() { k.AddBacklight(l) })
	b := &backlight{kernel: k, Backlight: l}
	n.add("max_brightness", constant(strconv.FormatInt(l.Max, 10)))
	n.add("type", constant("raw"))
	n.add("scale", constant("unknown"))
	n.add("brightness", &attribute{func() (string, error) { return fmt.Sprintln(b.Brightness), nil }, b.setBrightness})
	n.add("actual_brightness", &attribute{show: func() (string, error) { return fmt.Sprintln(b.actual()), nil }})
	n.add("bl_power", &attribute{func() (string, error) { return fmt.Sprintln(b.power), nil }, b.setPower})
	k.devices[l.Name].hardware = b
	k.appear(l.Name)
}

// actual is what the driver says; one that cannot ask the hardware is not asked.
func (b *backlight) actual() int64 {
	if b.Reads && b.power != 0 {
		return 0
	}
	return b.Brightness
}

// setBrightness tells of a change even where there was none.
func (b *backlight) setBrightness(text string) error {
	n, err := parseC(text, strconv.IntSize)
	if err != nil {
		return err
	}
	defer b.kernel.changed(b.Name, "SOURCE=sysfs")
	if n > uint64(b.Max) {
		return unix.EINVAL
	}
	b.Brightness = int64(n) // and so it stays where the driver fails
	return b.Fails
}

// setPower takes any number, and tells nobody.
func (b *backlight) setPower(text string) error {
	n, err := parseC(text, strconv.IntSize)
	if err != nil || n == b.power {
		return err
	}
	if b.Fails == nil {
		b.power = n
	}
	return b.Fails
}

// SetBacklight changes the brightness of a backlight as its firmware does when a key is pressed. A test that names none is wrong, and panics.
func (k *Kernel) SetBacklight(name string, brightness int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.devices[name].hardware.(*backlight).Brightness = brightness
	k.changed(name, "SOURCE=hotkey")
}

// FailBacklight lets the driver of a backlight answer changes with an error from now on; nil lets it work again.
func (k *Kernel) FailBacklight(name string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.devices[name].hardware.(*backlight).Fails = err
}
