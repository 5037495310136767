package battery

import (
	"strings"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

// Driver joins the class to the board.
func Driver() hal.Driver {
	return hal.Driver{
		Class:  class,
		Tables: []hal.Table{hal.NewTable[entry]("battery", "A battery or charger of /sys/class/power_supply.")},
		Open:   Open,
	}
}

// entry is a [battery.ID] of board.toml.
type entry struct{ Name string }

func (e *entry) Fields(f *hal.Fields) {
	f.Text("name", &e.Name, "The kernel's name for the supply, in /sys/class/power_supply.")
}

// Place is the supply that the entry is about.
func (e *entry) Place() string { return e.Name }

// Check finds what contradicts itself.
func (e *entry) Check() error { return sysfs.CheckName(e.Name) }

// Open finds the supplies.
func Open(env *hal.Env) (*hal.Class, error) {
	r := newRoster(env)
	return r.Class(&hal.Class{
		Name: class, Doc: "Batteries and chargers.", Methods: methods(r.Set),
		Subsystems: []string{"power_supply"}, Changed: func(name string) { changed(r.Set, name) },
	})
}

// changed looks at the supply that the kernel tells of.
func changed(supplies *hal.Set[*Supply], name string) {
	for _, s := range supplies.All() {
		if s.name == name {
			s.changes.Look()
		}
	}
}

func methods(supplies *hal.Set[*Supply]) []*hal.Method {
	return []*hal.Method{
		hal.On(supplies, hal.Observe, "Get", "Reads all that a supply says. What its hardware does not have, or does not know at the moment, is left out. It may wait for the hardware.", (*Supply).get),
		hal.On(supplies, hal.Configure, "SetChargeLimits", "Sets at which charge a battery begins to be charged, and at which that ends. One that is left out stays as it is. "+
			"They are written in an order in which the start is never above the end; where the second step fails, the first one holds. It may wait for the hardware.\n"+
			"NotSupported{charge_limits} for a supply without them, and OutOfRange for a start above the end, and one at the end where the driver does not take that. "+
			"What a driver does not take beyond that is the kernel's own error, EINVAL as a rule; others round, which Get tells.", (*Supply).setLimits),
		hal.Follow(supplies, hal.Observe, "Watch", "Reports a supply when its type, status, capacity, health, online, present or limits of charging changed: as soon as its driver tells of that, and else within 2 s. "+
			"Other values come with these, and no change of theirs is reported.", (*Supply).getEvent, (*Supply).startWatch),
	}
}

var kinds = []string{"unknown", "battery", "ups", "mains", "usb", "wireless", "other"}

// state is what a supply says.
type state struct {
	kind                                     string
	status, health, technology               hal.Opt[string]
	online, present                          hal.Opt[bool]
	capacity, voltage, current, power        hal.Opt[int64]
	charge, chargeFull, energy, energyFull   hal.Opt[int64]
	temperature, toEmpty, toFull, inputLimit hal.Opt[int64]
	cycles                                   hal.Opt[int64]
	limits
}

// same reports whether a state is no news.
func (s state) same(now state) bool {
	return s.kind == now.kind && s.status == now.status && s.capacity == now.capacity && s.health == now.health && s.online == now.online && s.present == now.present && s.limits == now.limits
}

// Fields declares what a supply says, for Get and for Watch.
func (s *state) Fields(f *hal.Fields) {
	f.Enum("type", &s.kind, kinds, "What the supply is; other for what has no word here.")
	f.OptEnum("status", &s.status, statuses, "What a battery does.")
	f.OptIntIn("capacityPercent", &s.capacity, 0, 100, hal.Percent, "How full it is.")
	f.OptInt("voltageMicroV", &s.voltage, hal.MicroVolts, "The voltage now.")
	f.OptInt("currentMicroA", &s.current, hal.MicroAmperes, "The current now. Its sign is the driver's: most have it below 0 while the battery is discharged.")
	f.OptInt("powerMicroW", &s.power, hal.MicroWatts, "The power now.")
	f.OptInt("chargeMicroAh", &s.charge, hal.MicroAmpereHours, "The charge now.")
	f.OptInt("chargeFullMicroAh", &s.chargeFull, hal.MicroAmpereHours, "The charge of a full battery, as it is today.")
	f.OptInt("energyMicroWh", &s.energy, hal.MicroWattHours, "The energy now.")
	f.OptInt("energyFullMicroWh", &s.energyFull, hal.MicroWattHours, "The energy of a full battery, as it is today.")
	f.OptInt("temperatureMilliC", &s.temperature, hal.MilliCelsius, "The temperature, in steps of a tenth of a degree.")
	f.OptInt("toEmptySec", &s.toEmpty, hal.Seconds, "How long the battery lasts, as the hardware guesses.")
	f.OptInt("toFullSec", &s.toFull, hal.Seconds, "How long until it is full, as the hardware guesses.")
	f.OptInt("inputLimitMicroA", &s.inputLimit, hal.MicroAmperes, "The most that a charger takes.")
	f.OptInt("cycles", &s.cycles, hal.Unitless, "How often it was charged.")
	f.OptBool("online", &s.online, "Whether a charger supplies power.")
	f.OptBool("present", &s.present, "Whether a battery is in its place.")
	f.OptText("health", &s.health, "Its health in the kernel's words: good, overheat, dead.")
	f.OptText("technology", &s.technology, "What it is made of, in the kernel's words: li-ion.")
	s.limits.Fields(f)
}

// settle keeps to what is declared. The kernel's kinds of USB, as usb_pd, are one.
func (s *state) settle() {
	kind := known(s.kind, kinds).Value
	switch {
	case strings.HasPrefix(s.kind, "usb"):
		kind = "usb"
	case kind == kinds[0] && s.kind != "" && s.kind != kinds[0]:
		kind = "other"
	}
	s.kind = kind
	if s.capacity.Value < 0 || s.capacity.Value > 100 {
		s.capacity = hal.Opt[int64]{}
	}
}

func (s *Supply) get(_ *hal.None, out *state) (err error) {
	if *out, err = s.read(); err == nil {
		s.changes.Note(*out)
		out.settle()
	}
	return hal.Refuse(class, s.id, err)
}

type event struct {
	supply string
	state
}

func (e *event) Fields(f *hal.Fields) {
	f.Text("supply", &e.supply, "The supply.")
	e.state.Fields(f)
}

func (s *Supply) getEvent(_ *hal.None, out *event) error {
	out.supply = s.id
	return s.get(nil, &out.state)
}

func (s *Supply) startWatch(_ *hal.None, w *hal.Watcher[event]) (stop func(), err error) {
	return s.changes.Watch(func(c hal.Sample[state]) {
		if c.Err != nil {
			w.Fail(c.Err)
			return
		}
		e := &event{s.id, c.State}
		e.settle()
		w.Emit(e)
	})
}
