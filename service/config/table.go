package config

import (
	"fmt"
	"strings"
	"time"
)

// table is one TOML table while its keys are read. A key that nobody asked for is unknown.
type table struct {
	doc    *document
	path   string
	values map[string]any
	asked  []string
}

func (t *table) fail(key, format string, args ...any) {
	t.doc.fail(under(t.path, key), format, args...)
}

// take gives the value of a key.
func (t *table) take(key string) (any, bool) {
	t.asked = append(t.asked, key)
	v, ok := t.values[key]
	return v, ok
}

// has reports whether a key is given.
func (t *table) has(key string) bool {
	_, ok := t.values[key]
	return ok
}

// text reads a string that is not empty.
func (t *table) text(key string) (string, bool) {
	v, ok := t.take(key)
	if !ok {
		return "", false
	}
	s, ok := v.(string)
	switch {
	case !ok:
		t.fail(key, "%s must be a string, not %s", key, kindOf(v))
	case s == "":
		t.fail(key, "%s must not be empty", key)
	}
	return s, s != ""
}

// integer reads an integer from min to max.
func (t *table) integer(key string, min, max int64) (int64, bool) {
	v, ok := t.take(key)
	if !ok {
		return 0, false
	}
	n, ok := v.(int64)
	switch {
	case !ok:
		t.fail(key, "%s must be an integer, not %s%s", key, kindOf(v), unquote(v))
	case n < min || n > max:
		t.fail(key, "%s must be from %d to %d", key, min, max)
		ok = false
	}
	return n, ok
}

// element is one value of an array, and where it stands.
type element struct {
	value any
	path  string
}

// array reads an array that is not empty.
func (t *table) array(key string) (all []element, given bool) {
	v, ok := t.take(key)
	if !ok {
		return nil, false
	}
	list, ok := v.([]any)
	switch {
	case !ok && isArray(v):
		t.fail(key, "%s must be an array of values, not of tables", key)
	case !ok:
		t.fail(key, "%s must be an array, not %s", key, kindOf(v))
	case len(list) == 0:
		t.fail(key, "%s must not be empty", key)
	}
	for i, v := range list {
		all = append(all, element{v, at(under(t.path, key), i)})
	}
	return all, true
}

// texts reads an array of strings that is not empty.
func (t *table) texts(key string) (all []element, given bool) {
	list, given := t.array(key)
	for _, e := range list {
		if s, ok := e.value.(string); !ok {
			t.doc.fail(e.path, "%s must be strings, not %s", key, kindOf(e.value))
		} else if s == "" {
			t.doc.fail(e.path, "%s must not contain an empty string", key)
		} else {
			all = append(all, e)
		}
	}
	return all, given
}

// tables reads an array of tables.
func (t *table) tables(key string) []*table {
	v, ok := t.take(key)
	if !ok {
		return nil
	}
	var all []*table
	switch list := v.(type) {
	case []map[string]any:
		for i, values := range list {
			all = append(all, &table{doc: t.doc, path: at(under(t.path, key), i), values: values})
		}
	case []any:
		for i, v := range list {
			values, ok := v.(map[string]any)
			if !ok {
				t.doc.fail(at(under(t.path, key), i), "%s must be tables, not %s", key, kindOf(v))
				continue
			}
			all = append(all, &table{doc: t.doc, path: at(under(t.path, key), i), values: values})
		}
	default:
		t.fail(key, "%s must be written [[%s]]", key, key)
	}
	return all
}

// inner reads a table.
func (t *table) inner(key string) *table {
	v, ok := t.take(key)
	if !ok {
		return nil
	}
	values, ok := v.(map[string]any)
	if !ok {
		t.fail(key, "%s must be a table, not %s", key, kindOf(v))
		return nil
	}
	return &table{doc: t.doc, path: under(t.path, key), values: values}
}

// finish refuses the keys that nobody asked for.
func (t *table) finish() {
	for key := range t.values {
		if !contains(t.asked, key) {
			t.fail(key, "unknown key %q%s", key, meant(key, t.asked))
		}
	}
}

func contains(all []string, one string) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return false
}

func isArray(v any) bool {
	_, ok := v.([]map[string]any)
	return ok
}

// kindOf puts the type of a TOML value into words.
func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case int64:
		return "an integer"
	case float64:
		return "a fraction"
	case bool:
		return "a boolean"
	case time.Time:
		return "a date"
	case map[string]any:
		return "a table"
	}
	return "an array"
}

// unquote points at the quotes around what would be a number without them.
func unquote(v any) string {
	s, ok := v.(string)
	if ok && isNumber(s) {
		return fmt.Sprintf(" (write %s without quotes)", s)
	}
	return ""
}

func isNumber(s string) bool {
	digits := strings.TrimLeft(s, "+-")
	return digits != "" && strings.Trim(digits, "0123456789_") == "" && strings.Trim(digits, "_") != ""
}

// meant suggests the word that was most likely meant, or gives "".
func meant(word string, known []string) string {
	best, distance := "", 3
	for _, k := range known {
		d := distanceOf(strings.ToLower(word), strings.ToLower(k))
		if d < distance && d <= len(k)/2 {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", best)
}

// distanceOf counts the single-byte edits between two words; of long ones it says only that they differ.
func distanceOf(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	var row [65]int
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		left, corner := i+1, i
		for j := range len(b) {
			change := corner
			if a[i] != b[j] {
				change++
			}
			corner = row[j+1]
			row[j], left = left, min(change, left+1, corner+1)
		}
		row[len(b)] = left
	}
	return row[len(b)]
}
