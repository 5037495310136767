//go:build boot

package boottest

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

const testPower = "/sys/module/test_power/parameters/"

// supply is what an app reads of a supply, as far as these tests look at it.
type supply struct {
	Supply, Type, Status, Health string
	CapacityPercent              int64
	CurrentMicroA                int64
	TemperatureMilliC            int64
	Online, Present              *bool
}

func battery(t testing.TB, id string) (s supply) {
	t.Helper()
	decode(t, must(t, 0, "call", "io.halberd.Battery.Get", `{"supply":"`+id+`"}`), &s)
	return s
}

// TestBattery: of the driver test_power, what its parameters say.
func TestBattery(t *testing.T) {
	type state struct {
		Type, Status    string
		CapacityPercent int
		VoltageMicroV   int
		Online          bool
	}
	get := func(supply string) (s state) {
		decode(t, must(t, 0, "call", "io.halberd.Battery.Get", `{"supply":"`+supply+`"}`), &s)
		return s
	}
	const parameters = "/sys/module/test_power/parameters/"
	write(t, parameters+"battery_capacity", "37")
	write(t, parameters+"battery_status", "discharging")
	write(t, parameters+"ac_online", "off")
	eventually(t, "the battery is at 37 %", func() bool { return get("test_battery").CapacityPercent == 37 })
	if got := get("test_battery"); got.Type != "battery" || got.Status != "discharging" {
		t.Errorf("got %+v, want a battery that is discharged", got)
	}
	if got := get("test_ac"); got.Type != "mains" || got.Online {
		t.Errorf("got %+v, want a supply that is off", got)
	}
	write(t, parameters+"ac_online", "on")
	eventually(t, "the supply is on", func() bool { return get("test_ac").Online })
	refused(t, 0, "io.halberd.NotSupported", "battery", "set-charge-limits", "test_battery", "--end-percent", "80")
}

// TestBatteryInUnits: what else the driver says, in Halberd's words and units.
func TestBatteryInUnits(t *testing.T) {
	for _, row := range []struct{ value, status string }{{"charging", "charging"}, {"not-charging", "not_charging"}, {"full", "full"}, {"discharging", "discharging"}} {
		write(t, testPower+"battery_status", row.value)
		eventually(t, "the battery is "+row.status, func() bool { return battery(t, "test_battery").Status == row.status })
	}
	write(t, testPower+"battery_current", "-1234")
	write(t, testPower+"battery_health", "overheat")
	eventually(t, "the battery is too hot", func() bool { return battery(t, "test_battery").Health == "overheat" })
	got := battery(t, "test_battery")
	if got.CurrentMicroA != -1234 || got.TemperatureMilliC != 2600 || got.Present == nil || !*got.Present || got.Online != nil {
		t.Errorf("got %+v, want -1234 µA, 2600 m°C and a battery that is present", got)
	}
	write(t, testPower+"battery_health", "good")
}

// TestBatteryWatch: the driver's message brings the change.
func TestBatteryWatch(t *testing.T) {
	write(t, testPower+"battery_capacity", "61")
	c := dial(t, "stream:@halberd")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	seen := errors.New("seen")
	err := c.More(ctx, "io.halberd.Battery.Watch", map[string]any{"supplies": []string{"test_battery"}}, func(raw json.RawMessage) error {
		var s supply
		decode(t, string(raw), &s)
		switch {
		case s.CapacityPercent == 62:
			return seen
		case s.Supply != "test_battery" || s.CapacityPercent != 61:
			t.Errorf("an event is %s, want a capacity of 61 or 62", raw)
		}
		write(t, testPower+"battery_capacity", "62")
		return nil
	})
	if !errors.Is(err, seen) {
		t.Errorf("the watch ended with %v before the change came", err)
	}
}

// TestBatteryOfUSB: another kind of supply.
func TestBatteryOfUSB(t *testing.T) {
	for _, on := range []bool{false, true} {
		write(t, testPower+"usb_online", map[bool]string{true: "on", false: "off"}[on])
		eventually(t, "the supply follows", func() bool {
			got := battery(t, "test_usb")
			return got.Type == "usb" && got.Online != nil && *got.Online == on
		})
	}
}

// TestBatteryOfGPIO: gpio-charger follows its two lines.
func TestBatteryOfGPIO(t *testing.T) {
	for _, row := range []struct {
		online, charging, status string
	}{{"pull-up", "pull-up", "charging"}, {"pull-up", "pull-down", "not_charging"}, {"pull-down", "pull-down", "not_charging"}} {
		write(t, line(t, "16")+"/pull", row.online)
		write(t, line(t, "17")+"/pull", row.charging)
		eventually(t, "the charger follows "+row.online+" and "+row.charging, func() bool {
			got := battery(t, "charger")
			return got.Type == "mains" && got.Online != nil && *got.Online == (row.online == "pull-up") && got.Status == row.status
		})
	}
}

// TestLedPattern: the kernel plays what is asked for, seen at the pin, and Set ends it.
func TestLedPattern(t *testing.T) {
	const folder = "/sys/class/leds/blue:front/"
	if !strings.Contains(read(t, folder+"trigger"), "pattern") {
		t.Skip("the kernel has no pattern trigger: ledtrig-pattern is not loaded")
	}
	steps := `{"led":"front","steps":[{"brightness":1,"durationMSec":40},{"brightness":1,"durationMSec":0},{"brightness":0,"durationMSec":40},{"brightness":0,"durationMSec":0}]`
	must(t, 0, "call", "io.halberd.Led.Pattern", steps+`}`)
	if got := read(t, folder+"pattern") + ", " + read(t, folder+"repeat"); got != "1 40 1 0 0 40 0 0, -1" {
		t.Errorf("the kernel plays %s", got)
	}
	for _, want := range []string{"0", "1", "0"} { // the line is active low
		eventually(t, "the pin is "+want, func() bool { return read(t, line(t, "1")+"/value") == want })
	}
	must(t, 0, "call", "io.halberd.Led.Pattern", steps+`,"repeat":2}`)
	if got := read(t, folder+"repeat"); got != "2" {
		t.Errorf("it is repeated %s times, want 2", got)
	}
	must(t, 0, "led", "set", "front", "0")
	if got := read(t, folder+"trigger"); !strings.Contains(got, "[none]") {
		t.Errorf("the triggers are %s after Set, want [none]", got)
	}
	refused(t, 0, "io.halberd.OutOfRange", "call", "io.halberd.Led.Pattern", `{"led":"front","steps":[{"brightness":2,"durationMSec":40},{"brightness":0,"durationMSec":40}]}`)
}
