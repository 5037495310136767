package config

import (
	"sort"
	"strings"
)

// SubUIDs are the ranges of uids that users can take one after the other, in namespaces of their own: those that /etc/subuid gives them, in their order. None
// overlaps another.
type SubUIDs []Range

// Owner gives the number that stands for whoever a uid belongs to: the first uid of its range, or the uid itself.
func (r SubUIDs) Owner(uid uint32) uint32 {
	i := sort.Search(len(r), func(i int) bool { return r[i].Low > uid }) // of the first range behind it
	if i > 0 && r[i-1].Contains(uid) {
		return r[i-1].Low
	}
	return uid
}

// subUIDs reads /etc/subuid (subuid(5)), a line of which is a user, the first uid, and how many they are. A line that is none is left out, as newuidmap(1) does it. Uid 0
// stands for itself, whatever the file says.
func (o *Options) subUIDs() (SubUIDs, *Error) {
	text, _, err := o.read("/etc/subuid", maxAccounts)
	var all SubUIDs
	for line := range strings.SplitSeq(text, "\n") {
		fields := strings.Split(strings.TrimSpace(line), ":")
		first, ok := number(fields, 1)
		count, good := number(fields, 2)
		if !ok || !good || count == 0 || len(fields) != 3 {
			continue
		}
		r := Range{max(first, 1), first + min(count-1, mostID-min(first, mostID))}
		if r.Low <= r.High {
			all = append(all, r)
		}
	}
	return all.merged(), err
}

// merged gives the ranges in their order. Those that overlap become one: whoever has one of them can meet whoever has the other.
func (r SubUIDs) merged() SubUIDs {
	sort.Slice(r, func(i, j int) bool { return r[i].Low < r[j].Low })
	var out SubUIDs
	for _, next := range r {
		if last := len(out) - 1; last >= 0 && next.Low <= out[last].High {
			out[last].High = max(out[last].High, next.High)
		} else {
			out = append(out, next)
		}
	}
	return out
}
