// Package led is the class Led: the lights of /sys/class/leds.
//
// A light has a brightness from 0 to a maximum of its own, perhaps a trigger by which the kernel drives it, and perhaps several colours. Every change is one write to one attribute, unless a
// method says otherwise.
//
// Source: Linux Documentation/leds/leds-class.rst, leds-class-multicolor.rst and ABI/testing/sysfs-class-led*.
package led

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

const (
	class     = "Led"
	folder    = "/sys/class/leds"
	noTrigger = "none"
)

// LED is one light.
type LED struct {
	id, bus, dir string
	name         string // the kernel's
	env          *hal.Env
	max          int64
	output       hal.Output
	changes      *hal.Sampler[state]

	guard      hal.Guard // of what follows
	brightness *sysfs.Attribute
	trigger    *sysfs.Attribute // nil where the kernel is built without triggers
	intensity  *sysfs.Attribute // nil for one colour
	colors     []string
}

// ID is the name in board.toml, else the kernel's.
func (d *LED) ID() string { return d.id }

// Bus names the bus that the light hangs on, where that may be slow.
func (d *LED) Bus() string { return d.bus }

// Declaration is the light's table in board.toml.
func (d *LED) Declaration() string { return hal.Declaration("led", d.id, hal.TextKey("name", d.name)) }

// state is what changes about a light.
type state struct {
	brightness int64
	trigger    string
	intensity  string // of the colours, as the kernel has it; "" for a light of one colour
}

// same reports whether a state is no news: while a trigger drives the light, its brightness is none.
func (s state) same(now state) bool {
	return now.trigger == s.trigger && now.intensity == s.intensity && (now.trigger != noTrigger || now.brightness == s.brightness)
}

// period is how often a light that is watched is looked at, since its attributes do not tell of changes made by others.
const period = 500 * time.Millisecond

