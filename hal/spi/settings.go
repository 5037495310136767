package spi

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/uapi"
)

// settings are how a device is talked to.
type settings struct {
	mode    uint32 // all its bits: beside clock polarity and phase, what the board's description says of the chip select and the like
	bits    uint8
	speedHz uint32
}

// clock are the bits of a mode that callers choose.
const clock = uapi.SPICPOL | uapi.SPICPHA

// word is how many bytes a word takes in memory.
func (s *settings) word() int {
	switch {
	case s.bits > 16:
		return 4
	case s.bits > 8:
		return 2
	}
	return 1
}

// settle finds out what the settings are to be, and where back says so, sets back what a lease may have changed.
func (d *Device) settle(back bool) error {
	if !d.known {
		if err := d.learn(); err != nil {
			return err
		}
	}
	if !back || !d.dirty.Load() {
		return nil
	}
	if err := d.apply(d.settings); err != nil {
		return err
	}
	d.dirty.Store(false)
	return nil
}

// learn reads the settings that the device has, and gives it those of board.toml.
func (d *Device) learn() error {
	var s settings
	err := errors.Join(d.ioctl(uapi.SPIRdMode32, unsafe.Pointer(&s.mode)), d.ioctl(uapi.SPIRdBitsPerWord, unsafe.Pointer(&s.bits)),
		d.ioctl(uapi.SPIRdMaxSpeedHz, unsafe.Pointer(&s.speedHz)))
	if err != nil {
		return fmt.Errorf("cannot read the settings of %s: %w", d.name, err)
	}
	if d.entry != nil {
		wanted := d.entry.over(s)
		if err := d.apply(wanted); err != nil {
			return err
		}
		s = wanted
	}
	d.settings, d.known = s, true
	return nil
}

// change gives the device other settings. Where it does not take one of them it is left with those that it had.
func (d *Device) change(to settings) error {
	err := d.apply(to)
	if err == nil {
		d.settings = to
		return nil
	}
	if back := d.apply(d.settings); back != nil {
		d.dirty.Store(true)
	}
	return err
}

// apply writes settings. One that the hardware cannot have is NotSupported.
func (d *Device) apply(s settings) error {
	for _, one := range []struct {
		name    string
		request uint
		value   unsafe.Pointer
	}{
		{"mode", uapi.SPIWrMode32, unsafe.Pointer(&s.mode)},
		{"bits", uapi.SPIWrBitsPerWord, unsafe.Pointer(&s.bits)},
		{"speedHz", uapi.SPIWrMaxSpeedHz, unsafe.Pointer(&s.speedHz)},
	} {
		switch err := d.ioctl(one.request, one.value); {
		case errors.Is(err, unix.EINVAL):
			return &hal.NotSupported{Feature: one.name}
		case err != nil:
			return fmt.Errorf("cannot set %s of %s: %w", one.name, d.name, err)
		}
	}
	return nil
}
