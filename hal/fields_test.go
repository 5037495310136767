package hal_test

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/wire"
)

// everything has a field of each kind.
type everything struct {
	Int      int64
	Ranged   int64
	MayInt   hal.Opt[int64]
	MayRange hal.Opt[int64]
	Bool     bool
	MayBool  hal.Opt[bool]
	Text     string
	MayText  hal.Opt[string]
	Enum     string
	MayEnum  hal.Opt[string]
	Blob     []byte
	MayBlob  hal.Opt[[]byte]
	Span     int64
	Texts    []string
	MayTexts hal.Opt[[]string]
	Ints     []int64
	MayInts  hal.Opt[[]int64]
	Map      map[string]int64
	Raw      wire.Value
	Parts    []part
}

func (m *everything) Fields(f *hal.Fields) {
	f.Int("int", &m.Int, hal.Unitless, "An integer.")
	f.IntIn("rangedMSec", &m.Ranged, 0, 10, hal.Milliseconds, "One with a range.")
	f.OptInt("mayInt", &m.MayInt, hal.Unitless, "One that may be left out.")
	f.OptIntIn("mayRangeNSec", &m.MayRange, 1, math.MaxInt64, hal.Nanoseconds, "And one with a range.\nIn two lines.")
	f.Bool("bool", &m.Bool, "A truth value.")
	f.OptBool("mayBool", &m.MayBool, "One that may be left out.")
	f.Text("text", &m.Text, "A string.")
	f.OptText("mayText", &m.MayText, "One that may be left out.")
	f.Enum("enum", &m.Enum, words, "A word.")
	f.OptEnum("mayEnum", &m.MayEnum, words, "One that may be left out.")
	f.Blob("blob", &m.Blob, 16, "Bytes.")
	f.OptBlob("mayBlob", &m.MayBlob, 16, "Bytes that may be left out.")
	f.Span("span", &m.Span, int64(len(m.Blob)), 0, 9, hal.Unitless, "The first of as many as there are bytes.")
	f.Texts("texts", &m.Texts, 0, 4, "Strings.")
	f.OptTexts("mayTexts", &m.MayTexts, 1, 4, "Strings that may be left out.")
	f.Ints("ints", &m.Ints, 0, 4, hal.Unitless, "Integers.")
	f.OptInts("mayInts", &m.MayInts, 1, 4, hal.Unitless, "Integers that may be left out.")
	f.IntMap("map", &m.Map, 0, 4, hal.Unitless, "A map.")
	f.OptRaw("raw", &m.Raw, "Any object.")
	hal.Each(f, "parts", &m.Parts, 0, 4, "Messages.")
}

func full() *everything {
	return &everything{
		Int: -1, Ranged: 10, MayInt: hal.Some[int64](0), MayRange: hal.Some[int64](1 << 60), Bool: true, MayBool: hal.Some(false),
		Text: "a \"quoted\" word", MayText: hal.Some(""), Enum: "pull_up", MayEnum: hal.Some("pull_down"), Blob: []byte{0, 255}, MayBlob: hal.Some([]byte{7}), Span: 4,
		Texts: []string{"a", "b"}, MayTexts: hal.Some([]string{"c"}), Ints: []int64{1, 2}, MayInts: hal.Some([]int64{3}),
		Map: map[string]int64{"z": 1, "a": 2}, Raw: wire.Value(`{"x":[1]}`),
		Parts: []part{{Address: 8, Name: hal.Some("first"), Bits: []bit{{1}, {2}}}, {Address: 9}},
	}
}

// seen writes down what an examiner is shown.
type seen []string

func (s *seen) Examine(path string, v hal.Scalar) {
	*s = append(*s, fmt.Sprint(path, "=", map[hal.Kind]any{hal.Int: v.Int, hal.Bool: v.Bool, hal.Text: v.Text}[v.Kind]))
}

