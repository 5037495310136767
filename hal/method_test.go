package hal_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/wire"
)

// holder is somebody who calls.
type holder string

func (holder) Ended(func()) (stop func()) { return func() {} }
func (holder) Owner() hal.Owner           { return "holder" }

// carryOut takes a call through an open gate, runs it, and gives its results.
func (y *toy) carryOut(t *testing.T, method, parameters string) string {
	t.Helper()
	call := y.decode(t, method, parameters)
	defer call.Release()
	permitted, err := call.Authorise(open{})
	if err != nil {
		t.Fatalf("%s %s: %v", method, parameters, err)
	}
	if err := permitted.Run(holder("somebody")); err != nil {
		t.Fatalf("%s %s: %v", method, parameters, err)
	}
	return string(permitted.Reply([]byte("<")))
}

func TestRun(t *testing.T) {
	tests := []struct{ name, method, parameters, reply, ran string }{
		{"one device", "Get", `{"lamp":"hall"}`, `<{"level":7}`, "get hall"},
		{"one device, slow", "Get", `{"lamp":"far"}`, `<{"level":0}`, "get far"},
		{"one device by an escaped name", "Get", `{"lamp":"\u0068all"}`, `<{"level":7}`, "get hall"},
		{"no results", "Set", `{"lamp":"yard","level":255}`, `<{}`, ""},
		{"several devices, in the caller's order", "SetMany", `{"lamps":["yard","hall"],"level":1}`, `<{}`, "set yard 1, set hall 1"},
		{"one of several", "SetMany", `{"level":0,"lamps":["hall"]}`, `<{}`, "set hall 0"},
		{"no device", "Reset", `{}`, `<{}`, "reset for somebody"},
		{"no device, no parameters", "Reset", ``, `<{}`, "reset for somebody"},
		{"a watch, once", "Watch", `{"lamps":["hall"]}`, `<{"lamp":"hall","level":7,"sequence":1,"lost":0}`, "state hall"},
		{"optional results", "Note", `{"lamp":"hall","text":"x","list":[]}`, `<{"text":"x","list":[]}`, "note hall"},
		{"optional results left out", "Note", `{"lamp":"hall"}`, `<{}`, "note hall"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			y := newToy(t)
			y.hall.level = 7
			if got := y.carryOut(t, test.method, test.parameters); got != test.reply {
				t.Errorf("the reply is %s, want %s", got, test.reply)
			}
			if got := strings.Join(y.ran, ", "); got != test.ran {
				t.Errorf("ran %q, want %q", got, test.ran)
			}
		})
	}
}

// With a gate that refuses, no handler runs, of no method, whether the device is there or not.
func TestNothingRunsBehindAShutGate(t *testing.T) {
	tests := []struct {
		method, parameters string
		asked              []string
	}{
		{"Get", `{"lamp":"hall"}`, []string{"hall", `lamp="hall"`}},
		{"Get", `{"lamp":"cellar"}`, []string{"cellar", `lamp="cellar"`}},
		{"Set", `{"lamp":"hall","level":9}`, []string{"hall", `lamp="hall"`, "level=9"}},
		{"Set", `{"lamp":"far","level":9}`, []string{"far", `lamp="far"`, "level=9"}},
		{"SetMany", `{"lamps":["hall","cellar"],"level":9}`, []string{"hall", "cellar", `lamps="hall"`, `lamps="cellar"`, "level=9"}},
		{"Reset", `{}`, nil},
		{"Watch", `{"lamps":["yard","far"]}`, []string{"yard", "far", `lamps="yard"`, `lamps="far"`}},
		{"Note", `{"lamp":"hall","count":3}`, []string{"hall", `lamp="hall"`, "count=3"}},
	}
	for _, test := range tests {
		t.Run(test.method+test.parameters, func(t *testing.T) {
			y, gate := newToy(t), new(shut)
			permitted, err := y.decode(t, test.method, test.parameters).Authorise(gate)
			if err != errShut || permitted != (hal.Permitted{}) {
				t.Errorf("Authorise = %v, %v, want nothing and %v", permitted, err, errShut)
			}
			if !slices.Equal(gate.asked, test.asked) {
				t.Errorf("the gate was asked %q, want %q", gate.asked, test.asked)
			}
			if len(y.ran) != 0 || y.hall.level != 0 || y.hall.changes.Watched() {
				t.Errorf("ran %q, level %d, want nothing", y.ran, y.hall.level)
			}
		})
	}
}

