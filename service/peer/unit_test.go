package peer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestUnitFromCgroup(t *testing.T) {
	tests := []struct{ name, path, want string }{
		{"a system service", "/system.slice/kiosk.service", "kiosk.service"},
		{"a template's instance", "/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service"},
		{"a service without a slice", "/kiosk.service", "kiosk.service"},
		{"in a slice of its own", "/a.slice/a-b.slice/a-b-c.slice/kiosk.service", "kiosk.service"},
		{"below a service", "/system.slice/kiosk.service/worker", "kiosk.service"},
		{"a control group of a service", "/system.slice/kiosk.service/control", "kiosk.service"},
		{"a scope", "/user.slice/user-1000.slice/session-3.scope", "session-3.scope"},
		{"init", "/init.scope", "init.scope"},
		{"a mount", "/system.slice/mnt-data.mount", "mnt-data.mount"},
		{"a socket", "/system.slice/halberd.socket", "halberd.socket"},
		{"an escaped unit", `/system.slice/dev-disk-by\x2dlabel-swap.swap`, `dev-disk-by\x2dlabel-swap.swap`},
		{"a name that the kernel would take for its own", "/system.slice/_cpu.service", "cpu.service"},
		{"a unit that begins with an underscore", "/system.slice/__x.service", "_x.service"},
		{"an escaped slice", "/_cpu.slice/kiosk.service", "kiosk.service"},

		{"a user's service named like a system one", "/user.slice/user-1000.slice/user@1000.service/app.slice/kiosk.service", "user@1000.service"},
		{"a user's slice in between", "/user.slice/user-1000.slice/user@1000.service/system.slice/kiosk.service", "user@1000.service"},
		{"a user's folder named like a slice", "/system.slice/app.service/system.slice/kiosk.service", "app.service"},
		{"a session's folder", "/user.slice/user-1000.slice/session-3.scope/kiosk.service", "session-3.scope"},
		{"a container's service", "/docker/0123abcd/system.slice/kiosk.service", ""},
		{"a container's service in a slice", "/machine.slice/libpod-1.scope/container/system.slice/kiosk.service", "libpod-1.scope"},
		{"outside our namespace", "/../system.slice/kiosk.service", ""},
		{"further outside", "/../../kiosk.service", ""},
		{"a dot", "/./kiosk.service", ""},
		{"double slash", "//kiosk.service", ""},
		{"deleted", "/system.slice/kiosk.service (deleted)", ""},
		{"not from the root", "system.slice/kiosk.service", ""},
		{"a space before it", "/ kiosk.service", ""},
		{"a NUL", "/kiosk\x00.service", ""},
		{"beyond ASCII", "/kiösk.service", ""},
		{"only a suffix", "/.service", ""},
		{"only an escaped suffix", "/_.service", ""},
		{"another type", "/system.slice/kiosk.timer", ""},
		{"suffix in the middle", "/kiosk.service.d/x", ""},
		{"a slice alone", "/system.slice", ""},
		{"the root", "/", ""},
		{"nothing", "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := UnitFromCgroup(test.path); got != test.want {
				t.Errorf("%q: got %q, want %q", test.path, got, test.want)
			}
		})
	}
}

