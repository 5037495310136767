package sensor

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
)

type attributes = map[string]string

// lm75 is a temperature sensor on an I2C bus, at an address.
func lm75(address, celsius string) sim.Sensor {
	return sim.Sensor{Under: "platform/soc=platform/i2c-1=i2c/1-" + address + "=i2c",
		Attributes: attributes{"name": "lm75", "temp1_input": celsius, "temp1_max": "80000", "temp1_max_hyst": "75000"}}
}

// bench is a bare board with sensors of each kind.
func bench() *sim.Kernel {
	k := sim.New(sim.Options{Bare: true})
	k.AddHwmon(lm75("0048", "21500"))
	k.AddHwmon(lm75("0049", "-3250"))
	k.AddHwmon(sim.Sensor{Attributes: attributes{
		"name": "supply", "in0_input": "12034", "in0_label": "Main Rail", "in0_min": "10800", "in0_max": "13200", "in0_alarm": "0", "in0_crit_alarm": "1",
		"curr1_input": "1500", "power1_input": "18051000", "energy1_input": "5", "fan1_input": "2400", "fan1_min": "600", "humidity1_input": "45500",
		"pwm1": "128", "power1_average": "1", "intrusion0_alarm": "0",
	}})
	k.AddZone(sim.Sensor{Attributes: attributes{"type": "cpu-thermal", "temp": "48312"}})
	k.AddIIO(sim.Sensor{Attributes: attributes{
		"name": "adc", "in_voltage0_raw": "2048", "in_voltage1_raw": "-17", "in_voltage_scale": "0.805664062", "in_voltage1_scale": "1.5", "in_voltage1_offset": "-3",
		"in_voltage0-voltage1_raw": "100", "in_voltage-voltage_scale": "0.5", "in_voltage0_label": "VBAT",
		"in_temp_raw": "911", "in_temp_offset": "-600.25", "in_temp_scale": "100.5", "in_count0_raw": "7", "in_timestamp_en": "0",
	}})
	k.AddIIO(sim.Sensor{Attributes: attributes{
		"name": "env", "in_pressure_input": "101.325000000", "in_humidityrelative_input": "45123", "in_temp_input": "21340", "in_temp_raw": "5",
		"in_illuminance_input": "12.5", "in_accel_x_raw": "-512", "in_accel_scale": "0.009576806", "in_proximity_raw": "33",
	}})
	return k
}

func TestGet(t *testing.T) {
	b := simtest.Open(t, Driver(), bench(), false)
	want := map[string]string{
		"lm75@1-0048/temp1":     `{"value":21500,"unit":"milli_celsius","maximum":80000}`,
		"lm75@1-0049/temp1":     `{"value":-3250,"unit":"milli_celsius","maximum":80000}`,
		"supply/Main%20Rail":    `{"value":12034000,"unit":"micro_volt","label":"Main Rail","minimum":10800000,"maximum":13200000,"alarm":true}`,
		"supply/curr1":          `{"value":1500000,"unit":"micro_ampere"}`,
		"supply/power1":         `{"value":18051000,"unit":"micro_watt"}`,
		"supply/energy1":        `{"value":5,"unit":"micro_joule"}`,
		"supply/fan1":           `{"value":2400,"unit":"rpm","minimum":600}`,
		"supply/humidity1":      `{"value":45500,"unit":"milli_percent"}`,
		"cpu-thermal/temp":      `{"value":48312,"unit":"milli_celsius"}`,
		"adc/VBAT":              `{"value":1650000,"unit":"micro_volt","label":"VBAT"}`, // 2048 × 0.805664062 mV = 1649.999998976 mV
		"adc/voltage1":          `{"value":-30000,"unit":"micro_volt"}`,                 // (-17 - 3) × 1.5 mV
		"adc/voltage0-voltage1": `{"value":50000,"unit":"micro_volt"}`,
		"adc/temp":              `{"value":31230,"unit":"milli_celsius"}`, // (911 - 600.25) × 100.5 = 31230.375
		"env/pressure":          `{"value":101325,"unit":"pascal"}`,
		"env/humidityrelative":  `{"value":45123,"unit":"milli_percent"}`,
		"env/temp":              `{"value":21340,"unit":"milli_celsius"}`,
		"env/illuminance":       `{"value":12500,"unit":"milli_lux"}`,
		"env/accel_x":           `{"value":-4903325,"unit":"micro_meter_per_second_squared"}`, // -512 × 0.009576806 = -4.903324672
		"env/proximity":         `{"value":33,"unit":"count"}`,
	}
	for id, reply := range want {
		b.Expect("Get", `{"sensor":"`+id+`"}`, reply)
	}
	for i := range b.Class.Devices.Len() {
		if id := b.Class.Devices.At(i).ID(); want[id] == "" {
			t.Errorf("there is a sensor %s too", id)
		}
	}
}

