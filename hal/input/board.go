package input

import (
	"path"
	"slices"
	"strings"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

// newRoster finds the devices that have a node of events. Each is named as its driver does: the number of an event follows the order in which drivers were loaded. Where several have one name, as the
// parts of a keyboard do, board.toml can mean each by where it is plugged in.
func newRoster(env *hal.Env) *sysfs.Roster[*Device] {
	var names map[string][]string
	return &sysfs.Roster[*Device]{
		Env: env, Set: hal.NewSet[*Device](class, "device"), Noun: "input device",
		Places: func() (events []sysfs.Place, err error) {
			events, names, err = places(env.Kernel)
			return events, err
		},
		Means: func(e *hal.Entry, p sysfs.Place) bool { return slices.Contains(names[p.Path], e.Value.(*entry).Name) },
		Open:  func(id string, p sysfs.Place, e *hal.Entry) (*Device, error) { return open(env, id, p, e) },
	}
}

// places are the nodes of events, with what board.toml may call each.
func places(k hal.Kernel) (events []sysfs.Place, names map[string][]string, err error) {
	all, err := sysfs.Entries(k, folder)
	names = map[string][]string{}
	for _, p := range all {
		if !strings.HasPrefix(p.Name, "event") {
			continue
		}
		var phys string
		if p.Name, p.Err = sysfs.Read(k, p.Path+"/device/name"); p.Err == nil {
			phys, p.Err = sysfs.Read(k, p.Path+"/device/phys")
		}
		names[p.Path] = []string{p.Name, phys}
		events = append(events, p)
	}
	return events, names, err
}

func open(env *hal.Env, id string, at sysfs.Place, e *hal.Entry) (*Device, error) {
	dir, err := sysfs.Resolve(env.Kernel, at.Path)
	if err != nil {
		return nil, err
	}
	inode, err := env.Kernel.Inode(at.Path)
	if err != nil {
		return nil, err
	}
	d := &Device{id: id, name: at.Name, node: "/dev/input/" + path.Base(at.Path), entry: at.Path, inode: inode, bus: sysfs.Bus(env.Kernel, dir), env: env, polled: -1, fd: -1}
	if e != nil {
		d.name = e.Value.(*entry).Name
	}
	return d, nil
}
