package loop

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// ErrBusy is returned by Submit where too many jobs wait for a bus already.
var ErrBusy = errors.New("cannot queue the job: too many wait for this bus")

// ErrStopped is returned by Submit once the loop was stopped.
var ErrStopped = errors.New("cannot queue the job: the loop was stopped")

// Ready is what waits for a descriptor.
type Ready interface {
	// Ready is called on the loop's goroutine with the epoll events. It must not block.
	Ready(events uint32)
}

// Loop runs everything on one goroutine. Post and Stop may be called from any goroutine; everything else only on the loop's own, or before Run.
type Loop struct {
	epoll, wakeup, alarm int // descriptors: epoll, eventfd, timerfd

	watched    []watched // by descriptor
	generation uint32
	events     []unix.EpollEvent
	ready      int     // how many of them this round has
	counter    [8]byte // what eventfd and timerfd are read into

	later, ending []func() // at the end of this round; those that are being run

	timers timerHeap
	armed  time.Duration // when the timerfd fires; 0 where it is not set
	start  time.Time     // timers count from here

	yielded time.Duration // when yield last did

	workers  map[string]*worker // by bus
	patience time.Duration      // of Close, with workers

	stopping atomic.Bool
	mu       sync.Mutex
	posted   []posted // guarded by mu
	running  []posted // the batch being run; swapped with posted
}

// watched is one registered descriptor.
type watched struct {
	ready      Ready
	events     uint32
	generation uint32
}

// posted is a function that another goroutine wants to have run. It comes from a worker where it is the end of its job.
type posted struct {
	run  func()
	from *worker
}

// maxEvents bounds what one wait reports, and so how long the loop is deaf to a wake-up. Descriptors that are ready and left alone are reported in each
// round before those that become ready after them, so it is many.
const maxEvents = 256

// New makes a loop with its three descriptors, all close-on-exec. The caller calls Run, then Close.
func New() (*Loop, error) {
	l := &Loop{
		epoll: -1, wakeup: -1, alarm: -1,
		events:  make([]unix.EpollEvent, maxEvents),
		start:   time.Now(),
		workers: map[string]*worker{}, patience: closeLimit,
	}
	if err := l.open(); err != nil {
		l.closeDescriptors()
		return nil, fmt.Errorf("cannot set up the event loop: %w", err)
	}
	return l, nil
}

func (l *Loop) open() (err error) {
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return err
	}
	if l.wakeup, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return err
	}
	if l.alarm, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK); err != nil {
		return err
	}
	if err = l.Add(l.wakeup, unix.EPOLLIN, wakeup{l}); err != nil {
		return err
	}
	return l.Add(l.alarm, unix.EPOLLIN, alarm{l})
}

// Run serves on the calling goroutine until Stop, and then runs what was posted before it. It returns an error only where the kernel refuses to
// wait, which does not happen to a loop that was not closed.
func (l *Loop) Run() error {
	for !l.stopping.Load() {
		if err := l.round(); err != nil {
			return fmt.Errorf("cannot wait for events: %w", err)
		}
	}
	l.runPosted()
	return nil
}

func (l *Loop) round() (err error) {
	if err := l.arm(); err != nil {
		return err
	}
	l.yield()
	l.ready, err = l.wait()
	for i := range l.events[:l.ready] {
		l.dispatch(&l.events[i])
	}
	if len(l.later) > 0 {
		l.runLater()
	}
	return err
}

// Later runs f at the end of this round, when all its events were handled. What is asked for then runs at the end of the next round, which waits for nothing.
func (l *Loop) Later(f func()) { l.later = append(l.later, f) }

func (l *Loop) runLater() {
	l.ending, l.later = l.later, l.ending[:0]
	for i, f := range l.ending {
		l.ending[i] = nil
		f()
	}
}

// Crowded says whether this round has more than one event.
func (l *Loop) Crowded() bool { return l.ready > 1 }

// yieldEvery is half of the 10 ms after which the runtime's monitor acts.
const yieldEvery = 5 * time.Millisecond

// yield lets the scheduler see now and then that this goroutine does not keep the processor for itself; see the package comment.
func (l *Loop) yield() {
	if now := l.now(); now-l.yielded >= yieldEvery {
		l.yielded = now
		runtime.Gosched()
	}
}

// dispatch hands an event to whoever registered the descriptor, if that is still the one the kernel spoke of and still wants the event.
func (l *Loop) dispatch(e *unix.EpollEvent) {
	w := l.watched[e.Fd]
	if w.ready == nil || w.generation != uint32(e.Pad) {
		return
	}
	if events := e.Events & (w.events | unix.EPOLLERR | unix.EPOLLHUP); events != 0 {
		w.ready.Ready(events)
	}
}

// Stop makes Run return soon. Any goroutine may call it, at any time, more than once.
func (l *Loop) Stop() {
	l.stopping.Store(true)
	l.Post(func() {})
}

// Post runs f on the loop soon, in the order of the calls. Any goroutine may call it. What is posted after Stop may never run.
func (l *Loop) Post(f func()) { l.post(posted{run: f}) }

// post queues p. The eventfd is written only for the first one of a batch: runPosted takes them all.
func (l *Loop) post(p posted) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.posted = append(l.posted, p)
	if len(l.posted) == 1 && l.wakeup >= 0 {
		// It fails only with EAGAIN when the counter is full, and then the loop is awake anyway.
		_, _ = unix.Write(l.wakeup, one)
	}
}

// one is what an eventfd is written with. Nobody changes it; the kernel reads it as a 64-bit number that is not zero, whatever the byte order.
var one = []byte{1, 0, 0, 0, 0, 0, 0, 1}

// wakeup is the eventfd's end of Post.
type wakeup struct{ *Loop }

// Ready runs what was posted.
func (l wakeup) Ready(uint32) {
	_, _ = unix.Read(l.wakeup, l.counter[:]) // reads before taking, so that a Post in between wakes the loop again
	l.runPosted()
}

// runPosted runs one batch. What the batch itself posts comes in the next round, so that descriptors get their turn.
func (l *Loop) runPosted() {
	l.mu.Lock()
	l.running, l.posted = l.posted, l.running[:0]
	l.mu.Unlock()
	for i := range l.running {
		p := l.running[i]
		l.running[i] = posted{}
		if p.from != nil {
			p.from.busy--
		}
		p.run()
	}
}

// Close closes the loop's descriptors after Run has returned, lets the workers finish what they have, and waits for them to end, 5 s at most. A
// worker that hangs in the kernel longer than that is left behind and named in the error.
func (l *Loop) Close() error {
	l.Stop()
	err := l.endWorkers()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closeDescriptors()
	return err
}

func (l *Loop) closeDescriptors() {
	for _, fd := range []*int{&l.epoll, &l.wakeup, &l.alarm} {
		if *fd >= 0 {
			_ = unix.Close(*fd)
		}
		*fd = -1
	}
}
