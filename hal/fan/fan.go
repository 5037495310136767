// Package fan is the class Fan: the outputs of hwmon devices that drive fans, pwmN in /sys/class/hwmon, and fans among the cooling devices of /sys/class/thermal.
//
// A fan's ID is the kernel's name for the hwmon device, a slash, and the output: nct6775/pwm1. Where several devices have that name, the device's parent stands behind an at sign: emc2305@1-004d/pwm1.
// A cooling device is called by its type. One that is the same hardware as a hwmon device, as those of gpio-fan and pwm-fan, has no name of its own, since a fan must not have two; board.toml
// may give one to it, and to a cooling device whose type does not say that it is a fan.
//
// Speeds are in permille of what the hardware takes, which has its own steps and, if it counts them, revolutions. In automatic mode (pwmN_enable 2 and above) the chip drives the fan, in manual mode
// (1) whoever sets it, and where nobody does (0) it runs at full speed. A fan without pwmN_enable has no modes, nor has one of pwm-fan, where that number is about the supply, nor a cooling
// device: whoever wrote last rules, a thermal zone of the kernel included.
//
// Every hwmon device and every cooling device has a worker of its own, or that of its bus.
//
// Minimum kernel: Linux 3.2. Source: Linux Documentation/ABI/testing/sysfs-class-hwmon, sysfs-class-thermal, Documentation/hwmon/sysfs-interface.rst and pwm-fan.rst.
package fan

import (
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

const class = "Fan"

// What pwmN_enable is set to. What is greater than manual is automatic, in a way that the chip knows.
const (
	manual    = 1
	automatic = 2
)

// Fan is one fan.
type Fan struct {
	*found
	id, bus string
	env     *hal.Env
	entry   *entry        // what board.toml says; nil for a fan that it does not name
	most    int64         // the greatest speed, in steps of the hardware
	ledger  *sysfs.Ledger // of the automatic modes that Halberd ended: a fan that is driven by hand does not tell
	key     string        // in it; no other fan has it until the system boots again

	auto  atomic.Int64 // what pwmN_enable is in automatic mode; 0 while that is not known
	taken atomic.Bool  // Halberd ended the automatic mode

	guard    hal.Guard // of what follows
	speed    *sysfs.Attribute
	fixed    bool             // the speed can only be read
	enable   *sysfs.Attribute // nil for a fan without
	supplied bool             // and that is about the supply
	tacho    *sysfs.Attribute // nil where nobody counts revolutions
}

// ID is the name in board.toml, else one made of the kernel's names.
func (d *Fan) ID() string { return d.id }

// Bus names the bus that the fan hangs on, or the device that it is a part of.
func (d *Fan) Bus() string { return d.bus }

// Declaration is the fan's table in board.toml.
func (d *Fan) Declaration() string {
	keys := []hal.Key{hal.TextKey(d.kind, d.spec)}
	if d.kind == kindHwmon {
		keys = append(keys, hal.TextKey("channel", d.channel))
	}
	return hal.Declaration("fan", d.id, keys...)
}

// Unplug lets go of a fan that is gone.
func (d *Fan) Unplug() { d.Close() }

// Close lets go of the fan, which goes on as it is.
func (d *Fan) Close() {
	d.guard.Close(d.bus, func() {
		d.speed.Close()
		d.enable.Close()
		d.tacho.Close()
	})
}

// open opens a fan.
func open(env *hal.Env, l *sysfs.Ledger, id string, f *found, e *hal.Entry) (*Fan, error) {
	inode, err := env.Kernel.Inode(f.place.Path)
	if err != nil {
		return nil, err
	}
	d := &Fan{found: f, id: id, bus: f.bus, env: env, most: 255, ledger: l, key: fmt.Sprintf("%d/%s", inode, f.channel)}
	word, _ := l.Noted(d.key)
	ended, _ := strconv.ParseInt(word, 10, 64)
	if ended < automatic {
		ended = 0 // Halberd ended none
	}
	d.auto.Store(ended)
	d.taken.Store(ended != 0)
	if e != nil {
		d.entry = e.Value.(*entry)
		d.auto.Store(d.entry.Auto.Or(ended))
	}
	err = d.openSpeed()
	if err == nil && d.kind == kindHwmon {
		err = d.openOthers(e)
	}
	if err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// openSpeed opens what the speed is written to.
func (d *Fan) openSpeed() (err error) {
	file := d.dir + "/" + d.channel
	if d.kind == kindCooling {
		file = d.dir + "/cur_state"
		if d.most, err = sysfs.ReadInt(d.env.Kernel, d.dir+"/max_state"); err != nil {
			return err
		}
	}
	if d.speed, err = sysfs.Open(d.env.Kernel, file, unix.O_RDWR); errors.Is(err, unix.EACCES) {
		d.fixed = true
		d.speed, err = sysfs.Open(d.env.Kernel, file, unix.O_RDONLY)
	}
	return err
}

// openOthers opens what a hwmon device may have beside the speed.
func (d *Fan) openOthers(e *hal.Entry) (err error) {
	d.supplied = d.device == pwmFan
	d.enable, err = sysfs.Open(d.env.Kernel, d.dir+"/"+d.channel+"_enable", unix.O_RDWR)
	if err != nil && !sysfs.Missing(err) && !errors.Is(err, unix.EACCES) {
		return err
	}
	tachometer := "fan" + d.channel[len("pwm"):]
	if d.entry != nil {
		tachometer = d.entry.Tachometer.Or(tachometer)
	}
	d.tacho, err = sysfs.Open(d.env.Kernel, d.dir+"/"+tachometer+"_input", unix.O_RDONLY)
	switch {
	case !sysfs.Missing(err):
		return err
	case d.entry != nil && d.entry.Tachometer.Set:
		return e.Unfit("%s has no %s", d.spec, tachometer)
	}
	return nil
}
