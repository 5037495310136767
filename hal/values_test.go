package hal_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/wire"
)

// levels declares a method that gives each lamp a level of its own.
func (y *toy) levels() *hal.Method {
	values := hal.Values{Name: "levels", Of: hal.Range{Min: 0, Max: 255}, Doc: "The level of each lamp."}
	return hal.OnValues(y.lamps, hal.Control, values, "SetLevels", "Sets each lamp.", func(lamps []*lamp, levels []int64, in *note, _ *hal.None) error {
		for i, l := range lamps {
			y.ran.add("set %s %d %s", l.id, levels[i], in.Text.Value)
		}
		return nil
	})
}

func TestValues(t *testing.T) {
	for _, c := range []struct {
		name, parameters, want string
		gate                   hal.Gate
	}{
		{"in the caller's order", `{"levels":{"yard":1,"hall":255}}`, "set yard 1 , set hall 255 ", open{}},
		{"another parameter beside it", `{"text":"x","levels":{"far":0}}`, "set far 0 x", open{}},
		{"an escaped name", `{"levels":{"\u0068all":2}}`, "set hall 2 ", open{}},
		{"a device twice", `{"levels":{"hall":1,"yard":2,"hall":1}}`, "levels.hall: given twice", open{}},
		{"a device twice in disguise", `{"levels":{"hall":1,"\u0068all":1}}`, "levels.hall: given twice", open{}},
		{"no device", `{"levels":{}}`, "levels: must have at least 1 members", open{}},
		{"missing", `{}`, "levels: missing", open{}},
		{"null", `{"levels":null}`, "levels: missing", open{}},
		{"an array", `{"levels":["hall"]}`, "levels: must be an object, not an array", open{}},
		{"a value beyond the range", `{"levels":{"hall":0,"yard":256}}`, "levels.yard: must be from 0 to 255", open{}},
		{"a value below the range", `{"levels":{"yard":-1}}`, "levels.yard: must be from 0 to 255", open{}},
		{"a value that is no integer", `{"levels":{"yard":1.0}}`, "levels.yard: must be an integer, not a number", open{}},
		{"a name that none can have", `{"levels":{"a b":1}}`, "levels: ' ' cannot stand in a name", open{}},
		{"an empty name", `{"levels":{"":1}}`, "levels: a name has 1 to 128 characters", open{}},
		{"a shut gate", `{"levels":{"hall":1,"cellar":2}}`, "the gate is shut", new(shut)},
		{"no such device", `{"levels":{"hall":1,"cellar":2}}`, "no such device: Lamp/cellar", open{}},
		{"64 devices", levelsOf(64), "no such device: Lamp/l0", open{}},
		{"65 devices", levelsOf(65), "levels: must not have more than 64 members", open{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			y := newToy(t)
			call, err := y.levels().Decode(wire.Value(c.parameters))
			if err == nil {
				var permitted hal.Permitted
				if permitted, err = call.Authorise(c.gate); err == nil {
					err = permitted.Run(nil)
				}
				call.Release()
			}
			got := strings.Join(y.ran, ", ")
			if err != nil {
				got += err.Error()
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func levelsOf(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(`"l%d":1`, i))
	}
	return `{"levels":{` + strings.Join(all, ",") + `}}`
}

// The gate sees each device by name, and each value.
func TestGateSeesValues(t *testing.T) {
	call, err := newToy(t).levels().Decode(wire.Value(`{"levels":{"yard":1,"cellar":2},"count":3}`))
	if err != nil {
		t.Fatal(err)
	}
	gate := new(shut)
	_, _ = call.Authorise(gate)
	if want := []string{"yard", "cellar", "levels=1", "levels=2", "count=3"}; !slices.Equal(gate.asked, want) {
		t.Errorf("the gate was asked %q, want %q", gate.asked, want)
	}
}

// Nothing of a call stays for the next one.
func TestValuesAreForgotten(t *testing.T) {
	y := newToy(t)
	m := y.levels()
	for _, parameters := range []string{`{"levels":{"hall":1,"yard":2}}`, `{"levels":{"hall":1,"a b":2}}`, `{"levels":{"far":3}}`} {
		call, err := m.Decode(wire.Value(parameters))
		if err != nil {
			continue
		}
		if permitted, err := call.Authorise(open{}); err != nil || permitted.Run(nil) != nil {
			t.Error(parameters, err)
		}
		call.Release()
	}
	if got, want := strings.Join(y.ran, ", "), "set hall 1 , set yard 2 , set far 3 "; got != want {
		t.Errorf("ran %q, want %q", got, want)
	}
}

func TestValuesText(t *testing.T) {
	text := hal.InterfaceText("io.halberd.Lamp", "", []*hal.Method{newToy(t).levels()}, nil)
	if want := "\t# The level of each lamp. From 0 to 255.\n\tlevels: [string]int,\n"; !strings.Contains(text, want) {
		t.Errorf("the text has no %q:\n%s", want, text)
	}
}
