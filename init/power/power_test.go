package power

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
)

var _ hal.Machine = (*Machine)(nil)

// fake is a kernel that writes down what it is asked for.
type fake struct {
	capabilities []int
	fails        error
	did          []string
}

func (f *fake) Kill(pid int, signal unix.Signal) error {
	if signal != 0 && f.fails == nil {
		f.did = append(f.did, fmt.Sprintf("signal %d to %d", signal, pid))
	}
	return f.fails
}

func (f *fake) Reboot(off bool, target string) error {
	f.did = append(f.did, fmt.Sprintf("reboot off=%t target=%q", off, target))
	return f.fails
}

func (f *fake) Alarm(at time.Time) (func(), error) {
	if f.fails != nil {
		return nil, f.fails
	}
	f.did = append(f.did, fmt.Sprint("alarm ", at.Unix()))
	return func() { f.did = append(f.did, "no alarm") }, nil
}

func (f *fake) Capable(capability int) bool { return slices.Contains(f.capabilities, capability) }

// system is a tree that looks like a system with an init system of some kind, and what that was told.
type system struct {
	*testing.T
	*Machine
	kernel *fake
	heard  chan string
}

// newSystem has a short path, since those of sockets must be.
func newSystem(t *testing.T, comm string) *system {
	t.Helper()
	root, err := os.MkdirTemp("", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	k := &fake{}
	s := &system{T: t, Machine: &Machine{root: root, kernel: k}, kernel: k, heard: make(chan string, 9)}
	s.file("/proc/1/comm", comm+"\n")
	return s
}

// at makes the folder of a path, and gives the path.
func (s *system) at(path string) string {
	s.Helper()
	if err := os.MkdirAll(filepath.Dir(s.path(path)), 0o755); err != nil {
		s.Fatal(err)
	}
	return s.path(path)
}

func (s *system) file(path, text string) {
	s.Helper()
	if err := os.WriteFile(s.at(path), []byte(text), 0o644); err != nil {
		s.Fatal(err)
	}
}

func (s *system) folder(path string) { s.at(path + "/x") }

func (s *system) read(path string) string {
	s.Helper()
	text, err := os.ReadFile(s.path(path))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// fifo makes a FIFO; with a reader, what is written to it is heard.
func (s *system) fifo(path string, hasReader bool) {
	s.Helper()
	if err := unix.Mkfifo(s.at(path), 0o600); err != nil {
		s.Fatal(err)
	}
	if !hasReader {
		return
	}
	fd, err := unix.Open(s.path(path), unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		s.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), path)
	s.Cleanup(func() { _ = f.Close() })
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := f.Read(buf)
			if err != nil {
				return
			}
			s.heard <- string(buf[:n])
		}
	}()
}

// socket listens, hears one message of a length or up to a NUL, and answers it.
func (s *system) socket(path string, length int, answer string) {
	s.Helper()
	l, err := net.Listen("unix", s.at(path))
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.serve(c, length, answer)
		}
	}()
}

func (s *system) serve(c net.Conn, length int, answer string) {
	defer c.Close()
	var message []byte
	for one := make([]byte, 1); len(message) != length; {
		if _, err := io.ReadFull(c, one); err != nil || length < 0 && one[0] == 0 {
			break
		}
		message = append(message, one[0])
	}
	s.heard <- string(message)
	_, _ = io.WriteString(c, answer)
}

// expectHeard compares what was heard, which a FIFO may give in one piece or in several.
func (s *system) expectHeard(want string) {
	s.Helper()
	got := ""
	for len(got) < len(want) {
		select {
		case m := <-s.heard:
			got += m
		case <-time.After(10 * time.Second):
			s.Fatalf("it was told %q and no more, want %q", got, want)
		}
	}
	if got != want {
		s.Errorf("it was told %q, want %q", got, want)
	}
}

