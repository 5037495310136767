package sim

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestPWM: what __pwm_apply, export_store and unexport_store take and refuse, one after the other.
func TestPWM(t *testing.T) {
	const dir = "/sys/class/pwm/pwmchip0/"
	k := New(Options{Bare: true})
	k.AddPWMChip(PWMChip{Channels: 2, Used: []int{1}})
	for i, c := range []struct {
		file, text string
		want       error
		state      PWMState
	}{
		{"unexport", "0", unix.ENODEV, PWMState{}},
		{"export", "2", unix.ENODEV, PWMState{}},
		{"export", "x", unix.EINVAL, PWMState{}},
		{"export", "-1", unix.EINVAL, PWMState{}},
		{"export", "4294967296", unix.ERANGE, PWMState{}},
		{"export", "1", unix.EBUSY, PWMState{}},
		{"export", "0\n", nil, PWMState{}},
		{"export", "0", unix.EBUSY, PWMState{}},
		{"pwm0/enable", "0", unix.EINVAL, PWMState{}},
		{"pwm0/polarity", "normal", unix.EINVAL, PWMState{}},
		{"pwm0/duty_cycle", "0", unix.EINVAL, PWMState{}},
		{"pwm0/period", "0x10", nil, PWMState{Period: 16}},
		{"pwm0/duty_cycle", "17", unix.EINVAL, PWMState{Period: 16}},
		{"pwm0/duty_cycle", "020", nil, PWMState{Period: 16, Duty: 16}},
		{"pwm0/period", "15", unix.EINVAL, PWMState{Period: 16, Duty: 16}},
		{"pwm0/period", "+18446744073709551615", nil, PWMState{Period: 1<<64 - 1, Duty: 16}},
		{"pwm0/period", "18446744073709551616", unix.ERANGE, PWMState{Period: 1<<64 - 1, Duty: 16}},
		{"pwm0/period", "20", nil, PWMState{Period: 20, Duty: 16}},
		{"pwm0/enable", "2", unix.EINVAL, PWMState{Period: 20, Duty: 16}},
		{"pwm0/enable", "1", nil, PWMState{Period: 20, Duty: 16, Enabled: true}},
		{"pwm0/polarity", "inverted", unix.EINVAL, PWMState{Period: 20, Duty: 16, Enabled: true}},
		{"pwm0/polarity", "inversed\n", nil, PWMState{Period: 20, Duty: 16, Enabled: true, Inversed: true}},
		{"pwm0/capture", "1", unix.EACCES, PWMState{Period: 20, Duty: 16, Enabled: true, Inversed: true}},
		{"unexport", "0", nil, PWMState{Period: 20, Duty: 16, Enabled: true, Inversed: true}},
		{"pwm0/enable", "0", unix.ENOENT, PWMState{Period: 20, Duty: 16, Enabled: true, Inversed: true}},
	} {
		if err := write(k, dir+c.file, c.text); err != c.want {
			t.Errorf("%d: %s into %s: got %v, want %v", i, c.text, c.file, err, c.want)
		}
		if got := k.PWM("pwmchip0", 0); got != c.state {
			t.Errorf("%d: %s into %s: got %+v, want %+v", i, c.text, c.file, got, c.state)
		}
	}
	if n := len(k.PWMApplied("pwmchip0", 0)); n != 6 {
		t.Errorf("the driver was given %d states, want 6", n)
	}
}

func TestPWMReads(t *testing.T) {
	const dir = "/sys/class/pwm/pwmchip0/"
	k := New(Options{Bare: true})
	k.AddPWMChip(PWMChip{Channels: 1, Boot: PWMState{Period: 5000000000, Duty: 7, Enabled: true, Inversed: true}})
	fd, err := k.Uevents()
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close(fd)
	if err := write(k, dir+"export", "0"); err != nil {
		t.Fatal(err)
	}
	kept, err := k.Open(dir+"pwm0/period", unix.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close(kept)
	for file, want := range map[string]string{"npwm": "1", "pwm0/period": "5000000000", "pwm0/duty_cycle": "7", "pwm0/enable": "1", "pwm0/polarity": "inversed"} {
		if got, err := read(k, dir+file); got != want || err != nil {
			t.Errorf("%s: got %s, %v, want %s", file, got, err, want)
		}
	}
	if _, err := read(k, dir+"pwm0/capture"); err != unix.ENOSYS {
		t.Errorf("capture: got %v, want ENOSYS", err)
	}
	if err := write(k, dir+"unexport", "0"); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Pread(kept, make([]byte, 9), 0); err != unix.ENODEV {
		t.Errorf("a kept descriptor of what was unexported: got %v, want ENODEV", err)
	}
	got, _ := heard(t, k, fd)
	for i, want := range []string{"|EXPORT=pwm0|", "|UNEXPORT=pwm0|"} {
		if i >= len(got) || !strings.HasPrefix(got[i], "change@/devices/platform/halberd-sim/pwm/pwmchip0|") || !strings.Contains(got[i], want) {
			t.Errorf("the messages are %q, want %s", got, want)
		}
	}
}
