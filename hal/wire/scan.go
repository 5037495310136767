package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"unicode/utf8"
)

// MaxDepth is how deep objects and arrays may nest, the outermost one counted.
const MaxDepth = 32

// ErrDepth is returned for a message that nests deeper than MaxDepth.
var ErrDepth = fmt.Errorf("cannot read JSON: nested deeper than %d", MaxDepth)

// ErrNotObject is returned where an object was expected and something else stands.
var ErrNotObject = errors.New("cannot read JSON: not an object")

// SyntaxError says at which byte a message stops being strict JSON.
type SyntaxError struct {
	Offset int
	What   string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("cannot read JSON: %s at byte %d", e.What, e.Offset)
}

// Valid reports whether data is one strict JSON value, with white space around it at most: nil, ErrDepth or a *SyntaxError.
// Duplicate keys are not looked for here, but by Object and Unique.
func Valid(data []byte) error {
	s := scanner{data: data}
	s.space()
	if err := s.value(0); err != nil {
		return err
	}
	s.space()
	if s.pos != len(data) {
		return s.fail("more after the value")
	}
	return nil
}

// scanner walks over JSON text. Its methods leave pos behind what they read.
type scanner struct {
	data []byte
	pos  int
}

func (s *scanner) fail(what string) error { return &SyntaxError{Offset: s.pos, What: what} }

// peek gives the next byte, or 0 at the end: a NUL is nowhere valid JSON.
func (s *scanner) peek() byte {
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

func (s *scanner) expect(c byte, what string) error {
	if s.peek() != c {
		return s.fail(what)
	}
	s.pos++
	return nil
}

// value reads one value that stands inside depth others.
func (s *scanner) value(depth int) error {
	switch c := s.peek(); {
	case c == '"':
		return s.str()
	case c == '{':
		return s.object(depth + 1)
	case c == '[':
		return s.array(depth + 1)
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	case c == 't':
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	case s.pos == len(s.data):
		return s.fail("the text ends early")
	}
	return s.fail("no value")
}

func (s *scanner) literal(word string) error {
	if len(s.data)-s.pos < len(word) || string(s.data[s.pos:s.pos+len(word)]) != word {
		return s.fail("no value")
	}
	s.pos += len(word)
	return nil
}

func (s *scanner) object(depth int) error {
	if depth > MaxDepth {
		return ErrDepth
	}
	s.pos++
	s.space()
	if s.peek() == '}' {
		s.pos++
		return nil
	}
	for {
		if err := s.key(); err != nil {
			return err
		}
		if err := s.value(depth); err != nil {
			return err
		}
		if done, err := s.next('}'); done || err != nil {
			return err
		}
	}
}

// key reads a member's name, the colon and the space around it.
func (s *scanner) key() error {
	if err := s.name(); err != nil {
		return err
	}
	return s.colon()
}

func (s *scanner) name() error {
	if s.peek() != '"' {
		return s.fail("no key")
	}
	return s.str()
}

func (s *scanner) colon() error {
	s.space()
	if err := s.expect(':', "no colon after a key"); err != nil {
		return err
	}
	s.space()
	return nil
}

// next reads what stands behind a member or an element: a comma, or the closing bracket, which ends it.
func (s *scanner) next(closing byte) (done bool, err error) {
	s.space()
	switch s.peek() {
	case closing:
		s.pos++
		return true, nil
	case ',':
		s.pos++
		s.space()
		return false, nil
	}
	return false, s.fail("neither comma nor " + string(closing))
}

func (s *scanner) array(depth int) error {
	if depth > MaxDepth {
		return ErrDepth
	}
	s.pos++
	s.space()
	if s.peek() == ']' {
		s.pos++
		return nil
	}
	for {
		if err := s.value(depth); err != nil {
			return err
		}
		if done, err := s.next(']'); done || err != nil {
			return err
		}
	}
}

func (s *scanner) digits() bool {
	from := s.pos
	for s.pos < len(s.data) && s.data[s.pos] >= '0' && s.data[s.pos] <= '9' {
		s.pos++
	}
	return s.pos > from
}

func (s *scanner) number() error {
	if s.peek() == '-' {
		s.pos++
	}
	if s.peek() == '0' {
		s.pos++
	} else if !s.digits() {
		return s.fail("no digit in a number")
	}
	if s.peek() == '.' {
		s.pos++
		if !s.digits() {
			return s.fail("no digit in a fraction")
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		if !s.digits() {
			return s.fail("no digit in an exponent")
		}
	}
	return nil
}

// str reads a string with its quotes.
func (s *scanner) str() error {
	s.pos++
	for {
		s.plain()
		switch c := s.peek(); {
		case c == '"':
			s.pos++
			return nil
		case c == '\\':
			if err := s.escape(); err != nil {
				return err
			}
		case s.pos == len(s.data):
			return s.fail("a string without end")
		case c < 0x20:
			return s.fail("a control character in a string")
		default:
			r, size := utf8.DecodeRune(s.data[s.pos:])
			if r == utf8.RuneError && size == 1 {
				return s.fail("invalid UTF-8")
			}
			s.pos += size
		}
	}
}

// Eight bytes of one value, and the top bit of each.
const (
	each8 = 0x0101010101010101
	tops  = 0x80 * each8
)

// plain goes on to the next byte that needs a look: a quote, a backslash, a control character, or one that is not ASCII. It takes eight at a time, since
// most of a message is the inside of strings. A borrow can mark a byte too many only behind one that is marked rightly, and the first one counts.
func (s *scanner) plain() {
	for len(s.data)-s.pos >= 8 {
		x := binary.LittleEndian.Uint64(s.data[s.pos:])
		quote, backslash := x^('"'*each8), x^('\\'*each8)
		look := ((quote-each8)&^quote | (backslash-each8)&^backslash | (x-0x20*each8)&^x | x) & tops
		if look != 0 {
			s.pos += bits.TrailingZeros64(look) / 8
			return
		}
		s.pos += 8
	}
	for s.pos < len(s.data) {
		if c := s.data[s.pos]; c == '"' || c == '\\' || c < 0x20 || c >= utf8.RuneSelf {
			return
		}
		s.pos++
	}
}

func (s *scanner) escape() error {
	s.pos++
	switch s.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos++
		return nil
	case 'u':
		return s.unicode()
	}
	return s.fail("an unknown escape")
}

// unicode reads the uXXXX of an escape, and of a surrogate pair both halves.
func (s *scanner) unicode() error {
	r, ok := hex4(s.data[s.pos+1:])
	if !ok {
		return s.fail("no four hexadecimal digits after \\u")
	}
	s.pos += 5
	if r < 0xd800 || r > 0xdfff {
		return nil
	}
	if r >= 0xdc00 || s.peek() != '\\' || s.pos+1 >= len(s.data) || s.data[s.pos+1] != 'u' {
		return s.fail("half a surrogate pair")
	}
	if low, ok := hex4(s.data[s.pos+2:]); !ok || low < 0xdc00 || low > 0xdfff {
		return s.fail("half a surrogate pair")
	}
	s.pos += 6
	return nil
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}
