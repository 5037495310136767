package fan

import (
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

// The kinds of devices, as board.toml has them for keys.
const (
	kindHwmon   = "hwmon"
	kindCooling = "cooling"
)

// pwmFan is what the driver pwm-fan calls its hwmon device. Its pwmN_enable is not about modes.
const pwmFan = "pwmfan"

// Where the kernel has fans.
const (
	hwmonFolder   = "/sys/class/hwmon"
	thermalFolder = "/sys/class/thermal"
)

// The digits that the names of outputs and tachometers end in.
const digits = "0123456789"

// numbered reports whether a name is a word and a number: pwm1.
func numbered(name, word string) bool {
	number, ok := strings.CutPrefix(name, word)
	return ok && number != "" && strings.Trim(number, digits) == ""
}

// entry is a [fan.ID] of board.toml.
type entry struct {
	Hwmon, Cooling, Channel, Tachometer hal.Opt[string]
	Auto                                hal.Opt[int64]
	Output                              hal.Output
}

func (e *entry) Fields(f *hal.Fields) {
	f.OptText("hwmon", &e.Hwmon, "The name of a hwmon device; name@parent where several have that name.")
	f.OptText("channel", &e.Channel, "With hwmon: the output, as pwm1; it may be left out where the device has one.")
	f.OptText("tachometer", &e.Tachometer, "With hwmon: what counts the fan's revolutions, as fan2; without it, what has the output's number.")
	f.OptIntIn("auto", &e.Auto, automatic, 255, hal.Unitless, "With hwmon: what pwmN_enable is in automatic mode. Without it, what it is before Halberd changes it, else 2.")
	f.OptText("cooling", &e.Cooling, "The type of a cooling device; type@cooling_deviceN where several have that type.")
	e.Output.Fields(f, 0, hal.Permille, hal.Unitless)
}

// Place is the fan that the entry is about.
func (e *entry) Place() string {
	if e.Cooling.Set {
		return kindCooling + " " + e.Cooling.Value
	}
	return kindHwmon + " " + e.Hwmon.Value + " " + e.Channel.Value
}

// Check finds what contradicts itself.
func (e *entry) Check() error {
	switch {
	case e.Hwmon.Set == e.Cooling.Set:
		return errors.New("exactly one of hwmon and cooling names the device")
	case e.Cooling.Set && (e.Channel.Set || e.Tachometer.Set || e.Auto.Set):
		return errors.New("channel, tachometer and auto go with hwmon")
	case e.Channel.Set && !numbered(e.Channel.Value, "pwm"):
		return errors.New("channel is an output, as pwm1")
	case e.Tachometer.Set && !numbered(e.Tachometer.Value, "fan"):
		return errors.New("tachometer is an input, as fan1")
	}
	return e.Output.Check()
}

// found is a fan as it was found in /sys.
type found struct {
	place   sysfs.Place
	kind    string
	device  string // the kernel's name for the hwmon device, or the type of the cooling device
	parent  string // what tells devices of one name apart
	dir     string // its folder below /sys/devices
	bus     string
	channel string // pwm1; "" for a cooling device
	spec    string // how board.toml names the device
}

// is reports whether an entry of board.toml means the fan.
func (f *found) is(e *entry) bool {
	word := e.Cooling
	if f.kind == kindHwmon {
		word = e.Hwmon
	}
	named := word.Set && slices.Contains([]string{f.device, f.device + "@" + f.parent, f.device + "@" + path.Base(f.dir)}, word.Value)
	return named && (!e.Channel.Set || e.Channel.Value == f.channel)
}

// stem is what the names of a hwmon device and of a cooling device have in common where they are one: pwmfan and pwm-fan, emc2305 and emc2305_fan.
func stem(name string) string {
	plain := strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(name))
	if s, ok := strings.CutSuffix(strings.TrimRight(plain, digits), "fan"); ok {
		return s
	}
	return plain
}

// finder finds the fans. It belongs to the loop's goroutine.
type finder struct {
	env    *hal.Env
	fans   []*found      // of the last look
	unread []sysfs.Place // devices that could not be looked at then
}

func newRoster(env *hal.Env) *sysfs.Roster[*Fan] {
	f, l := &finder{env: env}, sysfs.OpenLedger(env, "fan-modes", "fans that are driven by hand stay so after a restart")
	return &sysfs.Roster[*Fan]{
		Env: env, Set: hal.NewSet[*Fan](class, "fan"), Noun: "fan", Places: f.places,
		Means: func(e *hal.Entry, p sysfs.Place) bool { return f.at(p).is(e.Value.(*entry)) },
		Open:  func(id string, p sysfs.Place, e *hal.Entry) (*Fan, error) { return open(env, l, id, f.at(p), e) },
	}
}

