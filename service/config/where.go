package config

import (
	"sort"
	"strconv"
	"strings"

	"github.com/halberd-io/halberd/hal"
)

// Limit is what a grant's where says about one parameter. Everything that is given has to hold.
type Limit struct {
	Parameter string // its path, as messages.address
	Min, Max  hal.Opt[int64]
	In        []hal.Scalar // nil where not given
}

// Within reports whether one value of the parameter is within the limit.
func (l *Limit) Within(v hal.Scalar) bool {
	if l.Min.Set && (v.Kind != hal.Int || v.Int < l.Min.Value) || l.Max.Set && (v.Kind != hal.Int || v.Int > l.Max.Value) {
		return false
	}
	for i := range l.In {
		if l.In[i] == v {
			return true
		}
	}
	return l.In == nil
}

// String puts the limit into words: brightness at most 128.
func (l *Limit) String() string { return l.Parameter + " " + l.Words() }

// maxWords is how many allowed values are listed before the rest is left out.
const maxWords = 8

// Words puts the limit into words without its parameter: at most 128.
func (l *Limit) Words() string {
	var parts []string
	switch {
	case l.Min.Set && l.Max.Set && l.Min.Value == l.Max.Value:
		parts = append(parts, Quoted(hal.Scalar{Kind: hal.Int, Int: l.Min.Value}))
	case l.Min.Set && l.Max.Set:
		parts = append(parts, strconv.FormatInt(l.Min.Value, 10)+" to "+strconv.FormatInt(l.Max.Value, 10))
	case l.Min.Set:
		parts = append(parts, "at least "+strconv.FormatInt(l.Min.Value, 10))
	case l.Max.Set:
		parts = append(parts, "at most "+strconv.FormatInt(l.Max.Value, 10))
	}
	if l.In != nil {
		parts = append(parts, l.oneOf())
	}
	return strings.Join(parts, " and ")
}

func (l *Limit) oneOf() string {
	var words []string
	for i, v := range l.In {
		if i == maxWords {
			words = append(words, "…")
			break
		}
		words = append(words, Quoted(v))
	}
	if len(words) == 1 {
		return words[0]
	}
	return "one of " + strings.Join(words, ", ")
}

// maxQuoted is how many bytes of a text are quoted in a message.
const maxQuoted = 64

// Quoted writes a value for a message, a long text cut.
func Quoted(v hal.Scalar) string {
	switch {
	case v.Kind == hal.Int:
		return strconv.FormatInt(v.Int, 10)
	case v.Kind == hal.Bool:
		return strconv.FormatBool(v.Bool)
	case len(v.Text) > maxQuoted:
		return strconv.QuoteToASCII(v.Text[:maxQuoted]) + "…"
	}
	return strconv.QuoteToASCII(v.Text)
}

// Declared is a parameter that a method declares.
type Declared struct {
	Field hal.Field
	// Anchor is the path of a field beside it that every element of the list has, where it stands in a list and may be left out of an element: how many of those were shown
	// is how many elements there are.
	Anchor string
	InList bool
}

// Find looks for a parameter of a method by its path.
func Find(m *hal.Method, path string) (Declared, bool) {
	fields, prefix, inList := m.In, "", false
	for {
		name, rest, deeper := strings.Cut(path, ".")
		f := field(fields, name)
		if f != nil && f.Kind == hal.Blob && "."+rest == hal.BlobLength {
			f, deeper = &hal.Field{Name: rest, Kind: hal.Int, Optional: f.Optional, Unit: hal.Bytes, Max: f.Max}, false
		}
		switch {
		case f == nil:
			return Declared{}, false
		case !deeper:
			d := Declared{Field: *f, InList: inList}
			if inList && f.Optional {
				d.Anchor = anchor(fields, prefix)
			}
			return d, true
		case f.Kind != hal.List && f.Kind != hal.Struct:
			return Declared{}, false
		}
		fields, prefix, path, inList = f.Fields, prefix+name+".", rest, inList || f.Kind == hal.List
	}
}

func field(fields []hal.Field, name string) *hal.Field {
	for i := range fields {
		if fields[i].Name == name {
			return &fields[i]
		}
	}
	return nil
}

// anchor finds a field that is shown exactly once for each element.
func anchor(fields []hal.Field, prefix string) string {
	for _, f := range fields {
		switch {
		case f.Optional:
		case isScalar(f.Kind):
			return prefix + f.Name
		case f.Kind == hal.Blob:
			return prefix + f.Name + hal.BlobLength
		}
	}
	return ""
}

func isScalar(k hal.Kind) bool {
	return k == hal.Int || k == hal.Bool || k == hal.Text || k == hal.Enum
}

// fits reports whether a method declares the parameter with a type that can be within the limit.
func (l *Limit) fits(m *hal.Method) bool {
	d, ok := Find(m, l.Parameter)
	return ok && l.misfit(&d) == ""
}

