package pwm

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/halberd-io/halberd/hal"
)

const (
	// saved is the name under which the ledger is kept.
	saved = "pwm-exported"
	// maxKnown is how many channels it knows at most: chips that are plugged in again and again must not fill the disk.
	maxKnown = 1024
)

// ledger knows which channels Halberd exported since the system booted, board.toml's own aside: they stay exported when it ends, and are still its own when it starts again. Any goroutine may use it.
type ledger struct {
	env *hal.Env

	mu    sync.Mutex
	known map[string]bool
}

// openLedger reads what was exported before. At the first start since boot nothing was.
func openLedger(env *hal.Env) *ledger {
	l := &ledger{env: env, known: map[string]bool{}}
	if env.State == nil {
		return l
	}
	text, err := env.State.Load(saved)
	switch {
	case err != nil:
		env.Log.Warn("cannot read which PWM channels were exported: they will be busy", "err", err)
	case !env.FirstStart:
		for key := range strings.FieldsSeq(string(text)) {
			l.known[key] = true
		}
	case len(text) > 0:
		l.save()
	}
	return l
}

func (l *ledger) has(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.known[key]
}

// note adds a channel. It may wait for a disk.
func (l *ledger) note(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.env.State != nil && !l.known[key] && len(l.known) < maxKnown {
		l.known[key] = true
		l.save()
	}
}

// save needs the lock, or that nobody else is there yet.
func (l *ledger) save() {
	text := strings.Join(slices.Sorted(maps.Keys(l.known)), "\n")
	if err := l.env.State.Save(saved, []byte(text)); err != nil {
		l.env.Log.Warn("cannot keep which PWM channels are exported: after a restart they will be busy", "err", err)
	}
}