func TestBuses(t *testing.T) {
	b := simtest.Open(t, Driver(), bench(), false)
	want := map[string]string{"lm75@1-0048/temp1": "i2c-1", "cpu-thermal/temp": "thermal_zone0", "adc/temp": "", "supply/fan1": ""}
	for i := range b.Class.Devices.Len() {
		d := b.Class.Devices.At(i)
		if bus, named := want[d.ID()]; named && d.Bus() != bus {
			t.Errorf("%s: got bus %q, want %q", d.ID(), d.Bus(), bus)
		}
	}
}

func declare(id, keys string) simtest.Entry {
	return simtest.Entry{Table: "sensor", ID: id, Keys: keys}
}

func TestDeclared(t *testing.T) {
	for _, c := range []struct{ name, keys, unit, gone string }{
		{"hwmon by channel", `{"hwmon":"supply","input":"in0"}`, "micro_volt", "supply/Main%20Rail"},
		{"hwmon by label", `{"hwmon":"supply","input":"Main Rail"}`, "micro_volt", "supply/Main%20Rail"},
		{"hwmon by parent", `{"hwmon":"lm75@1-0049","input":"temp1"}`, "milli_celsius", "lm75@1-0049/temp1"},
		{"a thermal zone", `{"thermal":"cpu-thermal"}`, "milli_celsius", "cpu-thermal/temp"},
		{"IIO", `{"iio":"env","channel":"pressure"}`, "pascal", "env/pressure"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := simtest.Open(t, Driver(), bench(), false, declare("x", c.keys))
			if got := b.Call("Get", `{"sensor":"x"}`); !strings.Contains(got, `"unit":"`+c.unit+`"`) {
				t.Errorf("got %s, want %s", got, c.unit)
			}
			b.Expect("Get", `{"sensor":"`+c.gone+`"}`, `NoSuchDevice{"class":"Sensor","device":"`+c.gone+`"}`)
		})
	}
}

// TestDeclaredNames: a name of board.toml is never that of other hardware.
func TestDeclaredNames(t *testing.T) {
	b := simtest.Open(t, Driver(), bench(), false, declare("cpu-thermal/temp", `{"hwmon":"missing","input":"temp1"}`))
	b.Expect("Get", `{"sensor":"cpu-thermal/temp"}`, `NoSuchDevice{"class":"Sensor","device":"cpu-thermal/temp"}`)
}

func TestBoardErrors(t *testing.T) {
	for _, c := range []struct{ name, keys, want string }{
		{"ambiguous", `{"hwmon":"lm75","input":"temp1"}`, `board.toml:1: sensor.x: hwmon "lm75" with "temp1" is in /sys/devices/platform/soc/i2c-1/1-0048/hwmon/hwmon0 and in ` +
			`/sys/devices/platform/soc/i2c-1/1-0049/hwmon/hwmon1: name the parent, as lm75@1-0048`},
		{"no device", `{"input":"temp1"}`, `board.toml:1: sensor.x: exactly one of hwmon, thermal and iio names the device`},
		{"two devices", `{"hwmon":"a","input":"b","thermal":"c"}`, `board.toml:1: sensor.x: exactly one of hwmon, thermal and iio names the device`},
		{"hwmon without input", `{"hwmon":"supply"}`, `board.toml:1: sensor.x: input goes with hwmon`},
		{"thermal with input", `{"thermal":"cpu-thermal","input":"temp1"}`, `board.toml:1: sensor.x: input goes with hwmon`},
		{"iio without channel", `{"iio":"env"}`, `board.toml:1: sensor.x: channel goes with iio`},
		{"hwmon with channel", `{"hwmon":"supply","input":"in0","channel":"x"}`, `board.toml:1: sensor.x: channel goes with iio`},
	} {
		t.Run(c.name, func(t *testing.T) {
			simtest.ExpectRefused(t, Driver(), bench(), c.want, declare("x", c.keys))
		})
	}
	simtest.ExpectRefused(t, Driver(), bench(), `board.toml:2: sensor.y: cpu-thermal/temp is sensor.x already, at board.toml:1`,
		declare("x", `{"thermal":"cpu-thermal"}`), declare("y", `{"thermal":"cpu-thermal"}`))
}

