package haltest

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
)

var _ hal.Loop = (*Loop)(nil)

// steps is what happened, in order.
type steps []string

func (s *steps) add(what string) func() { return func() { *s = append(*s, what) } }

func (s *steps) expect(t *testing.T, when string, want ...string) {
	t.Helper()
	if !slices.Equal(*s, want) {
		t.Errorf("%s: %q, want %q", when, *s, want)
	}
	*s = nil
}

func TestLoopPost(t *testing.T) {
	l, s := NewLoop(), steps{}
	l.Post(s.add("a"))
	l.Post(func() { s.add("b")(); l.Post(s.add("c")) })
	s.expect(t, "before the turn")
	l.Turn()
	s.expect(t, "after it", "a", "b", "c")
	l.Turn()
	s.expect(t, "after another one")
}

func TestLoopTimers(t *testing.T) {
	l, s := NewLoop(), steps{}
	l.After(2*time.Second, s.add("two"))
	l.After(time.Second, s.add("one"))
	l.After(time.Second, s.add("one more"))
	stop := l.After(time.Second, s.add("stopped"))
	stop()
	stop()
	l.After(3*time.Second, func() { l.After(time.Second, s.add("four")); l.After(0, s.add("three")) })
	if got := l.Timers(); got != 4 {
		t.Errorf("%d timers run, want 4", got)
	}
	l.Advance(time.Second - 1)
	s.expect(t, "just before")
	l.Advance(1)
	s.expect(t, "after a second", "one", "one more")
	l.Advance(2 * time.Second)
	s.expect(t, "after three", "two", "three")
	l.Advance(time.Hour)
	s.expect(t, "after an hour", "four")
	if got, want := l.Now(), time.Hour+3*time.Second; got != want || l.Timers() != 0 {
		t.Errorf("it is %s with %d timers, want %s with none", got, l.Timers(), want)
	}
}

// A timer sees the time at which it was due, and what it posts runs before the next one.
func TestLoopTimeStandsStill(t *testing.T) {
	l, s := NewLoop(), steps{}
	for _, d := range []time.Duration{time.Second, 2 * time.Second} {
		l.After(d, func() {
			s.add(l.Now().String())()
			l.Post(s.add("posted"))
		})
	}
	l.Advance(time.Minute)
	s.expect(t, "the times", "1s", "posted", "2s", "posted")
}

func TestLoopJobs(t *testing.T) {
	l, s := NewLoop(), steps{}
	before := runtime.NumGoroutine()
	gate := make(chan struct{})
	var a, b int
	for i := range 3 {
		if err := l.Submit("bus", func() { <-gate; a = a*10 + i + 1 }, func() { s.add(fmt.Sprint("bus ", a))() }); err != nil {
			t.Fatal(err)
		}
	}
	// The job of another bus does not wait for the first one.
	if err := l.Submit("other", func() { b = 7; close(gate) }, func() { s.add("other")() }); err != nil {
		t.Fatal(err)
	}
	l.Turn()
	if a != 123 || b != 7 || len(s) != 4 {
		t.Errorf("the jobs gave %d and %d and %q, want 123 and 7 and four done", a, b, s)
	}
	for runtime.NumGoroutine() > before {
		runtime.Gosched()
	}
}

// What a done submits is done in the same turn.
func TestLoopJobAfterJob(t *testing.T) {
	l, s := NewLoop(), steps{}
	err := l.Submit("bus", func() {}, func() {
		s.add("one")()
		if err := l.Submit("bus", func() {}, s.add("two")); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	l.Turn()
	s.expect(t, "both", "one", "two")
}

func TestLoopInlineAndFull(t *testing.T) {
	l, s := NewLoop(), steps{}
	l.Inline = true
	if err := l.Submit("bus", s.add("job"), s.add("done")); err != nil {
		t.Fatal(err)
	}
	s.expect(t, "inside Submit", "job")
	l.Turn()
	s.expect(t, "at the turn", "done")
	l.Full = true
	if err := l.Submit("bus", s.add("job"), s.add("done")); err != ErrFull {
		t.Errorf("Submit = %v, want %v", err, ErrFull)
	}
	l.Turn()
	s.expect(t, "of a loop that is full")
}

func TestLoopJobThatPanics(t *testing.T) {
	l := NewLoop()
	if err := l.Submit("bus", func() { panic("broken") }, func() {}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if text := fmt.Sprint(recover()); !strings.Contains(text, "a job panicked: broken") {
			t.Errorf("recovered %q, want the panic of the job", text)
		}
	}()
	l.Turn()
}

// pipe gives a descriptor to poll, and one that makes it ready.
func pipe(t *testing.T) (read, write int) {
	t.Helper()
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(ends[0]); unix.Close(ends[1]) })
	return ends[0], ends[1]
}

