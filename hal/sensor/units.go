package sensor

import "strings"

// units are what values are counted in.
var units = []string{"milli_celsius", "micro_volt", "micro_ampere", "micro_watt", "micro_joule", "rpm", "milli_percent", "pascal", "milli_lux", "milli_ohm",
	"micro_meter_per_second_squared", "micro_radian_per_second", "micro_gauss", "count"}

// quantity is what a kind of channel measures: the value in the unit is what the kernel gives times 10^power.
type quantity struct {
	prefix string // of the channel's name, before its number
	unit   string
	power  int
}

// hwmonQuantities follow Linux Documentation/hwmon/sysfs-interface.rst.
var hwmonQuantities = []quantity{
	{"temp", "milli_celsius", 0},
	{"in", "micro_volt", 3},
	{"curr", "micro_ampere", 3},
	{"power", "micro_watt", 0},
	{"energy", "micro_joule", 0},
	{"fan", "rpm", 0},
	{"humidity", "milli_percent", 0},
}

// iioQuantities follow Linux Documentation/ABI/testing/sysfs-bus-iio. A channel of any other kind is left out.
var iioQuantities = []quantity{
	{"temp", "milli_celsius", 0},
	{"voltage", "micro_volt", 3},
	{"current", "micro_ampere", 3},
	{"power", "micro_watt", 3},
	{"energy", "micro_joule", 6},
	{"humidityrelative", "milli_percent", 0},
	{"pressure", "pascal", 3},
	{"illuminance", "milli_lux", 3},
	{"resistance", "milli_ohm", 3},
	{"accel", "micro_meter_per_second_squared", 6},
	{"anglvel", "micro_radian_per_second", 6},
	{"magn", "micro_gauss", 6},
	{"proximity", "count", 0},
}

// quantityOf finds what a channel measures: temp1, in0, voltage0-voltage1, accel_x.
func quantityOf(all []quantity, channel string) (quantity, bool) {
	for _, q := range all {
		rest, ok := strings.CutPrefix(channel, q.prefix)
		if ok && (rest == "" || rest[0] < 'a' || rest[0] > 'z') {
			return q, true
		}
	}
	return quantity{}, false
}
