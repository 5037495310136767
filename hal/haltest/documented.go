package haltest

import (
	"regexp"
	"strings"

	"github.com/halberd-io/halberd/hal"
)

var (
	pascalCase = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`)
	camelCase  = regexp.MustCompile(`^[a-z][A-Za-z0-9]*$`)
	kebabCase  = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	snakeCase  = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
)

// suffixes are what the name of an integer ends in where it has a unit, longer ones first.
var suffixes = []struct {
	name string
	unit hal.Unit
}{
	{"NSec", hal.Nanoseconds}, {"USec", hal.Microseconds}, {"MSec", hal.Milliseconds}, {"Sec", hal.Seconds},
	{"MicroAh", hal.MicroAmpereHours}, {"MicroWh", hal.MicroWattHours}, {"MicroV", hal.MicroVolts}, {"MicroA", hal.MicroAmperes}, {"MicroW", hal.MicroWatts},
	{"MilliC", hal.MilliCelsius}, {"Percent", hal.Percent}, {"KHz", hal.KiloHertz}, {"Hz", hal.Hertz},
}

// unnamed are the units that no name has to end in: a count of bytes is a length, and the last is that of another parameter.
var unnamed = map[hal.Unit]bool{hal.Unitless: true, hal.Bytes: true, hal.AsParameter: true}

// documented looks at the declarations alone.
func documented(f *findings) {
	f.with(func(b *bench) {
		c := b.class
		if c.Name != b.harness.Driver.Class {
			f.add("the class is named %q, and its driver says %q", c.Name, b.harness.Driver.Class)
		}
		f.named("class", c.Name, pascalCase)
		f.doc("class "+c.Name, c.Doc)
		seen := map[string]bool{}
		for _, m := range c.Methods {
			if seen[m.Name] {
				f.add("method %s is there twice", m.Name)
			}
			seen[m.Name] = true
			f.method(m)
		}
		for _, t := range b.harness.Driver.Tables {
			f.named("table", t.Name, kebabCase)
			f.doc("table "+t.Name, t.Doc)
			f.fields("table "+t.Name, t.Fields, kebabCase)
		}
	})
}

func (f *findings) method(m *hal.Method) {
	f.named("method", m.Name, pascalCase)
	f.doc("method "+m.Name, m.Doc)
	if int(m.Verb) >= len(hal.Verbs) {
		f.add("method %s has no verb", m.Name)
	}
	if m.Device != "" && (len(m.In) == 0 || m.In[0].Name != m.Device) {
		f.add("method %s does not have its device %s as its first parameter", m.Name, m.Device)
	}
	f.fields(m.Name+", parameter", m.In, camelCase)
	f.fields(m.Name+", result", m.Out, camelCase)
}

// fields looks at the fields of one message and at those inside.
func (f *findings) fields(where string, fields []hal.Field, pattern *regexp.Regexp) {
	seen := map[string]bool{}
	for _, d := range fields {
		at := where + " " + d.Name
		if seen[d.Name] {
			f.add("%s: the name is there twice", at)
		}
		seen[d.Name] = true
		f.named(where, d.Name, pattern)
		f.doc(at, d.Doc)
		f.unit(at, d)
		f.limits(at, d)
		f.fields(at+",", d.Fields, pattern)
	}
}

func (f *findings) named(what, name string, pattern *regexp.Regexp) {
	if !pattern.MatchString(name) {
		f.add("%s %q: the name is not %s", what, name, pattern)
	}
}

func (f *findings) doc(what, doc string) {
	if strings.TrimSpace(doc) == "" {
		f.add("%s has no documentation", what)
	}
}

// unit compares the unit of a number with the end of its name.
func (f *findings) unit(at string, d hal.Field) {
	switch d.Kind {
	case hal.Int, hal.Ints, hal.IntMap:
	default:
		return
	}
	has := hal.Unitless
	for _, s := range suffixes {
		if endsIn(d.Name, s.name) {
			has = s.unit
			break
		}
	}
	switch {
	case has != hal.Unitless && has != d.Unit:
		f.add("%s: the name says %s, and the unit declared is %q", at, has, d.Unit)
	case has == hal.Unitless && !unnamed[d.Unit]:
		f.add("%s: the name does not say that the unit is %s", at, d.Unit)
	}
}

// endsIn understands periodNSec, uSec and, in board.toml, dead-time-msec.
func endsIn(name, suffix string) bool {
	small := strings.ToLower(suffix)
	return strings.HasSuffix(name, suffix) || name == strings.ToLower(suffix[:1])+suffix[1:] || name == small || strings.HasSuffix(name, "-"+small)
}

// limits finds limits that nothing can keep to, and enumerations without words.
func (f *findings) limits(at string, d hal.Field) {
	if d.Min > d.Max {
		f.add("%s: the least is %d and the greatest %d", at, d.Min, d.Max)
	}
	if d.Kind == hal.Enum && len(d.Values) == 0 {
		f.add("%s: there is no value to choose", at)
	}
	for _, v := range d.Values {
		f.named(at+", value", v, snakeCase)
	}
}
