package power

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
)

// tell writes to a FIFO as one message, which its reader gets whole. It does not wait: a FIFO without a reader is nobody.
func (m *Machine) tell(path string, message []byte) error {
	fd, err := unix.Open(m.path(path), unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err == unix.ENXIO {
		return fmt.Errorf("%w: nobody reads %s", errUnreachable, path)
	}
	if err != nil {
		return fmt.Errorf("cannot open %s: %w", path, err)
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, message); err != nil {
		return fmt.Errorf("cannot write to %s: %w", path, err)
	}
	return nil
}

// openrcFIFO is RC_INIT_FIFO of OpenRC's rc.h.
const openrcFIFO = "/run/openrc/init.ctl"

// openrc is OpenRC's own init.
type openrc struct{ *Machine }

func (openrc) name() string                  { return "control file" }
func (w openrc) able() (asked, targets bool) { return w.writable(openrcFIFO), false }

func (w openrc) ask(r hal.PowerRequest) error {
	word := "reboot"
	if r.Action == hal.PowerOff {
		word = "poweroff"
	}
	return w.tell(openrcFIFO, []byte(word))
}

// sysvinit is SysV init.
type sysvinit struct{ *Machine }

func (sysvinit) name() string                  { return "control file" }
func (w sysvinit) able() (asked, targets bool) { return w.writable(w.initctl()), false }

// initctl is where SysV init listens, or "".
func (m *Machine) initctl() string {
	for _, path := range []string{"/run/initctl", "/dev/initctl"} {
		if m.is(path, unix.S_IFIFO) {
			return path
		}
	}
	return ""
}

// The requests of struct init_request in initreq.h.
const (
	initMagic    = 0x03091969
	initRunlevel = 1
	initSetEnv   = 6
	initSize     = 384
)

// initRequest is a struct init_request: magic, command, runlevel and sleep time, then its data.
func initRequest(command uint32, runlevel byte, data string) []byte {
	b := make([]byte, initSize)
	for i, word := range []uint32{initMagic, command, uint32(runlevel), 0} {
		binary.NativeEndian.PutUint32(b[4*i:], word)
	}
	copy(b[16:], data)
	return b
}

// ask changes the runlevel: 6 reboots, and 0 does what INIT_HALT says, as shutdown(8) leaves it.
func (w sysvinit) ask(r hal.PowerRequest) error {
	if r.Action == hal.Reboot {
		return w.tell(w.initctl(), initRequest(initRunlevel, '6', ""))
	}
	if err := w.tell(w.initctl(), initRequest(initSetEnv, 0, "INIT_HALT=POWEROFF")); err != nil {
		return err
	}
	return w.tell(w.initctl(), initRequest(initRunlevel, '0', ""))
}
