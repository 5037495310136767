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

// Errand runs job, which may wait for a device, on the worker of the device's bus, or at once on the loop where it has none, and then done on the loop, never before the caller is back. It is called on
// the loop. Where too many wait for the bus already, job does not run and the error is a Busy of the device.
func Errand(env *Env, class string, d Device, job func() error, done func(error)) {
	var err error
	bus := d.Bus()
	switch {
	case bus == "":
		err = job()
	case env.Loop.Submit(bus, func() { err = job() }, func() { done(err) }) == nil:
		return
	default:
		err = BusyDevice(class, d.ID(), "")
	}
	env.Loop.Post(func() { done(err) })
}
