package sim

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// RTC is a real-time clock to add to the board, with one alarm.
type RTC struct {
	Under   string    // its parent device, as OnPlatform; "" for that
	Start   time.Time // what it shows when it is added; the zero value for the beginning of 2026
	Last    int64     // the last second that it can show; 0 for 4294967295, as the PL031 has it
	NoAlarm bool      // it cannot wake the board
	Invalid bool      // it was without power, and has no time until it is set
}

// rtc follows drivers/rtc: class.c, interface.c, dev.c and sysfs.c.
type rtc struct {
	kernel  *Kernel
	node    *node // its folder
	start   time.Duration
	last    int64
	invalid bool
	open    bool  // RTC_DEV_BUSY
	enabled bool  // the alarm is
	alarm   int64 // in seconds since 1970
	alarms  int
}

// AddRTC adds a real-time clock and gives its name: rtc0.
func (k *Kernel) AddRTC(r RTC) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	name := k.number("rtc")
	n := k.newDevice(or(r.Under, OnPlatform), "/sys/class/rtc", name, func() { k.AddRTC(r) })
	d := &rtc{kernel: k, node: n, last: orSeconds(r.Last, 1<<32-1), invalid: r.Invalid}
	if r.Start.IsZero() {
		r.Start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	d.start = time.Duration(r.Start.UnixNano()) - k.clock()
	k.rtcs[name] = d
	k.addNode(name, "/dev/"+name, func(int) (file, error) { return d.openFile() })
	n.add("name", constant("rtc-simulated "+name))
	n.add("since_epoch", &attribute{show: d.showTime})
	n.add("range", constant(fmt.Sprintf("[0,%d]", d.last)))
	if !r.NoAlarm {
		n.add("wakealarm", &attribute{d.showAlarm, d.storeAlarm})
	}
	k.appear(name)
	return name
}

// now is rtc_read_time, and sees whether the alarm has come.
func (d *rtc) now() (int64, error) {
	if d.invalid {
		return 0, unix.EINVAL
	}
	now := int64((d.start + d.kernel.clock()) / time.Second)
	if d.enabled && now >= d.alarm {
		d.enabled = false
		d.alarms++
	}
	return now, nil
}

func (d *rtc) showTime() (string, error) {
	now, err := d.now()
	return fmt.Sprintln(now), err
}

// showAlarm is wakealarm_show: nothing at all where no alarm is set.
func (d *rtc) showAlarm() (string, error) {
	if _, _ = d.now(); d.enabled {
		return fmt.Sprintln(d.alarm), nil
	}
	return "", nil
}

// storeAlarm is wakealarm_store: one that is set is not replaced, and a time that has passed turns it off.
func (d *rtc) storeAlarm(text string) error {
	now, err := d.now()
	if err != nil {
		return err
	}
	text, push := strings.CutPrefix(text, "+=")
	text, adjust := strings.CutPrefix(text, "+")
	at, err := strconv.ParseInt(strings.TrimSuffix(text, "\n"), 0, 64)
	if err != nil {
		return unix.EINVAL
	}
	if adjust {
		at += now
	}
	switch {
	case at <= now && !push:
		d.enabled = false
		return nil
	case d.enabled && !push:
		return unix.EBUSY
	case !d.enabled && push:
		return unix.EINVAL
	case push:
		at += d.alarm
	}
	return d.setAlarm(at, true)
}

// setAlarm is rtc_set_alarm.
func (d *rtc) setAlarm(at int64, enabled bool) error {
	if at < 0 || at > d.last {
		return unix.ERANGE
	}
	d.alarm, d.enabled = at, enabled
	return nil
}

// Alarms is how often the alarm of a clock has come, by its name in /sys.
func (k *Kernel) Alarms(name string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	d := k.rtcs[name]
	_, _ = d.now()
	return d.alarms
}

// openFile is rtc_dev_open: it opens once.
func (d *rtc) openFile() (file, error) {
	if d.open {
		return nil, unix.EBUSY
	}
	d.open = true
	return rtcFile{d}, nil
}

// rtcFile is an open /dev/rtcN. Nothing comes to be read from it.
type rtcFile struct{ *rtc }

func (f rtcFile) pread([]byte, int64) (int, error) { return 0, unix.EAGAIN }
func (f rtcFile) pwrite([]byte) (int, error)       { return 0, unix.EINVAL }
func (f rtcFile) close()                           { f.open = false }

// ioctl is rtc_dev_ioctl.
func (f rtcFile) ioctl(request uint, argument unsafe.Pointer) error {
	if f.node.gone {
		return unix.ENODEV
	}
	switch request {
	case unix.RTC_RD_TIME:
		now, err := f.now()
		if err == nil {
			*(*unix.RTCTime)(argument) = rtcTime(now)
		}
		return err
	case unix.RTC_SET_TIME:
		return f.setTime((*unix.RTCTime)(argument))
	}
	return unix.ENOTTY
}

// setTime is rtc_set_time. An alarm stays at its time, and comes if that is over by now.
func (d *rtc) setTime(t *unix.RTCTime) error {
	at := time.Date(int(t.Year)+1900, time.Month(t.Mon+1), int(t.Mday), int(t.Hour), int(t.Min), int(t.Sec), 0, time.UTC).Unix()
	switch given := rtcTime(at); {
	case given.Year != t.Year || given.Mon != t.Mon || given.Mday != t.Mday || given.Hour != t.Hour || given.Min != t.Min || given.Sec != t.Sec || t.Year < 70:
		return unix.EINVAL
	case at > d.last:
		return unix.ERANGE
	}
	_, _ = d.now()
	d.invalid = false
	d.start = time.Duration(at)*time.Second - d.kernel.clock()
	_, _ = d.now()
	return nil
}

func rtcTime(seconds int64) unix.RTCTime {
	t := time.Unix(seconds, 0).UTC()
	return unix.RTCTime{Sec: int32(t.Second()), Min: int32(t.Minute()), Hour: int32(t.Hour()), Mday: int32(t.Day()), Mon: int32(t.Month()) - 1, Year: int32(t.Year()) - 1900,
		Wday: int32(t.Weekday()), Yday: int32(t.YearDay()) - 1}
}
