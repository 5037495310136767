package haptic

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

// transient is the trigger that lets a LED be on for a time.
const transient = "transient"

// vibrator is a motor among the LEDs. It runs fully or not at all.
type vibrator struct {
	kernel  hal.Kernel
	dir     string
	trigger *sysfs.Attribute // nil where the kernel has no triggers
}

func openVibrator(k hal.Kernel, dir string) (*vibrator, error) {
	trigger, err := sysfs.Open(k, dir+"/trigger", unix.O_RDWR)
	if err != nil && !sysfs.Missing(err) {
		return nil, err
	}
	return &vibrator{k, dir, trigger}, nil
}

// triggers reads whether the kernel has the trigger, and whether it is active.
func (v *vibrator) triggers() (has, active bool, err error) {
	if v.trigger == nil {
		return false, false, nil
	}
	text, err := v.trigger.ReadText()
	active = sysfs.Word(text) == transient
	return active || slices.Contains(strings.Fields(text), transient), active, err
}

// has reports whether there is a file, or says that the vibrator is gone.
func (v *vibrator) has(name string) (bool, error) {
	_, err := v.kernel.Inode(v.dir + "/" + name)
	if err != unix.ENOENT {
		return err == nil, err
	}
	_, err = v.kernel.Inode(v.dir)
	return false, gone(err)
}

// play activates the trigger where that is not done and the driver has no files of its own, and then runs the motor. Where a step fails it is off.
func (v *vibrator) play(d time.Duration, strength int64) error {
	if strength != full {
		return &hal.NotSupported{Feature: "strength"}
	}
	has, active, err := v.triggers()
	if err != nil {
		return err
	}
	own, err := v.has("activate")
	switch {
	case err != nil:
		return err
	case active || own:
	case !has:
		return &hal.NotSupported{Feature: transient}
	default:
		if err := v.trigger.WriteText(transient); err != nil {
			return err
		}
		active = true
	}
	return v.run(d, active)
}

// run writes the files. One that runs is stopped first, since the kernel begins no second time before the first is over.
func (v *vibrator) run(d time.Duration, triggered bool) error {
	err := v.write("activate", "0")
	if err == nil {
		err = v.write("duration", strconv.FormatInt(d.Milliseconds(), 10))
	}
	if err == nil && triggered {
		err = v.write("state", "1") // on, and off afterwards
	}
	if err == nil {
		err = v.write("activate", "1")
	}
	return err
}

func (v *vibrator) write(name, text string) error {
	err := sysfs.Write(v.kernel, v.dir+"/"+name, text)
	if sysfs.Missing(err) {
		if _, left := v.has(name); left != nil {
			return left
		}
	}
	return err
}

func (v *vibrator) stop() error {
	if _, _, err := v.triggers(); err != nil {
		return err
	}
	own, err := v.has("activate")
	if err != nil || !own {
		return err
	}
	return v.write("activate", "0")
}

func (v *vibrator) close() { v.trigger.Close() }
