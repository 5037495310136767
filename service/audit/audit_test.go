package audit

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/halberd-io/halberd/hal"
)

// clock is a Log's time, which tests move.
type clock struct{ now time.Time }

func newLog(t *testing.T) (*Log, *clock, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	c := &clock{time.Unix(1000, 5_000)}
	l := New(slog.New(slog.NewTextHandler(&out, nil)))
	l.now = func() time.Time { return c.now }
	return l, c, &out
}

var (
	set  = &hal.Method{Name: "Set", Interface: "io.halberd.Gpio", Verb: hal.Control}
	safe = &hal.Method{Name: "Safe", Interface: "io.halberd.Board", Verb: hal.Administer}
)

// write writes a record, unless there are too many.
func write(l *Log, d Decision, m *hal.Method, uid uint32, fill func(*Record)) {
	r := l.Begin(d, m.Verb, uid)
	if r == nil {
		return
	}
	r.GID, r.PID, r.Transport = 100, 7, "stream"
	r.Call(m)
	if fill != nil {
		fill(r)
	}
	l.End(r)
}

func deny(l *Log, uid uint32) {
	write(l, Denied, set, uid, func(r *Record) { r.Refuse(errors.New("no")) })
}

// lines takes the records so far, without their times.
func lines(out *bytes.Buffer) []string {
	defer out.Reset()
	if out.Len() == 0 {
		return nil
	}
	all := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	for i := range all {
		_, all[i], _ = strings.Cut(all[i], " ")
	}
	return all
}

// TestRecords: the log and those who follow have the same fields under the same names.
func TestRecords(t *testing.T) {
	const who = ` uid=1000 gid=100 pid=7 transport=stream`
	denial := func(o *hal.Outside) error {
		return &hal.PermissionDenied{Reason: "grant pump: it does not", Grant: hal.Some("pump"), Device: hal.Some("b"), Outside: o}
	}
	outside := func(v hal.Scalar) func(*Record) {
		return func(r *Record) { r.Refuse(denial(&hal.Outside{Parameter: "value", Value: v})) }
	}
	const near = ` uncovered=b grant=pump reason="grant pump: it does not"`
	rows := []struct {
		name string
		d    Decision
		m    *hal.Method
		fill func(*Record)
		log  string
		json string
	}{
		{"denied", Denied, set, func(r *Record) {
			r.Unit = hal.Some("a.service")
			r.Devices = hal.Some([]string{"a", "b"})
			r.Refuse(denial(nil))
		}, `level=WARN msg=denied decision=denied method=io.halberd.Gpio.Set verb=control uid=1000 gid=100 pid=7 unit=a.service transport=stream devices="a b"` + near,
			`{"timeUSec":1000000005,"decision":"denied","method":"io.halberd.Gpio.Set","verb":"control","uid":1000,"gid":100,"pid":7,"unit":"a.service","transport":"stream",` +
				`"devices":["a","b"],"uncovered":"b","grant":"pump","reason":"grant pump: it does not","omitted":0}`},
		{"a number outside", Denied, set, outside(hal.Scalar{Kind: hal.Int, Int: -3}), `level=WARN msg=denied decision=denied method=io.halberd.Gpio.Set verb=control` + who + near + ` parameter=value value=-3`, ""},
		{"a truth value outside", Denied, set, outside(hal.Scalar{Kind: hal.Bool, Bool: true}), `level=WARN msg=denied decision=denied method=io.halberd.Gpio.Set verb=control` + who + near + ` parameter=value value=true`, ""},
		{"a word outside", Denied, set, outside(hal.Scalar{Kind: hal.Text, Text: "fast"}), `level=WARN msg=denied decision=denied method=io.halberd.Gpio.Set verb=control` + who + near + ` parameter=value value=fast`, ""},
		{"a long text outside", Denied, set, outside(hal.Scalar{Kind: hal.Text, Text: strings.Repeat("x", maxValue+1)}), `level=WARN msg=denied decision=denied method=io.halberd.Gpio.Set verb=control` + who + near, ""},
		{"out of tokens", Denied, set, func(r *Record) { r.Refuse(&hal.RateLimited{RetryAfterMSec: 20}) },
			`level=WARN msg=denied decision=denied method=io.halberd.Gpio.Set verb=control` + who + ` reason="too many calls: try again in 20 ms" retryAfterMSec=20`, ""},
		{"allowed", Allowed, safe, func(r *Record) { r.Permit("all") }, `level=INFO msg=allowed decision=allowed method=io.halberd.Board.Safe verb=administer` + who + ` grant=all`,
			`{"timeUSec":1000000005,"decision":"allowed","method":"io.halberd.Board.Safe","verb":"administer","uid":1000,"gid":100,"pid":7,"transport":"stream","grant":"all","omitted":0}`},
		{"open to all", Allowed, set, func(r *Record) { r.Permit("") }, `level=INFO msg=allowed decision=allowed method=io.halberd.Gpio.Set verb=control` + who, ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			l, _, out := newLog(t)
			var told []string
			stop := l.Follow(func(r *Record) { told = append(told, string(hal.Encode(nil, r))) })
			write(l, row.d, row.m, 1000, row.fill)
			stop()
			write(l, row.d, row.m, 1000, row.fill)
			if got := lines(out); len(got) != 2 || got[0] != row.log {
				t.Errorf("logged %q\n want  %q", got, row.log)
			}
			if len(told) != 1 || row.json != "" && told[0] != row.json {
				t.Errorf("told %s\nwant %s", told, row.json)
			}
		})
	}
}

