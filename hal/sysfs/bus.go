package sysfs

import (
	"path"
	"strings"

	"github.com/halberd-io/halberd/hal"
)

// quick are the subsystems whose devices do not make a call wait: memory-mapped ones, and the classes that only name a function of their parent.
// It is a list of what is allowed, so that a bus that nobody thought of gets a worker.
var quick = map[string]bool{
	"platform": true, "amba": true, "pci": true, "pci_express": true, "soc": true,
	"gpio": true, "hwmon": true, "iio": true, "leds": true, "rtc": true, "thermal": true, "watchdog": true,
}

// Bus names the bus whose worker has to run the calls of a device, given its resolved path below /sys/devices: the topmost ancestor (i2c-1, spi0, usb1,
// w1_bus_master1, …) that is not memory-mapped. It is "" for a device whose whole ancestry is platform, AMBA, PCI or software.
//
// A thermal zone is software, but its driver may ask a sensor on any bus, and /sys does not tell: each zone has a worker of its own.
func Bus(k hal.Kernel, resolved string) string {
	rest, below := strings.CutPrefix(resolved, "/sys/devices/")
	if !below {
		return path.Base(resolved)
	}
	if zone, ok := strings.CutPrefix(rest, "virtual/thermal/"); ok {
		zone, _, _ = strings.Cut(zone, "/")
		return zone
	}
	dir := "/sys/devices"
	for name := range strings.SplitSeq(rest, "/") {
		dir = dir + "/" + name
		if !isQuick(k, dir) {
			return name
		}
	}
	return ""
}

// isQuick looks at the subsystem of one ancestor. A folder that only groups devices has none.
func isQuick(k hal.Kernel, dir string) bool {
	subsystem, err := k.Readlink(dir + "/subsystem")
	if err != nil {
		return Missing(err)
	}
	return quick[path.Base(subsystem)]
}
