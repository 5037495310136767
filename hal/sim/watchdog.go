package sim

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Watchdog is a watchdog to add to the board. Its times are whole seconds, as the kernel has them.
type Watchdog struct {
	Under      string // its parent device, as OnPlatform; "" for that
	Identity   string // what the driver calls it; "" for Simulated Watchdog
	Timeout    int64  // that it has at first, in seconds; 0 for 60
	MaxTimeout int64  // in seconds; 0 for 65535, as softdog has it
	NoWayOut   bool   // once armed it cannot be stopped
	Pretimeout bool   // it can warn before
	Fixed      bool   // its timeout cannot be set, and it is pinged by writing alone
	Unknown    bool   // it does not know its timeout
	NoSysfs    bool   // the kernel is built without CONFIG_WATCHDOG_SYSFS
}

// watchdog follows drivers/watchdog/watchdog_dev.c and watchdog_core.h, for a driver such as softdog.c that leaves timing to the core.
type watchdog struct {
	kernel  *Kernel
	node    *node // its folder
	options uint32
	timeout int64
	pre     int64
	max     int64
	unknown bool

	noWayOut bool // WDOG_NO_WAY_OUT
	open     bool // _WDOG_DEV_OPEN
	release  bool // _WDOG_ALLOW_RELEASE: V was written last
	active   bool // WDOG_ACTIVE
	pinged   time.Duration
	resets   int
}

// AddWatchdog adds a watchdog and gives its name: watchdog0.
func (k *Kernel) AddWatchdog(w Watchdog) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	name := k.number("watchdog")
	n := k.newDevice(or(w.Under, OnPlatform), "/sys/class/watchdog", name, func() { k.AddWatchdog(w) })
	d := &watchdog{kernel: k, node: n, options: optionsOf(w), timeout: orSeconds(w.Timeout, 60), max: orSeconds(w.MaxTimeout, 65535), unknown: w.Unknown, noWayOut: w.NoWayOut}
	k.watchdogs[name] = d
	k.addNode(name, "/dev/"+name, func(int) (file, error) { return d.openFile() })
	if !w.NoSysfs {
		d.addAttributes(or(w.Identity, "Simulated Watchdog"))
	}
	k.appear(name)
	return name
}

func orSeconds(n, other int64) int64 {
	if n == 0 {
		return other
	}
	return n
}

func optionsOf(w Watchdog) uint32 {
	options := uint32(unix.WDIOF_MAGICCLOSE)
	if !w.Fixed {
		options |= unix.WDIOF_SETTIMEOUT | unix.WDIOF_KEEPALIVEPING
	}
	if w.Pretimeout {
		options |= unix.WDIOF_PRETIMEOUT
	}
	return options
}

func (d *watchdog) addAttributes(identity string) {
	number := func(value func() int64) *attribute {
		return &attribute{show: func() (string, error) { d.expire(); return fmt.Sprintln(value()), nil }}
	}
	d.node.add("identity", constant(identity))
	d.node.add("min_timeout", constant("1"))
	d.node.add("max_timeout", number(func() int64 { return d.max }))
	d.node.add("timeout", number(func() int64 { return d.timeout }))
	d.node.add("bootstatus", number(func() int64 {
		if d.resets > 0 {
			return unix.WDIOF_CARDRESET
		}
		return 0
	}))
	d.node.add("state", &attribute{show: func() (string, error) {
		if d.expire(); d.active {
			return "active\n", nil
		}
		return "inactive\n", nil
	}})
	d.node.add("nowayout", &attribute{d.showNoWayOut, d.setNoWayOut})
}

func (d *watchdog) showNoWayOut() (string, error) {
	if d.noWayOut {
		return "1\n", nil
	}
	return "0\n", nil
}

// setNoWayOut is nowayout_store: it cannot be taken back.
func (d *watchdog) setNoWayOut(text string) error {
	n, err := parseUint(text)
	switch {
	case err != nil:
		return err
	case n > 1:
		return unix.EINVAL
	case n == 0 && d.noWayOut:
		return unix.EPERM
	}
	d.noWayOut = n == 1
	return nil
}

// expire sees whether the time is over. What the reset does to a board is not simulated: it is counted, and the watchdog rests.
func (d *watchdog) expire() {
	d.kernel.release()
	if d.active && !d.node.gone && d.kernel.clock() >= d.pinged+time.Duration(d.timeout)*time.Second {
		d.active = false
		d.resets++
	}
}