// TestDropped: what was dropped has no method.
func TestDropped(t *testing.T) {
	l, _, out := newLog(t)
	for range 100 {
		if r := l.Begin(Dropped, 0, 1); r != nil {
			r.Transport, r.Reason = "dgram", hal.Some("datagram dropped: nonsense")
			l.End(r)
		}
	}
	got := lines(out)
	if want := `level=INFO msg=dropped decision=dropped uid=1 gid=0 pid=0 transport=dgram reason="datagram dropped: nonsense"`; len(got) != burst || got[0] != want {
		t.Errorf("100 dropped datagrams are %d records, the first %s", len(got), got[0])
	}
}

// TestBudget: one uid fills the log with ten records and then one a second, and what was left out is counted; another uid has its own.
func TestBudget(t *testing.T) {
	l, c, out := newLog(t)
	flood := func(uid uint32, n int) {
		for range n {
			deny(l, uid)
		}
	}
	flood(1, 100)
	if got := len(lines(out)); got != burst {
		t.Errorf("100 denials at once are %d records, want %d", got, burst)
	}
	flood(2, 1)
	if got := lines(out); len(got) != 1 || !strings.Contains(got[0], "uid=2") {
		t.Errorf("another uid's denial gave %q", got)
	}
	c.now = c.now.Add(interval)
	flood(1, 5)
	if got := lines(out); len(got) != 1 || !strings.Contains(got[0], "omitted=90") {
		t.Errorf("a second later: %q, want one record with 90 omitted", got)
	}
	c.now = c.now.Add(time.Hour)
	flood(1, 100)
	if got := lines(out); len(got) != burst || !strings.Contains(got[0], "omitted=4") || strings.Contains(got[1], "omitted") {
		t.Errorf("an hour later: %d records, the first %s", len(got), got[0])
	}
	for range 2 * burst {
		write(l, Allowed, set, 1, nil)
		write(l, Dropped, set, 1, nil)
	}
	if got, want := l.Unrecorded(), int64(90+4+90); got != want {
		t.Errorf("%d denials have no record, want %d", got, want)
	}
}

// TestBudgetsOfKinds: whoever fills one budget hides nothing that has another one.
func TestBudgetsOfKinds(t *testing.T) {
	kinds := []struct {
		d    Decision
		m    *hal.Method
		want string
	}{{Denied, safe, "denied"}, {Allowed, safe, "Safe"}, {Allowed, set, "Set"}}
	l, _, out := newLog(t)
	for _, k := range kinds {
		for range 2 * burst {
			write(l, k.d, k.m, 1000, nil)
		}
		if got := lines(out); len(got) != burst || !strings.Contains(got[0], k.want) {
			t.Errorf("%s: %d records, the first %q; want %d", k.want, len(got), got, burst)
		}
	}
}

// tally adds up what records tell.
type tally struct{ records, omitted, others int64 }

func (y *tally) add(r *Record) {
	y.records++
	y.omitted += r.Omitted
	y.others += r.OmittedOthers.Value
}

func (y *tally) all() int64 { return y.records + y.omitted + y.others }