func TestMissingSensorIsLeftOut(t *testing.T) {
	b := simtest.Open(t, Driver(), bench(), false, declare("x", `{"hwmon":"gone","input":"temp1"}`))
	b.Expect("Get", `{"sensor":"x"}`, `NoSuchDevice{"class":"Sensor","device":"x"}`)
	if !strings.Contains(b.Log.String(), "device=x") {
		t.Errorf("the log does not name it: %s", b.Log.String())
	}
}

func TestSameNames(t *testing.T) {
	k := sim.New(sim.Options{Bare: true})
	zone := sim.Sensor{Attributes: attributes{"type": "soc", "temp": "1"}}
	k.AddZone(zone)
	k.AddZone(zone)
	k.AddHwmon(sim.Sensor{Attributes: attributes{"name": "two", "temp1_input": "1", "temp1_label": "Core", "temp2_input": "2", "temp2_label": "Core", "temp3_input": "3"}})
	b := simtest.Open(t, Driver(), k, false)
	var got []string
	for i := range b.Class.Devices.Len() {
		got = append(got, b.Class.Devices.At(i).ID())
	}
	want := "soc@thermal_zone0/temp soc@thermal_zone1/temp two/temp3 two@halberd-sim/temp1 two@halberd-sim/temp2"
	if got := strings.Join(got, " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestReadingsThatFail(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false)
	for _, c := range []struct {
		name, id, device, attribute string
		err                         error
		text, want                  string
	}{
		{"EIO", "supply/fan1", "hwmon2", "fan1_input", unix.EIO, "", `System{"origin":"linux","errno":5,"errnoName":"EIO"}`},
		{"EAGAIN of a zone", "cpu-thermal/temp", "thermal_zone0", "temp", unix.EAGAIN, "", `System{"origin":"linux","errno":11,"errnoName":"EAGAIN"}`},
		{"EBUSY", "adc/temp", "iio:device0", "in_temp_raw", unix.EBUSY, "", `Busy{"class":"Sensor","device":"adc/temp"}`},
		{"ETIMEDOUT", "lm75@1-0048/temp1", "hwmon0", "temp1_input", unix.ETIMEDOUT, "", `Timeout{"class":"Sensor","device":"lm75@1-0048/temp1"}`},
		{"a limit", "supply/Main%20Rail", "hwmon2", "in0_min", unix.EIO, "", `System{"origin":"linux","errno":5,"errnoName":"EIO"}`},
		{"no number", "supply/curr1", "hwmon2", "curr1_input", nil, "n/a", `failure: cannot read /sys/devices/platform/halberd-sim/hwmon/hwmon2/curr1_input: not a decimal number`},
		{"beyond 64 bits", "supply/curr1", "hwmon2", "curr1_input", nil, "9223372036854775807",
			`failure: cannot read /sys/devices/platform/halberd-sim/hwmon/hwmon2/curr1_input: the reading does not fit 64 bits`},
	} {
		if c.err != nil {
			k.FailAttribute(c.device, c.attribute, c.err)
		} else {
			k.SetAttribute(c.device, c.attribute, c.text)
		}
		b.Expect("Get", `{"sensor":"`+c.id+`"}`, c.want)
	}
}

// TestLimits: what a channel's driver has beside its value, and what of that it does not know at the moment.
func TestLimits(t *testing.T) {
	for _, c := range []struct {
		name, want string
		attributes attributes
		unknown    string
	}{
		{"none", `{"value":40,"unit":"milli_celsius"}`, attributes{}, ""},
		{"both", `{"value":40,"unit":"milli_celsius","minimum":-5,"maximum":80}`, attributes{"temp1_min": "-5", "temp1_max": "80"}, ""},
		{"one that is unknown", `{"value":40,"unit":"milli_celsius","maximum":80}`, attributes{"temp1_min": "-5", "temp1_max": "80"}, "temp1_min"},
		{"an alarm that is off", `{"value":40,"unit":"milli_celsius","alarm":false}`, attributes{"temp1_alarm": "0"}, ""},
		{"one of several alarms", `{"value":40,"unit":"milli_celsius","alarm":true}`, attributes{"temp1_min_alarm": "0", "temp1_lcrit_alarm": "1", "temp1_max_alarm": "0"}, ""},
		{"the last alarm", `{"value":40,"unit":"milli_celsius","alarm":true}`, attributes{"temp1_crit_alarm": "0", "temp1_emergency_alarm": "1"}, ""},
		{"an alarm that is unknown", `{"value":40,"unit":"milli_celsius"}`, attributes{"temp1_alarm": "1"}, "temp1_alarm"},
		{"an alarm of another channel", `{"value":40,"unit":"milli_celsius"}`, attributes{"temp2_alarm": "1"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := sim.New(sim.Options{Bare: true})
			c.attributes["name"], c.attributes["temp1_input"] = "chip", "40"
			k.AddHwmon(sim.Sensor{Attributes: c.attributes})
			if c.unknown != "" {
				k.FailAttribute("hwmon0", c.unknown, unix.ENODATA)
			}
			simtest.Open(t, Driver(), k, false).Expect("Get", `{"sensor":"chip/temp1"}`, c.want)
		})
	}
}

func TestWatch(t *testing.T) {
	for _, c := range []struct{ name, id, device, attribute, in string }{
		{"quick", "supply/fan1", "hwmon2", "fan1_input", ``},
		{"slow", "lm75@1-0048/temp1", "hwmon0", "temp1_input", ``},
		{"slow, every 100 ms", "cpu-thermal/temp", "thermal_zone0", "temp", `,"everyMSec":100`},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := bench()
			b := simtest.Open(t, Driver(), k, false)
			k.SetAttribute(c.device, c.attribute, "100")
			w := b.Watch("Watch", `{"sensors":["`+c.id+`"]`+c.in+`}`)
			value := func(text string) string {
				unit := "milli_celsius"
				if c.name == "quick" {
					unit = "rpm"
				}
				return `{"sensor":"` + c.id + `","value":` + text + `,"unit":"` + unit + `"}`
			}
			every := time.Second
			if c.in != "" {
				every = 100 * time.Millisecond
			}
			w.Expect(value("100"))
			b.Loop.Advance(3 * every)
			w.Expect()
			k.SetAttribute(c.device, c.attribute, "101")
			b.Loop.Advance(every - 1)
			w.Expect()
			b.Loop.Advance(1)
			w.Expect(value("101"))
			k.FailAttribute(c.device, c.attribute, unix.EIO)
			b.Loop.Advance(every)
			k.SetAttribute(c.device, c.attribute, "99")
			w.Expect()
			b.Loop.Advance(every)
			w.Expect(value("99"))
			w.Stop()
			k.SetAttribute(c.device, c.attribute, "1")
			b.Loop.Advance(every)
			w.Expect()
			if n := b.Loop.Timers(); n != 0 {
				t.Errorf("%d timers run with nobody watching", n)
			}
		})
	}
}

