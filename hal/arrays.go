package hal

import (
	"bytes"
	"fmt"
	"sort"

	"github.com/halberd-io/halberd/hal/wire"
)

// Blob is required bytes, base64 on the wire, at most max of them.
func (f *Fields) Blob(name string, p *[]byte, max int64, doc string) {
	switch f.mode {
	case describing:
		f.declare(Field{Name: name, Kind: Blob, Max: max, Doc: doc})
	case decoding:
		if v, ok := f.take(name, false); ok {
			*p = f.blob(name, v, max)
		}
	case encoding:
		f.key(name)
		f.out = wire.AppendBytes(f.out, *p)
	case examining:
		f.examiner.Examine(f.limitPath(name)+BlobLength, Scalar{Kind: Int, Int: int64(len(*p))})
	}
}

// BlobLength stands behind the path of bytes where a grant limits how many they are: data.length. That is all that limits see of them.
const BlobLength = ".length"

// OptBlob is bytes, base64 on the wire, at most max of them, which may be left out.
func (f *Fields) OptBlob(name string, p *Opt[[]byte], max int64, doc string) {
	switch {
	case f.mode == describing:
		f.declare(Field{Name: name, Kind: Blob, Optional: true, Max: max, Doc: doc})
	case f.mode == decoding:
		if v, ok := f.take(name, true); ok {
			*p = Some(f.blob(name, v, max))
		}
	case p.Set:
		f.Blob(name, &p.Value, max, doc)
	}
}

func (f *Fields) blob(name string, v wire.Value, max int64) []byte {
	b, err := v.Bytes()
	if err != nil {
		f.fail(name, "must be a string in base64")
	} else if int64(len(b)) > max {
		f.fail(name, fmt.Sprintf("must not be longer than %d bytes", max))
	}
	return b
}

// Texts is a required array of min to max strings.
func (f *Fields) Texts(name string, p *[]string, min, max int64, doc string) {
	switch f.mode {
	case describing:
		f.declare(Field{Name: name, Kind: Texts, Min: min, Max: max, Doc: doc})
	case decoding:
		if v, ok := f.take(name, false); ok {
			*p = f.texts(name, v, min, max)
		}
	case encoding:
		f.key(name)
		f.out = append(f.out, '[')
		for i, s := range *p {
			f.comma(i)
			f.out = wire.AppendString(f.out, s)
		}
		f.out = append(f.out, ']')
	case examining:
		for _, s := range *p {
			f.examiner.Examine(f.limitPath(name), Scalar{Kind: Text, Text: s})
		}
	}
}

// OptTexts is an array of min to max strings that may be left out.
func (f *Fields) OptTexts(name string, p *Opt[[]string], min, max int64, doc string) {
	switch {
	case f.mode == describing:
		f.declare(Field{Name: name, Kind: Texts, Optional: true, Min: min, Max: max, Doc: doc})
	case f.mode == decoding:
		if v, ok := f.take(name, true); ok {
			*p = Some(f.texts(name, v, min, max))
		}
	case p.Set:
		f.Texts(name, &p.Value, min, max, doc)
	}
}

func (f *Fields) texts(name string, v wire.Value, min, max int64) []string {
	var out []string
	f.elements(name, v, min, max, func(v wire.Value) { out = append(out, string(f.text(name, v))) })
	return out
}

// Ints is a required array of min to max integers.
func (f *Fields) Ints(name string, p *[]int64, min, max int64, unit Unit, doc string) {
	switch f.mode {
	case describing:
		f.declare(Field{Name: name, Kind: Ints, Unit: unit, Min: min, Max: max, Doc: doc})
	case decoding:
		if v, ok := f.take(name, false); ok {
			*p = f.ints(name, v, min, max)
		}
	case encoding:
		f.key(name)
		f.out = append(f.out, '[')
		for i, n := range *p {
			f.comma(i)
			f.out = wire.AppendInt(f.out, n)
		}
		f.out = append(f.out, ']')
	case examining:
		for _, n := range *p {
			f.examiner.Examine(f.limitPath(name), Scalar{Kind: Int, Int: n})
		}
	}
}

// OptInts is an array of min to max integers that may be left out.
func (f *Fields) OptInts(name string, p *Opt[[]int64], min, max int64, unit Unit, doc string) {
	switch {
	case f.mode == describing:
		f.declare(Field{Name: name, Kind: Ints, Optional: true, Unit: unit, Min: min, Max: max, Doc: doc})
	case f.mode == decoding:
		if v, ok := f.take(name, true); ok {
			*p = Some(f.ints(name, v, min, max))
		}
	case p.Set:
		f.Ints(name, &p.Value, min, max, unit, doc)
	}
}

func (f *Fields) ints(name string, v wire.Value, min, max int64) []int64 {
	var out []int64
	f.elements(name, v, min, max, func(v wire.Value) {
		n, err := v.Int()
		if err != nil {
			f.fail(name, "must be an integer of 64 bits")
		}
		out = append(out, n)
	})
	return out
}

// elements visits an array of min to max elements, until there is an error. What fails meanwhile is of that element.
func (f *Fields) elements(name string, v wire.Value, min, max int64, each func(v wire.Value)) {
	if v.Kind() != wire.Array {
		f.fail(name, "must be an array, not "+v.Kind().String())
		return
	}
	n := int64(0)
	_ = wire.Elements(v, func(i int, v wire.Value) error {
		if n++; n > max {
			f.fail(name, fmt.Sprintf("must not have more than %d elements", max))
		} else {
			f.element = i + 1
			each(v)
			f.element = 0
		}
		if f.err != nil {
			return f.err
		}
		return nil
	})
	if n < min {
		f.fail(name, fmt.Sprintf("must have at least %d elements", min))
	}
}