// Resets is how often a watchdog has reset the board, by its name in /sys.
func (k *Kernel) Resets(name string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	d := k.watchdogs[name]
	d.expire()
	return d.resets
}

// openFile is watchdog_open: it opens once, and starts.
func (d *watchdog) openFile() (file, error) {
	d.expire()
	if d.open {
		return nil, unix.EBUSY
	}
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return nil, err
	}
	d.open = true
	d.start()
	return &watchdogFile{d, ends[0], ends[1]}, nil
}

// start is watchdog_start.
func (d *watchdog) start() { d.active, d.pinged = true, d.kernel.clock() }

// ping is watchdog_ping, which does nothing to one that is stopped.
func (d *watchdog) ping() {
	if d.expire(); d.active {
		d.pinged = d.kernel.clock()
	}
}

// stop is watchdog_stop.
func (d *watchdog) stop() error {
	if !d.active {
		return nil
	}
	if d.noWayOut {
		return unix.EBUSY
	}
	d.active = false
	return nil
}

// watchdogFile is an open /dev/watchdogN: a stream, without offsets.
type watchdogFile struct {
	*watchdog
	fd, signal int
}

func (f *watchdogFile) descriptor() int { return f.fd }
func (f *watchdogFile) isClosed() bool  { return !isRead(f.signal) }

func (f *watchdogFile) pread([]byte, int64) (int, error) { return 0, unix.EINVAL }
func (f *watchdogFile) pwrite([]byte) (int, error)       { return 0, unix.ESPIPE }

// write is watchdog_write: any byte pings, and a V allows the release until the next write.
func (f *watchdogFile) write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	f.release = strings.Contains(string(p), "V")
	if f.node.gone {
		return 0, unix.ENODEV
	}
	f.ping()
	return len(p), nil
}

// close is watchdog_release. One that does not stop is pinged once more and goes on.
func (f *watchdogFile) close() {
	_ = unix.Close(f.signal)
	f.expire()
	f.open = false
	if f.node.gone {
		return
	}
	if !f.release || f.stop() != nil {
		f.ping()
	}
	f.release = false
}

// ioctl is watchdog_ioctl. The argument of each of these requests is an int.
func (f *watchdogFile) ioctl(request uint, argument unsafe.Pointer) error {
	if f.node.gone {
		return unix.ENODEV
	}
	value := (*int32)(argument)
	switch request {
	case unix.WDIOC_SETOPTIONS:
		return f.setOptions(*value)
	case unix.WDIOC_KEEPALIVE:
		if f.options&unix.WDIOF_KEEPALIVEPING == 0 {
			return unix.EOPNOTSUPP
		}
		f.ping()
		return nil
	case unix.WDIOC_SETTIMEOUT:
		if err := f.setTimeout(int64(uint32(*value))); err != nil {
			return err
		}
		f.ping()
		return f.getTimeout(value)
	case unix.WDIOC_GETTIMEOUT:
		return f.getTimeout(value)
	case unix.WDIOC_SETPRETIMEOUT:
		return f.setPretimeout(int64(uint32(*value)))
	case unix.WDIOC_GETPRETIMEOUT:
		*value = int32(f.pre)
		return nil
	}
	return unix.ENOTTY
}

func (d *watchdog) setOptions(options int32) error {
	d.expire()
	if options&unix.WDIOS_DISABLECARD != 0 {
		if err := d.stop(); err != nil {
			return err
		}
	}
	if options&unix.WDIOS_ENABLECARD != 0 {
		d.start()
	}
	return nil
}

func (d *watchdog) getTimeout(value *int32) error {
	if d.unknown {
		return unix.EOPNOTSUPP
	}
	*value = int32(d.timeout)
	return nil
}

// setTimeout is watchdog_set_timeout. A warning that does not fit any more is turned off.
func (d *watchdog) setTimeout(seconds int64) error {
	switch {
	case d.options&unix.WDIOF_SETTIMEOUT == 0:
		return unix.EOPNOTSUPP
	case seconds < 1 || seconds > d.max || seconds > math.MaxUint32/1000:
		return unix.EINVAL
	}
	d.timeout = seconds
	if d.pre >= seconds {
		d.pre = 0
	}
	return nil
}

func (d *watchdog) setPretimeout(seconds int64) error {
	switch {
	case d.options&unix.WDIOF_PRETIMEOUT == 0:
		return unix.EOPNOTSUPP
	case seconds != 0 && seconds >= d.timeout:
		return unix.EINVAL
	}
	d.pre = seconds
	return nil
}
