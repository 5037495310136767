package sandbox

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// considered are the functions of golang.org/x/sys/unix and of package syscall that the daemon's sources call, and the system calls that they make by number. Whoever adds one here has looked whether the
// system call that it makes is on the list of this package, for each architecture, or is never made once the daemon serves.
var considered = strings.Fields(`
Access Bind BytePtrFromString ByteSliceToString Capget ClockGettime Close CloseOnExec CmsgLen CmsgSpace Connect EpollCreate1 EpollCtl Errno ErrnoName
Eventfd Fchmod FcntlInt Fstat Fsync Ftruncate Getpeername Getrlimit GetsockoptInt GetsockoptString GetsockoptUcred IoctlGetInt IoctlSetInt IoctlSetPointerInt
Kill Listen Lstat MemfdCreate Mkdev NsecToTimespec Open Openat ParseDirent Pipe2 Poll Pread Pwrite RawSyscall RawSyscall6 Read ReadDirent Readlink
Readlinkat Reboot Recvfrom Recvmsg Renameat SYS_ACCEPT4 SYS_BIND SYS_CONNECT SYS_EPOLL_PWAIT SYS_GETSOCKNAME SYS_GETSOCKOPT SYS_IOCTL SYS_REBOOT
SYS_RECVMSG SYS_SENDTO SchedGetAttr Sendmsg SendmsgN Sendto SetNonblock SetsockoptInt SetsockoptTimeval Shutdown Signal Socket Socketpair Stat Sync
Syscall Syscall6 TimerfdCreate TimerfdSettime Umask UnixRights Unlink Unlinkat Write
`)

// apart are folders whose packages are not linked into the daemon, or not run in its sandbox.
var apart = []string{"hal/haltest", "hal/sim/simtest", "service/servicetest", "service/attack", "service/client", "service/config/configtest", "service/sandbox"}

// TestSources: no system call comes into the daemon without anybody thinking of its sandbox. What packages of others call is found as calls.go says.
func TestSources(t *testing.T) {
	if _, err := os.Stat("../../go.mod"); err != nil {
		t.Skipf("the sources: %v", err)
	}
	found := map[string]string{}
	for _, top := range []string{"hal", "init", "service", "cmd/halberd"} {
		err := filepath.WalkDir(filepath.Join("../..", top), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			if slices.ContainsFunc(apart, func(folder string) bool { return strings.HasPrefix(path, filepath.Join("../..", folder)+"/") }) {
				return nil
			}
			return callsIn(path, found)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, path := range found {
		if !slices.Contains(considered, name) {
			t.Errorf("%s calls %s, which is not considered here", path, name)
		}
	}
}

// callsIn adds what a file calls of the two packages.
func callsIn(path string, found map[string]string) error {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			note(call.Fun, path, found)
		}
		if e, ok := n.(*ast.SelectorExpr); ok && strings.HasPrefix(e.Sel.Name, "SYS_") {
			note(e, path, found)
		}
		return true
	})
	return nil
}

// note adds an expression that is a name of one of the two packages.
func note(e ast.Expr, path string, found map[string]string) {
	if e, ok := e.(*ast.SelectorExpr); ok {
		if from, ok := e.X.(*ast.Ident); ok && (from.Name == "unix" || from.Name == "syscall") {
			found[e.Sel.Name] = path
		}
	}
}
