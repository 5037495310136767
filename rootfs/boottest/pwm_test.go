//go:build boot

package boottest

import "testing"

// TestPwm: a channel of pwm-gpio, from its first use to being turned around, as sysfs has it. The kernel takes every step, or this would fail.
func TestPwm(t *testing.T) {
	const id = "pwm-0/0"
	chip := find(t, "/sys/devices/platform/pwm-0/pwm/pwmchip*")
	for _, row := range []struct {
		args []string
		want string // period, duty_cycle, enable and polarity
	}{
		{[]string{"set", id, "--period-nsec", "20000000", "--duty-nsec", "5000000", "--enabled", "true"}, "20000000 5000000 1 normal"},
		{[]string{"set", id, "--period-nsec", "1000000", "--duty-nsec", "1000000"}, "1000000 1000000 1 normal"},
		{[]string{"set", id, "--period-nsec", "40000000", "--duty-nsec", "40000000"}, "40000000 40000000 1 normal"},
		{[]string{"set", id, "--duty-nsec", "0"}, "40000000 0 1 normal"},
		{[]string{"set-polarity", id, "inversed"}, "40000000 0 1 inversed"},
		{[]string{"set", id, "--period-nsec", "30000000", "--enabled", "false"}, "30000000 0 0 inversed"},
		{[]string{"set-polarity", id, "normal"}, "30000000 0 0 normal"},
	} {
		must(t, 0, append([]string{"pwm"}, row.args...)...)
		channel := chip + "/pwm0/"
		if got := read(t, channel+"period") + " " + read(t, channel+"duty_cycle") + " " + read(t, channel+"enable") + " " + read(t, channel+"polarity"); got != row.want {
			t.Errorf("%q: sysfs has %s, want %s", row.args, got, row.want)
		}
	}
	refused(t, 0, "io.halberd.OutOfRange", "pwm", "set", id, "--duty-nsec", "30000001")
	var reply struct {
		PeriodNSec, DutyNSec int64
		Polarity             string
		Enabled              bool
	}
	decode(t, must(t, 0, "call", "io.halberd.Pwm.Get", `{"channel":"`+id+`"}`), &reply)
	if reply.PeriodNSec != 30000000 || reply.DutyNSec != 0 || reply.Polarity != "normal" || reply.Enabled {
		t.Errorf("an app reads %+v", reply)
	}
}

// TestPwmOfADriver: the channel of the lamp is the lamp's.
func TestPwmOfADriver(t *testing.T) {
	refused(t, 0, "io.halberd.Busy", "pwm", "set", "pwm-1/0", "--duty-nsec", "1")
	refused(t, 0, "io.halberd.NotSupported", "pwm", "get", "pwm-1/0")
}
