package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

const suggestUsage = "suggest [--for DURATION | FILE...]"

// suggest prints the grants that would have permitted what was denied: of records as they are made, or of those in files, which journalctl -o json or halctl -j audit wrote.
func (p *program) suggest(ctx context.Context, args []string) error {
	l, err := newLessons()
	if err != nil {
		return err
	}
	files := len(args) > 0 && (args[0] == "-" || !strings.HasPrefix(args[0], "-"))
	if files {
		err = readAll(args, l)
	} else {
		err = p.watchDenials(ctx, args, l)
	}
	if err != nil && l.denied == 0 {
		return err
	}
	if l.omitted+l.lost > 0 && (p.json || !files) {
		fmt.Fprintln(p.stderr, wrap("halctl: "+l.missing(), 0, 0))
	}
	// What was learned before an error is worth as much as without it.
	if printErr := p.printProposals(l); err == nil {
		err = printErr
	}
	return err
}

// watchDenials learns from the daemon's records, for a time or until the program is interrupted.
func (p *program) watchDenials(ctx context.Context, args []string, l *lessons) error {
	begin := func() {} // the time, once records come
	if len(args) > 0 {
		name, value, given := strings.Cut(args[0], "=")
		if !given && len(args) == 2 {
			value, args = args[1], args[:1]
		}
		d, err := time.ParseDuration(value)
		if name != "--for" || len(args) > 1 || err != nil || d <= 0 {
			return &usageError{suggestUsage + ", as in --for 30s"}
		}
		limited, cancel := context.WithCancel(ctx)
		defer cancel()
		ctx, begin = limited, func() { time.AfterFunc(d, cancel) }
	}
	before, known := p.unrecorded(ctx)
	told := false
	err := p.follow(ctx, auditMethod, struct{}{}, func(event json.RawMessage) error {
		if !told {
			told = true
			begin()
			fmt.Fprintln(p.stderr, "learning from what is denied from now on; Ctrl-C ends it")
		}
		var r record
		if err := json.Unmarshal(event, &r); err != nil {
			return err
		}
		had := len(l.learned)
		if l.learn(&r); len(l.learned) > had {
			fmt.Fprintln(p.stderr, oneLine(printable(fmt.Sprintf("denied: uid %d: %s %s", r.UID, strings.TrimPrefix(r.Method, "io.halberd."), strings.Join(r.Devices, " ")))))
		}
		return nil
	})
	if known {
		if after, ok := p.unrecorded(context.WithoutCancel(ctx)); ok {
			l.omitted = after - before
		}
	}
	return err
}

// unrecorded asks how many denials the daemon has no record of. A record tells of those before it, but of the last ones none does. It is not known where the daemon is an older one, has ended, or does not permit
// the question.
func (p *program) unrecorded(ctx context.Context) (n int64, known bool) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	reply, err := p.invoke(ctx, "io.halberd.Policy.Status", struct{}{})
	var status struct{ Unrecorded *int64 }
	if err != nil || json.Unmarshal(reply, &status) != nil || status.Unrecorded == nil {
		return 0, false
	}
	return *status.Unrecorded, true
}

// maxLine is the longest line that is read, in bytes.
const maxLine = 1 << 20

// readAll learns from files; - is standard input.
func readAll(names []string, l *lessons) error {
	for _, name := range names {
		in := io.ReadCloser(os.Stdin)
		if name != "-" {
			f, err := os.Open(name)
			if err != nil {
				return err
			}
			in = f
		}
		err := readRecords(in, l)
		_ = in.Close() // it was read alone
		if err != nil {
			return fmt.Errorf("%s:%w", name, err)
		}
	}
	return nil
}

// readRecords learns from JSON lines. Those that are no records of the daemon's audit teach nothing.
func readRecords(in io.Reader, l *lessons) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	n := 0
	for lines.Scan() {
		n++
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		r, err := parseRecord(line)
		if err != nil {
			return fmt.Errorf("%d: %w", n, err)
		}
		if r != nil {
			l.learn(r)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%d: cannot read on: %w", n+1, err)
	}
	return nil
}