func (s *system) expectDid(want ...string) {
	s.Helper()
	if !slices.Equal(s.kernel.did, want) {
		s.Errorf("the kernel was asked for %q, want %q", s.kernel.did, want)
	}
}

var (
	reboot   = hal.PowerRequest{Action: hal.Reboot}
	powerOff = hal.PowerRequest{Action: hal.PowerOff}
	recovery = hal.PowerRequest{Action: hal.Reboot, Target: "recovery"}
)

const (
	property2 = "\x01\x00\x02\x00\x0c\x00\x00\x00sys.powerctl"
	done      = "{\"parameters\":{}}\x00"
)

// native stands where a table has numbers as a little-endian machine writes them.
func native(text string) string {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		panic("the table is for little-endian machines")
	}
	return text
}

// request writes a struct init_request: what comes first of it.
func request(command byte, rest string) string {
	text := "\x69\x19\x09\x03" + string(command) + "\x00\x00\x00" + rest
	return text + strings.Repeat("\x00", 384-len(text))
}

// TestWays: each init system is recognised, and asked in its own way.
func TestWays(t *testing.T) {
	for _, row := range []struct {
		name, comm string
		prepare    func(*system)
		init, way  string
		targets    bool
		did        [2]string // by signals, to reboot and to power off
		heard      [2]string // by sockets and FIFOs
	}{
		{name: "systemd with logind's socket", comm: "systemd", prepare: func(s *system) {
			s.folder("/run/systemd/system")
			s.socket(shutdownSocket, -1, done)
		}, init: "systemd", way: "varlink", targets: true, heard: [2]string{
			`{"method":"io.systemd.Shutdown.Reboot","parameters":{}}`, `{"method":"io.systemd.Shutdown.PowerOff","parameters":{}}`}},
		{name: "systemd without", comm: "systemd", prepare: func(s *system) { s.folder("/run/systemd/system") },
			init: "systemd", way: "signals", targets: true, did: [2]string{"signal 39 to 1", "signal 38 to 1"}},
		{name: "systemd of glibc", comm: "systemd", prepare: func(s *system) {
			s.folder("/run/systemd/system")
			s.file("/proc/1/status", "Name:\tsystemd\nSigQ:\t0/1\nSigBlk:\t7fe3c0fe28014a03\nSigIgn:\t0000000000001000\n")
		}, init: "systemd", way: "signals", targets: true, did: [2]string{"signal 39 to 1", "signal 38 to 1"}},
		{name: "systemd of musl", comm: "systemd", prepare: func(s *system) {
			s.folder("/run/systemd/system")
			s.file("/proc/1/status", "SigBlk:\tffc781fc28014a03\n")
		}, init: "systemd", way: "signals", targets: true, did: [2]string{"signal 40 to 1", "signal 39 to 1"}},
		{name: "Android", comm: "init", prepare: func(s *system) { s.socket(propertyService, 4+4+12+4+6, "\x00\x00\x00\x00") },
			init: "android", way: "property", targets: true, heard: [2]string{property2 + "\x06\x00\x00\x00reboot", property2 + "\x08\x00\x00\x00shutdo"}},
		{name: "OpenRC", comm: "init", prepare: func(s *system) { s.fifo(openrcFIFO, true) },
			init: "openrc", way: "control file", heard: [2]string{"reboot", "poweroff"}},
		{name: "dinit", comm: "dinit", prepare: func(s *system) { s.socket(dinitSocket, 2, "\x32") },
			init: "dinit", way: "control socket", heard: [2]string{"\x0a\x04", "\x0a\x03"}},
		{name: "s6", comm: "s6-svscan", init: "s6", way: "signals", did: [2]string{"signal 2 to 1", "signal 10 to 1"}},
		{name: "finit by name", comm: "finit", init: "finit", way: "signals", did: [2]string{"signal 15 to 1", "signal 12 to 1"}},
		{name: "finit by its socket", comm: "init", prepare: func(s *system) { s.socket("/run/finit/socket", 0, "") },
			init: "finit", way: "signals", did: [2]string{"signal 15 to 1", "signal 12 to 1"}},
		{name: "procd", comm: "procd", init: "procd", way: "signals", did: [2]string{"signal 15 to 1", "signal 12 to 1"}},
		{name: "SysV init", comm: "init", prepare: func(s *system) { s.fifo("/run/initctl", true) },
			init: "sysvinit", way: "control file", heard: [2]string{request(1, "6"), request(6, strings.Repeat("\x00", 8)+"INIT_HALT=POWEROFF") + request(1, "0")}},
		{name: "SysV init of old", comm: "init", prepare: func(s *system) { s.fifo("/dev/initctl", true) },
			init: "sysvinit", way: "control file", heard: [2]string{request(1, "6"), request(6, strings.Repeat("\x00", 8)+"INIT_HALT=POWEROFF") + request(1, "0")}},
		{name: "busybox by its link", comm: "init", prepare: func(s *system) {
			s.file("/bin/busybox", "")
			if err := os.Symlink("../bin/busybox", s.at("/sbin/init")); err != nil {
				s.Fatal(err)
			}
		}, init: "busybox", way: "signals", did: [2]string{"signal 15 to 1", "signal 12 to 1"}},
		{name: "busybox by its name", comm: "linuxrc", init: "busybox", way: "signals", did: [2]string{"signal 15 to 1", "signal 12 to 1"}},
		{name: "nobody known", comm: "bash", prepare: func(s *system) { s.kernel.capabilities = []int{unix.CAP_SYS_BOOT} },
			init: "unknown", way: "reboot(2)", targets: true, did: [2]string{`reboot off=false target=""`, `reboot off=true target=""`}},
	} {
		for i, r := range []hal.PowerRequest{reboot, powerOff} {
			t.Run(row.name+" to "+string(r.Action), func(t *testing.T) {
				s := newSystem(t, row.comm)
				if row.prepare != nil {
					row.prepare(s)
				}
				can := s.Abilities()
				if can.Init != row.init || can.Way != row.way || can.Targets != row.targets || !can.Reboot || !can.PowerOff {
					t.Errorf("the abilities are %+v", can)
				}
				if err := s.Ask(r); err != nil {
					t.Fatal(err)
				}
				s.expectHeard(native(row.heard[i]))
				if want := row.did[i]; want != "" {
					s.expectDid(want)
				} else {
					s.expectDid()
				}
			})
		}
	}
}

