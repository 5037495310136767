package sysfs

import (
	"errors"
	"fmt"
	"slices"

	"github.com/halberd-io/halberd/hal"
)

// Place is where the kernel has a device now.
type Place struct {
	// Path is the device's entry in a class or on a bus: /sys/class/leds/front. What has another folder there is another device, whatever it is called.
	Path string
	// Part tells devices of one entry from each other, as the channels of a PWM chip; "" where the entry is the device.
	Part string
	// Name is what the device is called unless board.toml names it. "" where only board.toml can name it.
	Name string
	// Title is what messages call it, where that is more than the path and the part.
	Title string
	// Err is why it cannot be told what is there: then it is left out, and worth another look.
	Err error
}

// String names the place for messages.
func (p Place) String() string {
	switch {
	case p.Title != "":
		return p.Title
	case p.Part != "":
		return p.Path + " " + p.Part
	}
	return p.Path
}

// Member is a device of a Roster.
type Member interface {
	hal.Device
	// Start writes what board.toml has for the start, if anything. It runs on the worker of the device's bus, but for those that are there when Halberd starts.
	Start(first bool)
	// Unplug lets go of a device that is gone, and tells its watchers. Close lets go of one whose class closes.
	Unplug()
	Close()
}

// Roster keeps the devices of a class in step with the kernel and with board.toml, at the start and when devices come and go. A device keeps its name as long as it is there, and no name passes on
// to another device while the hardware that was meant is missing. It belongs to the loop's goroutine.
type Roster[D Member] struct {
	Env  *hal.Env
	Set  *hal.Set[D]
	Noun string // what one is called in the log: light
	// Places lists what the kernel has now.
	Places func() ([]Place, error)
	// Means reports whether an entry of board.toml means what is at a place.
	Means func(*hal.Entry, Place) bool
	// Which says what is wrong with an entry that may mean several places, and how board.toml can tell them apart. nil where a class has no better words than "say which".
	Which func(e *hal.Entry, all []Place) error
	// Open opens what is at a place; e is what board.toml says of it, or nil. An *hal.EntryError says that it cannot be as board.toml wants it; after any other error it is worth another look.
	Open func(id string, p Place, e *hal.Entry) (D, error)

	report   *hal.Reporter
	reserved map[string]bool // IDs of board.toml
	members  []member[D]
}

type member[D Member] struct {
	device D
	place  Place
	inode  uint64 // of the folder that Path led to when it was opened
	waits  bool   // to be started
}

// Begin finds what there is at the start, when nobody waits yet. What contradicts board.toml is an error, after which everything is closed again.
func (r *Roster[D]) Begin() error {
	r.report, r.reserved = hal.NewReporter(r.Env.Log), hal.Declared(r.Env.Entries)
	_, errs, err := r.find()
	if err = errors.Join(append(errs, err)...); err != nil {
		r.Close()
		return err
	}
	for i := range r.members {
		r.members[i].device.Start(r.Env.FirstStart)
		r.members[i].waits = false
	}
	return nil
}

// Class begins, and gives a class its devices, with what lets them come, go and be closed.
func (r *Roster[D]) Class(c *hal.Class) (*hal.Class, error) {
	if err := r.Begin(); err != nil {
		return nil, err
	}
	c.Devices, c.Rescan, c.Close = r.Set, r.Rescan, r.Close
	return c, nil
}

// Rescan finds what came and went, as hal.Class has it. What contradicts board.toml is logged and left out.
func (r *Roster[D]) Rescan() (again bool) {
	r.report.Begin()
	doubt := r.drop()
	again, errs, err := r.find()
	if err = errors.Join(doubt, err); err != nil {
		r.report.Warn("cannot look for devices", "kind", r.Noun, "err", err)
		again = true
	}
	for _, err := range errs {
		r.report.Warn("a device is left out", "kind", r.Noun, "err", err)
	}
	return !r.startNew() || again
}

// Close closes all devices.
func (r *Roster[D]) Close() {
	for i := range r.members {
		r.members[i].device.Close()
	}
}

// entry is an entry of a class or bus as it was when its devices were opened.
type entry struct {
	path  string
	inode uint64
}

// drop lets go of the devices that are gone. One that another one has taken the place of is gone too. Those of one entry go together: it is looked at once for all of them.
func (r *Roster[D]) drop() (doubt error) {
	looked := map[entry]bool{}
	r.members = slices.DeleteFunc(r.members, func(m member[D]) bool {
		at := entry{m.place.Path, m.inode}
		gone, known := looked[at]
		if !known {
			var err error
			gone, err = Gone(r.Env.Kernel, m.place.Path, m.inode)
			looked[at], doubt = gone, errors.Join(doubt, err)
		}
		if gone {
			r.Env.Log.Info("a device is gone", "kind", r.Noun, "device", m.device.ID(), "place", m.place.String())
			r.Set.Remove(m.device.ID())
			m.device.Unplug()
		}
		return gone
	})
	return doubt
}

