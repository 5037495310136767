package watchdog

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
)

// errand does something to the hardware on the worker of its bus, and then done on the loop, unless the class was closed meanwhile.
func (d *Watchdog) errand(job func() error, done func(error)) {
	hal.Errand(d.env, class, d, func() error { return d.guard.Do(job) }, done)
}

// start arms the hardware, and pings it from then on: also where a step after the opening failed, since then it runs.
func (d *Watchdog) start(done func(error)) {
	var timeout time.Duration
	d.errand(func() (err error) {
		timeout, err = d.arm()
		return err
	}, func(err error) {
		switch {
		case timeout == 0 || d.closed:
		case d.expiring: // that was decided meanwhile, and the worker may have noted the opposite
			d.note(isExpiring, timeout)
		default:
			d.began(timeout)
		}
		done(err)
	})
}

// began begins to ping hardware that was armed.
func (d *Watchdog) began(timeout time.Duration) {
	d.env.Log.Info("the watchdog is armed", "watchdog", d.id, "timeout", timeout)
	d.armed, d.expiring, d.failing, d.timeout = true, false, false, timeout
	d.wait()
}

// end disarms the hardware.
func (d *Watchdog) end(done func(error)) {
	d.errand(d.disarm, func(err error) {
		if err == nil {
			if d.armed {
				d.env.Log.Info("the watchdog is disarmed", "watchdog", d.id)
			}
			d.rest()
			d.armed, d.expiring = false, false
		}
		done(err)
	})
}

// expire ends the pings for good.
func (d *Watchdog) expire() {
	d.expiring = true
	d.rest()
	d.note(isExpiring, d.timeout)
}

// wait waits for a quarter of the timeout: two pings may come late or not at all.
func (d *Watchdog) wait() {
	d.rest()
	d.stop = d.env.Loop.After(d.timeout/4, func() {
		d.stop = nil
		d.errand(d.ping, d.pinged)
	})
}

// rest ends the waiting.
func (d *Watchdog) rest() {
	if d.stop != nil {
		d.stop()
		d.stop = nil
	}
}

// pinged goes on after a ping. One that does not work is tried again, as long as there is hardware.
func (d *Watchdog) pinged(err error) {
	if !d.armed || d.expiring || d.closed || d.stop != nil {
		return
	}
	if err != nil && !d.failing {
		d.env.Log.Error("cannot ping the watchdog", "watchdog", d.id, "err", err)
	}
	d.failing = err != nil
	if !errors.Is(err, unix.ENODEV) {
		d.wait()
	}
}
