package sim

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// PWMChip is a PWM chip to add to the board.
type PWMChip struct {
	Under    string // its parent device, as OnPlatform; "" for that
	Channels int
	Used     []int                              // channels that drivers of the kernel use
	Boot     PWMState                           // how the boot loader left all of them
	Refuses  func(before, after PWMState) error // what the chip's driver does not take; nil for nothing
}

// PWMState is how a channel is set, with its times in ns.
type PWMState struct {
	Period, Duty      uint64
	Inversed, Enabled bool
}

// pwmChip follows drivers/pwm/core.c of Linux 6.12, which has what drivers/pwm/sysfs.c had before.
type pwmChip struct {
	kernel   *Kernel
	name     string
	node     *node
	channels []*pwmChannel
	refuses  func(before, after PWMState) error
}

type pwmChannel struct {
	state     PWMState
	requested bool // by a driver, or by who exported it
	exported  bool
	applied   []PWMState // what the driver was given, in its order
}

// AddPWMChip adds a PWM chip and gives its name: pwmchip0.
func (k *Kernel) AddPWMChip(c PWMChip) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	name := k.number("pwmchip")
	n := k.newDevice(or(c.Under, OnPlatform), "/sys/class/pwm", name, func() { k.AddPWMChip(c) })
	chip := &pwmChip{kernel: k, name: name, node: n, refuses: c.Refuses}
	for range c.Channels {
		chip.channels = append(chip.channels, &pwmChannel{state: c.Boot})
	}
	for _, used := range c.Used {
		chip.channels[used].requested = true
	}
	n.add("npwm", constant(strconv.Itoa(c.Channels)))
	n.add("export", &attribute{store: chip.export})
	n.add("unexport", &attribute{store: chip.unexport})
	k.devices[name].hardware = chip
	k.appear(name)
	return name
}

// channel finds the channel that a text names, by its number in C.
func (c *pwmChip) channel(text string) (*pwmChannel, int, error) {
	n, err := parseC(text, 32)
	if err != nil {
		return nil, 0, err
	}
	if n >= uint64(len(c.channels)) {
		return nil, 0, unix.ENODEV
	}
	return c.channels[n], int(n), nil
}

func (c *pwmChip) export(text string) error {
	ch, n, err := c.channel(text)
	if err != nil {
		return err
	}
	if ch.requested {
		return unix.EBUSY
	}
	ch.requested, ch.exported = true, true
	folder := folder()
	c.node.children[fmt.Sprint("pwm", n)] = folder
	folder.add("period", c.time(ch, func(s *PWMState) *uint64 { return &s.Period }))
	folder.add("duty_cycle", c.time(ch, func(s *PWMState) *uint64 { return &s.Duty }))
	folder.add("enable", &attribute{ch.showEnable, func(text string) error { return c.enable(ch, text) }})
	folder.add("polarity", &attribute{ch.showPolarity, func(text string) error { return c.setPolarity(ch, text) }})
	folder.add("capture", &attribute{show: func() (string, error) { return "", unix.ENOSYS }})
	c.kernel.changed(c.name, fmt.Sprint("EXPORT=pwm", n))
	return nil
}

func (c *pwmChip) unexport(text string) error {
	ch, n, err := c.channel(text)
	if err != nil {
		return err
	}
	if !ch.exported {
		return unix.ENODEV
	}
	ch.requested, ch.exported = false, false
	c.kernel.changed(c.name, fmt.Sprint("UNEXPORT=pwm", n))
	child := fmt.Sprint("pwm", n)
	c.node.children[child].vanish()
	delete(c.node.children, child)
	return nil
}

// time is an attribute of a channel in ns.
func (c *pwmChip) time(ch *pwmChannel, of func(*PWMState) *uint64) *attribute {
	return &attribute{
		show: func() (string, error) { return fmt.Sprintln(*of(&ch.state)), nil },
		store: func(text string) error {
			n, err := parseC(text, 64)
			if err != nil {
				return err
			}
			next := ch.state
			*of(&next) = n
			return c.apply(ch, next)
		},
	}
}

func (ch *pwmChannel) showEnable() (string, error) {
	if ch.state.Enabled {
		return "1\n", nil
	}
	return "0\n", nil
}

func (c *pwmChip) enable(ch *pwmChannel, text string) error {
	n, err := parseC(text, 31)
	if err != nil {
		return err
	}
	if n > 1 {
		return unix.EINVAL
	}
	next := ch.state
	next.Enabled = n == 1
	return c.apply(ch, next)
}

func (ch *pwmChannel) showPolarity() (string, error) {
	if ch.state.Inversed {
		return "inversed\n", nil
	}
	return "normal\n", nil
}

func (c *pwmChip) setPolarity(ch *pwmChannel, text string) error {
	next := ch.state
	switch strings.TrimSuffix(text, "\n") {
	case "normal":
		next.Inversed = false
	case "inversed":
		next.Inversed = true
	default:
		return unix.EINVAL
	}
	return c.apply(ch, next)
}

// apply is __pwm_apply: without a period nothing can be set at all, not even what is so already.
func (c *pwmChip) apply(ch *pwmChannel, next PWMState) error {
	if next.Period == 0 || next.Duty > next.Period {
		return unix.EINVAL
	}
	if next == ch.state {
		return nil
	}
	if c.refuses != nil {
		if err := c.refuses(ch.state, next); err != nil {
			return err
		}
	}
	ch.state = next
	ch.applied = append(ch.applied, next)
	return nil
}

// PWM is how a channel of a chip is set. A test that names none is wrong, and panics.
func (k *Kernel) PWM(chip string, channel int) PWMState {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.devices[chip].hardware.(*pwmChip).channels[channel].state
}

// PWMApplied are the states that a channel went through since it was asked last.
func (k *Kernel) PWMApplied(chip string, channel int) []PWMState {
	k.mu.Lock()
	defer k.mu.Unlock()
	ch := k.devices[chip].hardware.(*pwmChip).channels[channel]
	applied := ch.applied
	ch.applied = nil
	return applied
}

// parseC is the kernel's kstrtoull with base 0, for a number of so many bits: decimal, 0x and hexadecimal, or 0 and octal.
func parseC(text string, bits int) (uint64, error) {
	text = strings.TrimPrefix(strings.TrimSuffix(text, "\n"), "+")
	base := 10
	if rest, isHex := strings.CutPrefix(strings.ToLower(text), "0x"); isHex {
		text, base = rest, 16
	} else if len(text) > 1 && text[0] == '0' {
		text, base = text[1:], 8
	}
	n, err := strconv.ParseUint(text, base, bits)
	switch {
	case err == nil:
		return n, nil
	case err.(*strconv.NumError).Err == strconv.ErrRange:
		return 0, unix.ERANGE
	}
	return 0, unix.EINVAL
}
