package wire_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal/wire"
)

// value is the text as a Value, having passed Valid as a message does.
func value(t *testing.T, text string) wire.Value {
	t.Helper()
	if err := wire.Valid([]byte(text)); err != nil {
		t.Fatalf("Valid(%q) = %v, want nil", text, err)
	}
	return wire.Trim([]byte(text))
}

func TestKind(t *testing.T) {
	tests := []struct {
		text string
		want wire.Kind
		word string
	}{
		{`null`, wire.Null, "null"},
		{`true`, wire.Bool, "a boolean"},
		{`false`, wire.Bool, "a boolean"},
		{`0`, wire.Integer, "an integer"},
		{`-0`, wire.Integer, "an integer"},
		{`-12`, wire.Integer, "an integer"},
		{`1.0`, wire.Number, "a number"},
		{`1e3`, wire.Number, "a number"},
		{`1E3`, wire.Number, "a number"},
		{`"1.0"`, wire.String, "a string"},
		{`[1.0]`, wire.Array, "an array"},
		{`{"e":1}`, wire.Object, "an object"},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			got := value(t, test.text).Kind()
			if got != test.want || got.String() != test.word {
				t.Errorf("Kind(%s) = %d (%s), want %d (%s)", test.text, got, got, test.want, test.word)
			}
		})
	}
	if got := wire.Value(nil).Kind(); got != wire.Null {
		t.Errorf("Kind of no text = %s, want null", got)
	}
	if got, want := wire.Kind(99).String(), "kind 99"; got != want {
		t.Errorf("Kind(99) = %q, want %q", got, want)
	}
}

func TestInt(t *testing.T) {
	tests := []struct {
		text string
		want int64
		err  error
	}{
		{`0`, 0, nil},
		{`-0`, 0, nil},
		{`7`, 7, nil},
		{`-7`, -7, nil},
		{`9007199254740993`, 1<<53 + 1, nil},
		{`9223372036854775807`, math.MaxInt64, nil},
		{`-9223372036854775808`, math.MinInt64, nil},
		{`9223372036854775808`, 0, wire.ErrRange},
		{`-9223372036854775809`, 0, wire.ErrRange},
		{`9223372036854775810`, 0, wire.ErrRange},
		{`18446744073709551615`, 0, wire.ErrRange},
		{`18446744073709551616`, 0, wire.ErrRange},
		{`18446744073709551617`, 0, wire.ErrRange},
		{`92233720368547758070`, 0, wire.ErrRange},
		{`-99999999999999999999`, 0, wire.ErrRange},
		{`1` + strings.Repeat("0", 300), 0, wire.ErrRange},
		{`1.0`, 0, wire.ErrType},
		{`1e3`, 0, wire.ErrType},
		{`1E0`, 0, wire.ErrType},
		{`-1.5`, 0, wire.ErrType},
		{`"1"`, 0, wire.ErrType},
		{`true`, 0, wire.ErrType},
		{`null`, 0, wire.ErrType},
		{`[1]`, 0, wire.ErrType},
		{`{}`, 0, wire.ErrType},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			got, err := value(t, test.text).Int()
			if got != test.want || err != test.err {
				t.Errorf("Int(%s) = %d, %v, want %d, %v", test.text, got, err, test.want, test.err)
			}
		})
	}
}

func TestBool(t *testing.T) {
	tests := []struct {
		text string
		want bool
		err  error
	}{
		{`true`, true, nil},
		{`false`, false, nil},
		{`1`, false, wire.ErrType},
		{`"true"`, false, wire.ErrType},
		{`null`, false, wire.ErrType},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			got, err := value(t, test.text).Bool()
			if got != test.want || err != test.err {
				t.Errorf("Bool(%s) = %t, %v, want %t, %v", test.text, got, err, test.want, test.err)
			}
		})
	}
}

func TestText(t *testing.T) {
	tests := []struct {
		name, text, want string
		err              error
	}{
		{"empty", `""`, "", nil},
		{"plain", `"front"`, "front", nil},
		{"UTF-8", `"grün 😀"`, "grün 😀", nil},
		{"short escapes", `"\"\\\/\b\f\n\r\t"`, "\"\\/\b\f\n\r\t", nil},
		{"letter", `"\u006dethod"`, "method", nil},
		{"capital digits", `"\u00E9\u00e9"`, "éé", nil},
		{"NUL", `"a\u0000b"`, "a\x00b", nil},
		{"pair", `"\ud83d\ude00"`, "😀", nil},
		{"first and last pair", `"\ud800\udc00\udbff\udfff"`, "\U00010000\U0010ffff", nil},
		{"around the surrogates", `"\ud7ff\ue000"`, "\ud7ff\ue000", nil},
		{"pair between text", `"a\ud83d\ude00b\\"`, "a😀b\\", nil},
		{"escaped backslash before u", `"\\u0041"`, `\u0041`, nil},
		{"integer", `1`, "", wire.ErrType},
		{"null", `null`, "", wire.ErrType},
		{"object", `{}`, "", wire.ErrType},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := value(t, test.text).Text()
			if string(got) != test.want || err != test.err {
				t.Errorf("Text(%s) = %q, %v, want %q, %v", test.text, got, err, test.want, test.err)
			}
		})
	}
}

