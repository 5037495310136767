package sim

import (
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// FanDriver is a driver of the kernel whose fans the board can have.
type FanDriver int

// The drivers of fans. They differ in what pwmN_enable means, and in what pwmN takes.
const (
	FanChip   FanDriver = iota // nct6775-core.c: a chip with automatic modes of its own, in which pwmN cannot be set
	FanOnGPIO                  // gpio-fan.c: some speeds; pwmN_enable 0 is full speed, and there is no automatic mode; a cooling device, too
	FanOnPWM                   // pwm-fan.c: pwmN_enable says what becomes of the supply of a fan that stands; a cooling device, too
	FanBare                    // aspeed-pwm-tacho.c: no pwmN_enable
)

// Fan is a hwmon device with fans to add to the board.
type Fan struct {
	Driver FanDriver
	Under  string // its parent device, as OnPlatform; "" for that
	Name   string // of the hwmon device; "" for the one that the driver gives
	Fans   int    // how many; 0 for one
	Speed  int64  // how fast they turn at most, in 1/min; 0 where nobody counts
	Enable int64  // pwmN_enable at first; what it is without is the driver's own default
}

// speeds is how many speeds a fan has that hangs on GPIO lines or is a cooling device, standing still included.
const speeds = 4

// automatic is what a chip drives its fans with in its automatic modes.
const automatic = 102

// fan is one fan.
type fan struct {
	Fan
	pwm, enable int64
}

var fanNames = map[FanDriver]string{FanChip: "nct6775", FanOnGPIO: "gpio_fan", FanOnPWM: "pwmfan", FanBare: "aspeed_pwm_tacho"}

// coolingTypes are the types of the cooling devices that drivers register beside hwmon.
var coolingTypes = map[FanDriver]string{FanOnGPIO: "gpio-fan", FanOnPWM: "pwm-fan"}

// AddFan adds a hwmon device with fans and gives its name: hwmon0. A cooling device that is the same hardware comes and goes with it.
func (k *Kernel) AddFan(f Fan) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	name := k.number("hwmon")
	n := k.newDevice(or(f.Under, OnPlatform), "/sys/class/hwmon", name, func() { k.AddFan(f) })
	n.add("name", constant(or(f.Name, fanNames[f.Driver])))
	var one *fan
	for i := range max(f.Fans, 1) {
		one = newFan(f)
		one.attributes(n, strconv.Itoa(i+1))
	}
	k.appear(name)
	if kind := coolingTypes[f.Driver]; kind != "" {
		cooling := k.addCooling(kind, speeds-1, one.coolingState, one.setCoolingState)
		k.devices[name].unplugged = func() { k.unplug(cooling) }
	}
	return name
}

func newFan(f Fan) *fan {
	d := &fan{Fan: f, enable: f.Enable}
	switch {
	case f.Enable != 0:
	case f.Driver == FanChip:
		d.enable = 5
	default:
		d.enable = 1
	}
	return d
}

// attributes adds those of the fan with a number.
func (d *fan) attributes(n *node, number string) {
	n.add("pwm"+number, &attribute{func() (string, error) { return fmt.Sprintln(d.duty()), nil }, d.setDuty})
	if d.Driver != FanBare {
		n.add("pwm"+number+"_enable", &attribute{func() (string, error) { return fmt.Sprintln(d.enable), nil }, d.setEnable})
	}
	if d.Speed > 0 {
		n.add("fan"+number+"_input", &attribute{show: func() (string, error) { return fmt.Sprintln(d.duty() * d.Speed / 255), nil }})
	}
}

func (d *fan) duty() int64 {
	if d.Driver == FanChip && d.enable > 1 {
		return automatic
	}
	return d.pwm
}

func (d *fan) setDuty(text string) error {
	if d.Driver == FanChip && d.enable > 1 {
		return unix.EBUSY
	}
	n, err := parseLong(text)
	switch {
	case err != nil:
		return err
	case d.Driver == FanChip:
		d.pwm = max(0, min(n, 255))
		return nil
	case n < 0 || n > 255:
		return unix.EINVAL
	case d.Driver == FanOnGPIO && d.enable == 0:
		return unix.EPERM
	case d.Driver == FanOnGPIO:
		d.pwm = (n*(speeds-1) + 254) / 255 * 255 / (speeds - 1)
	case d.Driver == FanOnPWM && d.enable == 0 && n > 0: // it says that it worked
	default:
		d.pwm = n
	}
	return nil
}

// greatest is the greatest value of pwmN_enable.
var greatest = map[FanDriver]int64{FanChip: 5, FanOnGPIO: 1, FanOnPWM: 3}

// setEnable leaves a fan of a chip or on GPIO lines, that nothing controls any more, at full speed, and one of pwm-fan still.
func (d *fan) setEnable(text string) error {
	n, err := parseLong(text)
	switch {
	case err != nil:
		return err
	case n < 0 || n > greatest[d.Driver] || n == 4 && d.Driver == FanChip:
		return unix.EINVAL
	}
	d.enable = n
	if n == 0 {
		d.pwm = 255
		if d.Driver == FanOnPWM {
			d.pwm = 0
		}
	}
	return nil
}

func (d *fan) coolingState() int64 { return d.pwm * (speeds - 1) / 255 }

func (d *fan) setCoolingState(n int64) {
	if n != d.coolingState() {
		d.pwm = n * 255 / (speeds - 1)
	}
}

// AddCooling adds a cooling device of a type, with states up to most, and gives its name: cooling_device0.
func (k *Kernel) AddCooling(kind string, most int64) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	state := int64(0)
	return k.addCooling(kind, most, func() int64 { return state }, func(n int64) { state = n })
}

// addCooling follows drivers/thermal/thermal_sysfs.c.
func (k *Kernel) addCooling(kind string, most int64, show func() int64, store func(int64)) string {
	name := k.number("cooling_device")
	n := k.newDevice(Virtual, "/sys/class/thermal", name, func() { k.AddCooling(kind, most) })
	n.add("type", constant(kind))
	n.add("max_state", constant(strconv.FormatInt(most, 10)))
	n.add("cur_state", &attribute{func() (string, error) { return fmt.Sprintln(show()), nil }, func(text string) error {
		state, err := parseLong(text)
		if err != nil || state < 0 || state > most {
			return unix.EINVAL
		}
		store(state)
		return nil
	}})
	k.appear(name)
	return name
}

// parseLong is the kernel's kstrtol with base 10.
func parseLong(text string) (int64, error) {
	if len(text) > 0 && text[0] == '-' {
		n, err := parseUint(text[1:])
		return -n, err
	}
	return parseUint(text)
}
