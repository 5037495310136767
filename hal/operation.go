package hal

import (
	"errors"
	"fmt"
	"strings"

	"github.com/halberd-io/halberd/hal/wire"
)

// maxDevices is how many devices one call may name: what one GPIO request takes.
const maxDevices = 64

// operation is one call of a method: the storage for its parameters and results, and what is done with them. What depends on their types is in a few functions that the method's declaration
// makes, and the rest is the same code for all: with type parameters throughout, the methods were 500 KB of the ARMv7 binary.
type operation struct {
	set     finder  // nil for a method without devices
	name    string  // of the parameter that names the devices; "" without
	many    bool    // it names several
	values  *Values // that it gives to each; nil without
	targets []target
	numbers []int64 // the values, one for each target
	single  [1]target
	in, out Message
	events  bool // the results are those of a watch

	clear func()                               // makes in and out as new
	run   func(h Holder) error                 // nil for a call that is answered later
	begin func(h Holder, done func(err error)) // of one that is
	watch func(s *Session) error               // nil for a method that reports no changes
}

// finder is a Finder of any kind of device.
type finder interface {
	Param() string
	find(id []byte) (Device, bool)
	Missing(id string) Refusal
}

// finding is a Finder as a finder.
type finding[D Device] struct{ Finder[D] }

func (f finding[D]) find(id []byte) (Device, bool) { return f.Find(id) }

// newOperation makes the operation of a method with its storage.
func newOperation[P, R any, PP messageOf[P], PR messageOf[R]](set finder, name string) (o *operation, in *P, out *R) {
	in, out = new(P), new(R)
	o = &operation{set: set, name: name, in: PP(in), out: PR(out)}
	o.targets = o.single[:0]
	o.clear = func() { *in, *out = *new(P), *new(R) }
	return o, in, out
}

// devicesOf gives the devices of a call on several.
func devicesOf[D Device](o *operation) []D {
	all := make([]D, len(o.targets))
	for i := range o.targets {
		all[i] = o.targets[i].dev.(D)
	}
	return all
}

// target is a device as a call names it.
type target struct {
	id  string
	dev Device // nil where there is no such device
}

// resolve looks a name up. An unknown name is kept, since the gate decides before anything is said about it.
func (o *operation) resolve(f *Fields, at string, name []byte) (t target) {
	if dev, found := o.set.find(name); found {
		return target{dev.ID(), dev}
	}
	t.id = string(name)
	if err := CheckID(t.id); err != nil {
		f.fail(at, err.Error())
	}
	return t
}

// params visits the parameters.
func (o *operation) params(f *Fields) {
	switch {
	case o.set == nil:
	case o.values != nil:
		o.visitValues(f)
	case o.many:
		o.visitMany(f)
	default:
		o.visitOne(f)
	}
	o.in.Fields(f)
}

func (o *operation) visitOne(f *Fields) {
	switch f.mode {
	case describing:
		f.declare(Field{Name: o.name, Kind: Text, Min: 1, Max: MaxID, Doc: "The device's ID."})
	case decoding:
		if v, ok := f.take(o.name, false); ok {
			if name := f.text(o.name, v); f.err == nil {
				o.targets = append(o.targets, o.resolve(f, o.name, name))
			}
		}
	case examining:
		f.examiner.Examine(o.name, Scalar{Kind: Text, Text: o.targets[0].id})
	}
}

func (o *operation) visitMany(f *Fields) {
	switch f.mode {
	case describing:
		f.declare(Field{Name: o.name, Kind: Texts, Min: 1, Max: maxDevices, Doc: "The devices' IDs, each once."})
	case decoding:
		if v, ok := f.take(o.name, false); ok {
			f.elements(o.name, v, 1, maxDevices, func(v wire.Value) { o.element(f, v) })
		}
	case examining:
		for i := range o.targets {
			f.examiner.Examine(o.name, Scalar{Kind: Text, Text: o.targets[i].id})
		}
	}
}

// element reads one device of several.
func (o *operation) element(f *Fields, v wire.Value) {
	name := f.text(o.name, v)
	if f.err != nil {
		return
	}
	t := o.resolve(f, o.name, name)
	if o.names(t.id) {
		f.fail(o.name, fmt.Sprintf("%q is given twice", t.id))
	}
	o.targets = append(o.targets, t)
}

// names reports whether the call names a device already.
func (o *operation) names(id string) bool {
	for i := range o.targets {
		if o.targets[i].id == id {
			return true
		}
	}
	return false
}

// results visits the results.
func (o *operation) results(f *Fields) {
	if o.events {
		var first, none int64 = 1, 0
		eventFields(f, o.out, &first, &none)
	} else {
		o.out.Fields(f)
	}
}

// device is nil where there is no such device.
func (o *operation) device(i int) Device { return o.targets[i].dev }

// finds reports whether a call may name a device.
func (o *operation) finds(id string) bool {
	if o.set == nil {
		return false
	}
	_, found := o.set.find([]byte(id))
	return found
}

func (o *operation) reset() {
	clear(o.targets)
	o.targets, o.numbers = o.targets[:0], o.numbers[:0]
	o.clear()
}

// errLater is what running a call at once gives that is answered later.
var errLater = errors.New("cannot run a call at once that is answered later")

// plural names the parameter for several of what a parameter names: leds, supplies.
func plural(param string) string {
	if stem, ok := strings.CutSuffix(param, "y"); ok && stem != "" && !strings.ContainsAny(stem[len(stem)-1:], "aeiou") {
		return stem + "ies"
	}
	return param + "s"
}
