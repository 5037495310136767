package hal

import (
	"fmt"

	"github.com/halberd-io/halberd/hal/wire"
)

// NumberOrName is how a person names one of several things that have a number, and perhaps a name: 4, or "LED_RED". Only board.toml has it.
type NumberOrName struct {
	Number int64  // where Name is empty
	Name   string // "" for a number
}

// String gives the number or the name, for messages.
func (n NumberOrName) String() string {
	if n.Name != "" {
		return n.Name
	}
	return fmt.Sprint(n.Number)
}

// NumberOrName is a required number from min to max, or a name that is not empty.
func (f *Fields) NumberOrName(name string, p *NumberOrName, min, max int64, doc string) {
	switch f.mode {
	case describing:
		f.declare(Field{Name: name, Kind: IntOrText, Min: min, Max: max, Doc: doc})
	case decoding:
		if v, ok := f.take(name, false); ok {
			*p = f.numberOrName(name, v, min, max)
		}
	case encoding:
		f.key(name)
		if p.Name != "" {
			f.out = wire.AppendString(f.out, p.Name)
		} else {
			f.out = wire.AppendInt(f.out, p.Number)
		}
	}
}

func (f *Fields) numberOrName(name string, v wire.Value, min, max int64) NumberOrName {
	if v.Kind() != wire.String {
		return NumberOrName{Number: f.integer(name, v, min, max)}
	}
	text := string(f.text(name, v))
	if text == "" {
		f.fail(name, "must not be empty")
	}
	return NumberOrName{Name: text}
}
