// Package sensor is the class Sensor: what /sys/class/hwmon, the zones of /sys/class/thermal and /sys/bus/iio/devices measure, in one naming.
//
// A sensor's ID is the kernel's name for the device, a slash, and the channel's label or else its name: cpu_thermal/temp1, ina226/Vbus, cpu-thermal/temp, bme280/pressure. Where two are called the
// same, the device's parent stands behind an at sign: lm75@1-0048/temp1. Values are integers in the unit that Get names.
//
// Not among them are hwmon's averages, intrusion contacts and counters of other kinds; fans are read here and set by the class Fan.
//
// Source: Linux Documentation/hwmon/sysfs-interface.rst, driver-api/thermal/sysfs-api.rst, ABI/testing/sysfs-bus-iio.
package sensor

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

const class = "Sensor"

// Sensor is one channel of a device that measures.
type Sensor struct {
	id  string
	env *hal.Env
	*found

	watched watched
	ended   bool // the sensor is gone, or the class closed

	guard      hal.Guard // of what follows
	raw        *sysfs.Attribute
	offset     decimal // added to what is read
	scale      decimal // and then multiplied
	calibrated bool    // the two were read
	limits     *limits // nil until they are asked for, and always where there are none
}

// ID is the name in board.toml, else one made of the kernel's names.
func (s *Sensor) ID() string { return s.id }

// Bus names the bus that the sensor hangs on, where that may be slow.
func (s *Sensor) Bus() string { return s.bus }

// Declaration is the sensor's table in board.toml.
func (s *Sensor) Declaration() string {
	keys := []hal.Key{hal.TextKey(s.kind, s.device)}
	if s.shared {
		keys[0] = hal.TextKey(s.kind, s.device+"@"+s.parent)
	}
	switch s.kind {
	case kindHwmon:
		keys = append(keys, hal.TextKey("input", s.channel))
	case kindIIO:
		keys = append(keys, hal.TextKey("channel", s.channel))
	}
	return hal.Declaration("sensor", s.id, keys...)
}

// found is a channel as it was found in /sys.
type found struct {
	kind    string // the key of board.toml that names the device: hwmon, thermal or iio
	device  string // the kernel's name for the device: cpu_thermal
	parent  string // the device's parent, which tells devices of one name apart: 1-0048
	shared  bool   // another device has the same name; the loop's goroutine alone knows
	dir     string // its folder below /sys/devices
	bus     string
	channel string // temp1, voltage0
	file    string // what to read: temp1_input
	label   string // "" for a channel without one
	quantity
}

// open opens the file that is read.
func open(env *hal.Env, id string, f *found) (*Sensor, error) {
	raw, err := sysfs.Open(env.Kernel, f.dir+"/"+f.file, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	return &Sensor{id: id, env: env, found: f, scale: decimal{1, 0}, raw: raw}, nil
}

// Start has nothing to do: a sensor has no output.
func (s *Sensor) Start(bool) {}

// Unplug lets go of a sensor that is gone, and tells its watchers.
func (s *Sensor) Unplug() {
	for w := range s.watched.running {
		w.fail(hal.GoneDevice(class, s.id))
	}
	s.Close()
}

// Close lets go of the sensor.
func (s *Sensor) Close() {
	s.ended = true
	for w := range s.watched.running {
		w.end()
	}
	s.guard.Close(s.bus, func() {
		s.raw.Close()
		s.limits.close()
	})
}

// read measures, which may wait for the hardware.
func (s *Sensor) read() (int64, error) {
	if err := s.calibrate(); err != nil {
		return 0, err
	}
	text, err := s.raw.ReadText()
	if err != nil {
		return 0, err
	}
	value, err := s.convert(text)
	if err != nil {
		return 0, fmt.Errorf("cannot read %s/%s: %w", s.dir, s.file, err)
	}
	return value, nil
}

// convert turns what the kernel printed into the unit: (raw + offset) * scale, in integers.
func (s *Sensor) convert(text string) (int64, error) {
	n, err := parseDecimal(text)
	if err != nil {
		return 0, err
	}
	if n, err = n.add(s.offset); err != nil {
		return 0, err
	}
	return n.times(s.scale, s.power)
}

// limits are what hwmon has beside a channel's value.
type limits struct {
	minimum, maximum *sysfs.Attribute
	alarms           []*sysfs.Attribute
}

// openLimits opens them when they are asked for first. It runs where the sensor is read.
func (s *Sensor) openLimits() error {
	if s.limits != nil || s.kind != kindHwmon {
		return nil
	}
	l := &limits{}
	for _, a := range []struct {
		suffix string
		keep   func(*sysfs.Attribute)
	}{
		{"_min", func(a *sysfs.Attribute) { l.minimum = a }},
		{"_max", func(a *sysfs.Attribute) { l.maximum = a }},
		{"_alarm", l.alarm}, {"_min_alarm", l.alarm}, {"_max_alarm", l.alarm}, {"_lcrit_alarm", l.alarm}, {"_crit_alarm", l.alarm}, {"_emergency_alarm", l.alarm},
	} {
		opened, err := sysfs.Open(s.env.Kernel, s.dir+"/"+s.channel+a.suffix, unix.O_RDONLY)
		if err == nil {
			a.keep(opened)
		} else if !sysfs.Missing(err) {
			l.close()
			return err
		}
	}
	s.limits = l
	return nil
}

func (l *limits) alarm(a *sysfs.Attribute) { l.alarms = append(l.alarms, a) }

func (l *limits) close() {
	if l == nil {
		return
	}
	l.minimum.Close()
	l.maximum.Close()
	for _, a := range l.alarms {
		a.Close()
	}
}

// optional reads an attribute that may not be there, or of which the driver knows nothing at the moment.
func (s *Sensor) optional(a *sysfs.Attribute) (out hal.Opt[int64], err error) {
	if a == nil {
		return out, nil
	}
	text, err := a.ReadText()
	if unknown(err) {
		return out, nil
	}
	if err == nil {
		out.Set = true
		out.Value, err = s.convert(text)
	}
	return out, err
}

// alarmed reports whether any alarm is on, and nothing where there is none.
func (l *limits) alarmed() (out hal.Opt[bool], err error) {
	for _, a := range l.alarms {
		n, err := a.ReadInt()
		switch {
		case unknown(err):
			continue
		case err != nil:
			return out, err
		}
		out = hal.Some(out.Value || n != 0)
	}
	return out, nil
}

// unknown reports whether a driver has no value for one of its attributes at the moment.
func unknown(err error) bool { return errors.Is(err, unix.ENODATA) }
