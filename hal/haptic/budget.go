package haptic

import "time"

// budget is how long a motor may run: longest at once when it has rested, and as long as it rests in the long run. The zero value is of a motor that has rested.
type budget struct {
	owed  time.Duration // what it ran and has not rested yet, up to the moment since
	since time.Time
	until time.Time // when it stops, or has stopped
}

// settle brings what is owed up to now.
func (b *budget) settle(now time.Time) {
	if b.until.After(now) {
		b.owed += now.Sub(b.since)
	} else if ran := b.until.Sub(b.since); ran > 0 {
		b.owed += ran - now.Sub(b.until)
	} else {
		b.owed -= now.Sub(b.since)
	}
	b.owed, b.since = max(b.owed, 0), now
}

// runs reports whether the motor runs.
func (b *budget) runs(now time.Time) bool { return b.until.After(now) }

// spend lets the motor run from now on in place of what it did, or says how long to wait with that.
func (b *budget) spend(now time.Time, d time.Duration) (wait time.Duration) {
	b.settle(now)
	if over := b.owed + d - longest; over > 0 {
		if b.runs(now) {
			over += 2 * b.until.Sub(now) // it goes on, and rests as long for it
		}
		return over
	}
	b.until = now.Add(d)
	return 0
}

// stop is that the motor stops now, where it still runs.
func (b *budget) stop(now time.Time) {
	b.settle(now)
	if b.runs(now) {
		b.until = now
	}
}
