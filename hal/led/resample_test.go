package led

import (
	"testing"

	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
)

// hooked calls a function at the next read.
type hooked struct {
	*sim.Kernel
	atRead func()
}

func (k *hooked) Pread(fd int, p []byte, offset int64) (int, error) {
	if f := k.atRead; f != nil {
		k.atRead = nil
		f()
	}
	return k.Kernel.Pread(fd, p, offset)
}

// A watcher that comes just while the worker reads the light for the one that left does not let the light be looked at twice as often.
func TestNewWatcherWhileTheWorkerReads(t *testing.T) {
	k := &hooked{Kernel: bench()}
	b := simtest.Open(t, Driver(), k, false)
	b.Loop.Inline = true
	w := b.Watch("Watch", `{"leds":["far"]}`)
	b.Loop.Turn()
	k.atRead = func() {
		b.Loop.Post(func() {
			w.Stop()
			w = b.Watch("Watch", `{"leds":["far"]}`)
		})
	}
	b.Loop.Advance(period)
	if got := b.Loop.Timers(); got != 1 {
		t.Errorf("%d timers run for one light that is watched, want 1", got)
	}
	w.Stop()
	if got := b.Loop.Timers(); got != 0 {
		t.Errorf("%d timers run with nobody watching, want none", got)
	}
}
