package config

import (
	"strings"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/wire"
)

// Expectation is one [[expect]]: a call that somebody makes, and what is to come of it.
type Expectation struct {
	Name    string // "" where none was given
	File    string
	Line    int
	Who     Caller
	Method  *hal.Method
	Call    *hal.Call // nil for a question about the method alone
	Allowed bool
	Grant   string // that is to permit the call; "" for any
}

// Caller is who makes a call that is only thought of, as the kernel would tell.
type Caller struct {
	UID, GID    uint32
	Groups      []uint32
	Unit, Label string
	Datagram    bool
}

// ExpectKeys lists the keys of an [[expect]], for the reference.
func ExpectKeys() []Key {
	return []Key{
		{"name", `What is expected, in the product's own words, for messages.`},
		{"user", `Who: a name of /etc/passwd, with the groups that the files there give it. Either this or uid is needed.`},
		{"uid", `Who: a number.`},
		{"gid", `The primary group; the user's own, or with uid the same number, where left out.`},
		{"groups", `The supplementary groups, names or numbers; the user's own, or with uid none, where left out.`},
		{"unit", `The systemd unit.`},
		{"label", `The label of SELinux or Smack.`},
		{"transport", `stream, seqpacket or dgram, on which the primary group alone counts, and neither unit nor label; stream where left out.`},
		{"method", `Required. The call's method, its full name.`},
		{"parameters", `The call's parameters. {} for a call without; where left out, the question is whether any call of the method can be permitted.`},
		{"allowed", `Required. true or false.`},
		{"grant", `With allowed = true, the ID of the grant that permits the call; of one on several devices, the first device's.`},
	}
}

// ParseExpectations reads a file of [[expect]]. The error joins everything that is wrong, each an *Error.
func ParseExpectations(opt Options, cat *hal.Catalog, name, text string) ([]Expectation, error) {
	l := &loader{
		options: &opt, catalog: cat,
		users: &accounts{options: &opt, path: "/etc/passwd"}, groups: &accounts{options: &opt, path: "/etc/group"},
	}
	d, t := open(name, text)
	if t == nil {
		return nil, join(d.faults)
	}
	var all []Expectation
	for _, e := range t.tables("expect") {
		all = append(all, l.expectation(e))
	}
	t.finish()
	if len(all) == 0 && len(d.faults) == 0 {
		d.fail("", "there are no expectations: each is an [[expect]]")
	}
	for _, a := range []*accounts{l.users, l.groups} {
		if a.failed != nil {
			d.faults = append(d.faults, a.failed)
		}
	}
	return all, join(d.faults)
}

func (l *loader) expectation(t *table) Expectation {
	e := Expectation{File: t.doc.name, Line: t.doc.lines.of(t.path)}
	e.Name, _ = t.text("name")
	e.Who = l.caller(t)
	e.Method = l.method(t)
	e.Call = decoded(t, e.Method)
	allowed, given := t.take("allowed")
	yes, isBool := allowed.(bool)
	switch {
	case !given:
		t.fail("", "expectation has no allowed: give true or false")
	case !isBool:
		t.fail("allowed", "allowed must be true or false, not %s", kindOf(allowed))
	}
	e.Allowed = yes
	e.Grant, given = t.text("grant")
	if given && isBool && !yes {
		t.fail("grant", "grant needs allowed = true: no grant denies a call")
	}
	t.finish()
	return e
}

// caller reads who calls. The user's own ids are those of the image or machine.
func (l *loader) caller(t *table) Caller {
	var c Caller
	name, named := t.text("user")
	uid, numbered := t.integer("uid", 0, invalid)
	switch {
	case named && numbered:
		t.fail("uid", "give user or uid, not both")
	case named:
		c = l.account(t, name)
	case numbered:
		c.UID, c.GID = uint32(uid), uint32(uid)
	case !t.has("user") && !t.has("uid"):
		t.fail("", "expectation is about nobody: give user or uid")
	}
	if gid, given := t.integer("gid", 0, invalid); given {
		c.GID = uint32(gid)
	}
	if list, given := t.arrayOrNone("groups"); given {
		c.Groups = l.memberOf(t.doc, list)
	}
	c.Unit, _ = t.text("unit")
	c.Label, _ = t.text("label")
	c.Datagram = transport(t) == "dgram"
	return c
}

// account gives what the files say about a user.
func (l *loader) account(t *table, name string) Caller {
	fields := l.users.line(name)
	uid, known := number(fields, 2)
	if !known {
		t.fail("user", "user %q is not in %s", name, l.options.shown(l.users.path))
	}
	gid, _ := number(fields, 3)
	return Caller{UID: uid, GID: gid, Groups: l.groups.having(name)}
}

// memberOf reads groups, names and numbers.
func (l *loader) memberOf(d *document, list []element) []uint32 {
	var all []uint32
	for _, e := range list {
		switch v := e.value.(type) {
		case int64:
			if v < 0 || v > invalid {
				d.fail(e.path, "group %d must be from 0 to %d", v, int64(invalid))
			}
			all = append(all, uint32(v))
		case string:
			id, found := l.groups.find(v)
			if !found {
				d.fail(e.path, "group %q is not in %s", v, l.options.shown(l.groups.path))
			}
			all = append(all, id)
		default:
			d.fail(e.path, "group must be a name or a number, not %s", kindOf(v))
		}
	}
	return all
}

// arrayOrNone is array for one that may be empty.
func (t *table) arrayOrNone(key string) (all []element, given bool) {
	if list, ok := t.values[key].([]any); ok && len(list) == 0 {
		t.take(key)
		return nil, true
	}
	return t.array(key)
}

var transports = []string{"stream", "seqpacket", "dgram"}

func transport(t *table) string {
	name, given := t.text("transport")
	if given && !contains(transports, name) {
		t.fail("transport", "transport must be one of %s", strings.Join(transports, ", "))
	}
	return name
}

func (l *loader) method(t *table) *hal.Method {
	name, given := t.text("method")
	if !given {
		if !t.has("method") {
			t.fail("", "expectation is about no call: give method")
		}
		return nil
	}
	m := l.catalog.Method([]byte(name))
	if m == nil {
		t.fail("method", "%s", l.unknownMethod(name))
	}
	return m
}

// decoded reads the parameters of a call as the daemon would: a call that it would not even look at is no expectation.
func decoded(t *table, m *hal.Method) *hal.Call {
	inner := t.inner("parameters")
	if inner == nil {
		return nil
	}
	before := len(t.doc.faults)
	text := inner.doc.appendObject(nil, inner.path, inner.values)
	if m == nil || len(t.doc.faults) > before {
		return nil
	}
	call, err := m.Decode(wire.Value(text))
	if err != nil {
		inner.invalid(err)
	}
	return call
}
