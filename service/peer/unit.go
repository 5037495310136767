package peer

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrNoUnit says that the peer's unit cannot be known: it runs in none, it is gone, or the kernel (before 6.5) cannot name it without a race. A
// grant that names units does not match then; the peer is served all the same.
var ErrNoUnit = errors.New("cannot tell the peer's unit")

// UnitOf returns the systemd unit that the process at the far end of a connection runs in: a system service, scope, mount, socket or swap unit. It
// reads /proc, so ask only where a grant names units.
//
// The process is held by a pidfd (SO_PEERPIDFD), and must still be alive after its cgroup was read: only then the number was still its own.
func UnitOf(fd int) (string, error) {
	pidfd, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PEERPIDFD)
	if err != nil {
		return "", noUnit(err)
	}
	defer unix.Close(pidfd)
	pid, err := pidOf(pidfd)
	if err != nil {
		return "", noUnit(err)
	}
	cgroups, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err == nil && !alive(pidfd) {
		err = unix.ESRCH
	}
	if err != nil {
		return "", noUnit(err)
	}
	if unit := unitFromFile(string(cgroups)); unit != "" {
		return unit, nil
	}
	return "", ErrNoUnit
}

func noUnit(why error) error { return fmt.Errorf("%w: %w", ErrNoUnit, why) }

// pidOf reads the process id behind a pidfd: -1 for a process that was waited for, 0 for one outside our pid namespace.
func pidOf(pidfd int) (int, error) {
	info, err := os.ReadFile("/proc/self/fdinfo/" + strconv.Itoa(pidfd))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(info)) {
		value, found := strings.CutPrefix(line, "Pid:")
		if !found {
			continue
		}
		pid, err := strconv.Atoi(strings.TrimSpace(value))
		if err != nil || pid <= 0 {
			return 0, unix.ESRCH
		}
		return pid, nil
	}
	return 0, unix.ESRCH
}

// alive polls the pidfd, which becomes readable when the process ends. A signal 0 would need a permission that the daemon may not have.
func alive(pidfd int) bool {
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, 0)
		if err != unix.EINTR {
			return err == nil && n == 0
		}
	}
}

// unitFromFile reads /proc/PID/cgroup: the unified hierarchy, or systemd's own one where the controllers have theirs (cgroup v1). A line is
// number:controllers:path, and only the path may hold more colons; the kernel lets nobody put a newline into it.
func unitFromFile(cgroups string) string {
	var unified, legacy string
	for line := range strings.Lines(cgroups) {
		number, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		controllers, path, _ := strings.Cut(rest, ":")
		switch {
		case number == "0" && controllers == "":
			unified = UnitFromCgroup(path)
		case controllers == "name=systemd":
			legacy = UnitFromCgroup(path)
		}
	}
	if unified != "" {
		return unified
	}
	return legacy
}

// UnitFromCgroup returns the unit that owns a cgroup: the first component of the path, from the root, that is not a slice. What comes below it may
// be named by whoever the unit delegates to (a user's own service manager, a container's), so it proves nothing. It is empty where that component is
// no unit's name, as for a kernel thread or a container that systemd did not start.
func UnitFromCgroup(path string) string {
	rest, rooted := strings.CutPrefix(path, "/")
	for rooted && rest != "" {
		var component string
		component, rest, _ = strings.Cut(rest, "/")
		name := unescape(component)
		if !strings.HasSuffix(name, ".slice") {
			return unitName(name)
		}
	}
	return ""
}

// unescape undoes systemd's escaping of names that the kernel would take for its own files ("_cpu.service"): one underscore in front.
func unescape(component string) string { return strings.TrimPrefix(component, "_") }

// unitTypes are the types of unit that have processes, other than slices.
var unitTypes = [...]string{".service", ".scope", ".socket", ".mount", ".swap"}

// unitName returns name if a unit can be named so, and nothing else. See systemd.unit(5).
func unitName(name string) string {
	for _, suffix := range unitTypes {
		if prefix, found := strings.CutSuffix(name, suffix); found && prefix != "" && validUnit(prefix) {
			return name
		}
	}
	return ""
}

func validUnit(prefix string) bool {
	for _, c := range []byte(prefix) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(":-_.\\@", c) >= 0) {
			return false
		}
	}
	return true
}
