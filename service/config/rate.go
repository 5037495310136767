package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Rate is how many calls a grant permits in a time, to each uid. The zero value is no limit.
type Rate struct {
	Count int64 // 1 to 1,000,000
	Per   time.Duration
	Burst int64 // how many at once after a pause, 1 to 1,000,000
}

// String writes the rate as files have it: 50/s.
func (r Rate) String() string {
	for _, p := range periods {
		if p.per == r.Per {
			return fmt.Sprintf("%d/%s", r.Count, p.name)
		}
	}
	return ""
}

// Interval is the time in which one token comes back, at least a nanosecond.
func (r Rate) Interval() time.Duration { return r.Per / time.Duration(r.Count) }

const maxRate = 1_000_000

var periods = [...]struct {
	name string
	per  time.Duration
}{{"s", time.Second}, {"min", time.Minute}, {"h", time.Hour}}

// rate reads rate and burst. Without burst, as many calls may come at once as the rate has in its time.
func rate(t *table) Rate {
	text, given := t.text("rate")
	r, ok := parseRate(text)
	if given && !ok {
		t.fail("rate", "rate %q must be written 50/s, 100/min or 10/h, with 1 to %d calls", text, maxRate)
	}
	// burst is how many calls a peer that paused may make at once.
	burst, given := t.integer("burst", 1, maxRate)
	switch {
	case given && !t.has("rate"):
		t.fail("burst", "burst needs a rate")
	case given:
		r.Burst = burst
	}
	return r
}

func parseRate(text string) (Rate, bool) {
	count, period, _ := strings.Cut(text, "/")
	n, err := strconv.ParseInt(count, 10, 64)
	if err != nil || n < 1 || n > maxRate || !isDigits(count) {
		return Rate{}, false
	}
	for _, p := range periods {
		if p.name == period {
			return Rate{n, p.per, n}, true
		}
	}
	return Rate{}, false
}