func (f *Fields) comma(i int) {
	if i > 0 {
		f.out = append(f.out, ',')
	}
}

// IntMap is a required map of min to max strings to integers.
func (f *Fields) IntMap(name string, p *map[string]int64, min, max int64, unit Unit, doc string) {
	switch f.mode {
	case describing:
		f.declare(Field{Name: name, Kind: IntMap, Unit: unit, Min: min, Max: max, Doc: doc})
	case decoding:
		if v, ok := f.take(name, false); ok {
			*p = f.intMap(name, v, min, max)
		}
	case encoding:
		f.key(name)
		f.out = append(f.out, '{')
		for i, k := range sortedKeys(*p) {
			f.comma(i)
			f.out = append(wire.AppendString(f.out, k), ':')
			f.out = wire.AppendInt(f.out, (*p)[k])
		}
		f.out = append(f.out, '}')
	case examining:
		for _, n := range *p {
			f.examiner.Examine(f.limitPath(name), Scalar{Kind: Int, Int: n})
		}
	}
}

// OptIntMap is a map of min to max strings to integers that may be left out.
func (f *Fields) OptIntMap(name string, p *Opt[map[string]int64], min, max int64, unit Unit, doc string) {
	switch {
	case f.mode == describing:
		f.declare(Field{Name: name, Kind: IntMap, Optional: true, Unit: unit, Min: min, Max: max, Doc: doc})
	case f.mode == decoding:
		if v, ok := f.take(name, true); ok {
			*p = Some(f.intMap(name, v, min, max))
		}
	case p.Set:
		f.IntMap(name, &p.Value, min, max, unit, doc)
	}
}

func sortedKeys(m map[string]int64) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func (f *Fields) intMap(name string, v wire.Value, min, max int64) map[string]int64 {
	if v.Kind() != wire.Object {
		f.fail(name, "must be an object, not "+v.Kind().String())
		return nil
	}
	out := map[string]int64{}
	_ = wire.Each(v, func(key []byte, v wire.Value) error {
		at := name + "." + string(key)
		n, err := v.Int()
		switch _, twice := out[string(key)]; {
		case twice:
			f.fail(at, "given twice")
		case hasControl(key):
			f.fail(name, "must not contain control characters")
		case err != nil:
			f.fail(at, "must be an integer of 64 bits")
		case int64(len(out)) == max:
			f.fail(name, fmt.Sprintf("must not have more than %d members", max))
		}
		out[string(key)] = n
		if f.err != nil {
			return f.err
		}
		return nil
	})
	if int64(len(out)) < min {
		f.fail(name, fmt.Sprintf("must have at least %d members", min))
	}
	return out
}

// OptRaw is any JSON object, which may be left out: the text of the object, a copy. It has no duplicate keys.
func (f *Fields) OptRaw(name string, p *wire.Value, doc string) {
	switch f.mode {
	case describing:
		f.declare(Field{Name: name, Kind: Raw, Optional: true, Doc: doc})
	case decoding:
		v, ok := f.take(name, true)
		if !ok {
			return
		}
		if v.Kind() != wire.Object {
			f.fail(name, "must be an object, not "+v.Kind().String())
		} else if err := wire.Unique(v); err != nil {
			f.fail(name, err.Error())
		}
		*p = bytes.Clone(v)
	case encoding:
		if len(*p) > 0 {
			f.key(name)
			f.out = append(f.out, *p...)
		}
	}
}

// Each is a required array of min to max messages: messages[0].address names a field in it.
func Each[T any, PT interface {
	*T
	Message
}](f *Fields, name string, p *[]T, min, max int64, doc string) {
	switch f.mode {
	case describing:
		f.declare(Field{Name: name, Kind: List, Min: min, Max: max, Doc: doc, Fields: Describe(PT(new(T)))})
	case decoding:
		if v, ok := f.take(name, false); ok {
			*p = eachDecoded[T, PT](f, name, v, min, max)
		}
	case encoding:
		f.key(name)
		f.out = append(f.out, '[')
		nested := &Fields{mode: encoding}
		for i := range *p {
			f.comma(i)
			nested.out = append(f.out, '{')
			PT(&(*p)[i]).Fields(nested)
			f.out = append(nested.out, '}')
		}
		f.out = append(f.out, ']')
	case examining:
		nested := &Fields{mode: examining, examiner: f.examiner, parent: f, name: name}
		for i := range *p {
			PT(&(*p)[i]).Fields(nested)
		}
	}
}

func eachDecoded[T any, PT interface {
	*T
	Message
}](f *Fields, name string, v wire.Value, min, max int64) []T {
	var out []T
	nested := &Fields{parent: f, name: name}
	f.elements(name, v, min, max, func(v wire.Value) {
		out = append(out, *new(T))
		nested.open(v)
		if v.Kind() == wire.Null {
			nested.failHere("must be an object")
		}
		PT(&out[len(out)-1]).Fields(nested)
		if nested.finish() != nil && f.err == nil {
			f.err = nested.err
		}
	})
	return out
}
