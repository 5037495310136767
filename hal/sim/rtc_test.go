package sim

import (
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	sysClock = "/sys/class/rtc/rtc0/"
	newYear  = 1767225600 // 2026
)

func clock(r RTC) (*Kernel, *wristwatch) {
	k, watch := New(Options{Bare: true}), &wristwatch{}
	k.AddRTC(r)
	k.SetClock(watch.time)
	return k, watch
}

// TestRTCAlarm: the texts that wakealarm takes, and what it shows then. An alarm at newYear+100 is set before where it says so.
func TestRTCAlarm(t *testing.T) {
	for _, c := range []struct {
		name, before, text string
		err                error
		shows              string
	}{
		{"a time", "", "1767225610", nil, "1767225610"},
		{"seconds from now", "", "+20\n", nil, "1767225620"},
		{"over another one", "1767225700", "1767225610", unix.EBUSY, "1767225700"},
		{"later than another one", "1767225700", "+=10", nil, "1767225710"},
		{"later than none", "", "+=10", unix.EINVAL, ""},
		{"none", "1767225700", "0", nil, ""},
		{"this second", "1767225700", "1767225600", nil, ""},
		{"beyond what it can show", "", "4294967296", unix.ERANGE, ""},
		{"no number", "", "tomorrow", unix.EINVAL, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, _ := clock(RTC{})
			if c.before != "" {
				if err := write(k, sysClock+"wakealarm", c.before); err != nil {
					t.Fatal(err)
				}
			}
			if err := write(k, sysClock+"wakealarm", c.text); err != c.err {
				t.Errorf("got %v, want %v", err, c.err)
			}
			if got, err := read(k, sysClock+"wakealarm"); got != c.shows || err != nil {
				t.Errorf("then %q, %v, want %q", got, err, c.shows)
			}
		})
	}
}

// TestRTCTime: it goes with the board's time, and the alarm comes once.
func TestRTCTime(t *testing.T) {
	k, watch := clock(RTC{})
	if err := write(k, sysClock+"wakealarm", "1767225610"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at           time.Duration
		epoch, alarm string
		alarms       int
	}{{0, "1767225600", "1767225610", 0}, {9999 * time.Millisecond, "1767225609", "1767225610", 0}, {10 * time.Second, "1767225610", "", 1}, {time.Hour, "1767229200", "", 1}} {
		watch.now = c.at
		epoch, _ := read(k, sysClock+"since_epoch")
		alarm, _ := read(k, sysClock+"wakealarm")
		if n := k.Alarms("rtc0"); epoch != c.epoch || alarm != c.alarm || n != c.alarms {
			t.Errorf("after %v: got %s, %q, %d alarms, want %s, %q, %d", c.at, epoch, alarm, n, c.epoch, c.alarm, c.alarms)
		}
	}
}

// TestRTCSet: times that a clock takes and that it does not, and what it shows then.
func TestRTCSet(t *testing.T) {
	at := rtcTime(newYear + 12345)
	wrong, old, far := at, at, rtcTime(1<<32)
	wrong.Mon, old.Year = 12, 69
	for _, c := range []struct {
		name   string
		time   unix.RTCTime
		err    error
		shows  string
		alarms int
	}{
		{"another time", at, nil, "1767237945", 1},
		{"no month", wrong, unix.EINVAL, "1767225600", 0},
		{"before 1970", old, unix.EINVAL, "1767225600", 0},
		{"beyond what it can show", far, unix.ERANGE, "1767225600", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, _ := clock(RTC{})
			if err := write(k, sysClock+"wakealarm", "+100"); err != nil {
				t.Fatal(err)
			}
			fd, err := k.Open("/dev/rtc0", unix.O_RDONLY)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := k.Open("/dev/rtc0", unix.O_RDONLY); err != unix.EBUSY {
				t.Errorf("opened twice: got %v, want EBUSY", err)
			}
			if err := k.Ioctl(fd, unix.RTC_SET_TIME, unsafe.Pointer(&c.time)); err != c.err {
				t.Errorf("got %v, want %v", err, c.err)
			}
			if got, _ := read(k, sysClock+"since_epoch"); got != c.shows || k.Alarms("rtc0") != c.alarms {
				t.Errorf("it shows %s, and %d alarms came, want %s and %d", got, k.Alarms("rtc0"), c.shows, c.alarms)
			}
			var now unix.RTCTime
			if err := k.Ioctl(fd, unix.RTC_RD_TIME, unsafe.Pointer(&now)); err != nil || c.err == nil && now != c.time {
				t.Errorf("reading: got %v, %v, want %v", now, err, c.time)
			}
			if err := k.Close(fd); err != nil || k.Opened() != 0 {
				t.Errorf("closing: %v, %d left", err, k.Opened())
			}
		})
	}
}

// TestRTCInvalid: a clock that was without power has no time, and so no alarm, until it is set.
func TestRTCInvalid(t *testing.T) {
	k, _ := clock(RTC{Invalid: true})
	if _, err := read(k, sysClock+"since_epoch"); err != unix.EINVAL {
		t.Errorf("got %v, want EINVAL", err)
	}
	if err := write(k, sysClock+"wakealarm", "+10"); err != unix.EINVAL {
		t.Errorf("an alarm: got %v, want EINVAL", err)
	}
	fd, err := k.Open("/dev/rtc0", unix.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close(fd)
	at := rtcTime(newYear)
	if err := k.Ioctl(fd, unix.RTC_SET_TIME, unsafe.Pointer(&at)); err != nil {
		t.Fatal(err)
	}
	if got, err := read(k, sysClock+"since_epoch"); got != "1767225600" || err != nil {
		t.Errorf("set: got %s, %v", got, err)
	}
}
