package haltest

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/wire"
)

// member is a parameter and its JSON.
type member struct{ name, text string }

func object(members []member) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, m := range members {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(quoted(m.name) + ":" + m.text)
	}
	return b.String() + "}"
}

func quoted(s string) string { return string(wire.AppendString(nil, s)) }

// validMembers makes up parameters that a method has to take, with a device of the given ID.
func validMembers(m *hal.Method, id string) []member {
	members := validFields(m.In)
	if m.Device != "" && len(members) > 0 {
		members[0].text = naming(m.In[0], quoted(id))
	}
	return members
}

// naming is a parameter that names devices, given as JSON strings.
func naming(d hal.Field, ids ...string) string {
	switch d.Kind {
	case hal.Texts:
		return "[" + strings.Join(ids, ",") + "]"
	case hal.IntMap:
		var least int64
		if d.Each != nil {
			least = d.Each.Min
		}
		for i := range ids {
			ids[i] += ":" + strconv.FormatInt(least, 10)
		}
		return "{" + strings.Join(ids, ",") + "}"
	}
	return ids[0]
}

func validFields(fields []hal.Field) []member {
	var members []member
	for _, d := range fields {
		members = append(members, member{d.Name, valid(d)})
	}
	return members
}

// valid makes up a value that a field has to take: as a rule the least one.
func valid(d hal.Field) string {
	switch d.Kind {
	case hal.Int:
		return strconv.FormatInt(d.Min, 10)
	case hal.Bool:
		return "true"
	case hal.Text:
		return quoted("a")
	case hal.Enum:
		return quoted(d.Values[0])
	case hal.Blob:
		return `""`
	case hal.IntMap:
		return intMap(d, d.Min)
	case hal.Raw:
		return "{}"
	}
	return array(d, d.Min)
}

// array makes up an array of n elements, all different.
func array(d hal.Field, n int64) string {
	var elements []string
	for i := range n {
		switch d.Kind {
		case hal.Texts:
			elements = append(elements, quoted("a"+strconv.FormatInt(i, 10)))
		case hal.Ints:
			elements = append(elements, strconv.FormatInt(i, 10))
		default:
			elements = append(elements, object(validFields(d.Fields)))
		}
	}
	return "[" + strings.Join(elements, ",") + "]"
}

// beginning makes up an array of the least length that begins with an element.
func beginning(d hal.Field, element string) string {
	others := strings.TrimPrefix(array(d, max(0, d.Min-1)), "[")
	if others != "]" {
		element += ","
	}
	return "[" + element + others
}

// intMap makes up a map of n members.
func intMap(d hal.Field, n int64) string {
	var keys []string
	for i := range n {
		keys = append(keys, quoted("a"+strconv.FormatInt(i, 10)))
	}
	return naming(d, keys...)
}

// wrong is a value that a field has to refuse. Its path is that of the field with more behind it.
type wrong struct{ what, text, more string }

// longest is the longest text that a check makes up: a request has at most 64 KiB.
const longest = 60_000

// scalars and the rest of the JSON types, of which each kind of field takes one.
var jsonTypes = []struct {
	kind       wire.Kind
	what, text string
}{
	{wire.Bool, "a boolean", "true"}, {wire.Integer, "an integer", "1"}, {wire.Number, "a fraction", "1.0"}, {wire.Number, "an exponent", "1e0"},
	{wire.String, "a string", `"1"`}, {wire.Array, "an array", "[1]"}, {wire.Object, "an object", `{"a":1}`},
}

var jsonKinds = map[hal.Kind]wire.Kind{
	hal.Int: wire.Integer, hal.Bool: wire.Bool, hal.Text: wire.String, hal.Enum: wire.String, hal.Blob: wire.String, hal.FileIndex: wire.Integer,
	hal.Texts: wire.Array, hal.Ints: wire.Array, hal.List: wire.Array, hal.IntMap: wire.Object, hal.Raw: wire.Object,
}

// wrongs lists what a field has to refuse.
func wrongs(d hal.Field) []wrong {
	var all []wrong
	for _, t := range jsonTypes {
		if t.kind != jsonKinds[d.Kind] {
			all = append(all, wrong{t.what, t.text, ""})
		}
	}
	if !d.Optional {
		all = append(all, wrong{"null", "null", ""})
	}
	switch d.Kind {
	case hal.Int:
		all = append(all, wrongInts(d)...)
	case hal.Text:
		all = append(all, wrongTexts(d)...)
	case hal.Enum:
		all = append(all, wrong{"empty", `""`, ""}, wrong{"another word", `"no_such_word"`, ""}, wrong{"another case", quoted(strings.ToUpper(d.Values[0])), ""})
	case hal.Blob:
		all = append(all, wrong{"no base64", `"A"`, ""}, wrong{"no padding", `"AA"`, ""})
		if d.Max < longest/2 {
			all = append(all, wrong{"too long", quoted(base64.StdEncoding.EncodeToString(make([]byte, d.Max+1))), ""})
		}
	case hal.Texts, hal.Ints, hal.List:
		all = append(all, wrongArrays(d)...)
	case hal.IntMap:
		all = append(all, wrongMaps(d)...)
	case hal.Raw:
		all = append(all, wrong{"a duplicate key inside", `{"a":[{"b":1,"b":1}]}`, ""})
	}
	return all
}

