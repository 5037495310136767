package gpio

import (
	"math"
	"time"

	"github.com/halberd-io/halberd/hal"
)

// byInterlock is the feature that a member of an interlock does not have: to be configured, to be leased.
const byInterlock = "interlock"

// maxDeadTime is the longest dead time, in ms.
const maxDeadTime = 3_600_000

// interlockEntry is an [[interlock]] of board.toml.
type interlockEntry struct {
	Name     string
	Members  []string
	Most     hal.Opt[int64]
	DeadTime hal.Opt[int64]
}

func (e *interlockEntry) Fields(f *hal.Fields) {
	f.Text("name", &e.Name, "What Interlocked calls it.")
	f.Texts("never-together", &e.Members, 2, maxTogether, "Outputs that [gpio.ID] declares, of any chips. A line may be in several interlocks, and in a gpio-group. None of them can be configured by a call, or leased.")
	f.OptIntIn("max-active", &e.Most, 1, maxTogether-1, hal.Unitless, "How many of them may be at the logical value 1; 1 without it.")
	f.OptIntIn("dead-time-msec", &e.DeadTime, 0, maxDeadTime, hal.Milliseconds, "How long after one of them went to 0 no other one may go to 1. After a start all count as if they just had.")
}

// most is how many members may be active.
func (e *interlockEntry) most() int { return int(e.Most.Or(1)) }

func (e *interlockEntry) deadTime() time.Duration {
	return time.Duration(e.DeadTime.Value) * time.Millisecond
}

// checkInterlocks finds interlocks that cannot be, by what board.toml says alone.
func checkInterlocks(entries []hal.Entry, declared map[string]*entry) (errs []error) {
	for i := range entries {
		e, ok := entries[i].Value.(*interlockEntry)
		if !ok {
			continue
		}
		errs = append(errs, checkMembers(&entries[i], e.Members, declared)...)
		if e.most() >= len(e.Members) {
			errs = append(errs, entries[i].Unfit("max-active is %d: it must be less than the %d lines", e.most(), len(e.Members)))
		}
		for _, start := range []struct {
			keys  string
			first bool
		}{{"initial = 1 or safe = 1", true}, {"safe = 1", false}} {
			if n := activeAtStart(e.Members, declared, start.first); n > e.most() {
				errs = append(errs, entries[i].Unfit("%d of its lines have %s, and at most %d may be active", n, start.keys, e.most()))
				break
			}
		}
	}
	return errs
}

// checkMembers finds lines that cannot be in an interlock.
func checkMembers(e *hal.Entry, members []string, declared map[string]*entry) (errs []error) {
	seen := map[string]bool{}
	for _, id := range members {
		line := declared[id]
		switch {
		case seen[id]:
			errs = append(errs, e.Unfit("line %q is given twice", id))
		case line == nil:
			errs = append(errs, e.Unfit("line %q is not declared: there is no [gpio.ID] for it", id))
		case line.Direction.Value != directionOutput:
			errs = append(errs, e.Unfit(`line %q needs direction = "output"`, id))
		case line.Output.Release() == hal.ReleaseRestore:
			errs = append(errs, e.Unfit(`line %q has on-release = "restore": what it was before may be forbidden then`, id))
		}
		seen[id] = true
	}
	return errs
}

// activeAtStart counts the lines that a start activates.
func activeAtStart(members []string, declared map[string]*entry, first bool) (n int) {
	for _, id := range members {
		if line := declared[id]; line != nil {
			n += int(line.Output.AtStart(first).Value)
		}
	}
	return n
}

// interlock is one interlock.
type interlock struct {
	name    string
	members []*locked
	most    int           // that may be active
	dead    time.Duration // after one was deactivated
}

// refusal is the answer to a call that would activate one member too many.
func (i *interlock) refusal(other *locked) *hal.Interlocked {
	return &hal.Interlocked{Group: i.name, Conflicting: other.id}
}

// never is how long to wait for what only another call brings about.
const never = time.Duration(math.MaxInt64)

// tooEarly is the answer where time is all that stands against a call. Whoever waits so long is not refused for the same reason.
func (i *interlock) tooEarly(other *locked, left time.Duration) *hal.Interlocked {
	r := i.refusal(other)
	if left == never {
		return r
	}
	r.RetryAfterMSec = hal.Some(int64((left + time.Millisecond - 1) / time.Millisecond))
	return r
}
