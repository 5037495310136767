package sim

import (
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// wristwatch is the time of a board in a test.
type wristwatch struct{ now time.Duration }

func (w *wristwatch) time() time.Duration { return w.now }

// dog is a board with one watchdog of 60 s, and its time.
func dog(w Watchdog) (*Kernel, *wristwatch) {
	k, watch := New(Options{Bare: true}), &wristwatch{}
	k.AddWatchdog(w)
	k.SetClock(watch.time)
	return k, watch
}

const sysDog = "/sys/class/watchdog/watchdog0/"

func openDog(t *testing.T, k *Kernel) int {
	t.Helper()
	fd, err := k.Open("/dev/watchdog0", unix.O_WRONLY)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

// TestWatchdogCloses: what becomes of a watchdog whose device is closed, a minute and two later.
func TestWatchdogCloses(t *testing.T) {
	for _, c := range []struct {
		name   string
		dog    Watchdog
		last   string // what is written before
		state  string
		resets int
	}{
		{"with a V", Watchdog{}, "V", "inactive", 0},
		{"with a V among others", Watchdog{}, "aVb", "inactive", 0},
		{"without one", Watchdog{}, "", "active", 1},
		{"with a ping", Watchdog{}, "\x00", "active", 1},
		{"with a V and no way out", Watchdog{NoWayOut: true}, "V", "active", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, watch := dog(c.dog)
			fd := openDog(t, k)
			if _, err := k.Open("/dev/watchdog0", unix.O_WRONLY); err != unix.EBUSY {
				t.Errorf("opened twice: got %v, want EBUSY", err)
			}
			if c.last != "" {
				if n, err := k.Write(fd, []byte(c.last)); n != len(c.last) || err != nil {
					t.Errorf("writing: got %d, %v", n, err)
				}
			}
			watch.now = 59 * time.Second
			if err := k.Close(fd); err != nil {
				t.Fatal(err)
			}
			watch.now = 118 * time.Second // one that is not stopped is pinged once more
			if got, err := read(k, sysDog+"state"); got != c.state || err != nil || k.Resets("watchdog0") != 0 {
				t.Errorf("got %s, %v, %d resets, want %s, 0", got, err, k.Resets("watchdog0"), c.state)
			}
			watch.now = 120 * time.Second
			if got, _ := read(k, sysDog+"state"); got != "inactive" || k.Resets("watchdog0") != c.resets {
				t.Errorf("later: got %s, %d resets, want inactive, %d", got, k.Resets("watchdog0"), c.resets)
			}
			if fd, err := k.Open("/dev/watchdog0", unix.O_WRONLY); err != nil || k.Close(fd) != nil {
				t.Errorf("opened again: %v", err)
			}
		})
	}
}

// TestWatchdogRequests: what the kernel answers, in order, on one open device.
func TestWatchdogRequests(t *testing.T) {
	for _, c := range []struct {
		name    string
		dog     Watchdog
		request uint
		value   int32
		want    int32
		err     error
	}{
		{"timeout", Watchdog{}, unix.WDIOC_GETTIMEOUT, 0, 60, nil},
		{"unknown timeout", Watchdog{Unknown: true}, unix.WDIOC_GETTIMEOUT, 0, 0, unix.EOPNOTSUPP},
		{"set timeout", Watchdog{}, unix.WDIOC_SETTIMEOUT, 30, 30, nil},
		{"set timeout of nothing", Watchdog{}, unix.WDIOC_SETTIMEOUT, 0, 0, unix.EINVAL},
		{"set timeout too long", Watchdog{MaxTimeout: 20}, unix.WDIOC_SETTIMEOUT, 21, 21, unix.EINVAL},
		{"set fixed timeout", Watchdog{Fixed: true}, unix.WDIOC_SETTIMEOUT, 30, 30, unix.EOPNOTSUPP},
		{"ping", Watchdog{}, unix.WDIOC_KEEPALIVE, 0, 0, nil},
		{"ping of one that is written to", Watchdog{Fixed: true}, unix.WDIOC_KEEPALIVE, 0, 0, unix.EOPNOTSUPP},
		{"warning", Watchdog{Pretimeout: true}, unix.WDIOC_SETPRETIMEOUT, 10, 10, nil},
		{"warning too early", Watchdog{Pretimeout: true}, unix.WDIOC_SETPRETIMEOUT, 60, 60, unix.EINVAL},
		{"warning that it has not", Watchdog{}, unix.WDIOC_SETPRETIMEOUT, 10, 10, unix.EOPNOTSUPP},
		{"stop", Watchdog{}, unix.WDIOC_SETOPTIONS, unix.WDIOS_DISABLECARD, unix.WDIOS_DISABLECARD, nil},
		{"stop without a way out", Watchdog{NoWayOut: true}, unix.WDIOC_SETOPTIONS, unix.WDIOS_DISABLECARD, unix.WDIOS_DISABLECARD, unix.EBUSY},
		{"unheard of", Watchdog{}, unix.RTC_RD_TIME, 0, 0, unix.ENOTTY},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, _ := dog(c.dog)
			fd := openDog(t, k)
			value := c.value
			if err := k.Ioctl(fd, c.request, unsafe.Pointer(&value)); err != c.err || value != c.want {
				t.Errorf("got %d, %v, want %d, %v", value, err, c.want, c.err)
			}
			if _, err := k.Pwrite(fd, []byte("V"), 0); err != unix.ESPIPE {
				t.Errorf("writing at an offset: got %v, want ESPIPE", err)
			}
			k.Unplug("watchdog0")
			if err := k.Ioctl(fd, c.request, unsafe.Pointer(&value)); err != unix.ENODEV {
				t.Errorf("unplugged: got %v, want ENODEV", err)
			}
			if _, err := k.Write(fd, []byte("V")); err != unix.ENODEV {
				t.Errorf("writing to what is unplugged: got %v, want ENODEV", err)
			}
			if err := k.Close(fd); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestWatchdogBites: it resets the board when its time is over, once, and says so afterwards; opening and pinging begin the time anew.
func TestWatchdogBites(t *testing.T) {
	k, watch := dog(Watchdog{})
	watch.now = time.Hour
	fd := openDog(t, k)
	defer k.Close(fd)
	for range 3 {
		watch.now += 59 * time.Second
		if _, err := k.Write(fd, []byte{0}); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := read(k, sysDog+"bootstatus"); got != "0" || k.Resets("watchdog0") != 0 {
		t.Errorf("pinged in time: bootstatus %s, %d resets, want 0, 0", got, k.Resets("watchdog0"))
	}
	watch.now += 60 * time.Second
	if got, _ := read(k, sysDog+"bootstatus"); got != "32" || k.Resets("watchdog0") != 1 {
		t.Errorf("not pinged: bootstatus %s, %d resets, want 32, 1", got, k.Resets("watchdog0"))
	}
	watch.now += time.Hour
	if _, err := k.Write(fd, []byte{0}); err != nil || k.Resets("watchdog0") != 1 {
		t.Errorf("later: %v, %d resets, want 1", err, k.Resets("watchdog0"))
	}
}

func TestNoWayOutStays(t *testing.T) {
	k, _ := dog(Watchdog{})
	for _, c := range []struct {
		text string
		want error
		now  string
	}{{"0", nil, "0"}, {"2", unix.EINVAL, "0"}, {"x", unix.EINVAL, "0"}, {"1\n", nil, "1"}, {"1", nil, "1"}, {"0", unix.EPERM, "1"}} {
		err := write(k, sysDog+"nowayout", c.text)
		if now, _ := read(k, sysDog+"nowayout"); err != c.want || now != c.now {
			t.Errorf("writing %q: got %v and %s, want %v and %s", c.text, err, now, c.want, c.now)
		}
	}
}
