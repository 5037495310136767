package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/halberd-io/halberd/hal/wire"
)

var seeds = []string{
	``, ` `, `null`, `true`, `-0`, `1.0`, `1e3`, `01`, `9223372036854775807`, `-9223372036854775809`, `123456789012345678901234567890`,
	`"a\u0000\n\ud83d\ude00"`, `"\ud83d"`, `"\ude00\ud83d"`, `"\ud83d\u0041"`, "\"\xff\"", "\"\xed\xa0\xbd\"", "\"\x1f\"", "\"\x7f\"", `"\x"`,
	`{"method":"io.halberd.Led.Set","parameters":{"led":"front","brightness":128}}`,
	`{"method":"a","\u006dethod":"b"}`, `{"a":1,"a":2}`, `{"a":{"b":1,"b":2}}`, `{"Method":1,"method":2}`,
	" {\t\"a\" : [ 1 , { } , [ ] ] ,\r\n\"b\":null } ", `[1,]`, `{"a":1,}`, `[1}`, "{}\x00", "\ufeff{}",
	strings.Repeat("[", 32) + strings.Repeat("]", 32), strings.Repeat("[", 33) + strings.Repeat("]", 33),
	strings.Repeat(`{"a":`, 33) + "1" + strings.Repeat("}", 33),
}

// What Valid accepts, encoding/json accepts with the same meaning. What encoding/json alone accepts is too deep, is not UTF-8, or has half a surrogate
// pair.
func checkValid(t *testing.T, data []byte) {
	err := wire.Valid(data)
	if !json.Valid(data) {
		if err == nil {
			t.Fatalf("Valid(%q) = nil, and encoding/json refuses it", data)
		}
		return
	}
	if err != nil {
		if !mayRefuse(data, err) {
			t.Fatalf("Valid(%q) = %v, and encoding/json accepts it", data, err)
		}
		return
	}
	v := wire.Trim(data)
	if wire.Unique(v) != nil {
		return // TestDuplicateKeys and FuzzMembers look at these
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var want any
	if err := decoder.Decode(&want); err != nil {
		t.Fatalf("encoding/json: %v", err)
	}
	if got := meaning(t, v); got != fmt.Sprintf("%q", want) {
		t.Fatalf("%q means %s, want %q", data, got, want)
	}
}

func FuzzValid(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(checkValid)
}

// mayRefuse tells whether there is a documented reason to refuse what encoding/json accepts, by other means than the reader's.
func mayRefuse(data []byte, err error) bool {
	var syntax *wire.SyntaxError
	switch {
	case err == wire.ErrDepth:
		return depth(data) > wire.MaxDepth
	case !errors.As(err, &syntax):
		return false
	case syntax.What == "invalid UTF-8":
		return !utf8.Valid(data)
	case syntax.What == "half a surrogate pair":
		lower := bytes.ToLower(data)
		return bytes.Contains(lower, []byte(`\ud`)) && bytes.ContainsRune(roundTrip(data), utf8.RuneError)
	}
	return false
}

// roundTrip is what encoding/json makes of the text: a lone surrogate becomes U+FFFD.
func roundTrip(data []byte) []byte {
	var v any
	_ = json.Unmarshal(data, &v)
	out, _ := json.Marshal(v)
	return out
}

func depth(data []byte) int {
	decoder := json.NewDecoder(bytes.NewReader(data))
	now, most := 0, 0
	for {
		token, err := decoder.Token()
		if err != nil {
			return most
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			now++
			most = max(most, now)
		case json.Delim('}'), json.Delim(']'):
			now--
		}
	}
}

// meaning reads a value wholly through this package and writes it as fmt does with what encoding/json made of it.
func meaning(t *testing.T, v wire.Value) string { return fmt.Sprintf("%q", decoded(t, v)) }

func decoded(t *testing.T, v wire.Value) any {
	switch v.Kind() {
	case wire.Bool:
		b, err := v.Bool()
		must(t, v, err)
		return b
	case wire.Integer:
		sameInt(t, v)
		return json.Number(v)
	case wire.Number:
		return json.Number(v)
	case wire.String:
		b, err := v.Text()
		must(t, v, err)
		return string(b)
	case wire.Array:
		list := []any{}
		must(t, v, wire.Elements(v, func(i int, e wire.Value) error {
			if i != len(list) {
				t.Fatalf("element %d of %q comes at %d", len(list), v, i)
			}
			list = append(list, decoded(t, e))
			return nil
		}))
		return list
	case wire.Object:
		object := map[string]any{}
		must(t, v, wire.Each(v, func(key []byte, e wire.Value) error {
			object[string(key)] = decoded(t, e)
			return nil
		}))
		return object
	}
	return nil
}

func must(t *testing.T, v wire.Value, err error) {
	if err != nil {
		t.Fatalf("reading %q: %v", v, err)
	}
}

// sameInt compares Int with what encoding/json puts into an int64.
func sameInt(t *testing.T, v wire.Value) {
	var want int64
	refused := json.Unmarshal(v, &want) != nil
	got, err := v.Int()
	if (err != nil) != refused || !refused && got != want {
		t.Fatalf("Int(%s) = %d, %v, want %d (refused: %t)", v, got, err, want, refused)
	}
}

// Members gives every member of an object once and in order, refuses a duplicate exactly where there is one, and keeps to its room.
func checkMembers(t *testing.T, data []byte, room uint8) {
	if wire.Valid(data) != nil {
		return
	}
	object := wire.Trim(data)
	members, err := wire.Members(make([]wire.Member, 0, room), object)
	if object.Kind() != wire.Object {
		if err != wire.ErrNotObject {
			t.Fatalf("Members(%q) = %v, want %v", data, err, wire.ErrNotObject)
		}
		return
	}
	keys, values := tokens(t, object)
	first := firstDuplicate(keys)
	switch {
	case first >= 0 && first <= int(room):
		var duplicate *wire.DuplicateError
		if !errors.As(err, &duplicate) || duplicate.Key != keys[first] {
			t.Fatalf("Members(%q) = %v, want a duplicate of %q", data, err, keys[first])
		}
	case len(keys) > int(room):
		if err != wire.ErrTooMany || len(members) != int(room) {
			t.Fatalf("Members(%q) = %d, %v, want %d, %v", data, len(members), err, room, wire.ErrTooMany)
		}
	default:
		if err != nil || len(members) != len(keys) {
			t.Fatalf("Members(%q) = %d, %v, want %d, nil", data, len(members), err, len(keys))
		}
	}
	for i, m := range members {
		if string(m.Key) != keys[i] || !bytes.Equal(m.Value, values[i]) {
			t.Fatalf("member %d of %q is %q: %q, want %q: %q", i, data, m.Key, m.Value, keys[i], values[i])
		}
	}
}

func FuzzMembers(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s), uint8(4))
	}
	f.Add([]byte(`{"a":1,"b":2,"c":3}`), uint8(2))
	f.Add([]byte(`{"a":1,"b":2,"a":3}`), uint8(2))
	f.Fuzz(checkMembers)
}