func TestRunit(t *testing.T) {
	for _, row := range []struct {
		name    string
		request hal.PowerRequest
		reboot  os.FileMode
	}{{"a reboot", reboot, 0o100}, {"a power-off", powerOff, 0}} {
		t.Run(row.name, func(t *testing.T) {
			s := newSystem(t, "runit")
			s.folder("/etc/runit")
			s.file("/run/runit/reboot", "")
			if err := os.Symlink(s.path("/run/runit/reboot"), s.path("/etc/runit/reboot")); err != nil {
				t.Fatal(err)
			}
			if can := s.Abilities(); can.Init != "runit" || can.Way != "control file" || !can.Reboot {
				t.Errorf("the abilities are %+v", can)
			}
			if err := s.Ask(row.request); err != nil {
				t.Fatal(err)
			}
			for path, want := range map[string]os.FileMode{"/run/runit/reboot": row.reboot, "/etc/runit/stopit": 0o100} {
				if st, err := os.Stat(s.path(path)); err != nil || st.Mode() != want {
					t.Errorf("%s: got %v, %v, want %v", path, st, err, want)
				}
			}
			s.expectDid("signal 18 to 1")
		})
	}
}

func TestTarget(t *testing.T) {
	t.Run("systemd", func(t *testing.T) {
		s := newSystem(t, "systemd")
		s.folder("/run/systemd/system")
		if err := s.Ask(recovery); err != nil {
			t.Fatal(err)
		}
		if got := s.read(rebootParam); got != "recovery\n" {
			t.Errorf("systemd finds %q", got)
		}
		s.expectDid("signal 39 to 1")
	})
	t.Run("systemd that cannot be asked", func(t *testing.T) {
		s := newSystem(t, "systemd")
		s.folder("/run/systemd/system")
		s.socket(shutdownSocket, -1, "{\"error\":\"io.systemd.Shutdown.BlockedByInhibitor\",\"parameters\":{\"who\":\"apt\",\"why\":\"it writes\"}}\x00")
		err := s.Ask(recovery)
		if err == nil || !strings.Contains(err.Error(), `io.systemd.Shutdown.BlockedByInhibitor {"who":"apt","why":"it writes"}`) {
			t.Errorf("got %v", err)
		}
		if _, err := os.Stat(s.path(rebootParam)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the target is left for the next reboot: %v", err)
		}
		s.expectDid() // what it refuses is not forced upon it
	})
	t.Run("Android", func(t *testing.T) {
		s := newSystem(t, "init")
		s.socket(propertyService, 4+4+12+4+15, "\x00\x00\x00\x00")
		if err := s.Ask(recovery); err != nil {
			t.Fatal(err)
		}
		s.expectHeard(native(property2 + "\x0f\x00\x00\x00reboot,recovery"))
	})
	t.Run("the kernel", func(t *testing.T) {
		s := newSystem(t, "bash")
		s.kernel.capabilities = []int{unix.CAP_SYS_BOOT}
		if err := s.Ask(recovery); err != nil {
			t.Fatal(err)
		}
		s.expectDid(`reboot off=false target="recovery"`)
	})
}

