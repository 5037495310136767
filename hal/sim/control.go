package sim

import (
	"fmt"
	"slices"

	gpiocdev "github.com/warthog618/go-gpiocdev/uapi"
)

// line finds a line by its name, or by the label or name of its chip and its offset: "relay-pump", "sim-gpio/5". Of one that was unplugged and plugged again it is the latter. A test that
// names none is wrong, and panics.
func (k *Kernel) line(name string) *line {
	k.release()
	for _, c := range slices.Backward(k.chips) {
		for _, l := range c.lines {
			at := fmt.Sprintf("/%d", l.offset)
			if l.name == name || c.label+at == name || c.name+at == name {
				return l
			}
		}
	}
	panic("sim: no line " + name)
}

// Pull pulls a line to a physical level from outside, as gpio-sim's attribute of that name does. What drives the line is stronger.
func (k *Kernel) Pull(line string, level int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.line(line)
	l.pull = level
	l.settle()
}

// Value is the physical level at a line's pin.
func (k *Kernel) Value(line string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.line(line).physical()
}

// Changes is how often the level of a line changed: it proves that an output made no edge.
func (k *Kernel) Changes(line string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.line(line).changes
}

// Writes is how often a line was driven or given a direction, by whomever, also where that changed nothing: what the kernel's trace events gpio_value and gpio_direction would tell.
func (k *Kernel) Writes(line string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.line(line).writes
}

// title is the name of a line, or its chip's label and its offset.
func (l *line) title() string {
	if l.name != "" {
		return l.name
	}
	return fmt.Sprintf("%s/%d", l.chip.label, l.offset)
}

// Observe calls f for every single change of the level of a line, as it happens, on the goroutine that makes it; nil ends that. The kernel is locked meanwhile: f must not use it.
func (k *Kernel) Observe(f func(line string, level int)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.observer = f
}

// Consumer tells who uses a line, "" for nobody, and whether it is an output.
func (k *Kernel) Consumer(line string) (consumer string, output bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.line(line)
	return l.consumer, l.has(gpiocdev.LineFlagV2Output)
}

// Unplug takes a device away by its name in /sys: gpiochip0, a LED's name, hwmon1. What is open of it answers ENODEV from then on. A test that names none is wrong, and panics.
func (k *Kernel) Unplug(device string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.unplug(device)
}

func (k *Kernel) unplug(device string) {
	d := k.devices[device]
	for _, path := range slices.Backward(d.paths) {
		k.remove(path)
	}
	delete(k.devices, device)
	delete(k.values, device)
	k.taken[device] = d
	for _, c := range k.chips {
		if c.name == device {
			c.unplug()
		}
	}
	k.radios.unplug(device)
	k.uevent("remove", d.paths[0], d.subsystem)
	if d.unplugged != nil {
		d.unplugged()
	}
}

// Plug adds what Unplug took away under a name, as it was at first: with the same name where nothing else has it now. Other hardware is plugged in by AddChip and the like.
func (k *Kernel) Plug(device string) {
	k.mu.Lock()
	d := k.taken[device]
	k.mu.Unlock()
	d.plug()
}

func (c *chip) unplug() {
	c.gone = true
	for _, f := range c.files {
		f.hangUp()
	}
	for _, l := range c.lines {
		if l.request != nil {
			l.request.hangUp()
		}
	}
}

// SetAttribute gives an attribute of a hwmon device, thermal zone or IIO device another text, as its hardware would: SetAttribute("hwmon0", "temp1_input", "41000").
func (k *Kernel) SetAttribute(device, attribute, text string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.values[device][attribute] = value{text: text}
}

// FailAttribute lets the reading of such an attribute fail.
func (k *Kernel) FailAttribute(device, attribute string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.values[device][attribute] = value{err: err}
}
