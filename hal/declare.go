package hal

import (
	"strings"

	"github.com/halberd-io/halberd/hal/wire"
)

// Key is a key of a board.toml table with the text of its value.
type Key struct{ Name, Value string }

// TextKey is a key whose value is a string.
func TextKey(name, value string) Key { return Key{name, quote(value)} }

// Declaration writes a table of board.toml, for Declarer.
func Declaration(table, id string, keys ...Key) string {
	var b strings.Builder
	b.WriteString("[" + table + "." + bareOrQuoted(id) + "]\n")
	for _, k := range keys {
		b.WriteString(k.Name + " = " + k.Value + "\n")
	}
	return b.String()
}

// quote writes a TOML string: all escapes of JSON are escapes of TOML.
func quote(s string) string { return string(wire.AppendString(nil, s)) }

// bareOrQuoted writes a part of a table's name.
func bareOrQuoted(s string) string {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return quote(s)
		}
	}
	return s
}