// TestForce is told to who can be told.
func TestForce(t *testing.T) {
	s := newSystem(t, "systemd")
	s.folder("/run/systemd/system")
	s.socket(shutdownSocket, -1, done)
	if err := s.Ask(hal.PowerRequest{Action: hal.PowerOff, Force: true}); err != nil {
		t.Fatal(err)
	}
	s.expectHeard(`{"method":"io.systemd.Shutdown.PowerOff","parameters":{"skipInhibitors":true}}`)
}

// TestNobodyListens: a socket that was left behind does not keep systemd from being asked by signals, and a FIFO of nobody is an error.
func TestNobodyListens(t *testing.T) {
	s := newSystem(t, "systemd")
	s.folder("/run/systemd/system")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: s.at(shutdownSocket)}), unix.Close(fd)); err != nil {
		t.Fatal(err)
	}
	if err := s.Ask(reboot); err != nil {
		t.Fatal(err)
	}
	s.expectDid("signal 39 to 1")

	s = newSystem(t, "init")
	s.fifo(openrcFIFO, false)
	if err := s.Ask(reboot); !errors.Is(err, errUnreachable) {
		t.Errorf("got %v, want %v", err, errUnreachable)
	}
}

func TestRefused(t *testing.T) {
	for _, row := range []struct {
		name, comm string
		prepare    func(*system)
		want       string
	}{
		{"Android", "init", func(s *system) { s.socket(propertyService, 30, "\x18\x00\x00\x00") }, "init refuses the property sys.powerctl: 0x18"},
		{"dinit", "dinit", func(s *system) { s.socket(dinitSocket, 2, "\x34") }, "dinit refuses to shut down: 52"},
		{"an answer that breaks off", "dinit", func(s *system) { s.socket(dinitSocket, 2, "") }, "cannot read from /run/dinitctl: no whole answer"},
		{"nonsense of logind", "systemd", func(s *system) {
			s.folder("/run/systemd/system")
			s.socket(shutdownSocket, -1, "nonsense\x00")
		}, "cannot understand logind"},
		{"no signals", "procd", func(s *system) { s.kernel.fails = unix.EPERM }, errUnreachable.Error()},
		{"no capability", "bash", func(*system) {}, errUnreachable.Error()},
		{"a kernel that fails", "bash", func(s *system) {
			s.kernel.capabilities, s.kernel.fails = []int{unix.CAP_SYS_BOOT}, unix.EINVAL
		}, "invalid argument"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newSystem(t, row.comm)
			row.prepare(s)
			if err := s.Ask(reboot); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want %s", err, row.want)
			}
		})
	}
}

