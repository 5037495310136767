package sim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// LED is a light to add to the board.
type LED struct {
	Name     string
	Under    string // its parent device, as OnPlatform; "" for that
	Max      int64
	Colors   []string // of a multi-colour LED
	Triggers []string // besides none; nil for timer, heartbeat, default-on and pattern
	Vibrates bool     // its driver lets it run for a time, as those of vibrators in Android's kernels do
}

// led follows drivers/leds: led-class.c, led-core.c, led-triggers.c, ledtrig-timer.c, ledtrig-transient.c, ledtrig-pattern.c and led-class-multicolor.c.
type led struct {
	kernel     *Kernel
	node       *node
	max        int64
	brightness int64
	triggers   []string
	trigger    string
	on, off    int64
	colors     []int64
	transient  *transient // nil without
	pattern    *pattern   // of the trigger of that name; nil while another one is active
}

// AddLED adds a light.
func (k *Kernel) AddLED(l LED) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := k.newDevice(or(l.Under, OnPlatform), "/sys/class/leds", l.Name, func() { k.AddLED(l) })
	d := &led{kernel: k, node: n, max: l.Max, triggers: l.Triggers, trigger: "none"}
	if d.triggers == nil {
		d.triggers = []string{"timer", "heartbeat", "default-on", "pattern"}
	}
	k.devices[l.Name].hardware = d
	n.add("max_brightness", constant(strconv.FormatInt(l.Max, 10)))
	n.add("brightness", &attribute{d.showBrightness, d.setBrightness})
	n.add("trigger", &attribute{d.showTriggers, d.setTrigger})
	if len(l.Colors) > 0 {
		d.colors = slices.Repeat([]int64{l.Max}, len(l.Colors))
		n.add("multi_index", constant(strings.Join(l.Colors, " ")))
		n.add("multi_intensity", &attribute{d.showColors, d.setColors})
	}
	if l.Vibrates {
		d.transient = &transient{kernel: k, led: d, state: 1}
		d.transient.addTo(n, "activate", "duration")
	}
	k.leds[l.Name] = d
	k.appear(l.Name)
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func (d *led) show(value *int64) func() (string, error) {
	return func() (string, error) { return fmt.Sprintln(*value), nil }
}

// parseUint is the kernel's kstrtoul.
func parseUint(text string) (int64, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(strings.TrimSuffix(text, "\n"), "+"), 10, strconv.IntSize-1)
	if err == nil {
		return int64(n), nil
	}
	if err.(*strconv.NumError).Err == strconv.ErrRange {
		return 0, unix.ERANGE
	}
	return 0, unix.EINVAL
}

func (d *led) setBrightness(text string) error {
	n, err := parseUint(text)
	if err != nil {
		return err
	}
	if n == 0 {
		d.endTrigger()
	}
	d.transient.settle()
	d.brightness = min(n, d.max)
	return nil
}

func (d *led) showTriggers() (string, error) {
	var b strings.Builder
	for i, name := range append([]string{"none"}, d.triggers...) {
		if i > 0 {
			b.WriteByte(' ')
		}
		if name == d.trigger {
			name = "[" + name + "]"
		}
		b.WriteString(name)
	}
	return b.String() + "\n", nil
}

func (d *led) setTrigger(text string) error {
	name := strings.TrimSuffix(text, "\n")
	if name == "none" {
		d.endTrigger()
		return nil
	}
	if !slices.Contains(d.triggers, name) {
		return unix.EINVAL
	}
	before := d.brightness
	d.endTrigger()
	d.trigger = name
	switch name {
	case "timer":
		d.startTimer(before)
	case "transient":
		d.transient = &transient{kernel: d.kernel, led: d}
		d.transient.addTo(d.node, "activate", "duration", "state")
	case "default-on":
		d.brightness = d.max
	case "pattern":
		d.startPattern()
	}
	return nil
}

// endTrigger leaves the light off, as led_trigger_set does.
func (d *led) endTrigger() {
	if d.trigger == "none" {
		return
	}
	files := map[string][]string{"timer": {"delay_on", "delay_off"}, "transient": {"activate", "duration", "state"}, "pattern": {"pattern", "repeat"}}[d.trigger]
	if d.trigger == "transient" {
		d.transient = nil
	}
	d.trigger, d.brightness, d.pattern = "none", 0, nil
	for _, name := range files {
		if n := d.node.children[name]; n != nil {
			n.gone = true
			delete(d.node.children, name)
		}
	}
}

// startTimer blinks at the brightness that was, or fully.
func (d *led) startTimer(before int64) {
	d.on, d.off = 500, 500
	if d.brightness = before; before == 0 {
		d.brightness = d.max
	}
	d.node.add("delay_on", &attribute{d.show(&d.on), store(&d.on)})
	d.node.add("delay_off", &attribute{d.show(&d.off), store(&d.off)})
}

func store(value *int64) func(string) error {
	return func(text string) error {
		n, err := parseUint(text)
		if err == nil {
			*value = n
		}
		return err
	}
}

func (d *led) showColors() (string, error) {
	return strings.Trim(fmt.Sprint(d.colors), "[]") + "\n", nil
}

func (d *led) setColors(text string) error {
	words := strings.Fields(text)
	if len(words) != len(d.colors) {
		return unix.EINVAL
	}
	values := make([]int64, len(words))
	for i, w := range words {
		n, err := strconv.ParseInt(w, 0, 32)
		if err != nil {
			return unix.EINVAL
		}
		values[i] = n
	}
	copy(d.colors, values)
	return nil
}
