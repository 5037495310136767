package gpio

import (
	"errors"
	"math"
	"strconv"

	gpiocdev "github.com/warthog618/go-gpiocdev/uapi"

	"github.com/halberd-io/halberd/hal"
)

const (
	directionInput  = "input"
	directionOutput = "output"
)

// maxDebounce is the longest period of debouncing that the kernel takes, in µs.
const maxDebounce = math.MaxUint32

// entry is a [gpio.ID] of board.toml.
type entry struct {
	Chip         string
	Line         hal.NumberOrName
	Direction    hal.Opt[string]
	ActiveLow    hal.Opt[bool]
	Bias, Drive  hal.Opt[string]
	DebounceUSec hal.Opt[int64]
	Output       hal.Output
}

func (e *entry) Fields(f *hal.Fields) {
	f.Text("chip", &e.Chip, "The chip's label or name, or its path in /sys where labels repeat.")
	f.NumberOrName("line", &e.Line, 0, math.MaxUint16, "The line's offset in its chip, or the kernel's name for the line.")
	f.OptEnum("direction", &e.Direction, directions, "An output is requested at start. Without a direction the line is only read, as it is.")
	f.OptBool("active-low", &e.ActiveLow, "The value 1 is the low level.")
	f.OptEnum("bias", &e.Bias, biases, "The pull inside the chip; without it, it is left as it is.")
	f.OptEnum("drive", &e.Drive, drives, "How an output drives.")
	f.OptIntIn("debounce-usec", &e.DebounceUSec, 1, maxDebounce, hal.Microseconds, "How long an input must be stable before a watch reports it.")
	e.Output.Fields(f, 0, 1, hal.Unitless)
}

// Place is the line that the entry is about, as far as that can be told without the chip.
func (e *entry) Place() string {
	if e.Line.Name != "" {
		return e.Chip + " " + e.Line.Name
	}
	return e.Chip + " " + strconv.FormatInt(e.Line.Number, 10)
}

// Check finds what contradicts itself.
func (e *entry) Check() error {
	isInput, isOutput := e.Direction.Value == directionInput, e.Direction.Value == directionOutput
	switch {
	case e.Output.Given() && !isOutput:
		return errors.New(`initial, safe and on-release need direction = "output"`)
	case e.Drive.Set && !isOutput:
		return errors.New(`drive needs direction = "output"`)
	case e.DebounceUSec.Set && !isInput:
		return errors.New(`debounce-usec needs direction = "input"`)
	case e.Bias.Set && !e.Direction.Set:
		return errors.New(`bias needs a direction`)
	}
	return e.Output.Check()
}

// setup is how a line is to be used.
type setup struct {
	direction    string              // "" for a line that is left as it is
	flags        gpiocdev.LineFlagV2 // active-low, bias and drive
	debounceUSec int64
	output       hal.Output
}

func (e *entry) setup() setup {
	flags := flagOf[e.Bias.Value] | flagOf[e.Drive.Value]
	if e.ActiveLow.Value {
		flags |= gpiocdev.LineFlagV2ActiveLow
	}
	return setup{e.Direction.Value, flags, e.DebounceUSec.Value, e.Output}
}

// asIs is a request that changes nothing about the line.
func (s *setup) asIs() gpiocdev.LineConfig {
	return gpiocdev.LineConfig{Flags: s.flags & gpiocdev.LineFlagV2ActiveLow}
}

// toRead is the request for reading a line once.
func (s *setup) toRead() gpiocdev.LineConfig {
	if s.direction == directionInput {
		return input(s.flags, 0)
	}
	return s.asIs()
}

// toWatch is the request for the edges of an input.
func (s *setup) toWatch() gpiocdev.LineConfig {
	return input(s.flags|gpiocdev.LineFlagV2EdgeBoth, s.debounceUSec)
}
