package hal_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/wire"
)

// lamp is the device of a toy class. A lamp on a bus is slow.
type lamp struct {
	id, bus  string
	level    int64
	stateErr error
	startErr error
	changes  hal.Feed[lampState]
}

func (l *lamp) ID() string  { return l.id }
func (l *lamp) Bus() string { return l.bus }

type level struct{ Level int64 }

func (m *level) Fields(f *hal.Fields) {
	f.IntIn("level", &m.Level, 0, 255, hal.Unitless, "0 is off.")
}

type lampState struct {
	Lamp  string
	Level int64
}

func (m *lampState) Fields(f *hal.Fields) {
	f.Text("lamp", &m.Lamp, "Its ID.")
	f.Int("level", &m.Level, hal.Unitless, "0 is off.")
}

// note has what may be left out, to see that nothing of it stays for the next call.
type note struct {
	Text  hal.Opt[string]
	Count hal.Opt[int64]
	List  hal.Opt[[]string]
	Words []string
}

func (m *note) Fields(f *hal.Fields) {
	f.OptText("text", &m.Text, "A text.")
	f.OptInt("count", &m.Count, hal.Unitless, "A number.")
	f.OptTexts("list", &m.List, 0, 8, "A list.")
}

// ran is what the handlers were called with, in order.
type ran []string

func (r *ran) add(format string, args ...any) { *r = append(*r, fmt.Sprintf(format, args...)) }

// toy is a class of lamps: two plain ones and a slow one.
type toy struct {
	lamps      *hal.Set[*lamp]
	hall, yard *lamp
	far        *lamp
	class      *hal.Class
	catalog    *hal.Catalog
	ran        ran
}

func newToy(t testing.TB) *toy {
	t.Helper()
	y := &toy{lamps: hal.NewSet[*lamp]("Lamp", "lamp"), hall: &lamp{id: "hall"}, yard: &lamp{id: "yard"}, far: &lamp{id: "far", bus: "i2c-1"}}
	for _, l := range []*lamp{y.hall, y.yard, y.far} {
		if err := y.lamps.Add(l); err != nil {
			t.Fatal(err)
		}
	}
	y.class = &hal.Class{Name: "Lamp", Doc: "Lamps of a toy.", Devices: y.lamps, Methods: []*hal.Method{
		hal.On(y.lamps, hal.Observe, "Get", "Reads the level.", y.get),
		hal.On(y.lamps, hal.Control, "Set", "Sets the level.", y.set),
		hal.On(y.lamps, hal.Control, "Note", "Gives back what it is given.", y.note),
		hal.OnMany(y.lamps, hal.Control, "SetMany", "Sets the level of several lamps.", y.setMany),
		hal.Plain(hal.Hazard, "Reset", "Turns every lamp off.", y.reset),
		hal.Watch(y.lamps, hal.Observe, "Watch", "Reports the level.", y.state, y.start),
	}}
	y.catalog = hal.NewCatalog()
	if err := y.catalog.AddClass(y.class); err != nil {
		t.Fatal(err)
	}
	return y
}

func (y *toy) get(l *lamp, _ *hal.None, out *level) error {
	y.ran.add("get %s", l.id)
	out.Level = l.level
	return nil
}

// set adds nothing to ran, since its allocations are counted.
func (y *toy) set(l *lamp, in *level, _ *hal.None) error {
	l.level = in.Level
	l.changes.Publish(lampState{l.id, l.level})
	return nil
}

func (y *toy) note(l *lamp, in, out *note) error {
	y.ran.add("note %s", l.id)
	*out = *in
	return nil
}

func (y *toy) setMany(lamps []*lamp, in *level, _ *hal.None) error {
	for _, l := range lamps {
		y.ran.add("set %s %d", l.id, in.Level)
		l.level = in.Level
	}
	return nil
}

func (y *toy) reset(h hal.Holder, _, _ *hal.None) error {
	y.ran.add("reset for %v", h)
	return nil
}

func (y *toy) state(l *lamp, in *hal.None, out *lampState) error {
	y.ran.add("state %s", l.id)
	*out = lampState{l.id, l.level}
	return l.stateErr
}

func (y *toy) start(l *lamp, _ *hal.None, emit func(*lampState)) (func(), error) {
	y.ran.add("start %s", l.id)
	if l.startErr != nil {
		return nil, l.startErr
	}
	return l.changes.Subscribe(func(s lampState) { emit(&s) }), nil
}

func (y *toy) method(t testing.TB, name string) *hal.Method {
	t.Helper()
	m := y.catalog.Method([]byte("io.halberd.Lamp." + name))
	if m == nil {
		t.Fatalf("there is no method %s", name)
	}
	return m
}

// decode decodes a call that has to be in order.
func (y *toy) decode(t testing.TB, method, parameters string) *hal.Call {
	t.Helper()
	call, err := y.method(t, method).Decode(wire.Value(parameters))
	if err != nil {
		t.Fatalf("%s %s: %v", method, parameters, err)
	}
	return call
}

// permit takes a call that has to be in order through an open gate.
func (y *toy) permit(t testing.TB, method, parameters string) hal.Permitted {
	t.Helper()
	permitted, err := y.decode(t, method, parameters).Authorise(open{})
	if err != nil {
		t.Fatalf("%s %s: %v", method, parameters, err)
	}
	return permitted
}

// open is a gate that permits everything.
type open struct{}

func (open) Permit(*hal.Call) error { return nil }

var errShut = errors.New("the gate is shut")

// shut is a gate that permits nothing and writes down what it was asked.
type shut struct{ asked []string }

func (g *shut) Permit(c *hal.Call) error {
	for i := range c.Devices() {
		g.asked = append(g.asked, c.DeviceID(i))
	}
	c.Examine(g)
	return errShut
}

func (g *shut) Examine(path string, v hal.Scalar) { g.asked = append(g.asked, path+"="+scalar(v)) }

func scalar(v hal.Scalar) string {
	switch v.Kind {
	case hal.Int:
		return fmt.Sprint(v.Int)
	case hal.Bool:
		return fmt.Sprint(v.Bool)
	case hal.Text:
		return fmt.Sprintf("%q", v.Text)
	}
	return fmt.Sprintf("kind %d", v.Kind)
}

// shown lists what an examiner is shown of a call.
func shown(c *hal.Call) []string {
	g := new(shut)
	c.Examine(g)
	return g.asked
}
