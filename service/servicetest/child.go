package servicetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/halberd-io/halberd/service/peer"
)

// childVariable tells a test binary that it is a child, and which call it is to make.
const childVariable = "HALBERD_TEST_CHILD"

// Main is what TestMain of a package that starts children calls: it runs the tests, or in a child the call.
func Main(m *testing.M) {
	kind, poses := strings.CutPrefix(os.Getenv(childVariable), "impostor ")
	switch {
	case poses:
		os.Exit(pose(kind, os.Args[1]))
	case kind != "":
		os.Exit(child(kind, os.Args[1]))
	}
	os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0") // of children: under the race detector each would end a second late
	code := m.Run()
	if readable != "" {
		os.RemoveAll(readable)
	}
	os.Exit(code)
}

// child makes the calls that come on standard input, one a line, and prints the replies.
func child(kind, name string) int {
	messages, err := io.ReadAll(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	r, err := Dial(transport(kind), name)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer r.Close()
	for msg := range strings.Lines(string(messages)) {
		reply, err := r.Call(strings.TrimSuffix(msg, "\n"))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Println(reply)
	}
	return 0
}

func transport(name string) peer.Transport {
	for _, t := range []peer.Transport{peer.Stream, peer.Seqpacket, peer.Datagram} {
		if t.String() == name {
			return t
		}
	}
	return peer.Stream
}

// As is an identity for a child.
type As struct {
	UID, GID uint32
	Groups   []uint32
}

// Apply makes a program that is not started yet run with the identity, in a folder that it can read. It needs root.
func (as As) Apply(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: as.UID, Gid: as.GID, Groups: as.Groups}
	cmd.Dir = "/"
}

// Call makes calls as another identity, from a child of its own, and gives the replies.
func (s *Server) Call(t testing.TB, as As, kind peer.Transport, messages ...string) []string {
	t.Helper()
	cmd := Command(t, s.Name)
	cmd.Env = append(os.Environ(), childVariable+"="+kind.String())
	as.Apply(cmd)
	cmd.Stdin = strings.NewReader(strings.Join(messages, "\n") + "\n")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the child failed: %v: %s", err, stderr.Bytes())
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

// SkipUnlessRoot skips a test that has to become another uid, where it cannot.
func SkipUnlessRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skipf("cannot start a child as another uid: %v", syscall.EPERM)
	}
}

var (
	copying  sync.Mutex
	readable string // a folder with a copy of the test binary
	emulator string // that starts it, or ""
)

// Command is the test binary, to be started again with these arguments as something else, which its TestMain tells by a variable of the environment.
// It starts from a folder that every uid can read, which go's build folder is not; under emulation the emulator starts it.
func Command(t testing.TB, arguments ...string) *exec.Cmd {
	t.Helper()
	copying.Lock()
	defer copying.Unlock()
	if readable == "" {
		if err := makeReadable(); err != nil {
			t.Fatal(err)
		}
	}
	arguments = append([]string{filepath.Join(readable, childName)}, arguments...)
	if emulator != "" {
		arguments = append([]string{emulator}, arguments...)
	}
	return exec.Command(arguments[0], arguments[1:]...)
}

// Folder is the folder of that copy, once Command was called. It is removed when the tests end.
func Folder() string { return readable }

// childName is what the copy of the test binary is called.
const childName = "child.test"

func makeReadable() error {
	dir, err := os.MkdirTemp("", "halberd-test-")
	if err != nil {
		return err
	}
	binary := filepath.Join(dir, childName)
	if err = copyBinary(dir, binary); err == nil {
		emulator, err = emulatorOf(binary)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	readable = dir
	return nil
}

func copyBinary(dir, to string) error {
	from, err := os.Open(testBinary())
	if err != nil {
		return err
	}
	defer from.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, from); err != nil {
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	return os.Chmod(dir, 0o755)
}

// testBinary is this program: under emulation /proc/self/exe may be the emulator.
func testBinary() string {
	if path, err := filepath.Abs(os.Args[0]); err == nil {
		return path
	}
	return "/proc/self/exe"
}

// emulatorOf gives the emulator that starts a binary which the kernel cannot (ENOEXEC), or "".
func emulatorOf(binary string) (string, error) {
	err := exec.Command(binary, "-test.list=^$").Run()
	if err == nil || !errors.Is(err, syscall.ENOEXEC) {
		return "", err
	}
	names := map[string]string{"arm64": "qemu-aarch64-static", "arm": "qemu-arm-static", "riscv64": "qemu-riscv64-static"}
	return exec.LookPath(names[runtime.GOARCH])
}
