package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// foreignUID is nobody's in particular.
const foreignUID = 41234

// listenVariable makes the test binary a server at the address that it holds.
const listenVariable = "HALBERD_TEST_LISTEN"

func TestMain(m *testing.M) {
	if address := os.Getenv(listenVariable); address != "" {
		serveAlone(address)
		return
	}
	os.Exit(m.Run())
}

// serveAlone answers calls, with a descriptor each, until standard input ends. It prints a line when it listens and after each answer, and at the end how many calls came.
func serveAlone(address string) {
	var calls atomic.Int32
	s, err := newServer(address, func(f *far) {
		for call, ok := f.next(); ok; call, ok = f.next() {
			calls.Add(1)
			fmt.Println("answered", f.reply(echoed(call), os.Stdin))
		}
	})
	fmt.Println("listening", err)
	if err == nil {
		io.Copy(io.Discard, os.Stdin)
		s.end()
	}
	fmt.Println("calls", calls.Load())
}

// foreign is a server that runs under another uid.
type foreign struct {
	address string
	input   io.Closer
	output  *bufio.Scanner
	process *exec.Cmd
}

// startForeign runs this test binary from a folder that everybody can read. Without the right to change uids, the test is skipped.
func startForeign(t *testing.T, address string) *foreign {
	t.Helper()
	program := publicCopy(t)
	f, err := runForeign(address, program)
	if errors.Is(err, syscall.ENOEXEC) {
		// The test runs under an emulator, of which the kernel does not know.
		f, err = runForeign(address, emulator(t), program)
	}
	if errors.Is(err, syscall.EPERM) {
		t.Skipf("cannot start a process of another uid: %v", syscall.EPERM)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.end() })
	f.expect(t, "listening <nil>")
	return f
}

func runForeign(address string, command ...string) (*foreign, error) {
	process := exec.Command(command[0], command[1:]...)
	process.Env = append(os.Environ(), listenVariable+"="+address)
	process.Dir = "/"
	process.Stderr = os.Stderr
	process.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: foreignUID, Gid: foreignUID}, Pdeathsig: syscall.SIGKILL}
	input, err := process.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &foreign{address, input, bufio.NewScanner(output), process}, process.Start()
}

func emulator(t *testing.T) string {
	t.Helper()
	name := map[string]string{"arm": "qemu-arm-static", "arm64": "qemu-aarch64-static", "riscv64": "qemu-riscv64-static"}[runtime.GOARCH]
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("cannot start a program for another architecture: %v", err)
	}
	return path
}

func publicCopy(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "halberd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(folder, "server")
	if err := os.WriteFile(program, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	return program
}

func (f *foreign) expect(t *testing.T, want string) {
	t.Helper()
	f.output.Scan()
	if got := f.output.Text(); got != want {
		t.Fatalf("the server of another uid: got %q, want %q", got, want)
	}
}

// end stops the server and waits for it. It may be called twice.
func (f *foreign) end() {
	f.input.Close()
	f.process.Wait()
}

func TestServerOfAnotherUID(t *testing.T) {
	for _, kind := range []string{"stream", "seqpacket"} {
		t.Run(kind, func(t *testing.T) {
			f := startForeign(t, fmt.Sprintf("%s:@halberd-foreign-%d", kind, os.Getpid()))
			rows := []struct {
				name    string
				options []Option
				want    error
			}{
				{"by default", nil, ErrUntrustedServer},
				{"not among those named", []Option{WithServerUIDs(0, foreignUID+1)}, ErrUntrustedServer},
				{"nobody is trusted", []Option{WithServerUIDs()}, ErrUntrustedServer},
				{"named", []Option{WithServerUIDs(0, foreignUID)}, nil},
				{"anybody is trusted", []Option{WithAnyServer()}, nil},
			}
			for _, row := range rows {
				c, err := Dial(t.Context(), f.address, row.options...)
				if !errors.Is(err, row.want) {
					t.Errorf("%s: got error %v, want %v", row.name, err, row.want)
				}
				if err != nil {
					continue
				}
				if got := c.Server().UID; got != foreignUID {
					t.Errorf("%s: got uid %d, want %d", row.name, got, foreignUID)
				}
				if err := call(c, 1); err != nil {
					t.Errorf("%s: %v", row.name, err)
				}
				f.expect(t, "answered <nil>")
				c.Close()
			}
			f.input.Close()
			f.expect(t, "calls 2")
		})
	}
}

func TestDatagramServerOfAnotherUID(t *testing.T) {
	f := startForeign(t, fmt.Sprintf("dgram:@halberd-foreign-%d", os.Getpid()))
	files := openFiles(t)
	c := connectTo(t, f.address)
	fd := c.conn.fd
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- c.Call(ctx, "a.B", nil, nil) }()
	f.expect(t, "answered <nil>")
	until(t, "the answer is received", func() bool {
		n, err := unix.IoctlGetInt(fd, unix.SIOCINQ)
		return err == nil && n == 0
	})
	cancel()
	err := <-ended
	want(t, err, ErrUntrustedServer)
	want(t, err, context.Canceled)
	if !strings.Contains(fmt.Sprint(err), fmt.Sprint(foreignUID)) {
		t.Errorf("got %v, want the uid in it", err)
	}
	if got := openFiles(t); got > files {
		t.Errorf("got %d open files after the answer, want %d", got, files)
	}
	if got := c.Server(); got != nobody {
		t.Errorf("got the server %v, want %v", got, nobody)
	}

	for name, option := range map[string]Option{"named": WithServerUIDs(foreignUID), "anybody": WithAnyServer()} {
		c := connectTo(t, f.address, option)
		if err := call(c, 1); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := c.Server().UID; got != foreignUID {
			t.Errorf("%s: got uid %d, want %d", name, got, foreignUID)
		}
		f.expect(t, "answered <nil>")
	}
}

// Only the place where somebody listens decides: one who is not trusted is not passed over for the next place.
func TestUntrustedServerTakesTheAddressOver(t *testing.T) {
	s := listen(t, "stream", echo)
	c := connectTo(t, s.address)
	if err := call(c, 1); err != nil {
		t.Fatal(err)
	}
	s.end()
	f := startForeign(t, s.address)
	want(t, call(c, 2), ErrUntrustedServer)
	f.input.Close()
	f.expect(t, "calls 0")
}