// find adds the devices that are new. One that cannot be opened is logged and left out, and worth another look; errs are about those that contradict board.toml.
func (r *Roster[D]) find() (again bool, errs []error, err error) {
	places, err := r.Places()
	if err != nil {
		return false, nil, err
	}
	entries, errs := hal.Assign(r.Env.Entries, func(e *hal.Entry) ([]Place, error) { return r.meant(e, places) }, Place.String)
	for _, p := range places {
		if p.Err != nil {
			r.report.Warn("cannot look at a device", "kind", r.Noun, "place", p.String(), "err", p.Err)
			again = true
			continue
		}
		e, declared := entries[p]
		if r.has(p) || declared && e == nil {
			continue
		}
		id := r.name(p, e, places)
		if id == "" {
			continue
		}
		var refused *hal.EntryError
		if err := r.add(id, p, e); errors.As(err, &refused) {
			errs = append(errs, err)
		} else if err != nil {
			r.report.Warn("cannot open a device", "kind", r.Noun, "place", p.String(), "err", err)
			again = true
		}
	}
	return again, errs, nil
}

func (r *Roster[D]) has(p Place) bool {
	return slices.ContainsFunc(r.members, func(m member[D]) bool { return m.place.Path == p.Path && m.place.Part == p.Part })
}

// meant finds the place that an entry means, or all that it may mean, with an error.
func (r *Roster[D]) meant(e *hal.Entry, places []Place) (all []Place, err error) {
	for _, p := range places {
		if p.Err == nil && r.Means(e, p) {
			all = append(all, p)
		}
	}
	switch {
	case len(all) == 0:
		r.report.Warn("a device of board.toml is not there", "kind", r.Noun, "device", e.ID, "where", e.Where)
	case len(all) > 1 && r.Which != nil:
		err = r.Which(e, all)
	case len(all) > 1:
		err = fmt.Errorf("it may be %s or %s: say which", all[0], all[1])
	}
	return all, err
}

// name is what a new device is called; "" for one that may have no name.
func (r *Roster[D]) name(p Place, e *hal.Entry, places []Place) string {
	if e != nil {
		return e.ID
	}
	if p.Name == "" {
		return ""
	}
	id := hal.EscapeID(p.Name)
	same := 0
	for _, other := range places {
		if other.Name == p.Name {
			same++
		}
	}
	switch {
	case len(id) > hal.MaxID: // anybody who may plug something in chooses what it is called
		r.report.Warn("a device is left out: its name is too long; board.toml can name it", "kind", r.Noun, "name", id, "place", p.String())
		return ""
	case r.reserved[id]:
		r.report.Warn("a device is left out: board.toml gives its name to another one", "kind", r.Noun, "name", id, "place", p.String())
		return ""
	case same > 1:
		r.report.Warn("a device is left out: several are called so; board.toml can name them", "kind", r.Noun, "name", id, "place", p.String())
		return ""
	}
	return id
}

// add opens a device, or says why not.
func (r *Roster[D]) add(id string, p Place, e *hal.Entry) error {
	inode, err := r.Env.Kernel.Inode(p.Path)
	if err != nil {
		return err
	}
	d, err := r.Open(id, p, e)
	if err != nil {
		return err
	}
	if err := r.Set.Add(d); err != nil {
		d.Close()
		return &hal.EntryError{Err: err}
	}
	r.members = append(r.members, member[D]{d, p, inode, true})
	return nil
}

// startNew starts the devices that were just plugged in, on the workers of their buses. It reports false where one had too much to do.
func (r *Roster[D]) startNew() (done bool) {
	done = true
	for i := range r.members {
		m := &r.members[i]
		d := m.device
		switch {
		case !m.waits:
			continue
		case d.Bus() == "":
			d.Start(true)
		case r.Env.Loop.Submit(d.Bus(), func() { d.Start(true) }, func() {}) != nil:
			done = false
			continue
		}
		m.waits = false
	}
	return done
}

// Entries lists the entries of a folder of a class or bus as places, each named as the kernel names it, where that is stable.
func Entries(k hal.Kernel, folder string) ([]Place, error) {
	names, err := List(k, folder)
	if err != nil {
		return nil, err
	}
	places := make([]Place, len(names))
	for i, name := range names {
		places[i] = Place{Path: folder + "/" + name, Name: name}
	}
	return places, nil
}

// Named is Entries for a class whose entries are numbered as their drivers come: each is named by an attribute.
func Named(k hal.Kernel, folder, attribute string) ([]Place, error) {
	places, err := Entries(k, folder)
	for i := range places {
		places[i].Name, places[i].Err = Read(k, places[i].Path+"/"+attribute)
	}
	return places, err
}
