package haptic

import (
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

const (
	inputs = "/sys/class/input"
	lights = "/sys/class/leds"
)

// found is a motor that the kernel has.
type found struct {
	names []string // by which board.toml may mean it
	gain  bool     // of a device of input
}

// newRoster finds the motors: each is named as its driver does.
func newRoster(env *hal.Env) *sysfs.Roster[*Motor] {
	var known map[string]found
	return &sysfs.Roster[*Motor]{
		Env: env, Set: hal.NewSet[*Motor](class, "motor"), Noun: "motor",
		Places: func() (all []sysfs.Place, err error) {
			all, known, err = places(env.Kernel)
			return all, err
		},
		Means: func(e *hal.Entry, p sysfs.Place) bool {
			return slices.Contains(known[p.Path].names, e.Value.(*entry).Name)
		},
		Open: func(id string, p sysfs.Place, e *hal.Entry) (*Motor, error) {
			return open(env, id, p, e, known[p.Path].gain)
		},
	}
}

// places are the devices of input that can rumble, and the LEDs, of which only those that are called vibrators are motors by themselves: board.toml can say it of another one.
func places(k hal.Kernel) (all []sysfs.Place, known map[string]found, err error) {
	known = map[string]found{}
	events, err := sysfs.Entries(k, inputs)
	for _, p := range events {
		if !strings.HasPrefix(p.Name, "event") {
			continue
		}
		var can bool
		motor, can, err := lookAt(k, &p)
		if p.Err = err; can || err != nil {
			known[p.Path] = motor
			all = append(all, p)
		}
	}
	leds, unlisted := sysfs.Entries(k, lights)
	for _, p := range leds {
		known[p.Path] = found{names: []string{p.Name, p.Path}}
		if !strings.Contains(p.Name, "vibrator") {
			p.Name = ""
		}
		all = append(all, p)
	}
	return all, known, errors.Join(err, unlisted)
}

// lookAt looks whether a device of input can rumble, and names it.
func lookAt(k hal.Kernel, p *sysfs.Place) (motor found, can bool, err error) {
	if can, motor.gain, err = rumbles(k, p.Path); err != nil || !can {
		return motor, false, err
	}
	if p.Name, err = sysfs.Read(k, p.Path+"/device/name"); err != nil {
		return motor, false, err
	}
	phys, err := sysfs.Read(k, p.Path+"/device/phys")
	motor.names = []string{p.Name, phys}
	return motor, true, err
}

func open(env *hal.Env, id string, at sysfs.Place, e *hal.Entry, gain bool) (*Motor, error) {
	dir, err := sysfs.Resolve(env.Kernel, at.Path)
	if err != nil {
		return nil, err
	}
	m := &Motor{id: id, name: at.Name, bus: sysfs.Bus(env.Kernel, dir), env: env}
	if e != nil {
		m.name = e.Value.(*entry).Name
	}
	if path.Dir(at.Path) == inputs {
		inode, err := env.Kernel.Inode(at.Path)
		m.drive = &rumble{kernel: env.Kernel, node: "/dev/input/" + path.Base(at.Path), entry: at.Path, inode: inode, gain: gain, fd: -1, effect: -1}
		return m, err
	}
	v, err := openVibrator(env.Kernel, dir)
	m.drive = v
	return m, err
}
