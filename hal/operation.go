package hal

import (
	"errors"
	"fmt"
	"strings"

	"github.com/halberd-io/halberd/hal/wire"
)

// maxDevices is how many devices one call may name: what one GPIO request takes.
const maxDevices = 64

// target is a device as a call names it.
type target[D Device] struct {
	id    string
	dev   D
	found bool
}

// resolve looks a name up. An unknown name is kept, since the gate decides before anything is said about it.
func (t *target[D]) resolve(f *Fields, set Finder[D], at string, v wire.Value) {
	name := f.text(at, v)
	if f.err == nil {
		t.find(f, set, at, name)
	}
}

// find is resolve for a name that was read.
func (t *target[D]) find(f *Fields, set Finder[D], at string, name []byte) {
	if t.dev, t.found = set.Find(name); t.found {
		t.id = t.dev.ID()
		return
	}
	t.id = string(name)
	if err := CheckID(t.id); err != nil {
		f.fail(at, err.Error())
	}
}

func (t *target[D]) device() Device {
	if !t.found {
		return nil
	}
	return t.dev
}

// onOne is a call on one device.
type onOne[D Device, P, R any, PP messageOf[P], PR messageOf[R]] struct {
	set Finder[D]
	target[D]
	in  P
	out R
	do  func(D, *P, *R) error
}

func (o *onOne[D, P, R, PP, PR]) params(f *Fields) {
	name := o.set.Param()
	switch f.mode {
	case describing:
		f.declare(Field{Name: name, Kind: Text, Min: 1, Max: MaxID, Doc: "The device's ID."})
	case decoding:
		if v, ok := f.take(name, false); ok {
			o.resolve(f, o.set, name, v)
		}
	case examining:
		f.examiner.Examine(name, Scalar{Kind: Text, Text: o.id})
	}
	PP(&o.in).Fields(f)
}

func (o *onOne[D, P, R, PP, PR]) results(f *Fields)      { PR(&o.out).Fields(f) }
func (o *onOne[D, P, R, PP, PR]) devices() int           { return 1 }
func (o *onOne[D, P, R, PP, PR]) device(int) Device      { return o.target.device() }
func (o *onOne[D, P, R, PP, PR]) deviceID(int) string    { return o.id }
func (o *onOne[D, P, R, PP, PR]) missing(int) Refusal    { return o.set.Missing(o.id) }
func (o *onOne[D, P, R, PP, PR]) finds(id string) bool   { _, ok := o.set.Find([]byte(id)); return ok }
func (o *onOne[D, P, R, PP, PR]) run(Holder) error       { return o.do(o.dev, &o.in, &o.out) }
func (o *onOne[D, P, R, PP, PR]) watch(s *Session) error { return errNoWatch }

func (o *onOne[D, P, R, PP, PR]) reset() {
	o.target, o.in, o.out = target[D]{}, *new(P), *new(R)
}

// targets are the devices of a call on several.
type targets[D Device] struct {
	set  Finder[D]
	name string // of the parameter
	list []target[D]
}

func targetsOf[D Device](set Finder[D]) targets[D] {
	return targets[D]{set: set, name: plural(set.Param())}
}

// plural names the parameter for several of what a parameter names: leds, supplies.
func plural(param string) string {
	if stem, ok := strings.CutSuffix(param, "y"); ok && stem != "" && !strings.ContainsAny(stem[len(stem)-1:], "aeiou") {
		return stem + "ies"
	}
	return param + "s"
}

func (t *targets[D]) visit(f *Fields) {
	name := t.name
	switch f.mode {
	case describing:
		f.declare(Field{Name: name, Kind: Texts, Min: 1, Max: maxDevices, Doc: "The devices' IDs, each once."})
	case decoding:
		if v, ok := f.take(name, false); ok {
			f.elements(name, v, 1, maxDevices, func(v wire.Value) { t.add(f, name, v) })
		}
	case examining:
		for i := range t.list {
			f.examiner.Examine(name, Scalar{Kind: Text, Text: t.list[i].id})
		}
	}
}

func (t *targets[D]) add(f *Fields, at string, v wire.Value) {
	var one target[D]
	one.resolve(f, t.set, at, v)
	for i := range t.list {
		if t.list[i].id == one.id {
			f.fail(at, fmt.Sprintf("%q is given twice", one.id))
		}
	}
	t.list = append(t.list, one)
}