// Without an escape the text is a slice of the message, so that an ordinary call copies nothing.
func TestTextIsASlice(t *testing.T) {
	message := value(t, `"front"`)
	got, _ := message.Text()
	message[1] = 'F'
	if want := "Front"; string(got) != want {
		t.Errorf("Text = %q after the message changed, want %q", got, want)
	}
}

func TestBytes(t *testing.T) {
	tests := []struct {
		name, text, want string
		err              error
	}{
		{"nothing", `""`, "", nil},
		{"one byte", `"/w=="`, "\xff", nil},
		{"two bytes", `"AAE="`, "\x00\x01", nil},
		{"three bytes", `"AAEC"`, "\x00\x01\x02", nil},
		{"padding as an escape", `"/w=\u003d"`, "\xff", nil},
		{"no padding", `"/w"`, "", wire.ErrBase64},
		{"half the padding", `"/w="`, "", wire.ErrBase64},
		{"too much padding", `"AAEC="`, "", wire.ErrBase64},
		{"padding alone", `"===="`, "", wire.ErrBase64},
		{"one character", `"A"`, "", wire.ErrBase64},
		{"bits behind the last byte", `"/x=="`, "", wire.ErrBase64},
		{"bits behind the last two bytes", `"AAF="`, "", wire.ErrBase64},
		{"alphabet of URLs", `"_-=="`, "", wire.ErrBase64},
		{"new line between", `"AA\nEC"`, "", wire.ErrBase64},
		{"carriage return at the end", `"AAEC\r"`, "", wire.ErrBase64},
		{"space", `"AA EC"`, "", wire.ErrBase64},
		{"more behind the padding", `"/w==AAEC"`, "", wire.ErrBase64},
		{"other characters", `"grün"`, "", wire.ErrBase64},
		{"integer", `1234`, "", wire.ErrType},
		{"array of bytes", `[1,2]`, "", wire.ErrType},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := value(t, test.text).Bytes()
			if string(got) != test.want || err != test.err {
				t.Errorf("Bytes(%s) = %q, %v, want %q, %v", test.text, got, err, test.want, test.err)
			}
		})
	}
}

// Bytes outlive the message.
func TestBytesAreACopy(t *testing.T) {
	message := value(t, `"AAEC"`)
	got, _ := message.Bytes()
	copy(message[1:], "////")
	if want := "\x00\x01\x02"; string(got) != want {
		t.Errorf("Bytes = %q after the message changed, want %q", got, want)
	}
}

