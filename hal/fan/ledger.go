package fan

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/halberd-io/halberd/hal"
)

const (
	// saved is the name under which the ledger is kept.
	saved = "fan-modes"
	// maxKnown is how many fans it knows at most: devices that are plugged in again and again must not fill the disk.
	maxKnown = 256
)

// ledger knows what the automatic modes are that Halberd ended since the system booted: a fan that is driven by hand does not tell, and the process that drove it may have ended in the middle of a claim. What is
// in it stays, so that it is written once for a fan. Any goroutine may use it.
type ledger struct {
	env *hal.Env

	mu    sync.Mutex
	known map[string]int64
}

// openLedger reads what was known before. At the first start since boot nothing was.
func openLedger(env *hal.Env) *ledger {
	l := &ledger{env: env, known: map[string]int64{}}
	if env.State == nil || env.FirstStart {
		return l
	}
	text, err := env.State.Load(saved)
	if err != nil {
		env.Log.Warn("cannot read what the automatic modes of fans are: those that are driven by hand stay so", "err", err)
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		key, enable, _ := strings.Cut(line, " ")
		if n, err := strconv.ParseInt(enable, 10, 64); err == nil && n >= automatic && len(l.known) < maxKnown {
			l.known[key] = n
		}
	}
	return l
}

// of is the automatic mode of a fan; 0 where Halberd did not end one.
func (l *ledger) of(key string) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.known[key]
}

// note takes in the automatic mode of a fan. It may wait for a disk.
func (l *ledger) note(key string, enable int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before, there := l.known[key]
	if l.env.State == nil || before == enable || !there && len(l.known) >= maxKnown {
		return
	}
	l.known[key] = enable
	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(l.known)) {
		fmt.Fprintln(&text, key, l.known[key])
	}
	if err := l.env.State.Save(saved, []byte(text.String())); err != nil {
		l.env.Log.Warn("cannot keep what the automatic mode of a fan is: after a restart it stays driven by hand", "err", err)
	}
}
