package wire_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/halberd-io/halberd/hal/wire"
)

// nested is a value inside depth arrays, and inside depth objects where it is asked for them.
func nested(depth int, open, value, closing string) string {
	return strings.Repeat(open, depth) + value + strings.Repeat(closing, depth)
}

func TestValid(t *testing.T) {
	tests := []struct{ name, text string }{
		{"null", `null`},
		{"true", `true`},
		{"false", `false`},
		{"zero", `0`},
		{"minus zero", `-0`},
		{"integer", `1234567890`},
		{"integer of more than 64 bits", `123456789012345678901234567890`},
		{"fraction", `-0.50`},
		{"exponents", `[1e3,1E3,1e+3,1e-3,0e0,1.5e10]`},
		{"empty string", `""`},
		{"escapes", `"\"\\\/\b\f\n\r\t\u0041\u00e9"`},
		{"surrogate pair", `"\ud83d\ude00\uD83D\uDE00"`},
		{"NUL escaped", `"\u0000"`},
		{"DEL as it is", "\"\x7f\""},
		{"UTF-8", `"grün, 漢字, 😀"`},
		{"replacement character", "\"\ufffd\""},
		{"noncharacter", "\"\uffff\""},
		{"empty object and array", `[{},[]]`},
		{"white space everywhere", " \t\r\n{ \"a\" : [ 1 , { } , [ ] ] , \"b\" : null } \n"},
		{"duplicate keys, which Valid does not look for", `{"a":1,"a":2}`},
		{"empty key", `{"":1}`},
		{"32 arrays", nested(32, "[", "1", "]")},
		{"32 objects", nested(32, `{"a":`, "1", "}")},
		{"32 arrays twice, side by side", "[" + nested(31, "[", "", "]") + "," + nested(31, "[", "", "]") + "]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := wire.Valid([]byte(test.text)); err != nil {
				t.Errorf("Valid(%q) = %v, want nil", test.text, err)
			}
		})
	}
}

func TestValidDepth(t *testing.T) {
	for name, text := range map[string]string{
		"33 arrays":                          nested(33, "[", "1", "]"),
		"33 objects":                         nested(33, `{"a":`, "1", "}"),
		"33 empty arrays":                    nested(33, "[", "", "]"),
		"arrays in objects":                  nested(17, `{"a":[`, "1", "]}"),
		"deep on the left of what is shut":   nested(40, "[", "", ""),
		"deep behind what is shallow":        `[1,{"a":2},` + nested(32, "[", "", "]") + "]",
		"far deeper than a stack would bear": nested(1<<20, "[", "", ""),
	} {
		t.Run(name, func(t *testing.T) {
			if err := wire.Valid([]byte(text)); err != wire.ErrDepth {
				t.Errorf("Valid = %v, want %v", err, wire.ErrDepth)
			}
		})
	}
}

