package policy

import (
	"sort"

	"github.com/halberd-io/halberd/service/config"
)

// intervals finds the grants whose ranges contain a number, in a time that grows with how many these are and with the logarithm of how many there are. It is a
// binary tree laid out in a sorted slice: the middle of a part is its root.
type intervals struct {
	all     []interval
	highest []uint32 // by root: the highest end in its part
}

type interval struct {
	config.Range
	grant int32
}

func (t *intervals) add(r config.Range, grant int) {
	t.all = append(t.all, interval{r, int32(grant)})
}

// build has to be called once, after the last add.
func (t *intervals) build() {
	sort.SliceStable(t.all, func(i, j int) bool { return t.all[i].Low < t.all[j].Low })
	t.highest = make([]uint32, len(t.all))
	t.fill(0, len(t.all))
}

func (t *intervals) fill(from, to int) uint32 {
	if from >= to {
		return 0
	}
	middle := (from + to) / 2
	t.highest[middle] = max(t.all[middle].High, t.fill(from, middle), t.fill(middle+1, to))
	return t.highest[middle]
}

// find calls f for each grant with a range that contains the number; for one with several such ranges more than once.
func (t *intervals) find(id uint32, f func(grant int32)) { t.search(0, len(t.all), id, f) }

func (t *intervals) search(from, to int, id uint32, f func(grant int32)) {
	if from >= to {
		return
	}
	middle := (from + to) / 2
	if t.highest[middle] < id {
		return
	}
	t.search(from, middle, id, f)
	root := &t.all[middle]
	if root.Contains(id) {
		f(root.grant)
	}
	if root.Low <= id {
		t.search(middle+1, to, id, f)
	}
}
