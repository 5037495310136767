package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/attack"
	"github.com/halberd-io/halberd/service/client"
	"github.com/halberd-io/halberd/service/listen"
	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

// roleVariable tells the test binary what it is started as: the daemon, one that starts it as others do, or a client.
const roleVariable = "HALBERD_TEST_ROLE"

const (
	roleDaemon  = "daemon"
	rolePasser  = "passer"
	roleFinder  = "finder"
	roleMounter = "mounter"
)

func TestMain(m *testing.M) {
	attack.Child()
	role := os.Getenv(roleVariable)
	os.Unsetenv(roleVariable)
	switch role {
	case roleDaemon:
		main()
	case rolePasser:
		os.Exit(pass(os.Args[1:]))
	case roleFinder:
		os.Exit(find())
	case roleMounter:
		os.Exit(mount(os.Args[1:]))
	}
	servicetest.Main(m)
}

// pass becomes the program of its arguments, as a daemon that descriptors were passed to: LISTEN_PID has to be its own number.
func pass(args []string) int {
	os.Setenv("LISTEN_PID", fmt.Sprint(os.Getpid()))
	os.Setenv(roleVariable, roleDaemon)
	err := syscall.Exec(args[0], args, os.Environ())
	fmt.Fprintln(os.Stderr, "cannot become the daemon:", err)
	return 1
}

// output is what a process wrote so far.
type output struct {
	mu    sync.Mutex
	more  sync.Cond
	text  bytes.Buffer
	ended bool
}

func newOutput() *output {
	o := &output{}
	o.more.L = &o.mu
	return o
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.more.Broadcast()
	return o.text.Write(p)
}

func (o *output) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	o.more.Broadcast()
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// await waits until the process has written a text.
func (o *output) await(t *testing.T, text string) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for !strings.Contains(o.text.String(), text) {
		if o.ended {
			t.Fatalf("the process ended without %q:\n%s", text, o.text.String())
		}
		o.more.Wait()
	}
}

// process is a daemon that was started.
type process struct {
	*exec.Cmd
	stdout, stderr *output
	done           chan struct{}
	err            error // of Wait, once done
}

// daemon is the test binary as the daemon. Nothing of this process's own environment that concerns sockets reaches it.
func daemon(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := servicetest.Command(t, args...)
	cmd.Env = append(os.Environ(), roleVariable+"="+roleDaemon)
	return cmd
}

// start starts a process that ends with the test at the latest. Its standard error is read, unless it has one already.
func start(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{Cmd: cmd, stdout: newOutput(), stderr: newOutput(), done: make(chan struct{})}
	cmd.Stdout = p.stdout
	if cmd.Stderr == nil {
		cmd.Stderr = p.stderr
	}
	if err := cmd.Start(); err != nil {
		if cmd.SysProcAttr != nil && (errors.Is(err, unix.EPERM) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS)) {
			t.Skipf("cannot start a process with namespaces or an identity of its own: %v", err)
		}
		t.Fatal(err)
	}
	go func() {
		p.err = cmd.Wait()
		p.stdout.end()
		p.stderr.end()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // most tests have ended it already
		<-p.done
		if t.Failed() {
			t.Logf("its standard output:\n%s\nits standard error:\n%s", p.stdout, p.stderr)
		}
	})
	return p
}

// serving is what a simulated board's daemon prints once it serves.
const serving = "Ctrl-C ends it."

// startSim starts a daemon with a simulated board and waits until it serves.
func startSim(t *testing.T, args ...string) *process {
	t.Helper()
	p := start(t, daemon(t, append([]string{"-sim"}, args...)...))
	p.stdout.await(t, serving)
	return p
}

// signal sends a signal.
func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// exits waits for the end and checks the exit status.
func (p *process) exits(t *testing.T, want int) {
	t.Helper()
	<-p.done
	if got := p.ProcessState.ExitCode(); got != want {
		t.Fatalf("it ended with %v, want exit status %d", p.err, want)
	}
}

// terminate ends a daemon as an init system does.
func (p *process) terminate(t *testing.T) {
	t.Helper()
	p.signal(t, unix.SIGTERM)
	p.exits(t, 0)
}

var names atomic.Int64

// name gives an abstract name that nobody else uses, with its @.
func name() string { return fmt.Sprintf("@halberd-cmd-%d-%d", os.Getpid(), names.Add(1)) }

// transports are the three kinds of socket.
var transports = []peer.Transport{peer.Stream, peer.Seqpacket, peer.Datagram}

// everywhere gives -listen flags for a name on all three kinds of socket.
func everywhere(name string) []string {
	var args []string
	for _, kind := range transports {
		args = append(args, "-listen", kind.String()+":"+name)
	}
	return args
}

// connect makes a client of an address.
func connect(t *testing.T, address string) *client.Client {
	t.Helper()
	c, err := client.Dial(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// whoAmI asks a daemon who calls, and so proves that it answers and knows.
func whoAmI(t *testing.T, address string) {
	t.Helper()
	got, err := caller(t, address)
	if err != nil || got.UID != int64(os.Geteuid()) || address[:len(got.Transport)] != got.Transport {
		t.Errorf("%s: got %+v, %v, want uid %d", address, got, err, os.Geteuid())
	}
}

type identity struct {
	UID       int64
	Transport string
}

func caller(t *testing.T, address string) (who identity, err error) {
	t.Helper()
	return who, connect(t, address).Call(t.Context(), "io.halberd.Policy.WhoAmI", nil, &who)
}

// setPump is a call that the simulated board carries out where a grant permits it.
func setPump(t *testing.T, c *client.Client) error {
	t.Helper()
	return c.Call(t.Context(), "io.halberd.Gpio.Set", map[string]any{"line": "relay-pump", "value": 1}, nil)
}

// folder makes a folder that every uid can reach, with files of these names and texts.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, dir, files)
	return dir
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// bind makes a socket with a name of its own, as an init system passes it.
func bind(t *testing.T, kind peer.Transport, name string) *os.File {
	t.Helper()
	s, err := listen.Bind(listen.Address{Type: kind, Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return file(t, s.FD, name)
}

// file makes an *os.File of a descriptor. It is closed with the test.
func file(t *testing.T, fd int, name string) *os.File {
	f := os.NewFile(uintptr(fd), name)
	t.Cleanup(func() { f.Close() })
	return f
}
