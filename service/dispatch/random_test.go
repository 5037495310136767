package dispatch_test

import (
	"encoding/base64"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// member is one of an object, as it is written.
type member struct{ key, value string }

func pick[T any](r *rand.Rand, all []T) T { return all[r.IntN(len(all))] }

// randomCall writes a call, in about half of all cases with something about it that is wrong, or only unusual.
func randomCall(r *rand.Rand) []byte {
	w := writer{r, 0}
	if r.IntN(2) == 0 {
		w.odd = 10 + r.IntN(60)
	}
	envelope := []member{{"method", w.text("io.halberd.Led.Set")}, {"parameters", w.object(w.parameters())}}
	for _, key := range []string{"oneway", "more", "upgrade"} {
		if r.IntN(12) == 0 {
			envelope = append(envelope, member{key, pick(r, []string{"true", "false", "null"})})
		}
	}
	text := []byte(w.space() + w.object(envelope) + w.space())
	if r.IntN(16) == 0 {
		text = w.spoil(text)
	}
	return text
}

// writer writes a call; the smaller odd is, unless it is 0, the more of it is unusual.
type writer struct {
	*rand.Rand
	odd int
}

func (w *writer) rarely() bool { return w.odd > 0 && w.IntN(w.odd) == 0 }

func (w *writer) space() string {
	switch {
	case w.odd > 0 && w.IntN(2000) == 0:
		return pick(w.Rand, []string{"\v", "\u00a0", "\ufeff", "//\n"}) // no white space of JSON's
	case w.IntN(16) == 0:
		return pick(w.Rand, []string{" ", "\n", "\t\r "})
	}
	return ""
}

func (w *writer) parameters() []member {
	all := []member{{"led", w.text("front")}, {"brightness", w.number()}, {"tags", w.list(func() string { return w.text("tag") })}, {"messages", w.list(w.message)}}
	optional := []member{
		{"rampMSec", w.number()}, {"mode", w.text(pick(w.Rand, modes))}, {"steady", pick(w.Rand, []string{"true", "false"})}, {"codes", w.list(w.number)},
		{"values", w.object([]member{{"a", w.number()}, {"b", w.number()}, {"c", w.number()}}[:w.IntN(4)])}, {"data", w.blob()}, {"extra", w.any(w.IntN(4))},
	}
	for _, m := range optional {
		if w.IntN(2) == 0 {
			all = append(all, m)
		}
	}
	return all
}

func (w *writer) message() string {
	all := []member{{"address", w.number()}}
	if w.IntN(2) == 0 {
		all = append(all, member{"write", w.blob()})
	}
	return w.object(all)
}

// Values that are unusual for their kind, or wrong.
var (
	strangeNumbers = []string{"null", "1.0", "1e2", "-0", "-1", "01", "+1", "0x1", "NaN", "255", "256", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "18446744073709551617"}
	strangeTexts   = []string{
		"null", `""`, `"1"`, `"\ud800"`, `"\ud83d\ude00"`, `"\ude00\ud83d"`, `"\ufffd"`, "\"\ufffd\"", "\"\xff\"", "\"\xed\xa0\xbd\"", `"\u0000"`, `"\u0085"`, `"a\tb"`, "\"a\tb\"", "\"\x7f\"",
		`"\/\b\f\n\r"`, `"\u00e9é"`, `"\x"`, `'a'`, `"` + strings.Repeat("x", 4096) + `"`, `"` + strings.Repeat("x", 4097) + `"`,
	}
	strangeBytes = []string{"null", `"/x=="`, `"AA\nEC"`, `"AAEC\r\n"`, `"_-=="`, `"AA"`, `"AA=="`, `"AA=\u003d"`, `"AAAAAAAAAAAAAAAA"`, "[65]"}
	strangeInner = []string{
		"null", "[]", "{}", "[null]", "[1,1,1,1]", `["a",null]`, `["a","b","c","d"]`, `{"a":null}`, `{"a":1,"b":1,"c":1,"d":1}`, `{"a":1,"a":1}`, `{"a":1,"\u0061":1}`, `{"\u0007":1}`, "{\"a\":1,}", "[1,]", "[1 1]", "",
		strings.Repeat("[", 30) + strings.Repeat("]", 30), strings.Repeat("[", 31) + strings.Repeat("]", 31), strings.Repeat(`{"a":`, 30) + "1" + strings.Repeat("}", 30),
		strings.Repeat(`{"a":`, 31) + "1" + strings.Repeat("}", 31), strings.Repeat(`{"a":`, 35) + "1" + strings.Repeat("}", 35),
	}
	strange = slices.Concat(strangeNumbers, strangeTexts, strangeBytes, strangeInner, []string{"true"})
)

// strange picks one of a kind, sometimes of any.
func (w *writer) strange(kind []string) string {
	if w.IntN(6) == 0 {
		kind = strange
	}
	return pick(w.Rand, kind)
}

func (w *writer) text(usual string) string {
	switch {
	case w.rarely():
		return w.strange(strangeTexts)
	case w.IntN(20) == 0: // escapes a character that need not be
		i := w.IntN(len(usual))
		return `"` + usual[:i] + `\u00` + strconv.FormatInt(int64(usual[i]), 16) + usual[i+1:] + `"`
	}
	return strconv.Quote(usual)
}

func (w *writer) number() string {
	if w.rarely() {
		return w.strange(strangeNumbers)
	}
	return strconv.Itoa(w.IntN(256))
}

func (w *writer) blob() string {
	if w.rarely() {
		return w.strange(strangeBytes)
	}
	return `"` + base64.StdEncoding.EncodeToString(make([]byte, w.IntN(maxData+1))) + `"`
}

func (w *writer) list(one func() string) string {
	if w.rarely() {
		return w.strange(strangeInner)
	}
	var all []string
	for range w.IntN(maxElements + 1) {
		all = append(all, w.space()+one())
	}
	return "[" + w.space() + strings.Join(all, ",") + "]"
}

// any is an object of any kind, so deep.
func (w *writer) any(depth int) string {
	if w.rarely() {
		return w.strange(strangeInner)
	}
	if depth == 0 {
		return w.object([]member{{"x", "1.5e3"}, {"y", `"\u0001"`}})
	}
	return w.object([]member{{"x", w.any(depth - 1)}, {"y", "[" + w.any(depth-1) + ",null]"}})
}

func (w *writer) object(all []member) string {
	if w.rarely() {
		all = w.disturb(all)
	}
	w.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	var out []string
	for _, m := range all {
		out = append(out, w.space()+`"`+m.key+`"`+w.space()+":"+w.space()+m.value+w.space())
	}
	return "{" + strings.Join(out, ",") + "}"
}

// disturb changes something about the members of an object.
func (w *writer) disturb(all []member) []member {
	if len(all) == 0 {
		return []member{{"new", "1"}}
	}
	all = slices.Clone(all)
	i := w.IntN(len(all))
	key := all[i].key
	switch w.IntN(8) {
	case 0:
		return slices.Delete(all, i, i+1)
	case 1:
		return append(all, member{key, pick(w.Rand, append(strange, all[i].value))})
	case 2:
		return append(all, member{escaped(key), all[i].value})
	case 3:
		all[i].key = strings.ToUpper(key)
	case 4:
		all[i].key = strings.NewReplacer("s", "\u017f", "k", "\u212a", "e", "E").Replace(key) // two letters that fold to s and k
	case 5:
		all[i].key = escaped(key)
	case 6:
		all[i].value = pick(w.Rand, strange)
	case 7:
		return append(all, member{pick(w.Rand, []string{"new", "", key + "x", `\u0000`, `\ud800`, "\xff", "a.b"}), "1"})
	}
	return all
}

// escaped writes the first character as an escape.
func escaped(key string) string {
	if key == "" {
		return `\u0061`
	}
	return `\u00` + strconv.FormatInt(int64(key[0]), 16) + key[1:]
}

// spoil changes a few bytes of a text.
func (w *writer) spoil(text []byte) []byte {
	for range 1 + w.IntN(2) {
		i := w.IntN(len(text))
		switch w.IntN(4) {
		case 0:
			text = slices.Delete(text, i, i+1)
		case 1:
			text = slices.Insert(text, i, pick(w.Rand, []byte("{}[]\",:\\01-.eE \x00\xff\xed")))
		case 2:
			text[i] ^= 1 << w.IntN(8)
		case 3:
			text = text[:i+1]
		}
	}
	return text
}
