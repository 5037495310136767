// Package rtc is the class Rtc: the real-time clocks of /sys/class/rtc, and a queue of wakes over the one alarm of one of them.
//
// A clock is read, and its alarm set, by attributes of /sys, which are kept open. The device /dev/rtcN opens once, so that whoever keeps it open keeps hwclock and others out: it is opened for
// the moment in which the clock is set, and no longer. Clocks count whole seconds, and are taken to run in UTC, as Linux wants them.
//
// The alarm of a clock wakes the board from its sleep, or turns it on. The kernel has an attribute for it only where the clock can do that, and does not tell when it has come; so the queue looks
// at the clock when the first wake is due, and every half a minute, since the loop's timers stand still while the board sleeps.
//
// It needs Linux 2.6.25 or newer; the range of a clock is known from 4.18 on.
//
// Source: Linux Documentation/admin-guide/rtc.rst and ABI/testing/sysfs-class-rtc. No library is used: an alarm is two attributes and one ioctl.
package rtc

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

const (
	class  = "Rtc"
	folder = "/sys/class/rtc"
)

const (
	second   = 1_000_000    // in µs
	lastEver = 253402300799 // the end of the year 9999, in s since 1970
)

// Clock is one real-time clock.
type Clock struct {
	id, bus, dir string
	name         string // the kernel's
	env          *hal.Env
	queue        *queue
	carries      bool  // the wakes, says board.toml
	first, last  int64 // what it can show, in s since 1970
	wakes        bool  // its alarm can wake the board

	guard hal.Guard // of what follows
	epoch *sysfs.Attribute
	alarm *sysfs.Attribute // nil where it cannot
	armed int64            // the alarm that is Halberd's, in s since 1970; 0 for none
}

// ID is the name in board.toml, else the kernel's.
func (d *Clock) ID() string { return d.id }

// Bus names the bus that the clock hangs on, where that may be slow.
func (d *Clock) Bus() string { return d.bus }

// Declaration is the clock's table in board.toml.
func (d *Clock) Declaration() string {
	return hal.Declaration("rtc", d.id, hal.TextKey("name", d.name))
}

// open opens a clock.
func open(q *queue, id string, p sysfs.Place, e *hal.Entry) (*Clock, error) {
	dir, err := sysfs.Resolve(q.env.Kernel, p.Path)
	if err != nil {
		return nil, err
	}
	d := &Clock{id: id, name: p.Name, dir: dir, bus: sysfs.Bus(q.env.Kernel, dir), env: q.env, queue: q}
	err = d.openAttributes()
	if err == nil && e != nil {
		d.carries = e.Value.(*entry).Wakes.Value
		err = d.suits(e)
	}
	if err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

func (d *Clock) openAttributes() (err error) {
	k := d.env.Kernel
	text, err := sysfs.Read(k, d.dir+"/range")
	if err != nil && !sysfs.Missing(err) {
		return err
	}
	d.first, d.last = parseRange(text)
	if d.epoch, err = sysfs.Open(k, d.dir+"/since_epoch", unix.O_RDONLY); err != nil {
		return err
	}
	d.alarm, err = sysfs.Open(k, d.dir+"/wakealarm", unix.O_RDWR)
	if err != nil && !sysfs.Missing(err) {
		return err
	}
	d.wakes = d.alarm != nil
	return nil
}

// parseRange reads "[0,4294967295]". What is not there, or does not fit, is as wide as can be.
func parseRange(text string) (first, last int64) {
	from, to, _ := strings.Cut(strings.Trim(text, "[]"), ",")
	first, _ = strconv.ParseInt(from, 10, 64)
	end, err := strconv.ParseUint(to, 10, 64)
	if err != nil || end > lastEver {
		end = lastEver
	}
	return max(first, 0), int64(end)
}

// Start has the queue look whether this is the clock that it was waiting for.
func (d *Clock) Start(bool) { d.env.Loop.Post(d.queue.look) }

// Unplug lets go of a clock that is gone. Another one may carry the wakes now.
func (d *Clock) Unplug() {
	d.Close()
	d.env.Loop.Post(d.queue.look)
}

// Close lets go of the clock. Its alarm stays set, and wakes the board whatever becomes of Halberd.
func (d *Clock) Close() {
	d.guard.Close(d.bus, func() {
		d.epoch.Close()
		d.alarm.Close()
	})
}

// now reads the clock. One that was without power has no time until it is set.
func (d *Clock) now() (int64, error) {
	n, err := d.epoch.ReadInt()
	if errors.Is(err, unix.EINVAL) {
		return 0, &hal.NotSupported{Feature: "time"}
	}
	return n, err
}

// alarmSet reads which alarm is set, whoever's it is; 0 for none.
func (d *Clock) alarmSet() (int64, error) {
	if d.alarm == nil {
		return 0, nil
	}
	text, err := d.alarm.ReadText()
	if err != nil || text == "" {
		return 0, err
	}
	return strconv.ParseInt(text, 10, 64)
}

// openDevice opens the device of the clock. One that has come under its name is another one: the attributes that are kept open tell.
func (d *Clock) openDevice() (fd int, err error) {
	if _, err := d.epoch.ReadInt(); err != nil && !errors.Is(err, unix.EINVAL) {
		return -1, err
	}
	fd, err = d.env.Kernel.Open("/dev/"+d.name, unix.O_RDONLY)
	if err == unix.ENOENT {
		err = unix.ENODEV
	}
	return fd, err
}

// setTime sets the clock. The device is opened for this alone.
func (d *Clock) setTime(seconds int64) error {
	fd, err := d.openDevice()
	if err != nil {
		return err
	}
	defer func() { _ = d.env.Kernel.Close(fd) }()
	t := rtcTime(seconds)
	err = d.env.Kernel.Ioctl(fd, unix.RTC_SET_TIME, unsafe.Pointer(&t))
	switch err {
	case unix.EACCES, unix.EPERM:
		return &hal.NotSupported{Feature: "set"} // what the kernel answers without CAP_SYS_TIME
	case unix.ERANGE:
		return d.outOfRange("timeUSec", d.first)
	}
	return err
}

// outOfRange refuses a time before the first second that is possible, or after the clock's last one.
func (d *Clock) outOfRange(parameter string, first int64) error {
	return &hal.OutOfRange{Parameter: parameter, Minimum: first * second, Maximum: d.last * second}
}

// rtcTime is what the kernel calls a time.
func rtcTime(seconds int64) unix.RTCTime {
	t := time.Unix(seconds, 0).UTC()
	return unix.RTCTime{Sec: int32(t.Second()), Min: int32(t.Minute()), Hour: int32(t.Hour()), Mday: int32(t.Day()), Mon: int32(t.Month()) - 1,
		Year: int32(t.Year()) - 1900, Wday: int32(t.Weekday()), Yday: int32(t.YearDay()) - 1}
}

// ordinal is the number in the kernel's name for a clock.
func (d *Clock) ordinal() int {
	n, err := strconv.Atoi(strings.TrimPrefix(d.name, "rtc"))
	if err != nil {
		return math.MaxInt
	}
	return n
}
