package battery

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
)

var main = simtest.Entry{Table: "battery", ID: "main", Keys: `{"name":"BAT0"}`}

const full = `"type":"battery","status":"discharging","capacityPercent":87,"voltageMicroV":3912000,"currentMicroA":-412000,` +
	`"chargeMicroAh":2610000,"chargeFullMicroAh":3000000,"temperatureMilliC":29800,"cycles":31,"present":true,"health":"good","technology":"li-ion"` + limitless
const limitless = `,"startPercent":0,"endPercent":100`

func TestGet(t *testing.T) {
	b := simtest.Open(t, Driver(), bench(), false, main)
	b.Expect("Get", `{"supply":"main"}`, `{`+full+`}`)
	b.Expect("Get", `{"supply":"gauge"}`, `{"type":"battery","status":"not_charging","capacityPercent":50}`)
	b.Expect("Get", `{"supply":"usb"}`, `{"type":"usb","inputLimitMicroA":500000,"online":true}`)
	b.Expect("Get", `{"supply":"BAT0"}`, `NoSuchDevice{"class":"Battery","device":"BAT0"}`)
}

// TestWordsOfTheKernel: what a driver says that nobody expects is told as unknown, or left out.
func TestWordsOfTheKernel(t *testing.T) {
	rows := []struct{ name, property, value, want string }{
		{"a kind of supply that has no word", "TYPE", "BrickID", `{"type":"other"}`},
		{"a kind that the driver does not know", "TYPE", "Unknown", `{"type":"unknown"}`},
		{"a kind of USB", "TYPE", "USB_PD_DRP", `{"type":"usb"}`},
		{"a kind without a word", "TYPE", "", `{"type":"unknown"}`},
		{"a status of a newer kernel", "STATUS", "Dreaming", `{"type":"usb","status":"unknown"}`},
		{"a capacity above all", "CAPACITY", "101", `{"type":"usb"}`},
		{"a capacity that is no number", "CAPACITY", "full", `{"type":"usb"}`},
		{"below freezing", "TEMP", "-55", `{"type":"usb","temperatureMilliC":-5500}`},
		{"a programmable charger", "ONLINE", "2", `{"type":"usb","online":true}`},
		{"a property of another kind", "MANUFACTURER", "halberd", `{"type":"usb"}`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			k := sim.New(sim.Options{Bare: true})
			properties := map[string]string{"TYPE": "USB"}
			properties[row.property] = row.value
			k.AddSupply(sim.Supply{Name: "usb", Properties: properties})
			simtest.Open(t, Driver(), k, false).Expect("Get", `{"supply":"usb"}`, row.want)
		})
	}
}

// TestChargeLimits: in whatever order they have to be written, the driver takes them, and what it would refuse is refused with the range.
func TestChargeLimits(t *testing.T) {
	rows := []struct{ name, in, want, start, end string }{
		{"both down", `"startPercent":20,"endPercent":30`, `{}`, "20", "30"},
		{"both up", `"startPercent":85,"endPercent":90`, `{}`, "85", "90"},
		{"the start alone", `"startPercent":79`, `{}`, "79", "80"},
		{"the end alone", `"endPercent":100`, `{}`, "40", "100"},
		{"a start at the end", `"startPercent":80`, `OutOfRange{"parameter":"startPercent","minimum":0,"maximum":79}`, "40", "80"},
		{"an end at the start", `"endPercent":40`, `OutOfRange{"parameter":"endPercent","minimum":41,"maximum":100}`, "40", "80"},
		{"a start above its own end", `"startPercent":60,"endPercent":50`, `OutOfRange{"parameter":"startPercent","minimum":0,"maximum":49}`, "40", "80"},
		{"all off", `"startPercent":0,"endPercent":100`, `{}`, "0", "100"},
		{"none", ``, `InvalidParameter{"parameter":"startPercent"}`, "40", "80"},
		{"more than all", `"endPercent":101`, `InvalidParameter{"parameter":"endPercent"}`, "40", "80"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			k := bench()
			b := simtest.Open(t, Driver(), k, false, main)
			b.Expect("SetChargeLimits", `{"supply":"main","startPercent":40,"endPercent":80}`, `{}`)
			in := `{"supply":"main"}`
			if row.in != "" {
				in = `{"supply":"main",` + row.in + `}`
			}
			b.Expect("SetChargeLimits", in, row.want)
			for file, want := range map[string]string{"start": row.start, "end": row.end} {
				if got := simtest.Cat(t, k, "/sys/class/power_supply/BAT0/charge_control_"+file+"_threshold"); got != want {
					t.Errorf("%s: got %s, want %s", file, got, want)
				}
			}
		})
	}
}

