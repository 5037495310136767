package haltest

import "strings"

// closed closes the class twice, with every call made and every watch running.
func closed(f *findings) {
	b := newBench(f.open())
	defer b.end()
	if err := b.openClass(); err != nil {
		f.add("cannot open the class: %v", err)
		return
	}
	for _, c := range b.harness.Calls {
		_, _ = b.run(c)
		if m := b.method(c.Method); m != nil && m.Watches {
			_, _, _ = b.watch(c)
		}
	}
	f.closeTwice(b)
	if left := b.left(); len(left) > 0 {
		f.add("closing leaves behind: %s", strings.Join(left, ", "))
	}
	b.recorder.Reset()
	if err := b.stopSessions(); err != nil {
		f.add("ending a watch of a class that is closed: %v", err)
	}
	if err := b.pass(); err != nil {
		f.add("after closing: %v", err)
	}
	if asked := b.recorder.Calls(); len(asked) > 0 {
		f.add("after closing the kernel is asked: %s", asked[0].String())
	}
}

func (f *findings) closeTwice(b *bench) {
	class := b.class
	b.class = nil
	if class.Close == nil {
		return
	}
	for _, when := range []string{"closing", "closing again"} {
		err := try(func() error {
			class.Close()
			b.loop.Turn()
			return nil
		})
		if err != nil {
			f.add("%s: %v", when, err)
		}
	}
}

// stopSessions ends the watches, as connections do that end after the class was closed.
func (b *bench) stopSessions() error {
	return try(func() error {
		for _, s := range b.sessions {
			s.Flush()
			s.Stop()
		}
		b.sessions = nil
		b.loop.Turn()
		return nil
	})
}
