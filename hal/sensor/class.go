package sensor

import (
	"errors"
	"time"

	"github.com/halberd-io/halberd/hal"
)

// Driver joins the class to the board.
func Driver() hal.Driver {
	return hal.Driver{
		Class:  class,
		Tables: []hal.Table{hal.NewTable[entry]("sensor", "A channel of hwmon or IIO, or a thermal zone.")},
		Open:   Open,
	}
}

// entry is a [sensor.ID] of board.toml.
type entry struct{ Hwmon, Input, Thermal, IIO, Channel hal.Opt[string] }

func (e *entry) Fields(f *hal.Fields) {
	f.OptText("hwmon", &e.Hwmon, "The name of a hwmon device; name@parent where several have that name.")
	f.OptText("input", &e.Input, "With hwmon: the channel, as temp1, or its label.")
	f.OptText("thermal", &e.Thermal, "The type of a thermal zone; type@thermal_zoneN where several have that type.")
	f.OptText("iio", &e.IIO, "The name of an IIO device; name@parent where several have that name.")
	f.OptText("channel", &e.Channel, "With iio: the channel, as voltage0, or its label.")
}

// Place is the channel that the entry is about.
func (e *entry) Place() string {
	kind, device, channel, _ := e.choice()
	return kind + " " + device + " " + channel
}

// Check finds what contradicts itself.
func (e *entry) Check() error {
	_, _, _, err := e.choice()
	return err
}

// choice is what an entry means: the kind of device, its name, and the channel.
func (e *entry) choice() (kind, device, channel string, err error) {
	n := 0
	for _, one := range []struct {
		kind            string
		device, channel hal.Opt[string]
	}{{kindHwmon, e.Hwmon, e.Input}, {kindThermal, e.Thermal, hal.Some("temp")}, {kindIIO, e.IIO, e.Channel}} {
		if one.device.Set {
			n++
			kind, device, channel = one.kind, one.device.Value, one.channel.Value
		}
	}
	switch {
	case n != 1:
		err = errors.New("exactly one of hwmon, thermal and iio names the device")
	case e.Input.Set != (kind == kindHwmon):
		err = errors.New("input goes with hwmon")
	case e.Channel.Set != (kind == kindIIO):
		err = errors.New("channel goes with iio")
	}
	return kind, device, channel, err
}

// matches reports whether a channel is the one that an entry means.
func (f *found) matches(kind, device, channel string) bool {
	return f.kind == kind && (f.device == device || f.device+"@"+f.parent == device) && (f.channel == channel || f.label == channel)
}

// Open finds the sensors of all kinds.
func Open(env *hal.Env) (*hal.Class, error) {
	r := newRoster(env)
	return r.Class(&hal.Class{
		Name: class, Doc: "What the board measures: temperatures, voltages, currents, speeds and more.",
		Methods: methods(r.Set), Subsystems: []string{"hwmon", "thermal", "iio"},
	})
}

func methods(sensors *hal.Set[*Sensor]) []*hal.Method {
	return []*hal.Method{
		hal.On(sensors, hal.Observe, "Get", "Measures, with what the hardware says about limits.", (*Sensor).get),
		hal.Follow(sensors, hal.Observe, "Watch", "Measures again and again, and reports each change; with a threshold, only when it is crossed, in either direction.",
			(*Sensor).getEvent, (*Sensor).startWatch),
	}
}

type getOut struct {
	Value            int64
	Unit             string
	Label            hal.Opt[string]
	Minimum, Maximum hal.Opt[int64]
	Alarm            hal.Opt[bool]
}

func (r *getOut) Fields(f *hal.Fields) {
	f.Int("value", &r.Value, hal.Unitless, "What was measured, in the unit.")
	f.Enum("unit", &r.Unit, units, "What the value counts.")
	f.OptText("label", &r.Label, "What the hardware's maker calls it.")
	f.OptInt("minimum", &r.Minimum, hal.Unitless, "The lower limit that is set in the hardware, in the unit.")
	f.OptInt("maximum", &r.Maximum, hal.Unitless, "The upper limit that is set in the hardware, in the unit.")
	f.OptBool("alarm", &r.Alarm, "The hardware says that a limit is exceeded.")
}

func (s *Sensor) get(_ *hal.None, out *getOut) error {
	out.Unit, out.Label = s.unit, hal.Opt[string]{Value: s.label, Set: s.label != ""}
	var err error
	if out.Value, err = s.measure(); err == nil {
		err = s.guard.Do(func() error { return s.fill(out) })
	}
	return hal.Refuse(class, s.id, err)
}

// fill reads the limits.
func (s *Sensor) fill(out *getOut) (err error) {
	if err := s.openLimits(); err != nil || s.limits == nil {
		return err
	}
	if out.Minimum, err = s.optional(s.limits.minimum); err != nil {
		return err
	}
	if out.Maximum, err = s.optional(s.limits.maximum); err != nil {
		return err
	}
	out.Alarm, err = s.limits.alarmed()
	return err
}

// measure reads, and remembers what was read for watches that begin.
func (s *Sensor) measure() (value int64, err error) {
	err = s.guard.Do(func() error {
		value, err = s.read()
		return err
	})
	if err == nil {
		s.watched.last.Store(value)
	}
	return value, err
}

type watchIn struct{ Above, Below, EveryMSec hal.Opt[int64] }

func (p *watchIn) Fields(f *hal.Fields) {
	f.OptInt("above", &p.Above, hal.Unitless, "A threshold, in the sensor's unit: tell when the value rises above it or falls back.")
	f.OptInt("below", &p.Below, hal.Unitless, "A threshold, in the sensor's unit: tell when the value falls below it or rises back.")
	f.OptIntIn("everyMSec", &p.EveryMSec, 100, 3_600_000, hal.Milliseconds, "How often to measure; 1000 where it is left out.")
}

type event struct {
	Sensor string
	Value  int64
	Unit   string
}

func (e *event) Fields(f *hal.Fields) {
	f.Text("sensor", &e.Sensor, "The sensor.")
	f.Int("value", &e.Value, hal.Unitless, "What was measured, in the unit.")
	f.Enum("unit", &e.Unit, units, "What the value counts.")
}

func (s *Sensor) getEvent(_ *watchIn, out *event) error {
	value, err := s.measure()
	*out = event{s.id, value, s.unit}
	return hal.Refuse(class, s.id, err)
}

func (s *Sensor) startWatch(in *watchIn, w *hal.Watcher[event]) (stop func(), err error) {
	if s.ended {
		return nil, hal.GoneDevice(class, s.id)
	}
	looking := &watch{sensor: s, every: time.Duration(in.EveryMSec.Or(1000)) * time.Millisecond, above: in.Above, below: in.Below,
		emit: func(value int64) { w.Emit(&event{s.id, value, s.unit}) }, fail: w.Fail}
	return looking.begin(), nil
}
