package haltest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/wire"
)

// calls makes each call of the harness once.
func calls(f *findings) {
	made := map[string]bool{}
	var methods []string
	f.eachCall(func(b *bench, c Call) {
		made[c.Method] = true
		f.call(b, c)
	})
	f.with(func(b *bench) {
		for _, m := range b.class.Methods {
			methods = append(methods, m.Name)
		}
	})
	for _, name := range methods {
		if !made[name] {
			f.add("the harness has no call of %s", name)
		}
	}
}

// eachCall gives each call a class of its own.
func (f *findings) eachCall(do func(*bench, Call)) {
	h := f.open()
	if h.Close != nil {
		h.Close()
	}
	for _, c := range h.Calls {
		f.with(func(b *bench) { do(b, c) })
	}
}

func (c Call) String() string { return c.Method + " " + c.Parameters }

func (f *findings) call(b *bench, c Call) {
	m := b.method(c.Method)
	if m == nil {
		f.add("the harness has a call of %s, and there is no such method", c.Method)
		return
	}
	b.recorder.Reset()
	reply, err := b.run(c)
	f.answer(c.String(), c, m, reply, err)
	if err == nil && m.Watches {
		f.events(b, c, m)
	}
	if m.Verb != hal.Observe {
		return
	}
	for _, k := range b.recorder.Written() {
		if k.Op == Pwrite || k.Op == Write {
			f.add("%s: it observes, and writes: %s", c, k.String())
		}
	}
}

// answer compares what came back with what the harness and the declarations say.
func (f *findings) answer(where string, c Call, m *hal.Method, reply []byte, err error) {
	var refusal hal.Refusal
	switch {
	case err == nil && c.Refusal != "":
		f.add("%s: it is carried out, want it refused as %s", where, c.Refusal)
	case err == nil:
		f.declares(where, m.Out, reply)
	case errors.As(err, &refusal) && refusal.ErrorName() == c.Refusal:
	default:
		f.add("%s: %v", where, err)
	}
}

// events begins the same call with more: the state of each device comes at once.
func (f *findings) events(b *bench, c Call, m *hal.Method) {
	r, _, err := b.watch(c)
	if err != nil {
		f.add("%s with more: %v", c, err)
		return
	}
	if len(r.events) == 0 {
		f.add("%s with more: the current state does not come", c)
	}
	if err := b.pass(); err != nil {
		f.add("%s with more: %v", c, err)
	}
	for i, e := range r.events {
		f.declares(fmt.Sprintf("%s, event %d", c, i+1), m.Out, e)
	}
}

// declares expects that a message has the declared fields, within their limits, and no others.
func (f *findings) declares(where string, fields []hal.Field, text []byte) {
	if err := wire.Valid(text); err != nil {
		f.add("%s: %v: %.200s", where, err, text)
		return
	}
	if err := wire.Unique(wire.Trim(text)); err != nil {
		f.add("%s: %v: %.200s", where, err, text)
	}
	f.declared(where, fields, wire.Trim(text))
}

func (f *findings) declared(where string, fields []hal.Field, message wire.Value) {
	given := map[string]bool{}
	err := wire.Each(message, func(key []byte, v wire.Value) error {
		name := string(key)
		given[name] = true
		i := slices.IndexFunc(fields, func(d hal.Field) bool { return d.Name == name })
		if i < 0 {
			f.add("%s: %s is not declared", where, name)
			return nil
		}
		f.within(where+": "+name, fields[i], v)
		return nil
	})
	if err != nil {
		f.add("%s: %v", where, err)
	}
	for _, d := range fields {
		if !d.Optional && !given[d.Name] {
			f.add("%s: %s is not there", where, d.Name)
		}
	}
}

// within expects a result to be of its declared kind and within its declared limits.
func (f *findings) within(at string, d hal.Field, v wire.Value) {
	if v.Kind() != jsonKinds[d.Kind] {
		f.add("%s is %s", at, v.Kind())
		return
	}
	n := int64(0)
	count := func(wire.Value) { n++ }
	switch d.Kind {
	case hal.Int, hal.FileIndex:
		n, _ = v.Int()
	case hal.Enum:
		if word, _ := v.Text(); !slices.Contains(d.Values, string(word)) {
			f.add("%s is %q, want one of %q", at, word, d.Values)
		}
		return
	case hal.Text:
		word, _ := v.Text()
		n = int64(len(word))
	case hal.Blob:
		data, err := v.Bytes()
		if err != nil {
			f.add("%s: %v", at, err)
		}
		n = int64(len(data))
	case hal.Texts, hal.Ints:
		_ = wire.Elements(v, func(_ int, e wire.Value) error { count(e); return nil })
	case hal.List:
		_ = wire.Elements(v, func(i int, e wire.Value) error {
			count(e)
			f.declared(fmt.Sprintf("%s[%d]", at, i), d.Fields, e)
			return nil
		})
	case hal.IntMap:
		_ = wire.Each(v, func(_ []byte, e wire.Value) error { count(e); return nil })
	default:
		return
	}
	if n < d.Min || n > d.Max {
		f.add("%s is %d (or so many), want %d to %d", at, n, d.Min, d.Max)
	}
}
