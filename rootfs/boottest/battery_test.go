//go:build boot

package boottest

import "testing"

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
