package hal_test

import (
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal"
)

func plain(name string) *hal.Method {
	return hal.Plain(hal.Observe, name, "", func(hal.Holder, *hal.None, *hal.None) error { return nil })
}

func TestCatalog(t *testing.T) {
	y := newToy(t)
	c := y.catalog
	status := plain("Status")
	if err := c.Add(&hal.Interface{Name: "io.halberd.Policy", Methods: []*hal.Method{status}}); err != nil {
		t.Fatal(err)
	}
	for i, m := range c.Methods() {
		if m.Index != i || c.Method([]byte(m.FullName())) != m {
			t.Errorf("method %s has index %d and is found as %v, want %d and itself", m.FullName(), m.Index, c.Method([]byte(m.FullName())), i)
		}
	}
	if got := c.Methods()[0]; got.FullName() != "io.halberd.Lamp.Get" || got.Class != "Lamp" {
		t.Errorf("the first method is %s of class %q, want io.halberd.Lamp.Get of Lamp", got.FullName(), got.Class)
	}
	if status.Class != "" || status.Index != 6 {
		t.Errorf("Status is of class %q at %d, want none at 6", status.Class, status.Index)
	}
	if got := c.Interface("io.halberd.Lamp"); got == nil || got != c.Class("Lamp") || got.Devices.Len() != 3 {
		t.Errorf("the interface is %v and the class %v, want both the same with 3 devices", got, c.Class("Lamp"))
	}
	if got := c.Interfaces(); len(got) != 2 || got[1].Name != "io.halberd.Policy" {
		t.Errorf("%d interfaces, want Lamp and Policy", len(got))
	}
}

func TestCatalogFindsExactNamesAlone(t *testing.T) {
	c := newToy(t).catalog
	for _, name := range []string{"", "Get", "io.halberd.Lamp", "io.halberd.Lamp.", "io.halberd.lamp.Get", "io.halberd.Lamp.get", "io.halberd.Lamp.Get "} {
		if m := c.Method([]byte(name)); m != nil {
			t.Errorf("Method(%q) = %s, want nil", name, m.FullName())
		}
	}
	for _, name := range []string{"", "lamp", "io.halberd.Lamp"} {
		if i := c.Class(name); i != nil {
			t.Errorf("Class(%q) = %s, want nil", name, i.Name)
		}
	}
	if i := c.Interface("Lamp"); i != nil {
		t.Errorf("Interface(Lamp) = %s, want nil", i.Name)
	}
}

// An interface without a class is not found as the class without a name.
func TestCatalogOfNoClass(t *testing.T) {
	c := hal.NewCatalog()
	if err := c.Add(&hal.Interface{Name: "io.halberd.Policy"}); err != nil {
		t.Fatal(err)
	}
	if i := c.Class(""); i != nil {
		t.Errorf("Class of no name = %s, want nil", i.Name)
	}
}

func TestCatalogRefuses(t *testing.T) {
	tests := []struct {
		name string
		add  *hal.Interface
		want string
	}{
		{"interface twice", &hal.Interface{Name: "io.halberd.Lamp"}, "cannot add interface io.halberd.Lamp: it is there already"},
		{"method twice", &hal.Interface{Name: "io.halberd.X", Methods: []*hal.Method{plain("A"), plain("B"), plain("A")}}, "cannot add method io.halberd.X.A: it is there already"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := newToy(t).catalog
			before := len(c.Methods())
			if err := c.Add(test.add); err == nil || err.Error() != test.want {
				t.Errorf("Add = %v, want %s", err, test.want)
			}
			if got := len(c.Methods()); got != before || c.Method([]byte("io.halberd.X.A")) != nil {
				t.Errorf("%d methods after the refusal, want %d as before", got, before)
			}
		})
	}
}

func TestMethodDescription(t *testing.T) {
	tests := []struct {
		method, device string
		verb           hal.Verb
		watches        bool
		in, out        string
	}{
		{"Get", "lamp", hal.Observe, false, "lamp", "level"},
		{"Set", "lamp", hal.Control, false, "lamp level", ""},
		{"SetMany", "lamps", hal.Control, false, "lamps level", ""},
		{"Reset", "", hal.Hazard, false, "", ""},
		{"Watch", "lamps", hal.Observe, true, "lamps", "lamp level sequence lost"},
	}
	for _, test := range tests {
		t.Run(test.method, func(t *testing.T) {
			m := newToy(t).method(t, test.method)
			if m.Device != test.device || m.Verb != test.verb || m.Watches != test.watches {
				t.Errorf("device %q, verb %s, watches %t, want %q, %s, %t", m.Device, m.Verb, m.Watches, test.device, test.verb, test.watches)
			}
			if in, out := names(m.In), names(m.Out); in != test.in || out != test.out {
				t.Errorf("in %q, out %q, want %q, %q", in, out, test.in, test.out)
			}
		})
	}
}

func names(fields []hal.Field) string {
	var words []string
	for _, f := range fields {
		words = append(words, f.Name)
	}
	return strings.Join(words, " ")
}
