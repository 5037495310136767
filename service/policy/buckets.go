package policy

import (
	"math"
	"sync"
	"time"

	"github.com/halberd-io/halberd/service/config"
)

// maxBuckets is how many buckets are kept that are not full, about 3 MB of them. When there are more, calls that need another one have to wait.
const maxBuckets = 1 << 16

// buckets are the token buckets of all peers, one per uid and grant. The uids of a range of /etc/subuid have one together: whoever has the range can take each of them. A bucket is one number: the time at which it will be full again. One that is full, and so every one that
// was never used, is not kept at all.
type buckets struct {
	now func() int64 // monotonic, in ns

	mu     sync.Mutex
	full   map[bucket]int64
	sweep  int   // at how many buckets the full ones are dropped
	notYet int64 // before this time dropping would find none
	limits map[limitKey]int64
	last   int64
}

// bucket names one bucket: the number of its limit, and the uid, or what stands for a range of them.
type bucket struct {
	limit   int64
	account uint32
}

// limitKey is what a limit keeps its number by over a reload: the grant's id and its rate.
type limitKey struct {
	id   string
	rate config.Rate
}

func newBuckets() *buckets {
	start := time.Now()
	return &buckets{
		now:  func() int64 { return int64(time.Since(start)) },
		full: map[bucket]int64{}, sweep: 1024, limits: map[limitKey]int64{},
	}
}

// number gives the limits of a new set of grants their numbers: the old one where nothing changed. It drops what is not needed any more.
func (b *buckets) number(keys []limitKey) []int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	numbers, kept, live := make([]int64, len(keys)), map[limitKey]int64{}, map[int64]bool{}
	for i, key := range keys {
		n, known := b.limits[key]
		if !known {
			b.last++
			n = b.last
		}
		numbers[i], kept[key], live[n] = n, n, true
	}
	b.limits = kept
	for name := range b.full {
		if !live[name.limit] {
			delete(b.full, name)
		}
	}
	return numbers
}

// wait is how long it takes until the bucket has a token, in ns; 0 where it has one.
func (b *buckets) wait(name bucket, rate config.Rate, now int64) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	full, used := b.full[name]
	if !used {
		return b.room(now)
	}
	return max(0, full-now-int64(rate.Interval())*(rate.Burst-1))
}

// room makes sure that there can be one bucket more, or says how long that will take.
func (b *buckets) room(now int64) int64 {
	if len(b.full) < b.sweep {
		return 0
	}
	if now >= b.notYet {
		b.drop(now)
	}
	if len(b.full) < maxBuckets {
		b.sweep = min(maxBuckets, max(1024, 2*len(b.full)))
		return 0
	}
	return max(1, b.notYet-now)
}

// drop forgets the buckets that are full.
func (b *buckets) drop(now int64) {
	b.notYet = math.MaxInt64
	for name, full := range b.full {
		if full <= now {
			delete(b.full, name)
		} else {
			b.notYet = min(b.notYet, full)
		}
	}
}

// take takes a token out, which is there after wait gave 0 for the same time.
func (b *buckets) take(name bucket, rate config.Rate, now int64) {
	b.mu.Lock()
	b.full[name] = max(b.full[name], now) + int64(rate.Interval())
	b.mu.Unlock()
}

// milliseconds rounds a wait up.
func milliseconds(ns int64) int64 {
	return (ns + int64(time.Millisecond) - 1) / int64(time.Millisecond)
}
