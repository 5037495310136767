package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// auditMethod tells records of decisions.
const auditMethod = "io.halberd.Policy.Audit"

// record is a decision as the daemon's audit tells it, as far as it is shown here or a grant can be made of it.
type record struct {
	TimeUSec         int64
	Decision         string
	Method           string
	UID, PID         int64
	Unit             string
	Devices          []string
	Uncovered        string
	Grant, Reason    string
	Parameter, Value string
	RetryAfterMSec   *int64
	Omitted, Lost    int64
	OmittedOthers    int64
}

// audit shows records as they are made, until it is interrupted.
func (p *program) audit(ctx context.Context, args []string) error {
	if len(args) > 0 {
		return &usageError{"audit"}
	}
	if p.json {
		return p.follow(ctx, auditMethod, struct{}{}, p.printJSON)
	}
	headed := false
	return p.follow(ctx, auditMethod, struct{}{}, func(event json.RawMessage) error {
		var r record
		if err := json.Unmarshal(event, &r); err != nil {
			return err
		}
		if !headed {
			headed = true
			auditRow(p.stdout, "TIME", "DECISION", "UID", "PID", "METHOD", "DEVICES", "GRANT OR REASON")
		}
		return r.show(p.stdout)
	})
}

// show prints a record as a row, behind rows that say what was left out.
func (r *record) show(w io.Writer) error {
	at := time.UnixMicro(r.TimeUSec).Format("2006-01-02 15:04:05.000")
	if r.Lost > 0 {
		fmt.Fprintf(w, "%d records were skipped here, since this program was too slow\n", r.Lost)
	}
	if r.OmittedOthers > 0 {
		fmt.Fprintf(w, "%d records of other uids were left out here, since there were too many\n", r.OmittedOthers)
	}
	if r.Omitted > 0 {
		fmt.Fprintf(w, "%d records of uid %d were left out here, since there were too many\n", r.Omitted, r.UID)
	}
	why := r.Reason
	if why == "" {
		why = r.Grant
	}
	return auditRow(w, at, r.Decision, strconv.FormatInt(r.UID, 10), strconv.FormatInt(r.PID, 10), dash(strings.TrimPrefix(r.Method, "io.halberd.")), dash(strings.Join(r.Devices, " ")), dash(why))
}

// dash stands for what there is not.
func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func auditRow(w io.Writer, cells ...string) error {
	widths := [...]int{23, 8, 5, 7, 18, 16, 0}
	var b strings.Builder
	for i, cell := range cells {
		fmt.Fprintf(&b, "%-*s  ", widths[i], oneLine(printable(cell)))
	}
	_, err := fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	return err
}
