package haltest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/halberd-io/halberd/hal"
)

// rescan lets the class look what came and went, and reports whether it wants to look again.
func (b *bench) rescan() (again bool, err error) {
	err = try(func() error {
		again = b.class.Rescan()
		b.loop.Turn()
		return nil
	})
	return again, err
}

// rescanned takes devices away and brings them back, with nobody and with every call of the harness.
func rescanned(f *findings) {
	var before, after map[string]bool
	f.with(func(b *bench) {
		if !f.canRescan(b) {
			return
		}
		before = f.ids(b)
		f.nothingNew(b, before)
		after = f.cycle(b, before)
	})
	if after == nil {
		return
	}
	lost := maps.Clone(before)
	maps.DeleteFunc(lost, func(id string, _ bool) bool { return after[id] })
	if len(lost) == 0 || len(lost)+len(after) != len(before) {
		f.add("unplugging leaves %q of %q", sorted(after), sorted(before))
	}
	f.eachCall(func(b *bench, c Call) { f.unplugged(b, c, lost) })
}

// canRescan reports whether there is a rescan to look at.
func (f *findings) canRescan(b *bench) bool {
	switch c := b.class; {
	case c.Rescan == nil && len(c.Subsystems) > 0:
		f.add("the class names the subsystems %q, and has no Rescan", c.Subsystems)
	case c.Rescan == nil:
	case len(c.Subsystems) == 0:
		f.add("the class has a Rescan, and names no subsystems")
	case b.harness.Unplug == nil || b.harness.Plug == nil:
		f.add("the class has a Rescan, and the harness unplugs nothing")
	default:
		return true
	}
	return false
}

func sorted(ids map[string]bool) []string { return slices.Sorted(maps.Keys(ids)) }

// nothingNew expects that a rescan of the same hardware changes nothing.
func (f *findings) nothingNew(b *bench, before map[string]bool) {
	b.recorder.Reset()
	again, err := b.rescan()
	if err != nil || again {
		f.add("a rescan of the same hardware: %v, again: %t", err, again)
	}
	if after := f.ids(b); !maps.Equal(before, after) {
		f.add("a rescan of the same hardware gives %q, want %q", sorted(after), sorted(before))
	}
	if written := b.recorder.Written(); len(written) > 0 {
		f.add("a rescan of the same hardware touches it: %s", written[0].String())
	}
}

// cycle unplugs and plugs several times, and gives what there was in between.
func (f *findings) cycle(b *bench, before map[string]bool) (between map[string]bool) {
	held := b.held()
	for range 3 {
		b.harness.Unplug()
		f.calmly("a rescan after unplugging", b)
		between = f.ids(b)
		b.harness.Plug()
		f.calmly("a rescan after plugging", b)
		if after := f.ids(b); !maps.Equal(before, after) {
			f.add("a rescan after plugging gives %q, want %q", sorted(after), sorted(before))
		}
	}
	if now := b.held(); now != held {
		f.add("%d descriptors are held after unplugging and plugging, %d before", now, held)
	}
	return between
}

// held counts the descriptors that the class holds.
func (b *bench) held() int {
	if b.harness.Opened != nil {
		return b.harness.Opened()
	}
	return len(b.recorder.Left())
}

func (f *findings) calmly(what string, b *bench) {
	if again, err := b.rescan(); err != nil || again {
		f.add("%s: %v, again: %t", what, err, again)
	}
}

