package service_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal/board"
	"github.com/halberd-io/halberd/service"
)

// verbs is what each method does, in one place for review: a method that changes its verb changes what grants by verb cover.
const verbs = `
org.varlink.service.GetInfo observe
org.varlink.service.GetInterfaceDescription observe
io.halberd.Board.List observe
io.halberd.Board.Describe observe
io.halberd.Board.Events observe
io.halberd.Board.Safe administer
io.halberd.Board.Claim control
io.halberd.Board.Release control
io.halberd.Board.Holders observe
io.halberd.Board.ForceRelease administer
io.halberd.Policy.WhoAmI observe
io.halberd.Policy.Check observe
io.halberd.Policy.Grants observe
io.halberd.Policy.Explain administer
io.halberd.Policy.Reload administer
io.halberd.Policy.Status administer
io.halberd.Cpu.Get observe
io.halberd.Cpu.SetGovernor configure
io.halberd.Cpu.SetLimits configure
io.halberd.Cpu.LatencyHold control
io.halberd.Policy.Audit administer
io.halberd.Gpio.Get observe
io.halberd.Gpio.GetMany observe
io.halberd.Gpio.Set control
io.halberd.Gpio.SetMany control
io.halberd.Gpio.Toggle control
io.halberd.Gpio.Pulse control
io.halberd.Gpio.Configure configure
io.halberd.Gpio.Lease configure
io.halberd.Gpio.Watch observe
io.halberd.Led.Get observe
io.halberd.Led.Set control
io.halberd.Led.Blink control
io.halberd.Led.Pattern control
io.halberd.Led.SetTrigger configure
io.halberd.Led.SetColor control
io.halberd.Led.Watch observe
io.halberd.Backlight.Get observe
io.halberd.Backlight.Set control
io.halberd.Backlight.SetPower control
io.halberd.Backlight.Watch observe
io.halberd.Pwm.Get observe
io.halberd.Pwm.Set control
io.halberd.Pwm.SetPolarity configure
io.halberd.Fan.Get observe
io.halberd.Fan.Set control
io.halberd.Fan.SetMode configure
io.halberd.Battery.Get observe
io.halberd.Battery.SetChargeLimits configure
io.halberd.Battery.Watch observe
io.halberd.Haptic.Play control
io.halberd.Haptic.Stop control
io.halberd.Input.Lease configure
io.halberd.Input.Watch configure
io.halberd.Remoteproc.Get observe
io.halberd.Remoteproc.Start hazard
io.halberd.Remoteproc.Stop hazard
io.halberd.Remoteproc.SetFirmware configure
io.halberd.Remoteproc.Watch observe
io.halberd.Serial.Open configure
io.halberd.Serial.GetLines observe
io.halberd.Serial.SetLines control
io.halberd.Serial.Break control
io.halberd.Serial.Counters observe
io.halberd.Rtc.Get observe
io.halberd.Rtc.Set hazard
io.halberd.Rtc.Wake control
io.halberd.Rtc.CancelWake control
io.halberd.Rtc.Wakes observe
io.halberd.Power.Can observe
io.halberd.Power.Reboot hazard
io.halberd.Power.ForceReboot administer
io.halberd.Power.PowerOff hazard
io.halberd.Power.ForcePowerOff administer
io.halberd.Power.Suspend hazard
io.halberd.Power.ForceSuspend administer
io.halberd.Power.Inhibit configure
io.halberd.Power.Inhibitors observe
io.halberd.Power.Events observe
io.halberd.Radio.Get observe
io.halberd.Radio.Block control
io.halberd.Radio.Unblock control
io.halberd.Radio.Watch observe
io.halberd.Sensor.Get observe
io.halberd.Sensor.Watch observe
io.halberd.Watchdog.Register control
io.halberd.Watchdog.Ping control
io.halberd.Watchdog.Unregister control
io.halberd.Watchdog.Status observe
io.halberd.Watchdog.Arm administer
io.halberd.Watchdog.Disarm administer
io.halberd.I2c.Transfer hazard
io.halberd.I2c.Probe hazard
io.halberd.I2c.Read observe
io.halberd.I2c.Write control
io.halberd.Spi.Transfer control
io.halberd.Spi.Configure configure
io.halberd.Spi.Lease configure
`

func TestVerbs(t *testing.T) {
	cat, err := service.Describe(board.Drivers())
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for line := range strings.Lines(strings.TrimPrefix(verbs, "\n")) {
		listed[strings.TrimSuffix(line, "\n")] = true
	}
	for _, m := range cat.Methods() {
		line := fmt.Sprintf("%s %s", m.FullName(), m.Verb)
		if !listed[line] {
			t.Errorf("%q is not in the table", line)
		}
		delete(listed, line)
	}
	for line := range listed {
		t.Errorf("%q is in the table, and there is no such method", line)
	}
}

var update = flag.Bool("update", false, "write the golden files of testdata anew")

// TestTexts: the interfaces of the service itself read as the golden texts say.
func TestTexts(t *testing.T) {
	cat, err := service.Describe(board.Drivers())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"io.halberd", "io.halberd.Board", "io.halberd.Policy"} {
		golden := filepath.Join("testdata", name+".varlink")
		got := cat.Interface(name).Text
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || got != string(want) {
			t.Errorf("%s is not as in %s (%v):\n%s", name, golden, err, got)
		}
	}
}
