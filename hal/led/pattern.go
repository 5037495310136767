package led

import (
	"fmt"
	"math"
	"strconv"

	"github.com/halberd-io/halberd/hal"
)

const (
	// maxSteps is how many steps the kernel keeps; it leaves out more without a word.
	maxSteps = 1024
	// maxText is how much of a pattern the kernel takes: what fits a page, of the smallest kind.
	maxText = 4096
)

// step is a brightness, and how long it takes to get from there to that of the next step.
type step struct{ Brightness, Duration int64 }

func (s *step) Fields(f *hal.Fields) {
	f.IntIn("brightness", &s.Brightness, 0, math.MaxInt64, hal.Unitless, "0 is off; the light's maxBrightness is fully on.")
	f.IntIn("durationMSec", &s.Duration, 0, longest, hal.Milliseconds, "How long the light takes to get from this brightness to that of the next step.")
}

type patternIn struct {
	Steps  []step
	Repeat hal.Opt[int64]
}

func (p *patternIn) Fields(f *hal.Fields) {
	hal.Each(f, "steps", &p.Steps, 2, maxSteps, "The steps; behind the last one comes the first.")
	f.OptIntIn("repeat", &p.Repeat, 1, math.MaxInt32, hal.Unitless, "How often the pattern is played; for ever where it is left out.")
}

func (d *LED) setPattern(in *patternIn, _ *hal.None) error {
	text, err := d.patternText(in.Steps)
	if err != nil {
		return err
	}
	// The repeat comes second, since it lets a pattern begin that would not play because the one before has ended.
	return d.changed(func() error {
		return d.drive("pattern", setting{"pattern", text}, setting{"repeat", strconv.FormatInt(in.Repeat.Or(-1), 10)})
	})
}

// patternText writes steps as the kernel has them, or says what it does not take: "255 500 0 500".
func (d *LED) patternText(steps []step) (string, error) {
	text, lasts := []byte(nil), false
	for i, s := range steps {
		if s.Brightness > d.max {
			return "", &hal.OutOfRange{Parameter: fmt.Sprintf("steps[%d].brightness", i), Maximum: d.max}
		}
		lasts = lasts || s.Duration > 0
		text = append(strconv.AppendInt(text, s.Brightness, 10), ' ')
		text = append(strconv.AppendInt(text, s.Duration, 10), ' ')
		if len(text) > maxText {
			return "", &hal.OutOfRange{Parameter: "steps", Minimum: 2, Maximum: int64(i)}
		}
	}
	if !lasts {
		return "", &hal.InvalidParameter{Parameter: "steps", What: "at least one of them has to last"}
	}
	return string(text), nil
}
