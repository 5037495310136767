package haltest

import (
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// ErrFull is what Submit answers on a Loop that is Full.
var ErrFull = errors.New("cannot submit: too many jobs wait")

// rounds is how often Turn asks descriptors before it takes them for ones that are never read empty.
const rounds = 10_000

// Loop is a hal.Loop for tests. It moves only when a test says so, with Turn, Advance and Await, all on the test's goroutine, and its time stands still
// between. Jobs run on goroutines, one for each bus and only while it has jobs, so that the race detector sees what they share with the loop. The zero value is not
// ready: use NewLoop.
type Loop struct {
	// Inline runs a job inside Submit, on the goroutine of its caller, where a test needs the order.
	Inline bool
	// Full lets Submit answer ErrFull, as it does when too many jobs wait.
	Full bool

	now    time.Duration
	timers []*timer
	polled map[int]func()

	mu     sync.Mutex // guards what other goroutines see
	change sync.Cond  // posted or jobs changed
	posted []func()
	jobs   map[string][]job // by bus; the first one runs
	wake   int              // an eventfd while Await waits, else -1
}

type timer struct {
	at      time.Duration
	f       func()
	stopped bool
}

type job struct{ run, done func() }

// NewLoop makes a loop whose time is 0.
func NewLoop() *Loop {
	l := &Loop{polled: map[int]func(){}, jobs: map[string][]job{}, wake: -1}
	l.change.L = &l.mu
	return l
}

// Poll calls ready whenever fd can be read, has hung up or failed, until Unpoll. As epoll does, it refuses one that is there already with EEXIST, one
// that is not open with EBADF, and a file with EPERM.
func (l *Loop) Poll(fd int, ready func()) error {
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return err
	}
	if kind := stat.Mode & unix.S_IFMT; kind == unix.S_IFREG || kind == unix.S_IFDIR {
		return unix.EPERM
	}
	if l.polled[fd] != nil {
		return unix.EEXIST
	}
	l.polled[fd] = ready
	return nil
}

// Unpoll ends Poll. A descriptor that is not polled does no harm.
func (l *Loop) Unpoll(fd int) { delete(l.polled, fd) }

// After calls f once, when the loop's time has moved on by d, unless it is stopped before. Stopping twice does no harm.
func (l *Loop) After(d time.Duration, f func()) (stop func()) {
	t := &timer{at: l.now + d, f: f}
	l.timers = append(l.timers, t)
	return func() { t.stopped = true }
}

// Post calls f at the next turn. Any goroutine may call it.
func (l *Loop) Post(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.post(f)
}

// post has the lock.
func (l *Loop) post(f func()) {
	l.posted = append(l.posted, f)
	l.change.Broadcast()
	if l.wake >= 0 {
		_, _ = unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
}

// Submit runs job on the worker of a bus, from now on, and then done on the loop, at a turn. Jobs of one bus run one after the other.
func (l *Loop) Submit(bus string, run, done func()) error {
	switch {
	case l.Full:
		return ErrFull
	case l.Inline:
		run()
		l.Post(done)
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.jobs[bus] = append(l.jobs[bus], job{run, done})
	if len(l.jobs[bus]) == 1 {
		go l.work(bus, l.jobs[bus][0])
	}
	return nil
}

// work runs the jobs of a bus until there is none.
func (l *Loop) work(bus string, j job) {
	for {
		done := protect(j)
		l.mu.Lock()
		l.post(done)
		l.jobs[bus] = l.jobs[bus][1:]
		if len(l.jobs[bus]) == 0 {
			delete(l.jobs, bus)
			l.mu.Unlock()
			return
		}
		j = l.jobs[bus][0]
		l.mu.Unlock()
	}
}

// protect runs a job. Where it panics, so does its done, on the test's goroutine.
func protect(j job) (done func()) {
	defer func() {
		if r := recover(); r != nil {
			text := fmt.Sprintf("a job panicked: %v\n%s", r, debug.Stack())
			done = func() { panic(text) }
		}
	}()
	j.run()
	return j.done
}

// Turn does all there is to do now: what was posted, the jobs that were submitted, which it waits for, and what the descriptors have to say. It panics where
// a descriptor can still be read after 10,000 times: whoever polls it does not read it empty, and a real loop would never rest.
func (l *Loop) Turn() {
	for range rounds {
		for f := l.take(); f != nil; f = l.take() {
			f()
		}
		if !l.ask(0) {
			return
		}
	}
	panic("haltest: a polled descriptor is never read empty")
}

// take gives the next function that was posted. While jobs run it waits for one; nil means that there is nothing.
func (l *Loop) take() func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.posted) == 0 {
		if len(l.jobs) == 0 {
			return nil
		}
		l.change.Wait()
	}
	f := l.posted[0]
	l.posted = l.posted[1:]
	return f
}

// ask polls the descriptors for at most so many ms (-1: for ever), calls those that are ready, lowest number first, and reports whether anything was.
func (l *Loop) ask(msec int) bool {
	fds := []unix.PollFd{{Fd: int32(l.wake), Events: unix.POLLIN}}
	for _, fd := range slices.Sorted(maps.Keys(l.polled)) {
		fds = append(fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
	n, err := unix.Poll(fds, msec)
	for err == unix.EINTR {
		n, err = unix.Poll(fds, msec)
	}
	if fds[0].Revents != 0 {
		_, _ = unix.Read(l.wake, make([]byte, 8))
	}
	for _, p := range fds[1:] {
		if ready := l.polled[int(p.Fd)]; p.Revents != 0 && ready != nil {
			ready()
		}
	}
	return n > 0
}

// Advance moves the time on by d, timer by timer in their order, and does all there is to do before the first, after each and at the end.
func (l *Loop) Advance(d time.Duration) {
	l.Turn()
	for end := l.now + d; ; {
		next := l.next(end)
		if next == nil {
			l.now = end
			return
		}
		l.now = max(l.now, next.at)
		next.stopped = true
		next.f()
		l.Turn()
	}
}

// next finds the first timer up to a time, and forgets those that are over.
func (l *Loop) next(end time.Duration) (first *timer) {
	running := l.timers[:0]
	for _, t := range l.timers {
		if t.stopped {
			continue
		}
		running = append(running, t)
		if t.at <= end && (first == nil || t.at < first.at) {
			first = t
		}
	}
	clear(l.timers[len(running):])
	l.timers = running
	return first
}

// Await turns until a condition holds, and waits between for descriptors and for what other goroutines post, without a limit. The loop's time stands still
// meanwhile. It is for tests on real kernels, whose events come when they come.
func (l *Loop) Await(until func() bool) error {
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return fmt.Errorf("cannot wait: %w", err)
	}
	defer unix.Close(wake)
	l.setWake(wake)
	defer l.setWake(-1)
	for {
		l.Turn()
		if until() {
			return nil
		}
		l.ask(-1)
	}
}

func (l *Loop) setWake(fd int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wake = fd
}

// Now is how far the loop's time has moved.
func (l *Loop) Now() time.Duration { return l.now }

// Timers is how many timers run.
func (l *Loop) Timers() int {
	n := 0
	for _, t := range l.timers {
		if !t.stopped {
			n++
		}
	}
	return n
}

// Polled is how many descriptors are polled.
func (l *Loop) Polled() int { return len(l.polled) }
