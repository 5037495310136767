package servicetest

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/peer"
)

// AsUID does something as another uid, in this process: the kernel asks for the effective uid of the thread that connects, and for the real uid of the one that sends
// a datagram. do must not leave its goroutine. Where this is not root the test is skipped.
func AsUID(t testing.TB, uid int, do func()) {
	t.Helper()
	SkipUnlessRoot(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	become(t, uid)
	defer become(t, 0)
	do()
}

// become changes the real and the effective uid of this thread alone. The saved one stays root's.
func become(t testing.TB, uid int) {
	t.Helper()
	number := uintptr(unix.SYS_SETRESUID)
	if runtime.GOARCH == "arm" || runtime.GOARCH == "386" {
		number = 208 // setresuid32: the older one takes 16 bits
	}
	if _, _, errno := unix.RawSyscall(number, uintptr(uid), uintptr(uid), ^uintptr(0)); errno != 0 {
		t.Fatal(errno)
	}
}

// DialAs is MustDial as another uid.
func (s *Server) DialAs(t testing.TB, uid int, kind peer.Transport) (r *Raw) {
	t.Helper()
	AsUID(t, uid, func() { r = s.MustDial(t, kind) })
	return r
}
