package service

import (
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal/haltest"
)

// Messages of a kernel (6.18, amd64 and arm64), and what is none.
var uevents = []string{
	"add@/devices/platform/gpio-sim.0/gpiochip3\x00ACTION=add\x00DEVPATH=/devices/platform/gpio-sim.0/gpiochip3\x00SUBSYSTEM=gpio\x00MAJOR=254\x00MINOR=3\x00DEVNAME=gpiochip3\x00SEQNUM=1837\x00",
	"change@/devices/virtual/power_supply/test_battery\x00ACTION=change\x00DEVPATH=/devices/virtual/power_supply/test_battery\x00SUBSYSTEM=power_supply\x00DEVTYPE=power_supply\x00POWER_SUPPLY_NAME=test_battery\x00POWER_SUPPLY_STATUS=Discharging\x00SEQNUM=2011\x00",
	"remove@/devices/platform/soc/usb1/1-1/1-1:1.0/ttyUSB0/tty/ttyUSB0\x00ACTION=remove\x00DEVPATH=/devices/platform/soc/usb1/1-1/1-1:1.0/ttyUSB0/tty/ttyUSB0\x00SUBSYSTEM=tty\x00MAJOR=188\x00MINOR=0\x00DEVNAME=ttyUSB0\x00SEQNUM=3\x00",
	"move@/devices/virtual/net/wlan0\x00ACTION=move\x00DEVPATH=/devices/virtual/net/wlan0\x00SUBSYSTEM=net\x00DEVPATH_OLD=/devices/virtual/net/x\x00INTERFACE=wlan0\x00IFINDEX=4\x00SEQNUM=4\x00",
	"libudev\x00\xfe\xed\xca\xfe\x28\x00\x00\x00ACTION=add\x00SUBSYSTEM=gpio\x00", "add@/\x00ACTION=\x00SUBSYSTEM=\x00", "add@/a", "@/\x00ACTION", "", "\x00", "\x00ACTION=add\x00", "add@/a\x00ACTION=add\x00ACTION=remove",
}

// checkUevent compares with what strings.Split makes of a message.
func checkUevent(t *testing.T, message string) {
	t.Helper()
	var action, subsystem, name string
	variables := strings.Split(message, "\x00")
	if head := variables[0]; strings.Contains(head, "@/") {
		name = head[strings.LastIndex(head, "/")+1:]
		for _, v := range variables[1:] {
			key, value, ok := strings.Cut(v, "=")
			switch {
			case ok && key == "ACTION":
				action = value
			case ok && key == "SUBSYSTEM":
				subsystem = value
			}
		}
	}
	a, s, n := parseUevent([]byte(message))
	if a != action || s != subsystem || n != name {
		t.Errorf("%q: got %q, %q, %q, want %q, %q, %q", message, a, s, n, action, subsystem, name)
	}
}

func FuzzUevent(f *testing.F) {
	for _, s := range uevents {
		f.Add(s)
	}
	f.Fuzz(checkUevent)
}

func TestRandomUevents(t *testing.T) {
	for message := range haltest.Inputs(5000, uevents...) {
		checkUevent(t, message)
	}
}