// Each step of a call has its own errors, and an earlier step's comes first.
func TestOrderOfErrors(t *testing.T) {
	tests := []struct {
		name, method, parameters string
		gate                     hal.Gate
		want                     string
	}{
		{"malformed name, shut gate", "Get", `{"lamp":"a b"}`, new(shut), "lamp: ' ' cannot stand in a name"},
		{"empty name", "Get", `{"lamp":""}`, open{}, "lamp: a name has 1 to 128 characters"},
		{"name too long", "Get", `{"lamp":"` + strings.Repeat("a", 129) + `"}`, open{}, "lamp: a name has 1 to 128 characters"},
		{"name with an asterisk", "Get", `{"lamp":"h*"}`, open{}, "lamp: '*' cannot stand in a name"},
		{"name in UTF-8", "Get", `{"lamp":"gr\u00fcn"}`, open{}, "lamp: 'Ã' cannot stand in a name"},
		{"name with a control character", "Get", `{"lamp":"a\u0000"}`, open{}, "lamp: must not contain control characters"},
		{"name is no string", "Get", `{"lamp":1}`, open{}, "lamp: must be a string, not an integer"},
		{"no name", "Get", `{}`, open{}, "lamp: missing"},
		{"null as name", "Get", `{"lamp":null}`, open{}, "lamp: missing"},
		{"no such device, shut gate", "Get", `{"lamp":"cellar"}`, new(shut), "the gate is shut"},
		{"no such device", "Get", `{"lamp":"cellar"}`, open{}, "no such device: Lamp/cellar"},
		{"other case is another name", "Get", `{"lamp":"Hall"}`, open{}, "no such device: Lamp/Hall"},
		{"bad parameter, no such device", "Set", `{"lamp":"cellar","level":256}`, open{}, "level: must be from 0 to 255"},
		{"bad parameter, shut gate", "Set", `{"lamp":"hall","level":256}`, new(shut), "level: must be from 0 to 255"},
		{"bad device before a bad parameter", "Set", `{"level":256,"lamp":""}`, open{}, "lamp: a name has 1 to 128 characters"},
		{"unknown parameter", "Get", `{"lamp":"hall","level":1}`, open{}, "level: unknown"},
		{"parameter twice", "Get", `{"lamp":"hall","lamp":"hall"}`, open{}, "lamp: given twice"},
		{"no devices", "SetMany", `{"lamps":[],"level":1}`, open{}, "lamps: must have at least 1 elements"},
		{"device twice", "SetMany", `{"lamps":["hall","yard","hall"],"level":1}`, open{}, `lamps[2]: "hall" is given twice`},
		{"missing device twice", "SetMany", `{"lamps":["x","x"],"level":1}`, open{}, `lamps[1]: "x" is given twice`},
		{"malformed among several", "SetMany", `{"lamps":["hall","*"],"level":1}`, open{}, "lamps[1]: '*' cannot stand in a name"},
		{"null among several", "SetMany", `{"lamps":["hall",null],"level":1}`, open{}, "lamps[1]: must be a string, not null"},
		{"several as one string", "SetMany", `{"lamps":"hall","level":1}`, open{}, "lamps: must be an array, not a string"},
		{"one missing among several", "SetMany", `{"lamps":["hall","cellar"],"level":1}`, open{}, "no such device: Lamp/cellar"},
		{"unknown for a plain method", "Reset", `{"lamp":"hall"}`, open{}, "lamp: unknown"},
		{"no such device to watch", "Watch", `{"lamps":["cellar"]}`, open{}, "no such device: Lamp/cellar"},
		{"device that went, shut gate", "Get", `{"lamp":"attic"}`, new(shut), "the gate is shut"},
		{"device that went", "Get", `{"lamp":"attic"}`, open{}, "the device is gone: Lamp/attic"},
		{"device that went among several", "SetMany", `{"lamps":["hall","attic"],"level":1}`, open{}, "the device is gone: Lamp/attic"},
		{"device that went to watch", "Watch", `{"lamps":["attic"]}`, open{}, "the device is gone: Lamp/attic"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			y := newToy(t)
			if err := y.lamps.Add(&lamp{id: "attic"}); err != nil {
				t.Fatal(err)
			}
			y.lamps.Remove("attic")
			call, err := y.method(t, test.method).Decode(wire.Value(test.parameters))
			if err == nil {
				_, err = call.Authorise(test.gate)
			}
			if err == nil || err.Error() != test.want {
				t.Errorf("%s %s: %v, want %s", test.method, test.parameters, err, test.want)
			}
			if len(y.ran) != 0 {
				t.Errorf("ran %q, want nothing", y.ran)
			}
		})
	}
}