// TestExamineMessage: a message shows its values in the order of its fields, and what is left out not at all.
func TestExamineMessage(t *testing.T) {
	var got seen
	hal.Examine(full(), &got)
	want := seen{"int=-1", "rangedMSec=10", "mayInt=0", "mayRangeNSec=1152921504606846976", "bool=true", "mayBool=false", `text=a "quoted" word`, "mayText=",
		"enum=pull_up", "mayEnum=pull_down", "blob.length=2", "mayBlob.length=1", "span=4", "span=5", "texts=a", "texts=b", "mayTexts=c", "ints=1", "ints=2", "mayInts=3", "map=", "map=",
		"parts.address=8", "parts.name=first", "parts.bits.n=1", "parts.bits.n=2", "parts.address=9"}
	for i := range got { // the order in a map is none
		if value, isMap := strings.CutPrefix(got[i], "map="); isMap && (value == "1" || value == "2") {
			got[i] = "map="
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	got = nil
	hal.Examine(new(everything), &got)
	if want := (seen{"int=0", "rangedMSec=0", "bool=false", "text=", "enum=", "blob.length=0", "span=0"}); !slices.Equal(got, want) {
		t.Errorf("of nothing: got %q, want %q", got, want)
	}
}

func TestEncode(t *testing.T) {
	tests := []struct {
		name string
		m    hal.Message
		want string
	}{
		{"no fields", new(hal.None), `{}`},
		{"nothing set", new(everything), `{"int":0,"rangedMSec":0,"bool":false,"text":"","enum":"","blob":"","span":0,"texts":[],"ints":[],"map":{},"parts":[]}`},
		{"everything set", full(), `{"int":-1,"rangedMSec":10,"mayInt":0,"mayRangeNSec":1152921504606846976,"bool":true,"mayBool":false,` +
			`"text":"a \"quoted\" word","mayText":"","enum":"pull_up","mayEnum":"pull_down","blob":"AP8=","mayBlob":"Bw==","span":4,"texts":["a","b"],"mayTexts":["c"],` +
			`"ints":[1,2],"mayInts":[3],"map":{"a":2,"z":1},"raw":{"x":[1]},` +
			`"parts":[{"address":8,"name":"first","bits":[{"n":1},{"n":2}]},{"address":9,"bits":[]}]}`},
		{"only what may be left out", fields(func(f *hal.Fields) { f.OptInt("p", &hal.Opt[int64]{Value: 1}, hal.Unitless, "") }), `{}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := string(hal.Encode([]byte(`{"parameters":`), test.m)); got != `{"parameters":`+test.want {
				t.Errorf("Encode gives\n%s, want\n%s behind the key", got, test.want)
			}
		})
	}
}

func TestDecodeGivesBackWhatWasEncoded(t *testing.T) {
	got := new(everything)
	if err := hal.Decode(hal.Encode(nil, full()), got); err != nil {
		t.Fatal(err)
	}
	want := full()
	want.Parts[1].Bits = nil
	if !reflect.DeepEqual(got, want) {
		t.Errorf("decoded\n%+v, want\n%+v", got, want)
	}
}

// What was decoded into slices of its own lives longer than the message.
func TestDecodedCopies(t *testing.T) {
	text := hal.Encode(nil, full())
	got := new(everything)
	if err := hal.Decode(text, got); err != nil {
		t.Fatal(err)
	}
	clear(text)
	if string(got.Raw) != `{"x":[1]}` || got.Text != full().Text || got.Texts[1] != "b" || got.Blob[1] != 255 || got.Map["z"] != 1 {
		t.Errorf("decoded values changed with the message: %+v", got)
	}
}

func TestDescribe(t *testing.T) {
	var got []string
	for _, d := range hal.Describe(new(everything)) {
		got = append(got, fmt.Sprintf("%s kind=%d optional=%t unit=%q %d..%d %v %q fields=%d", d.Name, d.Kind, d.Optional, string(d.Unit), d.Min, d.Max, d.Values, d.Doc, len(d.Fields)))
	}
	want := []string{
		`int kind=0 optional=false unit="" -9223372036854775808..9223372036854775807 [] "An integer." fields=0`,
		`rangedMSec kind=0 optional=false unit="ms" 0..10 [] "One with a range." fields=0`,
		`mayInt kind=0 optional=true unit="" -9223372036854775808..9223372036854775807 [] "One that may be left out." fields=0`,
		`mayRangeNSec kind=0 optional=true unit="ns" 1..9223372036854775807 [] "And one with a range.\nIn two lines." fields=0`,
		`bool kind=1 optional=false unit="" 0..0 [] "A truth value." fields=0`,
		`mayBool kind=1 optional=true unit="" 0..0 [] "One that may be left out." fields=0`,
		`text kind=2 optional=false unit="" 0..4096 [] "A string." fields=0`,
		`mayText kind=2 optional=true unit="" 0..4096 [] "One that may be left out." fields=0`,
		`enum kind=3 optional=false unit="" 0..0 [pull_up pull_down] "A word." fields=0`,
		`mayEnum kind=3 optional=true unit="" 0..0 [pull_up pull_down] "One that may be left out." fields=0`,
		`blob kind=4 optional=false unit="" 0..16 [] "Bytes." fields=0`,
		`mayBlob kind=4 optional=true unit="" 0..16 [] "Bytes that may be left out." fields=0`,
		`span kind=0 optional=false unit="" 0..9 [] "The first of as many as there are bytes." fields=0`,
		`texts kind=5 optional=false unit="" 0..4 [] "Strings." fields=0`,
		`mayTexts kind=5 optional=true unit="" 1..4 [] "Strings that may be left out." fields=0`,
		`ints kind=6 optional=false unit="" 0..4 [] "Integers." fields=0`,
		`mayInts kind=6 optional=true unit="" 1..4 [] "Integers that may be left out." fields=0`,
		`map kind=7 optional=false unit="" 0..4 [] "A map." fields=0`,
		`raw kind=8 optional=true unit="" 0..0 [] "Any object." fields=0`,
		`parts kind=9 optional=false unit="" 0..4 [] "Messages." fields=3`,
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("field %d of\n%q, want\n%q", i, got, want)
		}
	}
}

// A description is the same whatever the message's values are.
func TestDescribeIgnoresValues(t *testing.T) {
	if got, want := hal.Describe(full()), hal.Describe(new(everything)); !reflect.DeepEqual(got, want) {
		t.Errorf("a full message is described as\n%+v, want\n%+v", got, want)
	}
}

func TestExamine(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"full", string(hal.Encode(nil, full())), []string{"int=-1", "rangedMSec=10", "mayInt=0", "mayRangeNSec=1152921504606846976", "bool=true",
			"mayBool=false", `text="a \"quoted\" word"`, `mayText=""`, `enum="pull_up"`, `mayEnum="pull_down"`, "blob.length=2", "mayBlob.length=1", "span=4", "span=5", `texts="a"`, `texts="b"`, `mayTexts="c"`,
			"ints=1", "ints=2", "mayInts=3", "map=1", "map=2", "parts.address=8", `parts.name="first"`, "parts.bits.n=1", "parts.bits.n=2",
			"parts.address=9"}},
		{"what was left out is not shown", `{"int":0,"rangedMSec":0,"bool":false,"text":"","enum":"pull_up","blob":"","span":3,"texts":[],"ints":[],"map":{},"parts":[]}`,
			[]string{"int=0", "rangedMSec=0", "bool=false", `text=""`, `enum="pull_up"`, "blob.length=0", "span=3"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := hal.Plain(hal.Observe, "Take", "", func(hal.Holder, *everything, *hal.None) error { return nil })
			call, err := m.Decode(wire.Value(test.text))
			if err != nil {
				t.Fatal(err)
			}
			got := shown(call)
			slices.SortStableFunc(got, byMap)
			if !slices.Equal(got, test.want) {
				t.Errorf("shown\n%q, want\n%q", got, test.want)
			}
		})
	}
}

// byMap puts the members of the map, which have no order, into one.
func byMap(a, b string) int {
	if len(a) > 4 && len(b) > 4 && a[:4] == "map=" && b[:4] == "map=" {
		return int(a[4]) - int(b[4])
	}
	return 0
}

func TestOpt(t *testing.T) {
	if got := hal.Some(int64(3)).Or(7); got != 3 {
		t.Errorf("Some(3).Or(7) = %d, want 3", got)
	}
	if got := (hal.Opt[int64]{Value: 3}).Or(7); got != 7 {
		t.Errorf("Or(7) of what was left out = %d, want 7", got)
	}
}

func TestTable(t *testing.T) {
	table := hal.NewTable[part]("part", "A part.")
	if table.Name != "part" || len(table.Fields) != 3 || table.Fields[0].Name != "address" {
		t.Errorf("the table is %+v, want part with three keys", table)
	}
	got, err := table.Decode(wire.Value(`{"address":8,"bits":[]}`))
	if p, ok := got.(*part); !ok || p.Address != 8 || err != nil {
		t.Errorf("Decode = %#v, %v, want a *part at 8", got, err)
	}
	if got, err := table.Decode(wire.Value(`{"address":1,"bits":[]}`)); got != nil || err == nil || err.Error() != "address: must be from 8 to 119" {
		t.Errorf("Decode of a bad entry = %v, %v, want nil and why", got, err)
	}
}
