package wire_test

import (
	"math"
	"testing"

	"github.com/halberd-io/halberd/hal/wire"
)

func TestAppendString(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"empty", "", `""`},
		{"plain", "front:white", `"front:white"`},
		{"UTF-8", "grün 😀", `"grün 😀"`},
		{"quote and backslash", `a"b\c`, `"a\"b\\c"`},
		{"new line and tab", "a\nb\tc", `"a\nb\tc"`},
		{"control characters", "\x00\x01\b\f\r\x1f\x7f", `"\u0000\u0001\u0008\u000c\u000d\u001f\u007f"`},
		{"slash and ampersand stay", "</&>", `"</&>"`},
		{"replacement character stays", "a\ufffdb", "\"a\ufffdb\""},
		{"invalid byte", "a\xffb", "\"a\ufffdb\""},
		{"each invalid byte", "\xff\xfe", "\"\ufffd\ufffd\""},
		{"character cut off", "a\xe2\x82", "\"a\ufffd\ufffd\""},
		{"surrogate in UTF-8", "\xed\xa0\xbd", "\"\ufffd\ufffd\ufffd\""},
		{"escape first and last", "\"a\"", `"\"a\""`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := string(wire.AppendString([]byte("x"), test.text)); got != "x"+test.want {
				t.Errorf("AppendString(%q) = %s, want %s behind an x", test.text, got, test.want)
			}
		})
	}
}

func TestAppendScalars(t *testing.T) {
	var got []byte
	for _, n := range []int64{0, -1, math.MinInt64, math.MaxInt64} {
		got = append(wire.AppendInt(got, n), ' ')
	}
	got = append(wire.AppendBool(got, true), ' ')
	got = append(wire.AppendBool(got, false), ' ')
	got = append(wire.AppendBytes(got, nil), ' ')
	got = wire.AppendBytes(got, []byte{0xff, 0xfe})
	want := `0 -1 -9223372036854775808 9223372036854775807 true false "" "//4="`
	if string(got) != want {
		t.Errorf("appended %s, want %s", got, want)
	}
}

func TestAppendKey(t *testing.T) {
	tests := []struct{ name, before, want string }{
		{"nothing before", ``, `"a":`},
		{"first of an object", `{`, `{"a":`},
		{"first of an object inside", `{"b":[{`, `{"b":[{"a":`},
		{"behind an integer", `{"b":1`, `{"b":1,"a":`},
		{"behind an empty object", `{"b":{}`, `{"b":{},"a":`},
		{"behind a string that ends in a brace", `{"b":"{"`, `{"b":"{","a":`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := string(wire.AppendKey([]byte(test.before), "a")); got != test.want {
				t.Errorf("AppendKey(%s) = %s, want %s", test.before, got, test.want)
			}
		})
	}
}
