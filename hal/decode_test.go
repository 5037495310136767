package hal_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/wire"
)

// fields is a message made on the spot.
type fields func(f *hal.Fields)

func (m fields) Fields(f *hal.Fields) { m(f) }

// One message for each kind of field: each gives a new one, so that nothing stays from one row to the next.
var kinds = map[string]func() hal.Message{
	"Int": func() hal.Message {
		p := new(int64)
		return fields(func(f *hal.Fields) { f.Int("p", p, hal.Unitless, "") })
	},
	"IntIn": func() hal.Message {
		p := new(int64)
		return fields(func(f *hal.Fields) { f.IntIn("p", p, -2, 5, hal.Unitless, "") })
	},
	"OptInt": func() hal.Message {
		p := new(hal.Opt[int64])
		return fields(func(f *hal.Fields) { f.OptInt("p", p, hal.Unitless, "") })
	},
	"OptIntIn": func() hal.Message {
		p := new(hal.Opt[int64])
		return fields(func(f *hal.Fields) { f.OptIntIn("p", p, 1, 5, hal.Unitless, "") })
	},
	"Bool": func() hal.Message { p := new(bool); return fields(func(f *hal.Fields) { f.Bool("p", p, "") }) },
	"OptBool": func() hal.Message {
		p := new(hal.Opt[bool])
		return fields(func(f *hal.Fields) { f.OptBool("p", p, "") })
	},
	"Text": func() hal.Message { p := new(string); return fields(func(f *hal.Fields) { f.Text("p", p, "") }) },
	"OptText": func() hal.Message {
		p := new(hal.Opt[string])
		return fields(func(f *hal.Fields) { f.OptText("p", p, "") })
	},
	"Enum": func() hal.Message { p := new(string); return fields(func(f *hal.Fields) { f.Enum("p", p, words, "") }) },
	"OptEnum": func() hal.Message {
		p := new(hal.Opt[string])
		return fields(func(f *hal.Fields) { f.OptEnum("p", p, words, "") })
	},
	"Blob": func() hal.Message { p := new([]byte); return fields(func(f *hal.Fields) { f.Blob("p", p, 3, "") }) },
	"OptBlob": func() hal.Message {
		p := new(hal.Opt[[]byte])
		return fields(func(f *hal.Fields) { f.OptBlob("p", p, 3, "") })
	},
	"Span": func() hal.Message {
		p := new(int64)
		return fields(func(f *hal.Fields) { f.Span("p", p, 2, 1, 5, hal.Unitless, "") })
	},
	"Texts": func() hal.Message {
		p := new([]string)
		return fields(func(f *hal.Fields) { f.Texts("p", p, 1, 2, "") })
	},
	"OptTexts": func() hal.Message {
		p := new(hal.Opt[[]string])
		return fields(func(f *hal.Fields) { f.OptTexts("p", p, 1, 2, "") })
	},
	"Ints": func() hal.Message {
		p := new([]int64)
		return fields(func(f *hal.Fields) { f.Ints("p", p, 1, 2, hal.Unitless, "") })
	},
	"OptInts": func() hal.Message {
		p := new(hal.Opt[[]int64])
		return fields(func(f *hal.Fields) { f.OptInts("p", p, 1, 2, hal.Unitless, "") })
	},
	"OptIntMap": func() hal.Message {
		p := new(hal.Opt[map[string]int64])
		return fields(func(f *hal.Fields) { f.OptIntMap("p", p, 1, 2, hal.Unitless, "") })
	},
	"IntMap": func() hal.Message {
		p := new(map[string]int64)
		return fields(func(f *hal.Fields) { f.IntMap("p", p, 1, 2, hal.Unitless, "") })
	},
	"OptRaw": func() hal.Message { p := new(wire.Value); return fields(func(f *hal.Fields) { f.OptRaw("p", p, "") }) },
	"Each": func() hal.Message {
		p := new([]part)
		return fields(func(f *hal.Fields) { hal.Each(f, "p", p, 1, 2, "") })
	},
	"NumberOrName": func() hal.Message {
		p := new(hal.NumberOrName)
		return fields(func(f *hal.Fields) { f.NumberOrName("p", p, 0, 9, "") })
	},
	"None": func() hal.Message { return new(hal.None) },
}