// open opens a light.
func open(env *hal.Env, id string, p sysfs.Place, e *hal.Entry) (*LED, error) {
	dir, err := sysfs.Resolve(env.Kernel, p.Path)
	if err != nil {
		return nil, err
	}
	d := &LED{id: id, name: p.Name, dir: dir, bus: sysfs.Bus(env.Kernel, dir), env: env}
	d.changes = hal.NewSampler(env, class, d, period, d.read, state.same)
	err = d.openAttributes()
	if err == nil && e != nil {
		d.output = e.Value.(*entry).Output
		err = d.suits(e)
	}
	if err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

func (d *LED) openAttributes() (err error) {
	k := d.env.Kernel
	if d.max, err = sysfs.ReadInt(k, d.dir+"/max_brightness"); err != nil {
		return err
	}
	if d.brightness, err = sysfs.Open(k, d.dir+"/brightness", unix.O_RDWR); err != nil {
		return err
	}
	if d.trigger, err = sysfs.Open(k, d.dir+"/trigger", unix.O_RDWR); err != nil && !sysfs.Missing(err) {
		return err
	}
	return d.openColors()
}

func (d *LED) openColors() error {
	index, err := sysfs.Read(d.env.Kernel, d.dir+"/multi_index")
	if sysfs.Missing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	d.colors = strings.Fields(index)
	d.intensity, err = sysfs.Open(d.env.Kernel, d.dir+"/multi_intensity", unix.O_RDWR)
	return err
}

// Unplug lets go of a light that is gone, and tells its watchers.
func (d *LED) Unplug() {
	d.Close()
	d.changes.Unplug()
}

// Close lets go of the light.
func (d *LED) Close() {
	d.changes.Close()
	d.guard.Close(d.bus, func() {
		d.brightness.Close()
		d.trigger.Close()
		d.intensity.Close()
	})
}

// triggers reads which triggers there are, and the one that is active.
func (d *LED) triggers() (all []string, active string, err error) {
	if d.trigger == nil {
		return []string{noTrigger}, noTrigger, nil
	}
	text, err := d.trigger.ReadText()
	if err != nil {
		return nil, "", err
	}
	active = sysfs.Word(text)
	all = strings.Fields(strings.NewReplacer("[", "", "]", "").Replace(text))
	if active == "" {
		active = noTrigger
	}
	return all, active, nil
}

// steady ends a trigger that is active, and sets a brightness. It does not allocate.
func (d *LED) steady(brightness int64) error {
	if d.trigger != nil {
		// The kernel lists "none" first, in brackets where it holds.
		none, err := d.trigger.Begins("[" + noTrigger + "]")
		if err != nil {
			return err
		}
		if !none {
			if err := d.trigger.WriteText(noTrigger); err != nil {
				return err
			}
		}
	}
	return d.brightness.WriteInt(brightness)
}

// start activates a trigger, or says that there is no such one.
func (d *LED) start(trigger string) error {
	all, active, err := d.triggers()
	switch {
	case err != nil:
		return err
	case !slices.Contains(all, trigger):
		return &hal.NotSupported{Feature: trigger}
	case active == trigger:
		return nil
	}
	return d.trigger.WriteText(trigger)
}

// setting is an attribute of a trigger. It comes and goes with that, so it cannot be kept.
type setting struct{ file, text string }

// drive starts a trigger and writes its settings. Where a step fails the light is off and without a trigger. Where the light was unplugged meanwhile the settings are not there; it says so itself.
func (d *LED) drive(trigger string, settings ...setting) error {
	if err := d.start(trigger); err != nil {
		return err
	}
	for _, s := range settings {
		err := sysfs.Write(d.env.Kernel, d.dir+"/"+s.file, s.text)
		if err == nil {
			continue
		}
		if off := d.steady(0); errors.Is(off, unix.ENODEV) {
			err = off
		}
		return err
	}
	return nil
}

// paint writes the intensities of all colours at once: those given, and of the others what they have.
func (d *LED) paint(colors map[string]int64) error {
	if d.intensity == nil {
		return &hal.NotSupported{Feature: "color"}
	}
	text, err := d.intensity.ReadText()
	if err != nil {
		return err
	}
	all := strings.Fields(text)
	for name, value := range colors {
		i := slices.Index(d.colors, name)
		switch {
		case i < 0 || i >= len(all):
			return &hal.NotSupported{Feature: name}
		case value < 0 || value > d.max:
			return &hal.OutOfRange{Parameter: "colors." + name, Maximum: d.max}
		}
		all[i] = strconv.FormatInt(value, 10)
	}
	return d.intensity.WriteText(strings.Join(all, " "))
}

// look reads all there is to know.
func (d *LED) look() (now state, triggers []string, err error) {
	err = d.guard.Do(func() (err error) {
		if triggers, now.trigger, err = d.triggers(); err != nil {
			return err
		}
		if d.intensity != nil {
			if now.intensity, err = d.intensity.ReadText(); err != nil {
				return err
			}
		}
		now.brightness, err = d.brightness.ReadInt()
		return err
	})
	return now, triggers, err
}

// mix gives the intensities by colour, and none for a light of one colour.
func (d *LED) mix(intensity string) (colors hal.Opt[map[string]int64], err error) {
	if d.intensity == nil {
		return colors, nil
	}
	all := strings.Fields(intensity)
	if len(all) != len(d.colors) || len(all) == 0 {
		return colors, fmt.Errorf("cannot read the colours of %s: there are %d, and %d intensities", d.name, len(d.colors), len(all))
	}
	colors = hal.Some(map[string]int64{})
	for i, color := range d.colors {
		if colors.Value[color], err = strconv.ParseInt(all[i], 10, 64); err != nil {
			return colors, fmt.Errorf("cannot read the colours of %s: %w", d.name, err)
		}
	}
	return colors, nil
}

// safeValue is the brightness that board.toml calls safe.
func (d *LED) safeValue() hal.Opt[int64] { return d.output.Safe }

// bringSafe sets it, and ends a trigger that is active.
func (d *LED) bringSafe() error { return d.set(&setIn{d.output.Safe.Value}, nil) }

// Claim tells what becomes of the light when whoever claimed it lets it go.
func (d *LED) Claim() (release func() error, err error) {
	return d.output.Claim(d.bringSafe, d.remember)
}

// remember notes the colours, the brightness and the trigger, and gives what brings them back. A trigger begins as it does by itself: blinking with the periods of the kernel, and with no pattern.
func (d *LED) remember() (restore func() error, err error) {
	before, err := d.read()
	return func() error {
		return d.changed(func() error {
			if d.intensity != nil {
				if err := d.intensity.WriteText(before.intensity); err != nil {
					return err
				}
			}
			if before.trigger == noTrigger {
				return d.steady(before.brightness)
			}
			return d.start(before.trigger)
		})
	}, err
}

// read reads the state.
func (d *LED) read() (state, error) {
	now, _, err := d.look()
	return now, err
}
