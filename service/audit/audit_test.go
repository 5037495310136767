package audit

import (
	"bytes"
	"errors"
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
	c := &clock{time.Unix(1000, 0)}
	l := New(slog.New(slog.NewTextHandler(&out, nil)))
	l.now = func() time.Time { return c.now }
	return l, c, &out
}

var set = &hal.Method{Name: "Set", Interface: "io.halberd.Gpio", Verb: hal.Control}

// lines takes the records so far.
func lines(out *bytes.Buffer) []string {
	defer out.Reset()
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

func TestRecords(t *testing.T) {
	l, _, out := newLog(t)
	who := Who{UID: 1000, GID: 100, PID: 7, Transport: "stream"}
	l.Denied(who, set, "relay-pump", &hal.PermissionDenied{Reason: "no", Grant: hal.Some("pump")})
	l.Denied(who, set, "", errors.New("broken"))
	l.Allowed(who, set, "relay-up", "all")
	got := lines(out)
	for i, want := range [][]string{
		{"level=WARN", "msg=denied", "method=io.halberd.Gpio.Set", "verb=control", "uid=1000", "gid=100", "pid=7", "transport=stream", "device=relay-pump", "reason=", "grant=pump"},
		{"msg=denied", "reason=broken"},
		{"level=INFO", "msg=allowed", "device=relay-up", "grant=all"},
	} {
		for _, part := range want {
			if !strings.Contains(got[i], part) {
				t.Errorf("record %d is %s, want %s in it", i, got[i], part)
			}
		}
	}
	if strings.Contains(got[1], "device=") || strings.Contains(got[1], "grant=") {
		t.Errorf("a record names what there is not: %s", got[1])
	}
}

// TestBudget: one uid fills the log with ten records and then one a second, and what was left out is counted; another uid has its own.
func TestBudget(t *testing.T) {
	l, c, out := newLog(t)
	flood := func(uid uint32, n int) {
		for range n {
			l.Denied(Who{UID: uid}, set, "", errors.New("no"))
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
}

// TestManyUIDs: the budgets themselves are bounded.
func TestManyUIDs(t *testing.T) {
	l, _, _ := newLog(t)
	for uid := range uint32(3 * maxUIDs) {
		l.Denied(Who{UID: uid}, set, "", errors.New("no"))
	}
	if got := len(l.peers); got > maxUIDs {
		t.Errorf("%d budgets are kept, want at most %d", got, maxUIDs)
	}
}

// TestDropped: what breaks the protocol fills the log no more than denials do.
func TestDropped(t *testing.T) {
	l, _, out := newLog(t)
	for range 100 {
		l.Dropped(Who{UID: 1, Transport: "dgram"}, "datagram dropped", "nonsense")
	}
	got := lines(out)
	if len(got) != burst || !strings.Contains(got[0], `msg="datagram dropped" why=nonsense uid=1`) {
		t.Errorf("100 dropped datagrams are %d records, the first %s", len(got), got[0])
	}
}
