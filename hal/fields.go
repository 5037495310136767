package hal

import (
	"fmt"
	"math"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/halberd-io/halberd/hal/wire"
)

type mode uint8

const (
	describing mode = iota
	decoding
	encoding
	examining
)

// maxMembers is how many members an object may have, and so how many fields a message.
const maxMembers = 32

// maxText is the longest Text, in bytes, where a message declares nothing else.
const maxText = 4096

// Fields visits the fields of a message. A message names each field once, in its Fields method, and that one naming serves
// four readers: description, strict decoding, encoding, and the examination of decoded values by a grant's limits.
//
// A message must name the same fields in the same order whatever their values are.
type Fields struct {
	mode mode

	declared []Field // describing

	members []wire.Member // decoding
	used    uint32
	err     *InvalidParameter
	array   [maxMembers]wire.Member

	out   []byte // encoding
	files []int  // that ride the reply

	examiner Examiner // examining

	parent  *Fields // of a nested message
	name    string  // this message's name in its parent
	element int     // one more than the index of the array's element that is being decoded; 0 outside
}

// Describe gives the fields of a message.
func Describe(m Message) []Field {
	f := Fields{mode: describing}
	m.Fields(&f)
	return f.declared
}

// Decode reads an object into a message, whose fields must be zero. The error is an *InvalidParameter.
func Decode(object wire.Value, m Message) error {
	f := new(Fields)
	return f.decode(object, m)
}

// Encode appends a message as a JSON object.
func Encode(dst []byte, m Message) []byte {
	f := Fields{mode: encoding, out: append(dst, '{')}
	m.Fields(&f)
	return append(f.out, '}')
}

// Examine shows the values of a message, in the order of its fields.
func Examine(m Message, e Examiner) {
	f := Fields{mode: examining, examiner: e}
	m.Fields(&f)
}

// decode reads an object into m. It reuses f, so that a call that is decoded again and again allocates nothing.
func (f *Fields) decode(object wire.Value, m Message) error {
	f.open(object)
	m.Fields(f)
	return f.finish()
}

// open begins the decoding of an object.
func (f *Fields) open(object wire.Value) {
	f.mode, f.used, f.err = decoding, 0, nil
	if len(object) == 0 || object.Kind() == wire.Null {
		f.members = f.array[:0]
		return
	}
	members, err := wire.Members(f.array[:0], object)
	f.members = members
	switch e := err.(type) {
	case nil:
	case *wire.DuplicateError:
		f.fail(e.Key, "given twice")
	default:
		if err == wire.ErrTooMany {
			f.fail(string(members[len(members)-1].Key), "more members than there are parameters")
		} else {
			f.failHere("must be an object")
		}
	}
}

// finish refuses what no field asked for, and gives the first error.
func (f *Fields) finish() error {
	if f.err == nil && f.mode == decoding {
		for i := range f.members {
			if f.used&(1<<i) == 0 {
				f.fail(string(f.members[i].Key), "unknown")
				break
			}
		}
	}
	if f.err != nil {
		return f.err
	}
	return nil
}

// fail keeps the first error.
func (f *Fields) fail(name, what string) {
	if f.err == nil {
		f.err = &InvalidParameter{Parameter: f.path(name), What: what}
	}
}

func (f *Fields) failHere(what string) {
	if f.err == nil {
		f.err = &InvalidParameter{Parameter: f.here(), What: what}
	}
}

// here is the path of the message itself.
func (f *Fields) here() string {
	if f.parent == nil {
		return "parameters"
	}
	return f.parent.path(f.name)
}

// path is the path of a field, or of the element of it that is being decoded. It is made only where something is wrong.
func (f *Fields) path(name string) string {
	if f.parent != nil {
		name = f.here() + "." + name
	}
	if f.element > 0 {
		name += "[" + strconv.Itoa(f.element-1) + "]"
	}
	return name
}

