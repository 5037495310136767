package haltest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/wire"
)

// names looks at every device through every method that names one.
func names(f *findings) {
	f.with(func(b *bench) {
		ids := f.ids(b)
		for _, m := range b.class.Methods {
			if m.Device == "" {
				continue
			}
			if len(ids) == 0 {
				f.add("the kernel of the harness has no device for %s", m.Name)
			}
			for id := range ids {
				f.finds(b, m, id)
				for _, other := range otherSpellings(b.class.Name, id) {
					if !ids[other] {
						f.findsNot(b, m, other)
					}
				}
			}
		}
	})
}

// ids are the names of all devices.
func (f *findings) ids(b *bench) map[string]bool {
	ids := map[string]bool{}
	if b.class.Devices == nil {
		return ids
	}
	for i := range b.class.Devices.Len() {
		id := b.class.Devices.At(i).ID()
		if ids[id] {
			f.add("two devices are named %q", id)
		}
		ids[id] = true
		if err := hal.CheckID(id); err != nil {
			f.add("the device %q: %v", id, err)
		}
	}
	return ids
}

// otherSpellings are names that look much like an ID and are none.
func otherSpellings(class, id string) []string {
	return []string{strings.ToUpper(id), strings.ToLower(id), class + "/" + id, id + "/", "./" + id, id + "0", "0" + id}
}

// resolve decodes a call that names a device, by parameters made up for the rest.
func (b *bench) resolve(m *hal.Method, id string) (*hal.Call, error) {
	call, err := m.Decode(wire.Value(object(validMembers(m, id))))
	if err != nil {
		return nil, err
	}
	if call.Devices() != 1 || call.DeviceID(0) != id {
		return nil, fmt.Errorf("it stands for %d devices, the first of them %q", call.Devices(), call.DeviceID(0))
	}
	return call, nil
}

func (f *findings) finds(b *bench, m *hal.Method, id string) {
	call, err := b.resolve(m, id)
	if err == nil {
		_, err = call.Authorise(permit{})
	}
	if err != nil {
		f.add("%s of %q: %v", m.Name, id, err)
	}
}

// findsNot expects that a name is nobody's, if it is a name at all.
func (f *findings) findsNot(b *bench, m *hal.Method, id string) {
	call, err := b.resolve(m, id)
	if err == nil {
		_, err = call.Authorise(permit{})
	}
	var none *hal.NoSuchDevice
	var invalid *hal.InvalidParameter
	if !errors.As(err, &none) && !errors.As(err, &invalid) {
		f.add("%s of %q finds a device, and none has that ID (%v)", m.Name, id, err)
	}
}
