package power

import (
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// detect says what the first process is, and how it is asked: what is tried first comes first.
func (m *Machine) detect() (name string, ways []way) {
	likeBusybox := signals{m, unix.SIGTERM, unix.SIGUSR2}
	switch comm := m.comm(); {
	case m.is("/run/systemd/system", unix.S_IFDIR):
		return "systemd", []way{shutdownd{m}, systemd{m}}
	case m.is(propertyService, unix.S_IFSOCK):
		return "android", []way{property{m}}
	case m.is(openrcFIFO, unix.S_IFIFO):
		return "openrc", []way{openrc{m}}
	case comm == "dinit":
		return "dinit", []way{dinit{m}}
	case comm == "s6-svscan":
		return "s6", []way{signals{m, unix.SIGINT, unix.SIGUSR1}}
	case comm == "runit":
		return "runit", []way{runit{m}}
	case comm == "finit", m.is("/run/finit/socket", unix.S_IFSOCK):
		return "finit", []way{likeBusybox}
	case comm == "procd":
		return "procd", []way{likeBusybox}
	case m.initctl() != "":
		return "sysvinit", []way{sysvinit{m}}
	case comm == "busybox", comm == "linuxrc", comm == "init" && m.isBusybox():
		return "busybox", []way{likeBusybox}
	}
	return "unknown", []way{bare{m}}
}

func (m *Machine) path(p string) string { return m.root + p }

// is reports whether there is something of a type at a path.
func (m *Machine) is(path string, kind uint32) bool {
	var stat unix.Stat_t
	return unix.Stat(m.path(path), &stat) == nil && stat.Mode&unix.S_IFMT == kind
}

// writable reports whether a path can be written to.
func (m *Machine) writable(path string) bool { return unix.Access(m.path(path), unix.W_OK) == nil }

// comm is the name of the first process: that of the file it was started as.
func (m *Machine) comm() string {
	text, _ := os.ReadFile(m.path("/proc/1/comm"))
	return strings.TrimSpace(string(text))
}

// isBusybox looks where /sbin/init leads to.
func (m *Machine) isBusybox() bool {
	target, err := filepath.EvalSymlinks(m.path("/sbin/init"))
	return err == nil && filepath.Base(target) == "busybox"
}
