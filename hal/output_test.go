package hal_test

import (
	"testing"

	"github.com/BurntSushi/toml"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/wire"
)

// anOutput reads an output as an entry of board.toml does.
func anOutput(t *testing.T, keys string) (*hal.Output, error) {
	t.Helper()
	o := new(hal.Output)
	return o, hal.Decode(wire.Value(keys), fields(func(f *hal.Fields) { o.Fields(f, 0, 255, hal.Unitless) }))
}

func TestOutput(t *testing.T) {
	none, some := hal.Opt[int64]{}, hal.Some[int64]
	tests := []struct {
		name, keys   string
		given        bool
		check        string
		first, later hal.Opt[int64]
		release      string
	}{
		{"nothing", `{}`, false, "", none, none, hal.ReleaseHold},
		{"initial", `{"initial":7}`, true, "", some(7), none, hal.ReleaseHold},
		{"safe", `{"safe":0}`, true, "", some(0), some(0), hal.ReleaseSafe},
		{"both", `{"initial":7,"safe":1}`, true, "", some(7), some(1), hal.ReleaseSafe},
		{"hold in spite of safe", `{"safe":1,"on-release":"hold"}`, true, "", some(1), some(1), hal.ReleaseHold},
		{"restore", `{"on-release":"restore"}`, true, "", none, none, hal.ReleaseRestore},
		{"safe without a value", `{"on-release":"safe"}`, true, `on-release = "safe" needs a value for safe`, none, none, hal.ReleaseSafe},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o, err := anOutput(t, test.keys)
			if err != nil {
				t.Fatal(err)
			}
			check := ""
			if err := o.Check(); err != nil {
				check = err.Error()
			}
			if o.Given() != test.given || check != test.check {
				t.Errorf("given %t, check %q, want %t, %q", o.Given(), check, test.given, test.check)
			}
			if first, later := o.AtStart(true), o.AtStart(false); first != test.first || later != test.later {
				t.Errorf("at the first start %v, later %v, want %v, %v", first, later, test.first, test.later)
			}
			if got := o.Release(); got != test.release {
				t.Errorf("on release %s, want %s", got, test.release)
			}
		})
	}
}

func TestOutputRefuses(t *testing.T) {
	for keys, want := range map[string]string{
		`{"safe":256}`:           "safe: must be from 0 to 255",
		`{"initial":-1}`:         "initial: must be from 0 to 255",
		`{"on-release":"never"}`: "on-release: must be one of [safe hold restore]",
		`{"on_release":"safe"}`:  "on_release: unknown",
	} {
		if _, err := anOutput(t, keys); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", keys, err, want)
		}
	}
}

// What is printed for board.toml reads as what was meant, whatever the names are.
func TestDeclaration(t *testing.T) {
	tests := []struct{ id, name, want string }{
		{"front", "front:white", "[led.front]\nname = \"front:white\"\n"},
		{"a_b-3", "", "[led.a_b-3]\nname = \"\"\n"},
		{"front:white", "x", "[led.\"front:white\"]\nname = \"x\"\n"},
		{"soc/3", `a "b" \ c`, "[led.\"soc/3\"]\nname = \"a \\\"b\\\" \\\\ c\"\n"},
		{"a.b", "grün\n\x01\x7f", "[led.\"a.b\"]\nname = \"grün\\n\\u0001\\u007f\"\n"},
	}
	for _, test := range tests {
		t.Run(test.id, func(t *testing.T) {
			got := hal.Declaration("led", test.id, hal.TextKey("name", test.name))
			if got != test.want {
				t.Errorf("Declaration gives\n%s, want\n%s", got, test.want)
			}
			var read map[string]map[string]map[string]string
			if _, err := toml.Decode(got, &read); err != nil || read["led"][test.id]["name"] != test.name {
				t.Errorf("it reads %v, %v, want led, %q and %q", read, err, test.id, test.name)
			}
		})
	}
	if got, want := hal.Declaration("gpio", "a", hal.Key{Name: "line", Value: "4"}, hal.Key{Name: "safe", Value: "0"}), "[gpio.a]\nline = 4\nsafe = 0\n"; got != want {
		t.Errorf("Declaration gives\n%s, want\n%s", got, want)
	}
}

func TestNumberOrName(t *testing.T) {
	for want, n := range map[string]hal.NumberOrName{"4": {Number: 4}, "LED_RED": {Name: "LED_RED"}} {
		if got := n.String(); got != want {
			t.Errorf("%#v is written %q, want %q", n, got, want)
		}
	}
}
