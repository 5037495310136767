package config

import (
	"strings"

	"github.com/halberd-io/halberd/hal"
)

// everything names all methods of Halberd's own interfaces.
const everything = "io.halberd.*"

// service is the interface that every varlink service has, open to all. A grant may name it, to no effect.
const service = "org.varlink.service"

func (l *loader) methods(t *table) []string {
	list, _ := t.texts("methods")
	for _, e := range list {
		if name := e.value.(string); !l.isMethod(name) {
			t.doc.fail(e.path, "%s", l.unknownMethod(name))
		}
	}
	return plain(list, true)
}

func (l *loader) isMethod(name string) bool {
	of, wild := strings.CutSuffix(name, ".*")
	switch {
	case name == everything || of == service:
		return true
	case wild:
		return l.catalog.Interface(of) != nil
	case name == service+".GetInfo" || name == service+".GetInterfaceDescription":
		return true
	}
	return l.catalog.Method([]byte(name)) != nil
}

// unknownMethod says what is wrong with a method's name: the interface, or only the last part.
func (l *loader) unknownMethod(name string) string {
	if at := strings.IndexByte(name, '*'); at >= 0 && at != len(name)-1 || strings.HasSuffix(name, "*") && !strings.HasSuffix(name, ".*") {
		return "method " + name + " is no pattern: write a full name, INTERFACE.* or " + everything
	}
	of := name[:max(0, strings.LastIndexByte(name, '.'))]
	i := l.catalog.Interface(of)
	if i == nil {
		var known []string
		for _, i := range l.catalog.Interfaces() {
			known = append(known, i.Name)
		}
		return "unknown interface " + quote(of) + " of method " + quote(name) + meant(of, known)
	}
	var known []string
	for _, m := range i.Methods {
		known = append(known, m.FullName())
	}
	return "unknown method " + quote(name) + meant(name, known)
}

// Each calls f for every method that the grant names, without looking at its verbs, until f returns false. A method that several entries name may come twice.
func (g *Grant) Each(cat *hal.Catalog, f func(*hal.Method) bool) {
	if g.Methods == nil {
		visit(cat.Methods(), f)
		return
	}
	for _, name := range g.Methods {
		if !eachOf(cat, name, f) {
			return
		}
	}
}

// eachOf calls f for every method that one entry of methods names.
func eachOf(cat *hal.Catalog, name string, f func(*hal.Method) bool) bool {
	of, wild := strings.CutSuffix(name, ".*")
	switch {
	case name == everything:
		for _, i := range cat.Interfaces() {
			if strings.HasPrefix(i.Name, "io.halberd.") && !visit(i.Methods, f) {
				return false
			}
		}
	case wild:
		if i := cat.Interface(of); i != nil {
			return visit(i.Methods, f)
		}
	default:
		if m := cat.Method([]byte(name)); m != nil {
			return f(m)
		}
	}
	return true
}

func visit(methods []*hal.Method, f func(*hal.Method) bool) bool {
	for _, m := range methods {
		if !f(m) {
			return false
		}
	}
	return true
}

// Covers reports whether the grant can cover a call of a method that it names: the method is of its verbs and declares every parameter of where.
func (g *Grant) Covers(m *hal.Method) bool { return g.HasVerb(m) && g.Unfit(m) == nil }

// Unfit finds a limit on a parameter that a method does not declare, or not so that it could be within the limit.
func (g *Grant) Unfit(m *hal.Method) *Limit {
	for i := range g.Where {
		if !g.Where[i].fits(m) {
			return &g.Where[i]
		}
	}
	return nil
}

// Names reports whether a method is among the grant's methods.
func (g *Grant) Names(m *hal.Method) bool {
	if g.Methods == nil {
		return true
	}
	for _, name := range g.Methods {
		if named(name, m) {
			return true
		}
	}
	return false
}

func named(name string, m *hal.Method) bool {
	of, wild := strings.CutSuffix(name, ".*")
	switch {
	case name == everything:
		return strings.HasPrefix(m.Interface, "io.halberd.")
	case wild:
		return m.Interface == of
	}
	return m.FullName() == name
}

// HasVerb reports whether a method's verb is among the grant's verbs.
func (g *Grant) HasVerb(m *hal.Method) bool {
	if g.Verbs == nil {
		return true
	}
	for _, v := range g.Verbs {
		if v == m.Verb {
			return true
		}
	}
	return false
}
