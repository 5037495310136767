package gpio

import (
	"errors"
	"fmt"
	"path"
	"unsafe"

	gpiocdev "github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
	"github.com/halberd-io/halberd/hal/uapi"
)

const folder = "/sys/bus/gpio/devices"

// chip is one GPIO chip. Its descriptor is kept: it stands for this very chip, also when it is gone and another one has its name.
type chip struct {
	kernel      hal.Kernel
	name, label string // gpiochip0, pinctrl-bcm2711
	inode       uint64 // of its folder in /sys
	spec        string // what board.toml calls it: its label, or its path where labels repeat
	title       string // its label, with its parent where labels repeated when it came; "" until it is named
	dir, bus    string
	lines       []string // their names, by offset; "" for a line without
	store       *store   // nil where no request outlives the process

	guard   hal.Guard // of what follows
	fd      int
	watched map[uint32]int // how many want to know of changes of a line, by its offset

	waiting waiting // for lines to be let go
}

func openChip(k hal.Kernel, name string) (*chip, error) {
	inode, err := k.Inode(folder + "/" + name)
	if err != nil {
		return nil, err
	}
	dir, err := sysfs.Resolve(k, folder+"/"+name)
	if err != nil {
		return nil, err
	}
	fd, err := k.Open("/dev/"+name, unix.O_RDWR|unix.O_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("cannot open /dev/%s: %w", name, err)
	}
	c := &chip{kernel: k, name: name, inode: inode, dir: dir, bus: sysfs.Bus(k, dir), fd: fd, watched: map[uint32]int{}}
	if err := c.describe(); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// close lets go of the chip, once no worker is at it.
func (c *chip) close() { c.guard.Close(c.bus, func() { _ = c.kernel.Close(c.fd) }) }

// ioctl makes a request of the chip, and answers ENODEV once it is closed.
func (c *chip) ioctl(request uint, argument unsafe.Pointer) error {
	return c.guard.Do(func() error { return c.kernel.Ioctl(c.fd, request, argument) })
}

// mayPass refuses leases where a descriptor cannot be handed over. The chip's own is tried for that, and never handed over itself: it reaches every line.
func (c *chip) mayPass() error {
	return c.guard.Do(func() error {
		fd, err := c.kernel.Pass(c.fd)
		switch {
		case errors.Is(err, unix.EOPNOTSUPP):
			return &hal.NotSupported{Feature: byLease}
		case err != nil:
			return err
		}
		return c.kernel.Close(fd)
	})
}

// describe reads the label and the names of the lines.
func (c *chip) describe() error {
	info := new(gpiocdev.ChipInfo)
	if err := c.ioctl(uapi.GPIOGetChipInfo, unsafe.Pointer(info)); err != nil {
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
	if err := c.ioctl(uapi.GPIOGetLineInfo, unsafe.Pointer(info)); err != nil {
		return nil, fmt.Errorf("cannot describe line %d of %s: %w", offset, c.name, err)
	}
	return info, nil
}

// parent is the name of the device that the chip belongs to, which tells chips of one label apart: 1-0020.
func (c *chip) parent() string { return path.Base(path.Dir(c.dir)) }

// isCalled reports whether board.toml means this chip: by its label, its name, or its path in /sys or that of its parent, which leads to dir.
func (c *chip) isCalled(name, dir string) bool {
	if dir != "" {
		return dir == c.dir || dir == path.Dir(c.dir)
	}
	return name == c.label || name == c.name
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

// entitle gives the chip its title, among all that are there. It keeps it while others come and go.
func (c *chip) entitle(chips []*chip) {
	c.spec = c.label
	for _, other := range chips {
		if other != c && other.label == c.label || c.label == "" {
			c.spec = c.dir
		}
	}
	switch {
	case c.title != "":
	case c.spec == c.dir:
		c.title = c.label + "@" + c.parent()
	default:
		c.title = c.label
	}
}

// place names a line by its chip and its offset.
func (c *chip) place(offset uint32) string { return fmt.Sprintf("%s/%d", c.title, offset) }

// place is where a line is.
type place struct {
	chip   *chip
	offset uint32
}

func (p place) String() string { return fmt.Sprintf("line %d of %s", p.offset, p.chip.label) }
