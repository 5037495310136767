package hal

import (
	"fmt"

	"github.com/halberd-io/halberd/hal/wire"
)

// Range is the values that an integer may have, both ends included.
type Range struct{ Min, Max int64 }

// Values declares the parameter of a method that gives each of several devices a value of its own: a map of the devices' IDs to integers.
type Values struct {
	Name string // of the parameter: values
	Of   Range  // what each may be
	Unit Unit
	Doc  string
}

// OnValues declares a method on several devices, each named once and with a value of its own, all or none permitted. run gets both in the order in which the caller named them.
func OnValues[D Device, P, R any, PP messageOf[P], PR messageOf[R]](set Finder[D], verb Verb, values Values, name, doc string, run func(devices []D, values []int64, in *P, out *R) error) *Method {
	return declare(verb, name, doc, values.Name, func() operation {
		return &onValues[D, P, R, PP, PR]{targets: targets[D]{set: set, name: values.Name}, declared: &values, do: run}
	})
}

// onValues is a call on several devices with a value for each.
type onValues[D Device, P, R any, PP messageOf[P], PR messageOf[R]] struct {
	targets[D]
	declared *Values
	values   []int64 // of the targets, one by one
	in       P
	out      R
	do       func([]D, []int64, *P, *R) error
}

func (o *onValues[D, P, R, PP, PR]) params(f *Fields) {
	d := o.declared
	switch f.mode {
	case describing:
		f.declare(Field{Name: d.Name, Kind: IntMap, Unit: d.Unit, Min: 1, Max: maxDevices, Each: &d.Of, Doc: d.Doc})
	case decoding:
		if v, ok := f.take(d.Name, false); ok {
			o.decode(f, v)
		}
	case examining:
		for _, n := range o.values {
			f.examiner.Examine(d.Name, Scalar{Kind: Int, Int: n})
		}
	}
	PP(&o.in).Fields(f)
}

// decode reads the map. What is wrong with a device's name is told as the path of the map: the name may be anything.
func (o *onValues[D, P, R, PP, PR]) decode(f *Fields, v wire.Value) {
	if v.Kind() != wire.Object {
		f.fail(o.name, "must be an object, not "+v.Kind().String())
		return
	}
	_ = wire.Each(v, func(key []byte, v wire.Value) error {
		o.member(f, key, v)
		if f.err != nil {
			return f.err
		}
		return nil
	})
	if len(o.list) == 0 {
		f.fail(o.name, "must have at least 1 members")
	}
}

// member reads one device and its value.
func (o *onValues[D, P, R, PP, PR]) member(f *Fields, key []byte, v wire.Value) {
	var one target[D]
	one.find(f, o.set, o.name, key)
	if f.err != nil {
		return
	}
	at := o.name + "." + one.id
	for i := range o.list {
		if o.list[i].id == one.id {
			f.fail(at, "given twice")
		}
	}
	if len(o.list) == maxDevices {
		f.fail(o.name, fmt.Sprintf("must not have more than %d members", maxDevices))
	}
	o.list = append(o.list, one)
	o.values = append(o.values, f.integer(at, v, o.declared.Of.Min, o.declared.Of.Max))
}

func (o *onValues[D, P, R, PP, PR]) results(f *Fields)      { PR(&o.out).Fields(f) }
func (o *onValues[D, P, R, PP, PR]) watch(s *Session) error { return errNoWatch }

func (o *onValues[D, P, R, PP, PR]) run(Holder) error {
	return o.do(o.found(), o.values, &o.in, &o.out)
}

func (o *onValues[D, P, R, PP, PR]) reset() {
	o.clear()
	o.values = o.values[:0]
	o.in, o.out = *new(P), *new(R)
}
