package hal

import (
	"fmt"
	"log/slog"
)

// Reporter logs what is wrong with the hardware, at the start and at each rescan: what stays wrong is logged once, and once more when it was right in between. It is for one goroutine.
type Reporter struct {
	log         *slog.Logger
	before, now map[string]bool
}

// NewReporter makes a reporter that has said nothing yet.
func NewReporter(log *slog.Logger) *Reporter { return &Reporter{log: log, now: map[string]bool{}} }

// Begin begins to look anew.
func (r *Reporter) Begin() { r.before, r.now = r.now, map[string]bool{} }

// Warn logs what is wrong, unless that was wrong already when the last look ended.
func (r *Reporter) Warn(msg string, args ...any) {
	key := msg + fmt.Sprint(args...)
	if !r.before[key] && !r.now[key] {
		r.log.Warn(msg, args...)
	}
	r.now[key] = true
}
