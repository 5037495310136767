package battery

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

// prefix is what every property's line of the uevent attribute begins with.
const prefix = "POWER_SUPPLY_"

// readProperties reads all that the supply says at once, or piece by piece where the kernel says nothing at all because one property fails.
func (s *Supply) readProperties() (now state, err error) {
	text, err := s.all.ReadText()
	switch {
	case err != nil:
		return now, err
	case text == "":
		return s.readEach()
	}
	return parse(text), nil
}

// readEach reads the properties one by one, and leaves out those that the driver does not know. They are opened by their paths, where there is nothing any more once the supply is gone: the attribute that
// is kept says so.
func (s *Supply) readEach() (now state, err error) {
	for _, key := range properties {
		text, err := sysfs.Read(s.env.Kernel, s.dir+"/"+strings.ToLower(key))
		switch {
		case sysfs.Missing(err) || unknown(err):
		case err != nil:
			return state{}, err
		default:
			now.take(key, text)
		}
	}
	_, err = s.all.ReadText()
	return now, err
}

// unknown reports whether an error says that the driver does not know the value of a property now, or never does: nothing about the hardware's failing. ENODEV is what gauges answer when
// there is no battery.
func unknown(err error) bool {
	for _, e := range []error{unix.ENODATA, unix.ENODEV, unix.EAGAIN, unix.EINVAL} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// parse takes the lines of the uevent attribute apart: POWER_SUPPLY_CAPACITY=87.
func parse(text string) (now state) {
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if key, ours := strings.CutPrefix(key, prefix); ours {
			now.take(key, value)
		}
	}
	return now
}

// take takes a property in, where it is one of those that are told.
func (s *state) take(key, value string) {
	if take := words[key]; take != nil {
		take(s, word(value))
	} else if q, known := quantities[key]; known {
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			*q.field(s) = hal.Some(n * q.factor)
		}
	}
}

// word makes an enumeration's value of the kernel's: "Not charging" is not_charging.
func word(text string) string { return strings.ReplaceAll(strings.ToLower(text), " ", "_") }

// words are the properties that are no numbers.
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
	if slices.Contains(all, word) {
		return hal.Some(word)
	}
	return hal.Some(all[0])
}

// quantity is a property that is a number, and where it goes.
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

// properties are all that are told.
var properties = append(slices.Sorted(maps.Keys(words)), slices.Sorted(maps.Keys(quantities))...)
