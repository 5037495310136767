// Package battery is the class Battery: the batteries and chargers of /sys/class/power_supply.
//
// All that a supply says is read at once, from its uevent attribute, which leaves out what the hardware does not have or does not know at the moment.
//
// Source: Linux Documentation/power/power_supply_class.rst and ABI/testing/sysfs-class-power.
package battery

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

const (
	class  = "Battery"
	folder = "/sys/class/power_supply"
	prefix = "POWER_SUPPLY_" // of every line that an attribute stands on

	// period is how often a supply that is watched is looked at. Drivers tell the kernel of their changes as they like, many not at all.
	period = 2 * time.Second
)

// Supply is one battery or charger.
type Supply struct {
	id, bus, dir string
	name         string // the kernel's
	env          *hal.Env
	changes      *hal.Sampler[state]

	guard      hal.Guard // of what follows
	all        *sysfs.Attribute
	start, end *sysfs.Attribute // charge limits; nil where there are none
}

// ID is the name in board.toml, else the kernel's.
func (s *Supply) ID() string { return s.id }

// Bus names the bus that the supply hangs on, where that may be slow.
func (s *Supply) Bus() string { return s.bus }

// Declaration is the supply's table in board.toml.
func (s *Supply) Declaration() string {
	return hal.Declaration("battery", s.id, hal.TextKey("name", s.name))
}

func newRoster(env *hal.Env) *sysfs.Roster[*Supply] {
	return &sysfs.Roster[*Supply]{
		Env: env, Set: hal.NewSet[*Supply](class, "supply"), Noun: "power supply",
		Places: func() ([]sysfs.Place, error) { return sysfs.Entries(env.Kernel, folder) },
		Means:  func(e *hal.Entry, p sysfs.Place) bool { return e.Value.(*entry).Name == p.Name },
		Open:   func(id string, p sysfs.Place, _ *hal.Entry) (*Supply, error) { return open(env, id, p) },
	}
}

func open(env *hal.Env, id string, p sysfs.Place) (*Supply, error) {
	dir, err := sysfs.Resolve(env.Kernel, p.Path)
	if err != nil {
		return nil, err
	}
	s := &Supply{id: id, name: p.Name, dir: dir, bus: sysfs.Bus(env.Kernel, dir), env: env}
	s.changes = hal.NewSampler(env, class, s, period, s.read, state.same)
	if err := s.openAttributes(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Supply) openAttributes() (err error) {
	if s.all, err = sysfs.Open(s.env.Kernel, s.dir+"/uevent", unix.O_RDONLY); err != nil {
		return err
	}
	if s.start, err = s.optional("charge_control_start_threshold"); err != nil {
		return err
	}
	s.end, err = s.optional("charge_control_end_threshold")
	return err
}

// optional opens an attribute that can be written, where the driver has it.
func (s *Supply) optional(name string) (*sysfs.Attribute, error) {
	a, err := sysfs.Open(s.env.Kernel, s.dir+"/"+name, unix.O_RDWR)
	if sysfs.Missing(err) || errors.Is(err, unix.EACCES) {
		return nil, nil // one that can only be read cannot be set
	}
	return a, err
}

// Start has nothing to do: a supply has no output.
func (s *Supply) Start(bool) {}

// Unplug lets go of a supply that is gone, and tells its watchers.
func (s *Supply) Unplug() {
	s.Close()
	s.changes.Unplug()
}

// Close lets go of the supply.
func (s *Supply) Close() {
	s.changes.Close()
	s.guard.Close(s.bus, func() {
		s.all.Close()
		s.start.Close()
		s.end.Close()
	})
}

// read reads all that the supply says.
func (s *Supply) read() (now state, err error) {
	err = s.guard.Do(func() error {
		text, err := s.all.ReadText()
		now = parse(text)
		return err
	})
	return now, err
}

// parse takes the lines apart: POWER_SUPPLY_CAPACITY=87.
func parse(text string) (now state) {
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		key, ours := strings.CutPrefix(key, prefix)
		if !ok || !ours {
			continue
		}
		if take := words[key]; take != nil {
			take(&now, word(value))
		} else if q, known := quantities[key]; known {
			if n, err := strconv.ParseInt(value, 10, 64); err == nil {
				*q.field(&now) = hal.Some(n * q.factor)
			}
		}
	}
	return now
}

// word makes an enumeration's value of the kernel's: "Not charging" is not_charging.
func word(text string) string { return strings.ReplaceAll(strings.ToLower(text), " ", "_") }

// words are the attributes that are no numbers.
var words = map[string]func(*state, string){
	"TYPE":       func(s *state, v string) { s.kind = v },
	"STATUS":     func(s *state, v string) { s.status = known(v, statuses) },
	"HEALTH":     func(s *state, v string) { s.health = hal.Some(v) },
	"TECHNOLOGY": func(s *state, v string) { s.technology = hal.Some(v) },
	"ONLINE":     func(s *state, v string) { s.online = hal.Some(v != "0") }, // 2 is a programmable supply
	"PRESENT":    func(s *state, v string) { s.present = hal.Some(v != "0") },
}

// statuses are what a battery can be doing.
var statuses = []string{"unknown", "charging", "discharging", "not_charging", "full"}

// known gives a word that is one of a list; another one, of a newer kernel, is unknown.
func known(word string, all []string) hal.Opt[string] {
	for _, w := range all {
		if w == word {
			return hal.Some(w)
		}
	}
	return hal.Some(all[0])
}

// quantity is an attribute that is a number, and where it goes.
type quantity struct {
	field  func(*state) *hal.Opt[int64]
	factor int64 // from the kernel's unit to ours
}

var quantities = map[string]quantity{
	"CAPACITY":            {func(s *state) *hal.Opt[int64] { return &s.capacity }, 1},
	"VOLTAGE_NOW":         {func(s *state) *hal.Opt[int64] { return &s.voltage }, 1},
	"CURRENT_NOW":         {func(s *state) *hal.Opt[int64] { return &s.current }, 1},
	"POWER_NOW":           {func(s *state) *hal.Opt[int64] { return &s.power }, 1},
	"CHARGE_NOW":          {func(s *state) *hal.Opt[int64] { return &s.charge }, 1},
	"CHARGE_FULL":         {func(s *state) *hal.Opt[int64] { return &s.chargeFull }, 1},
	"ENERGY_NOW":          {func(s *state) *hal.Opt[int64] { return &s.energy }, 1},
	"ENERGY_FULL":         {func(s *state) *hal.Opt[int64] { return &s.energyFull }, 1},
	"TEMP":                {func(s *state) *hal.Opt[int64] { return &s.temperature }, 100}, // of tenths of a degree
	"TIME_TO_EMPTY_NOW":   {func(s *state) *hal.Opt[int64] { return &s.toEmpty }, 1},
	"TIME_TO_FULL_NOW":    {func(s *state) *hal.Opt[int64] { return &s.toFull }, 1},
	"CYCLE_COUNT":         {func(s *state) *hal.Opt[int64] { return &s.cycles }, 1},
	"INPUT_CURRENT_LIMIT": {func(s *state) *hal.Opt[int64] { return &s.inputLimit }, 1},
}
