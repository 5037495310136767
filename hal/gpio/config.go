package gpio

import (
	gpiocdev "github.com/warthog618/go-gpiocdev/uapi"

	"github.com/halberd-io/halberd/hal"
)

// want is how one line of a request is to be.
type want struct {
	flags        gpiocdev.LineFlagV2
	value        int64 // of an output, logical
	debounceUSec int64 // of an input; 0 leaves debouncing as it is
}

// configOf makes the configuration of a request for several lines, in their order. A request has room for a few settings that are not the same for all of its lines (GPIO_V2_LINE_NUM_ATTRS_MAX,
// 10); beyond that it is NotSupported{settings}.
func configOf(wants []want) (gpiocdev.LineConfig, error) {
	config := gpiocdev.LineConfig{Flags: wants[0].flags}
	var outputs, values gpiocdev.LineBitmap
	fits := true
	for i, w := range wants {
		if w.flags != config.Flags {
			fits = fits && addTo(&config, w.flags.Encode(), 1<<i)
		}
		if w.debounceUSec > 0 {
			fits = fits && addTo(&config, debounce(w.debounceUSec), 1<<i)
		}
		if w.flags.IsOutput() {
			outputs, values = outputs.Set(i, 1), values.Set(i, int(w.value))
		}
	}
	if outputs != 0 {
		fits = fits && addTo(&config, gpiocdev.OutputValues(values).Encode(), outputs)
	}
	if !fits {
		return config, &hal.NotSupported{Feature: "settings"}
	}
	return config, nil
}

// addTo gives lines an attribute, which others may have already, and reports whether there was room for it.
func addTo(config *gpiocdev.LineConfig, attr gpiocdev.LineAttribute, mask gpiocdev.LineBitmap) bool {
	for i := range config.NumAttrs {
		if a := &config.Attrs[i]; a.Attr == attr {
			a.Mask |= mask
			return true
		}
	}
	if int(config.NumAttrs) == len(config.Attrs) {
		return false
	}
	config.AddAttribute(gpiocdev.LineConfigAttribute{Attr: attr, Mask: mask})
	return true
}

func debounce(periodUSec int64) (attr gpiocdev.LineAttribute) {
	attr.Encode32(gpiocdev.LineAttributeIDDebounce, uint32(periodUSec))
	return attr
}

// output configures a line as an output that drives a logical value from the start.
func output(flags gpiocdev.LineFlagV2, value int64) gpiocdev.LineConfig {
	config := gpiocdev.LineConfig{Flags: flags | gpiocdev.LineFlagV2Output}
	config.AddAttribute(gpiocdev.LineConfigAttribute{Attr: gpiocdev.OutputValues(value).Encode(), Mask: 1})
	return config
}

// input configures a line as an input. A period of 0 leaves debouncing as it is.
func input(flags gpiocdev.LineFlagV2, debounceUSec int64) gpiocdev.LineConfig {
	config := gpiocdev.LineConfig{Flags: flags | gpiocdev.LineFlagV2Input}
	if debounceUSec > 0 {
		config.AddAttribute(gpiocdev.LineConfigAttribute{Attr: debounce(debounceUSec), Mask: 1})
	}
	return config
}
