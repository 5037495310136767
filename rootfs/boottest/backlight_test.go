//go:build boot

package boottest

import (
	"strings"
	"testing"
)

// TestBacklightOfPWM: brightness and power of pwm-backlight, whose levels are 0 to 5, as sysfs and the PWM have them.
func TestBacklightOfPWM(t *testing.T) {
	const folder = "/sys/class/backlight/panel/"
	must(t, 0, "backlight", "set-power", "panel", "true")
	for _, row := range []struct{ option, value, brightness, duty string }{
		{"--brightness", "2", "2", "duty: 2509803 ns"}, // 32 of 255 of 20 ms
		{"--permille", "1000", "5", "duty: 20000000 ns"},
		{"--permille", "1", "1", "duty: 1254901 ns"},
	} {
		must(t, 0, "backlight", "set", "panel", row.option, row.value)
		if got := read(t, folder+"brightness"); got != row.brightness {
			t.Errorf("%s %s: sysfs says %s, want %s", row.option, row.value, got, row.brightness)
		}
		pwm := read(t, "/sys/kernel/debug/pwm")
		if _, after, _ := strings.Cut(pwm, "platform/pwm-2,"); !strings.Contains(after, row.duty) {
			t.Errorf("%s %s: the PWM of the panel is not on for %s:\n%s", row.option, row.value, row.duty, pwm)
		}
	}
	refused(t, 0, "io.halberd.OutOfRange", "backlight", "set", "panel", "--brightness", "6")
	refused(t, 0, "org.varlink.service.InvalidParameter", "backlight", "set", "panel")
	for _, row := range []struct{ on, power string }{{"false", "4"}, {"true", "0"}} {
		must(t, 0, "backlight", "set-power", "panel", row.on)
		if got := read(t, folder+"bl_power"); got != row.power {
			t.Errorf("on %s: bl_power is %s, want %s", row.on, got, row.power)
		}
	}
	first := must(t, 0, "call", "io.halberd.Backlight.Watch", `{"backlights":["panel"]}`)
	var reply struct {
		Brightness int64
		On         bool
	}
	decode(t, first, &reply)
	if reply.Brightness != 1 || !reply.On {
		t.Errorf("without more, Watch gives %s", first)
	}
}

// TestBacklightOfGPIO: brightness and power of gpio-backlight, seen at the pin.
func TestBacklightOfGPIO(t *testing.T) {
	for _, row := range []struct{ brightness, on, pin string }{{"1", "true", "1"}, {"1", "false", "0"}, {"0", "true", "0"}} {
		must(t, 0, "backlight", "set-power", "keypad-light", row.on)
		must(t, 0, "backlight", "set", "keypad-light", "--brightness", row.brightness)
		if got := read(t, line(t, "8")+"/value"); got != row.pin {
			t.Errorf("the pin is %s at brightness %s, on %s, want %s", got, row.brightness, row.on, row.pin)
		}
	}
}