func TestUnitFromFile(t *testing.T) {
	tests := []struct{ name, file, want string }{
		{"unified", "0::/system.slice/kiosk.service\n", "kiosk.service"},
		{"legacy", "4:memory:/system.slice\n1:name=systemd:/system.slice/kiosk.service\n0::/\n", "kiosk.service"},
		{"hybrid", "1:name=systemd:/system.slice/kiosk.service\n0::/system.slice/kiosk.service\n", "kiosk.service"},
		{"another hierarchy", "4:memory:/kiosk.service\n2:name=other:/kiosk.service\n", ""},
		{"none", "0::/\n", ""},
		{"empty", "", ""},
		{"without a newline", "0::/kiosk.service", "kiosk.service"},
		{"garbage", "::\n0\n0:\n:::/kiosk.service\n", ""},
		{"a colon in a folder's name", "0::/docker/x:name=systemd:/kiosk.service\n", ""},
		{"a colon in a folder of another hierarchy", "4:memory:/x/0::/kiosk.service\n4:memory:/x:name=systemd:/kiosk.service\n", ""},
		{"controllers in the unified line", "0:name=x:/kiosk.service\n", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := unitFromFile(test.file); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// needPidfd skips where the kernel cannot name a peer without a race.
func needPidfd(t *testing.T, conn int) {
	t.Helper()
	fd, err := unix.GetsockoptInt(conn, unix.SOL_SOCKET, unix.SO_PEERPIDFD)
	if err != nil {
		t.Skipf("SO_PEERPIDFD: %v", err)
	}
	unix.Close(fd)
}

// enter moves a process into a cgroup of the unified hierarchy, which is removed again when the process has ended.
func enter(t *testing.T, pid int, path string) {
	t.Helper()
	root := unifiedRoot(t)
	if err := os.MkdirAll(filepath.Join(root, path), 0o755); err != nil {
		t.Skipf("cannot make a cgroup: %v", err)
	}
	t.Cleanup(func() {
		for ; path != "."; path = filepath.Dir(path) {
			_ = os.Remove(filepath.Join(root, path))
		}
	})
	if err := os.WriteFile(filepath.Join(root, path, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0); err != nil {
		t.Skipf("cannot enter a cgroup: %v", err)
	}
}

func unifiedRoot(t *testing.T) string {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Skipf("cannot find the cgroups: %v", err)
	}
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[2] == "cgroup2" {
			return fields[1]
		}
	}
	t.Skipf("no unified cgroup hierarchy is mounted: %v", unix.ENOENT)
	return ""
}

func TestUnitOf(t *testing.T) {
	slice := fmt.Sprintf("halberdtest%d.slice", os.Getpid())
	tests := []struct{ name, path, want string }{
		{"a service", slice + "/kiosk.service", "kiosk.service"},
		{"a user's folder", slice + "/user@1000.service/kiosk.service", "user@1000.service"},
		{"no unit", slice, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var c *child
			t.Cleanup(func() {
				if c != nil {
					c.end()
				}
			})
			c = startChild(t, nil)
			needPidfd(t, c.conn)
			enter(t, c.pid, test.path)
			t.Cleanup(c.end) // before the cgroup is removed
			got, err := UnitOf(c.conn)
			if got != test.want || errors.Is(err, ErrNoUnit) != (test.want == "") {
				t.Errorf("got %q (%v), want %q", got, err, test.want)
			}
		})
	}
}

// A process that is gone has no unit, however it left: its number may be somebody else's by now.
func TestUnitOfADeadPeer(t *testing.T) {
	c := startChild(t, nil)
	needPidfd(t, c.conn)
	enter(t, c.pid, fmt.Sprintf("halberdtest%d.slice/kiosk.service", os.Getpid()))
	if got, err := UnitOf(c.conn); got != "kiosk.service" || err != nil {
		t.Fatalf("alive: got %q (%v), want kiosk.service", got, err)
	}
	c.end()
	if got, err := UnitOf(c.conn); got != "" || !errors.Is(err, ErrNoUnit) || !errors.Is(err, unix.ESRCH) && !errors.Is(err, unix.EINVAL) {
		t.Errorf("dead: got %q (%v), want ErrNoUnit, since there is no such process", got, err)
	}
}

// One that has ended and was not waited for still has its cgroup, but is not asked any more.
func TestUnitOfAZombie(t *testing.T) {
	c := startChild(t, nil)
	needPidfd(t, c.conn)
	enter(t, c.pid, fmt.Sprintf("halberdtest%d.slice/kiosk.service", os.Getpid()))
	t.Cleanup(c.end) // before the cgroup is removed
	pidfd, err := unix.GetsockoptInt(c.conn, unix.SOL_SOCKET, unix.SO_PEERPIDFD)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pidfd)
	if !alive(pidfd) {
		t.Error("the child is said to be dead before it ended")
	}
	c.stdin.Close()
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	for n := 0; n == 0; {
		if n, err = unix.Poll(fds, -1); err != nil && err != unix.EINTR {
			t.Fatal(err)
		}
	}
	if got, err := UnitOf(c.conn); got != "" || !errors.Is(err, ErrNoUnit) || !errors.Is(err, unix.ESRCH) {
		t.Errorf("got %q (%v), want ErrNoUnit, since it has ended", got, err)
	}
}

func TestUnitOfErrors(t *testing.T) {
	if got, err := UnitOf(-1); got != "" || !errors.Is(err, ErrNoUnit) || !errors.Is(err, unix.EBADF) {
		t.Errorf("got %q (%v), want ErrNoUnit because of EBADF", got, err)
	}
}

// A pidfd has the process id of its process until that was waited for, and what is no pidfd has none.
func TestPidOf(t *testing.T) {
	null, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(null)
	c := startChild(t, nil)
	pidfd, err := unix.PidfdOpen(c.pid, 0)
	if err != nil {
		t.Skipf("pidfd_open: %v", err)
	}
	defer unix.Close(pidfd)
	if pid, err := pidOf(pidfd); pid != c.pid || err != nil {
		t.Errorf("alive: got %d (%v), want %d", pid, err, c.pid)
	}
	init, err := unix.PidfdOpen(1, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(init)
	if pid, err := pidOf(init); pid != 1 || err != nil {
		t.Errorf("init: got %d (%v), want 1", pid, err)
	}
	c.end()
	for name, test := range map[string]struct {
		fd   int
		want error
	}{"not open": {-1, unix.ENOENT}, "no process": {null, unix.ESRCH}, "a process that was waited for": {pidfd, unix.ESRCH}} {
		if pid, err := pidOf(test.fd); pid != 0 || !errors.Is(err, test.want) {
			t.Errorf("%s: got %d (%v), want %v", name, pid, err, test.want)
		}
	}
}