// TestChargeLimitsOfTheDriver: a battery may have the end alone, or a driver that takes other values.
func TestChargeLimitsOfTheDriver(t *testing.T) {
	k := sim.New(sim.Options{Bare: true})
	k.AddSupply(sim.Supply{Name: "BAT0", ChargeLimits: true, EndOnly: true, Properties: map[string]string{"TYPE": "Battery"}})
	b := simtest.Open(t, Driver(), k, false)
	b.Expect("SetChargeLimits", `{"supply":"BAT0","endPercent":60}`, `{}`)
	b.Expect("Get", `{"supply":"BAT0"}`, `{"type":"battery","endPercent":60}`)
	b.Expect("SetChargeLimits", `{"supply":"BAT0","startPercent":40}`, `NotSupported{"feature":"charge_limits"}`)
	b.Expect("SetChargeLimits", `{"supply":"BAT0","startPercent":40,"endPercent":80}`, `NotSupported{"feature":"charge_limits"}`)
	b.Expect("SetChargeLimits", `{"supply":"BAT0","endPercent":0}`, `System{"origin":"linux","errno":22,"errnoName":"EINVAL"}`)
	b.Expect("Get", `{"supply":"BAT0"}`, `{"type":"battery","endPercent":60}`)
}

// TestChargeLimitsHalfWay: where the second step fails, the first one holds, and watchers are told of it.
func TestChargeLimitsHalfWay(t *testing.T) {
	k := bench()
	faulty := haltest.FailAt(k, 0, 0)
	b := simtest.Open(t, Driver(), faulty, false, main)
	b.Expect("SetChargeLimits", `{"supply":"main","startPercent":40,"endPercent":80}`, `{}`)
	w := b.Watch("Watch", `{"supplies":["main"]}`)
	w.Events()
	faulty.Arm(4, unix.EIO) // after two reads and the end
	b.Expect("SetChargeLimits", `{"supply":"main","startPercent":85,"endPercent":90}`, `System{"origin":"linux","errno":5,"errnoName":"EIO"}`)
	if got := w.Events(); !strings.HasSuffix(got, `"startPercent":40,"endPercent":90}`) {
		t.Errorf("the watch says %s", got)
	}
}

// TestWatch: a change of what matters is reported with everything else, as soon as the kernel tells of it or within the period, and one of the voltage alone is not.
func TestWatch(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false, main)
	w, onBus := b.Watch("Watch", `{"supplies":["main"]}`), b.Watch("Watch", `{"supplies":["gauge"]}`)
	now := func(capacity, limits string) string {
		text := strings.NewReplacer("87", capacity, limitless, limits).Replace(full)
		if capacity != "87" {
			text = strings.Replace(text, "3912000", "3900000", 1)
		}
		return `{"supply":"main",` + text + `}`
	}
	w.Expect(now("87", limitless))
	onBus.Expect(`{"supply":"gauge","type":"battery","status":"not_charging","capacityPercent":50}`)
	k.SetProperty("BAT0", "VOLTAGE_NOW", "3900000")
	b.Loop.Advance(2 * period)
	w.Expect()
	k.SetProperty("BAT0", "CAPACITY", "86")
	b.Loop.Advance(period)
	w.Expect(now("86", limitless))
	k.SetProperty("BAT0", "CAPACITY", "85")
	b.Class.Changed("BAT0")
	b.Class.Changed("BAT1")
	b.Loop.Advance(time.Millisecond)
	w.Expect(now("85", limitless))
	b.Expect("SetChargeLimits", `{"supply":"main","startPercent":40,"endPercent":80}`, `{}`)
	w.Expect(now("85", `,"startPercent":40,"endPercent":80`))
	k.FailProperty("gauge", "CAPACITY", unix.EIO)
	b.Loop.Advance(period)
	onBus.Expect()
	k.SetProperty("gauge", "CAPACITY", "49")
	b.Loop.Advance(period)
	onBus.Expect(`{"supply":"gauge","type":"battery","status":"not_charging","capacityPercent":49}`)
	onBus.Stop()
	w.Expect()
	k.Unplug("BAT0")
	b.Rescan()
	if w.Failed == nil || simtest.Text(w.Failed) != `DeviceGone{"class":"Battery","device":"main"}` || b.Loop.Timers() != 0 {
		t.Errorf("unplugged: the watch ended with %v, %d timers are left", w.Failed, b.Loop.Timers())
	}
}

// TestUeventOfASupply: what the kernel tells of a change names the supply, and nothing is told where one of its properties fails.
func TestUeventOfASupply(t *testing.T) {
	k := bench()
	fd, err := k.Uevents()
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close(fd)
	k.TellSupply("gauge")
	k.FailProperty("gauge", "CAPACITY", unix.EIO)
	k.TellSupply("gauge")
	buf := make([]byte, 4096)
	n, err := k.Uevent(fd, buf)
	if text := string(buf[:n]); err != nil || !strings.HasPrefix(text, "change@/") || !strings.Contains(text, "/power_supply/gauge\x00") || !strings.Contains(text, "\x00POWER_SUPPLY_CAPACITY=50\x00") {
		t.Errorf("got %q, %v", text, err)
	}
	if n, err := k.Uevent(fd, buf); err != unix.EAGAIN {
		t.Errorf("it tells more: %q, %v", buf[:n], err)
	}
}

