package config

import (
	"strconv"
	"strings"

	"github.com/halberd-io/halberd/hal"
)

// Pattern is one entry of devices.
type Pattern struct {
	Class string // "" for the class of whatever method is called
	ID    string // without the asterisk
	Star  bool   // every ID that begins with ID
	Line  int    // where it stands
}

// All reports whether it is "*", which also covers calls without a device.
func (p Pattern) All() bool { return p.Class == "" && p.ID == "" && p.Star }

// String gives the pattern as it is written.
func (p Pattern) String() string {
	text := p.ID
	if p.Class != "" {
		text = p.Class + "/" + text
	}
	if p.Star {
		text += "*"
	}
	return text
}

// Naming is how the methods of an interface name a device: by its ID in their class, or as Class/ID where no class follows from the method.
func Naming(m *hal.Method) (class string) {
	if m.Class == "Board" {
		return ""
	}
	return m.Class
}

// For gives the pattern in the way that a method names devices, if it can cover any of them.
func (p Pattern) For(m *hal.Method) (id string, star, ok bool) {
	class := Naming(m)
	switch {
	case p.All() || class != "" && (p.Class == "" || p.Class == class):
		return p.ID, p.Star, true
	case class == "" && p.Class != "":
		return p.Class + "/" + p.ID, p.Star, true
	}
	return "", false, false
}

// Match reports whether the pattern covers a device, named as the method names it.
func (p Pattern) Match(m *hal.Method, device string) bool {
	id, star, ok := p.For(m)
	if star {
		return ok && strings.HasPrefix(device, id)
	}
	return ok && device == id
}

// devices reads the patterns. Only a grant whose methods take no device may leave them out.
func (l *loader) devices(t *table, g *Grant) []Pattern {
	list, given := t.texts("devices")
	if m := l.takesDevice(g); m != nil && !given {
		t.fail("", "grant has no devices, and %s takes one: give devices, or [\"*\"] for all", m.FullName())
	}
	var all []Pattern
	for _, e := range list {
		p, what := l.pattern(e.value.(string))
		if what != "" {
			t.doc.fail(e.path, "%s", what)
			continue
		}
		p.Line = t.doc.lines.of(e.path)
		all = append(all, p)
	}
	return all
}

// takesDevice finds a method that the grant names and that takes a device. Without methods, it names those of its verbs.
func (l *loader) takesDevice(g *Grant) (found *hal.Method) {
	if g.Methods == nil && g.Verbs == nil {
		return nil
	}
	g.Each(l.catalog, func(m *hal.Method) bool {
		if m.Device != "" && (g.Methods != nil || g.HasVerb(m)) {
			found = m
		}
		return found == nil
	})
	return found
}

// pattern reads one entry of devices, or says what is wrong with it.
func (l *loader) pattern(text string) (p Pattern, what string) {
	p.ID, p.Star = strings.CutSuffix(text, "*")
	if strings.Contains(p.ID, "*") {
		return p, "device " + quote(text) + " has a * that is not at its end"
	}
	if class, id, ok := strings.Cut(p.ID, "/"); ok {
		if hasDevices(l.catalog.Class(class)) {
			p.Class, p.ID = class, id
		} else if near := l.mistaken(class, p.ID); near != "" {
			return p, "unknown class " + quote(class) + " of device " + quote(text) + near
		}
	}
	if p.ID == "" && p.Star {
		return p, ""
	}
	if err := hal.CheckID(p.ID); err != nil {
		return p, "device " + quote(text) + " cannot be a name: " + err.Error()
	}
	return p, ""
}

// hasDevices reports whether an interface is a class of devices.
func hasDevices(i *hal.Interface) bool {
	if i == nil {
		return false
	}
	for _, m := range i.Methods {
		if m.Device != "" && Naming(m) != "" {
			return true
		}
	}
	return false
}

// mistaken tells a mistyped class from the one kind of ID that has a slash of its own: a GPIO line's, as gpiochip0/4. Any other ID with a slash needs its class in front.
func (l *loader) mistaken(class, id string) (advice string) {
	var known []string
	for _, i := range l.catalog.Interfaces() {
		switch {
		case !hasDevices(i):
			continue
		case strings.EqualFold(class, i.Class):
			return " (did you mean " + i.Class + "?)"
		}
		known = append(known, i.Class)
	}
	if strings.Trim(id[strings.LastIndexByte(id, '/')+1:], "0123456789") == "" {
		return ""
	}
	if advice = meant(class, known); advice == "" {
		advice = " (an ID with a slash needs its class in front: Class/" + id + ")"
	}
	return advice
}

func quote(s string) string { return strconv.Quote(s) }