func TestLoopPoll(t *testing.T) {
	l, s := NewLoop(), steps{}
	read, write := pipe(t)
	p := make([]byte, 8)
	ready := func() {
		n, err := unix.Read(read, p)
		s.add(fmt.Sprintf("read %d %v", n, err))()
	}
	if err := l.Poll(read, ready); err != nil {
		t.Fatal(err)
	}
	l.Turn()
	s.expect(t, "nothing to read")
	if _, err := unix.Write(write, []byte("abc")); err != nil {
		t.Fatal(err)
	}
	l.Turn()
	s.expect(t, "three bytes", "read 3 <nil>")
	l.Unpoll(read)
	l.Unpoll(read)
	if _, err := unix.Write(write, []byte("abc")); err != nil {
		t.Fatal(err)
	}
	l.Turn()
	s.expect(t, "not polled")
}

func TestLoopPollRefuses(t *testing.T) {
	l := NewLoop()
	read, _ := pipe(t)
	folder, err := unix.Open(".", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(folder)
	if err := l.Poll(read, func() {}); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		fd   int
		want error
	}{
		{"polled already", read, unix.EEXIST},
		{"not open", 1 << 20, unix.EBADF},
		{"a folder", folder, unix.EPERM},
	}
	for _, test := range tests {
		if got := l.Poll(test.fd, func() {}); got != test.want {
			t.Errorf("Poll of what is %s = %v, want %v", test.name, got, test.want)
		}
	}
	if got := l.Polled(); got != 1 {
		t.Errorf("%d descriptors are polled, want 1", got)
	}
}

// A descriptor that one ready function unpolls is not ready any more.
func TestLoopUnpollMeanwhile(t *testing.T) {
	l, s := NewLoop(), steps{}
	a, writeA := pipe(t)
	b, writeB := pipe(t)
	for _, fd := range []int{a, b} {
		if err := l.Poll(fd, func() { s.add("ready")(); l.Unpoll(a); l.Unpoll(b) }); err != nil {
			t.Fatal(err)
		}
	}
	for _, fd := range []int{writeA, writeB} {
		if _, err := unix.Write(fd, []byte{1}); err != nil {
			t.Fatal(err)
		}
	}
	l.Turn()
	s.expect(t, "one of the two", "ready")
}

// A hang-up is told, as epoll does, and whoever leaves it polled would keep a real loop busy for ever.
func TestLoopHangUp(t *testing.T) {
	l := NewLoop()
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ends[0])
	unix.Close(ends[1])
	calls := 0
	if err := l.Poll(ends[0], func() { calls++ }); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if text := fmt.Sprint(recover()); !strings.Contains(text, "never read empty") || calls != rounds {
			t.Errorf("recovered %q after %d calls, want the panic after %d", text, calls, rounds)
		}
	}()
	l.Turn()
}

func TestLoopAwait(t *testing.T) {
	l := NewLoop()
	read, write := pipe(t)
	got, posted := 0, false
	p := make([]byte, 8)
	if err := l.Poll(read, func() { n, _ := unix.Read(read, p); got += n }); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = unix.Write(write, []byte("abc"))
	}()
	if err := l.Await(func() bool { return got == 3 }); err != nil {
		t.Fatal(err)
	}
	go l.Post(func() { posted = true })
	if err := l.Await(func() bool { return posted }); err != nil {
		t.Fatal(err)
	}
	if l.Now() != 0 {
		t.Errorf("it is %s, want no time to pass", l.Now())
	}
}
