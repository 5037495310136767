package activate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/listen"
)

// order is what a copy of this program is told to do instead of running tests: it takes its sockets and reports. It is the value of orderVariable.
type order struct {
	OwnPID    bool // LISTEN_PID is to be its own
	SocketFDs []int
	Listen    []string
	Stored    bool // take what is no socket
}

const orderVariable = "ACTIVATE_TEST_ORDER"

// report is what the copy found.
type report struct {
	Error       string
	Source      string
	Sockets     []string // the address, and how it is served
	Warnings    string
	Stored      []string
	Environment []string
	Left        int // descriptors open at the end, once all sockets are closed, beyond those before anything was inherited
}

func TestMain(m *testing.M) {
	text := os.Getenv(orderVariable)
	if text == "" {
		os.Exit(m.Run())
	}
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		panic(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(obey(o)); err != nil {
		panic(err)
	}
}

func obey(o order) (r report) {
	os.Unsetenv(orderVariable)
	if o.OwnPID {
		os.Setenv("LISTEN_PID", fmt.Sprint(os.Getpid()))
	}
	var log bytes.Buffer
	opt := Options{SocketFDs: o.SocketFDs, Log: slog.New(slog.NewTextHandler(&log, nil))}
	for _, text := range o.Listen {
		a, err := listen.Parse(text)
		if err != nil {
			panic(err)
		}
		opt.Listen = append(opt.Listen, a)
	}
	if o.Stored {
		opt.Stored = func(name string, fd int) {
			r.Stored = append(r.Stored, name+describe(fd))
			unix.Close(fd)
		}
	}
	startPoller()
	before := openDescriptors() // those inherited among them
	sockets, source, err := Sockets(opt)
	r.Source, r.Warnings, r.Environment = source.String(), log.String(), os.Environ()
	if err != nil {
		r.Error = err.Error()
	}
	runtime.GC() // runs finalizers, which must not close what is ours
	runtime.GC()
	for _, s := range sockets {
		r.Sockets = append(r.Sockets, fmt.Sprintf("%v listening=%v%s", s.Address, s.Listening, describe(s.FD)))
		s.Close()
	}
	r.Left = openDescriptors() - before
	return r
}

// startPoller has the runtime open what it will keep open.
func startPoller() {
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	r.Close()
	w.Close()
}

// describe says what is wrong with a descriptor: nothing, as a rule.
func describe(fd int) string {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	if err != nil {
		return " " + err.Error()
	}
	if flags&unix.FD_CLOEXEC == 0 {
		return " open over exec"
	}
	return ""
}

func openDescriptors() (count int) {
	for fd := range 200 {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
			count++
		}
	}
	return count
}

// start runs a copy of this program with those descriptors, from 3 on, and returns its report.
func start(t *testing.T, o order, environment []string, fds ...int) (r report) {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	cmd := command(t)
	cmd.Env = append(environment, orderVariable+"="+string(text), "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	for _, fd := range fds {
		cmd.ExtraFiles = append(cmd.ExtraFiles, file(t, fd))
	}
	if slices.Contains(o.SocketFDs, 0) {
		cmd.Stdin = cmd.ExtraFiles[0]
		cmd.ExtraFiles = nil
	}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("report %q: %v", out, err)
	}
	return r
}

// file wraps a duplicate.
func file(t *testing.T, fd int) *os.File {
	t.Helper()
	copied, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(copied), "inherited")
	t.Cleanup(func() { f.Close() })
	return f
}

// self is how to run this program: by its emulator where the kernel cannot run it.
var self = sync.OnceValues(func() ([]string, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	err = exec.Command(path, "-test.list=^$").Run()
	if !errors.Is(err, unix.ENOEXEC) {
		return []string{path}, err
	}
	machine := map[string]string{"arm64": "aarch64", "arm": "arm", "riscv64": "riscv64", "amd64": "x86_64"}[runtime.GOARCH]
	emulator, missing := exec.LookPath("qemu-" + machine + "-static")
	if missing != nil {
		return nil, errors.Join(err, missing)
	}
	return []string{emulator, path}, nil
})

// command is a copy of this program with arguments before its name.
func command(t *testing.T, before ...string) *exec.Cmd {
	t.Helper()
	program, err := self()
	if err != nil {
		t.Skipf("cannot run a copy of this program: %v", err)
	}
	all := append(before, program...)
	return exec.Command(all[0], all[1:]...)
}

var names atomic.Int64

// abstract returns an abstract name that nobody else has.
func abstract() string { return fmt.Sprintf("@halberd-activate-%d-%d", os.Getpid(), names.Add(1)) }

// bound makes a socket as an init system does.
func bound(t *testing.T, address string) int {
	t.Helper()
	a, err := listen.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	s, err := listen.Bind(a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s.FD
}

// other makes a descriptor that is no listening socket.
func other(t *testing.T, open func() (int, error)) int {
	t.Helper()
	fd, err := open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

func pipe() (int, error) {
	var p [2]int
	err := unix.Pipe2(p[:], unix.O_CLOEXEC)
	unix.Close(p[1])
	return p[0], err
}

func connection() (int, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	unix.Close(fds[1])
	return fds[0], err
}

func inet() (int, error) { return unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0) }

func listening(addresses ...string) (lines []string) {
	for _, a := range addresses {
		lines = append(lines, fmt.Sprintf("%s listening=%v", a, !strings.HasPrefix(a, "dgram")))
	}
	return lines
}

// dial sends something to an address.
func dial(t *testing.T, a listen.Address) error {
	t.Helper()
	kind := map[string]int{"stream": unix.SOCK_STREAM, "seqpacket": unix.SOCK_SEQPACKET, "dgram": unix.SOCK_DGRAM}[a.Type.String()]
	fd := other(t, func() (int, error) { return unix.Socket(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0) })
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: a.Name}); err != nil {
		return err
	}
	_, err := unix.Write(fd, []byte("x"))
	return err
}
