package radio

import (
	"errors"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

// entry is a [radio.ID] of board.toml.
type entry struct {
	Name, Type hal.Opt[string]
	Output     hal.Output
}

func (e *entry) Fields(f *hal.Fields) {
	f.OptText("name", &e.Name, "The kernel's name for the radio, in /sys/class/rfkill/*/name: phy0, hci0. It may have another number each time that its driver is loaded.")
	f.OptText("type", &e.Type, "The kernel's type of the radio: wlan, bluetooth, wwan, gps, fm, nfc, …; enough where there is one of it.")
	e.Output.Fields(f, 0, 1, hal.Unitless)
}

// Check finds what contradicts itself.
func (e *entry) Check() error {
	if !e.Name.Set && !e.Type.Set {
		return errors.New("name, type or both say which radio it is")
	}
	return e.Output.Check()
}

// place is where the kernel has a radio, with its type.
type place struct {
	sysfs.Place
	kind string
}

// places finds the radios that the kernel has now.
type places struct {
	env   *hal.Env
	kinds map[string]string // types, by path
	begun bool              // the class is open: what cannot be read is worth another look
}

// list lists them by their names, which are not those of their folders.
func (l *places) list() ([]sysfs.Place, error) {
	all, err := sysfs.Entries(l.env.Kernel, folder)
	if err != nil {
		return nil, err
	}
	l.kinds = map[string]string{}
	found := all[:0]
	for _, p := range all {
		if p.Name, err = sysfs.Read(l.env.Kernel, p.Path+"/name"); err == nil {
			l.kinds[p.Path], err = sysfs.Read(l.env.Kernel, p.Path+"/type")
		}
		switch {
		case err == nil:
			found = append(found, p)
		case l.begun:
			return nil, err
		default:
			l.env.Log.Warn("a radio is left out", "err", err)
		}
	}
	return found, nil
}

// means reports whether an entry means a radio.
func (l *places) means(e *hal.Entry, p sysfs.Place) bool {
	is := func(wanted hal.Opt[string], is string) bool { return !wanted.Set || wanted.Value == is }
	own := e.Value.(*entry)
	return is(own.Name, p.Name) && is(own.Type, l.kinds[p.Path])
}

// newRoster finds the radios.
func newRoster(env *hal.Env, c *control) *sysfs.Roster[*Radio] {
	l := &places{env: env}
	return &sysfs.Roster[*Radio]{
		Env: env, Set: hal.NewSet[*Radio](class, "radio"), Noun: "radio", Means: l.means,
		Places: func() ([]sysfs.Place, error) {
			defer func() { l.begun = true }()
			return l.list()
		},
		Open: func(id string, p sysfs.Place, e *hal.Entry) (*Radio, error) {
			return open(env, c, id, place{p, l.kinds[p.Path]}, e)
		},
	}
}
