// Package configtest has a small catalog of made-up classes, with every kind of parameter that a grant can limit, for the tests of files and of policies.
package configtest

import (
	"fmt"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/wire"
)

// Thing is a device without hardware.
type Thing string

// ID is the thing itself.
func (t Thing) ID() string { return string(t) }

// Bus is none.
func (t Thing) Bus() string { return "" }

// Catalog makes a catalog of the classes Led, Gpio and I2c, of Board, Policy and org.varlink.service, and of a few devices. It panics where it contradicts itself.
//
//	Led.Get(led), Led.Set(led, brightness, ?rampMSec, ?mode, ?steady), Led.Count()
//	Gpio.Get(lines), Gpio.Set(lines, values, ?label), Gpio.Reset(line)
//	I2c.Transfer(bus, messages: [](address, ?length, ?bytes, ?write), tags, ?codes, ?note, data, ?extra)
//	Board.List(), Board.Describe(device), Board.Safe(device); Policy.WhoAmI(), Policy.Reload(?generation)
func Catalog() *hal.Catalog {
	cat := hal.NewCatalog()
	for _, i := range []*hal.Interface{
		{Name: "org.varlink.service", Methods: []*hal.Method{plain[hal.None](hal.Observe, "GetInfo")}},
		class("Led", leds()), class("Gpio", lines()), class("I2c", buses()),
		class("Board", board()),
		class("Policy", []*hal.Method{plain[hal.None](hal.Observe, "WhoAmI"), plain[reload](hal.Administer, "Reload")}),
	} {
		if err := cat.Add(i); err != nil {
			panic(err)
		}
	}
	return cat
}

// Devices are the IDs that the classes have, as methods name them.
func Devices(class string) []string {
	return map[string][]string{
		"Led":   {"front", "panel-1", "panel-2", "back"},
		"Gpio":  {"relay-pump", "relay-fan", "chip/4", "chip/5"},
		"I2c":   {"eeprom"},
		"Board": {"Led/front", "Led/back", "Gpio/relay-pump", "Gpio/chip/4", "I2c/eeprom"},
	}[class]
}

// Call decodes a call, and panics where the parameters do not fit the method.
func Call(cat *hal.Catalog, method, parameters string) *hal.Call {
	m := cat.Method([]byte(method))
	if m == nil {
		panic("no method " + method)
	}
	if err := wire.Valid([]byte(parameters)); err != nil {
		panic(err)
	}
	c, err := m.Decode(wire.Value(parameters))
	if err != nil {
		panic(fmt.Sprintf("%s %s: %v", method, parameters, err))
	}
	return c
}

func class(name string, methods []*hal.Method) *hal.Interface {
	return &hal.Interface{Name: "io.halberd." + name, Class: name, Methods: methods}
}

func set(class, param string) *hal.Set[Thing] {
	s := hal.NewSet[Thing](class, param)
	for _, id := range Devices(class) {
		if err := s.Add(Thing(id)); err != nil {
			panic(err)
		}
	}
	return s
}

func leds() []*hal.Method {
	all := set("Led", "led")
	return []*hal.Method{
		one[hal.None](all, hal.Observe, "Get"),
		one[level](all, hal.Control, "Set"),
		plain[hal.None](hal.Observe, "Count"),
	}
}

func lines() []*hal.Method {
	all := set("Gpio", "line")
	return []*hal.Method{
		many[hal.None](all, hal.Observe, "Get"),
		many[values](all, hal.Control, "Set"),
		one[hal.None](all, hal.Hazard, "Reset"),
	}
}

func buses() []*hal.Method {
	return []*hal.Method{one[transfer](set("I2c", "bus"), hal.Hazard, "Transfer")}
}

func board() []*hal.Method {
	all := set("Board", "device")
	return []*hal.Method{
		plain[hal.None](hal.Observe, "List"),
		one[hal.None](all, hal.Observe, "Describe"),
		one[hal.None](all, hal.Hazard, "Safe"),
	}
}

// message is a pointer to the fields of a message.
type message[T any] interface {
	*T
	hal.Message
}

func one[P any, PP message[P]](all *hal.Set[Thing], verb hal.Verb, name string) *hal.Method {
	return hal.On[Thing, P, hal.None, PP](all, verb, name, "", func(Thing, *P, *hal.None) error { return nil })
}

func many[P any, PP message[P]](all *hal.Set[Thing], verb hal.Verb, name string) *hal.Method {
	return hal.OnMany[Thing, P, hal.None, PP](all, verb, name, "", func([]Thing, *P, *hal.None) error { return nil })
}

func plain[P any, PP message[P]](verb hal.Verb, name string) *hal.Method {
	return hal.Plain[P, hal.None, PP](verb, name, "", func(hal.Holder, *P, *hal.None) error { return nil })
}

type level struct {
	brightness int64
	ramp       hal.Opt[int64]
	mode       hal.Opt[string]
	steady     hal.Opt[bool]
}

func (p *level) Fields(f *hal.Fields) {
	f.Int("brightness", &p.brightness, hal.Unitless, "")
	f.OptInt("rampMSec", &p.ramp, hal.Milliseconds, "")
	f.OptEnum("mode", &p.mode, []string{"once", "repeat"}, "")
	f.OptBool("steady", &p.steady, "")
}

type values struct {
	values map[string]int64
	label  hal.Opt[string]
}

func (p *values) Fields(f *hal.Fields) {
	f.IntMap("values", &p.values, 0, 64, hal.Unitless, "")
	f.OptText("label", &p.label, "")
}

type transfer struct {
	messages []part
	tags     []string
	codes    hal.Opt[[]int64]
	note     hal.Opt[string]
	data     []byte
	extra    wire.Value
}

func (p *transfer) Fields(f *hal.Fields) {
	hal.Each(f, "messages", &p.messages, 0, 16, "")
	f.Texts("tags", &p.tags, 0, 8, "")
	f.OptInts("codes", &p.codes, 0, 8, hal.Unitless, "")
	f.OptText("note", &p.note, "")
	f.Blob("data", &p.data, 64, "")
	f.OptRaw("extra", &p.extra, "")
}

type part struct {
	address int64
	length  hal.Opt[int64]
	bytes   hal.Opt[[]int64]
	write   hal.Opt[[]byte]
}

func (p *part) Fields(f *hal.Fields) {
	f.Int("address", &p.address, hal.Unitless, "")
	f.OptInt("length", &p.length, hal.Bytes, "")
	f.OptInts("bytes", &p.bytes, 0, 16, hal.Unitless, "")
	f.OptBlob("write", &p.write, 16, "")
}

type reload struct{ generation hal.Opt[int64] }

func (p *reload) Fields(f *hal.Fields) { f.OptInt("generation", &p.generation, hal.Unitless, "") }
