package wire

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Kind is the JSON type of a value.
type Kind uint8

// The JSON types. Integer is a number without fraction and exponent, Number any other.
const (
	Null Kind = iota
	Bool
	Integer
	Number
	String
	Array
	Object
)

// Value is the text of one JSON value, without white space around it. It must have passed Valid, and it is a slice of the message it was read from.
type Value []byte

// Kind tells the value's type from its first byte.
func (v Value) Kind() Kind {
	if len(v) == 0 {
		return Null
	}
	switch v[0] {
	case '{':
		return Object
	case '[':
		return Array
	case '"':
		return String
	case 't', 'f':
		return Bool
	case 'n':
		return Null
	}
	if bytes.ContainsAny(v, ".eE") {
		return Number
	}
	return Integer
}

// ErrRange is returned for an integer that does not fit 64 bits.
var ErrRange = errors.New("an integer of more than 64 bits")

// ErrType is returned by a Value that is of another type than the one asked for.
var ErrType = errors.New("wrong type")

// Int gives the value of an Integer. 1.0 and 1e3 are not integers.
func (v Value) Int() (int64, error) {
	if v.Kind() != Integer {
		return 0, ErrType
	}
	negative := v[0] == '-'
	digits := v
	if negative {
		digits = v[1:]
	}
	var n uint64
	for _, c := range digits {
		if n > (1<<63)/10 {
			return 0, ErrRange
		}
		n = n*10 + uint64(c-'0')
	}
	switch {
	case negative && n <= 1<<63:
		return -int64(n), nil
	case !negative && n < 1<<63:
		return int64(n), nil
	}
	return 0, ErrRange
}

// Bool gives the value of a Bool.
func (v Value) Bool() (bool, error) {
	if v.Kind() != Bool {
		return false, ErrType
	}
	return v[0] == 't', nil
}

// Text gives the bytes of a String. Without an escape they are a slice of the message, else a copy.
func (v Value) Text() ([]byte, error) {
	if v.Kind() != String {
		return nil, ErrType
	}
	inner := v[1 : len(v)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner, nil
	}
	return unescape(inner), nil
}

// ErrBase64 is returned for a string that is not padded standard base64 (RFC 4648, section 4).
var ErrBase64 = errors.New("not base64")

// Bytes gives the bytes of a String in base64, as a copy.
func (v Value) Bytes() ([]byte, error) {
	text, err := v.Text()
	if err != nil {
		return nil, err
	}
	if bytes.ContainsAny(text, "\r\n") {
		return nil, ErrBase64
	}
	out := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Strict().Decode(out, text)
	if err != nil {
		return nil, ErrBase64
	}
	return out[:n], nil
}

// unescape copies the inside of a valid string and resolves its escapes.
func unescape(s []byte) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		i++
		if s[i] == 'u' {
			r, _ := hex4(s[i+1:])
			i += 4
			if r >= 0xd800 && r < 0xdc00 {
				low, _ := hex4(s[i+3:])
				r = 0x10000 + (r-0xd800)<<10 + (low - 0xdc00)
				i += 6
			}
			out = utf8.AppendRune(out, r)
			continue
		}
		out = append(out, plain(s[i]))
	}
	return out
}

