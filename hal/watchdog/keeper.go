package watchdog

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
)

// keeper has the hardware pinged while all apps are healthy. It is the loop's.
type keeper struct {
	env       *hal.Env
	watchdogs *hal.Set[*Watchdog]
	apps      apps
	id        string // of the watchdog that the apps share, or had last
}

func newKeeper(env *hal.Env) *keeper {
	k := &keeper{env: env, watchdogs: hal.NewSet[*Watchdog](class, "watchdog"), id: "watchdog0"}
	if len(env.Entries) > 0 {
		k.id = env.Entries[0].ID
	}
	k.apps = apps{loop: env.Loop, hang: k.hung}
	return k
}

// shared is the watchdog that the apps share: the one of board.toml, or without that the one that is armed, else the kernel's first.
func (k *keeper) shared() (first *Watchdog, err error) {
	for _, d := range k.watchdogs.All() {
		switch {
		case len(k.env.Entries) > 0 && !d.declared:
		case d.armed:
			return d, nil
		case first == nil || d.ordinal() < first.ordinal():
			first = d
		}
	}
	if first == nil {
		return nil, k.watchdogs.Missing(k.id)
	}
	k.id = first.id
	return first, nil
}

// consider arms a watchdog that has just come where board.toml says so, and takes over one that is running: a daemon before this one armed it and could not disarm it. What somebody else has open
// stays theirs.
func (k *keeper) consider(d *Watchdog) {
	shared, _ := k.shared()
	if d.inherited && !d.closed {
		d.goOn(shared == d)
		return
	}
	if shared != d || d.closed {
		return
	}
	runs := false
	d.errand(func() (err error) {
		runs, err = d.running()
		return err
	}, func(err error) {
		switch {
		case d.closed || err == nil && !runs && !d.board.Arm.Value:
		case err != nil && !d.board.Arm.Value:
			d.env.Log.Warn("cannot tell whether the watchdog is running", "watchdog", d.id, "err", err)
		default:
			d.start(func(err error) { d.started(err) })
		}
	})
}

// started says what became of a watchdog that was to be armed without a call.
func (d *Watchdog) started(err error) {
	switch {
	case err == nil || d.closed:
	case errors.Is(err, unix.EBUSY) && !d.board.Arm.Value:
		d.env.Log.Info("the watchdog is running, and another process has it", "watchdog", d.id)
	default:
		d.env.Log.Error("cannot arm the watchdog as it should be", "watchdog", d.id, "err", err)
	}
}

// hung is called when an app hangs.
func (k *keeper) hung(a *app, why string) {
	k.env.Log.Error("an app hangs", "app", a.name, "owner", string(a.owner), "timeout", a.timeout, "why", why)
	d, err := k.shared()
	if err == nil && d.armed && !d.expiring && d.resets() {
		k.env.Log.Error("the watchdog is not pinged any more: it resets the board", "watchdog", d.id, "timeout", d.timeout)
		d.expire()
	}
}

// resets reports whether the board is to be reset when an app hangs.
func (d *Watchdog) resets() bool { return d.board.OnHang.Or(onHangReset) == onHangReset }

// later carries something out on the shared watchdog, and answers.
func (k *keeper) later(do func(d *Watchdog, done func(error)), done func(error)) {
	d, err := k.shared()
	if err != nil {
		k.env.Loop.Post(func() { done(err) })
		return
	}
	done = hal.Within(k.env.Loop, hal.Patience, hal.SlowDevice(class, d.id), done)
	do(d, func(err error) { done(hal.Refuse(class, d.id, err)) })
}

// arm arms, and begins to watch over the apps.
func (k *keeper) arm(d *Watchdog, done func(error)) {
	if d.expiring {
		k.env.Loop.Post(func() { done(hal.BusyDevice(class, d.id, "")) })
		return
	}
	d.start(func(err error) {
		if d.armed && !d.expiring {
			k.apps.begin()
		}
		done(err)
	})
}

// disarm disarms.
func (k *keeper) disarm(d *Watchdog, done func(error)) { d.end(done) }

// only expects at most one watchdog in board.toml: the apps share one.
func only(entries []hal.Entry) error {
	if len(entries) < 2 {
		return nil
	}
	return entries[1].Unfit("the watchdog that apps share is %s already, at %s", entries[0].ID, entries[0].Where)
}
