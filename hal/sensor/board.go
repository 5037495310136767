package sensor

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

// board is what the class has open. It belongs to the loop's goroutine.
type board struct {
	env      *hal.Env
	devices  []*device
	sensors  *hal.Set[*Sensor]
	reserved map[string]bool // IDs of board.toml
	report   *hal.Reporter
}

// device is a device of hwmon or IIO, or a thermal zone.
type device struct {
	path     string // where the class or bus has it: /sys/class/hwmon/hwmon0
	inode    uint64 // of its folder in /sys
	channels []*found
}

func (b *board) close() {
	for _, s := range b.sensors.All() {
		s.close()
	}
}

// open finds what there is at the start. What contradicts board.toml is an error.
func (b *board) open() error {
	if _, err := b.findDevices(); err != nil {
		return err
	}
	_, errs := b.nameChannels()
	if len(errs) > 0 {
		return errs[0]
	}
	return nil
}

// rescan finds what came and went. What contradicts board.toml is logged and left out.
func (b *board) rescan() (again bool) {
	b.report.Begin()
	doubt := b.dropDevices()
	again, err := b.findDevices()
	if err = errors.Join(doubt, err); err != nil {
		b.report.Warn("cannot look for sensors", "err", err)
		again = true
	}
	unopened, errs := b.nameChannels()
	for _, err := range errs {
		b.report.Warn("a sensor is left out", "err", err)
	}
	return again || unopened
}

// dropDevices lets go of the devices that are gone. One whose name another one has now is gone too.
func (b *board) dropDevices() (doubt error) {
	b.devices = slices.DeleteFunc(b.devices, func(d *device) bool {
		gone, err := sysfs.Gone(b.env.Kernel, d.path, d.inode)
		if gone {
			b.env.Log.Info("a device with sensors is gone", "path", d.path)
			b.drop(d)
		}
		doubt = errors.Join(doubt, err)
		return gone
	})
	return doubt
}

func (b *board) drop(d *device) {
	for _, s := range slices.Clone(b.sensors.All()) {
		if slices.Contains(d.channels, s.found) {
			b.sensors.Remove(s.id)
			s.unplug()
		}
	}
}

// findDevices finds the devices that are new. One that cannot be read is logged and left out, and worth another look.
func (b *board) findDevices() (again bool, err error) {
	for i := range sources {
		src := &sources[i]
		names, err := sysfs.List(b.env.Kernel, src.folder)
		if err != nil {
			return false, err
		}
		for _, name := range names {
			path := src.folder + "/" + name
			if !strings.HasPrefix(name, src.prefix) || slices.ContainsFunc(b.devices, func(d *device) bool { return d.path == path }) {
				continue
			}
			d, err := src.find(b.env.Kernel, path)
			if err != nil {
				b.report.Warn("cannot read a sensor's device", "name", name, "err", err)
				again = true
				continue
			}
			b.devices = append(b.devices, d)
		}
	}
	return again, nil
}

// nameChannels adds the channels that have no name yet. One that has a name keeps it as long as its device is there, whatever comes and goes beside it: a device that is plugged in and called
// the same gets a longer name, which tells it from the other one, and that one's name does not pass on to it. A channel of which board.toml does not tell whether an entry means this one or another one has no
// name until the other one is gone.
func (b *board) nameChannels() (again bool, errs []error) {
	all, named := b.channels()
	mark(all)
	ids := nameAll(all)
	declared, errs := hal.Assign(b.env.Entries, func(e *hal.Entry) ([]*found, error) { return b.find(all, e) }, func(f *found) string { return ids[f] })
	for _, f := range all {
		e, meant := declared[f]
		switch id := ids[f]; {
		case named[f] || meant && e == nil:
			continue
		case meant:
			ids[f] = e.ID
		case b.reserved[id]:
			b.report.Warn("a sensor is left out: board.toml gives its name to another one", "device", f.device, "channel", f.channel)
			continue
		}
		if s, err := open(b.env, ids[f], f); err != nil {
			b.report.Warn("cannot open a sensor", "sensor", ids[f], "err", err)
			again = true
		} else if err := b.add(s); err != nil {
			errs = append(errs, err)
		}
	}
	return again, errs
}

// channels are those of all devices, and those of them that have a name.
func (b *board) channels() (all []*found, named map[*found]bool) {
	for _, d := range b.devices {
		all = append(all, d.channels...)
	}
	named = map[*found]bool{}
	for _, s := range b.sensors.All() {
		named[s.found] = true
	}
	return all, named
}

// add adds a sensor, or closes it and says why not.
func (b *board) add(s *Sensor) error {
	err := b.sensors.Add(s)
	if err != nil {
		s.close()
	}
	return err
}

// find finds the channel that an entry means, or all that it may mean, with an error.
func (b *board) find(all []*found, entryOf *hal.Entry) (matching []*found, err error) {
	kind, device, channel, err := entryOf.Value.(*entry).choice()
	if err != nil {
		return nil, err
	}
	for _, f := range all {
		if f.matches(kind, device, channel) {
			matching = append(matching, f)
		}
	}
	switch {
	case len(matching) == 0:
		b.report.Warn("a sensor of board.toml is not there", "sensor", entryOf.ID, "where", entryOf.Where)
	case len(matching) > 1:
		err = fmt.Errorf("%s %q with %q is in %s and in %s: name the parent, as %s@%s", kind, device, channel, matching[0].dir, matching[1].dir, device, matching[0].parent)
	}
	return matching, err
}
