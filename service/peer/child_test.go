package peer

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// childVariable names the abstract socket that a copy of this program is to connect to, instead of running tests.
const childVariable = "PEER_TEST_CONNECT"

func TestMain(m *testing.M) {
	name := os.Getenv(childVariable)
	if name == "" {
		os.Exit(runTests(m))
	}
	if err := connectAndWait(name); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// folder holds what other uids can run; it is the tests' alone.
var folder string

func runTests(m *testing.M) int {
	var err error
	if folder, err = os.MkdirTemp("", "halberd-peer-"); err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	return m.Run()
}

// connectAndWait is the child: it holds its connection until its standard input ends.
func connectAndWait(name string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: name}); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// child is a process that is connected to us.
type child struct {
	conn  int
	pid   int
	stdin io.Closer
	cmd   *exec.Cmd
}

// startChild starts a copy of this program with those credentials (its parent's for nil), and accepts its connection.
func startChild(t *testing.T, credential *syscall.Credential) *child {
	t.Helper()
	command, err := program()
	if err != nil {
		t.Skipf("cannot run a copy of this program: %v", err)
	}
	before := openDescriptors(t) // after program, which makes the runtime open its own
	listener, name := listenAbstract(t)
	defer unix.Close(listener)
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = []string{childVariable + "=" + name, "GORACE=atexit_sleep_ms=0"}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); errors.Is(err, unix.EPERM) {
		stdin.Close()
		t.Skipf("cannot start a process of another uid: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	c := &child{pid: cmd.Process.Pid, stdin: stdin, cmd: cmd}
	if c.conn, err = acceptOne(listener); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.end()
		unix.Close(c.conn)
		if got := openDescriptors(t); got > before {
			t.Errorf("open descriptors: got %d, want %d as before", got, before)
		}
	})
	return c
}

// end ends the child and waits for it. It may be called twice.
func (c *child) end() {
	c.stdin.Close()
	_ = c.cmd.Wait()
}

var names atomic.Int64

func listenAbstract(t *testing.T) (fd int, name string) {
	t.Helper()
	name = fmt.Sprintf("@halberd-peer-%d-%d", os.Getpid(), names.Add(1))
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: name}), unix.Listen(fd, 1)); err != nil {
		t.Fatal(err)
	}
	return fd, name
}

func acceptOne(listener int) (int, error) {
	for {
		fd, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// program returns how to run a copy of this program that every uid can run: the go tool's build folder is closed to others. A foreign one is run by
// its emulator.
var program = sync.OnceValues(func() ([]string, error) {
	path := filepath.Join(folder, "child")
	if err := copyProgram(path); err != nil {
		return nil, err
	}
	err := exec.Command(path, "-test.list=^$").Run()
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

func copyProgram(path string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	data, err := os.ReadFile(self)
	if err != nil {
		return err
	}
	return errors.Join(os.Chmod(folder, 0o755), os.WriteFile(path, data, 0o755), os.Chmod(path, 0o755))
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
