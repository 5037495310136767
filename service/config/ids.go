package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// Numbers that never belong to one user or group for good.
const (
	dynamicFirst, dynamicLast = 61184, 65519   // systemd's DynamicUser=, https://systemd.io/UIDS-GIDS
	overflow                  = 65534          // nobody, and everybody whom a user namespace does not know
	invalid                   = math.MaxUint32 // (uid_t) -1
	mostID                    = invalid - 1
)

// Range is numbers of users or groups, both ends included.
type Range struct{ Low, High uint32 }

// Contains reports whether a number is in the range.
func (r Range) Contains(id uint32) bool { return r.Low <= id && id <= r.High }

// IDs are the users or the groups of a grant. Given without a range, they are names that do not exist, and match nobody.
type IDs struct {
	Given  bool
	Ranges []Range
	Text   []string // as written, for messages
}

// Contain reports whether a number is among them.
func (s *IDs) Contain(id uint32) bool {
	for _, r := range s.Ranges {
		if r.Contains(id) {
			return true
		}
	}
	return false
}

// ids reads users or groups: numbers, names, and ranges of numbers.
func (l *loader) ids(t *table, key, one string, known *accounts) IDs {
	list, given := t.array(key)
	set := IDs{Given: given}
	for _, e := range list {
		r, found := l.id(t.doc, e, one, known)
		if found {
			set.Ranges = append(set.Ranges, r)
		}
		set.Text = append(set.Text, fmt.Sprint(e.value))
	}
	return set
}

// id reads one entry. Where it finds nothing, it said why.
func (l *loader) id(d *document, e element, one string, known *accounts) (Range, bool) {
	switch v := e.value.(type) {
	case int64:
		return l.number(d, e.path, one, v, v)
	case string:
		low, high, isRange := strings.Cut(v, "-")
		switch {
		case isNumber(v):
			d.fail(e.path, "%s must be a number, not a string (write %s without quotes)", one, v)
			return Range{}, false
		case isRange && isDigits(low) && isDigits(high):
			return l.number(d, e.path, one, parseID(low), parseID(high))
		}
		return l.name(d, e.path, one, v, known)
	}
	d.fail(e.path, "%s must be a name, a number or a range, not %s", one, kindOf(e.value))
	return Range{}, false
}

// isDigits reports whether a half of a range is a number.
func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// parseID reads digits; too many of them give a number that is too large.
func parseID(digits string) int64 {
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return math.MaxInt64
	}
	return n
}

// number checks a range, which may be a single number.
func (l *loader) number(d *document, path, one string, low, high int64) (Range, bool) {
	what := fmt.Sprintf("%s %d", one, low)
	if low != high {
		what = fmt.Sprintf("the range %d-%d", low, high)
	}
	return l.checked(d, path, what, low, high)
}

// checked refuses numbers that belong to nobody for good.
func (l *loader) checked(d *document, path, what string, low, high int64) (Range, bool) {
	verb := "is"
	if low != high {
		verb = "takes in"
	}
	switch {
	case low < 0 || low > invalid || high < 0 || high > invalid:
		d.fail(path, "%s must be from 0 to %d", what, int64(mostID))
	case low > high:
		d.fail(path, "%s ends before it begins", what)
	case low <= dynamicLast && high >= dynamicFirst:
		d.fail(path, "%s %s a dynamic user or group (%d-%d), which changes with every start: name the unit in units", what, verb, dynamicFirst, dynamicLast)
	case low <= overflow && overflow <= high:
		d.fail(path, "%s %s nobody (%d), which stands for everybody unknown", what, verb, overflow)
	case high == invalid:
		d.fail(path, "%s %s no valid number (%d)", what, verb, int64(invalid))
	default:
		return Range{uint32(low), uint32(high)}, true
	}
	return Range{}, false
}

// maxName is the longest name of a user or group, in bytes.
const maxName = 255

// name looks a name up. One that does not exist matches nobody.
func (l *loader) name(d *document, path, one, name string, known *accounts) (Range, bool) {
	if name == "" || len(name) > maxName || strings.ContainsAny(name, ": ,*/") || strings.ContainsFunc(name, unicode.IsControl) {
		d.fail(path, "%.64q is neither the name of a %s nor a number nor a range like \"10000-19999\"", name, one)
		return Range{}, false
	}
	id, found := known.find(name)
	if found {
		return l.checked(d, path, fmt.Sprintf("%s %q (%d)", one, name, id), int64(id), int64(id))
	}
	l.doubt(d, path, "%s %q is not in %s and matches nobody", one, name, l.options.shown(known.path))
	return Range{}, false
}
