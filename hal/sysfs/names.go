package sysfs

import (
	"errors"
	"path"

	"github.com/halberd-io/halberd/hal"
)

// Names is Entries for a class whose entries board.toml may mean by other names, too, since the numbers in the kernel's depend on what comes first: by that of the device which an entry is a part
// of, as 0-0068, and by what some of its attributes say. names has them all by the places' paths.
func Names(k hal.Kernel, folder string, attributes ...string) (places []Place, names map[string][]string, err error) {
	places, err = Entries(k, folder)
	names = map[string][]string{}
	for i := range places {
		p := &places[i]
		all := []string{p.Name}
		device, unread := Resolve(k, p.Path+"/device")
		all = p.name(all, path.Base(device), unread)
		for _, a := range attributes {
			text, unread := Read(k, p.Path+"/"+a)
			all = p.name(all, text, unread)
		}
		names[p.Path] = all
	}
	return places, names, err
}

// name adds a name that was read, or notes why it could not be. One that is not there is none.
func (p *Place) name(all []string, name string, unread error) []string {
	switch {
	case unread == nil:
		return append(all, name)
	case !Missing(unread):
		p.Err = errors.Join(p.Err, unread)
	}
	return all
}
