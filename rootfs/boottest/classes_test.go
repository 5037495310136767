//go:build boot

package boottest

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestLedSetLightsLine: a light of gpio-leds, seen in sysfs and, active low, at the pin.
func TestLedSetLightsLine(t *testing.T) {
	for _, row := range []struct{ brightness, pin string }{{"1", "0"}, {"0", "1"}} {
		must(t, app, "led", "set", "front", row.brightness)
		if got := read(t, "/sys/class/leds/blue:front/brightness"); got != row.brightness {
			t.Errorf("sysfs says brightness %s, want %s", got, row.brightness)
		}
		if got := read(t, line(t, "1")+"/value"); got != row.pin {
			t.Errorf("the pin is %s at brightness %s, want %s", got, row.brightness, row.pin)
		}
	}
	refused(t, app, "io.halberd.OutOfRange", "led", "set", "front", "2")
}

// TestLedBlinkMovesLine: the kernel's timer trigger does the work, and Set ends it.
func TestLedBlinkMovesLine(t *testing.T) {
	must(t, app, "led", "blink", "front", "30", "40")
	if got := read(t, "/sys/class/leds/blue:front/delay_on") + " " + read(t, "/sys/class/leds/blue:front/delay_off"); got != "30 40" {
		t.Errorf("the trigger has the times %s, want 30 40", got)
	}
	for _, want := range []string{"0", "1", "0"} {
		eventually(t, "the pin is "+want, func() bool { return read(t, line(t, "1")+"/value") == want })
	}
	must(t, app, "led", "set", "front", "0")
	if got := read(t, "/sys/class/leds/blue:front/trigger"); !strings.Contains(got, "[none]") {
		t.Errorf("the triggers are %s after Set, want [none]", got)
	}
}

// TestLedOfPWM: a light with 256 steps, on leds-pwm over pwm-gpio.
func TestLedOfPWM(t *testing.T) {
	must(t, 0, "led", "set", "lamp", "128")
	if got := read(t, "/sys/class/leds/white:lamp/brightness"); got != "128" {
		t.Errorf("sysfs says %s, want 128", got)
	}
	pwm := read(t, "/sys/kernel/debug/pwm")
	if _, after, _ := strings.Cut(pwm, "platform/pwm-1,"); !strings.Contains(strings.SplitN(after, "\n", 3)[1], "duty: 10039215 ns") {
		t.Errorf("the PWM of the lamp is not on for 128/255 of 20 ms:\n%s", pwm)
	}
	refused(t, 0, "io.halberd.OutOfRange", "led", "set", "lamp", "256")
	must(t, 0, "led", "set", "lamp", "0")
}

