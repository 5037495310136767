package dispatch_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// allReasons are those for which we refuse what encoding/json takes.
var allReasons = []string{
	"invalid UTF-8", "half a surrogate pair", "nested too deep", "given twice", "a key in another case", "unknown key", "left out or null", "null in a list", "two ways of being answered",
	"a control character", "no word of those", "out of range", "too long", "not base64 as it has to be", "not an object",
}

// node is a value as the tokens of encoding/json have it.
type node struct {
	kind    byte // {, [, s, n, b or 0 for null
	text    string
	keys    []string
	members []*node // or elements
	depth   int     // of what is in it
}

// tree reads a whole document, or gives nil.
func tree(text []byte) *node {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return readNode(d)
}

func readNode(d *json.Decoder) *node {
	token, err := d.Token()
	if err != nil {
		return nil
	}
	n := &node{}
	switch token := token.(type) {
	case string:
		n.kind, n.text = 's', token
	case json.Number:
		n.kind, n.text = 'n', string(token)
	case bool:
		n.kind, n.text = 'b', strconv.FormatBool(token)
	case json.Delim:
		n.kind = byte(token)
		if !n.read(d) {
			return nil
		}
	}
	return n
}

// read reads what is in an object or an array.
func (n *node) read(d *json.Decoder) bool {
	n.depth = 1
	for d.More() {
		if n.kind == '{' {
			key, err := d.Token()
			if err != nil {
				return false
			}
			n.keys = append(n.keys, key.(string))
		}
		inner := readNode(d)
		if inner == nil {
			return false
		}
		n.members = append(n.members, inner)
		n.depth = max(n.depth, inner.depth+1)
	}
	_, err := d.Token()
	return err == nil
}

// get finds a member. Null is none.
func (n *node) get(key string) *node {
	if n == nil {
		return nil
	}
	for i := range n.keys {
		if n.keys[i] == key && n.members[i].kind != 0 {
			return n.members[i]
		}
	}
	return nil
}

// walk calls f for a value and for all in it.
func (n *node) walk(f func(*node)) {
	f(n)
	for _, m := range n.members {
		m.walk(f)
	}
}

// any reports whether f holds for a value or for one in it.
func (n *node) any(f func(*node) bool) (found bool) {
	if n != nil {
		n.walk(func(n *node) { found = found || f(n) })
	}
	return found
}

// reason says why a call that encoding/json takes is to be refused, or "". It follows the contract, and knows nothing of our reader.
func reason(text []byte) string {
	call := tree(text)
	if call == nil {
		return ""
	}
	p := call.get("parameters")
	for i, applies := range []bool{
		!utf8.Valid(text), halfPair(text), call.depth > maxDepth, call.any(duplicate),
		otherCase(call, p), unknown(call, p), missing(call, p), nullInList(p), severalWays(call),
		control(call, p), p.get("mode") != nil && !slices.Contains(modes, p.get("mode").text), outOfRange(p), tooLong(p), notBase64(p), call.kind != '{' || p.get("extra") != nil && p.get("extra").kind != '{',
	} {
		if applies {
			return allReasons[i]
		}
	}
	return ""
}

var (
	wholePairs = regexp.MustCompile(`(?i)\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}`)
	halfPairs  = regexp.MustCompile(`(?i)\\ud[89a-f][0-9a-f]{2}`)
)

// halfPair looks for escapes that are half a pair, after the escaped backslashes and the whole pairs are gone.
func halfPair(text []byte) bool {
	text = bytes.ReplaceAll(text, []byte(`\\`), []byte("__"))
	return halfPairs.Match(wholePairs.ReplaceAll(text, []byte("_")))
}

func duplicate(n *node) bool {
	sorted := slices.Sorted(slices.Values(n.keys))
	return len(slices.Compact(sorted)) < len(n.keys)
}