// limitPath is the path of a field as grants name it: without indexes.
func (f *Fields) limitPath(name string) string {
	if f.parent == nil {
		return name
	}
	return f.parent.limitPath(f.name) + "." + name
}

// take finds the member of a field. Null is absent.
func (f *Fields) take(name string, optional bool) (wire.Value, bool) {
	if f.err != nil {
		return nil, false
	}
	for i := range f.members {
		if string(f.members[i].Key) != name {
			continue
		}
		f.used |= 1 << i
		if f.members[i].Value.Kind() == wire.Null {
			break
		}
		return f.members[i].Value, true
	}
	if !optional {
		f.fail(name, "missing")
	}
	return nil, false
}

func (f *Fields) key(name string) { f.out = wire.AppendKey(f.out, name) }

func (f *Fields) declare(d Field) { f.declared = append(f.declared, d) }

// Int is a required integer of 64 bits.
func (f *Fields) Int(name string, p *int64, unit Unit, doc string) {
	f.IntIn(name, p, math.MinInt64, math.MaxInt64, unit, doc)
}

// IntIn is a required integer from min to max.
func (f *Fields) IntIn(name string, p *int64, min, max int64, unit Unit, doc string) {
	switch f.mode {
	case describing:
		f.declare(Field{Name: name, Kind: Int, Unit: unit, Min: min, Max: max, Doc: doc})
	case decoding:
		if v, ok := f.take(name, false); ok {
			*p = f.integer(name, v, min, max)
		}
	case encoding:
		f.key(name)
		f.out = wire.AppendInt(f.out, *p)
	case examining:
		f.examiner.Examine(f.limitPath(name), Scalar{Kind: Int, Int: *p})
	}
}

// Span is a required integer from min to max that is the first of several which the call is about. A grant's limits see each of them; count is how many they are, once the message is decoded.
func (f *Fields) Span(name string, first *int64, count, min, max int64, unit Unit, doc string) {
	if f.mode != examining {
		f.IntIn(name, first, min, max, unit, doc)
		return
	}
	path := f.limitPath(name)
	f.examiner.Examine(path, Scalar{Kind: Int, Int: *first})
	for i := int64(1); i < count; i++ {
		f.examiner.Examine(path, Scalar{Kind: Int, Int: *first + i})
	}
}

// OptInt is an optional integer of 64 bits.
func (f *Fields) OptInt(name string, p *Opt[int64], unit Unit, doc string) {
	f.OptIntIn(name, p, math.MinInt64, math.MaxInt64, unit, doc)
}

// OptIntIn is an optional integer from min to max.
func (f *Fields) OptIntIn(name string, p *Opt[int64], min, max int64, unit Unit, doc string) {
	switch {
	case f.mode == describing:
		f.declare(Field{Name: name, Kind: Int, Optional: true, Unit: unit, Min: min, Max: max, Doc: doc})
	case f.mode == decoding:
		if v, ok := f.take(name, true); ok {
			*p = Some(f.integer(name, v, min, max))
		}
	case p.Set:
		f.IntIn(name, &p.Value, min, max, unit, doc)
	}
}

func (f *Fields) integer(name string, v wire.Value, min, max int64) int64 {
	n, err := v.Int()
	switch {
	case err == wire.ErrRange:
		f.fail(name, "must fit 64 bits")
	case err != nil:
		f.fail(name, "must be an integer, not "+v.Kind().String())
	case n < min || n > max:
		f.fail(name, fmt.Sprintf("must be from %d to %d", min, max))
	}
	return n
}

// Bool is a required truth value.
func (f *Fields) Bool(name string, p *bool, doc string) {
	switch f.mode {
	case describing:
		f.declare(Field{Name: name, Kind: Bool, Doc: doc})
	case decoding:
		if v, ok := f.take(name, false); ok {
			*p = f.boolean(name, v)
		}
	case encoding:
		f.key(name)
		f.out = wire.AppendBool(f.out, *p)
	case examining:
		f.examiner.Examine(f.limitPath(name), Scalar{Kind: Bool, Bool: *p})
	}
}

