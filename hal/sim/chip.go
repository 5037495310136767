package sim

import (
	gpiocdev "github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"
)

// Chip is a GPIO chip to add to the board.
type Chip struct {
	Label        string
	Under        string // its parent device, as OnPlatform; "" for that
	Lines        []Line
	NoInterrupts bool // the lines report no edges
	Forgets      bool // a line that is let go is an input again, at its pull, as many a pin controller has it
}

// Line is a line of a Chip.
type Line struct {
	Name   string // "" for a line that the kernel has no name for
	Kernel string // the consumer, where the kernel itself uses the line
	Output bool   // how the boot loader left it
	Level  int    // physical: driven, or pulled from outside
}

// chip follows drivers/gpio/gpiolib-cdev.c and gpiolib.c.
type chip struct {
	kernel      *Kernel
	name, label string
	lines       []*line
	noIRQ, gone bool
	files       []*chipFile
	forgets     bool
}

type line struct {
	chip     *chip
	offset   uint32
	name     string
	consumer string
	used     bool
	flags    gpiocdev.LineFlagV2 // direction, and what the request asked for
	debounce uint32
	driven   int // physical
	pull     int // physical
	level    int // physical, as seen last
	changes  int
	writes   int
	request  *request
}

// AddChip adds a GPIO chip and gives its name: gpiochip0.
func (k *Kernel) AddChip(c Chip) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	new := &chip{kernel: k, name: k.number("gpiochip"), label: c.Label, noIRQ: c.NoInterrupts, forgets: c.Forgets}
	for i, l := range c.Lines {
		line := &line{chip: new, offset: uint32(i), name: l.Name, consumer: l.Kernel, used: l.Kernel != "",
			flags: gpiocdev.LineFlagV2Input, driven: l.Level, pull: l.Level, level: l.Level}
		if l.Output {
			line.flags = gpiocdev.LineFlagV2Output
		}
		new.lines = append(new.lines, line)
	}
	k.chips = append(k.chips, new)
	k.newDevice(or(c.Under, OnPlatform), "/sys/bus/gpio/devices", new.name, func() { k.AddChip(c) })
	k.addNode(new.name, "/dev/"+new.name, func(flags int) (file, error) { return new.openFile(k, flags) })
	k.appear(new.name)
	return new.name
}

const bias = gpiocdev.LineFlagV2BiasMask

func (l *line) has(flag gpiocdev.LineFlagV2) bool { return l.flags&flag != 0 }

// physical is the level at the pin.
func (l *line) physical() int {
	floating := l.has(gpiocdev.LineFlagV2OpenDrain) && l.driven == 1 || l.has(gpiocdev.LineFlagV2OpenSource) && l.driven == 0
	if l.has(gpiocdev.LineFlagV2Output) && !floating {
		return l.driven
	}
	return l.pull
}

// logical turns a physical level into a logical one, and the other way round.
func (l *line) logical(level int) int {
	if l.has(gpiocdev.LineFlagV2ActiveLow) {
		return 1 - level
	}
	return level
}

// settle sees whether the level changed, and tells the request.
func (l *line) settle() {
	now := l.physical()
	if now == l.level {
		return
	}
	l.level = now
	l.changes++
	if see := l.chip.kernel.observer; see != nil {
		see(l.title(), now)
	}
	if l.request != nil {
		l.request.edge(l, l.logical(now))
	}
}

// configure applies the flags of a request to a line, as gpio_v2_line_config_flags_to_desc_flags and the direction functions do.
func (l *line) configure(flags gpiocdev.LineFlagV2, value int, debounce uint32) error {
	if flags&gpiocdev.LineFlagV2DirectionMask == 0 {
		flags |= l.flags & gpiocdev.LineFlagV2DirectionMask
	} else if l.writes++; flags&gpiocdev.LineFlagV2Output != 0 {
		l.driven = value
		if flags&gpiocdev.LineFlagV2ActiveLow != 0 {
			l.driven = 1 - value
		}
	}
	l.flags, l.debounce = flags&^gpiocdev.LineFlagV2Used, debounce
	switch flags & bias {
	case gpiocdev.LineFlagV2BiasPullUp:
		l.pull = 1
	case gpiocdev.LineFlagV2BiasPullDown:
		l.pull = 0
	}
	l.settle()
	if l.chip.noIRQ && (flags&gpiocdev.LineFlagV2EdgeMask != 0 || debounce != 0) {
		return unix.ENXIO
	}
	return nil
}

// free lets go of a line, as gpiod_free does: the direction stays, and here the level too, unless the chip forgets it.
func (l *line) free() {
	l.used, l.consumer, l.request, l.debounce = false, "", nil, 0
	l.driven = l.level
	l.flags &= gpiocdev.LineFlagV2DirectionMask
	if l.chip.forgets {
		l.flags = gpiocdev.LineFlagV2Input
		l.settle()
	}
	l.changed(gpiocdev.LineChangedReleased)
}

func (c *chip) info(i *gpiocdev.ChipInfo) {
	*i = gpiocdev.ChipInfo{Lines: uint32(len(c.lines))}
	copy(i.Name[:31], c.name)
	copy(i.Label[:31], c.label)
}

func (c *chip) lineInfo(i *gpiocdev.LineInfoV2) error {
	if int(i.Offset) >= len(c.lines) || i.Padding != [4]uint32{} {
		return unix.EINVAL
	}
	l := c.lines[i.Offset]
	*i = gpiocdev.LineInfoV2{Offset: i.Offset, Flags: l.flags}
	copy(i.Name[:31], l.name)
	copy(i.Consumer[:31], l.consumer)
	if l.used {
		i.Flags |= gpiocdev.LineFlagV2Used
	}
	if l.debounce != 0 {
		i.Attrs[0].Encode32(gpiocdev.LineAttributeIDDebounce, l.debounce)
		i.NumAttrs = 1
	}
	return nil
}
