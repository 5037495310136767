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
	// ChargeLimits gives it limits, which its driver takes from 0 to 100, the start below the end.
	ChargeLimits bool
}

// supply follows drivers/power/supply/power_supply_sysfs.c.
type supply struct {
	properties map[string]string
	start, end int64
}

// AddSupply adds a battery or charger.
func (k *Kernel) AddSupply(s Supply) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := k.newDevice(or(s.Under, OnPlatform), "/sys/class/power_supply", s.Name, func() { k.AddSupply(s) })
	d := &supply{properties: maps.Clone(s.Properties), end: 100}
	k.supplies[s.Name] = d
	n.add("uevent", &attribute{show: func() (string, error) { return d.uevent(s.Name), nil }})
	if s.ChargeLimits {
		n.add("charge_control_start_threshold", &attribute{func() (string, error) { return fmt.Sprintln(d.start), nil }, d.setStart})
		n.add("charge_control_end_threshold", &attribute{func() (string, error) { return fmt.Sprintln(d.end), nil }, d.setEnd})
	}
	k.appear(s.Name)
}

func (d *supply) uevent(name string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "DEVTYPE=power_supply\nPOWER_SUPPLY_NAME=%s\n", name)
	for _, key := range slices.Sorted(maps.Keys(d.properties)) {
		fmt.Fprintf(&b, "POWER_SUPPLY_%s=%s\n", key, d.properties[key])
	}
	return b.String()
}

// setStart and setEnd refuse as the drivers of laptops do it (drivers/platform/x86/thinkpad_acpi.c).
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

// SetProperty gives a supply's property another value, or takes it away with "": as one whose driver answers ENODATA.
func (k *Kernel) SetProperty(supply, property, text string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if text == "" {
		delete(k.supplies[supply].properties, property)
	} else {
		k.supplies[supply].properties[property] = text
	}
}