// OptBool is an optional truth value.
func (f *Fields) OptBool(name string, p *Opt[bool], doc string) {
	switch {
	case f.mode == describing:
		f.declare(Field{Name: name, Kind: Bool, Optional: true, Doc: doc})
	case f.mode == decoding:
		if v, ok := f.take(name, true); ok {
			*p = Some(f.boolean(name, v))
		}
	case p.Set:
		f.Bool(name, &p.Value, doc)
	}
}

func (f *Fields) boolean(name string, v wire.Value) bool {
	b, err := v.Bool()
	if err != nil {
		f.fail(name, "must be true or false, not "+v.Kind().String())
	}
	return b
}

// Text is a required string without control characters, of at most 4096 bytes.
func (f *Fields) Text(name string, p *string, doc string) {
	switch f.mode {
	case describing:
		f.declare(Field{Name: name, Kind: Text, Max: maxText, Doc: doc})
	case decoding:
		if v, ok := f.take(name, false); ok {
			*p = string(f.text(name, v))
		}
	case encoding:
		f.key(name)
		f.out = wire.AppendString(f.out, *p)
	case examining:
		f.examiner.Examine(f.limitPath(name), Scalar{Kind: Text, Text: *p})
	}
}

// OptText is an optional string without control characters, of at most 4096 bytes.
func (f *Fields) OptText(name string, p *Opt[string], doc string) {
	switch {
	case f.mode == describing:
		f.declare(Field{Name: name, Kind: Text, Optional: true, Max: maxText, Doc: doc})
	case f.mode == decoding:
		if v, ok := f.take(name, true); ok {
			*p = Some(string(f.text(name, v)))
		}
	case p.Set:
		f.Text(name, &p.Value, doc)
	}
}

func (f *Fields) text(name string, v wire.Value) []byte {
	b, err := v.Text()
	switch {
	case err != nil:
		f.fail(name, "must be a string, not "+v.Kind().String())
	case len(b) > maxText:
		f.fail(name, fmt.Sprintf("must not be longer than %d bytes", maxText))
	case hasControl(b):
		f.fail(name, "must not contain control characters")
	}
	return b
}

func hasControl(b []byte) bool {
	for i := 0; i < len(b); {
		if c := b[i]; c < utf8.RuneSelf {
			if c < 0x20 || c == 0x7f {
				return true
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		if unicode.IsControl(r) {
			return true
		}
		i += size
	}
	return false
}

// Enum is one of a few words.
func (f *Fields) Enum(name string, p *string, values []string, doc string) {
	switch f.mode {
	case describing:
		f.declare(Field{Name: name, Kind: Enum, Values: values, Doc: doc})
	case decoding:
		if v, ok := f.take(name, false); ok {
			*p = f.word(name, v, values)
		}
	case encoding:
		f.key(name)
		f.out = wire.AppendString(f.out, *p)
	case examining:
		f.examiner.Examine(f.limitPath(name), Scalar{Kind: Text, Text: *p})
	}
}

// OptEnum is one of a few words, or left out.
func (f *Fields) OptEnum(name string, p *Opt[string], values []string, doc string) {
	switch {
	case f.mode == describing:
		f.declare(Field{Name: name, Kind: Enum, Optional: true, Values: values, Doc: doc})
	case f.mode == decoding:
		if v, ok := f.take(name, true); ok {
			*p = Some(f.word(name, v, values))
		}
	case p.Set:
		f.Enum(name, &p.Value, values, doc)
	}
}

func (f *Fields) word(name string, v wire.Value, values []string) string {
	b := f.text(name, v)
	for _, word := range values {
		if string(b) == word {
			return word
		}
	}
	f.fail(name, fmt.Sprintf("must be one of %v", values))
	return ""
}