// tokens reads an object's members with encoding/json, in order and with duplicates.
func tokens(t *testing.T, object []byte) (keys []string, values []json.RawMessage) {
	decoder := json.NewDecoder(bytes.NewReader(object))
	if _, err := decoder.Token(); err != nil {
		t.Fatal(err)
	}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			t.Fatal(err)
		}
		var v json.RawMessage
		if err := decoder.Decode(&v); err != nil {
			t.Fatal(err)
		}
		keys, values = append(keys, key.(string)), append(values, v)
	}
	return keys, values
}

// firstDuplicate is the index of the first key that stood before, or -1.
func firstDuplicate(keys []string) int {
	seen := map[string]bool{}
	for i, k := range keys {
		if seen[k] {
			return i
		}
		seen[k] = true
	}
	return -1
}

// What AppendString writes is valid, has no control characters, and reads as the same string here and in encoding/json.
func checkAppendString(t *testing.T, s string) {
	text := wire.AppendString(nil, s)
	if err := wire.Valid(text); err != nil {
		t.Fatalf("AppendString(%q) = %s: %v", s, text, err)
	}
	for _, c := range text {
		if c < 0x20 || c == 0x7f {
			t.Fatalf("AppendString(%q) = %q, which has a control character", s, text)
		}
	}
	want := string([]rune(s)) // each invalid byte becomes U+FFFD
	if got, err := wire.Value(text).Text(); string(got) != want || err != nil {
		t.Fatalf("AppendString(%q) reads %q, %v, want %q", s, got, err, want)
	}
	var other string
	if err := json.Unmarshal(text, &other); other != want || err != nil {
		t.Fatalf("AppendString(%q) reads %q, %v in encoding/json, want %q", s, other, err, want)
	}
}

func FuzzAppendString(f *testing.F) {
	for _, s := range append(seeds, "grün 😀", "\x00\x7f\u0080\u2028", "\xff\xfe", "a\xe2\x82", "\xed\xa0\xbd", "\ufffd") {
		f.Add(s)
	}
	f.Fuzz(checkAppendString)
}

// There is one way to write given bytes: what Bytes accepts is what AppendBytes writes.
func checkBytes(t *testing.T, s string) {
	b, err := wire.Value(wire.AppendString(nil, s)).Bytes()
	if err != nil {
		return
	}
	if got := string(wire.AppendBytes(nil, b)); got != `"`+s+`"` {
		t.Fatalf("Bytes(%q) accepts, and AppendBytes writes %s", s, got)
	}
}

func FuzzBytes(f *testing.F) {
	for _, s := range []string{"", "/w==", "/w", "/x==", "AAEC", "AA EC", "_-==", "====", "AA==AAEC", "AA\nEC"} {
		f.Add(s)
	}
	f.Fuzz(checkBytes)
}

// Read is Valid and then Members.
func checkRead(t *testing.T, data []byte, room uint8) {
	got, err := wire.Read(make([]wire.Member, 0, room), data)
	want, wanted := []wire.Member(nil), wire.Valid(data)
	if wanted == nil {
		want, wanted = wire.Members(make([]wire.Member, 0, room), wire.Trim(data))
	}
	if fmt.Sprint(err) != fmt.Sprint(wanted) {
		t.Fatalf("Read(%q) = %v, want %v", data, err, wanted)
	}
	if err == nil && fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("Read(%q) = %s, want %s", data, got, want)
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s), uint8(5))
	}
	f.Add([]byte(`{"a":1,"b":2}`), uint8(1))
	f.Add([]byte(` {"a":1,"a":2} }`), uint8(2))
	f.Fuzz(checkRead)
}
