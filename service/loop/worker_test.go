package loop

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func submit(t testing.TB, l *Loop, bus string, job, done func()) {
	t.Helper()
	if err := l.Submit(bus, job, done); err != nil {
		t.Fatal(err)
	}
}

func nothing() {}

func TestJobsOfABusRunInOrder(t *testing.T) {
	l := newLoop(t)
	var jobs, dones []int     // no lock: a second worker of the bus would be a race
	const count = maxJobs - 1 // and one that ends the test
	for i := range count {
		submit(t, l, "i2c-1", func() { jobs = append(jobs, i) }, func() { dones = append(dones, i) })
	}
	submit(t, l, "i2c-1", nothing, l.Stop)
	run(t, l)
	if len(jobs) != count || !slices.IsSorted(jobs) || !slices.Equal(jobs, dones) {
		t.Errorf("jobs %v, dones %v: want 0 to %d in order, both", jobs, dones, count-1)
	}
}

// A hung bus holds up nobody else, gets no second worker, and refuses what does not fit its queue.
func TestHungBus(t *testing.T) {
	l := newLoop(t)
	release := make(chan struct{})
	hanging := make(chan struct{})
	dones := 0
	submit(t, l, "i2c-1", func() { close(hanging); <-release }, func() { dones++ })
	<-hanging
	for range maxJobs {
		submit(t, l, "i2c-1", nothing, func() { dones++ })
	}
	if err := l.Submit("i2c-1", nothing, nothing); !errors.Is(err, ErrBusy) {
		t.Errorf("one job too many: got %v, want ErrBusy", err)
	}
	hung := l.workers["i2c-1"]
	l.retire(hung)
	l.retire(hung)
	if l.workers["i2c-1"] != hung {
		t.Error("a hung worker was given up for another one")
	}
	submit(t, l, "i2c-2", nothing, func() {
		if dones != 0 {
			t.Errorf("jobs of the hung bus that ended: got %d, want 0", dones)
		}
		close(release)
		submit(t, l, "i2c-3", nothing, nothing)
	})
	for _, w := range l.workers {
		w.timer.Stop()
	}
	var wait func()
	wait = func() {
		if dones == maxJobs+1 {
			l.Stop()
			return
		}
		l.Post(wait)
	}
	l.Post(wait)
	run(t, l)
}

func TestIdleWorkerEnds(t *testing.T) {
	l := newLoop(t)
	submit(t, l, "spi0", nothing, func() {
		w := l.workers["spi0"]
		l.retire(w) // it was used since the last look
		if l.workers["spi0"] != w {
			t.Error("a worker that was just used was ended")
		}
		l.retire(w)
		if len(l.workers) != 0 {
			t.Error("an idle worker was kept")
		}
		<-w.ended
		submit(t, l, "spi0", nothing, l.Stop) // and a new one can come
	})
	run(t, l)
}

func TestBusyCount(t *testing.T) {
	l := newLoop(t)
	submit(t, l, "a", nothing, func() {
		if got := l.workers["a"].busy; got != 1 {
			t.Errorf("jobs left: got %d, want 1", got)
		}
		submit(t, l, "a", nothing, l.Stop)
	})
	submit(t, l, "a", nothing, nothing)
	if got := l.workers["a"].busy; got != 2 {
		t.Errorf("jobs outstanding: got %d, want 2", got)
	}
	run(t, l)
	if got := l.workers["a"].busy; got != 0 {
		t.Errorf("jobs outstanding at the end: got %d, want 0", got)
	}
}

func TestCloseWaitsForJobs(t *testing.T) {
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	begun, release := make(chan struct{}), make(chan struct{})
	submit(t, l, "a", func() { close(begun); <-release; ran++ }, nothing)
	submit(t, l, "a", func() { ran++ }, nothing)
	<-begun
	l.Stop()
	run(t, l)
	if err := l.Submit("a", nothing, nothing); !errors.Is(err, ErrStopped) {
		t.Errorf("Submit after Stop: got %v, want ErrStopped", err)
	}
	close(release)
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if ran != 2 {
		t.Errorf("jobs run at the end of Close: got %d, want 2", ran)
	}
}

func TestCloseNamesHungBuses(t *testing.T) {
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	l.patience = 0
	release := make(chan struct{})
	var begun []chan struct{}
	for _, bus := range []string{"i2c-7", "i2c-2"} {
		began := make(chan struct{})
		begun = append(begun, began)
		submit(t, l, bus, func() { close(began); <-release }, nothing)
	}
	for _, began := range begun {
		<-began
	}
	workers := []*worker{l.workers["i2c-7"], l.workers["i2c-2"]}
	err = l.Close()
	if err == nil || !strings.Contains(err.Error(), "i2c-2, i2c-7") {
		t.Errorf("got %v, want an error that names i2c-2 and i2c-7", err)
	}
	close(release)
	for _, w := range workers {
		<-w.ended
	}
}

// TestOwnersOfJobs: who has filled what one owner may have of a bus leaves room for others, and has room again when its jobs are done.
func TestOwnersOfJobs(t *testing.T) {
	l := newLoop(t)
	release, hanging := make(chan struct{}), make(chan struct{})
	fill := func(owner uint32) (n int) {
		for l.SubmitFor(owner, "i2c-1", nothing, nothing) == nil {
			n++
		}
		return n
	}
	submit(t, l, "i2c-1", func() { close(hanging); <-release }, nothing)
	<-hanging
	for owner, want := range []int{31, 16, 8, 4, 2, 1, 1} {
		if got := fill(uint32(owner)); got != want {
			t.Errorf("owner %d: %d jobs are taken, want %d", owner, got, want)
		}
	}
	for l.Submit("i2c-1", nothing, nothing) == nil {
	}
	if err := l.SubmitFor(99, "i2c-1", nothing, nothing); !errors.Is(err, ErrBusy) {
		t.Errorf("without any room: got %v, want ErrBusy", err)
	}
	w := l.workers["i2c-1"]
	close(release)
	for w.busy > 0 {
		if err := l.round(); err != nil {
			t.Fatal(err)
		}
	}
	if len(w.owned) != 0 {
		t.Errorf("jobs that are done count on: %v", w.owned)
	}
	if err := l.SubmitFor(0, "i2c-1", nothing, nothing); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