func TestDevicesBound(t *testing.T) {
	names := func(n int) wire.Value {
		b := []byte(`{"level":1,"lamps":[`)
		for i := range n {
			b = append(wire.AppendString(b, "l"+strings.Repeat("x", i)), ',')
		}
		return append(b[:len(b)-1], "]}"...)
	}
	y := newToy(t)
	call, err := y.method(t, "SetMany").Decode(names(64))
	if err != nil || call.Devices() != 64 {
		t.Fatalf("64 devices: %v, want them", err)
	}
	var invalid *hal.InvalidParameter
	if _, err := y.method(t, "SetMany").Decode(names(65)); !errors.As(err, &invalid) || invalid.Parameter != "lamps" {
		t.Errorf("65 devices: %v, want an InvalidParameter of lamps", err)
	}
}

func TestSeveralDevicesAreWatchedWithMoreAlone(t *testing.T) {
	y := newToy(t)
	var invalid *hal.InvalidParameter
	err := y.permit(t, "Watch", `{"lamps":["hall","yard"]}`).Run(holder(""))
	if !errors.As(err, &invalid) || invalid.Parameter != "lamps" {
		t.Errorf("Run = %v, want an InvalidParameter of lamps", err)
	}
	if len(y.ran) != 0 {
		t.Errorf("ran %q, want nothing", y.ran)
	}
}

func TestBus(t *testing.T) {
	tests := []struct{ method, parameters, want string }{
		{"Get", `{"lamp":"hall"}`, ""},
		{"Get", `{"lamp":"far"}`, "i2c-1"},
		{"SetMany", `{"lamps":["hall","yard"],"level":1}`, ""},
		{"SetMany", `{"lamps":["hall","far"],"level":1}`, "i2c-1"},
		{"Reset", `{}`, ""},
	}
	for _, test := range tests {
		if got, err := newToy(t).permit(t, test.method, test.parameters).Bus(); got != test.want || err != nil {
			t.Errorf("Bus of %s %s = %q (%v), want %q", test.method, test.parameters, got, err, test.want)
		}
	}
}

// TestBeside: what a call changes on no bus, while it waits for one.
func TestBeside(t *testing.T) {
	for _, c := range []struct {
		method, parameters string
		want               []string
	}{
		{"SetMany", `{"lamps":["hall","far","yard"],"level":1}`, []string{"hall", "yard"}},
		{"SetMany", `{"lamps":["hall","yard"],"level":1}`, nil},
		{"SetMany", `{"lamps":["far"],"level":1}`, nil},
		{"Watch", `{"lamps":["hall","far"]}`, nil},
		{"Reset", `{}`, nil},
	} {
		p := newToy(t).permit(t, c.method, c.parameters)
		bus, err := p.Bus()
		if got := p.Beside(bus); !slices.Equal(got, c.want) || err != nil {
			t.Errorf("%s %s: got %q, %v, want %q", c.method, c.parameters, got, err, c.want)
		}
	}
}

