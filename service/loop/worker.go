package loop

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	maxJobs    = 64               // that wait for one bus, beside the one that runs
	workerIdle = 10 * time.Second // a worker without a job for this long ends
	closeLimit = 5 * time.Second  // how long Close waits for all workers
)

// worker is the goroutine of one bus. All fields but the channels are the loop's.
type worker struct {
	bus   string
	jobs  chan job
	busy  int  // jobs whose done was not called yet
	used  bool // since the idle timer was set
	timer *Timer
	owned map[uint32]int // of the busy ones, those of each owner
	ended chan struct{}  // closed at the end of the goroutine
}

type job struct{ run, done func() }

// Submit runs job on the worker of a bus, and then done on the loop. Jobs of one bus run one after the other, in order, on a goroutine of their
// own, so they may block. A job that hangs in the kernel holds up its own bus and nothing else: there is never a second worker for a bus. It
// fails with ErrBusy when 64 jobs wait already, with ErrStopped after Stop; job and done are then never called. After Stop, jobs that were
// queued still run (Close waits for them), but their done may not.
func (l *Loop) Submit(bus string, run, done func()) error {
	w, err := l.worker(bus)
	if err != nil {
		return err
	}
	select {
	case w.jobs <- job{run, done}:
		w.busy++
		w.used = true
		return nil
	default:
		return ErrBusy
	}
}

// SubmitFor is Submit for one of several owners who share a bus. One alone may have half of the room that nobody else has, so that there is always some left. Jobs
// are not taken in turn: what one was promised when it asked, as that a line is off, has to happen before what another one asked for behind it.
func (l *Loop) SubmitFor(owner uint32, bus string, run, done func()) error {
	w, err := l.worker(bus)
	if err != nil {
		return err
	}
	own := w.owned[owner]
	if own > 0 && own >= (maxJobs-w.busy+own)/2 {
		return ErrBusy
	}
	err = l.Submit(bus, run, func() {
		w.disown(owner)
		done()
	})
	if err == nil {
		w.owned[owner]++
	}
	return err
}

func (w *worker) disown(owner uint32) {
	if w.owned[owner]--; w.owned[owner] == 0 {
		delete(w.owned, owner)
	}
}

// worker gives the worker of a bus.
func (l *Loop) worker(bus string) (*worker, error) {
	if l.stopping.Load() {
		return nil, ErrStopped
	}
	if w := l.workers[bus]; w != nil {
		return w, nil
	}
	return l.hire(bus), nil
}

// hire starts the worker of a bus. It ends when the loop closes its channel: after it was idle, or in Close.
func (l *Loop) hire(bus string) *worker {
	w := &worker{bus: bus, jobs: make(chan job, maxJobs), owned: map[uint32]int{}, ended: make(chan struct{})}
	l.workers[bus] = w
	w.timer = l.After(workerIdle, func() { l.retire(w) })
	go l.work(w)
	return w
}

func (l *Loop) work(w *worker) {
	defer close(w.ended)
	for j := range w.jobs {
		j.run()
		l.post(posted{run: j.done, from: w})
	}
}

// retire ends a worker that had nothing to do since the last look, and else looks again later. A busy one is never ended.
func (l *Loop) retire(w *worker) {
	if w.busy > 0 || w.used {
		w.used = false
		w.timer = l.After(workerIdle, func() { l.retire(w) })
		return
	}
	delete(l.workers, w.bus)
	close(w.jobs)
	<-w.ended // at once: it has no job
}

// endWorkers lets all workers finish what they have and waits for them. It runs after Run, so a runtime timer does no harm.
func (l *Loop) endWorkers() error {
	for _, w := range l.workers {
		close(w.jobs)
	}
	var hung []string
	limit, cancel := context.WithTimeout(context.Background(), l.patience)
	defer cancel()
	for _, w := range l.workers {
		if !w.endsBefore(limit.Done()) {
			hung = append(hung, w.bus)
		}
	}
	clear(l.workers)
	if len(hung) == 0 {
		return nil
	}
	slices.Sort(hung)
	return fmt.Errorf("cannot end the workers of %s: their jobs hang", strings.Join(hung, ", "))
}

// endsBefore waits for the worker's end or the limit. One that has ended already always counts as such.
func (w *worker) endsBefore(limit <-chan struct{}) bool {
	select {
	case <-w.ended:
		return true
	case <-limit:
	}
	select {
	case <-w.ended:
		return true
	default:
		return false
	}
}