func wrongInts(d hal.Field) []wrong {
	all := []wrong{{"2^63", "9223372036854775808", ""}, {"-2^63-1", "-9223372036854775809", ""}, {"2^64", "18446744073709551616", ""}, {"400 digits", strings.Repeat("9", 400), ""},
		{"1e3", "1e3", ""}, {"-0.0", "-0.0", ""}, {"beyond all numbers", "1e999", ""}, {"next to nothing", "1e-999", ""}}
	if d.Min > math.MinInt64 {
		all = append(all, wrong{"min-1", below(d.Min), ""})
	}
	if d.Max < math.MaxInt64 {
		all = append(all, wrong{"max+1", strconv.FormatInt(d.Max+1, 10), ""})
	}
	return all
}

func below(n int64) string { return new(big.Int).Sub(big.NewInt(n), big.NewInt(1)).String() }

func wrongTexts(d hal.Field) []wrong {
	all := []wrong{{"a control character", `"a\u0000"`, ""}}
	if d.Min > 0 {
		all = append(all, wrong{"empty", `""`, ""})
	}
	if d.Max < longest {
		all = append(all, wrong{"too long", quoted(strings.Repeat("a", int(d.Max)+1)), ""})
	}
	return all
}

func wrongArrays(d hal.Field) []wrong {
	all := []wrong{{"null inside", "[null]", "[0]"}, {"a boolean inside", "[true]", "[0]"}}
	if d.Min > 0 {
		all = append(all, wrong{"empty", "[]", ""})
	}
	if d.Min > 1 {
		all = append(all, wrong{"too few", array(d, d.Min-1), ""})
	}
	if d.Max < longest/int64(len(array(d, 1))+4) {
		all = append(all, wrong{"too many", array(d, d.Max+1), ""})
	}
	return all
}

func wrongMaps(d hal.Field) []wrong {
	all := []wrong{{"null inside", `{"a":null}`, ".a"}, {"a string inside", `{"a":"1"}`, ".a"}, {"2^63 inside", `{"a":9223372036854775808}`, ".a"},
		{"a duplicate key inside", `{"a":1,"\u0061":1}`, ".a"}}
	if d.Min > 0 {
		all = append(all, wrong{"empty", "{}", ""})
	}
	if d.Max < longest/16 {
		all = append(all, wrong{"too many", intMap(d, d.Max+1), ""})
	}
	if d.Each != nil {
		all = append(all, wrong{"min-1 inside", `{"a":` + below(d.Each.Min) + `}`, ".a"}, wrong{"max+1 inside", `{"a":` + strconv.FormatInt(d.Each.Max+1, 10) + `}`, ".a"})
	}
	return all
}

// rights lists what a field has to take.
func rights(d hal.Field) []wrong {
	all := []wrong{{"what it declares", valid(d), ""}}
	switch {
	case d.Kind == hal.Int:
		all = append(all, wrong{"max", strconv.FormatInt(d.Max, 10), ""})
	case d.Kind == hal.Enum:
		all = append(all, wrong{"the last word", quoted(d.Values[len(d.Values)-1]), ""})
	}
	if d.Optional {
		all = append(all, wrong{"null", "null", ""})
	}
	return all
}

// malformed tries everything that a method has to refuse, and what it has to take.
func malformed(f *findings) {
	f.with(func(b *bench) {
		id := "a"
		if b.class.Devices != nil && b.class.Devices.Len() > 0 {
			id = b.class.Devices.At(0).ID()
		}
		for _, m := range b.class.Methods {
			d := &decoding{f, b, m}
			(&tries{m, d.refuses, d.takes}).all(id)
		}
	})
}

// Malformed calls refuse with parameters that a method has to refuse, of every kind that its declaration suggests, with what is wrong with them and the path that InvalidParameter has to name; id is
// that of a device. It is for those who send them to a whole service.
func Malformed(m *hal.Method, id string, refuse func(what, parameters, path string)) {
	(&tries{m, refuse, func(string, string) {}}).all(id)
}

