package hal

import (
	"fmt"
	"math"
	"strings"
)

// InterfaceText prints a varlink interface from its declarations: methods with their verbs, then the errors.
func InterfaceText(name, doc string, methods []*Method, refusals []Refusal) string {
	var p printer
	p.comment("", doc)
	p.line("interface ", name)
	for _, m := range methods {
		p.line()
		p.comment("", m.summary())
		p.line("method ", m.Name, p.fields(m.In, ""), " -> ", p.fields(m.Out, ""))
	}
	for _, r := range refusals {
		p.line()
		short := r.ErrorName()[strings.LastIndexByte(r.ErrorName(), '.')+1:]
		p.line("error ", short, " ", p.fields(Describe(r), ""))
	}
	return p.String()
}

// summary is the method's documentation with what a caller has to know beside its fields.
func (m *Method) summary() string {
	doc := m.Doc + "\nVerb: " + m.Verb.String() + "."
	switch {
	case m.Watches && m.Device == "":
		doc += " With more: an event at once, then the changes; without, that first event alone."
	case m.Watches:
		doc += " With more: the current state of each device first, then changes; without, the current state once."
	}
	return doc
}

type printer struct{ strings.Builder }

func (p *printer) line(parts ...string) {
	for _, s := range parts {
		p.WriteString(s)
	}
	p.WriteByte('\n')
}

func (p *printer) comment(indent, text string) {
	if text == "" {
		return
	}
	for l := range strings.SplitSeq(text, "\n") {
		p.line(indent, "# ", l)
	}
}

// fields prints a struct type, one field a line with its documentation above.
func (p *printer) fields(fields []Field, indent string) string {
	if len(fields) == 0 {
		return "()"
	}
	var b printer
	b.line("(")
	for i, f := range fields {
		b.comment(indent+"\t", f.comment())
		comma := ","
		if i == len(fields)-1 {
			comma = ""
		}
		b.line(indent, "\t", f.Name, ": ", p.varlinkType(f, indent+"\t"), comma)
	}
	b.WriteString(indent + ")")
	return b.String()
}

// Explain is the field's documentation with its unit, its range and its words.
func (f *Field) Explain() string {
	doc := f.comment()
	if len(f.Values) > 0 {
		doc += " One of " + strings.Join(f.Values, ", ") + "."
	}
	if !f.Optional {
		doc = "Required. " + doc
	}
	return doc
}

func (f *Field) comment() string {
	doc := f.Doc
	if f.Unit != Unitless {
		doc += " Unit: " + string(f.Unit) + "."
	}
	return doc + f.limits()
}

// limits puts the declared range into words.
func (f *Field) limits() string {
	switch f.Kind {
	case Int:
		return intLimits(f.Min, f.Max)
	case IntMap:
		if f.Each != nil {
			return intLimits(f.Each.Min, f.Each.Max)
		}
	case Blob:
		return " Base64."
	case FileIndex:
		return " The index of a descriptor that comes with the reply."
	}
	return ""
}

func (p *printer) varlinkType(f Field, indent string) string {
	t := ""
	switch f.Kind {
	case Int, FileIndex:
		t = "int"
	case Bool:
		t = "bool"
	case Text, Blob:
		t = "string"
	case Enum:
		t = "(" + strings.Join(f.Values, ", ") + ")"
	case Texts:
		t = "[]string"
	case Ints:
		t = "[]int"
	case IntMap:
		t = "[string]int"
	case Raw:
		t = "object"
	case List:
		t = "[]" + p.fields(f.Fields, indent)
	case Struct:
		t = p.fields(f.Fields, indent)
	}
	if f.Optional {
		return "?" + t
	}
	return t
}

// intLimits puts the range of an integer into words, where it has one.
func intLimits(min, max int64) string {
	switch {
	case min == math.MinInt64 && max == math.MaxInt64:
		return ""
	case max == math.MaxInt64:
		return fmt.Sprintf(" At least %d.", min)
	case min == math.MinInt64:
		return fmt.Sprintf(" At most %d.", max)
	}
	return fmt.Sprintf(" From %d to %d.", min, max)
}
