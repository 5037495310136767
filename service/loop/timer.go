package loop

import (
	"container/heap"
	"time"

	"golang.org/x/sys/unix"
)

// Timer is a function that waits for its time.
type Timer struct {
	loop  *Loop
	when  time.Duration // since loop.start, by the monotonic clock
	run   func()
	index int // in the heap, -1 outside
}

// After runs f once on the loop, not before d has passed (CLOCK_MONOTONIC: the time of a suspended machine does not count).
func (l *Loop) After(d time.Duration, f func()) *Timer {
	t := &Timer{loop: l, when: l.now() + max(d, 0), run: f}
	heap.Push(&l.timers, t)
	return t
}

// Stop keeps the timer's function from being run, if it was not already. It may be called twice, and on a nil timer.
func (t *Timer) Stop() {
	if t == nil || t.index < 0 {
		return
	}
	heap.Remove(&t.loop.timers, t.index)
}

func (l *Loop) now() time.Duration { return time.Since(l.start) }

// arm sets the timerfd to the next timer, once per round at most. A timerfd that fires too early (its timer was stopped) is left alone: it costs
// one wake-up, where disarming would cost a system call for each deadline that is met, and nearly all are.
func (l *Loop) arm() error {
	if len(l.timers) == 0 {
		return nil
	}
	when := l.timers[0].when
	if l.armed != 0 && l.armed <= when {
		return nil
	}
	// Relative, and never 0, which would disarm it.
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(max(when-l.now(), 1)))}
	if err := unix.TimerfdSettime(l.alarm, 0, &spec, nil); err != nil {
		return err
	}
	l.armed = max(when, 1)
	return nil
}

// alarm is the timerfd.
type alarm struct{ *Loop }

// Ready runs the timers that are due. Those that they start wait for the next round.
func (l alarm) Ready(uint32) {
	_, _ = unix.Read(l.alarm, l.counter[:])
	l.armed = 0
	now := l.now()
	for len(l.timers) > 0 && l.timers[0].when <= now {
		t := heap.Pop(&l.timers).(*Timer)
		t.run()
	}
}

// timerHeap orders timers by their time; its methods are container/heap's.
type timerHeap []*Timer

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].when < h[j].when }

func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push appends x, a *Timer.
func (h *timerHeap) Push(x any) {
	t := x.(*Timer)
	t.index = len(*h)
	*h = append(*h, t)
}

// Pop removes the last timer.
func (h *timerHeap) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	t.index = -1
	return t
}
