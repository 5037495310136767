package hal

import "time"

// Patience is how long a call that is answered later may wait for hardware on a slow bus: as long as the server waits for a call that runs on the worker.
const Patience = 5 * time.Second

// Within makes a done of a call that is answered later which answers once: with what it is called with, or after d with late. What the call comes to after that nobody learns from its answer.
func Within(l Loop, d time.Duration, late error, done func(error)) func(error) {
	answered := false
	answer := func(err error) {
		if !answered {
			answered = true
			done(err)
		}
	}
	stop := l.After(d, func() { answer(late) })
	return func(err error) {
		stop()
		answer(err)
	}
}