// parseRecord reads one line: a record as the daemon tells it or as the journal has it, or nil for one of another kind.
func parseRecord(line []byte) (*record, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(line, &fields); err != nil {
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	if fields["HALBERD_DECISION"] != nil {
		return journalRecord(fields), nil
	}
	if fields["decision"] == nil {
		return nil, nil
	}
	r := new(record)
	err := json.Unmarshal(line, r)
	return r, err
}

// journalRecord reads a record of the journal, or gives nil for one that neither root wrote nor who asks: anybody may write fields of any name, but those that begin with an underscore are the
// journal's own.
func journalRecord(fields map[string]json.RawMessage) *record {
	text := func(name string) (s string) {
		_ = json.Unmarshal(fields[name], &s) // what is no text, as bytes and lists, is left out
		return s
	}
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(text(name), 10, 64)
		return n
	}
	if by := text("_UID"); by != "0" && by != strconv.Itoa(os.Geteuid()) {
		return nil
	}
	uid, err := strconv.ParseInt(text("HALBERD_UID"), 10, 64)
	if err != nil {
		return nil
	}
	r := &record{Decision: text("HALBERD_DECISION"), Method: text("HALBERD_METHOD"), UID: uid, Unit: text("HALBERD_UNIT"), Devices: strings.Fields(text("HALBERD_DEVICES")),
		Uncovered: text("HALBERD_UNCOVERED"), Grant: text("HALBERD_GRANT"), Reason: text("HALBERD_REASON"), Parameter: text("HALBERD_PARAMETER"), Value: text("HALBERD_VALUE"), Omitted: number("HALBERD_OMITTED"), OmittedOthers: number("HALBERD_OMITTED_OTHERS")}
	if fields["HALBERD_RETRY_AFTER_MSEC"] != nil {
		wait := number("HALBERD_RETRY_AFTER_MSEC")
		r.RetryAfterMSec = &wait
	}
	return r
}

// dangers says why a grant of such a verb is not to be given lightly.
var dangers = map[string]string{
	"hazard":     "such calls may stop the board, or reach past one device",
	"administer": "such calls are about Halberd itself: its policy, and everybody's devices",
}

// printProposals prints a file for policy.d, or grants as JSON. Those that may do harm are commented out.
func (p *program) printProposals(l *lessons) error {
	all := l.proposals()
	if p.json {
		for _, s := range all {
			line, err := json.Marshal(s)
			if err != nil {
				return err
			}
			if err := p.printJSON(line); err != nil {
				return err
			}
		}
		return nil
	}
	var b strings.Builder
	l.introduce(&b, len(all))
	for _, s := range all {
		fmt.Fprintf(&b, "\n# Denied %s: %s\n", times(s.Denied), s.Reason)
		prefix := ""
		if s.Doubt {
			prefix = "# "
			fmt.Fprintf(&b, "# WARNING: %s. Take the # away only where this caller has to be able to do that.\n", dangers[s.Verb])
		}
		b.WriteString(s.toml(prefix))
	}
	_, err := io.WriteString(p.stdout, b.String())
	return err
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// introduce says what the grants are, and what could not be learned.
func (l *lessons) introduce(w io.Writer, grants int) {
	if grants == 0 {
		fmt.Fprintln(w, "# No grant would have permitted anything that was denied.")
	} else {
		fmt.Fprintf(w, "# What would have permitted the calls that were denied, and no more: %d of them. Nobody knows whether they should be permitted: read it first.\n"+
			"# It goes into a file of its own, as /etc/halberd/policy.d/60-suggested.toml; then `halberd check`, and `halctl reload`.\n", l.denied)
	}
	for _, riddle := range slices.Sorted(maps.Keys(l.riddles)) {
		fmt.Fprintf(w, "# Left out, denied %s: %s\n", times(l.riddles[riddle]), riddle)
	}
	if l.limited > 0 {
		fmt.Fprintf(w, "# Left out: %s came more often than the rate of a grant permits. Its rate or burst decides.\n", counted(l.limited, "call"))
	}
	if l.omitted+l.lost > 0 {
		fmt.Fprintf(w, "# NOT ALL IS HERE: %s\n", l.missing())
	}
}

// missing says how many denials nothing could be learned of, and what to do about it.
func (l *lessons) missing() string {
	return counted(l.omitted+l.lost, "denial") + " came too fast to be recorded: each user has ten records at once, and then one a second. Do again what was denied once these grants are in force, with halctl suggest running."
}

// counted writes a number of things.
func counted(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
