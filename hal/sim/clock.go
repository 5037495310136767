package sim

import "time"

// SetClock lets the board's time be that of a clock: what has passed since the board was made. Until then, and until Live is called, it stands still. A test that moves a loop's time gives
// the loop's Now. The kernel asks the clock whenever it is asked something itself, on the goroutine that asks; nothing happens in between, and what should have is caught up with then.
func (k *Kernel) SetClock(clock func() time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.clock = clock
}

// stopped is the time of a board whose clock was not started.
func stopped() time.Duration { return 0 }

// startClock lets the board's time go on with the world's.
func (k *Kernel) startClock() {
	k.mu.Lock()
	defer k.mu.Unlock()
	from, start := k.clock(), time.Now()
	k.clock = func() time.Duration { return from + time.Since(start) }
}