// TestLedOfUleds: a light whose driver is this test (uleds): it appears, and the driver hears what is set; it goes with its driver.
func TestLedOfUleds(t *testing.T) {
	driver, err := os.OpenFile("/dev/uleds", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer driver.Close()
	var device [68]byte // struct uleds_user_dev
	copy(device[:], "plug:light")
	binary.NativeEndian.PutUint32(device[64:], 100)
	if _, err := driver.Write(device[:]); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the light is listed", func() bool { return strings.Contains(must(t, 0, "list", "Led"), "plug-light") })
	must(t, 0, "led", "set", "plug-light", "42")
	var heard [4]byte
	for got := uint32(0); got != 42; {
		if _, err := driver.Read(heard[:]); err != nil {
			t.Fatal(err)
		}
		if got = binary.NativeEndian.Uint32(heard[:]); got != 42 && got != 0 {
			t.Fatalf("the driver heard %d, want 42", got)
		}
	}
	if err := driver.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the light is listed no more", func() bool { return !strings.Contains(must(t, 0, "list", "Led"), "plug-light") })
	refused(t, 0, "io.halberd.DeviceGone", "led", "set", "plug-light", "1")
}

// TestSensorOfLM75: what the chip's register says is what an app reads.
func TestSensorOfLM75(t *testing.T) {
	bus := stubBus(t)
	for _, row := range []struct {
		register string
		want     float64
	}{{"0x8019", 25500}, {"0x0032", 50000}, {"0x00e7", -25000}} {
		run(t, "i2cset", "-f", "-y", bus, "0x48", "0", row.register, "w")
		eventually(t, "the temperature is "+strconv.FormatFloat(row.want, 'f', -1, 64), func() bool { // the driver keeps a value for up to 1.5 s
			return sensor(t, app, "outside") == row.want
		})
	}
	run(t, "i2cset", "-f", "-y", bus, "0x48", "0", "0x8019", "w")
}

// TestSensorOfIIO: of the simulated converter, against sysfs.
func TestSensorOfIIO(t *testing.T) {
	folder := find(t, "/sys/bus/iio/devices/iio:device*")
	raw, scale := number(t, folder+"/in_voltage0_raw"), number(t, folder+"/in_voltage0_scale")
	offset := number(t, folder+"/in_voltage0_offset")
	got := sensor(t, app, "converter/voltage0")
	if want := math.Round((raw + offset) * scale * 1000); got != want {
		t.Errorf("the voltage is %v µV, and sysfs says (%v + %v) × %v mV", got, raw, offset, scale)
	}
}

// TestSensorOfPowerSupply: a battery's voltage and temperature follow the driver's.
func TestSensorOfPowerSupply(t *testing.T) {
	write(t, "/sys/module/test_power/parameters/battery_voltage", "4100000")
	list := must(t, 0, "list", "Sensor")
	if !strings.Contains(list, "test_battery/in0") {
		t.Fatalf("the battery's voltage is not listed:\n%s", list)
	}
	eventually(t, "the voltage is 4,100,000 µV", func() bool { return sensor(t, 0, "test_battery/in0") == 4100000 })
}

// TestSensorOfFan: the speed of gpio-fan follows its lines.
func TestSensorOfFan(t *testing.T) {
	var folder string
	names, _ := filepath.Glob("/sys/class/hwmon/hwmon*/name")
	for _, name := range names {
		if read(t, name) == "gpio_fan" {
			folder = filepath.Dir(name)
		}
	}
	write(t, folder+"/pwm1_enable", "1")
	write(t, folder+"/fan1_target", "3000")
	if got := sensor(t, app, "gpio_fan/fan1"); got != 3000 {
		t.Errorf("the fan's speed is %v, want 3000", got)
	}
	if got := read(t, line(t, "3")+"/value") + read(t, line(t, "4")+"/value"); got != "01" {
		t.Errorf("the fan's lines are %s, want 01", got)
	}
}

// TestSensorWatch: the first report is the present value, and a change follows.
func TestSensorWatch(t *testing.T) {
	first := must(t, app, "call", "io.halberd.Sensor.Watch", `{"sensors":["outside"]}`)
	if !strings.Contains(first, "25500") {
		t.Errorf("without more, Watch gives %s, want the present value 25500", first)
	}
}

// stubBus is the number of the simulated I2C bus.
func stubBus(t testing.TB) string {
	t.Helper()
	names, _ := filepath.Glob("/sys/class/i2c-dev/i2c-*/name")
	for _, name := range names {
		if strings.Contains(read(t, name), "SMBus stub") {
			return strings.TrimPrefix(filepath.Base(filepath.Dir(name)), "i2c-")
		}
	}
	t.Fatal("there is no simulated I2C bus")
	return ""
}

func number(t testing.TB, path string) float64 {
	t.Helper()
	n, err := strconv.ParseFloat(read(t, path), 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// sensor is the value that an app reads.
func sensor(t testing.TB, uid uint32, id string) float64 {
	t.Helper()
	var reply struct{ Value float64 }
	decode(t, must(t, uid, "call", "io.halberd.Sensor.Get", `{"sensor":"`+id+`"}`), &reply)
	return reply.Value
}

// TestDetectDescribesBoard: what `halberd detect` prints is a board.toml that `halberd check` accepts, with the real chips in it.
func TestDetectDescribesBoard(t *testing.T) {
	text := run(t, "halberd", "detect")
	for _, want := range []string{"[gpio.", `chip = "board"`, "[led.", "[sensor."} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %s in:\n%s", want, text)
		}
	}
	dir := t.TempDir()
	write(t, dir+"/board.toml", text)
	if o := start(t, 0, nil, "halberd", "check", "-config", dir); o.status != 0 {
		t.Errorf("halberd check: exit status %d: %s", o.status, o.all())
	}
}