// misfit says why a parameter cannot be limited in this way.
func (l *Limit) misfit(d *Declared) string {
	kind, what := shown(d.Field.Kind)
	switch {
	case what != "":
		return "cannot be limited: it is " + what
	case d.InList && d.Field.Optional && (d.Anchor == "" || !isScalar(d.Field.Kind)):
		return "cannot be limited: it may be left out of some elements"
	case (l.Min.Set || l.Max.Set) && kind != hal.Int:
		return "cannot have min or max: it is no integer"
	}
	for _, v := range l.In {
		if v.Kind != kind {
			return "cannot be " + Quoted(v) + ": it is " + kindWord(kind)
		}
		if d.Field.Kind == hal.Enum && !contains(d.Field.Values, v.Text) {
			return "cannot be " + Quoted(v) + ": it is one of " + strings.Join(d.Field.Values, ", ")
		}
	}
	return ""
}

// shown is the kind of the values that an Examiner sees of a field, or what the field is where it sees none.
func shown(k hal.Kind) (kind hal.Kind, what string) {
	switch k {
	case hal.Int, hal.Ints, hal.IntMap:
		return hal.Int, ""
	case hal.Bool:
		return hal.Bool, ""
	case hal.Text, hal.Enum, hal.Texts:
		return hal.Text, ""
	case hal.Blob:
		return 0, "bytes, so name their " + hal.BlobLength[1:]
	case hal.Raw:
		return 0, "an object of any kind"
	}
	return 0, "a list of messages, so name one of their fields"
}

func kindWord(k hal.Kind) string {
	return map[hal.Kind]string{hal.Int: "an integer", hal.Bool: "a boolean", hal.Text: "a string"}[k]
}

// where reads limits: { brightness = { max = 128 } }, and { messages = { address = { in = [80] } } } or "messages.address" for nested ones.
func (l *loader) where(t *table, g *Grant) []Limit {
	inner := t.inner("where")
	if inner == nil {
		return nil
	}
	if len(inner.values) == 0 {
		t.fail("where", "where must not be empty")
	}
	all := limits(inner, "")
	sort.Slice(all, func(i, j int) bool { return all[i].limit.Parameter < all[j].limit.Parameter })
	var out []Limit
	for i, a := range all {
		if i > 0 && a.limit.Parameter == all[i-1].limit.Parameter {
			t.doc.fail(a.path, "%s is limited twice", a.limit.Parameter)
		}
		l.declared(t.doc, a, g)
		out = append(out, a.limit)
	}
	return out
}

// placed is a limit and where it stands.
type placed struct {
	limit Limit
	path  string
}

// limits reads the limits in a table. A table that contains tables names a parameter with fields.
func limits(t *table, prefix string) []placed {
	var all []placed
	for key := range t.values {
		inner := t.inner(key)
		switch {
		case inner == nil:
		case inner.nests():
			all = append(all, limits(inner, prefix+key+".")...)
		default:
			all = append(all, placed{inner.limit(prefix + key), inner.path})
		}
	}
	return all
}

func (t *table) nests() bool {
	for _, v := range t.values {
		if _, ok := v.(map[string]any); ok {
			return true
		}
	}
	return false
}

// limit reads min, max and in.
func (t *table) limit(parameter string) Limit {
	l := Limit{Parameter: parameter, Min: t.bound("min"), Max: t.bound("max")}
	list, given := t.array("in")
	for _, e := range list {
		v, ok := scalar(e.value)
		if !ok {
			t.doc.fail(e.path, "in must be integers, strings or booleans, not %s", kindOf(e.value))
		}
		l.In = append(l.In, v)
	}
	switch {
	case !given && !t.has("min") && !t.has("max"):
		t.doc.fail(t.path, "%s has no limit: give min, max or in", parameter)
	case l.Min.Set && l.Max.Set && l.Min.Value > l.Max.Value:
		t.doc.fail(t.path, "%s has a min of %d, which is more than its max of %d", parameter, l.Min.Value, l.Max.Value)
	}
	t.finish()
	return l
}

func (t *table) bound(key string) hal.Opt[int64] {
	n, ok := t.integer(key, -1<<63, 1<<63-1)
	return hal.Opt[int64]{Value: n, Set: ok}
}

func scalar(v any) (hal.Scalar, bool) {
	switch v := v.(type) {
	case int64:
		return hal.Scalar{Kind: hal.Int, Int: v}, true
	case bool:
		return hal.Scalar{Kind: hal.Bool, Bool: v}, true
	case string:
		return hal.Scalar{Kind: hal.Text, Text: v}, true
	}
	return hal.Scalar{}, false
}

// declared makes sure that one of the grant's methods at least has the parameter, with a type that the limit fits.
func (l *loader) declared(d *document, p placed, g *Grant) {
	var names []string
	misfit, fits := "", false
	g.Each(l.catalog, func(m *hal.Method) bool {
		if !g.HasVerb(m) {
			return true
		}
		for i := range m.In {
			names = append(names, m.In[i].Name)
		}
		if found, ok := Find(m, p.limit.Parameter); ok {
			misfit = p.limit.misfit(&found)
			fits = misfit == ""
		}
		return !fits
	})
	switch {
	case fits:
	case misfit != "":
		d.fail(p.path, "parameter %s %s", p.limit.Parameter, misfit)
	default:
		d.fail(p.path, "unknown parameter %q: none of the grant's methods has it%s", p.limit.Parameter, meant(p.limit.Parameter, names))
	}
}