// unplugged makes a call whose device goes: before the class knows, when it knows, when the device is back, and when it went and came between two looks. A watch of it ends.
func (f *findings) unplugged(b *bench, c Call, lost map[string]bool) {
	m := b.method(c.Method)
	if m == nil || !f.canRescan(b) {
		return
	}
	goes := b.names(m, c, lost)
	var watch *reader
	if m.Watches && c.Refusal == "" {
		watch, _, _ = b.watch(c)
	}
	b.harness.Unplug()
	_, err := b.run(c)
	f.isGone(c, "before the rescan", goes, err)
	f.calmly(c.String()+", a rescan", b)
	_, err = b.run(c)
	f.isGone(c, "after the rescan", goes, err)
	if watch != nil && goes && !isDeviceGone(watch.failed) {
		f.add("%s: the watch ends with %v, want DeviceGone", c, watch.failed)
	}
	if err := b.pass(); err != nil {
		f.add("%s: after unplugging: %v", c, err)
	}
	b.harness.Plug()
	f.calmly(c.String()+", another rescan", b)
	reply, err := b.run(c)
	f.answer(c.String()+" after plugging", c, m, reply, err)
	b.harness.Unplug()
	b.harness.Plug()
	f.calmly(c.String()+", a rescan of hardware that was replaced", b)
	reply, err = b.run(c)
	f.answer(c.String()+" on hardware that was replaced", c, m, reply, err)
}

// names reports whether a call names one of some devices.
func (b *bench) names(m *hal.Method, c Call, ids map[string]bool) bool {
	call, _, err := b.authorise(c, permit{})
	if err != nil {
		return false
	}
	defer call.Release()
	for i := range call.Devices() {
		if ids[call.DeviceID(i)] {
			return true
		}
	}
	return false
}

func isDeviceGone(err error) bool {
	var gone *hal.DeviceGone
	return errors.As(err, &gone)
}

// isGone expects DeviceGone for a device that goes, and no panic in any case. A call that is refused for what it asks may still be.
func (f *findings) isGone(c Call, when string, goes bool, err error) {
	var refusal hal.Refusal
	switch {
	case isPanic(err):
		f.add("%s, %s: %v", c, when, err)
	case !goes || isDeviceGone(err):
	case c.Refusal != "" && errors.As(err, &refusal) && refusal.ErrorName() == c.Refusal && when == "before the rescan":
	default:
		f.add("%s, %s: the device is gone, and the answer is %v", c, when, err)
	}
}

// faultsRescanning breaks the kernel while the class looks what came and went. Whatever that makes of it, the next look on a whole kernel puts it right.
func faultsRescanning(f *findings) {
	var before, between map[string]bool
	f.with(func(b *bench) {
		if !f.canRescan(b) {
			return
		}
		before = f.ids(b)
		b.harness.Unplug()
		_, _ = b.rescan()
		between = f.ids(b)
	})
	if before == nil {
		return
	}
	f.broken("a rescan after unplugging", (*bench).openAndUnplug, between)
	f.broken("a rescan after plugging", (*bench).openAndPlug, before)
}

func (b *bench) openAndUnplug() error {
	err := b.openClass()
	b.harness.Unplug()
	return err
}

// openAndPlug leaves the class without what was plugged in.
func (b *bench) openAndPlug() error {
	err := b.openAndUnplug()
	if err == nil {
		_, err = b.rescan()
	}
	b.harness.Plug()
	return err
}

// broken breaks each call of the kernel in a rescan that is to lead to some devices.
func (f *findings) broken(name string, prepare func(*bench) error, want map[string]bool) {
	f.inject(experiment{name: name, prepare: prepare,
		broken: func(b *bench, broken fault) error { return f.looks(b, fmt.Sprintf("%s, %s", name, broken), want) },
		after:  func(b *bench, broken fault) error { return f.mends(b, fmt.Sprintf("%s, after %s", name, broken), want) },
	})
}

// looks rescans a broken kernel: what the class does not find it has to look for again.
func (f *findings) looks(b *bench, where string, want map[string]bool) error {
	again, err := b.rescan()
	if err != nil {
		return err
	}
	if got := f.ids(b); !again && !maps.Equal(got, want) {
		f.add("%s: there are %q, want %q, and it does not want to look again", where, strings.Join(sorted(got), " "), strings.Join(sorted(want), " "))
	}
	return nil
}

// mends rescans a kernel that is whole again.
func (f *findings) mends(b *bench, where string, want map[string]bool) error {
	again, err := b.rescan()
	if err != nil {
		return err
	}
	if got := f.ids(b); again || !maps.Equal(got, want) {
		f.add("%s: there are %q, want %q; again: %t", where, strings.Join(sorted(got), " "), strings.Join(sorted(want), " "), again)
	}
	return nil
}
