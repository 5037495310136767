package sysfs

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/halberd-io/halberd/hal"
)

// maxNoted is how many entries a ledger has at most: devices that are plugged in again and again must not fill the disk.
const maxNoted = 1024

// Ledger knows what Halberd did to devices since the system booted that their attributes do not tell, so that the next process knows it, too: a key for each device, with a word. What is noted stays, so
// that it is written once. Any goroutine may use it. Without a State it knows nothing.
type Ledger struct {
	env        *hal.Env
	name, lost string

	mu    sync.Mutex
	noted map[string]string
}

// OpenLedger reads what the processes before noted under a name. At the first start since boot that is out of date, and dropped. lost says in the log what it means where the ledger cannot be read or written.
func OpenLedger(env *hal.Env, name, lost string) *Ledger {
	l := &Ledger{env: env, name: name, lost: lost, noted: map[string]string{}}
	if env.State == nil {
		return l
	}
	text, err := env.State.Load(name)
	switch {
	case err != nil:
		env.Log.Warn("cannot read what was done to devices", "noted", name, "lost", lost, "err", err)
	case !env.FirstStart:
		for line := range strings.Lines(string(text)) {
			if key, word, _ := strings.Cut(strings.TrimSpace(line), " "); key != "" && len(l.noted) < maxNoted {
				l.noted[key] = word
			}
		}
	case len(text) > 0:
		l.save()
	}
	return l
}

// Noted is the word of a key.
func (l *Ledger) Noted(key string) (word string, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	word, ok = l.noted[key]
	return word, ok
}

// Note notes the word of a key, neither of which has a space in it; the word may be "". It may wait for a disk.
func (l *Ledger) Note(key, word string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before, there := l.noted[key]
	if l.env.State == nil || there && before == word || !there && len(l.noted) >= maxNoted {
		return
	}
	l.noted[key] = word
	l.save()
}

// save needs the lock, or that nobody else is there yet.
func (l *Ledger) save() {
	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(l.noted)) {
		text.WriteString(strings.TrimSpace(key+" "+l.noted[key]) + "\n")
	}
	if err := l.env.State.Save(l.name, []byte(text.String())); err != nil {
		l.env.Log.Warn("cannot note what was done to a device", "noted", l.name, "lost", l.lost, "err", err)
	}
}
