package haltest

import (
	"errors"
	"slices"
	"syscall"

	"github.com/halberd-io/halberd/hal"
)

// plugs lets the class rescan.
func (y *toy) plugs(class *hal.Class) {
	if !y.wrong.noSubsystems {
		class.Subsystems = []string{"lamps"}
	}
	if !y.wrong.noRescan {
		class.Rescan = y.rescan
	}
}

func (y *toy) rescan() (again bool) {
	if y.wrong.panicsRescanning {
		panic("rescanning")
	}
	for _, l := range slices.Clone(y.lamps.All()) {
		inode, err := y.env.Kernel.Inode("/sys/lamps/" + l.id)
		switch {
		case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ENODEV), y.wrong.reopens, err == nil && inode != l.inode && !y.wrong.byName:
			y.drop(l)
		case err != nil:
			again = true
		}
	}
	names, err := y.env.Kernel.ReadDir("/sys/lamps")
	again = again || err != nil
	for _, name := range names {
		if _, there := y.lamps.Find([]byte(name)); !there && (y.add(name) != nil) {
			again = true
		}
	}
	return (again || y.wrong.restless) && !y.wrong.givesUp
}

func (y *toy) drop(l *lamp) {
	if y.wrong.forgetful {
		return
	}
	y.lamps.Remove(l.id)
	if !y.wrong.quiet {
		l.ends.Publish(hal.GoneDevice("Lamp", l.id))
	}
	l.rest()
	if !y.wrong.keepsGone {
		_ = y.env.Kernel.Close(l.fd)
	}
}

// unplug takes a lamp away. What is open of it answers ENODEV.
func (k *fake) unplug(path string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.files, path)
	for fd, of := range k.open {
		if of == path {
			k.open[fd] = "gone"
		}
	}
}

// plug brings a lamp back, as another one.
func (k *fake) plug(path string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.files[path] = "0"
	k.plugged++
}
