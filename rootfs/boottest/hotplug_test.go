//go:build boot

package boottest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const plugFolder = "/sys/kernel/config/gpio-sim/plug"

// plug plugs in a chip of 4 lines with the label plug, and gives the folder of its simulated hardware.
func plug(t testing.TB) string {
	t.Helper()
	run(t, "mkdir", "-p", plugFolder+"/bank/line2")
	write(t, plugFolder+"/bank/num_lines", "4")
	write(t, plugFolder+"/bank/label", "plug")
	write(t, plugFolder+"/bank/line2/name", "PLUG-INPUT")
	write(t, plugFolder+"/live", "1")
	return filepath.Join("/sys/devices/platform", read(t, plugFolder+"/dev_name"), read(t, plugFolder+"/bank/chip_name"))
}

func unplug(t testing.TB) {
	t.Helper()
	if !exists(plugFolder) {
		return
	}
	write(t, plugFolder+"/live", "0")
	for _, folder := range []string{"/bank/line2", "/bank", ""} {
		if err := os.Remove(plugFolder + folder); err != nil {
			t.Error(err)
		}
	}
}

func listed(t testing.TB, id string) bool {
	t.Helper()
	return strings.Contains(must(t, 0, "list", "Gpio")+"\n", " "+id+"\n")
}

// TestPluggedChip: a new chip's lines are listed, its declared output takes the initial value; after the chip is gone calls say so, and another one with the
// same name serves again.
func TestPluggedChip(t *testing.T) {
	t.Cleanup(func() { unplug(t) })
	if listed(t, "plug-relay") {
		t.Fatal("the relay is listed before its chip is plugged in")
	}
	for range 2 {
		chip := plug(t)
		eventually(t, "the new lines are listed", func() bool { return listed(t, "plug-relay") && listed(t, "PLUG-INPUT") })
		eventually(t, "the output has its initial value", func() bool { return read(t, chip+"/sim_gpio1/value") == "1" })
		must(t, 0, "gpio", "set", "plug-relay", "0")
		if got := read(t, chip+"/sim_gpio1/value"); got != "0" {
			t.Errorf("the pin is %s after setting 0", got)
		}
		write(t, chip+"/sim_gpio2/pull", "pull-up")
		if got := must(t, 0, "gpio", "get", "PLUG-INPUT"); got != "1" {
			t.Errorf("the input is %s, want 1", got)
		}
		unplug(t)
		for _, id := range []string{"plug-relay", "PLUG-INPUT"} {
			refused(t, 0, "io.halberd.DeviceGone", "gpio", "get", id)
		}
		eventually(t, "the lines are listed no more", func() bool { return !listed(t, "plug-relay") && !listed(t, "PLUG-INPUT") })
		refused(t, 0, "io.halberd.DeviceGone", "gpio", "set", "plug-relay", "1")
	}
	if got := must(t, app, "gpio", "get", "button"); got != "0" && got != "1" {
		t.Errorf("button is %q", got)
	}
}
