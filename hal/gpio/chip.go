package gpio

import (
	"fmt"
	"path"
	"strings"
	"unsafe"

	gpiocdev "github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
	"github.com/halberd-io/halberd/hal/uapi"
)

const folder = "/sys/bus/gpio/devices"

// chip is one GPIO chip. Its descriptor is kept.
type chip struct {
	kernel      hal.Kernel
	name, label string // gpiochip0, pinctrl-bcm2711
	spec        string // what board.toml calls it: its label, or its path where labels repeat
	title       string // its label, with its parent where labels repeat
	dir, bus    string
	fd          int
	lines       []string // their names, by offset; "" for a line without
}

// openChips opens every chip that there is. One that cannot be opened is logged and left out.
func openChips(env *hal.Env) ([]*chip, error) {
	names, err := sysfs.List(env.Kernel, folder)
	if err != nil {
		return nil, err
	}
	var chips []*chip
	for _, name := range names {
		c, err := openChip(env.Kernel, name)
		if err != nil {
			env.Log.Warn("cannot open a GPIO chip", "name", name, "err", err)
			continue
		}
		chips = append(chips, c)
	}
	return chips, nil
}

func openChip(k hal.Kernel, name string) (*chip, error) {
	dir, err := sysfs.Resolve(k, folder+"/"+name)
	if err != nil {
		return nil, err
	}
	fd, err := k.Open("/dev/"+name, unix.O_RDWR)
	if err != nil {
		return nil, fmt.Errorf("cannot open /dev/%s: %w", name, err)
	}
	c := &chip{kernel: k, name: name, dir: dir, bus: sysfs.Bus(k, dir), fd: fd}
	if err := c.describe(); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *chip) close() { _ = c.kernel.Close(c.fd) }

// describe reads the label and the names of the lines.
func (c *chip) describe() error {
	info := new(gpiocdev.ChipInfo)
	if err := c.kernel.Ioctl(c.fd, uapi.GPIOGetChipInfo, unsafe.Pointer(info)); err != nil {
		return fmt.Errorf("cannot describe %s: %w", c.name, err)
	}
	c.label = gpiocdev.BytesToString(info.Label[:])
	for offset := range info.Lines {
		line, err := c.info(offset)
		if err != nil {
			return err
		}
		c.lines = append(c.lines, gpiocdev.BytesToString(line.Name[:]))
	}
	return nil
}

// info asks the kernel about a line: its direction and who uses it. It does not wait for hardware.
func (c *chip) info(offset uint32) (*gpiocdev.LineInfoV2, error) {
	info := &gpiocdev.LineInfoV2{Offset: offset}
	if err := c.kernel.Ioctl(c.fd, uapi.GPIOGetLineInfo, unsafe.Pointer(info)); err != nil {
		return nil, fmt.Errorf("cannot describe line %d of %s: %w", offset, c.name, err)
	}
	return info, nil
}

// parent is the name of the device that the chip belongs to, which tells chips of one label apart: 1-0020.
func (c *chip) parent() string { return path.Base(path.Dir(c.dir)) }

// isCalled reports whether board.toml means this chip: by its label, its name, or its path in /sys or that of its parent.
func (c *chip) isCalled(name string) bool {
	if strings.HasPrefix(name, "/") {
		dir, err := sysfs.Resolve(c.kernel, name)
		return err == nil && (dir == c.dir || dir == path.Dir(c.dir))
	}
	return name == c.label || name == c.name
}

// findChip finds the chip that board.toml means: nil where it is not there.
func findChip(chips []*chip, name string) (found *chip, err error) {
	for _, c := range chips {
		switch {
		case !c.isCalled(name):
		case found != nil:
			return nil, fmt.Errorf("chip %q is %s (%s) and %s (%s): name its path in /sys", name, found.name, found.dir, c.name, c.dir)
		default:
			found = c
		}
	}
	return found, nil
}

// findLine finds the offset of the line that board.toml means.
func (c *chip) findLine(line hal.NumberOrName) (uint32, error) {
	if line.Name == "" {
		if line.Number >= int64(len(c.lines)) {
			return 0, fmt.Errorf("chip %s has lines 0 to %d, and no line %d", c.label, len(c.lines)-1, line.Number)
		}
		return uint32(line.Number), nil
	}
	found := -1
	for offset, name := range c.lines {
		switch {
		case name != line.Name:
		case found >= 0:
			return 0, fmt.Errorf("lines %d and %d of chip %s are both named %q", found, offset, c.label, name)
		default:
			found = offset
		}
	}
	if found < 0 {
		return 0, fmt.Errorf("chip %s has no line named %q", c.label, line.Name)
	}
	return uint32(found), nil
}

// names gives each line of all chips the name that it has without board.toml: the kernel's where no other line has it, else that of the chip and the offset.
func names(chips []*chip) map[place]string {
	lines, labels := map[string]int{}, map[string]int{}
	for _, c := range chips {
		labels[c.label]++
		for _, name := range c.lines {
			lines[name]++
		}
	}
	out := map[place]string{}
	for _, c := range chips {
		c.spec, c.title = c.label, c.label
		if labels[c.label] > 1 || c.label == "" {
			c.spec, c.title = c.dir, c.label+"@"+c.parent()
		}
		for offset, name := range c.lines {
			if name == "" || lines[name] > 1 {
				name = c.place(uint32(offset))
			}
			out[place{c, uint32(offset)}] = hal.EscapeID(name)
		}
	}
	return out
}

// place names a line by its chip and its offset.
func (c *chip) place(offset uint32) string { return fmt.Sprintf("%s/%d", c.title, offset) }

// place is where a line is.
type place struct {
	chip   *chip
	offset uint32
}
