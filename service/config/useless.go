package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/halberd-io/halberd/hal"
)

// What a grant names to no effect, while the rest of it has one. A policy is as good without it, so it is warned about and never an error.

// useless warns about methods that are named in full, and that nothing the grant covers is a call of.
func (l *loader) useless(t *table, g *Grant) {
	for i, name := range g.Methods {
		m := l.catalog.Method([]byte(name))
		if m == nil {
			continue
		}
		if why := g.never(m); why != "" {
			t.doc.warn(at(under(t.path, "methods"), i), "grant %s never covers %s: %s", g.ID, name, why)
		}
	}
}

// never says why no call of a method is covered, or "" where one may be.
func (g *Grant) never(m *hal.Method) string {
	if !g.HasVerb(m) {
		return "its verb is " + m.Verb.String()
	}
	if m.Device == "" && !g.Plain() {
		return "it takes no device, and the grant is for some"
	}
	for i := range g.Where {
		limit := &g.Where[i]
		switch d, ok := Find(m, limit.Parameter); {
		case !ok:
			return "it has no parameter " + limit.Parameter
		case limit.misfit(&d) != "":
			return limit.Parameter + " " + limit.misfit(&d)
		case limit.isBeyond(d.Field):
			return fmt.Sprintf("it takes %s from %d to %d", limit.Parameter, d.Field.Min, d.Field.Max)
		}
	}
	return ""
}

// isBeyond reports whether no number that a parameter can have is within the limit.
func (l *Limit) isBeyond(f hal.Field) bool {
	if f.Kind != hal.Int {
		return false
	}
	return l.Min.Set && l.Min.Value > f.Max || l.Max.Set && l.Max.Value < f.Min ||
		l.In != nil && !slices.ContainsFunc(l.In, func(v hal.Scalar) bool { return v.Int >= f.Min && v.Int <= f.Max })
}

// Undeclared warns about devices that board.toml does not declare, where only those are there that it does, as whole says of methods; and elsewhere, where it may be the kernel that gives them their
// names, about those that are spelt nearly as a declared one. declared are the IDs in board.toml, by class.
func (p *PolicyFiles) Undeclared(cat *hal.Catalog, declared map[string][]string, whole func(*hal.Method) bool) []Warning {
	var all []Warning
	for i := range p.Grants {
		g := &p.Grants[i]
		for _, d := range g.Devices {
			known := g.declared(d, cat, declared)
			if d.All() || slices.ContainsFunc(known, func(id string) bool { return id == d.ID || d.Star && strings.HasPrefix(id, d.ID) }) {
				continue
			}
			known = slices.DeleteFunc(known, func(id string) bool { return d.Star || digits(id) != digits(d.ID) }) // as another one of a row
			if near := meant(d.ID, known); near != "" || g.isWhole(d, cat, whole) {
				all = append(all, Warning{g.File, d.Line, fmt.Sprintf("grant %s: board.toml does not declare %s%s", g.ID, d, near)})
			}
		}
	}
	return all
}

// isWhole reports whether a pattern is about nothing but devices that have to be declared.
func (g *Grant) isWhole(d Pattern, cat *hal.Catalog, whole func(*hal.Method) bool) bool {
	some, others := false, false
	g.Each(cat, func(m *hal.Method) bool {
		if _, _, fits := d.For(m); fits && m.Device != "" && g.HasVerb(m) {
			some, others = true, others || !whole(m)
		}
		return !others
	})
	return some && !others
}

// declared are the declared devices of the classes that a pattern of the grant may be about.
func (g *Grant) declared(d Pattern, cat *hal.Catalog, declared map[string][]string) []string {
	if d.Class != "" {
		return slices.Clone(declared[d.Class])
	}
	seen := map[string]bool{}
	var all []string
	g.Each(cat, func(m *hal.Method) bool {
		if class := Naming(m); m.Device != "" && g.HasVerb(m) && !seen[class] {
			seen[class] = true
			all = append(all, declared[class]...)
		}
		return true
	})
	return all
}

func digits(id string) string {
	return strings.Map(func(c rune) rune {
		if c < '0' || c > '9' {
			return -1
		}
		return c
	}, id)
}
