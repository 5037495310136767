// Package board is the one list of device classes.
package board

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/backlight"
	"github.com/halberd-io/halberd/hal/battery"
	"github.com/halberd-io/halberd/hal/cpu"
	"github.com/halberd-io/halberd/hal/fan"
	"github.com/halberd-io/halberd/hal/gpio"
	"github.com/halberd-io/halberd/hal/haptic"
	"github.com/halberd-io/halberd/hal/i2c"
	"github.com/halberd-io/halberd/hal/input"
	"github.com/halberd-io/halberd/hal/led"
	"github.com/halberd-io/halberd/hal/power"
	"github.com/halberd-io/halberd/hal/pwm"
	"github.com/halberd-io/halberd/hal/radio"
	"github.com/halberd-io/halberd/hal/remoteproc"
	"github.com/halberd-io/halberd/hal/rtc"
	"github.com/halberd-io/halberd/hal/sensor"
	"github.com/halberd-io/halberd/hal/serial"
	"github.com/halberd-io/halberd/hal/spi"
	"github.com/halberd-io/halberd/hal/watchdog"
)

// Drivers lists every class, in the order in which they are opened.
func Drivers() []hal.Driver {
	return []hal.Driver{
		gpio.Driver(),
		led.Driver(),
		rtc.Driver(),
		backlight.Driver(),
		pwm.Driver(),
		power.Driver(),
		radio.Driver(),
		sensor.Driver(),
		fan.Driver(),
		battery.Driver(),
		remoteproc.Driver(),
		serial.Driver(),
		input.Driver(),
		haptic.Driver(),
		watchdog.Driver(),
		i2c.Driver(),
		spi.Driver(),
		cpu.Driver(),
	}
}

// Tables lists the tables that board.toml may have.
func Tables() []hal.Table {
	var tables []hal.Table
	for _, d := range Drivers() {
		tables = append(tables, d.Tables...)
	}
	return tables
}

// Check finds what contradicts itself between the entries of board.toml, without any hardware. Each error names file and line.
func Check(entries map[string][]hal.Entry) error {
	var errs []error
	for _, d := range Drivers() {
		if d.Check == nil {
			continue
		}
		var own []hal.Entry
		for _, t := range d.Tables {
			own = append(own, entries[t.Name]...)
		}
		errs = append(errs, d.Check(own)...)
	}
	return errors.Join(errs...)
}

// Open opens every class with its entries of board.toml. On an error everything that was opened is closed again.
func Open(kernel hal.Kernel, loop hal.Loop, log *slog.Logger, entries []hal.Entry, firstStart bool) ([]*hal.Class, error) {
	var classes []*hal.Class
	for _, d := range Drivers() {
		env := &hal.Env{Kernel: kernel, Loop: loop, Log: log.With("class", d.Class), Entries: entriesOf(d, entries), FirstStart: firstStart}
		class, err := d.Open(env)
		if err != nil {
			Close(classes)
			return nil, fmt.Errorf("cannot open class %s: %w", d.Class, err)
		}
		classes = append(classes, class)
	}
	return classes, nil
}

// Close closes classes in the opposite order, once.
func Close(classes []*hal.Class) {
	for i := len(classes) - 1; i >= 0; i-- {
		if classes[i].Close != nil {
			classes[i].Close()
		}
	}
}

func entriesOf(d hal.Driver, all []hal.Entry) (own []hal.Entry) {
	for _, e := range all {
		for i := range d.Tables {
			if d.Tables[i].Name == e.Table {
				own = append(own, e)
			}
		}
	}
	return own
}