// TestUnable: what cannot be asked is said so beforehand.
func TestUnable(t *testing.T) {
	for _, row := range []struct {
		name, comm string
		prepare    func(*system)
	}{
		{"no signals", "s6-svscan", func(s *system) { s.kernel.fails = unix.EPERM }},
		{"no capability", "bash", func(*system) {}},
		{"dinit without its socket", "dinit", func(*system) {}},
		{"runit without its folder", "runit", func(*system) {}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newSystem(t, row.comm)
			row.prepare(s)
			if can := s.Abilities(); can.Reboot || can.PowerOff || can.Targets || can.Way != "none" {
				t.Errorf("the abilities are %+v", can)
			}
		})
	}
}

func TestSleep(t *testing.T) {
	s := newSystem(t, "init")
	if can := s.Abilities(); len(can.Suspend) != 0 || can.Wake {
		t.Errorf("without the kernel's attribute the abilities are %+v", can)
	}
	s.file(state, "freeze mem disk\n")
	s.file("/sys/class/rtc/rtc0/wakealarm", "")
	if can := s.Abilities(); !slices.Equal(can.Suspend, []string{"freeze", "mem", "disk"}) || can.Wake {
		t.Errorf("without the capability the abilities are %+v", can)
	}
	s.kernel.capabilities = []int{unix.CAP_WAKE_ALARM}
	if can := s.Abilities(); !can.Wake {
		t.Errorf("with the capability the abilities are %+v", can)
	}
	if err := s.Ask(hal.PowerRequest{Action: hal.Suspend, Mode: "mem"}); err != nil {
		t.Fatal(err)
	}
	s.expectDid()
	if got := s.read(state); !strings.HasPrefix(got, "mem") {
		t.Errorf("the kernel was told %q, want mem", got)
	}
	s.file(state, "freeze mem disk\n")
	if err := s.Ask(hal.PowerRequest{Action: hal.Suspend, Mode: "freeze", WakeAt: time.Unix(4102444800, 0)}); err != nil {
		t.Fatal(err)
	}
	s.expectDid("alarm 4102444800", "no alarm")
	s.file(state, "freeze\n")
	if err := s.Ask(hal.PowerRequest{Action: hal.Suspend, Mode: "mem"}); err == nil {
		t.Error("a mode that the kernel does not have is entered")
	}
	s.kernel.fails = unix.EPERM
	if err := s.Ask(hal.PowerRequest{Action: hal.Suspend, Mode: "freeze", WakeAt: time.Unix(4102444800, 0)}); !errors.Is(err, unix.EPERM) {
		t.Errorf("got %v, want %v", err, unix.EPERM)
	}
}

// TestThisMachine looks at the machine of the tests, and touches nothing.
func TestThisMachine(t *testing.T) {
	can := New().Abilities()
	t.Logf("%+v", can)
	if can.Init == "" || can.Way == "" || can.Reboot != can.PowerOff || can.Reboot == (can.Way == "none") {
		t.Errorf("the abilities are %+v", can)
	}
}

// TestAlarm: the kernel takes one, where it may be asked for one.
func TestAlarm(t *testing.T) {
	end, err := linux{}.Alarm(time.Now().Add(time.Hour))
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		t.Skipf("a timer of CLOCK_REALTIME_ALARM: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	end()
	if _, err := (linux{}).Alarm(time.Unix(-1, 0)); err == nil {
		t.Error("a time before 1970 is taken")
	}
}