var words = []string{"pull_up", "pull_down"}

// part is a message inside a message, with another one inside.
type part struct {
	Address int64
	Name    hal.Opt[string]
	Bits    []bit
}

func (m *part) Fields(f *hal.Fields) {
	f.IntIn("address", &m.Address, 8, 119, hal.Unitless, "")
	f.OptText("name", &m.Name, "")
	hal.Each(f, "bits", &m.Bits, 0, 3, "")
}

type bit struct{ N int64 }

func (m *bit) Fields(f *hal.Fields) { f.IntIn("n", &m.N, 0, 7, hal.Unitless, "") }

func TestDecode(t *testing.T) {
	const (
		missing    = "p: missing"
		whole      = "p: must fit 64 bits"
		noControl  = "p: must not contain control characters"
		blob       = "p: must be a string in base64"
		long       = "p: must not be longer than 4096 bytes"
		inRange    = "p: must be from -2 to 5"
		twice      = "p: given twice"
		enum       = "p: must be one of [pull_up pull_down]"
		tooMany    = "p: must not have more than 2 elements"
		tooFew     = "p: must have at least 1 elements"
		unknown    = "q: unknown"
		notAnArray = "p: must be an array, not "
	)
	tests := []struct{ kind, name, text, want string }{ // want is the error, or the message encoded again
		{"Int", "zero", `{"p":0}`, `{"p":0}`},
		{"Int", "minus zero", `{"p":-0}`, `{"p":0}`},
		{"Int", "least", `{"p":-9223372036854775808}`, `{"p":-9223372036854775808}`},
		{"Int", "greatest", `{"p":9223372036854775807}`, `{"p":9223372036854775807}`},
		{"Int", "2^63", `{"p":9223372036854775808}`, whole},
		{"Int", "-2^63 - 1", `{"p":-9223372036854775809}`, whole},
		{"Int", "missing", `{}`, missing},
		{"Int", "no parameters", ``, missing},
		{"Int", "null as parameters", `null`, missing},
		{"Int", "null", `{"p":null}`, missing},
		{"Int", "fraction", `{"p":1.0}`, "p: must be an integer, not a number"},
		{"Int", "exponent", `{"p":1e3}`, "p: must be an integer, not a number"},
		{"Int", "string", `{"p":"1"}`, "p: must be an integer, not a string"},
		{"Int", "empty string", `{"p":""}`, "p: must be an integer, not a string"},
		{"Int", "boolean", `{"p":true}`, "p: must be an integer, not a boolean"},
		{"Int", "array", `{"p":[1]}`, "p: must be an integer, not an array"},
		{"Int", "object", `{"p":{}}`, "p: must be an integer, not an object"},
		{"Int", "unknown key beside", `{"p":1,"q":2}`, unknown},
		{"Int", "unknown null beside", `{"p":1,"q":null}`, unknown},
		{"Int", "unknown key alone", `{"q":2}`, missing},
		{"Int", "other case", `{"P":1}`, missing},
		{"Int", "other case beside", `{"p":1,"P":1}`, "P: unknown"},
		{"Int", "duplicate", `{"p":1,"p":1}`, twice},
		{"Int", "duplicate with an escape", `{"p":1,"\u0070":1}`, twice},
		{"Int", "escape alone", `{"\u0070":1}`, `{"p":1}`},
		{"Int", "duplicate unknown key", `{"p":1,"q":1,"q":1}`, "q: given twice"},
		{"Int", "parameters are an array", `[]`, "parameters: must be an object"},
		{"Int", "parameters are a string", `"p"`, "parameters: must be an object"},

		{"IntIn", "min", `{"p":-2}`, `{"p":-2}`},
		{"IntIn", "max", `{"p":5}`, `{"p":5}`},
		{"IntIn", "min-1", `{"p":-3}`, inRange},
		{"IntIn", "max+1", `{"p":6}`, inRange},
		{"IntIn", "2^63", `{"p":9223372036854775808}`, whole},

		{"OptInt", "there", `{"p":7}`, `{"p":7}`},
		{"OptInt", "zero is there", `{"p":0}`, `{"p":0}`},
		{"OptInt", "missing", `{}`, `{}`},
		{"OptInt", "null", `{"p":null}`, `{}`},
		{"OptInt", "string", `{"p":"7"}`, "p: must be an integer, not a string"},
		{"OptInt", "2^63", `{"p":9223372036854775808}`, whole},
		{"OptInt", "unknown key", `{"q":1}`, unknown},
		{"OptInt", "null twice", `{"p":null,"p":null}`, twice},
		{"OptIntIn", "min", `{"p":1}`, `{"p":1}`},
		{"OptIntIn", "min-1", `{"p":0}`, "p: must be from 1 to 5"},
		{"OptIntIn", "max+1", `{"p":6}`, "p: must be from 1 to 5"},
		{"OptIntIn", "null", `{"p":null}`, `{}`},

		{"Bool", "true", `{"p":true}`, `{"p":true}`},
		{"Bool", "false", `{"p":false}`, `{"p":false}`},
		{"Bool", "missing", `{}`, missing},
		{"Bool", "null", `{"p":null}`, missing},
		{"Bool", "integer", `{"p":1}`, "p: must be true or false, not an integer"},
		{"Bool", "string", `{"p":"true"}`, "p: must be true or false, not a string"},
		{"OptBool", "false is there", `{"p":false}`, `{"p":false}`},
		{"OptBool", "missing", `{}`, `{}`},
		{"OptBool", "null", `{"p":null}`, `{}`},
		{"OptBool", "integer", `{"p":0}`, "p: must be true or false, not an integer"},

		{"Text", "plain", `{"p":"grün"}`, `{"p":"grün"}`},
		{"Text", "empty", `{"p":""}`, `{"p":""}`},
		{"Text", "escapes", `{"p":"\u0061\"\\\/"}`, `{"p":"a\"\\/"}`},
		{"Text", "missing", `{}`, missing},
		{"Text", "null", `{"p":null}`, missing},
		{"Text", "integer", `{"p":1}`, "p: must be a string, not an integer"},
		{"Text", "array", `{"p":["a"]}`, "p: must be a string, not an array"},
		{"Text", "NUL", `{"p":"a\u0000"}`, noControl},
		{"Text", "new line", `{"p":"a\n"}`, noControl},
		{"Text", "DEL", "{\"p\":\"\x7f\"}", noControl},
		{"Text", "control character of two bytes", "{\"p\":\"a\u0085\"}", noControl},
		{"Text", "longest", `{"p":"` + strings.Repeat("a", 4096) + `"}`, `{"p":"` + strings.Repeat("a", 4096) + `"}`},
		{"Text", "too long", `{"p":"` + strings.Repeat("a", 4097) + `"}`, long},
		{"Text", "too long in bytes", `{"p":"` + strings.Repeat("ü", 2049) + `"}`, long},
		{"OptText", "empty is there", `{"p":""}`, `{"p":""}`},
		{"OptText", "missing", `{}`, `{}`},
		{"OptText", "null", `{"p":null}`, `{}`},
		{"OptText", "control character", `{"p":"\u001b"}`, noControl},

		{"Enum", "first", `{"p":"pull_up"}`, `{"p":"pull_up"}`},
		{"Enum", "last", `{"p":"pull_down"}`, `{"p":"pull_down"}`},
		{"Enum", "another word", `{"p":"pull"}`, enum},
		{"Enum", "other case", `{"p":"Pull_up"}`, enum},
		{"Enum", "empty", `{"p":""}`, enum},
		{"Enum", "missing", `{}`, missing},
		{"Enum", "null", `{"p":null}`, missing},
		{"Enum", "index", `{"p":0}`, "p: must be a string, not an integer"},
		{"OptEnum", "there", `{"p":"pull_up"}`, `{"p":"pull_up"}`},
		{"OptEnum", "missing", `{}`, `{}`},
		{"OptEnum", "null", `{"p":null}`, `{}`},
		{"OptEnum", "another word", `{"p":"none"}`, enum},

		{"Blob", "longest", `{"p":"AAEC"}`, `{"p":"AAEC"}`},
		{"Blob", "empty", `{"p":""}`, `{"p":""}`},
		{"Blob", "too long", `{"p":"AAECAw=="}`, "p: must not be longer than 3 bytes"},
		{"Blob", "no base64", `{"p":"A"}`, blob},
		{"Blob", "no padding", `{"p":"AA"}`, blob},
		{"Blob", "missing", `{}`, missing},
		{"Blob", "null", `{"p":null}`, missing},
		{"Blob", "array of bytes", `{"p":[0,1]}`, blob},
		{"OptBlob", "longest", `{"p":"AAEC"}`, `{"p":"AAEC"}`},
		{"OptBlob", "empty", `{"p":""}`, `{"p":""}`},
		{"OptBlob", "too long", `{"p":"AAECAw=="}`, "p: must not be longer than 3 bytes"},
		{"OptBlob", "no base64", `{"p":"A"}`, blob},
		{"OptBlob", "missing", `{}`, `{}`},
		{"OptBlob", "null", `{"p":null}`, `{}`},

		{"Span", "greatest", `{"p":5}`, `{"p":5}`},
		{"Span", "beyond", `{"p":6}`, "p: must be from 1 to 5"},
		{"Span", "missing", `{}`, missing},

		{"Texts", "one", `{"p":["a"]}`, `{"p":["a"]}`},
		{"Texts", "most", `{"p":["a","a"]}`, `{"p":["a","a"]}`},
		{"Texts", "too few", `{"p":[]}`, tooFew},
		{"Texts", "too many", `{"p":["a","b","c"]}`, tooMany},
		{"Texts", "missing", `{}`, missing},
		{"Texts", "null", `{"p":null}`, missing},
		{"Texts", "string", `{"p":"a"}`, notAnArray + "a string"},
		{"Texts", "object", `{"p":{}}`, notAnArray + "an object"},
		{"Texts", "integer inside", `{"p":["a",1]}`, "p[1]: must be a string, not an integer"},
		{"Texts", "null inside", `{"p":[null]}`, "p[0]: must be a string, not null"},
		{"Texts", "control character inside", `{"p":["a","\u0007"]}`, "p[1]: must not contain control characters"},
		{"OptTexts", "there", `{"p":["a"]}`, `{"p":["a"]}`},
		{"OptTexts", "missing", `{}`, `{}`},
		{"OptTexts", "null", `{"p":null}`, `{}`},
		{"OptTexts", "too few", `{"p":[]}`, tooFew},

		{"Ints", "most", `{"p":[1,-1]}`, `{"p":[1,-1]}`},
		{"Ints", "too few", `{"p":[]}`, tooFew},
		{"Ints", "too many", `{"p":[1,2,3]}`, tooMany},
		{"Ints", "missing", `{}`, missing},
		{"Ints", "integer", `{"p":1}`, notAnArray + "an integer"},
		{"Ints", "string inside", `{"p":[1,"2"]}`, "p[1]: must be an integer of 64 bits"},
		{"Ints", "fraction inside", `{"p":[1.0]}`, "p[0]: must be an integer of 64 bits"},
		{"Ints", "2^63 inside", `{"p":[9223372036854775808]}`, "p[0]: must be an integer of 64 bits"},
		{"OptInts", "there", `{"p":[7]}`, `{"p":[7]}`},
		{"OptInts", "missing", `{}`, `{}`},
		{"OptInts", "null", `{"p":null}`, `{}`},
		{"OptInts", "too many", `{"p":[1,2,3]}`, tooMany},

		{"IntMap", "most, sorted", `{"p":{"b":1,"a":-2}}`, `{"p":{"a":-2,"b":1}}`},
		{"IntMap", "too few", `{"p":{}}`, "p: must have at least 1 members"},
		{"IntMap", "too many", `{"p":{"a":1,"b":2,"c":3}}`, "p: must not have more than 2 members"},
		{"IntMap", "missing", `{}`, missing},
		{"IntMap", "null", `{"p":null}`, missing},
		{"IntMap", "array", `{"p":[1]}`, "p: must be an object, not an array"},
		{"IntMap", "null inside", `{"p":{"a":null}}`, "p.a: must be an integer of 64 bits"},
		{"IntMap", "string inside", `{"p":{"a":1,"b":"2"}}`, "p.b: must be an integer of 64 bits"},
		{"IntMap", "2^63 inside", `{"p":{"a":9223372036854775808}}`, "p.a: must be an integer of 64 bits"},
		{"IntMap", "duplicate inside", `{"p":{"a":1,"a":1}}`, "p.a: given twice"},
		{"IntMap", "duplicate inside with an escape", `{"p":{"a":1,"\u0061":2}}`, "p.a: given twice"},
		{"IntMap", "control character in a key", `{"p":{"a\n":1}}`, noControl},

		{"OptIntMap", "there, sorted", `{"p":{"b":1,"a":-2}}`, `{"p":{"a":-2,"b":1}}`},
		{"OptIntMap", "missing", `{}`, `{}`},
		{"OptIntMap", "null", `{"p":null}`, `{}`},
		{"OptIntMap", "too few", `{"p":{}}`, "p: must have at least 1 members"},
		{"OptIntMap", "array", `{"p":[1]}`, "p: must be an object, not an array"},

		{"OptRaw", "object", `{"p":{"a":[1.5,null]}}`, `{"p":{"a":[1.5,null]}}`},
		{"OptRaw", "empty object", `{"p":{}}`, `{"p":{}}`},
		{"OptRaw", "missing", `{}`, `{}`},
		{"OptRaw", "null", `{"p":null}`, `{}`},
		{"OptRaw", "array", `{"p":[]}`, "p: must be an object, not an array"},
		{"OptRaw", "string", `{"p":"{}"}`, "p: must be an object, not a string"},
		{"OptRaw", "duplicate deep inside", `{"p":{"a":[{"b":1,"b":2}]}}`, `p: duplicate key "b"`},

		{"Each", "one", `{"p":[{"address":8,"bits":[]}]}`, `{"p":[{"address":8,"bits":[]}]}`},
		{"Each", "most", `{"p":[{"address":8,"name":"a","bits":[{"n":7}]},{"name":null,"bits":[],"address":119}]}`,
			`{"p":[{"address":8,"name":"a","bits":[{"n":7}]},{"address":119,"bits":[]}]}`},
		{"Each", "too few", `{"p":[]}`, tooFew},
		{"Each", "too many", `{"p":[{"address":8,"bits":[]},{"address":8,"bits":[]},{"address":8,"bits":[]}]}`, tooMany},
		{"Each", "missing", `{}`, missing},
		{"Each", "null", `{"p":null}`, missing},
		{"Each", "object", `{"p":{"address":8,"bits":[]}}`, notAnArray + "an object"},
		{"Each", "null inside", `{"p":[null]}`, "p[0]: must be an object"},
		{"Each", "integer inside", `{"p":[8]}`, "p[0]: must be an object"},
		{"Each", "missing inside", `{"p":[{"bits":[]}]}`, "p[0].address: missing"},
		{"Each", "min-1 inside", `{"p":[{"address":7,"bits":[]}]}`, "p[0].address: must be from 8 to 119"},
		{"Each", "max+1 in the second", `{"p":[{"address":8,"bits":[]},{"address":120,"bits":[]}]}`, "p[1].address: must be from 8 to 119"},
		{"Each", "2^63 inside", `{"p":[{"address":9223372036854775808,"bits":[]}]}`, "p[0].address: must fit 64 bits"},
		{"Each", "unknown inside", `{"p":[{"address":8,"bits":[],"q":1}]}`, "p[0].q: unknown"},
		{"Each", "duplicate inside", `{"p":[{"address":8,"bits":[],"address":9}]}`, "p[0].address: given twice"},
		{"Each", "deeper inside", `{"p":[{"address":8,"bits":[]},{"address":8,"bits":[{"n":0},{"n":8}]}]}`, "p[1].bits[1].n: must be from 0 to 7"},
		{"Each", "wrong type deeper inside", `{"p":[{"address":8,"bits":[{"n":0},"1"]}]}`, "p[0].bits[1]: must be an object"},
		{"Each", "too many deeper inside", `{"p":[{"address":8,"bits":[{"n":0},{"n":0},{"n":0},{"n":0}]}]}`, "p[0].bits: must not have more than 3 elements"},
		{"Each", "unknown beside", `{"p":[{"address":8,"bits":[]}],"q":1}`, unknown},

		{"NumberOrName", "number", `{"p":4}`, `{"p":4}`},
		{"NumberOrName", "name", `{"p":"LED_RED"}`, `{"p":"LED_RED"}`},
		{"NumberOrName", "digits in a string are a name", `{"p":"4"}`, `{"p":"4"}`},
		{"NumberOrName", "max+1", `{"p":10}`, "p: must be from 0 to 9"},
		{"NumberOrName", "min-1", `{"p":-1}`, "p: must be from 0 to 9"},
		{"NumberOrName", "empty", `{"p":""}`, "p: must not be empty"},
		{"NumberOrName", "missing", `{}`, missing},
		{"NumberOrName", "null", `{"p":null}`, missing},
		{"NumberOrName", "boolean", `{"p":true}`, "p: must be an integer, not a boolean"},

		{"None", "empty", `{}`, `{}`},
		{"None", "no parameters", ``, `{}`},
		{"None", "null", `null`, `{}`},
		{"None", "unknown", `{"q":1}`, unknown},
		{"None", "array", `[]`, "parameters: must be an object"},
	}
	for _, test := range tests {
		t.Run(test.kind+"/"+test.name, func(t *testing.T) {
			m := kinds[test.kind]()
			if got := outcome(m, hal.Decode(wire.Value(test.text), m)); got != test.want {
				t.Errorf("%s of %s gives\n%s, want\n%s", test.kind, test.text, got, test.want)
			}
		})
	}
}

