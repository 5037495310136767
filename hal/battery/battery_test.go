package battery

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
)

var main = simtest.Entry{Table: "battery", ID: "main", Keys: `{"name":"BAT0"}`}

const full = `"type":"battery","status":"discharging","capacityPercent":87,"voltageMicroV":3912000,"currentMicroA":-412000,` +
	`"chargeMicroAh":2610000,"chargeFullMicroAh":3000000,"temperatureMilliC":29800,"cycles":31,"present":true,"health":"good","technology":"li-ion"`

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
		{"no kind at all", "TYPE", "", `{"type":"unknown"}`},
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
			k.AddSupply(sim.Supply{Name: "usb", Properties: map[string]string{"TYPE": "USB"}})
			k.SetProperty("usb", row.property, row.value)
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
				if got := read(t, k, "/sys/class/power_supply/BAT0/charge_control_"+file+"_threshold"); got != want {
					t.Errorf("%s: got %s, want %s", file, got, want)
				}
			}
		})
	}
}

// read reads an attribute as a shell would.
func read(t *testing.T, k *sim.Kernel, path string) string {
	t.Helper()
	fd, err := k.Open(path, unix.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close(fd)
	buf := make([]byte, 64)
	n, err := k.Read(fd, buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:max(n-1, 0)])
}

// TestWatch: a change of what matters is reported with everything else, one of the voltage alone is not.
func TestWatch(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false, main)
	w := b.Watch("Watch", `{"supplies":["main"]}`)
	want := func(event string) {
		t.Helper()
		if got := w.Events(); got != event {
			t.Errorf("got %s, want %s", got, event)
		}
	}
	want(`{"supply":"main",` + full + `}`)
	k.SetProperty("BAT0", "VOLTAGE_NOW", "3900000")
	b.Loop.Advance(3 * time.Second)
	want("")
	k.SetProperty("BAT0", "CAPACITY", "86")
	b.Loop.Advance(3 * time.Second)
	want(`{"supply":"main",` + strings.NewReplacer("87", "86", "3912000", "3900000").Replace(full) + `}`)
	k.Unplug("BAT0")
	b.Class.Rescan()
	if w.Failed == nil || b.Loop.Timers() != 0 {
		t.Errorf("unplugged: the watch ended with %v, %d timers are left", w.Failed, b.Loop.Timers())
	}
}
