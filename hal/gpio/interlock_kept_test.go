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

// TestInterlockOfWhatIsStale: a member that board.toml declares otherwise than before the restart is not brought to its safe value where another one is active.
func TestInterlockOfWhatIsStale(t *testing.T) {
	k := sim.New(sim.Options{Bare: true})
	k.AddChip(sim.Chip{Label: "near", Lines: make([]sim.Line, 6)})
	h := newHouse(t, k, "near")
	lock := interlocked("either", `"pump","lamp"`, "")
	h.entries = append(relays("near"), lock)
	h.start(true, 0)
	h.b.Loop.Advance(time.Second)
	h.expectLevels("before", "110100") // the lamp is active-low
	changes := h.k.Changes(h.at(1))
	h.kill()
	h.entries = append(relays("near"), together("pair", `"lamp","free"`), lock)
	h.start(false, 0)
	h.expectLevels("after it", "110100")
	if got := h.k.Changes(h.at(1)) - changes; got != 0 {
		t.Errorf("the lamp, which may not be on beside the pump, was switched %d times", got)
	}
}

// TestInterlockOfWhatWasLeased: a line that was leased before the restart and is a member of an interlock since is not brought to its safe value where that would activate it.
func TestInterlockOfWhatWasLeased(t *testing.T) {
	k := sim.New(sim.Options{Bare: true, Lends: true})
	k.AddChip(sim.Chip{Label: "near", Lines: make([]sim.Line, 6)})
	h := newHouse(t, k, "near")
	h.start(true, 0)
	h.b.Loop.Advance(time.Second)
	holder := rent(h.b, h.k, `"lamp"`)
	h.process.GaveAway(holder.fd)
	const levels = "110100" // the lamp, the second, is active-low
	h.expectLevels("before", levels)
	changes := h.k.Changes(h.at(1))
	h.kill()
	h.entries = append(relays("near"), interlocked("either", `"pump","lamp"`, ""))
	h.start(false, 0)
	h.b.Loop.Turn()
	h.expectLevels("after the restart", levels)
	holder.close()
	h.b.Loop.Turn()
	h.shelf.Settle()
	h.returned()
	h.expectLevels("once its holder has let go of it", levels)
	if got := h.k.Changes(h.at(1)) - changes; got != 0 {
		t.Errorf("the lamp, which may not be on beside the pump, was switched %d times", got)
	}
}