// outcome is the error of a decoding, which has to be an InvalidParameter, or the decoded message encoded again.
func outcome(m hal.Message, err error) string {
	var invalid *hal.InvalidParameter
	switch {
	case err == nil:
		return string(hal.Encode(nil, m))
	case errors.As(err, &invalid):
		return invalid.Error()
	}
	return "no InvalidParameter: " + err.Error()
}

// A message has 32 members at most, whether they are known or not.
func TestDecodeMembersBound(t *testing.T) {
	object := func(n int) wire.Value {
		var b []byte
		b = append(b, '{')
		for i := range n {
			b = wire.AppendInt(wire.AppendKey(b, "p"+strings.Repeat("x", i)), 1)
		}
		return append(b, '}')
	}
	all := func(n int) hal.Message {
		return fields(func(f *hal.Fields) {
			for i := range n {
				f.Int("p"+strings.Repeat("x", i), new(int64), hal.Unitless, "")
			}
		})
	}
	if err := hal.Decode(object(32), all(32)); err != nil {
		t.Errorf("32 members: %v, want nil", err)
	}
	for _, n := range []int{33, 40, 1000} {
		var invalid *hal.InvalidParameter
		if err := hal.Decode(object(n), all(32)); !errors.As(err, &invalid) {
			t.Errorf("%d members: %v, want an InvalidParameter", n, err)
		}
	}
}

// Whatever a message is made of, what was accepted is the same when it was encoded and decoded again.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{}`, `{"p":1}`, `{"p":[1]}`, `{"p":{"a":1}}`, `{"p":"AAEC"}`, `{"p":[{"address":8,"bits":[{"n":1}]}]}`, `{"p":null,"q":1}`,
		`{"p":1,"\u0070":1}`, `[{"p":1}]`, `{"p":"pull_up"}`, `{"p":true}`, `{"p":["a","b"]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if wire.Valid(data) != nil {
			return
		}
		for name, kind := range kinds {
			m := kind()
			if hal.Decode(wire.Trim(data), m) != nil {
				continue
			}
			once := hal.Encode(nil, m)
			if err := wire.Valid(once); err != nil {
				t.Fatalf("%s of %s encodes as %s: %v", name, data, once, err)
			}
			again := kind()
			if got := outcome(again, hal.Decode(once, again)); got != string(once) {
				t.Fatalf("%s of %s is %s, and that is %s", name, data, once, got)
			}
		}
	})
}
