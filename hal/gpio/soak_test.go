package gpio

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/halberd-io/halberd/hal/sim"
)

// TestSoakKills kills processes that set outputs, and the processes after them, at any step of what they do: 50 of them, and a thousand where HALBERD_SOAK is set. Each output stays where it was when the process died.
func TestSoakKills(t *testing.T) {
	kills := 50
	if os.Getenv("HALBERD_SOAK") != "" {
		kills = 1000
	}
	for _, chip := range []string{"near", "far"} {
		h := newHouse(t, forgetful(sim.Options{}), chip)
		h.start(true, 0)
		h.kill()
		died := 0
		for died < kills/2 && !t.Failed() {
			if h.start(false, 1+rand.IntN(120)) && h.process.Run(h.setAtRandom) {
				h.kill() // it has outlived all its calls
			}
			died++
			if h.b != nil {
				h.b.Class = nil
			}
			levels := h.levels()
			h.start(false, 0)
			h.expectLevels(fmt.Sprintf("%s, kill %d", chip, died), levels)
			h.kill()
		}
	}
}

// setAtRandom sets outputs, alone and together.
func (h *house) setAtRandom() {
	h.b.Loop.Inline = true
	for range 100 {
		up := rand.IntN(2)
		switch id := []string{"pump", "lamp", "free", "motor"}[rand.IntN(4)]; id {
		case "motor":
			h.b.Call("SetMany", fmt.Sprintf(`{"values":{"up":%d,"down":%d}}`, up, 1-up))
		default:
			h.set(id, up)
		}
	}
}