func TestFinds(t *testing.T) {
	for _, c := range []struct {
		method, id string
		want       bool
	}{
		{"Get", "hall", true}, {"Get", "cellar", false}, {"SetMany", "yard", true}, {"SetMany", "cellar", false}, {"Watch", "far", true}, {"Reset", "hall", false},
	} {
		if got := newToy(t).method(t, c.method).Finds(c.id); got != c.want {
			t.Errorf("%s finds %s: %t, want %t", c.method, c.id, got, c.want)
		}
	}
}

func TestSeveralBusesAreRefused(t *testing.T) {
	y := newToy(t)
	if err := y.lamps.Add(&lamp{id: "farther", bus: "spi0"}); err != nil {
		t.Fatal(err)
	}
	bus, err := y.permit(t, "SetMany", `{"lamps":["hall","far","farther"],"level":1}`).Bus()
	want := "lamps: names devices on several slow buses, i2c-1 and spi0: make a call for each"
	if err == nil || err.Error() != want || bus != "" {
		t.Errorf("got %q, %v, want %s", bus, err, want)
	}
}

// A call is used again, and nothing of the one before is in it: no parameter, no device, no result.
func TestReuse(t *testing.T) {
	y := newToy(t)
	m := y.method(t, "Note")
	first := y.decode(t, "Note", `{"lamp":"hall","text":"x","count":3,"list":["a"]}`)
	permitted, err := first.Authorise(open{})
	if err != nil {
		t.Fatal(err)
	}
	if err := permitted.Run(holder("")); err != nil {
		t.Fatal(err)
	}
	first.Release()

	second := y.decode(t, "Note", `{"lamp":"yard"}`)
	if second != first {
		t.Fatalf("the second call is %p, want the first one again, %p", second, first)
	}
	if got, want := shown(second), []string{`lamp="yard"`}; !slices.Equal(got, want) {
		t.Errorf("the second call shows %q, want %q", got, want)
	}
	permitted, err = second.Authorise(open{})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(permitted.Reply(nil)); got != `{}` {
		t.Errorf("before it ran, the second call's results are %s, want {}", got)
	}
	second.Release()

	if _, err := m.Decode(wire.Value(`{"lamp":"hall","text":"x","list":[1]}`)); err == nil {
		t.Fatal("Decode of a bad call = nil, want an error")
	}
	third := y.decode(t, "Note", `{"lamp":"hall"}`)
	if third != first {
		t.Fatalf("the call behind a bad one is %p, want the first one again, %p", third, first)
	}
	if got, want := shown(third), []string{`lamp="hall"`}; !slices.Equal(got, want) {
		t.Errorf("the call behind a bad one shows %q, want %q", got, want)
	}
}

func TestReuseOfSeveralDevices(t *testing.T) {
	y := newToy(t)
	first := y.decode(t, "SetMany", `{"lamps":["hall","cellar"],"level":9}`)
	first.Release()
	second := y.decode(t, "SetMany", `{"lamps":["yard"],"level":0}`)
	if second != first {
		t.Fatalf("the second call is %p, want the first one again, %p", second, first)
	}
	if got, want := shown(second), []string{`lamps="yard"`, "level=0"}; !slices.Equal(got, want) {
		t.Errorf("the second call shows %q, want %q", got, want)
	}
	if got := second.Devices(); got != 1 {
		t.Errorf("the second call has %d devices, want 1", got)
	}
	second.Release()
	if _, err := y.method(t, "SetMany").Decode(wire.Value(`{"lamps":["hall","yard"]}`)); err == nil {
		t.Fatal("Decode without a level = nil, want an error")
	}
	if third := y.decode(t, "SetMany", `{"lamps":["far"],"level":0}`); third.Devices() != 1 || third.DeviceID(0) != "far" {
		t.Errorf("the call behind a bad one names %q, want far alone", shown(third))
	}
}