// TestManyUIDs: whoever has many uids, as by a user namespace, gets no more records than a hundred and then ten a second, keeps nobody else from theirs, makes nothing grow, and no count of what was left out is lost.
func TestManyUIDs(t *testing.T) {
	l, c, _ := newLog(t)
	var strangers, neighbours tally
	l.Follow(func(r *Record) {
		if r.UID < 1<<16 {
			neighbours.add(r)
		} else {
			strangers.add(r)
		}
	})
	const first, uids, rounds = 100 << 16, 3 * maxUIDs, 20
	for range rounds {
		for uid := range uint32(uids) {
			deny(l, first+uid)
		}
		for uid := range uint32(5) {
			deny(l, uid)
		}
		c.now = c.now.Add(interval)
	}
	if most := int64(10*burst + 10*(rounds-1)); strangers.records != most {
		t.Errorf("%d records of many uids, want %d", strangers.records, most)
	}
	if neighbours.records != 5*rounds || neighbours.omitted > 0 {
		t.Errorf("%+v of others, want %d records and nothing left out", neighbours, 5*rounds)
	}
	if u, b := len(l.uids.known), len(l.blocks.known); u > maxUIDs || b > maxBlocks || l.uids.inOrder.Len() != u {
		t.Errorf("%d uids and %d blocks are kept, want at most %d and %d", u, b, maxUIDs, maxBlocks)
	}
	c.now = c.now.Add(time.Hour)
	for uid := range uint32(maxUIDs) { // those that are kept tell of themselves, in a block of which nobody is suppressed
		c.now = c.now.Add(interval)
		deny(l, first+uids-1-uid)
	}
	if got, want := strangers.all(), int64(uids*rounds+maxUIDs); got != want {
		t.Errorf("%+v add up to %d, want %d", strangers, got, want)
	}
}

// TestManyBlocks: whatever uids there are, all together get no more records than a thousand and then a hundred a second, and no count is lost with a block that is forgotten.
func TestManyBlocks(t *testing.T) {
	l, c, _ := newLog(t)
	var told tally
	l.Follow(told.add)
	const blocks, rounds = 3 * maxBlocks, 50
	n := int64(0)
	for round := range uint32(rounds) {
		for block := range uint32(blocks) {
			for uid := range uint32(10) {
				deny(l, block<<16+10*round+uid)
				n++
			}
		}
		c.now = c.now.Add(interval)
	}
	if most := int64(100*burst + 100*(rounds-1)); told.records != most {
		t.Errorf("%d records, want %d", told.records, most)
	}
	left := int64(0)
	for _, a := range []*accounts{&l.uids, &l.blocks, &l.everybody} {
		for _, e := range a.known {
			left += int64(e.Value.(*account).budgets[notPermitted].omitted)
		}
	}
	if told.all()+left != n || left == 0 {
		t.Errorf("%+v, and %d are to be told of: together %d, want %d", told, left, told.all()+left, n)
	}
}

// TestUIDThatComesAgain: one that was forgotten for others begins anew, and what it had left out is told with the record of another one.
func TestUIDThatComesAgain(t *testing.T) {
	l, _, out := newLog(t)
	for range burst + 7 {
		deny(l, 1)
	}
	lines(out)
	for uid := range uint32(maxUIDs) {
		write(l, Allowed, set, 2<<16+uid, nil) // of another kind, and another block
	}
	if _, known := l.uids.known[1]; known {
		t.Fatal("it is not forgotten")
	}
	lines(out)
	deny(l, 2)
	if got := lines(out); len(got) != 1 || !strings.Contains(got[0], "uid=2") || !strings.HasSuffix(got[0], " omittedOthers=7") {
		t.Errorf("another one's record is %q, want 7 of others", got)
	}
	deny(l, 1)
	if got := lines(out); len(got) != 1 || strings.Contains(got[0], "omitted") {
		t.Errorf("its own record is %q", got)
	}
}

// TestQuietLog: a log that takes nothing keeps nobody from following.
func TestQuietLog(t *testing.T) {
	l := New(slog.New(slog.DiscardHandler))
	told := 0
	l.Follow(func(*Record) { told++ })
	deny(l, 1)
	if told != 1 {
		t.Errorf("told %d records, want 1", told)
	}
}

// TestFieldsAreApart: no two fields of a record have one name, and what a call says stands beside who calls.
func TestFieldsAreApart(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range hal.Describe(&Record{}) {
		if seen[f.Name] || f.Doc == "" {
			t.Errorf("%s is there twice, or has no documentation", f.Name)
		}
		seen[f.Name] = true
	}
	for _, name := range strings.Fields("decision method verb uid gid pid transport devices grant reason unit omitted timeUSec") {
		if !seen[name] {
			t.Errorf("there is no field %s", name)
		}
	}
	if fmt.Sprint(Denied, Allowed, Dropped) != "denied allowed dropped" {
		t.Errorf("the decisions are called %v, %v and %v", Denied, Allowed, Dropped)
	}
}
