package sim

// Parents for devices: a memory-mapped one, a chip on an I2C bus, and none. Each component of the path below /sys/devices has the name of its subsystem behind the equals sign.
const (
	OnPlatform = "platform/halberd-sim=platform"
	OnI2C      = "platform/halberd-i2c=platform/i2c-1=i2c/1-0048=i2c"
	Virtual    = "virtual"
)

// Sensor is a device of hwmon, a thermal zone or an IIO device to add to the board: its attributes as they read, without line feeds. hwmon and IIO need a name, a thermal zone a type.
type Sensor struct {
	Under      string // its parent device, as OnPlatform; "" for that, and for none in a thermal zone
	Attributes map[string]string
}

// value is what an attribute reads.
type value struct {
	text string
	err  error
}

// AddHwmon adds a device of hwmon and gives its name in /sys: hwmon0.
func (k *Kernel) AddHwmon(s Sensor) string {
	return k.addSensor(s, OnPlatform, "/sys/class/hwmon", "hwmon")
}

// AddZone adds a thermal zone and gives its name in /sys: thermal_zone0.
func (k *Kernel) AddZone(s Sensor) string {
	return k.addSensor(s, Virtual, "/sys/class/thermal", "thermal_zone")
}

// AddIIO adds an IIO device and gives its name in /sys: iio:device0.
func (k *Kernel) AddIIO(s Sensor) string {
	return k.addSensor(s, OnPlatform, "/sys/bus/iio/devices", "iio:device")
}

func (k *Kernel) addSensor(s Sensor, under, list, kind string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	name := k.number(kind)
	n := k.newDevice(or(s.Under, under), list, name, func() { k.addSensor(s, under, list, kind) })
	k.values[name] = map[string]value{}
	for attribute, text := range s.Attributes {
		k.values[name][attribute] = value{text: text}
		n.add(attribute, k.reading(name, attribute))
	}
	k.appear(name)
	return name
}

func (k *Kernel) reading(device, name string) *attribute {
	return &attribute{show: func() (string, error) {
		v := k.values[device][name]
		return v.text + "\n", v.err
	}}
}
