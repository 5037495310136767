// Package board is the one list of classes.
package board

import (
	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/led"
)

// Drivers are all classes.
func Drivers() []hal.Driver {
	return []hal.Driver{
		led.Driver(),
	}
}

// Tables are the tables of board.toml, of all classes.
func Tables() []hal.Table {
	var all []hal.Table
	for _, d := range Drivers() {
		all = append(all, d.Tables...)
	}
	return all
}
