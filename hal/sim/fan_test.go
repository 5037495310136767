package sim

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestFans: what each driver takes and refuses, one after the other. The speed is 1/min for each step of 255.
func TestFans(t *testing.T) {
	const dir = "/sys/class/hwmon/hwmon0/"
	boards := map[FanDriver]*Kernel{}
	for d := FanChip; d <= FanBare; d++ {
		boards[d] = New(Options{Bare: true})
		boards[d].AddFan(Fan{Driver: d, Speed: 255})
	}
	for _, c := range []struct {
		driver            FanDriver
		file, text        string
		want              error
		pwm, enable, turn string
	}{
		{FanChip, "pwm1", "255", unix.EBUSY, "102", "5", "102"},
		{FanChip, "pwm1_enable", "6", unix.EINVAL, "102", "5", "102"},
		{FanChip, "pwm1_enable", "4", unix.EINVAL, "102", "5", "102"},
		{FanChip, "pwm1_enable", "x", unix.EINVAL, "102", "5", "102"},
		{FanChip, "pwm1_enable", "1\n", nil, "0", "1", "0"},
		{FanChip, "pwm1", "256", nil, "255", "1", "255"},
		{FanChip, "pwm1", "10", nil, "10", "1", "10"},
		{FanChip, "pwm1_enable", "0", nil, "255", "0", "255"},
		{FanChip, "pwm1_enable", "2", nil, "102", "2", "102"},
		{FanOnGPIO, "pwm1", "1", nil, "85", "1", "85"},
		{FanOnGPIO, "pwm1", "86", nil, "170", "1", "170"},
		{FanOnGPIO, "pwm1", "256", unix.EINVAL, "170", "1", "170"},
		{FanOnGPIO, "pwm1", "-1", unix.EINVAL, "170", "1", "170"},
		{FanOnGPIO, "pwm1_enable", "2", unix.EINVAL, "170", "1", "170"},
		{FanOnGPIO, "pwm1_enable", "0", nil, "255", "0", "255"},
		{FanOnGPIO, "pwm1", "0", unix.EPERM, "255", "0", "255"},
		{FanOnPWM, "pwm1", "77", nil, "77", "1", "77"},
		{FanOnPWM, "pwm1_enable", "3", nil, "77", "3", "77"},
		{FanOnPWM, "pwm1_enable", "4", unix.EINVAL, "77", "3", "77"},
		{FanOnPWM, "pwm1_enable", "0", nil, "0", "0", "0"},
		{FanOnPWM, "pwm1", "9", nil, "0", "0", "0"},
		{FanBare, "pwm1", "255", nil, "255", "", "255"},
		{FanBare, "pwm1", "256", unix.EINVAL, "255", "", "255"},
		{FanBare, "pwm1_enable", "1", unix.ENOENT, "255", "", "255"},
		{FanBare, "fan1_input", "1", unix.EACCES, "255", "", "255"},
	} {
		k := boards[c.driver]
		if err := write(k, dir+c.file, c.text); err != c.want {
			t.Errorf("%s: %s into %s: got %v, want %v", fanNames[c.driver], c.text, c.file, err, c.want)
		}
		for file, want := range map[string]string{"pwm1": c.pwm, "pwm1_enable": c.enable, "fan1_input": c.turn, "name": fanNames[c.driver]} {
			if got, _ := read(k, dir+file); got != want {
				t.Errorf("%s: %s into %s: %s is %s, want %s", fanNames[c.driver], c.text, c.file, file, got, want)
			}
		}
	}
}

// TestCooling: a cooling device that is the same hardware as a hwmon device follows it, and comes and goes with it.
func TestCooling(t *testing.T) {
	const hwmon, cooling = "/sys/class/hwmon/hwmon0/pwm1", "/sys/class/thermal/cooling_device0/"
	k := New(Options{Bare: true})
	k.AddFan(Fan{Driver: FanOnGPIO})
	for _, c := range []struct {
		file, text string
		want       error
		pwm, state string
	}{
		{hwmon, "128", nil, "170", "2"},
		{cooling + "cur_state", "3", nil, "255", "3"},
		{cooling + "cur_state", "4", unix.EINVAL, "255", "3"},
		{cooling + "cur_state", "-1", unix.EINVAL, "255", "3"},
		{cooling + "max_state", "9", unix.EACCES, "255", "3"},
	} {
		if err := write(k, c.file, c.text); err != c.want {
			t.Errorf("%s into %s: got %v, want %v", c.text, c.file, err, c.want)
		}
		pwm, _ := read(k, hwmon)
		if state, _ := read(k, cooling+"cur_state"); pwm != c.pwm || state != c.state {
			t.Errorf("%s into %s: got %s and %s, want %s and %s", c.text, c.file, pwm, state, c.pwm, c.state)
		}
	}
	if kind, _ := read(k, cooling+"type"); kind != "gpio-fan" {
		t.Errorf("the type is %s", kind)
	}
	for range 2 {
		k.Unplug("hwmon0")
		if _, err := read(k, cooling+"type"); err != unix.ENOENT {
			t.Errorf("unplugged: got %v, want ENOENT", err)
		}
		k.Plug("hwmon0")
		if state, err := read(k, cooling+"cur_state"); state != "0" || err != nil {
			t.Errorf("plugged: got %s, %v, want 0", state, err)
		}
	}
}
