package gpio

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/halberd-io/halberd/hal/sim"
)

// TestInterlockOverRestart: what the process before left active counts as active, and is left as it is.
func TestInterlockOverRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, forgetful(sim.Options{}), "near")
		h.entries = append(relays(h.chip), interlocked("either", `"lamp","free"`, `,"dead-time-msec":50`))
		h.start(true, 0)
		time.Sleep(50 * time.Millisecond) // in simulated time, as everything here
		h.set("free", 1)
		before := h.done()
		h.kill()
		h.start(false, 0)
		if got := h.done(); !slices.Equal(got, before) {
			t.Errorf("writes and edges are %v, want %v", got, before)
		}
		h.b.Expect("Set", `{"line":"lamp","value":1}`, `Interlocked{"group":"either","conflicting":"free"}`)
		h.set("free", 1)
		h.set("free", 0)
		h.b.Expect("Set", `{"line":"lamp","value":1}`, `Interlocked{"group":"either","conflicting":"free","retryAfterMSec":50}`)
		time.Sleep(50 * time.Millisecond)
		h.set("lamp", 1)
	})
}

// TestInterlockThatIsNew: of outputs that are active together when an interlock comes that forbids it, one stays so.
func TestInterlockThatIsNew(t *testing.T) {
	eachHouse(t, sim.Options{}, func(h *house) {
		h.start(true, 0)
		h.set("free", 1)
		h.expectLevels("without an interlock", "110110")
		h.kill()
		h.entries = append(relays(h.chip), interlocked("either", `"pump","free"`, ""))
		h.start(false, 0)
		h.expectLevels("with one", "110100")
		h.b.Expect("Set", `{"line":"free","value":1}`, `Interlocked{"group":"either","conflicting":"pump"}`)
		h.set("pump", 0)
		h.set("free", 1)
	})
}

// TestInterlockedPulseThatWasCut: the next process ends a pulse to 0 as it was to end, and nobody comes in between.
func TestInterlockedPulseThatWasCut(t *testing.T) {
	eachHouse(t, sim.Options{}, func(h *house) {
		h.entries = append(relays(h.chip), interlocked("either", `"pump","free"`, ""))
		h.start(true, 0)
		h.b.Loop.Advance(time.Second)
		h.expectLevels("before", "110100")
		begin(h.b, `{"line":"pump","value":0,"durationUSec":5000000}`)
		h.expectLevels("the pulse", "010100")
		h.kill()
		h.start(false, 0)
		h.b.Loop.Turn()
		h.expectLevels("after it", "110100")
		h.b.Expect("Set", `{"line":"free","value":1}`, `Interlocked{"group":"either","conflicting":"pump"}`)
	})
}