func TestSyntaxErrors(t *testing.T) {
	tests := []struct {
		name, text string
		offset     int
		what       string
	}{
		{"nothing", ``, 0, "the text ends early"},
		{"only white space", "  \n", 3, "the text ends early"},
		{"only a NUL", "\x00", 0, "no value"},
		{"a NUL behind", "{}\x00", 2, "more after the value"},
		{"byte order mark", "\ufeff{}", 0, "no value"},
		{"two values", `1 2`, 2, "more after the value"},
		{"vertical tab is no white space", "\v1", 0, "no value"},
		{"no-break space is no white space", "1\u00a0", 1, "more after the value"},

		{"word", `nul`, 0, "no value"},
		{"word in capitals", `True`, 0, "no value"},
		{"false cut off", `fals`, 0, "no value"},
		{"a longer word", `nulls`, 4, "more after the value"},
		{"NaN", `NaN`, 0, "no value"},
		{"infinity", `-Infinity`, 1, "no digit in a number"},
		{"bare word", `{"a":b}`, 5, "no value"},
		{"single quotes", `'a'`, 0, "no value"},
		{"comment", `/* */1`, 0, "no value"},

		{"plus sign", `+1`, 0, "no value"},
		{"minus alone", `-`, 1, "no digit in a number"},
		{"two minus signs", `--1`, 1, "no digit in a number"},
		{"leading zero", `01`, 1, "more after the value"},
		{"leading zero below zero", `-01`, 2, "more after the value"},
		{"hexadecimal", `0x10`, 1, "more after the value"},
		{"underscore", `1_000`, 1, "more after the value"},
		{"no integer part", `.5`, 0, "no value"},
		{"no fraction", `1.`, 2, "no digit in a fraction"},
		{"exponent behind the point", `1.e3`, 2, "no digit in a fraction"},
		{"no exponent", `1e`, 2, "no digit in an exponent"},
		{"exponent's sign alone", `1e+`, 3, "no digit in an exponent"},
		{"exponent's sign twice", `1e+-1`, 3, "no digit in an exponent"},
		{"fraction in the exponent", `1e1.5`, 3, "more after the value"},

		{"string without end", `"abc`, 4, "a string without end"},
		{"string ends in a backslash", `"abc\`, 5, "an unknown escape"},
		{"escaped quote and no other", `"abc\"`, 6, "a string without end"},
		{"unknown escape", `"\x41"`, 2, "an unknown escape"},
		{"eight digits", `"\U00000041"`, 2, "an unknown escape"},
		{"escape in capitals", `"\N"`, 2, "an unknown escape"},
		{"escaped NUL byte", "\"\\\x00\"", 2, "an unknown escape"},
		{"new line in a string", "\"a\nb\"", 2, "a control character in a string"},
		{"tab in a string", "\"\t\"", 1, "a control character in a string"},
		{"NUL in a string", "\"\x00\"", 1, "a control character in a string"},
		{"last control character", "\"\x1f\"", 1, "a control character in a string"},
		{"control character in a key", "{\"a\x01\":1}", 3, "a control character in a string"},
		{"three digits", `"\u041"`, 2, "no four hexadecimal digits after \\u"},
		{"no hexadecimal digit", `"\u00g1"`, 2, "no four hexadecimal digits after \\u"},
		{"digits cut off", `"\u00`, 2, "no four hexadecimal digits after \\u"},
		{"sign among the digits", `"\u+041"`, 2, "no four hexadecimal digits after \\u"},

		{"high surrogate alone", `"\ud83d"`, 7, "half a surrogate pair"},
		{"high surrogate before text", `"\ud83dabcdef"`, 7, "half a surrogate pair"},
		{"high surrogate before another escape", `"\ud83d\n12345"`, 7, "half a surrogate pair"},
		{"high surrogate before a letter's escape", `"\ud83d\u0041"`, 7, "half a surrogate pair"},
		{"two high surrogates", `"\ud83d\ud83d"`, 7, "half a surrogate pair"},
		{"low surrogate alone", `"\ude00"`, 7, "half a surrogate pair"},
		{"two low surrogates", `"\udc00\udc00"`, 7, "half a surrogate pair"},
		{"surrogates in the wrong order", `"\ude00\ud83d"`, 7, "half a surrogate pair"},
		{"pair cut off", `"\ud83d\u`, 7, "half a surrogate pair"},
		{"text ends behind a high surrogate", `"\ud83d`, 7, "half a surrogate pair"},
		{"text ends behind its backslash", `"\ud83d\`, 7, "half a surrogate pair"},

		{"byte that starts no character", "\"a\xff\"", 2, "invalid UTF-8"},
		{"continuation alone", "\"\x80\"", 1, "invalid UTF-8"},
		{"character cut off", "\"\xe2\x82\"", 1, "invalid UTF-8"},
		{"overlong slash", "\"\xc0\xaf\"", 1, "invalid UTF-8"},
		{"surrogate in UTF-8", "\"\xed\xa0\xbd\"", 1, "invalid UTF-8"},
		{"beyond Unicode", "\"\xf4\x90\x80\x80\"", 1, "invalid UTF-8"},
		{"invalid UTF-8 in a key", "{\"\xff\":1}", 2, "invalid UTF-8"},

		{"object without end", `{`, 1, "no key"},
		{"object without end behind a member", `{"a":1`, 6, "neither comma nor }"},
		{"object without end behind a comma", `{"a":1,`, 7, "no key"},
		{"comma before the end", `{"a":1,}`, 7, "no key"},
		{"comma alone", `{,}`, 1, "no key"},
		{"number as a key", `{1:2}`, 1, "no key"},
		{"bare key", `{a:2}`, 1, "no key"},
		{"key without end", `{"a`, 3, "a string without end"},
		{"no colon", `{"a" 1}`, 5, "no colon after a key"},
		{"equals sign", `{"a"=1}`, 4, "no colon after a key"},
		{"no value behind the colon", `{"a":}`, 5, "no value"},
		{"text ends behind the colon", `{"a":`, 5, "the text ends early"},
		{"no comma between members", `{"a":1 "b":2}`, 7, "neither comma nor }"},
		{"object closed as an array", `{"a":1]`, 6, "neither comma nor }"},
		{"closing brace alone", `}`, 0, "no value"},

		{"array without end", `[`, 1, "the text ends early"},
		{"array without end behind an element", `[1`, 2, "neither comma nor ]"},
		{"array without end behind a comma", `[1,`, 3, "the text ends early"},
		{"comma before the array's end", `[1,]`, 3, "no value"},
		{"comma alone in an array", `[,]`, 1, "no value"},
		{"no comma between elements", `[1 2]`, 3, "neither comma nor ]"},
		{"array closed as an object", `[1}`, 2, "neither comma nor ]"},
		{"member in an array", `["a":1]`, 4, "neither comma nor ]"},
		{"NUL between elements", "[1,\x002]", 3, "no value"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := wire.Valid([]byte(test.text))
			var syntax *wire.SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("Valid(%q) = %v, want a *SyntaxError", test.text, err)
			}
			if syntax.Offset != test.offset || syntax.What != test.what {
				t.Errorf("Valid(%q) = %q at %d, want %q at %d", test.text, syntax.What, syntax.Offset, test.what, test.offset)
			}
		})
	}
}

func TestSyntaxErrorText(t *testing.T) {
	got := wire.Valid([]byte(`[1}`)).Error()
	if want := "cannot read JSON: neither comma nor ] at byte 2"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
}

// Every beginning of a message is refused, and without a panic: a reader may be handed any cut.
func TestEveryCutIsRefused(t *testing.T) {
	whole := `{"method":"io.halberd.Led.Set","parameters":{"led":"fr\u00f6nt \ud83d\ude00","n":[-1.5e+3,true,false,null,{}]}}`
	if err := wire.Valid([]byte(whole)); err != nil {
		t.Fatalf("Valid(%s) = %v, want nil", whole, err)
	}
	for n := range len(whole) {
		if err := wire.Valid([]byte(whole[:n])); err == nil {
			t.Errorf("Valid(%q) = nil, want an error", whole[:n])
		}
	}
}

// Strings are read eight bytes at a time: each byte, at each place among others, and beside each other.
func TestEveryByteOfAString(t *testing.T) {
	for c := range 256 {
		for before := range 18 {
			for _, behind := range []string{"", "b", "bbbbbbbb", "\x01bbbbbbb", "\xffbbbbbbb", `\"bbbbbb`} {
				text := `"` + strings.Repeat("a", before) + string([]byte{byte(c)}) + behind + `"`
				want := json.Valid([]byte(text)) && utf8.ValidString(text)
				if got := wire.Valid([]byte(text)) == nil; got != want {
					t.Fatalf("Valid(%q): got %v, want %v", text, got, want)
				}
			}
		}
	}
}
