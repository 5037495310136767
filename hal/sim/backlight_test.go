package sim

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestBacklight: what backlight.c takes and refuses, one after the other, and what it tells of.
func TestBacklight(t *testing.T) {
	const dir = "/sys/class/backlight/panel/"
	k := New(Options{Bare: true})
	k.AddBacklight(Backlight{Name: "panel", Max: 255, Brightness: 100, Reads: true})
	fd, err := k.Uevents()
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close(fd)
	for i, c := range []struct {
		file, text string
		want       error
		reads      string // brightness, actual_brightness and bl_power
		tells      bool
	}{
		{"brightness", "128\n", nil, "128 128 0", true},
		{"brightness", "0x80", nil, "128 128 0", true},
		{"brightness", "256", unix.EINVAL, "128 128 0", true},
		{"brightness", "-1", unix.EINVAL, "128 128 0", false},
		{"bl_power", "4", nil, "128 0 4", false},
		{"brightness", "7", nil, "7 0 4", true},
		{"bl_power", "99", nil, "7 0 99", false},
		{"bl_power", "on", unix.EINVAL, "7 0 99", false},
		{"bl_power", "0", nil, "7 7 0", false},
		{"actual_brightness", "1", unix.EACCES, "7 7 0", false},
		{"max_brightness", "1", unix.EACCES, "7 7 0", false},
	} {
		if err := write(k, dir+c.file, c.text); err != c.want {
			t.Errorf("%d: %s into %s: got %v, want %v", i, c.text, c.file, err, c.want)
		}
		if got := lightOf(k, dir); got != c.reads {
			t.Errorf("%d: %s into %s: got %s, want %s", i, c.text, c.file, got, c.reads)
		}
		told, _ := heard(t, k, fd)
		if c.tells != (len(told) == 1 && strings.Contains(told[0], "SUBSYSTEM=backlight|SOURCE=sysfs|")) || !c.tells && len(told) != 0 {
			t.Errorf("%d: %s into %s: it tells %q", i, c.text, c.file, told)
		}
	}
	k.SetBacklight("panel", 9)
	if told, _ := heard(t, k, fd); len(told) != 1 || !strings.Contains(told[0], "SOURCE=hotkey") {
		t.Errorf("a key: it tells %q", told)
	}
	k.FailBacklight("panel", unix.EIO)
	for _, file := range []string{"brightness", "bl_power"} {
		if err := write(k, dir+file, "4"); err != unix.EIO {
			t.Errorf("a driver that fails: got %v, want EIO", err)
		}
	}
	if got := lightOf(k, dir); got != "4 4 0" {
		t.Errorf("a driver that fails: got %s, want 4 4 0", got)
	}
}

func lightOf(k *Kernel, dir string) string {
	var all []string
	for _, file := range []string{"brightness", "actual_brightness", "bl_power"} {
		text, err := read(k, dir+file)
		if err != nil {
			return err.Error()
		}
		all = append(all, text)
	}
	return strings.Join(all, " ")
}
