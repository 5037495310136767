package watchdog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
)

// How an armed watchdog outlives the process: the service manager keeps the device open, so that its closing neither disarms it nor lets anybody else have it, and the next process goes on with
// the pings. One that was to reset the board is not pinged by that one either.

// What the journal says about a watchdog: a version, whether it is to reset the board, its timeout in seconds, and the inode of its folder in /sys.
const (
	recordVersion = 1
	recordSize    = 14

	isArmed    = 0
	isExpiring = 1
)

// keptAs is what the device is called.
func (d *Watchdog) keptAs() string { return "watchdog/" + d.name }

func (d *Watchdog) record(state byte, timeout time.Duration) []byte {
	inode, err := d.env.Kernel.Inode(d.dir)
	if err != nil {
		inode = 0
	}
	out := binary.LittleEndian.AppendUint32([]byte{recordVersion, state}, uint32(timeout/time.Second))
	return binary.LittleEndian.AppendUint64(out, inode)
}

// keep has the device outlive the process. Its guard is held.
func (d *Watchdog) keep(timeout time.Duration) {
	if d.env.Keeper == nil || d.fd < 0 {
		return
	}
	if d.kept.Load() {
		d.note(isArmed, timeout)
	} else if err := d.env.Keeper.Push(d.keptAs(), d.fd, d.record(isArmed, timeout)); err != nil {
		d.env.Log.Warn("the watchdog is disarmed when this process ends", "watchdog", d.id, "err", err)
	} else {
		d.kept.Store(true)
	}
}

// note has the journal say something else.
func (d *Watchdog) note(state byte, timeout time.Duration) {
	if !d.kept.Load() {
		return
	}
	if err := d.env.Keeper.Note(d.keptAs(), d.record(state, timeout)); err != nil {
		d.env.Log.Warn("cannot note how the watchdog is", "watchdog", d.id, "err", err)
	}
}

// forget has it end with the process.
func (d *Watchdog) forget() {
	if d.kept.Swap(false) {
		d.env.Keeper.Drop(d.keptAs())
	}
}

// inherit takes the device that the process before left open. It is not pinged before the loop goes round. What is doubtful is let go: it runs then, and is taken over as any that runs.
func (d *Watchdog) inherit() {
	if d.env.Keeper == nil {
		return
	}
	fd, raw, ok := d.env.Keeper.Take(d.keptAs())
	if !ok {
		return
	}
	d.fd = fd
	d.kept.Store(true)
	err := d.believe(raw)
	if err == nil {
		d.inherited, d.armed = true, true
		return
	}
	d.env.Log.Warn("the watchdog that was armed before the restart is let go", "watchdog", d.id, "err", err)
	d.forget()
	d.shut()
	if err := d.env.Keeper.Wait(); err != nil {
		d.env.Log.Warn("the service manager may still hold the watchdog", "watchdog", d.id, "err", err)
	}
}

// believe compares a record with what the kernel says.
func (d *Watchdog) believe(record []byte) error {
	if len(record) < recordSize || record[0] != recordVersion || record[1] > isExpiring {
		return errors.New("what is noted about it is not understood")
	}
	if now, err := d.env.Kernel.Inode(d.dir); err != nil || binary.LittleEndian.Uint64(record[6:]) != now {
		return errors.Join(errors.New("it was another one"), err)
	}
	if _, err := d.ioctl(unix.WDIOC_GETTIMEOUT, 0); err != nil && err != unix.EOPNOTSUPP {
		return fmt.Errorf("it does not answer: %w", err)
	}
	if runs, err := d.running(); err != nil || !runs && d.state != nil {
		return errors.Join(errors.New("it does not run"), err)
	}
	d.timeout, d.expiring = time.Duration(binary.LittleEndian.Uint32(record[2:]))*time.Second, record[1] == isExpiring
	return nil
}

// goOn goes on where the process before ended. One that board.toml does not want any more is disarmed.
func (d *Watchdog) goOn(wanted bool) {
	d.inherited = false
	switch {
	case d.expiring:
		d.env.Log.Error("the watchdog is not pinged, as was decided before the restart: it resets the board", "watchdog", d.id, "timeout", d.timeout)
	case wanted:
		d.start(func(err error) { d.started(err) })
	default:
		d.end(func(err error) {
			if err != nil {
				d.env.Log.Error("cannot disarm a watchdog that board.toml does not name any more", "watchdog", d.id, "err", err)
			}
		})
	}
}

// leaveTime is how long after a call of Board.Safe an end of the process is taken for one for good: halberd-safe.service makes that call, and systemd then stops the daemon.
const leaveTime = time.Minute

// safe is hal.Class.Safe. A watchdog has no value that is safe: it is disarmed when the process ends now.
func (k *keeper) safe() (all []hal.SafeOutput) {
	for _, d := range k.watchdogs.All() {
		if d.armed && d.kept.Load() {
			all = append(all, hal.SafeOutput{Device: d, Bring: func() error {
				d.env.Loop.Post(d.leave)
				return nil
			}})
		}
	}
	return all
}

// leave expects that Halberd is being stopped for good.
func (d *Watchdog) leave() {
	d.left()
	d.leaving = d.env.Loop.After(leaveTime, func() { d.leaving = nil })
}

// left ends the waiting for that.
func (d *Watchdog) left() {
	if d.leaving != nil {
		d.leaving()
		d.leaving = nil
	}
}

// stays reports whether the watchdog is left armed for the next process.
func (d *Watchdog) stays() bool { return d.kept.Load() && d.leaving == nil }