// TestPlug: a battery that comes has the name of board.toml, and one that goes and comes between two looks is another one.
func TestPlug(t *testing.T) {
	k := sim.New(sim.Options{Bare: true})
	b := simtest.Open(t, Driver(), k, false, main)
	b.Expect("Get", `{"supply":"main"}`, `NoSuchDevice{"class":"Battery","device":"main"}`)
	k.AddSupply(sim.Supply{Name: "BAT0", ChargeLimits: true, Properties: map[string]string{"TYPE": "Battery"}})
	k.AddSupply(sim.Supply{Name: "AC", Properties: map[string]string{"TYPE": "Mains", "ONLINE": "1"}})
	b.Rescan()
	b.ExpectIDs("AC main")
	w := b.Watch("Watch", `{"supplies":["main"]}`)
	held := k.Opened()
	k.Unplug("BAT0")
	k.Plug("BAT0")
	gone := `DeviceGone{"class":"Battery","device":"main"}`
	b.Expect("Get", `{"supply":"main"}`, gone)
	b.Expect("SetChargeLimits", `{"supply":"main","endPercent":50}`, gone)
	b.Rescan()
	if w.Failed == nil || simtest.Text(w.Failed) != gone || k.Opened() != held || b.Loop.Timers() != 0 {
		t.Errorf("the watch ended with %v; %d descriptors, %d timers, want %d, 0", w.Failed, k.Opened(), b.Loop.Timers(), held)
	}
	b.Expect("Get", `{"supply":"main"}`, `{"type":"battery","startPercent":0,"endPercent":100}`)
	k.Unplug("BAT0")
	b.Rescan()
	b.ExpectIDs("AC")
	b.Expect("Get", `{"supply":"main"}`, gone)
}

func TestBoardErrors(t *testing.T) {
	for _, c := range []struct {
		name, want string
		entries    []string
	}{
		{"one battery twice", "board.toml:2: battery.B: /sys/class/power_supply/BAT0 is battery.A already, at board.toml:1", []string{`{"name":"BAT0"}`, `{"name":"BAT0"}`}},
		{"a path", `board.toml:1: battery.A: "../x" is no name of a device in /sys: '/' cannot stand in it`, []string{`{"name":"../x"}`}},
		{"no name", "board.toml:1: battery.A: name: missing", []string{`{}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			simtest.ExpectRefused(t, Driver(), bench(), c.want, simtest.Entries("battery", c.entries...)...)
		})
	}
}

// What the devices say for board.toml names the same devices again, each by itself.
func TestDeclaration(t *testing.T) {
	simtest.ExpectDeclarations(t, Driver(), bench())
}

func TestTree(t *testing.T) {
	b := simtest.Open(t, Driver(), simtest.Tree(t, "testdata/phone.tree"), false, simtest.Entry{Table: "battery", ID: "main", Keys: `{"name":"axp20x-battery"}`})
	want := map[string]string{
		"main":       `sunxi-rsb-3a3 {"type":"battery","status":"charging","capacityPercent":76,"voltageMicroV":4016100,"currentMicroA":512000,"online":true,"present":true,"health":"good"}`,
		"axp20x-usb": `sunxi-rsb-3a3 {"type":"usb","inputLimitMicroA":500000,"online":true,"present":true,"health":"good"}`,
		"bq27411-0":  `i2c-2 {"type":"battery","present":false}`,
		"dock":       `dock {"type":"mains","status":"not_charging","online":false}`,
	}
	for i := range b.Class.Devices.Len() {
		d := b.Class.Devices.At(i)
		if got := d.Bus() + " " + b.Call("Get", `{"supply":"`+d.ID()+`"}`); got != want[d.ID()] {
			t.Errorf("%s: got %s, want %s", d.ID(), got, want[d.ID()])
		}
	}
	b.ExpectIDs("axp20x-usb bq27411-0 dock main")
}

// TestPropertyThatFails: one property that the driver cannot tell does not take the others away, and what could not be read is not taken for what is not there.
func TestPropertyThatFails(t *testing.T) {
	const others = `"status":"not_charging","voltageMicroV":5}`
	for _, row := range []struct {
		name string
		err  error
		want string
	}{
		{"it has no data", unix.ENODATA, `{"type":"battery",` + others},
		{"there is no battery", unix.ENODEV, `{"type":"battery",` + others},
		{"it cannot tell now", unix.EAGAIN, `{"type":"battery",` + others},
		{"its driver declares what it does not have", unix.EINVAL, `{"type":"battery",` + others},
		{"the bus fails", unix.EIO, `System{"origin":"linux","errno":5,"errnoName":"EIO"}`},
		{"the gauge does not answer", unix.ETIMEDOUT, `Timeout{"class":"Battery","device":"gauge"}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			k := sim.New(sim.Options{Bare: true})
			k.AddSupply(sim.Supply{Name: "gauge", Under: sim.OnI2C, Properties: map[string]string{"TYPE": "Battery", "STATUS": "Not charging", "CAPACITY": "50", "VOLTAGE_NOW": "5"}})
			b := simtest.Open(t, Driver(), k, false)
			k.FailProperty("gauge", "CAPACITY", row.err)
			b.Expect("Get", `{"supply":"gauge"}`, row.want)
			k.Unplug("gauge")
			b.Expect("Get", `{"supply":"gauge"}`, `DeviceGone{"class":"Battery","device":"gauge"}`)
		})
	}
}
