package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/halberd-io/halberd/hal"
)

// proposal is a grant that would permit what was denied.
type proposal struct {
	ID      string            `json:"id"`
	Users   []int64           `json:"users,omitempty"`
	Units   []string          `json:"units,omitempty"`
	Methods []string          `json:"methods"`
	Devices []string          `json:"devices,omitempty"`
	Where   map[string]limits `json:"where,omitempty"`
	Rate    string            `json:"rate,omitempty"`
	Burst   int64             `json:"burst,omitempty"`
}

// limits are what a grant's where says about one parameter.
type limits struct {
	Min *int64 `json:"min,omitempty"`
	Max *int64 `json:"max,omitempty"`
	In  []any  `json:"in,omitempty"` // int64, bool or string
}

// caller is as much of WhoAmI as a grant needs.
type caller struct {
	UID  int64
	Unit string
}

// identify puts the caller into a grant, or reports that no grant can name it. The uid of a unit with DynamicUser= is another one tomorrow (systemd.exec(5)), and
// nobody's is that of many.
func (p *proposal) identify(c caller) bool {
	switch {
	case c.UID < 0 || c.UID == 65534 || c.UID >= 4294967295:
		return false
	case c.UID < 61184 || c.UID > 65519:
		p.Users = []int64{c.UID}
		return true
	case !isUnit(c.Unit):
		return false
	}
	p.Units = []string{c.Unit}
	return true
}

// isUnit reports whether a grant can name a unit. The daemon knows sockets, mounts and swaps as well, which have processes for a moment.
func isUnit(name string) bool {
	dot := strings.LastIndexByte(name, '.')
	if dot < 1 || len(name) > 255 {
		return false
	}
	kind := name[dot:]
	return (kind == ".service" || kind == ".scope") && !strings.ContainsFunc(name, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune(`:-_.\@`, c))
	})
}

// whose names the caller in a grant's ID: the uid, or the unit.
func (p *proposal) whose() string {
	if len(p.Users) > 0 {
		return strconv.FormatInt(p.Users[0], 10)
	}
	return p.Units[0]
}

// call names the grant for the methods and devices that it covers, as far as there is room in an ID.
func (p *proposal) call(methods []*hal.Method) {
	id := strings.ToLower(methods[0].Class)
	if len(methods) == 1 {
		id += "-" + commandName(methods[0].Name)
	}
	if long := id + "-" + strings.Join(p.Devices, "+"); len(p.Devices) > 0 && len(long) < 100 {
		id = long
	}
	if long := id + "-of-" + p.whose(); len(long) <= hal.MaxID-4 { // and a number
		id = long
	}
	p.ID = id
	for _, m := range methods {
		p.Methods = append(p.Methods, m.FullName())
	}
}

// toml writes the grant, each line behind a prefix.
func (p *proposal) toml(prefix string) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, prefix+format+"\n", args...) }
	line("[[grant]]")
	line("id      = %q", p.ID)
	line("%s", p.identity())
	line("methods = [%s]", quoted(p.Methods))
	if p.Devices != nil {
		line("devices = [%s]", quoted(p.Devices))
	}
	if p.Where != nil {
		line("where   = { %s }", whereTOML(p.Where))
	}
	if p.Rate != "" {
		line("rate    = %q", p.Rate)
		line("burst   = %d", p.Burst)
	}
	return b.String()
}

// whereTOML writes limits as the members of an inline table.
func whereTOML(where map[string]limits) string {
	var all []string
	for _, parameter := range slices.Sorted(maps.Keys(where)) {
		l := where[parameter]
		all = append(all, tomlKey(parameter)+" = { "+l.toml()+" }")
	}
	return strings.Join(all, ", ")
}

// unused gives an ID that is not taken, and takes it.
func unused(id string, taken map[string]bool) string {
	free := id
	for n := 2; taken[free]; n++ {
		free = fmt.Sprintf("%s-%d", id, n)
	}
	taken[free] = true
	return free
}

// identity is the line that says for whom the grant is.
func (p *proposal) identity() string {
	if len(p.Users) > 0 {
		return fmt.Sprintf("users   = [%d]", p.Users[0])
	}
	return fmt.Sprintf("units   = [%s]", quoted(p.Units))
}

// tomlKey quotes a parameter inside a list, whose path has dots.
func tomlKey(parameter string) string {
	if strings.Contains(parameter, ".") {
		return strconv.Quote(parameter)
	}
	return parameter
}

func (l *limits) toml() string {
	if l.Min != nil {
		return fmt.Sprintf("min = %d, max = %d", *l.Min, *l.Max)
	}
	words := make([]string, len(l.In))
	for i, v := range l.In {
		words[i] = fmt.Sprint(v)
		if s, isText := v.(string); isText {
			words[i] = strconv.QuoteToASCII(s)
		}
	}
	return "in = [" + strings.Join(words, ", ") + "]"
}

// quoted gives names as a list in TOML.
func quoted(names []string) string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = strconv.Quote(name) // they are printable ASCII
	}
	return strings.Join(all, ", ")
}