var (
	envelopeKeys  = []string{"method", "parameters", "oneway", "more", "upgrade"}
	parameterKeys = []string{"led", "brightness", "rampMSec", "mode", "steady", "tags", "codes", "values", "data", "messages", "extra"}
	partKeys      = []string{"address", "write"}
)

// stray reports whether a message has a key that is none of those, and stray in the given way.
func stray(call, p *node, way func(key string, known []string) bool) bool {
	look := func(n *node, known []string) bool {
		return n != nil && slices.ContainsFunc(n.keys, func(key string) bool { return !slices.Contains(known, key) && way(key, known) })
	}
	if messages := p.get("messages"); messages != nil {
		for _, m := range messages.members {
			if look(m, partKeys) {
				return true
			}
		}
	}
	return look(call, envelopeKeys) || look(p, parameterKeys)
}

func folds(key string, known []string) bool {
	return slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, key) })
}

func otherCase(call, p *node) bool { return stray(call, p, folds) }

func unknown(call, p *node) bool {
	return stray(call, p, func(string, []string) bool { return true })
}

func missing(call, p *node) bool {
	if messages := p.get("messages"); messages != nil {
		for _, m := range messages.members {
			if m.kind == '{' && m.get("address") == nil {
				return true
			}
		}
	}
	return call.get("method") == nil || p.get("led") == nil || p.get("brightness") == nil || p.get("tags") == nil || p.get("messages") == nil
}

func nullInList(p *node) bool {
	for _, key := range []string{"tags", "codes", "values", "messages"} {
		if n := p.get(key); n != nil && slices.ContainsFunc(n.members, func(e *node) bool { return e.kind == 0 }) {
			return true
		}
	}
	return false
}

func severalWays(call *node) bool {
	ways := 0
	for _, key := range []string{"oneway", "more", "upgrade"} {
		if n := call.get(key); n != nil && n.text == "true" {
			ways++
		}
	}
	return ways > 1
}

// control looks at all names: bytes have none after base64, and an object of any kind may have them.
func control(call, p *node) bool {
	has := func(s string) bool { return strings.ContainsFunc(s, unicode.IsControl) }
	ascii := func(s string) bool {
		return strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
	}
	if m := call.get("method"); m != nil && ascii(m.text) {
		return true
	}
	for _, key := range []string{"led", "mode", "tags", "values"} {
		if p.get(key).any(func(n *node) bool { return has(n.text) || slices.ContainsFunc(n.keys, has) }) {
			return true
		}
	}
	return false
}

func outOfRange(p *node) bool {
	n, ok := new(big.Int).SetString(value(p.get("brightness")).text, 10)
	return ok && (n.Sign() < 0 || n.Cmp(big.NewInt(maxBrightness)) > 0)
}

func tooLong(p *node) bool {
	for _, key := range []string{"tags", "codes", "values", "messages"} {
		if n := p.get(key); n != nil && len(n.members) > maxElements {
			return true
		}
	}
	long := func(n *node) bool { return n.kind == 's' && len(n.text) > 4096 }
	return p.get("led").any(long) || p.get("tags").any(long) || slices.ContainsFunc(blobs(p), func(n *node) bool {
		b, err := base64.StdEncoding.DecodeString(n.text)
		return err == nil && len(b) > maxData
	})
}

// notBase64: there is one way to write given bytes. encoding/json also takes an array of numbers.
func notBase64(p *node) bool {
	return slices.ContainsFunc(blobs(p), func(n *node) bool {
		b, err := base64.StdEncoding.DecodeString(n.text)
		return n.kind != 's' || err != nil || base64.StdEncoding.EncodeToString(b) != n.text
	})
}

func blobs(p *node) (all []*node) {
	if n := p.get("data"); n != nil {
		all = append(all, n)
	}
	if messages := p.get("messages"); messages != nil {
		for _, m := range messages.members {
			if n := m.get("write"); n != nil {
				all = append(all, n)
			}
		}
	}
	return all
}
