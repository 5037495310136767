package service

import "github.com/halberd-io/halberd/hal"

// together refuses a part of devices that belong together.
func together(devices []boardDevice) error {
	named := map[string]bool{}
	for _, d := range devices {
		named[d.ID()] = true
	}
	for _, d := range devices {
		for _, name := range d.together() {
			if !named[name] {
				return &hal.NotSupported{Feature: "group"}
			}
		}
	}
	return nil
}

// together are the devices that the device is claimed with, by Class/ID: itself at least.
func (d boardDevice) together() []string {
	grouped, ok := d.Device.Device.(hal.Grouped)
	if !ok || grouped.Together() == nil {
		return []string{d.ID()}
	}
	var names []string
	for _, id := range grouped.Together() {
		names = append(names, d.Class+"/"+id)
	}
	return names
}

// waiting calls done once everything that was begun has ended.
type waiting struct {
	left int
	done func()
}

func (w *waiting) ended() {
	if w.left--; w.left == 0 {
		w.done()
	}
}

// endLease ends a lease of a device, of anybody where h is nil.
func (w *waiting) endLease(d boardDevice, h hal.Holder) {
	if lessor, ok := d.Device.Device.(hal.Lessor); ok {
		w.left++
		if !lessor.EndLease(h, w.ended) {
			w.left--
		}
	}
}
