package sandbox

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// childVariable tells the test binary that it is to go into a sandbox, and what it is to try there: everything, or fatally one attempt.
const childVariable = "HALBERD_TEST_SANDBOX"

const (
	everything  = "everything"
	onOldKernel = "what an old kernel has not"
)

func TestMain(m *testing.M) {
	if what := os.Getenv(childVariable); what != "" {
		os.Exit(child(what, os.Args[1]))
	}
	code := m.Run()
	if builtIn != "" {
		os.RemoveAll(builtIn)
	}
	os.Exit(code)
}

// threads is how many the child has before it enters, beside the runtime's own.
const threads = 4

// child enters, says what became of it, waits for a line, and tries everything on threads that were there before and on one that was not. It writes a line for each attempt.
func child(what, dir string) int {
	s := &scene{dir: dir, tcp: -1}
	s.tcp, _ = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	work, done := make(chan func(), threads), make(chan bool)
	for range threads {
		go func() {
			runtime.LockOSThread()
			done <- true
			for f := range work {
				f()
				done <- true
			}
		}()
	}
	for range threads {
		<-done
	}
	if what == onOldKernel {
		if err := pretend(unix.SYS_LANDLOCK_CREATE_RULESET, unix.SYS_CAPSET, unix.SYS_SECCOMP); err != nil {
			fmt.Println(err)
		}
	}
	report := Enter(Config{Kill: what != everything, Capabilities: []int{unix.CAP_SYS_TIME}, Paths: []Path{
		{dir + "/kept", Keep}, {dir + "/shown", Read}, {dir + "/written", Read | Write}, {dir + "/missing", Read},
		{"/dev/ptmx", Read | Write | Control}, {"/dev/full", Read | Write},
	}})
	for _, err := range report.Missing {
		fmt.Println("missing:", err)
	}
	fmt.Println("entered:", report)
	_, _ = os.Stdin.Read(make([]byte, 1))
	out := bytes.NewBuffer(nil)
	turn := func(who string) func() {
		return func() {
			for _, a := range attempts {
				if what == everything || what == a.name {
					errno, _ := errors.AsType[unix.Errno](a.try(s))
					fmt.Fprintf(out, "%s: %s: %d\n", who, a.name, int(errno))
				}
			}
		}
	}
	for i := range threads { // in turn, since files are made
		work <- turn(fmt.Sprint("thread ", i))
		<-done
	}
	later := make(chan bool)
	go func() {
		runtime.LockOSThread()
		turn("a later thread")()
		close(later)
	}()
	<-later
	_, _ = out.WriteTo(os.Stdout)
	return 0
}

// linked reports whether this program is linked with C, as one with the race detector is.
func linked() bool {
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_GETPID, 0, 0, 0) // each thread has the same
	return errno == syscall.ENOTSUP
}

// program is the test binary without C.
func program(t *testing.T) string {
	t.Helper()
	if !linked() {
		path, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	path, err := built()
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
		t.Skipf("a test binary without C: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	return path
}

// built is where a test binary is that was built without C, once. TestMain removes it.
var built = sync.OnceValues(func() (string, error) {
	if _, err := os.Stat("sandbox.go"); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "halberd-sandbox-test-")
	if err != nil {
		return "", err
	}
	builtIn = dir
	cmd := exec.Command("go", "test", "-c", "-o", filepath.Join(dir, "child.test"), ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build a test binary: %w: %s", err, out)
	}
	return filepath.Join(dir, "child.test"), nil
})

// builtIn is the folder of what was built, or "".
var builtIn string

// skipWithout skips where the kernel, or what emulates it, has no sandboxes at all.
func skipWithout(t *testing.T) {
	t.Helper()
	action := uint32(unix.SECCOMP_RET_KILL_PROCESS)
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0, uintptr(unsafe.Pointer(&action)))
	if _, err := landlock(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION); err != nil && errno != 0 {
		t.Skipf("seccomp: %v; %v", errno, err)
	}
}