// Two calls that are under way at once have nothing in common.
func TestCallsAtOnce(t *testing.T) {
	y := newToy(t)
	one := y.decode(t, "Set", `{"lamp":"hall","level":1}`)
	two := y.decode(t, "Set", `{"lamp":"yard","level":2}`)
	if got, want := append(shown(one), shown(two)...), []string{`lamp="hall"`, "level=1", `lamp="yard"`, "level=2"}; !slices.Equal(got, want) {
		t.Errorf("the two calls show %q, want %q", got, want)
	}
}

// A typical call allocates nothing from its parameters to its reply, a gate that looks at the parameters included.
func TestACallAllocatesNothing(t *testing.T) {
	y := newToy(t)
	room := make([]byte, 0, 256)
	for _, gate := range []hal.Gate{open{}, new(within)} {
		n := testing.AllocsPerRun(100, func() {
			if err := callSet(y, gate, room); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("a call through %T made %v allocations, want 0", gate, n)
		}
	}
	if y.hall.level != 128 {
		t.Errorf("the level is %d, want 128", y.hall.level)
	}
}

// within is a gate with limits on a parameter.
type within struct{ over bool }

func (g *within) Permit(c *hal.Call) error {
	g.over = false
	c.Examine(g)
	if g.over {
		return errShut
	}
	return nil
}

func (g *within) Examine(path string, v hal.Scalar) {
	g.over = g.over || path == "level" && v.Int > 128
}

var setHall = wire.Value(`{"lamp":"hall","level":128}`)

func callSet(y *toy, gate hal.Gate, room []byte) error {
	call, err := y.class.Methods[1].Decode(setHall)
	if err != nil {
		return err
	}
	defer call.Release()
	permitted, err := call.Authorise(gate)
	if err != nil {
		return err
	}
	if err := permitted.Run(holder("")); err != nil {
		return err
	}
	if got := permitted.Reply(room); string(got) != "{}" {
		return errors.New("the reply is " + string(got))
	}
	return nil
}

func BenchmarkSet(b *testing.B) {
	y := newToy(b)
	room := make([]byte, 0, 256)
	for _, bench := range []struct {
		name string
		gate hal.Gate
	}{{"open gate", open{}}, {"gate with limits", new(within)}} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := callSet(y, bench.gate, room); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// The devices that a call names, and the messages inside its message, cost nothing each.
func TestElementsAllocateNothingEach(t *testing.T) {
	y := newToy(t)
	decode := func(m *hal.Method, text string) float64 {
		parameters := wire.Value(text)
		gate := new(within)
		return testing.AllocsPerRun(100, func() {
			call, err := m.Decode(parameters)
			if err != nil {
				t.Fatal(err)
			}
			_ = gate.Permit(call)
			call.Release()
		})
	}
	if n := decode(y.method(t, "SetMany"), `{"lamps":["hall","yard","far"],"level":1}`); n != 0 {
		t.Errorf("a call that names three devices makes %v allocations, want 0", n)
	}
	if n := decode(y.method(t, "Watch"), `{"lamps":["hall","yard","far"]}`); n != 0 {
		t.Errorf("a watch that names three devices makes %v allocations, want 0", n)
	}

	const most = 3 // of the message itself, of those inside, and of the list
	list := &bits{make([]bit, 16)}
	text := hal.Encode(nil, list)
	if n := testing.AllocsPerRun(100, func() { _ = hal.Encode(text[:0], list) }); n > most {
		t.Errorf("encoding 16 messages makes %v allocations, want %d at most", n, most)
	}
	text = hal.Encode(nil, list)
	read := func() {
		if err := hal.Decode(text, new(bits)); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(100, read); n > most+5 { // the list grows to 16 in five steps
		t.Errorf("decoding 16 messages makes %v allocations, want %d at most", n, most+5)
	}
}

type bits struct{ Bits []bit }

func (m *bits) Fields(f *hal.Fields) { hal.Each(f, "bits", &m.Bits, 0, 16, "") }
