package hal

import (
	"syscall"
	"testing"
)

func TestGuard(t *testing.T) {
	var g Guard
	ran, closed := 0, 0
	run := func() error { ran++; return nil }
	if err := g.Do(run); err != nil || ran != 1 {
		t.Errorf("got %v after %d runs, want nil after 1", err, ran)
	}
	for range 2 {
		g.Close("", func() { closed++ })
	}
	if err := g.Do(run); err != syscall.ENODEV || ran != 1 {
		t.Errorf("closed: got %v after %d runs, want ENODEV after 1", err, ran)
	}
	if closed != 1 {
		t.Errorf("closed %d times, want once", closed)
	}
}

func TestGuardDoesNotWaitForAHungBus(t *testing.T) {
	var g Guard
	hung, end := make(chan bool), make(chan bool)
	go g.Do(func() error { hung <- true; <-end; return nil })
	<-hung
	g.Close("i2c-1", func() { t.Error("it is closed under the worker's hands") })
	end <- true
}
