package power

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
)

// linux is the running kernel.
type linux struct{}

func (linux) Kill(pid int, signal unix.Signal) error { return unix.Kill(pid, signal) }

// Reboot returns only where it fails.
func (linux) Reboot(off bool, target string) error {
	unix.Sync()
	switch {
	case off:
		return unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	case target == "":
		return unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
	}
	argument, err := unix.BytePtrFromString(target)
	if err != nil {
		return err
	}
	_, _, errno := unix.Syscall6(unix.SYS_REBOOT, unix.LINUX_REBOOT_MAGIC1, unix.LINUX_REBOOT_MAGIC2, unix.LINUX_REBOOT_CMD_RESTART2, uintptr(unsafe.Pointer(argument)), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// Alarm arms a timer, which wakes the machine for as long as it is open. On 32-bit machines it is set by the call that knows times up to 2038.
func (linux) Alarm(at time.Time) (end func(), err error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_REALTIME_ALARM, unix.TFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	end = func() { _ = unix.Close(fd) }
	value := unix.ItimerSpec{Value: unix.NsecToTimespec(at.UnixNano())}
	if value.Value.Nano() != at.UnixNano() {
		err = unix.EOVERFLOW
	}
	if err == nil {
		err = unix.TimerfdSettime(fd, unix.TFD_TIMER_ABSTIME, &value, nil)
	}
	if err != nil {
		end()
		return nil, err
	}
	return end, nil
}

// Capable looks at the effective set.
func (linux) Capable(capability int) bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData // of 32 capabilities each
	if unix.Capget(&header, &sets[0]) != nil {
		return false
	}
	return sets[capability/32].Effective&(1<<(capability%32)) != 0
}

// bare is a machine whose first process nobody knows, or has no way to be asked.
type bare struct{ *Machine }

func (bare) name() string { return "reboot(2)" }

func (w bare) able() (asked, targets bool) {
	can := w.kernel.Capable(unix.CAP_SYS_BOOT)
	return can, can
}

func (w bare) ask(r hal.PowerRequest) error {
	return w.kernel.Reboot(r.Action == hal.PowerOff, r.Target)
}