// folders makes what the child sees, and gives it to somebody.
func folders(t *testing.T, uid int) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "halberd-sandbox-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, name := range []string{"kept", "shown", "hidden"} {
		err = errors.Join(err, os.Mkdir(filepath.Join(dir, name), 0o755))
	}
	for _, name := range []string{"kept/file", "shown/file", "shown/private", "hidden/file", "written"} {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), []byte("text"), 0o644))
	}
	err = errors.Join(err, os.Symlink("../hidden/file", filepath.Join(dir, "shown/link")))
	err = errors.Join(err, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, uid, -1))
	}))
	if os.Geteuid() == 0 { // otherwise there is nobody else
		err = errors.Join(err, os.Chown(filepath.Join(dir, "shown/private"), 12345, -1))
	}
	if err := errors.Join(err, os.Chmod(filepath.Join(dir, "shown/private"), 0o600), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// box is a child that has entered its sandbox.
type box struct {
	*exec.Cmd
	dir    string
	stdin  io.WriteCloser
	stdout *bufio.Reader
	said   string // when it had entered
}

// enter starts a child as somebody.
func enter(t *testing.T, what string, uid int) *box {
	t.Helper()
	skipWithout(t)
	b := &box{dir: folders(t, uid)}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	b.Cmd = exec.CommandContext(ctx, program(t), b.dir)
	b.Env = append(os.Environ(), childVariable+"="+what)
	if uid != os.Geteuid() {
		b.Path = readable(t, b.Path)
		b.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
		b.Dir = "/"
	}
	b.Stderr = os.Stderr
	b.stdin, _ = b.StdinPipe()
	out, err := b.StdoutPipe()
	if err == nil {
		err = b.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	b.stdout = bufio.NewReader(out)
	for !strings.Contains(b.said, "entered: ") {
		line, err := b.stdout.ReadString('\n')
		if b.said += line; err != nil {
			t.Fatalf("it said %q, and %v", b.said, err)
		}
	}
	t.Log(b.said)
	if err := os.Mkdir(b.dir+"/shown/later", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.dir+"/shown/later/file", []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	return b
}

// readable copies a program to where everybody can read it.
func readable(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	dir := folders(t, 0)
	if err == nil {
		err = os.WriteFile(dir+"/child.test", text, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir + "/child.test"
}

// goOn lets it try, and gives what it says at its end.
func (b *box) goOn(t *testing.T) (out string, err error) {
	t.Helper()
	_, _ = b.stdin.Write([]byte("\n"))
	text, _ := io.ReadAll(b.stdout)
	return string(text), b.Wait()
}

// holds reports whether a layer holds in full. The kernel's lacks are in what is missing.
func (b *box) holds(layer string) bool {
	for line := range strings.Lines(b.said) {
		if _, lacks := strings.CutPrefix(line, "missing: "); lacks && strings.Contains(line, layer) {
			return false
		}
	}
	switch layer {
	case ofTruncation, ofTCP, ofIoctl:
		return b.holds(ofLandlock)
	case ofLandlock:
		return strings.Contains(b.said, "Landlock ")
	}
	return true
}

// TestEverything tries what each layer stands against, on threads that were there before and one that came later, as root and as an ordinary user.
func TestEverything(t *testing.T) {
	for _, uid := range users() {
		t.Run(fmt.Sprint("uid ", uid), func(t *testing.T) {
			b := enter(t, everything, uid)
			out, err := b.goOn(t)
			if err != nil {
				t.Errorf("it ended with %v", err)
			}
			got := map[string][]string{} // by attempt: errno of each thread
			for line := range strings.Lines(out) {
				parts := strings.Split(strings.TrimSpace(line), ": ")
				got[parts[1]] = append(got[parts[1]], parts[2])
			}
			for _, a := range attempts {
				t.Run(a.name, func(t *testing.T) {
					switch {
					case a.layer != "" && !b.holds(a.layer):
						t.Skipf("%s: %s", a.layer, b.said)
					case a.layer == ofCapabilities && os.Geteuid() != 0:
						t.Skip("there is no file of anybody else")
					case a.name == "connect by TCP" && !network():
						t.Skip("there is no network")
					}
					want := slices.Repeat([]string{strconv.Itoa(int(a.want))}, threads+1)
					if !slices.Equal(got[a.name], want) {
						t.Errorf("got errno %q on each thread, want %q (%v)", got[a.name], want, a.want)
					}
				})
			}
		})
	}
}

// users are whom a child can be.
func users() []int {
	if os.Geteuid() == 0 {
		return []int{0, 1000}
	}
	return []int{os.Geteuid()}
}

func network() bool { return socket(unix.AF_INET, 0) == nil }

// TestThreads: each thread that the kernel has of the process is in the sandbox.
func TestThreads(t *testing.T) {
	b := enter(t, everything, os.Geteuid())
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", b.Process.Pid))
	if err != nil || len(tasks) < threads {
		t.Fatalf("it has the threads %q, %v", tasks, err)
	}
	capabilities := fmt.Sprintf("%016x", 0)
	if os.Geteuid() == 0 {
		capabilities = fmt.Sprintf("%016x", 1<<unix.CAP_SYS_TIME)
	}
	for _, task := range tasks {
		status, err := os.ReadFile(task)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"CapEff:\t" + capabilities, "CapPrm:\t" + capabilities, "CapInh:\t0000000000000000", "CapAmb:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"} {
			if !strings.Contains(string(status), want+"\n") {
				t.Errorf("%s has no %q:\n%s", task, want, status)
			}
		}
	}
	if _, err := b.goOn(t); err != nil {
		t.Error(err)
	}
}

// TestKill: with Kill, the first call that is refused ends all threads.
func TestKill(t *testing.T) {
	for _, name := range []string{"become another program", "take part in the network", "trace a process", "run what it writes", "become a process"} {
		t.Run(name, func(t *testing.T) {
			b := enter(t, name, os.Geteuid())
			if !b.holds(ofSeccomp) {
				t.Skip(b.said)
			}
			out, err := b.goOn(t)
			status, _ := b.ProcessState.Sys().(syscall.WaitStatus)
			if !status.Signaled() || status.Signal() != unix.SIGSYS || out != "" {
				t.Errorf("it said %q and ended with %v, want %v", out, err, unix.SIGSYS)
			}
		})
	}
}

// pretend has the kernel not know some calls.
func pretend(missing ...uintptr) error {
	if err := allThreads(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0); err != nil {
		return err
	}
	f := &filter{}
	f.load(callAt)
	for _, call := range missing {
		f.unless(uint32(call), 1)
		f.end(unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS))
	}
	f.end(unix.SECCOMP_RET_ALLOW)
	program := unix.SockFprog{Len: uint16(len(f.code)), Filter: &f.code[0]}
	return raw(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program)))
}

// TestOldKernel: each layer that is missing is said in one line, and the others hold.
func TestOldKernel(t *testing.T) {
	b := enter(t, onOldKernel, os.Geteuid())
	want := "missing: cannot restrict files with Landlock: the kernel does not have it: function not implemented\n"
	held := "no_new_privs"
	if os.Geteuid() == 0 {
		want += "missing: cannot let go of capabilities: the kernel does not have it: function not implemented\n"
	} else {
		held += ", no capabilities"
	}
	want += "missing: cannot filter system calls: the kernel does not have it: function not implemented\nentered: " + held + "\n"
	if b.said != want {
		t.Errorf("it said\n%s, want\n%s", b.said, want)
	}
	if out, err := b.goOn(t); err != nil || out != "" {
		t.Errorf("it said %q and ended with %v", out, err)
	}
}

// TestLinkedWithC: such a program says so, once, and goes on.
func TestLinkedWithC(t *testing.T) {
	if !linked() {
		t.Skip("this program is linked without C")
	}
	r := Enter(Config{})
	if len(r.Held) != 0 || len(r.Missing) != 1 || !errors.Is(r.Missing[0], errLinked) {
		t.Errorf("got %q and %v, want nothing and %v", r.Held, r.Missing, errLinked)
	}
}

// TestHandled: each version of Landlock is asked for what it has, and what it lacks is said.
func TestHandled(t *testing.T) {
	for _, row := range []struct {
		abi     int
		fs, net uint64
		lacks   string
	}{
		{1, 0x1fff, 0, "truncation (6.2) TCP (6.7) ioctl (6.10)"},
		{2, 0x3fff, 0, "truncation (6.2) TCP (6.7) ioctl (6.10)"},
		{3, 0x7fff, 0, "TCP (6.7) ioctl (6.10)"},
		{4, 0x7fff, 3, "ioctl (6.10)"},
		{5, 0xffff, 3, ""},
		{99, 0xffff, 3, ""},
	} {
		attr, lacks := handled(row.abi)
		if attr.Access_fs != row.fs || attr.Access_net != row.net || attr.Scoped != 0 || strings.Join(lacks, " ") != row.lacks {
			t.Errorf("version %d: got %+v without %q, want %#x and %#x without %q", row.abi, attr, lacks, row.fs, row.net, row.lacks)
		}
	}
}