func TestMembers(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"none", `{}`, ""},
		{"none, with space", "{ \n }", ""},
		{"each kind", `{"a":1,"b":"x","c":[1,2],"d":{"a":1},"e":null,"f":true}`, `a=1 b="x" c=[1,2] d={"a":1} e=null f=true`},
		{"space is not part of a value", "{ \"a\" : 1 ,\t\"b\" :\n{ \"x\" : 2 } }", `a=1 b={ "x" : 2 }`},
		{"escaped key", `{"\u006dethod":1}`, `method=1`},
		{"other case is another key", `{"method":1,"Method":2}`, `method=1 Method=2`},
		{"same key deeper", `{"a":{"a":1},"b":{"a":2}}`, `a={"a":1} b={"a":2}`},
		{"empty key", `{"":1}`, `=1`},
		{"braces in strings", `{"}":"{\"]"}`, `}="{\"]"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			members, err := wire.Members(make([]wire.Member, 0, 8), value(t, test.text))
			if got := written(members); got != test.want || err != nil {
				t.Errorf("Members(%s) = %s, %v, want %s, nil", test.text, got, err, test.want)
			}
		})
	}
}

func written(members []wire.Member) string {
	var words []string
	for _, m := range members {
		words = append(words, fmt.Sprintf("%s=%s", m.Key, m.Value))
	}
	return strings.Join(words, " ")
}

func TestDuplicateKeys(t *testing.T) {
	tests := []struct{ name, text, key string }{
		{"side by side", `{"a":1,"a":2}`, "a"},
		{"apart", `{"a":1,"b":2,"c":3,"a":1}`, "a"},
		{"one escaped", `{"method":1,"\u006dethod":2}`, "method"},
		{"both escaped, in other ways", `{"\u006dethod":1,"\u006D\u0065thod":2}`, "method"},
		{"null first", `{"a":null,"a":2}`, "a"},
		{"empty key", `{"":1,"":1}`, ""},
		{"pair and character", `{"😀":1,"\ud83d\ude00":2}`, "😀"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := wire.Members(make([]wire.Member, 0, 8), value(t, test.text))
			isDuplicate(t, "Members", err, test.key)
			isDuplicate(t, "Unique", wire.Unique(value(t, test.text)), test.key)
			isDuplicate(t, "Unique, deeper", wire.Unique(value(t, `[1,{"z":[`+test.text+`]}]`)), test.key)
		})
	}
}

func isDuplicate(t *testing.T, what string, err error, key string) {
	t.Helper()
	var duplicate *wire.DuplicateError
	if !errors.As(err, &duplicate) || duplicate.Key != key {
		t.Errorf("%s = %v, want a duplicate of %q", what, err, key)
	}
}

func TestUniqueAccepts(t *testing.T) {
	for _, text := range []string{`1`, `"a"`, `[]`, `{}`, `[{"a":1},{"a":1}]`, `{"a":{"a":{"a":1}},"A":1}`} {
		if err := wire.Unique(value(t, text)); err != nil {
			t.Errorf("Unique(%s) = %v, want nil", text, err)
		}
	}
}

func TestMembersBound(t *testing.T) {
	object := value(t, `{"a":1,"b":2,"c":3}`)
	members, err := wire.Members(make([]wire.Member, 0, 3), object)
	if len(members) != 3 || err != nil {
		t.Errorf("Members with room for 3 = %s, %v, want all and nil", written(members), err)
	}
	members, err = wire.Members(make([]wire.Member, 0, 2), object)
	if written(members) != "a=1 b=2" || err != wire.ErrTooMany {
		t.Errorf("Members with room for 2 = %s, %v, want a=1 b=2, %v", written(members), err, wire.ErrTooMany)
	}
	if members, err = wire.Members(nil, object); len(members) != 0 || err != wire.ErrTooMany {
		t.Errorf("Members without room = %s, %v, want none, %v", written(members), err, wire.ErrTooMany)
	}
}

func TestMembersOfWhatIsNoObject(t *testing.T) {
	for _, text := range []string{`null`, `[]`, `["a",1]`, `"{}"`, `1`, `true`} {
		if _, err := wire.Members(nil, value(t, text)); err != wire.ErrNotObject {
			t.Errorf("Members(%s) = %v, want %v", text, err, wire.ErrNotObject)
		}
	}
}

func TestEachStops(t *testing.T) {
	stop := errors.New("enough")
	n := 0
	err := wire.Each(value(t, `{"a":1,"b":2,"c":3}`), func([]byte, wire.Value) error {
		if n++; n == 2 {
			return stop
		}
		return nil
	})
	if n != 2 || err != stop {
		t.Errorf("Each visited %d and gave %v, want 2 and %v", n, err, stop)
	}
}

func TestElements(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"none", `[ ]`, ""},
		{"one", `[1]`, "0=1"},
		{"each kind", `[1 , "a,b" ,[2,3], {"x":[4]} ,null,true]`, `0=1 1="a,b" 2=[2,3] 3={"x":[4]} 4=null 5=true`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var words []string
			err := wire.Elements(value(t, test.text), func(i int, v wire.Value) error {
				words = append(words, fmt.Sprintf("%d=%s", i, v))
				return nil
			})
			if got := strings.Join(words, " "); got != test.want || err != nil {
				t.Errorf("Elements(%s) = %s, %v, want %s, nil", test.text, got, err, test.want)
			}
		})
	}
	stop := errors.New("enough")
	if err := wire.Elements(value(t, `[1,2]`), func(int, wire.Value) error { return stop }); err != stop {
		t.Errorf("Elements = %v where its function fails, want %v", err, stop)
	}
	if err := wire.Elements(value(t, `{}`), nil); err != wire.ErrType {
		t.Errorf("Elements({}) = %v, want %v", err, wire.ErrType)
	}
}

func TestTrim(t *testing.T) {
	if got := wire.Trim([]byte("\r\n\t {} \n")); !bytes.Equal(got, []byte("{}")) {
		t.Errorf("Trim = %q, want {}", got)
	}
}
