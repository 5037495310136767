package config

import (
	"strings"
	"unicode"

	"github.com/halberd-io/halberd/hal"
)

// grant reads one [[grant]] and reports everything that is wrong with it.
func (l *loader) grant(t *table) Grant {
	g := Grant{File: t.doc.name, Line: t.doc.lines.of(t.path)}
	// id is unique over all files. It stands in the audit log and in refusals: 1 to 128 printable ASCII characters without space, asterisk and quotes.
	g.ID = l.grantID(t)
	// users are names, uids and ranges of uids; one of them has to match.
	g.Users = l.ids(t, "users", "user", l.users)
	// groups are names, gids and ranges of gids, primary or supplementary; one of them has to match.
	g.Groups = l.ids(t, "groups", "group", l.groups)
	// units are systemd units with their ending, as kiosk.service.
	g.Units = l.units(t)
	// labels are labels of SELinux or Smack, whole.
	g.Labels = l.labels(t)
	if !g.Users.Given && !g.Groups.Given && !t.has("units") && !t.has("labels") {
		t.fail("", "grant names nobody: give users, groups, units or labels")
	}
	// methods are full names, INTERFACE.* or io.halberd.*
	g.Methods = l.methods(t)
	// verbs are observe, control, configure, hazard and administer; with methods, both have to cover a call.
	g.Verbs = l.verbs(t)
	if !t.has("methods") && !t.has("verbs") {
		t.fail("", "grant permits nothing: give methods, verbs or both")
	}
	// devices are IDs in the class of the called method, or Class/ID, with a * at the end at most.
	g.Devices = l.devices(t, &g)
	// where are limits on parameters: min, max, in.
	g.Where = l.where(t, &g)
	// rate is how many calls are permitted in a time, to each uid: 50/s, 100/min, 10/h.
	g.Rate = rate(t)
	t.finish()
	l.pointless(t, &g)
	return g
}

func (l *loader) grantID(t *table) string {
	id, given := t.text("id")
	switch where, taken := l.taken[id]; {
	case !t.has("id"):
		t.fail("", "grant has no id")
	case !given:
	case taken:
		t.fail("id", "id %q is taken already, at %s", id, where)
	default:
		if err := hal.CheckID(id); err != nil {
			t.fail("id", "id %q cannot be used: %v", id, err)
		}
		l.taken[id] = place(t.doc.name, t.doc.lines.of(under(t.path, "id")))
	}
	return id
}

// plain takes the strings out of their elements.
func plain(list []element, _ bool) []string {
	var all []string
	for _, e := range list {
		all = append(all, e.value.(string))
	}
	return all
}

// unitKinds are the units that a grant can name. The daemon takes no slice for the unit of a process, but people do.
var unitKinds = [...]string{".service", ".scope", ".slice"}

func (l *loader) units(t *table) []string {
	list, _ := t.texts("units")
	for _, e := range list {
		unit := e.value.(string)
		dot := strings.LastIndexByte(unit, '.')
		switch {
		case dot < 0 || !contains(unitKinds[:], unit[dot:]):
			t.doc.fail(e.path, "unit %q must end in .service, .scope or .slice", unit)
		case len(unit) > maxUnit || strings.ContainsFunc(unit, notInUnit):
			t.doc.fail(e.path, "unit %q must be a whole name", unit)
		case unit[dot:] == ".slice":
			l.doubt(t.doc, e.path, "unit %q is a slice and matches nobody: name the service in it", unit)
		}
	}
	return plain(list, true)
}

// maxLabel is the longest label, in bytes.
const maxLabel = 1024

func (l *loader) labels(t *table) []string {
	list, _ := t.texts("labels")
	for _, e := range list {
		if label := e.value.(string); len(label) > maxLabel || strings.ContainsFunc(label, unicode.IsControl) {
			t.doc.fail(e.path, "label %.64q must have at most %d bytes and no control characters", label, maxLabel)
		}
	}
	return plain(list, true)
}

// maxUnit is the longest name of a unit, in bytes, as in systemd.
const maxUnit = 255

// notInUnit is what systemd does not take in the name of a unit.
func notInUnit(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(`:-_.\@`, r))
}

func (l *loader) verbs(t *table) []hal.Verb {
	list, _ := t.texts("verbs")
	var all []hal.Verb
	for _, e := range list {
		name := e.value.(string)
		verb, ok := hal.ParseVerb(name)
		if !ok {
			t.doc.fail(e.path, "unknown verb %q%s", name, meant(name, hal.Verbs[:]))
			continue
		}
		all = append(all, verb)
	}
	return all
}

// pointless warns about a grant that can never cover a call.
func (l *loader) pointless(t *table, g *Grant) {
	if len(t.doc.faults) > 0 || !t.has("methods") {
		return
	}
	useful := false
	g.Each(l.catalog, func(m *hal.Method) bool {
		useful = g.Covers(m) && (m.Device != "" || g.Plain())
		return !useful
	})
	if !useful {
		l.doubt(t.doc, t.path, "grant %s covers no call: no method fits all that it asks for", g.ID)
	} else {
		l.useless(t, g)
	}
}

// Plain reports whether the grant covers calls without a device.
func (g *Grant) Plain() bool {
	for _, p := range g.Devices {
		if p.All() {
			return true
		}
	}
	return g.Devices == nil
}
