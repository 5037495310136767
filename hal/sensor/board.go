package sensor

import (
	"fmt"
	"strings"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

// finder finds the channels of all devices. It belongs to the loop's goroutine.
type finder struct {
	kernel  hal.Kernel
	devices []*device            // of the last look
	at      map[[2]string]*found // their channels, by path and part of a place
}

// device is a device of hwmon or IIO, or a thermal zone.
type device struct {
	path     string // where the class or bus has it: /sys/class/hwmon/hwmon0
	inode    uint64 // of its folder in /sys
	channels []*found
}

// newRoster keeps the sensors. A place is a channel of a device, and is named among all that are there when it comes. It keeps that name as long as its device is there, whatever comes and goes beside
// it: a device that is plugged in and called the same gets a longer name, which tells it from the other one, and that one's name does not pass on to it. A channel of which board.toml does not tell whether
// an entry means this one or another one has no name until the other one is gone.
func newRoster(env *hal.Env) *sysfs.Roster[*Sensor] {
	f := &finder{kernel: env.Kernel}
	return &sysfs.Roster[*Sensor]{
		Env: env, Set: hal.NewSet[*Sensor](class, "sensor"), Noun: "sensor", Places: f.places, Means: f.means, Which: f.which,
		Open: func(id string, p sysfs.Place, _ *hal.Entry) (*Sensor, error) { return open(env, id, f.channel(p)) },
	}
}

// places lists the channels of all devices. A device that cannot be read is a place of its own.
func (f *finder) places() (all []sysfs.Place, err error) {
	before := f.devices
	f.devices, f.at = nil, map[[2]string]*found{}
	for i := range sources {
		src := &sources[i]
		names, err := sysfs.List(f.kernel, src.folder)
		if err != nil {
			f.devices = before
			return nil, err
		}
		for _, name := range names {
			if !strings.HasPrefix(name, src.prefix) {
				continue
			}
			path := src.folder + "/" + name
			d, err := f.device(src, path, before)
			if err != nil {
				all = append(all, sysfs.Place{Path: path, Err: err})
				continue
			}
			f.devices = append(f.devices, d)
		}
	}
	return append(all, f.named()...), nil
}

// device reads what a device has, unless that is known: it does not change as long as the device is there.
func (f *finder) device(src *source, path string, known []*device) (*device, error) {
	inode, err := f.kernel.Inode(path)
	if err != nil {
		return nil, err
	}
	for _, d := range known {
		if d.path == path && d.inode == inode {
			return d, nil
		}
	}
	channels, err := src.find(f.kernel, path)
	return &device{path, inode, channels}, err
}

// named gives every channel its place, with a name that no other one has.
func (f *finder) named() (all []sysfs.Place) {
	var channels []*found
	for _, d := range f.devices {
		channels = append(channels, d.channels...)
	}
	mark(channels)
	names := nameAll(channels)
	for _, d := range f.devices {
		for _, c := range d.channels {
			f.at[[2]string{d.path, c.channel}] = c
			all = append(all, sysfs.Place{Path: d.path, Part: c.channel, Name: names[c], Title: hal.EscapeID(names[c])})
		}
	}
	return all
}

// channel is what there is at a place.
func (f *finder) channel(p sysfs.Place) *found { return f.at[[2]string{p.Path, p.Part}] }

// means reports whether an entry of board.toml means the channel at a place.
func (f *finder) means(e *hal.Entry, p sysfs.Place) bool {
	kind, device, channel, err := e.Value.(*entry).choice()
	return err == nil && f.channel(p).matches(kind, device, channel)
}

// which says how board.toml can tell channels of one name apart.
func (f *finder) which(e *hal.Entry, all []sysfs.Place) error {
	kind, device, channel, _ := e.Value.(*entry).choice()
	one, other := f.channel(all[0]), f.channel(all[1])
	return fmt.Errorf("%s %q with %q is in %s and in %s: name the parent, as %s@%s", kind, device, channel, one.dir, other.dir, device, one.parent)
}
