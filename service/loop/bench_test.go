package loop

import (
	"os"
	"os/exec"
	"strconv"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// clientVariable says how many calls a copy of this program is to make over its descriptor 3, instead of running tests.
const clientVariable = "LOOP_TEST_CALLS"

func TestMain(m *testing.M) {
	calls, err := strconv.Atoi(os.Getenv(clientVariable))
	if err != nil {
		os.Exit(m.Run())
	}
	call(3, calls)
}

// call is a client as a C program is one: nothing but system calls.
func call(fd, calls int) {
	buf := make([]byte, 64)
	for range calls {
		raw(unix.SYS_SENDTO, fd, buf)
		for raw(unix.SYS_RECVFROM, fd, buf) != 0 {
		}
	}
}

func raw(number uintptr, fd int, buf []byte) unix.Errno {
	_, _, errno := unix.RawSyscall6(number, uintptr(fd), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), 0, 0, 0)
	return errno
}

// BenchmarkRoundTrip is one call of 64 bytes from another process and its answer.
func BenchmarkRoundTrip(b *testing.B) {
	l := newLoop(b)
	ours, theirs := pair(b)
	echo(b, l, ours, b.N)
	client := clientProcess(b, theirs)
	before := usage(b)
	b.ResetTimer()
	if err := client.Start(); err != nil {
		b.Fatal(err)
	}
	run(b, l)
	after := usage(b)
	b.ReportMetric(float64(cpu(after)-cpu(before))/float64(b.N), "server-cpu-ns/op")
	b.ReportMetric(float64(after.Nvcsw-before.Nvcsw)/float64(b.N), "switches/op")
	if err := client.Wait(); err != nil {
		b.Error(err)
	}
}

func usage(b *testing.B) (u unix.Rusage) {
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u
}

func cpu(u unix.Rusage) int64 { return unix.TimevalToNsec(u.Utime) + unix.TimevalToNsec(u.Stime) }

// echo answers that many calls and then stops the loop.
func echo(b *testing.B, l *Loop, fd, calls int) {
	buf := make([]byte, 64)
	add(b, l, fd, unix.EPOLLIN, func(uint32) {
		n, _ := unix.Read(fd, buf)
		_, _ = unix.Write(fd, buf[:n])
		if calls--; calls == 0 {
			l.Stop()
		}
	})
}

func clientProcess(b *testing.B, fd int) *exec.Cmd {
	b.Helper()
	program, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	if err := unix.SetNonblock(fd, false); err != nil {
		b.Fatal(err)
	}
	copied, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		b.Fatal(err)
	}
	file := os.NewFile(uintptr(copied), "client")
	b.Cleanup(func() { file.Close() })
	cmd := exec.Command(program)
	cmd.ExtraFiles = []*os.File{file}
	cmd.Env = []string{clientVariable + "=" + strconv.Itoa(b.N)}
	cmd.Stderr = os.Stderr
	return cmd
}
