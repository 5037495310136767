package i2c

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/uapi"
)

// Chip is a chip on a bus that board.toml names.
type Chip struct {
	id  string
	on  *Bus
	cfg *chipEntry
}

// ID is the name in board.toml.
func (c *Chip) ID() string { return c.id }

// Bus names the worker: that of the bus that the chip is on.
func (c *Chip) Bus() string { return c.on.bus }

// Start does nothing: a chip's registers are its app's.
func (c *Chip) Start(bool) {}

// Unplug and Close do nothing: what the chip is reached by is its bus's.
func (c *Chip) Unplug() {}

// Close does nothing.
func (c *Chip) Close() {}

// shared reports whether the chip's address may be used beside a driver.
func (c *Chip) shared(address int64) bool { return c.cfg.Bound.Value || c.on.bound[address] }

// within expects that n bytes from a register on are all in one span of those that are allowed. size names the parameter that says how many there are.
func (c *Chip) within(allowed spans, register, n int64, size string) error {
	s, in := allowed.with(register)
	if !in {
		return &hal.OutOfRange{Parameter: "register", Minimum: s.first, Maximum: s.last}
	}
	wide := c.cfg.registerBytes()
	if most := (s.last - register + 1) * wide; n > most {
		return &hal.OutOfRange{Parameter: size, Minimum: wide, Maximum: most}
	}
	if n%wide != 0 {
		return &hal.InvalidParameter{Parameter: size, What: fmt.Sprintf("must be a multiple of %d bytes, which a register has", wide)}
	}
	return nil
}

// read reads registers.
func (c *Chip) read(register int64, data []byte) error {
	return c.use(func(fd int) error {
		return c.pieces(register, data, uapi.I2CFuncReadI2CBlock, func(register int64, piece []byte) error {
			number := c.number(register)
			return c.on.carry(fd, []message{{c.cfg.Address, false, number}, {c.cfg.Address, true, piece}}, c.shared)
		})
	})
}

// write writes registers.
func (c *Chip) write(register int64, data []byte) error {
	return c.use(func(fd int) error {
		return c.pieces(register, data, uapi.I2CFuncWriteI2CBlock, func(register int64, piece []byte) error {
			return c.on.carry(fd, []message{{c.cfg.Address, false, append(c.number(register), piece...)}}, c.shared)
		})
	})
}

func (c *Chip) use(do func(fd int) error) error {
	return c.on.use(c.id, []int64{c.cfg.Address}, c.shared, do)
}

// number is how the chip is told a register: one byte, or two, the high one first.
func (c *Chip) number(register int64) []byte {
	if c.cfg.wide() {
		return []byte{byte(register >> 8), byte(register)}
	}
	return []byte{byte(register)}
}

// pieces does what an adapter of plain I2C does in one transfer, and one of SMBus alone in as many as it needs: in blocks, else register by register.
func (c *Chip) pieces(register int64, data []byte, blocks uint, one func(register int64, piece []byte) error) error {
	wide := int(c.cfg.registerBytes())
	size := wide
	switch {
	case c.on.can(uapi.I2CFuncI2C):
		size = len(data)
	case c.cfg.wide():
		return unix.EOPNOTSUPP
	case wide == 1 && c.on.can(blocks):
		size = uapi.SMBusBlockMax
	}
	for len(data) > 0 {
		n := min(size, len(data))
		if err := one(register, data[:n]); err != nil {
			return err
		}
		data, register = data[n:], register+int64(n/wide)
	}
	return nil
}
