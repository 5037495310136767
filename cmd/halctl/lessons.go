package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/board"
	"github.com/halberd-io/halberd/service"
	"github.com/halberd-io/halberd/service/config"
	"github.com/halberd-io/halberd/service/policy"
)

// lessons is what the denials in some records teach about the grants that are missing.
type lessons struct {
	catalog *hal.Catalog
	learned map[subject]*lesson
	taken   map[string]bool // IDs of grants that are known to exist
	riddles map[string]int  // denials that no grant can be made of, and how many there were

	denied, limited int64
	omitted, lost   int64 // denials that there is no record of, and records that came too fast; of omitted, those that a later record tells of
}

// subject is whom was denied what on which device.
type subject struct {
	who    caller // without a unit where the uid is enough
	method string
	device string // "" for a method without
}

// lesson is what is known of the denials of one subject.
type lesson struct {
	method  *hal.Method
	count   int
	reason  string           // of the last
	free    bool             // one of them had nothing to do with a limit on a parameter, or not so that the limit could be told
	outside map[string][]any // by parameter: the values that were not within limits, as int64, bool or string
}

func newLessons() (*lessons, error) {
	cat, err := service.Describe(board.Drivers())
	return &lessons{catalog: cat, learned: map[subject]*lesson{}, taken: map[string]bool{}, riddles: map[string]int{}}, err
}

// learn takes a record in. Only denials teach anything: of a call that came too often there is a grant already.
func (l *lessons) learn(r *record) {
	l.taken[r.Grant] = true
	if r.Decision != "allowed" { // of what is permitted, others are left out
		l.omitted += r.Omitted + r.OmittedOthers
	}
	l.lost += r.Lost
	switch m := l.catalog.Method([]byte(r.Method)); {
	case r.Decision != "denied":
	case r.RetryAfterMSec != nil:
		l.limited++
	case m == nil:
		l.puzzle(r, "there is no such method")
	case policy.IsOpen(m):
	default:
		l.denied++
		l.study(r, m)
	}
}

func (l *lessons) puzzle(r *record, why string) {
	l.riddles[oneLine(printable(fmt.Sprintf("%s of uid %d: %s", r.Method, r.UID, why)))]++
}

func (l *lessons) study(r *record, m *hal.Method) {
	var p proposal
	if !p.identify(caller{r.UID, r.Unit}) {
		l.puzzle(r, "no grant can name this caller: its uid is not for good, and its unit is not known")
		return
	}
	who := caller{UID: r.UID}
	if p.Units != nil {
		who = caller{Unit: r.Unit}
	}
	devices, why := wantedDevices(r, m)
	if why != "" {
		l.puzzle(r, why)
		return
	}
	for i, d := range devices {
		e := l.of(subject{who, r.Method, d}, m)
		e.add(r)
		if i == 0 { // each call counts once, however many devices it names
			e.count++
		}
	}
}

// wantedDevices are the devices that the call still needs a grant for: of several, those before the first one that is not covered have one.
func wantedDevices(r *record, m *hal.Method) (devices []string, why string) {
	switch {
	case m.Device == "":
		return []string{""}, ""
	case len(r.Devices) == 0:
		return nil, "no device is known, since the call's parameters could not be read"
	case slices.ContainsFunc(r.Devices, func(id string) bool { return hal.CheckID(id) != nil }):
		return nil, "what it names can be no device"
	}
	return r.Devices[max(0, slices.Index(r.Devices, r.Uncovered)):], ""
}

func (l *lessons) of(s subject, m *hal.Method) *lesson {
	if l.learned[s] == nil {
		l.learned[s] = &lesson{method: m, outside: map[string][]any{}}
	}
	return l.learned[s]
}

func (e *lesson) add(r *record) {
	e.reason = oneLine(printable(r.Reason))
	v, ok := valueOf(e.method, r)
	switch {
	case !ok:
		e.free = true
	case !slices.Contains(e.outside[r.Parameter], v):
		e.outside[r.Parameter] = append(e.outside[r.Parameter], v)
	}
}

// valueOf gives the value that was not within a limit, with the type of its parameter: int64, bool or string.
func valueOf(m *hal.Method, r *record) (value any, ok bool) {
	d, ok := config.Find(m, r.Parameter)
	if !ok {
		return nil, false
	}
	switch d.Field.Kind {
	case hal.Int, hal.Ints, hal.IntMap:
		n, err := strconv.ParseInt(r.Value, 10, 64)
		return n, err == nil
	case hal.Bool:
		return r.Value == "true", true
	case hal.Enum:
		return r.Value, slices.Contains(d.Field.Values, r.Value)
	case hal.Text, hal.Texts:
		return r.Value, isText(r.Value)
	}
	return nil, false
}

// isText reports whether a grant can list such a value.
func isText(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return unicode.IsControl(c) || c == unicode.ReplacementChar })
}

// maxListed is how many numbers a limit lists before it becomes a range.
const maxListed = 8

// limitsOf are the narrowest limits that all values are within. They are of one type.
func limitsOf(values []any) limits {
	values = slices.SortedFunc(slices.Values(values), compareValues)
	first, isInt := values[0].(int64)
	if !isInt || len(values) <= maxListed {
		return limits{In: values}
	}
	last := values[len(values)-1].(int64)
	return limits{Min: &first, Max: &last}
}

func compareValues(a, b any) int {
	if n, isInt := a.(int64); isInt {
		return cmp.Compare(n, b.(int64))
	}
	return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
}
