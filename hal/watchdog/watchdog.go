// Package watchdog is the class Watchdog: many apps behind one hardware watchdog of /sys/class/watchdog and /dev/watchdogN.
//
// A hardware watchdog resets the board unless it is pinged in time, and one process alone can have it open. Halberd opens it when it is armed, and pings it only while every app that
// registered pings Halberd in time. The kernel counts in seconds; Halberd pings four times in each timeout that the kernel says it has.
//
// Where a service manager keeps descriptors, an armed watchdog outlives the process: see kept.go.
//
// What the kernel does is this: opening arms; closing leaves it armed, unless a V was written just before and the driver is not built, or told, to know no way out. So nothing here opens a
// watchdog but Arm, board.toml, and the need to take over one that a daemon before this one left running.
//
// It needs Linux 4.5 or newer, and with attributes in /sys (CONFIG_WATCHDOG_SYSFS) it knows more: see Watchdog.running and Watchdog.noWayOut.
//
// Source: Linux Documentation/watchdog/watchdog-api.rst, watchdog-parameters.rst and ABI/testing/sysfs-class-watchdog. No library is used: those that are kept open the device by a path of
// their own, past hal.Kernel, and wrap no more than the ioctls below.
package watchdog

import (
	"errors"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

const (
	class  = "Watchdog"
	folder = "/sys/class/watchdog"
)

// Watchdog is one hardware watchdog.
type Watchdog struct {
	id, bus, dir string
	name         string // the kernel's
	env          *hal.Env
	keeper       *keeper
	board        entry // what board.toml says
	declared     bool  // in board.toml
	causedReset  hal.Opt[bool]

	kept atomic.Bool // the device stays open when this process ends

	guard    hal.Guard // of what follows
	fd       int       // -1 where it is not open, and so not armed by Halberd
	nowayout *sysfs.Attribute
	state    *sysfs.Attribute // these two are nil where the kernel does not have them

	// These are the loop's.
	timeout  time.Duration // the hardware's
	armed    bool
	expiring bool   // nobody pings it any more
	failing  bool   // the last ping did not work
	stop     func() // the timer of the next ping; nil where there is none
	closed   bool

	inherited bool   // the process before left it armed
	leaving   func() // stops the timer of leave; nil where Halberd is not being stopped for good
}

// ID is the name in board.toml, else the kernel's.
func (d *Watchdog) ID() string { return d.id }

// Bus names the bus that the watchdog hangs on, where that may be slow.
func (d *Watchdog) Bus() string { return d.bus }

// Declaration is the watchdog's table in board.toml.
func (d *Watchdog) Declaration() string {
	return hal.Declaration("watchdog", d.id, hal.TextKey("name", d.name))
}

// open opens a watchdog's attributes. The device itself stays closed.
func open(k *keeper, id string, p sysfs.Place, e *hal.Entry) (*Watchdog, error) {
	dir, err := sysfs.Resolve(k.env.Kernel, p.Path)
	if err != nil {
		return nil, err
	}
	d := &Watchdog{id: id, name: p.Name, dir: dir, bus: sysfs.Bus(k.env.Kernel, dir), env: k.env, keeper: k, fd: -1}
	if e != nil {
		d.board, d.declared = *e.Value.(*entry), true
		err = d.suits(e)
	}
	if err == nil {
		err = d.openAttributes()
	}
	if err == nil {
		d.inherit()
	}
	if err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

func (d *Watchdog) openAttributes() (err error) {
	status, there, err := d.number("bootstatus")
	if err != nil {
		return err
	}
	d.causedReset = hal.Opt[bool]{Value: status&unix.WDIOF_CARDRESET != 0, Set: there}
	if d.nowayout, err = sysfs.Open(d.env.Kernel, d.dir+"/nowayout", unix.O_RDONLY); err != nil && !sysfs.Missing(err) {
		return err
	}
	if d.state, err = sysfs.Open(d.env.Kernel, d.dir+"/state", unix.O_RDONLY); err != nil && !sysfs.Missing(err) {
		return err
	}
	return nil
}

// number reads an attribute that is not kept, where the kernel has it.
func (d *Watchdog) number(attribute string) (n int64, there bool, err error) {
	n, err = sysfs.ReadInt(d.env.Kernel, d.dir+"/"+attribute)
	if sysfs.Missing(err) {
		return 0, false, nil
	}
	return n, err == nil, err
}

// Start has the keeper look whether the watchdog is to be armed. What it does to the hardware it does on the worker of its bus.
func (d *Watchdog) Start(bool) { d.env.Loop.Post(func() { d.keeper.consider(d) }) }

// Unplug lets go of a watchdog that is gone.
func (d *Watchdog) Unplug() {
	if d.armed {
		d.env.Log.Error("the watchdog is gone while it is armed: nothing resets this board any more", "watchdog", d.id)
	}
	d.forget()
	d.Close()
}

// Close lets go of the watchdog. One that is armed stays so where a service manager keeps it open for the next daemon, unless Halberd is being stopped for good. Otherwise it is disarmed, whether apps are
// registered or not, since Halberd may end to be replaced by a newer one, and the apps are not to blame for that. One that is to reset the board is left to do that. One that cannot be disarmed
// runs on, and resets the board unless the next daemon takes it over in time; its last ping is the kernel's, at closing.
func (d *Watchdog) Close() {
	d.closed = true
	d.rest()
	expiring, stays := d.expiring, d.stays()
	d.left()
	d.guard.Close(d.bus, func() {
		switch {
		case d.fd < 0 || expiring:
		case stays:
			_ = d.ping() // all of its time is the next process's
		default:
			d.letGo()
		}
		d.shut()
		d.nowayout.Close()
		d.state.Close()
	})
}

// letGo disarms at the end.
func (d *Watchdog) letGo() {
	if err := d.disarm(); err != nil && !errors.Is(err, unix.ENODEV) {
		d.env.Log.Warn("cannot disarm the watchdog: it resets the board unless Halberd is back in time", "watchdog", d.id, "timeout", d.timeout, "err", err)
	}
}

// shut closes the device, where it is open.
func (d *Watchdog) shut() {
	if d.fd >= 0 {
		_ = d.env.Kernel.Close(d.fd)
		d.fd = -1
	}
}

// running reports whether the kernel says that the watchdog is armed, by whomever.
func (d *Watchdog) running() (bool, error) {
	if d.state == nil {
		return false, nil
	}
	return d.state.Begins("active")
}

// noWayOut reports whether the kernel says that the watchdog can never be disarmed.
func (d *Watchdog) noWayOut() (bool, error) {
	if d.nowayout == nil {
		return false, nil
	}
	n, err := d.nowayout.ReadInt()
	return n != 0, err
}

// ioctl makes a request whose argument is an int, and gives what it is afterwards.
func (d *Watchdog) ioctl(request uint, value int32) (int32, error) {
	err := d.env.Kernel.Ioctl(d.fd, request, unsafe.Pointer(&value))
	return value, err
}

// unknown is the timeout where the kernel does not know it: that of the shortest that there is.
const unknown = time.Second

// arm opens the device, which arms it, sets what board.toml asks for, pings, and gives the timeout. Once the device is open it stays so, whatever else fails: what is armed has to be pinged.
func (d *Watchdog) arm() (timeout time.Duration, err error) {
	if d.fd < 0 {
		if err := d.openDevice(); err != nil {
			return 0, err
		}
	}
	err = d.configure()
	timeout, unread := d.readTimeout()
	err = errors.Join(err, unread, d.ping())
	d.keep(timeout)
	return timeout, err
}

// openDevice opens the device. One that has come under its name is another one: the attribute that is kept open tells.
func (d *Watchdog) openDevice() error {
	if _, err := d.running(); err != nil {
		return err
	}
	fd, err := d.env.Kernel.Open("/dev/"+d.name, unix.O_WRONLY)
	switch err {
	case nil:
		d.fd = fd
	case unix.ENOENT:
		err = unix.ENODEV
	}
	return err
}

// configure sets the times of board.toml. A driver that cannot have them keeps its own, and the log says so.
func (d *Watchdog) configure() error {
	for _, c := range []struct {
		what    string
		request uint
		msec    hal.Opt[int64]
	}{{"timeout", unix.WDIOC_SETTIMEOUT, d.board.Timeout}, {"pretimeout", unix.WDIOC_SETPRETIMEOUT, d.board.Pretimeout}} {
		if !c.msec.Set {
			continue
		}
		_, err := d.ioctl(c.request, int32(c.msec.Value/1000))
		if err == unix.EOPNOTSUPP || err == unix.EINVAL {
			d.env.Log.Warn("the watchdog does not take what board.toml asks for", "watchdog", d.id, c.what, c.msec.Value, "err", err)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// readTimeout gives the timeout that the hardware has.
func (d *Watchdog) readTimeout() (time.Duration, error) {
	seconds, err := d.ioctl(unix.WDIOC_GETTIMEOUT, 0)
	if err == unix.EOPNOTSUPP {
		return unknown, nil
	}
	if err != nil || seconds < 1 {
		return unknown, err
	}
	return time.Duration(seconds) * time.Second, nil
}

// ping begins the timeout anew. A driver without the request for it is written to.
func (d *Watchdog) ping() error {
	if d.fd < 0 {
		return nil
	}
	_, err := d.ioctl(unix.WDIOC_KEEPALIVE, 0)
	if err == unix.EOPNOTSUPP {
		_, err = d.env.Kernel.Write(d.fd, []byte{0})
	}
	return err
}

// disarm stops the hardware and closes the device. Where the stopping fails, it is as it was. The V says to the kernel, and to drivers older than its common code, that the closing is meant.
func (d *Watchdog) disarm() error {
	if d.fd < 0 {
		return nil
	}
	never, err := d.noWayOut()
	if err != nil {
		return err
	}
	if never {
		return &hal.NotSupported{Feature: "disarm"}
	}
	_, err = d.ioctl(unix.WDIOC_SETOPTIONS, unix.WDIOS_DISABLECARD)
	if err == unix.EBUSY && d.nowayout == nil {
		return &hal.NotSupported{Feature: "disarm"} // what the kernel answers where there is no way out
	}
	if err != nil {
		return err
	}
	_, _ = d.env.Kernel.Write(d.fd, []byte{'V'}) // it is stopped, whatever this says
	d.forget()
	d.shut()
	return nil
}
