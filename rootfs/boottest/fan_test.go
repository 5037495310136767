//go:build boot

package boottest

import (
	"strings"
	"testing"
)

// TestFan: the speeds of gpio-fan, seen at its two lines. It has no automatic mode, and its cooling device is not a second fan.
func TestFan(t *testing.T) {
	const id = "gpio_fan/pwm1"
	for _, row := range []struct {
		permille, lines string
		reads, rpm      int64
	}{{"1000", "11", 1000, 4500}, {"500", "01", 667, 3000}, {"1", "10", 333, 1500}, {"0", "00", 0, 0}} {
		must(t, 0, "fan", "set", id, row.permille)
		if got := read(t, line(t, "3")+"/value") + read(t, line(t, "4")+"/value"); got != row.lines {
			t.Errorf("%s permille: the fan's lines are %s, want %s", row.permille, got, row.lines)
		}
		var reply struct {
			Permille, RPM int64
			Mode          string
		}
		decode(t, must(t, 0, "call", "io.halberd.Fan.Get", `{"fan":"`+id+`"}`), &reply)
		if reply.Permille != row.reads || reply.RPM != row.rpm || reply.Mode != "manual" {
			t.Errorf("%s permille: an app reads %+v, want %d permille, %d/min, manual", row.permille, reply, row.reads, row.rpm)
		}
	}
	refused(t, 0, "io.halberd.NotSupported", "fan", "set-mode", id, "auto")
	if list := must(t, 0, "list", "Fan"); strings.Contains(list, "gpio-fan") {
		t.Errorf("the fan is listed twice:\n%s", list)
	}
}
