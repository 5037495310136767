package loop

import (
	"errors"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// newLoop returns a loop that is closed at the end of the test, and checks that no descriptor is left then.
func newLoop(t testing.TB) *Loop {
	t.Helper()
	before := openDescriptors(t)
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if _, benchmark := t.(*testing.B); benchmark {
			return // starting a process opens descriptors of the runtime's
		}
		if got := openDescriptors(t); got != before {
			t.Errorf("open descriptors: got %d, want %d as before", got, before)
		}
	})
	return l
}

func openDescriptors(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func run(t testing.TB, l *Loop) {
	t.Helper()
	if err := l.Run(); err != nil {
		t.Fatal(err)
	}
}

// pair returns two connected sockets, which are closed before the loop is.
func pair(t testing.TB) (ours, theirs int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeAll(fds[:]...) })
	return fds[0], fds[1]
}

func closeAll(fds ...int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}

func write(t testing.TB, fd int, s string) {
	t.Helper()
	if _, err := unix.Write(fd, []byte(s)); err != nil {
		t.Fatal(err)
	}
}

// readyFunc is a function that waits for a descriptor.
type readyFunc func(events uint32)

func (f readyFunc) Ready(events uint32) { f(events) }

func TestDescriptorsAreCloseOnExec(t *testing.T) {
	l := newLoop(t)
	for name, fd := range map[string]int{"epoll": l.epoll, "eventfd": l.wakeup, "timerfd": l.alarm} {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("%s: got flags %#x (%v), want close-on-exec", name, flags, err)
		}
	}
}

func TestStop(t *testing.T) {
	t.Run("before Run", func(t *testing.T) {
		l := newLoop(t)
		l.Stop()
		l.Stop()
		run(t, l)
	})
	t.Run("from the loop", func(t *testing.T) {
		l := newLoop(t)
		l.Post(l.Stop)
		run(t, l)
	})
	t.Run("from another goroutine", func(t *testing.T) {
		l := newLoop(t)
		started := make(chan struct{})
		l.Post(func() { close(started) })
		go func() {
			<-started
			l.Stop()
		}()
		run(t, l)
	})
	t.Run("runs what was posted before", func(t *testing.T) {
		l := newLoop(t)
		ran := false
		l.Post(func() { ran = true })
		l.Stop()
		run(t, l)
		if !ran {
			t.Error("a function posted before Stop was not run")
		}
	})
}

func TestPostKeepsOrder(t *testing.T) {
	l := newLoop(t)
	var got []int
	const posts = 1000
	go func() {
		for i := range posts {
			l.Post(func() { got = append(got, i) })
		}
		l.Post(l.Stop)
	}()
	run(t, l)
	if len(got) != posts || !slices.IsSorted(got) {
		t.Errorf("got %d posts, sorted: %v, want %d in order", len(got), slices.IsSorted(got), posts)
	}
}

func TestPostFromManyGoroutines(t *testing.T) {
	l := newLoop(t)
	const goroutines, each = 8, 500
	count := 0
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range each {
				l.Post(func() { count++ })
			}
		})
	}
	go func() {
		wg.Wait()
		l.Stop()
	}()
	run(t, l)
	if count != goroutines*each {
		t.Errorf("functions run: got %d, want %d", count, goroutines*each)
	}
}

// A function that posts itself must not keep descriptors from being served.
func TestPostDoesNotStarveDescriptors(t *testing.T) {
	l := newLoop(t)
	ours, theirs := pair(t)
	stopped := false
	var again func()
	again = func() {
		if !stopped {
			l.Post(again)
		}
	}
	l.Post(again)
	write(t, theirs, "x")
	add(t, l, ours, unix.EPOLLIN, func(uint32) {
		stopped = true
		l.Stop()
	})
	run(t, l)
}

func TestPostAfterClose(t *testing.T) {
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l.Post(func() { t.Error("ran on a closed loop") })
	if err := l.Close(); err != nil {
		t.Errorf("closing twice: got %v, want no error", err)
	}
}

func TestRunFailsOnAClosedLoop(t *testing.T) {
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	l.closeDescriptors()
	if err := l.Run(); !errors.Is(err, unix.EBADF) {
		t.Errorf("got %v, want EBADF", err)
	}
}

// The collector stops every goroutine, the one in a held wait too.
func TestCollectorRunsDuringHeldWaits(t *testing.T) {
	l := newLoop(t)
	ours, theirs := pair(t)
	var buf [16]byte
	add(t, l, ours, unix.EPOLLIN, func(uint32) {
		n, _ := unix.Read(ours, buf[:])
		if n > 0 {
			_, _ = unix.Write(ours, buf[:n])
		}
	})
	go func() {
		defer l.Stop()
		for range 20 {
			pingPong(t, theirs)
			runtime.GC()
		}
	}()
	run(t, l)
}

func pingPong(t testing.TB, fd int) {
	one := []byte{1}
	if _, err := unix.Write(fd, one); err != nil {
		t.Error(err)
	}
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		if _, err := unix.Poll(fds, -1); err != unix.EINTR {
			break
		}
	}
	if _, err := unix.Read(fd, one); err != nil {
		t.Error(err)
	}
}
