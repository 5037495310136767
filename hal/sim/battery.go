package sim

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Supply is a battery or charger to add to the board: its properties as its uevent has them, without POWER_SUPPLY_: "STATUS": "Discharging".
type Supply struct {
	Name       string
	Under      string // its parent device, as OnPlatform; "" for that
	Properties map[string]string
	// ChargeLimits gives it limits, which its driver takes from 0 to 100, the start below the end. They are no properties, as those that laptops' drivers add to a battery of ACPI's.
	ChargeLimits bool
	// EndOnly leaves it the end of the two.
	EndOnly bool
}

// supply follows drivers/power/supply/power_supply_sysfs.c and power_supply_core.c.
type supply struct {
	name       string
	properties map[string]value // its driver has no others
	start, end int64
}

// AddSupply adds a battery or charger.
func (k *Kernel) AddSupply(s Supply) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := k.newDevice(or(s.Under, OnPlatform), "/sys/class/power_supply", s.Name, func() { k.AddSupply(s) })
	d := &supply{name: s.Name, properties: map[string]value{}, end: 100}
	k.devices[s.Name].hardware = d
	n.add("uevent", &attribute{show: func() (string, error) { return d.uevent(), nil }})
	for property, text := range s.Properties {
		d.properties[property] = value{text: text}
		n.add(strings.ToLower(property), &attribute{show: func() (string, error) {
			v := d.properties[property]
			return v.text + "\n", v.err
		}})
	}
	if s.ChargeLimits && !s.EndOnly {
		n.add("charge_control_start_threshold", &attribute{func() (string, error) { return fmt.Sprintln(d.start), nil }, d.setStart})
	}
	if s.ChargeLimits {
		n.add("charge_control_end_threshold", &attribute{func() (string, error) { return fmt.Sprintln(d.end), nil }, d.setEnd})
	}
	k.appear(s.Name)
}

// lines are what power_supply_uevent adds. A property that the driver does not know is left out; one that fails in any other way spoils them all.
func (d *supply) lines() []string {
	all := []string{"POWER_SUPPLY_NAME=" + d.name}
	for _, key := range slices.Sorted(maps.Keys(d.properties)) {
		switch v := d.properties[key]; v.err {
		case nil:
			all = append(all, "POWER_SUPPLY_"+key+"="+v.text)
		case unix.ENODATA, unix.ENODEV:
		default:
			return nil
		}
	}
	return all
}

// uevent is the file, which is empty where a property fails: uevent_show of drivers/base/core.c does not pass the error on.
func (d *supply) uevent() string {
	lines := d.lines()
	if lines == nil {
		return ""
	}
	return "DEVTYPE=power_supply\n" + strings.Join(lines, "\n") + "\n"
}

// setStart and setEnd refuse as drivers/platform/x86/thinkpad_acpi.c does.
func (d *supply) setStart(text string) error {
	n, err := parseUint(text)
	switch {
	case err != nil:
		return err
	case n > 99 || n >= d.end:
		return unix.EINVAL
	}
	d.start = n
	return nil
}

func (d *supply) setEnd(text string) error {
	n, err := parseUint(text)
	switch {
	case err != nil:
		return err
	case n < 1 || n > 100 || n <= d.start:
		return unix.EINVAL
	}
	d.end = n
	return nil
}

// SetProperty gives a supply's property another value, or takes it away with "": then its driver answers ENODATA. The kernel tells nobody. A test that names a supply or property that is not there is
// wrong, and panics.
func (k *Kernel) SetProperty(supply, property, text string) {
	if text == "" {
		k.setProperty(supply, property, value{err: unix.ENODATA})
	} else {
		k.setProperty(supply, property, value{text: text})
	}
}

// FailProperty lets the reading of a supply's property fail.
func (k *Kernel) FailProperty(supply, property string, err error) {
	k.setProperty(supply, property, value{err: err})
}

func (k *Kernel) setProperty(name, property string, v value) {
	k.mu.Lock()
	defer k.mu.Unlock()
	d := k.devices[name].hardware.(*supply)
	if _, has := d.properties[property]; !has {
		panic("sim: " + name + " has no property " + property)
	}
	d.properties[property] = v
}

// TellSupply tells that something about a supply changed, as power_supply_changed does: with all that there is, or not at all where a property fails.
func (k *Kernel) TellSupply(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if lines := k.devices[name].hardware.(*supply).lines(); lines != nil {
		k.changed(name, lines...)
	}
}