func (t *targets[D]) devices() int          { return len(t.list) }
func (t *targets[D]) device(i int) Device   { return t.list[i].device() }
func (t *targets[D]) deviceID(i int) string { return t.list[i].id }
func (t *targets[D]) missing(i int) Refusal { return t.set.Missing(t.list[i].id) }
func (t *targets[D]) finds(id string) bool  { _, ok := t.set.Find([]byte(id)); return ok }
func (t *targets[D]) clear()                { clear(t.list); t.list = t.list[:0] }

func (t *targets[D]) found() []D {
	all := make([]D, len(t.list))
	for i := range t.list {
		all[i] = t.list[i].dev
	}
	return all
}

// onMany is a call on several devices.
type onMany[D Device, P, R any, PP messageOf[P], PR messageOf[R]] struct {
	targets[D]
	in  P
	out R
	do  func([]D, *P, *R) error
}

func (o *onMany[D, P, R, PP, PR]) params(f *Fields) {
	o.visit(f)
	PP(&o.in).Fields(f)
}

func (o *onMany[D, P, R, PP, PR]) results(f *Fields)      { PR(&o.out).Fields(f) }
func (o *onMany[D, P, R, PP, PR]) run(Holder) error       { return o.do(o.found(), &o.in, &o.out) }
func (o *onMany[D, P, R, PP, PR]) watch(s *Session) error { return errNoWatch }

func (o *onMany[D, P, R, PP, PR]) reset() {
	o.clear()
	o.in, o.out = *new(P), *new(R)
}

// plain is a call without a device.
type plain[P, R any, PP messageOf[P], PR messageOf[R]] struct {
	in  P
	out R
	do  func(Holder, *P, *R) error
}

func (o *plain[P, R, PP, PR]) params(f *Fields)       { PP(&o.in).Fields(f) }
func (o *plain[P, R, PP, PR]) results(f *Fields)      { PR(&o.out).Fields(f) }
func (o *plain[P, R, PP, PR]) devices() int           { return 0 }
func (o *plain[P, R, PP, PR]) device(int) Device      { return nil }
func (o *plain[P, R, PP, PR]) deviceID(int) string    { return "" }
func (o *plain[P, R, PP, PR]) missing(int) Refusal    { return nil }
func (o *plain[P, R, PP, PR]) finds(string) bool      { return false }
func (o *plain[P, R, PP, PR]) run(h Holder) error     { return o.do(h, &o.in, &o.out) }
func (o *plain[P, R, PP, PR]) watch(s *Session) error { return errNoWatch }

func (o *plain[P, R, PP, PR]) reset() { o.in, o.out = *new(P), *new(R) }

// later is a call without a device that is answered later.
type later[P, R any, PP messageOf[P], PR messageOf[R]] struct {
	plain[P, R, PP, PR]
	start func(Holder, *P, *R, func(error))
}

// errLater is what running such a call at once gives.
var errLater = errors.New("cannot run a call at once that is answered later")

func (o *later[P, R, PP, PR]) run(Holder) error                 { return errLater }
func (o *later[P, R, PP, PR]) begin(h Holder, done func(error)) { o.start(h, &o.in, &o.out, done) }

// onHeld is a call on one device by somebody.
type onHeld[D Device, P, R any, PP messageOf[P], PR messageOf[R]] struct {
	onOne[D, P, R, PP, PR]
	held func(D, Holder, *P, *R) error
}

func (o *onHeld[D, P, R, PP, PR]) run(h Holder) error { return o.held(o.dev, h, &o.in, &o.out) }

// onLater is a call on one device that is answered later.
type onLater[D Device, P, R any, PP messageOf[P], PR messageOf[R]] struct {
	onOne[D, P, R, PP, PR]
	start func(D, Holder, *P, *R, func(error))
}

func (o *onLater[D, P, R, PP, PR]) run(Holder) error { return errLater }
func (o *onLater[D, P, R, PP, PR]) begin(h Holder, done func(error)) {
	o.start(o.dev, h, &o.in, &o.out, done)
}

// onManyLater is a call on several devices that is answered later.
type onManyLater[D Device, P, R any, PP messageOf[P], PR messageOf[R]] struct {
	onMany[D, P, R, PP, PR]
	start func([]D, Holder, *P, *R, func(error))
}

func (o *onManyLater[D, P, R, PP, PR]) run(Holder) error { return errLater }
func (o *onManyLater[D, P, R, PP, PR]) begin(h Holder, done func(error)) {
	o.start(o.found(), h, &o.in, &o.out, done)
}
