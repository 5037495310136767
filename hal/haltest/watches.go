package haltest

import (
	"bytes"

	"github.com/halberd-io/halberd/hal/wire"
)

// watches makes each watch for a reader that takes every event, and for one that takes none until it is over.
func watches(f *findings) {
	f.eachCall(func(b *bench, c Call) {
		if m := b.method(c.Method); m != nil && m.Watches && c.Refusal == "" {
			f.watch(b, c, false)
		}
	})
	f.eachCall(func(b *bench, c Call) {
		if m := b.method(c.Method); m != nil && m.Watches && c.Refusal == "" {
			f.watch(b, c, true)
		}
	})
}

// watch makes one watch, on hardware on which nothing happens.
func (f *findings) watch(b *bench, c Call, slow bool) {
	where := c.String()
	if slow {
		where += ", of a slow reader"
	}
	once, err := b.run(c) // of several devices there is no such state
	r := &reader{loop: b.loop, blocked: slow}
	s, failed := b.watchFor(c, r)
	if failed != nil {
		f.add("%s: %v", where, failed)
		return
	}
	if failed = b.pass(); failed == nil {
		r.blocked = false
		failed = try(func() error { s.Flush(); return nil })
	}
	if failed != nil {
		f.add("%s: %v", where, failed)
	}
	f.numbered(where, r.events)
	if err == nil && len(r.events) > 0 && !bytes.Equal(r.events[0], once) {
		f.add("%s: the first event is %s, and without more the state is %s", where, r.events[0], once)
	}
	if most := max(s.Call().Devices(), 1); len(r.events) != most {
		f.add("%s: %d events, and nothing happened, want the %d states alone", where, len(r.events), most)
	}
}

// numbered expects that the events are counted from 1, with those that were lost.
func (f *findings) numbered(where string, events [][]byte) {
	last := int64(0)
	for _, e := range events {
		sequence, lost := counters(e)
		if sequence != last+lost+1 || lost < 0 {
			f.add("%s: event %d with %d lost follows event %d", where, sequence, lost, last)
		}
		last = sequence
	}
}

// counters reads those of an event; what is not there is -1.
func counters(event []byte) (sequence, lost int64) {
	sequence, lost = -1, -1
	_ = wire.Each(wire.Trim(event), func(key []byte, v wire.Value) error {
		switch string(key) {
		case "sequence":
			sequence, _ = v.Int()
		case "lost":
			lost, _ = v.Int()
		}
		return nil
	})
	return sequence, lost
}
