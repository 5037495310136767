// Package simtest lets the tests of a class run it: a loop whose time stands still until a test moves it, and calls through the gate as the server makes them.
package simtest

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// Loop is a hal.Loop that moves only when a test says so: with Turn and Advance, on the test's goroutine. Jobs run on a goroutine of their own, so that the race
// detector sees what they share with the loop.
type Loop struct {
	now    time.Duration
	timers []*timer
	polled map[int]func()
	posted chan func()
	jobs   []job
	// Full lets Submit fail, as a worker does that has too much to do.
	Full bool
}

type timer struct {
	at      time.Duration
	f       func()
	stopped bool
}

type job struct{ run, done func() }

// NewLoop makes a loop.
func NewLoop() *Loop {
	return &Loop{polled: map[int]func(){}, posted: make(chan func(), 1024)}
}

// Poll calls ready whenever fd can be read.
func (l *Loop) Poll(fd int, ready func()) error {
	if l.polled[fd] != nil {
		return unix.EEXIST
	}
	l.polled[fd] = ready
	return nil
}

// Unpoll ends Poll.
func (l *Loop) Unpoll(fd int) { delete(l.polled, fd) }

// Polled is how many descriptors are waited for.
func (l *Loop) Polled() int { return len(l.polled) }

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

// After calls f when the test's time has moved on by d.
func (l *Loop) After(d time.Duration, f func()) (stop func()) {
	t := &timer{at: l.now + d, f: f}
	l.timers = append(l.timers, t)
	return func() { t.stopped = true }
}

// Post calls f at the next turn. Any goroutine may call it.
func (l *Loop) Post(f func()) { l.posted <- f }

// Submit runs a job at the next turn.
func (l *Loop) Submit(_ string, run, done func()) error {
	if l.Full {
		return errors.New("cannot submit: too many jobs wait")
	}
	l.jobs = append(l.jobs, job{run, done})
	return nil
}

// Turn does all there is to do now.
func (l *Loop) Turn() {
	for l.post() || l.work() || l.poll() {
	}
}

func (l *Loop) post() bool {
	select {
	case f := <-l.posted:
		f()
		return true
	default:
		return false
	}
}

func (l *Loop) work() bool {
	if len(l.jobs) == 0 {
		return false
	}
	j := l.jobs[0]
	l.jobs = l.jobs[1:]
	ran := make(chan struct{})
	go func() { defer close(ran); j.run() }()
	<-ran
	for l.post() {
	}
	j.done()
	return true
}

func (l *Loop) poll() bool {
	any := false
	for fd, ready := range l.polled {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if n, _ := unix.Poll(fds, 0); n > 0 {
			ready()
			any = true
		}
	}
	return any
}

// Advance moves time on, timer by timer.
func (l *Loop) Advance(d time.Duration) {
	l.Turn()
	for end := l.now + d; ; {
		next := l.next(end)
		if next == nil {
			l.now = end
			return
		}
		l.now = next.at
		next.stopped = true
		next.f()
		l.Turn()
	}
}

// next finds the earliest timer up to a time, and forgets those that are over.
func (l *Loop) next(end time.Duration) (next *timer) {
	running := l.timers[:0]
	for _, t := range l.timers {
		if t.stopped {
			continue
		}
		running = append(running, t)
		if t.at <= end && (next == nil || t.at < next.at) {
			next = t
		}
	}
	l.timers = running
	return next
}
