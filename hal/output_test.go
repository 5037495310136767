package hal

import "testing"

func TestOutput(t *testing.T) {
	none := Opt[int64]{}
	word := Some[string]
	for _, c := range []struct {
		name               string
		output             Output
		first, later       Opt[int64]
		release            string
		given, contradicts bool
	}{
		{"nothing", Output{}, none, none, ReleaseHold, false, false},
		{"safe", Output{Safe: Some[int64](0)}, Some[int64](0), Some[int64](0), ReleaseSafe, true, false},
		{"initial", Output{Initial: Some[int64](1)}, Some[int64](1), none, ReleaseHold, true, false},
		{"initial and safe", Output{Initial: Some[int64](1), Safe: Some[int64](0)}, Some[int64](1), Some[int64](0), ReleaseSafe, true, false},
		{"safe, but held", Output{Safe: Some[int64](0), OnRelease: word(ReleaseHold)}, Some[int64](0), Some[int64](0), ReleaseHold, true, false},
		{"restored", Output{OnRelease: word(ReleaseRestore)}, none, none, ReleaseRestore, true, false},
		{"safe without a value", Output{OnRelease: word(ReleaseSafe)}, none, none, ReleaseSafe, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := &c.output
			if got := o.AtStart(true); got != c.first {
				t.Errorf("at the first start: got %v, want %v", got, c.first)
			}
			if got := o.AtStart(false); got != c.later {
				t.Errorf("at another start: got %v, want %v", got, c.later)
			}
			if got := o.Release(); got != c.release {
				t.Errorf("release: got %s, want %s", got, c.release)
			}
			if got := o.Given(); got != c.given {
				t.Errorf("given: got %v, want %v", got, c.given)
			}
			if err := o.Check(); (err != nil) != c.contradicts {
				t.Errorf("check: got %v, want an error: %v", err, c.contradicts)
			}
		})
	}
}

func TestDeclaration(t *testing.T) {
	for _, c := range []struct {
		name, id, text, want string
	}{
		{"plain", "front", "front:white", "[led.front]\nname = \"front:white\"\nline = 4\n"},
		{"quoted", "soc/4", `a"b\c`, "[led.\"soc/4\"]\nname = \"a\\\"b\\\\c\"\nline = 4\n"},
		{"a dot", "a.b", "x", "[led.\"a.b\"]\nname = \"x\"\nline = 4\n"},
	} {
		if got := Declaration("led", c.id, TextKey("name", c.text), Key{"line", "4"}); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}