func TestThresholds(t *testing.T) {
	for _, c := range []struct{ name, in, readings, want string }{
		{"above", `,"above":50`, "40 50 51 60 50 51", "30 51 50 51"},
		{"below", `,"below":20`, "20 19 5 20 10", "30 19 20 10"},
		{"both", `,"above":50,"below":20`, "45 70 10 30 31", "30 70 10 30"},
		{"it begins above", `,"above":25`, "26 25 26", "30 25 26"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := bench()
			b := simtest.Open(t, Driver(), k, false)
			k.SetAttribute("hwmon2", "fan1_input", "30")
			w := b.Watch("Watch", `{"sensors":["supply/fan1"]`+c.in+`}`)
			for _, reading := range strings.Fields(c.readings) {
				k.SetAttribute("hwmon2", "fan1_input", reading)
				b.Loop.Advance(time.Second)
			}
			var got []string
			for e := range strings.SplitSeq(w.Events(), "\n") {
				_, value, _ := strings.Cut(e, `"value":`)
				value, _, _ = strings.Cut(value, ",")
				got = append(got, value)
			}
			if got := strings.Join(got, " "); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestWatchSurvivesABusyWorker(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false)
	w := b.Watch("Watch", `{"sensors":["lm75@1-0048/temp1"]}`)
	w.Events()
	k.SetAttribute("hwmon0", "temp1_input", "1")
	b.Loop.Full = true
	b.Loop.Advance(3 * time.Second)
	w.Expect()
	b.Loop.Full = false
	b.Loop.Advance(time.Second)
	w.Expect(`{"sensor":"lm75@1-0048/temp1","value":1,"unit":"milli_celsius"}`)
}

func TestUnplug(t *testing.T) {
	for _, c := range []struct{ id, device string }{{"supply/fan1", "hwmon2"}, {"lm75@1-0048/temp1", "hwmon0"}} {
		k := bench()
		b := simtest.Open(t, Driver(), k, false)
		w := b.Watch("Watch", `{"sensors":["`+c.id+`"]}`)
		k.Unplug(c.device)
		gone := `DeviceGone{"class":"Sensor","device":"` + c.id + `"}`
		b.Expect("Get", `{"sensor":"`+c.id+`"}`, gone)
		b.Loop.Advance(time.Second)
		if w.Failed == nil || simtest.Text(w.Failed) != gone {
			t.Errorf("%s: the watch ended with %v", c.id, w.Failed)
		}
		if n := b.Loop.Timers(); n != 0 {
			t.Errorf("%d timers run with nobody watching", n)
		}
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false)
	b.Call("Get", `{"sensor":"supply/Main%20Rail"}`)
	b.Watch("Watch", `{"sensors":["supply/fan1","cpu-thermal/temp"]}`)
	b.Close()
	b.Loop.Advance(3 * time.Second)
	if n := k.Opened(); n != 0 {
		t.Errorf("%d descriptors are left open", n)
	}
	if n := b.Loop.Timers(); n != 0 {
		t.Errorf("%d timers are left", n)
	}
}

// What the devices say for board.toml names the same devices again, each by itself.
func TestDeclaration(t *testing.T) {
	simtest.ExpectDeclarations(t, Driver(), bench())
}

func TestTree(t *testing.T) {
	b := simtest.Open(t, Driver(), simtest.Tree(t, "testdata/rpi4.tree"), false, declare("air", `{"iio":"bme280","channel":"pressure"}`))
	want := map[string]string{
		"air":                       `i2c-1 {"value":99318,"unit":"pascal"}`,
		"ads1015/voltage0":          `i2c-1 {"value":3126000,"unit":"micro_volt"}`,
		"ads1015/voltage0-voltage1": `i2c-1 {"value":-1000,"unit":"micro_volt"}`,
		"ads1015/voltage1":          `i2c-1 {"value":3129000,"unit":"micro_volt"}`,
		"bme280/humidityrelative":   `i2c-1 {"value":46532,"unit":"milli_percent"}`,
		"bme280/temp":               `i2c-1 {"value":22470,"unit":"milli_celsius"}`,
		"cpu-thermal/temp":          `thermal_zone0 {"value":52095,"unit":"milli_celsius"}`,
		"cpu_thermal/temp1":         `thermal_zone0 {"value":52582,"unit":"milli_celsius"}`,
		"ina219/curr1":              `i2c-1 {"value":204000,"unit":"micro_ampere"}`,
		"ina219/in0":                `i2c-1 {"value":20000,"unit":"micro_volt"}`,
		"ina219/in1":                `i2c-1 {"value":5068000,"unit":"micro_volt"}`,
		"ina219/power1":             `i2c-1 {"value":1040000,"unit":"micro_watt"}`,
		"lm75@1-0048/temp1":         `i2c-1 {"value":23875,"unit":"milli_celsius","maximum":80000}`,
		"lm75@1-0049/temp1":         `i2c-1 {"value":23875,"unit":"milli_celsius","maximum":80000}`,
	}
	for i := range b.Class.Devices.Len() {
		d := b.Class.Devices.At(i)
		if got := d.Bus() + " " + b.Call("Get", `{"sensor":"`+d.ID()+`"}`); got != want[d.ID()] {
			t.Errorf("%s: got %s, want %s", d.ID(), got, want[d.ID()])
		}
	}
	if n := b.Class.Devices.Len(); n != len(want) {
		t.Errorf("got %d sensors, want %d", n, len(want))
	}
}