// at is what was found at a place.
func (f *finder) at(p sysfs.Place) *found {
	return f.fans[slices.IndexFunc(f.fans, func(one *found) bool { return one.place == p })]
}

// places lists the fans of both kinds.
func (f *finder) places() ([]sysfs.Place, error) {
	f.fans, f.unread = nil, nil
	if err := f.look(hwmonFolder, "hwmon", f.lookHwmon); err != nil {
		return nil, err
	}
	if err := f.look(thermalFolder, "cooling_device", f.lookCooling); err != nil {
		return nil, err
	}
	f.entitle()
	all := f.unread
	for _, one := range f.fans {
		all = append(all, one.place)
	}
	return all, nil
}

// look looks at the devices of a folder.
func (f *finder) look(folder, prefix string, at func(path string) error) error {
	names, err := sysfs.List(f.env.Kernel, folder)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		if err := at(folder + "/" + name); err != nil {
			f.unread = append(f.unread, sysfs.Place{Path: folder + "/" + name, Err: err})
		}
	}
	return nil
}

// lookHwmon finds the outputs of a hwmon device.
func (f *finder) lookHwmon(place string) error {
	k := f.env.Kernel
	dir, err := sysfs.Resolve(k, place)
	if err != nil {
		return err
	}
	files, err := sysfs.List(k, dir)
	if err != nil {
		return err
	}
	files = slices.DeleteFunc(files, func(file string) bool { return !numbered(file, "pwm") })
	if len(files) == 0 {
		return nil
	}
	name, err := sysfs.Read(k, dir+"/name")
	if err != nil {
		return err
	}
	bus, parent := sysfs.Bus(k, dir), f.parent(dir)
	if bus == "" {
		bus = path.Base(dir)
	}
	for _, file := range files {
		f.fans = append(f.fans, &found{place: sysfs.Place{Path: place, Part: file}, kind: kindHwmon, device: name, parent: parent, dir: dir, bus: bus, channel: file})
	}
	return nil
}

// parent names the device that a hwmon device belongs to; the hwmon device itself where it has none.
func (f *finder) parent(dir string) string {
	if device, err := sysfs.Resolve(f.env.Kernel, dir+"/device"); err == nil {
		return path.Base(device)
	}
	return path.Base(dir)
}

// lookCooling finds a cooling device, whether it is a fan or not.
func (f *finder) lookCooling(place string) error {
	dir, err := sysfs.Resolve(f.env.Kernel, place)
	if err != nil {
		return err
	}
	kind, err := sysfs.Read(f.env.Kernel, dir+"/type")
	if err != nil {
		return err
	}
	f.fans = append(f.fans, &found{place: sysfs.Place{Path: place}, kind: kindCooling, device: kind, parent: path.Base(dir), dir: dir, bus: sysfs.Bus(f.env.Kernel, dir)})
	return nil
}

// entitle names what was found: by the device's name, or with its parent where several devices have that one. Cooling devices that are no fans, or have a name by hwmon already, have none; none has one
// while a device could not be looked at, which may be the same fan.
func (f *finder) entitle() {
	hwmon := map[string]bool{} // stems
	for _, one := range f.fans {
		if one.kind == kindHwmon {
			hwmon[stem(one.device)] = true
		}
	}
	for _, one := range f.fans {
		one.spec = f.shortest(one)
		switch {
		case one.kind == kindHwmon:
			one.place.Name = one.spec + "/" + one.channel
		case strings.Contains(strings.ToLower(one.device), "fan") && !hwmon[stem(one.device)] && len(f.unread) == 0:
			one.place.Name = one.spec
		}
	}
}

// shortest is the shortest way to name a device that means no other one.
func (f *finder) shortest(one *found) string {
	spec := one.device
	for _, longer := range []string{one.device + "@" + one.parent, one.device + "@" + path.Base(one.dir)} {
		means := func(other *found) bool {
			return other.kind == one.kind && other.dir != one.dir && other.device == one.device && (spec == one.device || other.parent == one.parent)
		}
		if !slices.ContainsFunc(f.fans, means) {
			break
		}
		spec = longer
	}
	return spec
}