// decoding decodes what is tried.
type decoding struct {
	*findings
	*bench
	method *hal.Method
}

// decode decodes parameters and watches the kernel meanwhile.
func (t *decoding) decode(what, parameters string) error {
	t.recorder.Reset()
	var call *hal.Call
	err := try(func() (err error) {
		call, err = t.method.Decode(wire.Value(parameters))
		return err
	})
	if calls := t.recorder.Calls(); len(calls) > 0 {
		t.add("%s, %s: the kernel was asked before the gate: %s", t.method.Name, what, calls[0].String())
	}
	if err == nil {
		call.Release()
	}
	return err
}

func (t *decoding) refuses(what, parameters, path string) {
	err := t.decode(what, parameters)
	var invalid *hal.InvalidParameter
	switch {
	case isPanic(err):
		t.add("%s, %s: %v", t.method.Name, what, err)
	case !errors.As(err, &invalid):
		t.add("%s, %s: it is not refused as InvalidParameter (%v): %.200s", t.method.Name, what, err, parameters)
	case invalid.Parameter != path:
		t.add("%s, %s: the path is %q, want %q: %.200s", t.method.Name, what, invalid.Parameter, path, parameters)
	}
}

func (t *decoding) takes(what, parameters string) {
	if err := t.decode(what, parameters); err != nil {
		t.add("%s, %s: it is refused: %v: %.200s", t.method.Name, what, err, parameters)
	}
}

// tries makes up malformed parameters of one method.
type tries struct {
	method  *hal.Method
	refuses func(what, parameters, path string)
	takes   func(what, parameters string)
}

// all makes up those of every kind.
func (t *tries) all(id string) {
	members := validMembers(t.method, id)
	t.level(t.method.In, members, "", object)
	t.devices(members, id)
	t.envelope()
}

// level tries the fields of one message, which whole makes into the parameters of the call, and the messages inside.
func (t *tries) level(fields []hal.Field, members []member, path string, whole func([]member) string) {
	for i, d := range fields {
		t.field(d, i, members, path+d.Name, whole)
	}
	extra := append(members[:len(members):len(members)], member{"noSuchParameter", "1"})
	t.refuses(path+"noSuchParameter", whole(extra), path+"noSuchParameter")
}

func (t *tries) field(d hal.Field, i int, members []member, path string, whole func([]member) string) {
	with := func(text string) string { return whole(replaced(members, i, text)) }
	isDevice := path == t.method.Device
	for _, w := range wrongs(d) {
		t.refuses(path+": "+w.what, with(w.text), path+w.more)
	}
	for _, r := range rights(d) {
		if !isDevice {
			t.takes(path+": "+r.what, with(r.text))
		}
	}
	t.refuses(path+": given twice", whole(append(members[:len(members):len(members)], members[i])), path)
	missing := whole(append(members[:i:i], members[i+1:]...))
	if d.Optional {
		t.takes(path+": missing", missing)
	} else {
		t.refuses(path+": missing", missing, path)
	}
	if d.Kind == hal.List {
		inside := func(inner []member) string { return with(beginning(d, object(inner))) }
		t.level(d.Fields, validFields(d.Fields), path+"[0].", inside)
	}
}

func replaced(members []member, i int, text string) []member {
	all := append([]member(nil), members...)
	all[i].text = text
	return all
}

// devices tries names that no device can have.
func (t *tries) devices(members []member, id string) {
	m := t.method
	if m.Device == "" {
		return
	}
	named := m.In[0]
	for _, bad := range []string{"", "*", id + "*", id + " ", "a b", `a"b`, "gr\u00fcn", strings.Repeat("a", hal.MaxID+1)} {
		text, path := naming(named, quoted(bad)), m.Device
		if named.Kind == hal.Texts {
			path += "[0]"
		}
		t.refuses(fmt.Sprintf("%s: the name %.20q", m.Device, bad), object(replaced(members, 0, text)), path)
	}
	if again := map[hal.Kind]string{hal.Texts: "[1]", hal.IntMap: "." + id}[named.Kind]; again != "" {
		twice := naming(named, quoted(id), quoted(id))
		t.refuses(m.Device+": one device twice", object(replaced(members, 0, twice)), m.Device+again)
	}
}

// envelope tries parameters that are no object.
func (t *tries) envelope() {
	for _, text := range []string{"[]", `"a"`, "1", "true"} {
		t.refuses("parameters that are "+text, text, "parameters")
	}
}

// Valid is parameters that a method takes, as a rule the least ones; id is that of a device.
func Valid(m *hal.Method, id string) string { return object(validMembers(m, id)) }
