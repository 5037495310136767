package sensor

import (
	"errors"
	"fmt"
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
	sensors := hal.NewSet[*Sensor](class, "sensor")
	closeAll := func() {
		for _, s := range sensors.All() {
			s.close()
		}
	}
	if err := openAll(env, sensors); err != nil {
		closeAll()
		return nil, err
	}
	return &hal.Class{Name: class, Doc: "What the board measures: temperatures, voltages, currents, speeds and more.", Methods: methods(sensors), Devices: sensors, Close: closeAll}, nil
}

func openAll(env *hal.Env, sensors *hal.Set[*Sensor]) error {
	all, err := findAll(env)
	if err != nil {
		return err
	}
	ids, err := name(env, all)
	if err != nil {
		return err
	}
	for i, f := range all {
		if ids[i] == "" {
			env.Log.Warn("a sensor is left out: board.toml gives its name to another one", "device", f.device, "channel", f.channel)
			continue
		}
		s, err := open(env, ids[i], f)
		if err != nil {
			env.Log.Warn("cannot open a sensor", "sensor", ids[i], "err", err)
			continue
		}
		if err := sensors.Add(s); err != nil {
			s.close()
			return err
		}
	}
	return nil
}

// name gives each channel the ID of board.toml, or one of its own.
func name(env *hal.Env, all []found) ([]string, error) {
	ids := nameAll(all)
	declared := map[int]*hal.Entry{}
	for i := range env.Entries {
		e := &env.Entries[i]
		at, err := find(all, e.Value.(*entry))
		if other := declared[at]; err == nil && other != nil {
			err = fmt.Errorf("%s is sensor.%s already, at %s", ids[at], other.ID, other.Where)
		}
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s: sensor.%s: %w", e.Where, e.ID, err)
		case at < 0:
			env.Log.Warn("a sensor of board.toml is not there", "sensor", e.ID, "where", e.Where)
		default:
			declared[at] = e
		}
	}
	reserved := hal.Declared(env.Entries)
	for at := range ids {
		if e := declared[at]; e != nil {
			ids[at] = e.ID
		} else if reserved[ids[at]] {
			ids[at] = ""
		}
	}
	return ids, nil
}

// find finds the channel that an entry means: -1 where it is not there.
func find(all []found, e *entry) (int, error) {
	kind, device, channel, err := e.choice()
	if err != nil {
		return -1, err
	}
	at := -1
	for i := range all {
		switch {
		case !all[i].matches(kind, device, channel):
		case at >= 0:
			return -1, fmt.Errorf("%s %q with %q is in %s and in %s: name the parent, as %s@%s", kind, device, channel, all[at].dir, all[i].dir, device, all[at].parent)
		default:
			at = i
		}
	}
	return at, nil
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
	looking := &watch{sensor: s, every: time.Duration(in.EveryMSec.Or(1000)) * time.Millisecond, above: in.Above, below: in.Below,
		emit: func(value int64) { w.Emit(&event{s.id, value, s.unit}) }, fail: w.Fail}
	return looking.begin(), nil
}
