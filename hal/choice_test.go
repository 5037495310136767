package hal

import (
	"testing"

	"github.com/halberd-io/halberd/hal/wire"
)

type chosen struct{ Line NumberOrName }

func (c *chosen) Fields(f *Fields) { f.NumberOrName("line", &c.Line, 0, 63, "The line.") }

func TestNumberOrName(t *testing.T) {
	for _, c := range []struct {
		name, in, text, out string
		invalid             bool
	}{
		{"number", `{"line":4}`, "4", `{"line":4}`, false},
		{"zero", `{"line":0}`, "0", `{"line":0}`, false},
		{"name", `{"line":"LED_RED"}`, "LED_RED", `{"line":"LED_RED"}`, false},
		{"name of digits", `{"line":"4"}`, "4", `{"line":"4"}`, false},
		{"too great", `{"line":64}`, "", "", true},
		{"negative", `{"line":-1}`, "", "", true},
		{"empty name", `{"line":""}`, "", "", true},
		{"control character", `{"line":"a\nb"}`, "", "", true},
		{"boolean", `{"line":true}`, "", "", true},
		{"fraction", `{"line":1.5}`, "", "", true},
		{"missing", `{}`, "", "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got chosen
			err := Decode(wire.Value(c.in), &got)
			if (err != nil) != c.invalid {
				t.Fatalf("got %v, want an error: %v", err, c.invalid)
			}
			if err != nil {
				return
			}
			if got.Line.String() != c.text {
				t.Errorf("got %s, want %s", got.Line, c.text)
			}
			if out := string(Encode(nil, &got)); out != c.out {
				t.Errorf("got %s, want %s", out, c.out)
			}
		})
	}
}
