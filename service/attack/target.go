package attack

import (
	"os"
	"testing"
	"time"

	"github.com/halberd-io/halberd/service/servicetest"
)

// Target is a daemon to be attacked, and what attacker and victim are permitted there.
type Target struct {
	Name     string // the abstract name of its three sockets
	PID      int    // of its process
	Attacker servicetest.As
	Victim   servicetest.As

	// Read, Change and Watch are calls that the attacker may make. Change is done and undone by its two calls, and Watch follows what they change.
	Read   string
	Change [2]string
	Watch  string
	// Slow is one that waits for a bus, and Claim takes a device; "" where there is none.
	Slow, Claim string
	// Denied is a call that it may not make.
	Denied string

	// VictimCall is what the victim calls all the time, and VictimReply what is answered.
	VictimCall, VictimReply string
	// Look are calls of root whose answers do not change while the attacker touches only what it may.
	Look []string
	// Touched is how often anything changed that the attacker may not change; nil where nothing counts that.
	Touched func() int
	// Timeout is how long the daemon waits for the rest of a message, and for a reader.
	Timeout time.Duration
	// MaxRSS is how many bytes of memory the daemon may ever have; 0 where that is not looked at.
	MaxRSS int
}

// Soak reports whether there is time for long attacks.
func Soak() bool { return os.Getenv("HALBERD_SOAK") != "" }

// lasts is how long an attack goes on at least.
func lasts() time.Duration {
	if Soak() {
		return 10 * time.Second
	}
	return 150 * time.Millisecond
}

// Run makes every attack on a target, and says what the victim had to wait. It needs root, to start children of other uids.
func Run(t *testing.T, target Target) {
	servicetest.SkipUnlessRoot(t)
	v := startVictim(t, target)
	v.report(t, "nobody attacks", lasts())
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			if missing := a.needs(&target); missing != "" {
				t.Skip(missing)
			}
			before := observe(t, target)
			out := attackAs(t, target, a.name)
			v.report(t, out, 0)
			before.compare(t, target)
		})
	}
}
