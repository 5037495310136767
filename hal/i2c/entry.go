package i2c

import (
	"errors"
	"fmt"
	"strings"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/uapi"
)

// The tables of board.toml.
const (
	busTable  = "i2c-bus"
	chipTable = "i2c"
)

func tables() []hal.Table {
	chips := hal.NewTable[chipEntry](chipTable, "A chip on an I2C bus, for Read and Write.")
	chips.Whole = "device" // the kernel names adapters, and no chips
	return []hal.Table{hal.NewTable[busEntry](busTable, "An I2C adapter, for Transfer and Probe."), chips}
}

// busEntry is an [i2c-bus.ID].
type busEntry struct {
	Adapter string
	Bound   hal.Opt[[]int64]
}

func (e *busEntry) Fields(f *hal.Fields) {
	f.Text("adapter", &e.Adapter, "The kernel's name for the adapter, as i2c-1, or the one that its driver gives it, in /sys/class/i2c-dev/i2c-1/name, or its path in /sys where numbers and names change.")
	f.OptInts("bound", &e.Bound, 0, maxAddress-minAddress+1, hal.Unitless, "Addresses that may be used although the kernel has bound a driver to them, with all that this may upset.")
}

// Place is the adapter that the entry is about.
func (e *busEntry) Place() string { return e.Adapter }

// Check finds addresses that there are none.
func (e *busEntry) Check() error {
	for _, address := range e.Bound.Value {
		if address < minAddress || address > maxAddress {
			return fmt.Errorf("bound has %#x: an address is from %#x to %#x", address, minAddress, maxAddress)
		}
	}
	return nil
}

// chipEntry is an [i2c.ID].
type chipEntry struct {
	On                 string
	Address            int64
	Registers, Writing hal.Opt[string]
	Width, Bytes, Page hal.Opt[int64]
	Bound              hal.Opt[bool]

	readable, writable spans
}

func (e *chipEntry) Fields(f *hal.Fields) {
	f.Text("bus", &e.On, "The bus that the chip is on: its ID, or whatever an i2c-bus calls an adapter by.")
	f.IntIn("address", &e.Address, minAddress, maxAddress, hal.Unitless, "The chip's address of seven bits, as 0x50.")
	f.OptText("registers", &e.Registers, `The registers that may be read: "0x00-0x7f", or several, as "0x00, 0x10-0x1f". None without it.`)
	f.OptText("write-registers", &e.Writing, "The registers that may be written. None without it.")
	f.OptIntIn("register-bits", &e.Width, 8, 16, hal.Unitless, "The width of a register's number: 8, or 16 with the high byte first, as bigger EEPROMs have it. 8 without it.")
	f.OptIntIn("register-bytes", &e.Bytes, 1, 4, hal.Bytes, "How many bytes one register has, so how many of them count as one. 1 without it, as in an EEPROM.")
	f.OptIntIn("page", &e.Page, 1, uapi.I2CMaxLength, hal.Bytes, "How much an EEPROM takes in one write, which may not cross a multiple of it either: the chip would go on at the beginning of the page.")
	f.OptBool("bound", &e.Bound, "The chip may be used although the kernel has bound a driver to it, with all that this may upset.")
}

// Place is the chip that the entry is about.
func (e *chipEntry) Place() string { return fmt.Sprintf("%s %#x", e.On, e.Address) }

// Check reads the registers, and finds what contradicts itself.
func (e *chipEntry) Check() (err error) {
	switch {
	case e.Width.Set && e.Width.Value != 8 && e.Width.Value != 16:
		return fmt.Errorf("register-bits is 8 or 16, not %d", e.Width.Value)
	case !e.Registers.Set && !e.Writing.Set:
		return errors.New("registers or write-registers must say what may be read or written")
	case e.Page.Set && e.Page.Value%e.registerBytes() != 0:
		return fmt.Errorf("page = %d is no multiple of register-bytes = %d", e.Page.Value, e.registerBytes())
	}
	if e.readable, err = e.spans(e.Registers); err != nil {
		return fmt.Errorf("registers: %w", err)
	}
	if e.writable, err = e.spans(e.Writing); err != nil {
		return fmt.Errorf("write-registers: %w", err)
	}
	return nil
}

func (e *chipEntry) spans(list hal.Opt[string]) (spans, error) {
	if !list.Set {
		return nil, nil
	}
	if strings.TrimSpace(list.Value) == "" {
		return nil, errors.New("must not be empty")
	}
	most := int64(0xff)
	if e.wide() {
		most = 0xffff
	}
	return parseSpans(list.Value, most)
}

// wide reports whether a register's number has 16 bits.
func (e *chipEntry) wide() bool { return e.Width.Or(8) == 16 }

// registerBytes is how many bytes a register has.
func (e *chipEntry) registerBytes() int64 { return e.Bytes.Or(1) }
