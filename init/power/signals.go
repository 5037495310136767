package power

import (
	"errors"
	"fmt"
	"math/bits"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
)

// signals is an init system that is asked by signals.
type signals struct {
	*Machine
	reboot, powerOff unix.Signal
}

func (s signals) name() string                { return "signals" }
func (s signals) able() (asked, targets bool) { return s.kernel.Kill(1, 0) == nil, false }

func (s signals) ask(r hal.PowerRequest) error {
	signal := s.reboot
	if r.Action == hal.PowerOff {
		signal = s.powerOff
	}
	if err := s.kernel.Kill(1, signal); err != nil {
		return fmt.Errorf("cannot signal the first process: %w", err)
	}
	return nil
}

// systemd asks systemd by signals, which need nothing but systemd itself.
type systemd struct{ *Machine }

func (s systemd) name() string { return "signals" }

func (s systemd) able() (asked, targets bool) { return s.kernel.Kill(1, 0) == nil, s.takesTarget() }

func (s systemd) ask(r hal.PowerRequest) error {
	first := s.firstRealTime()
	return s.withTarget(r, signals{s.Machine, first + 5, first + 4}.ask)
}

// firstRealTime is SIGRTMIN as systemd counts: 34 by glibc, 35 by musl, where what reboots by the one would power off by the other. systemd waits for SIGRTMIN+0 as for all its signals by
// blocking it, so it is the first one that is blocked.
func (m *Machine) firstRealTime() unix.Signal {
	const glibc = 34
	text, _ := os.ReadFile(m.path("/proc/1/status"))
	for line := range strings.Lines(string(text)) {
		mask, ok := strings.CutPrefix(line, "SigBlk:")
		if !ok {
			continue
		}
		blocked, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
		if blocked >>= glibc - 1; err == nil && blocked != 0 {
			return unix.Signal(glibc + bits.TrailingZeros64(blocked))
		}
	}
	return glibc
}

// rebootParam is where systemd's shutdown finds what to hand to reboot(2), as `systemctl reboot --reboot-argument=` leaves it.
const rebootParam = "/run/systemd/reboot-param"

// takesTarget reports whether systemd can be told a target: the unit of the daemon, or its sandbox, may not let it be written.
func (m *Machine) takesTarget() bool {
	if m.is(rebootParam, unix.S_IFREG) {
		return m.opens(rebootParam, 0)
	}
	return m.opens("/run/systemd", unix.O_TMPFILE)
}

// opens reports whether a file can be written, or one without a name made in a folder. Nothing comes of it. access(2) does not know of sandboxes, and is asked only where a file system has no such files.
func (m *Machine) opens(path string, flags int) bool {
	fd, err := unix.Open(m.path(path), unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|flags, 0o600)
	if err == unix.EOPNOTSUPP || err == unix.EISDIR {
		return m.writable(path)
	}
	if err == nil {
		_ = unix.Close(fd)
	}
	return err == nil
}

// withTarget leaves the target for systemd, and takes it back where the rest fails.
func (m *Machine) withTarget(r hal.PowerRequest, ask func(hal.PowerRequest) error) error {
	if r.Target == "" {
		return ask(r)
	}
	if err := os.WriteFile(m.path(rebootParam), []byte(r.Target+"\n"), 0o644); err != nil {
		return fmt.Errorf("cannot leave the target of a reboot: %w", err)
	}
	err := ask(r)
	if err != nil && os.Remove(m.path(rebootParam)) != nil {
		_ = os.WriteFile(m.path(rebootParam), nil, 0o644) // an empty one is none
	}
	return err
}

// runit is told what to do by the permissions of two files, and then to look.
type runit struct{ *Machine }

func (runit) name() string { return "control file" }

func (w runit) able() (asked, targets bool) {
	return w.kernel.Kill(1, 0) == nil && w.writable("/etc/runit"), false
}

func (w runit) ask(r hal.PowerRequest) error {
	reboot := os.FileMode(0o100)
	if r.Action == hal.PowerOff {
		reboot = 0
	}
	if err := errors.Join(w.mark("/etc/runit/reboot", reboot), w.mark("/etc/runit/stopit", 0o100)); err != nil {
		return fmt.Errorf("cannot tell runit what to do: %w", err)
	}
	return signals{w.Machine, unix.SIGCONT, unix.SIGCONT}.ask(r)
}

// mark gives a file its permissions, and makes it where it is not there. One without any cannot be opened, not even by its owner.
func (m *Machine) mark(path string, mode os.FileMode) error {
	err := os.Chmod(m.path(path), mode)
	if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(m.path(path), os.O_CREATE|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	return errors.Join(f.Chmod(mode), f.Close())
}
