package led

import (
	"errors"
	"fmt"
	"slices"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

// board is what the class has open. It belongs to the loop's goroutine.
type board struct {
	env      *hal.Env
	leds     *hal.Set[*LED]
	declared map[string]*hal.Entry // by the kernel's name of the light
	reserved map[string]bool       // IDs of board.toml
	report   *hal.Reporter
}

func (b *board) close() {
	for _, d := range b.leds.All() {
		d.close()
	}
}

// open finds what there is at the start, when nobody waits yet. What contradicts board.toml is an error.
func (b *board) open() (err error) {
	if b.declared, err = declarations(b.env.Entries); err != nil {
		return err
	}
	_, errs, err := b.find()
	if err = errors.Join(append(errs, err)...); err != nil {
		return err
	}
	for _, d := range b.leds.All() {
		d.begin(b.env.FirstStart)
		d.waits = false
	}
	return nil
}

// rescan finds what came and went. What contradicts board.toml is logged and left out.
func (b *board) rescan() (again bool) {
	b.report.Begin()
	doubt := b.drop()
	again, errs, err := b.find()
	if err = errors.Join(doubt, err); err != nil {
		b.report.Warn("cannot look for lights", "err", err)
		again = true
	}
	for _, err := range errs {
		b.report.Warn("a light is left out", "err", err)
	}
	return !b.beginNew() || again
}

// drop lets go of the lights that are gone. One that another one has taken the name of is gone too.
func (b *board) drop() (doubt error) {
	for _, d := range slices.Clone(b.leds.All()) {
		gone, err := sysfs.Gone(b.env.Kernel, folder+"/"+d.name, d.inode)
		if gone {
			b.env.Log.Info("a light is gone", "led", d.id, "name", d.name)
			b.leds.Remove(d.id)
			d.unplug()
		}
		doubt = errors.Join(doubt, err)
	}
	return doubt
}

// find adds the lights that are new, by the name that board.toml gives to each or by its own. One that cannot be opened is logged and left out, and worth another look; the errors are about
// those that contradict board.toml.
func (b *board) find() (again bool, errs []error, err error) {
	names, err := sysfs.List(b.env.Kernel, folder)
	if err != nil {
		return false, nil, err
	}
	there := map[string]bool{}
	for _, d := range b.leds.All() {
		there[d.name] = true
	}
	for _, name := range names {
		if there[name] {
			continue
		}
		there[name] = true
		d, err := b.openNamed(name)
		if err != nil {
			b.report.Warn("cannot open a light", "name", name, "err", err)
			again = true
		} else if err := b.add(d); err != nil {
			errs = append(errs, err)
		}
	}
	b.missing(there)
	return again, errs, nil
}

// missing logs the lights of board.toml that are not there.
func (b *board) missing(there map[string]bool) {
	for i := range b.env.Entries {
		e := &b.env.Entries[i]
		if name := e.Value.(*entry).Name; !there[name] {
			b.report.Warn("a light of board.toml is not there", "led", e.ID, "name", name, "where", e.Where)
		}
	}
}

// declarations are the entries by the kernel's name of the light.
func declarations(entries []hal.Entry) (map[string]*hal.Entry, error) {
	byName := map[string]*hal.Entry{}
	for i := range entries {
		e := &entries[i]
		v := e.Value.(*entry)
		if other := byName[v.Name]; other != nil {
			return nil, fmt.Errorf("%s: led.%s: %s is led.%s already, at %s", e.Where, e.ID, v.Name, other.ID, other.Where)
		}
		byName[v.Name] = e
	}
	return byName, nil
}

// openNamed opens a light by its name; nil where it may have none.
func (b *board) openNamed(name string) (*LED, error) {
	e := b.declared[name]
	if e == nil && b.reserved[hal.EscapeID(name)] {
		b.report.Warn("a light is left out: board.toml gives its name to another one", "name", name)
		return nil, nil
	}
	if e == nil {
		return open(b.env, hal.EscapeID(name), name)
	}
	d, err := open(b.env, e.ID, name)
	if err == nil {
		d.where, d.output, d.waits = e.Where, e.Value.(*entry).Output, true
	}
	return d, err
}

// add adds a light, or closes it and says why not.
func (b *board) add(d *LED) error {
	if d == nil {
		return nil
	}
	err := d.suits()
	if err == nil {
		err = b.leds.Add(d)
	}
	if err != nil {
		d.close()
	}
	return err
}

// suits expects that the light can have the values of board.toml.
func (d *LED) suits() error {
	for _, v := range []hal.Opt[int64]{d.output.Initial, d.output.Safe} {
		if v.Set && v.Value > d.max {
			return fmt.Errorf("%s: led.%s: %d is more than the light's greatest brightness, %d", d.where, d.id, v.Value, d.max)
		}
	}
	return nil
}

// beginNew writes the values for the start of lights that were just plugged in, on the workers of their buses. It reports false where one had too much to do.
func (b *board) beginNew() (done bool) {
	done = true
	for _, d := range b.leds.All() {
		switch {
		case !d.waits:
			continue
		case d.bus == "":
			d.begin(true)
		case b.env.Loop.Submit(d.bus, func() { d.begin(true) }, func() {}) != nil:
			done = false
			continue
		}
		d.waits = false
	}
	return done
}

// begin writes the value for the start, if there is one.
func (d *LED) begin(first bool) {
	v := d.output.AtStart(first)
	if !v.Set {
		return
	}
	if err := d.guard.Do(func() error { return d.steady(v.Value) }); err != nil {
		d.env.Log.Warn("cannot set a light at the start", "led", d.id, "err", err)
	}
}
