// Package battery is the class Battery: the batteries and chargers of /sys/class/power_supply.
//
// All that a supply says is read at once, from its uevent attribute, which leaves out what the hardware does not have or does not know at the moment. Where one property fails in any other way the kernel leaves
// that attribute empty: then they are read one by one.
//
// A driver that knows of a change tells the kernel, and so does Halberd's watch of the supply; many drivers tell of some changes or of none, so a supply that is watched is also looked at every two
// seconds.
//
// Every supply has the worker of its bus, or one of its own: also the driver of one that is memory-mapped may ask a converter, a line or a controller behind a slow bus, which /sys does not tell.
//
// Minimum kernel: Linux 2.6.24; limits of charging since 5.4. Source: Linux Documentation/power/power_supply_class.rst and ABI/testing/sysfs-class-power.
package battery

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

const (
	class  = "Battery"
	folder = "/sys/class/power_supply"

	// period is how often a supply that is watched is looked at.
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

// Bus names the bus that the supply hangs on, or the supply itself.
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

// read reads all that the supply says, and its limits of charging.
func (s *Supply) read() (now state, err error) {
	err = s.guard.Do(func() (err error) {
		if now, err = s.readProperties(); err == nil {
			now.limits, err = s.readLimits()
		}
		return err
	})
	return now, err
}
