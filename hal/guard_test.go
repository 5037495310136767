package hal

import (
	"sync"
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
	hung, end, done := make(chan bool), make(chan bool), make(chan bool)
	busy, closed := true, 0
	go func() {
		_ = g.Do(func() error { hung <- true; <-end; busy = false; return nil })
		close(done)
	}()
	<-hung
	for range 2 {
		g.Close("i2c-1", func() {
			closed++
			if busy {
				t.Error("it is closed under the worker's hands")
			}
		})
	}
	end <- true
	<-done
	if closed != 1 {
		t.Errorf("closed %d times once the worker came back, want once", closed)
	}
	if err := g.Do(func() error { t.Error("a call runs after the closing"); return nil }); err != syscall.ENODEV {
		t.Errorf("closed: got %v, want ENODEV", err)
	}
}

// However closing and calls meet, the device is closed once, and no call runs on it afterwards.
func TestGuardClosesOnceAmongCalls(t *testing.T) {
	for range 1000 {
		var g Guard
		var all sync.WaitGroup
		closed := 0
		for range 4 {
			all.Go(func() {
				_ = g.Do(func() error {
					if closed > 0 {
						t.Error("a call runs on a closed device")
					}
					return nil
				})
			})
		}
		g.Close("i2c-1", func() { closed++ })
		all.Wait()
		if closed != 1 {
			t.Fatalf("closed %d times, want once", closed)
		}
	}
}