func plain(escape byte) byte {
	switch escape {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return escape
}

// Member is one name and value of an object.
type Member struct {
	Key   []byte
	Value Value
}

// DuplicateError names a key that stands twice in one object.
type DuplicateError struct{ Key string }

func (e *DuplicateError) Error() string { return fmt.Sprintf("duplicate key %.64q", e.Key) }

// ErrTooMany is returned by Members for an object of more members than it may have.
var ErrTooMany = errors.New("too many members")

// Members appends the members of a valid object to dst, at most as many as dst has room for, and refuses a key that stands twice. It does not allocate
// unless a key contains an escape. On an error it gives what it read so far: with ErrTooMany, dst is full.
func Members(dst []Member, object Value) ([]Member, error) {
	if object.Kind() != Object {
		return dst, ErrNotObject
	}
	err := Each(object, func(key []byte, v Value) (err error) {
		dst, err = add(dst, key, v)
		return err
	})
	return dst, err
}

// Read reads a message that is one object: it is Valid and Members in one pass, with the errors of both in that order. It is what every call begins with.
func Read(dst []Member, data []byte) ([]Member, error) {
	s := scanner{data: data}
	s.space()
	if s.peek() != '{' {
		if err := Valid(data); err != nil {
			return dst, err
		}
		return dst, ErrNotObject
	}
	dst, later, err := s.members(dst)
	if err != nil {
		return dst, err
	}
	s.space()
	if s.pos != len(data) {
		return dst, s.fail("more after the value")
	}
	return dst, later
}

// members reads the outermost object. later is what is wrong with a message that is valid otherwise: a key that stands twice, or too many of them.
func (s *scanner) members(dst []Member) (_ []Member, later, err error) {
	s.pos++
	s.space()
	if s.peek() == '}' {
		s.pos++
		return dst, nil, nil
	}
	for {
		from := s.pos
		if err := s.name(); err != nil {
			return dst, nil, err
		}
		key, _ := Value(s.data[from:s.pos]).Text()
		if err := s.colon(); err != nil {
			return dst, nil, err
		}
		from = s.pos
		if err := s.value(1); err != nil {
			return dst, nil, err
		}
		if later == nil {
			dst, later = add(dst, key, Value(s.data[from:s.pos]))
		}
		if done, err := s.next('}'); done || err != nil {
			return dst, later, err
		}
	}
}

// add appends a member whose key is not there yet.
func add(dst []Member, key []byte, v Value) ([]Member, error) {
	for i := range dst {
		if bytes.Equal(dst[i].Key, key) {
			return dst, &DuplicateError{Key: string(key)}
		}
	}
	if len(dst) == cap(dst) {
		return dst, ErrTooMany
	}
	return append(dst, Member{key, v}), nil
}

// Each calls f for every member of a valid object, in order, until f returns an error, which it returns. It does not look for duplicates.
func Each(object Value, f func(key []byte, v Value) error) error {
	s := scanner{data: object, pos: 1}
	s.space()
	for s.peek() != '}' {
		from := s.pos
		if err := s.str(); err != nil {
			return err
		}
		key, _ := Value(object[from:s.pos]).Text()
		s.space()
		s.pos++
		s.space()
		from = s.pos
		if err := s.value(0); err != nil {
			return err
		}
		if err := f(key, Value(object[from:s.pos])); err != nil {
			return err
		}
		if done, err := s.next('}'); done || err != nil {
			return err
		}
	}
	return nil
}

// Elements calls f for every element of a valid array, in order, until f returns an error, which it returns.
func Elements(array Value, f func(index int, v Value) error) error {
	if array.Kind() != Array {
		return ErrType
	}
	s := scanner{data: array, pos: 1}
	s.space()
	for i := 0; s.peek() != ']'; i++ {
		from := s.pos
		if err := s.value(0); err != nil {
			return err
		}
		if err := f(i, Value(array[from:s.pos])); err != nil {
			return err
		}
		if done, err := s.next(']'); done || err != nil {
			return err
		}
	}
	return nil
}

// Unique refuses a duplicate key anywhere inside a valid value. It reads the text once, however deep it nests.
func Unique(v Value) error {
	s := scanner{data: v}
	return s.unique()
}

func (s *scanner) unique() error {
	switch s.peek() {
	case '{':
		return s.uniqueMembers()
	case '[':
		return s.uniqueElements()
	}
	return s.value(0)
}

func (s *scanner) uniqueMembers() error {
	s.pos++
	s.space()
	if s.peek() == '}' {
		s.pos++
		return nil
	}
	var keys keySet
	for {
		from := s.pos
		if err := s.str(); err != nil {
			return err
		}
		key, err := Value(s.data[from:s.pos]).Text()
		if err != nil {
			return err
		}
		if !keys.add(key) {
			return &DuplicateError{Key: string(key)}
		}
		s.space()
		s.pos++ // the colon
		s.space()
		if err := s.unique(); err != nil {
			return err
		}
		if done, err := s.next('}'); done || err != nil {
			return err
		}
	}
}

// keySet is the keys of one object: a few in an array, which costs no memory of its own, more in a map.
type keySet struct {
	few  [8][]byte
	n    int
	many map[string]bool
}

// add reports false for a key that is there.
func (k *keySet) add(key []byte) bool {
	if k.many != nil {
		if k.many[string(key)] {
			return false
		}
		k.many[string(key)] = true
		return true
	}
	for _, other := range k.few[:k.n] {
		if bytes.Equal(other, key) {
			return false
		}
	}
	if k.n < len(k.few) {
		k.few[k.n] = key
		k.n++
		return true
	}
	k.many = map[string]bool{string(key): true}
	for _, other := range k.few {
		k.many[string(other)] = true
	}
	return true
}

func (s *scanner) uniqueElements() error {
	s.pos++
	s.space()
	if s.peek() == ']' {
		s.pos++
		return nil
	}
	for {
		if err := s.unique(); err != nil {
			return err
		}
		if done, err := s.next(']'); done || err != nil {
			return err
		}
	}
}

// Trim takes the white space off a valid value.
func Trim(data []byte) Value {
	for len(data) > 0 && isSpace(data[0]) {
		data = data[1:]
	}
	for len(data) > 0 && isSpace(data[len(data)-1]) {
		data = data[:len(data)-1]
	}
	return Value(data)
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// String describes a Kind in the words of an error.
func (k Kind) String() string {
	names := [...]string{"null", "a boolean", "an integer", "a number", "a string", "an array", "an object"}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("kind %d", k)
}
