// Package power asks whatever runs as the first process to reboot the machine or to switch it off, each init system in the way that it documents, and puts the machine to sleep. No program is run
// and no message bus is spoken to.
//
//	systemd    /run/systemd/system (sd_booted(3))       io.systemd.Shutdown of logind (systemd 261 and later), else SIGRTMIN+5 and SIGRTMIN+4 (systemd(1))
//	Android    /dev/socket/property_service             the property sys.powerctl
//	OpenRC     /run/openrc/init.ctl, of openrc-init     "reboot" and "poweroff", written to it
//	dinit      its name                                 /run/dinitctl, SHUTDOWN
//	s6         its name, s6-svscan                      SIGINT and SIGUSR1 (s6-linux-init-maker)
//	runit      its name                                 /etc/runit/stopit and reboot, and SIGCONT (runit-init(8))
//	finit      its name, or /run/finit/socket           SIGTERM and SIGUSR2 (Finit Signals)
//	procd      its name                                 SIGTERM and SIGUSR2
//	SysV init  /run/initctl or /dev/initctl             runlevels 6 and 0 (init(8))
//	busybox    its name, or where /sbin/init leads to   SIGTERM and SIGUSR2
//	any other  –                                        sync(2) and reboot(2), which needs CAP_SYS_BOOT
//
// A signal needs no capability, since the first process belongs to root as Halberd does. OpenRC on another init system, and a Debian with one, are asked by the way of that one.
//
// Sleep is the kernel's: a word written to /sys/power/state (Linux Documentation/ABI/testing/sysfs-power). An end of it is a timer of CLOCK_REALTIME_ALARM (timerfd_create(2); CAP_WAKE_ALARM), which
// the kernel keeps beside all other alarms of the real-time clock, so that it takes nobody's.
package power

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
)

// Machine is a machine with an init system. Its methods may be called by several goroutines.
type Machine struct {
	root   string // before every path; "" but in tests
	kernel kernel
}

// New is this machine.
func New() *Machine { return &Machine{kernel: linux{}} }

// kernel are the calls that end a machine, and what has to be known about them.
type kernel interface {
	// Kill sends a signal; 0 asks whether one may be sent.
	Kill(pid int, signal unix.Signal) error
	// Reboot writes all buffers to disk and restarts the machine or, with off, switches it off, without asking anybody.
	Reboot(off bool, target string) error
	// Alarm wakes a sleeping machine at a time, until it is ended.
	Alarm(at time.Time) (end func(), err error)
	// Capable reports whether this process has a capability.
	Capable(capability int) bool
}

// way is how an init system is asked.
type way interface {
	name() string
	// able reports whether it can be asked so, as things stand, and whether a reboot can have a target.
	able() (asked, targets bool)
	// ask asks for a reboot or to power off. errUnreachable says that nobody was there.
	ask(hal.PowerRequest) error
}

var errUnreachable = errors.New("cannot reach the init system")

// Abilities tells what the machine can be asked for.
func (m *Machine) Abilities() hal.PowerAbilities {
	init, ways := m.detect()
	can := hal.PowerAbilities{Init: init, Way: "none", Suspend: m.sleeps()}
	for _, w := range ways {
		if asked, targets := w.able(); asked {
			can.Way, can.Reboot, can.PowerOff, can.Targets = w.name(), true, true, targets
			break
		}
	}
	can.Wake = len(can.Suspend) > 0 && m.wakes()
	return can
}

// Ask asks for an action, by the first way by which somebody can be reached.
func (m *Machine) Ask(r hal.PowerRequest) error {
	if r.Action == hal.Suspend {
		return m.sleep(r)
	}
	err := errUnreachable
	_, ways := m.detect()
	for _, w := range ways {
		if asked, _ := w.able(); !asked {
			continue
		}
		if err = w.ask(r); !errors.Is(err, errUnreachable) {
			break
		}
	}
	return err
}
