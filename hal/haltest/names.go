package haltest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/wire"
)

// names looks at every device through every method that names one. A class may have devices of several kinds, each with methods of its own: a method that finds one of a kind finds all of that kind.
func names(f *findings) {
	f.with(func(b *bench) {
		ids, found := f.ids(b), map[*hal.Method][]string{}
		for _, m := range b.class.Methods {
			if m.Device != "" {
				found[m] = b.ownOf(m, ids)
			}
		}
		kindOf := kinds(found)
		for m, own := range found {
			f.eachName(b, m, own, ids, kindOf)
		}
	})
}

// ownOf are the devices that a method finds.
func (b *bench) ownOf(m *hal.Method, ids map[string]bool) (found []string) {
	for _, id := range sorted(ids) {
		if b.find(m, id) == nil {
			found = append(found, id)
		}
	}
	return found
}

// kinds tells the devices of different kinds from each other: two are of one kind where a method finds both, or both are of one kind with a third one. What nothing finds is of kind 0.
func kinds(found map[*hal.Method][]string) map[string]int {
	kindOf, next := map[string]int{}, 0
	for _, ids := range found {
		next++
		for _, id := range ids {
			if old := kindOf[id]; old != 0 {
				for other, kind := range kindOf {
					if kind == old {
						kindOf[other] = next
					}
				}
			}
			kindOf[id] = next
		}
	}
	return kindOf
}

// eachName looks at every device through one method.
func (f *findings) eachName(b *bench, m *hal.Method, found []string, ids map[string]bool, kindOf map[string]int) {
	kind := 0
	if len(found) > 0 {
		kind = kindOf[found[0]]
	} else {
		f.add("the kernel of the harness has no device for %s", m.Name)
	}
	for id := range ids {
		if k := kindOf[id]; k == kind || k == 0 {
			f.finds(b, m, id)
		}
		for _, other := range otherSpellings(b.class.Name, id) {
			if !ids[other] {
				f.findsNot(b, m, other)
			}
		}
	}
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

// find takes a call that names a device up to where it could run.
func (b *bench) find(m *hal.Method, id string) error {
	call, err := b.resolve(m, id)
	if err == nil {
		_, err = call.Authorise(permit{})
	}
	return err
}

func (f *findings) finds(b *bench, m *hal.Method, id string) {
	if err := b.find(m, id); err != nil {
		f.add("%s of %q: %v", m.Name, id, err)
	}
}

// findsNot expects that a name is nobody's, if it is a name at all.
func (f *findings) findsNot(b *bench, m *hal.Method, id string) {
	err := b.find(m, id)
	var none *hal.NoSuchDevice
	var invalid *hal.InvalidParameter
	if !errors.As(err, &none) && !errors.As(err, &invalid) {
		f.add("%s of %q finds a device, and none has that ID (%v)", m.Name, id, err)
	}
}
