package pwm

import (
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
)

// TestPlug: a chip that comes has its channels named, exported and set as board.toml says; one that went and came between two looks is another one.
func TestPlug(t *testing.T) {
	k := sim.New(sim.Options{Bare: true})
	b := simtest.Open(t, Driver(), k, false, simtest.Entry{Table: "pwm", ID: "usb", Keys: `{"chip":"1-0040","channel":1,"period-nsec":100,"initial":30,"safe":0}`})
	b.Expect("Get", `{"channel":"usb"}`, `NoSuchDevice{"class":"Pwm","device":"usb"}`)
	name := k.AddPWMChip(sim.PWMChip{Under: "platform/soc.i2c=platform/i2c-1=i2c/1-0040=i2c", Channels: 2})
	b.Rescan()
	if got := b.IDs(); got != "1-0040/0 usb" {
		t.Errorf("got %s, want 1-0040/0 usb", got)
	}
	b.Expect("Get", `{"channel":"usb"}`, `{"periodNSec":100,"dutyNSec":30,"polarity":"normal","enabled":true}`)
	b.Expect("Set", `{"channel":"usb","dutyNSec":60}`, `{}`)
	b.Expect("Set", `{"channel":"1-0040/0","periodNSec":9}`, `{}`)
	b.Rescan()
	b.Expect("Get", `{"channel":"usb"}`, `{"periodNSec":100,"dutyNSec":60,"polarity":"normal","enabled":true}`)
	k.Unplug(name)
	k.Plug(name)
	for _, id := range []string{"usb", "1-0040/0"} {
		for range 2 {
			b.Expect("Set", `{"channel":"`+id+`","periodNSec":500}`, `DeviceGone{"class":"Pwm","device":"`+id+`"}`)
		}
	}
	b.Rescan()
	b.Expect("Get", `{"channel":"usb"}`, `{"periodNSec":100,"dutyNSec":30,"polarity":"normal","enabled":true}`)
	b.Expect("Get", `{"channel":"1-0040/0"}`, `NotSupported{"feature":"export"}`)
	k.Unplug(name)
	for range 2 {
		b.Expect("Get", `{"channel":"usb"}`, `DeviceGone{"class":"Pwm","device":"usb"}`)
		b.Expect("Get", `{"channel":"1-0040/0"}`, `DeviceGone{"class":"Pwm","device":"1-0040/0"}`)
		b.Rescan()
	}
	if got := b.IDs(); got != "" || k.Opened() != 0 {
		t.Errorf("%q and %d descriptors are left", got, k.Opened())
	}
}

// TestSameParents: channels of chips that are called the same have no name, unless one was there before.
func TestSameParents(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false)
	k.AddPWMChip(sim.PWMChip{Under: "platform/soc.pwm=platform", Channels: 4})
	b.Rescan()
	const before = "1-0040/0 1-0040/1 1-0040/2 1-0040/3 soc.pwm/0 soc.pwm/1 soc.pwm/2"
	if got := b.IDs(); got != before || !strings.Contains(b.Log.String(), `name=soc.pwm place="/sys/class/pwm/pwmchip2 0"`) {
		t.Errorf("got  %s\nwant %s, log: %s", got, before, b.Log.String())
	}
	k.Unplug("pwmchip0")
	b.Rescan()
	const left = "1-0040/0 1-0040/1 1-0040/2 1-0040/3 soc.pwm/0 soc.pwm/1 soc.pwm/2 soc.pwm/3"
	if got := b.IDs(); got != left {
		t.Errorf("got  %s\nwant %s", got, left)
	}
}

// TestBrokenChip: a chip that cannot be read does not keep the others from being there, and is looked at again.
func TestBrokenChip(t *testing.T) {
	k := &simtest.Unreadable{Kernel: bench(), Suffix: "pwmchip0/npwm"}
	b := simtest.Open(t, Driver(), k, false)
	if got := b.IDs(); got != "1-0040/0 1-0040/1 1-0040/2 1-0040/3" {
		t.Errorf("got %s", got)
	}
	for range 2 {
		if !b.Class.Rescan() {
			t.Error("it does not want to look again")
		}
	}
	if n := strings.Count(b.Log.String(), "cannot look at a device"); n != 1 {
		t.Errorf("it is said %d times, want once", n)
	}
	k.Suffix = ""
	b.Rescan()
	if n := b.Class.Devices.Len(); n != 7 {
		t.Errorf("got %d channels, want 7", n)
	}
}
