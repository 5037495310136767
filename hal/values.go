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
	return declare(verb, name, doc, values.Name, func() *operation {
		o, in, out := newOperation[P, R, PP, PR](finding[D]{set}, values.Name)
		o.many, o.values = true, &values
		o.run = func(Holder) error { return run(devicesOf[D](o), o.numbers, in, out) }
		return o
	})
}

func (o *operation) visitValues(f *Fields) {
	d := o.values
	switch f.mode {
	case describing:
		f.declare(Field{Name: d.Name, Kind: IntMap, Unit: d.Unit, Min: 1, Max: maxDevices, Each: &d.Of, Doc: d.Doc})
	case decoding:
		if v, ok := f.take(d.Name, false); ok {
			o.decodeValues(f, v)
		}
	case examining:
		for _, n := range o.numbers {
			f.examiner.Examine(d.Name, Scalar{Kind: Int, Int: n})
		}
	}
}

// decodeValues reads the map. What is wrong with a device's name is told as the path of the map: the name may be anything.
func (o *operation) decodeValues(f *Fields, v wire.Value) {
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
	if len(o.targets) == 0 {
		f.fail(o.name, "must have at least 1 members")
	}
}

// member reads one device and its value.
func (o *operation) member(f *Fields, key []byte, v wire.Value) {
	one := o.resolve(f, o.name, key)
	if f.err != nil {
		return
	}
	at := o.name + "." + one.id
	if o.names(one.id) {
		f.fail(at, "given twice")
	}
	if len(o.targets) == maxDevices {
		f.fail(o.name, fmt.Sprintf("must not have more than %d members", maxDevices))
	}
	o.targets = append(o.targets, one)
	o.numbers = append(o.numbers, f.integer(at, v, o.values.Of.Min, o.values.Of.Max))
}
