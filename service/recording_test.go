package service_test

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/halberd-io/halberd/service"
	"github.com/halberd-io/halberd/service/config"
	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

const followAudit = `{"method":"io.halberd.Policy.Audit","more":true}`

// follower reads the records that a connection is told.
type follower struct {
	*servicetest.Raw
	t *testing.T
}

// follow begins to follow, and gives the first record.
func follow(t *testing.T, s *servicetest.Server, kind peer.Transport) (follower, map[string]any) {
	t.Helper()
	f := follower{s.MustDial(t, kind), t}
	if err := f.Write(followAudit); err != nil {
		t.Fatal(err)
	}
	return f, f.next()
}

func (f follower) next() map[string]any {
	f.t.Helper()
	msg, err := f.Read()
	if err != nil {
		f.t.Fatal(err)
	}
	var reply struct {
		Error      string
		Parameters map[string]any
		Continues  bool
	}
	if err := json.Unmarshal([]byte(msg), &reply); err != nil || reply.Error != "" || !reply.Continues {
		f.t.Fatalf("got %q, %v, want an event", msg, err)
	}
	return reply.Parameters
}

// expect reads one record and compares what it says beside who called and when.
func (f follower) expect(name string, want map[string]any) {
	f.t.Helper()
	got := f.next()
	who := map[string]any{"uid": got["uid"], "gid": got["gid"], "pid": got["pid"]}
	if want := map[string]any{"uid": float64(os.Geteuid()), "gid": float64(os.Getegid()), "pid": float64(os.Getpid())}; !reflect.DeepEqual(who, want) {
		f.t.Errorf("%s: the caller is %v, want %v", name, who, want)
	}
	for _, key := range []string{"uid", "gid", "pid", "timeUSec", "unit", "sequence"} {
		delete(got, key)
	}
	for key, value := range map[string]any{"omitted": 0.0, "lost": 0.0} {
		want[key] = value
	}
	if !reflect.DeepEqual(got, want) {
		f.t.Errorf("%s: got %v\nwant %v", name, got, want)
	}
}

// auditPolicy lets the caller follow the audit and little else.
func auditPolicy() string {
	return testPolicy() + fmt.Sprintf("\n[[grant]]\nid = \"auditor\"\nusers = [%d]\nmethods = [\"io.halberd.Policy.Audit\", \"io.halberd.Policy.Status\"]\n", os.Geteuid())
}

// decided are calls and what is recorded of them, on every kind of socket; nothing where there is no decision.
var decided = []struct {
	name, call, decision string
	want                 map[string]any // beside decision, method, verb and transport, which are looked at for all
}{
	{"permitted", `{"method":"io.halberd.Gpio.Set","parameters":{"line":"relay-pump","value":1}}`, "", nil},
	{"a method that is not permitted at all", `{"method":"io.halberd.Gpio.Toggle","parameters":{"line":"relay-pump"}}`, "denied",
		map[string]any{"method": "io.halberd.Gpio.Toggle", "verb": "control", "devices": []any{"relay-pump"}, "reason": fmt.Sprintf("no grant of uid %d covers io.halberd.Gpio.Toggle", os.Geteuid())}},
	{"and whose parameters cannot be read", `{"method":"io.halberd.Gpio.Toggle","parameters":{"line":7}}`, "denied",
		map[string]any{"method": "io.halberd.Gpio.Toggle", "verb": "control", "reason": fmt.Sprintf("no grant of uid %d covers io.halberd.Gpio.Toggle", os.Geteuid())}},
	{"and on several devices", `{"method":"io.halberd.Gpio.GetMany","parameters":{"lines":["relay-up","ghost"]}}`, "denied",
		map[string]any{"method": "io.halberd.Gpio.GetMany", "verb": "observe", "devices": []any{"relay-up", "ghost"}, "reason": fmt.Sprintf("no grant of uid %d covers io.halberd.Gpio.GetMany", os.Geteuid())}},
	{"a device", `{"method":"io.halberd.Gpio.Set","parameters":{"line":"relay-up","value":1}}`, "denied",
		map[string]any{"method": "io.halberd.Gpio.Set", "verb": "control", "devices": []any{"relay-up"}, "uncovered": "relay-up", "grant": "pump", "reason": "grant pump: it covers io.halberd.Gpio.Set, and not the device relay-up"}},
	{"a value", `{"method":"io.halberd.Led.Set","parameters":{"led":"front","brightness":301}}`, "denied",
		map[string]any{"method": "io.halberd.Led.Set", "verb": "control", "devices": []any{"front"}, "uncovered": "front", "grant": "dim", "reason": "grant dim: brightness is 301, the grant allows at most 300", "parameter": "brightness", "value": "301"}},
	{"bad parameters", `{"method":"io.halberd.Gpio.Set","parameters":{"line":"relay-pump","value":2}}`, "", nil},
	{"no such method", `{"method":"io.halberd.Gpio.Explode"}`, "", nil},
	{"what is open to all", `{"method":"io.halberd.Policy.WhoAmI"}`, "", nil},
	{"a device that is not shown", `{"method":"io.halberd.Board.Describe","parameters":{"device":"Gpio/relay-up"}}`, "denied",
		map[string]any{"method": "io.halberd.Board.Describe", "verb": "observe", "devices": []any{"Gpio/relay-up"}, "uncovered": "Gpio/relay-up", "reason": "no grant covers this device"}},
	{"administration", `{"method":"io.halberd.Policy.Status"}`, "allowed", map[string]any{"method": "io.halberd.Policy.Status", "verb": "administer", "grant": "auditor"}},
}

// TestAudit: each decision that matters is told to all who follow, and stands in the log.
func TestAudit(t *testing.T) {
	everyTransport(t, func(t *testing.T, kind peer.Transport) {
		s := servicetest.Start(t, auditPolicy())
		before := time.Now().UnixMicro()
		one, first := follow(t, s, peer.Stream)
		two, _ := follow(t, s, peer.Seqpacket)
		if first["decision"] != "allowed" || first["method"] != "io.halberd.Policy.Audit" || first["grant"] != "auditor" || first["sequence"] != 1.0 {
			t.Errorf("the first record is %v, want that of the call itself", first)
		}
		if at := int64(first["timeUSec"].(float64)); at < before || at > time.Now().UnixMicro() {
			t.Errorf("the first record is of %d, want a time behind %d", at, before)
		}
		one.expect("the other's call", map[string]any{"decision": "allowed", "method": "io.halberd.Policy.Audit", "verb": "administer", "transport": "seqpacket", "grant": "auditor"})
		r := s.MustDial(t, kind)
		for _, row := range decided {
			if _, err := r.Call(row.call); err != nil {
				t.Fatalf("%s: %v", row.name, err)
			}
			if row.decision == "" {
				continue
			}
			for _, f := range []follower{one, two} {
				want := map[string]any{"decision": row.decision, "transport": kind.String()}
				for key, value := range row.want {
					want[key] = value
				}
				f.expect(row.name, want)
			}
			if s.Log.Find(" "+row.decision+" decision="+row.decision+" method="+row.want["method"].(string), fmt.Sprintf(" uid=%d ", os.Geteuid()), " transport="+kind.String()) == "" {
				t.Errorf("%s: the record is not in the log", row.name)
			}
		}
	})
}

// TestAuditOfRates: whoever calls too often is told so, and it is no lack of a grant.
func TestAuditOfRates(t *testing.T) {
	s := servicetest.Start(t, auditPolicy())
	f, _ := follow(t, s, peer.Stream)
	r := s.MustDial(t, peer.Seqpacket)
	for range 2 {
		if _, err := r.Call(`{"method":"io.halberd.Led.Get","parameters":{"led":"front"}}`); err != nil {
			t.Fatal(err)
		}
	}
	got := f.next()
	if wait, limited := got["retryAfterMSec"].(float64); got["decision"] != "denied" || !limited || wait < 1 || wait > 3_600_000 || got["grant"] != nil {
		t.Errorf("got %v, want a denial with the time until there is a token", got)
	}
}

// TestAuditOfDrops: what breaks the protocol is told as well.
func TestAuditOfDrops(t *testing.T) {
	everyTransport(t, func(t *testing.T, kind peer.Transport) {
		s := servicetest.Start(t, auditPolicy())
		f, _ := follow(t, s, peer.Stream)
		if err := s.MustDial(t, kind).Write("nonsense"); err != nil {
			t.Fatal(err)
		}
		got := f.next()
		what := map[peer.Transport]string{peer.Datagram: "datagram dropped: "}[kind]
		if what == "" {
			what = "connection dropped: "
		}
		if reason, _ := got["reason"].(string); got["decision"] != "dropped" || got["transport"] != kind.String() || !strings.HasPrefix(reason, what) || got["method"] != nil {
			t.Errorf("got %v, want %q", got, what)
		}
	})
}

// TestAuditLevels: halberd.toml decides which permitted calls are recorded. Denials always are.
func TestAuditLevels(t *testing.T) {
	calls := []string{
		`{"method":"io.halberd.Gpio.Set","parameters":{"line":"relay-up","value":1}}`,
		`{"method":"io.halberd.Policy.Status"}`,
		`{"method":"io.halberd.Gpio.Get","parameters":{"line":"relay-pump"}}`,
		`{"method":"io.halberd.Policy.WhoAmI"}`,
	}
	for _, row := range []struct {
		level config.Audit
		want  []string
	}{
		{config.AuditDenials, []string{"denied Gpio.Set"}},
		{config.AuditHazards, []string{"denied Gpio.Set", "allowed Policy.Status"}},
		{config.AuditAll, []string{"denied Gpio.Set", "allowed Policy.Status", "allowed Gpio.Get", "allowed Policy.WhoAmI"}},
	} {
		s := servicetest.Start(t, auditPolicy(), func(c *service.Config) { c.Audit = row.level })
		f, _ := follow(t, s, peer.Seqpacket)
		r := s.MustDial(t, peer.Stream)
		for _, call := range calls {
			if _, err := r.Call(call); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.Write("the end"); err != nil {
			t.Fatal(err)
		}
		var got []string
		for record := f.next(); record["decision"] != "dropped"; record = f.next() {
			got = append(got, record["decision"].(string)+strings.Replace(record["method"].(string), "io.halberd.", " ", 1))
		}
		if !reflect.DeepEqual(got, row.want) {
			t.Errorf("level %d: got %q, want %q", row.level, got, row.want)
		}
	}
}

// TestAuditIsAdministration: nobody follows the decisions about others without a grant for it, and a reload that takes the grant away ends it.
func TestAuditIsAdministration(t *testing.T) {
	s := servicetest.Start(t, auditPolicy())
	f, _ := follow(t, s, peer.Stream)
	s.SetPolicy(testPolicy())
	s.Reload()
	f.expect("the record of its own end", map[string]any{"decision": "denied", "method": "io.halberd.Policy.Audit", "verb": "administer", "transport": "stream",
		"reason": fmt.Sprintf("no grant of uid %d covers io.halberd.Policy.Audit", os.Geteuid())})
	for _, r := range []*servicetest.Raw{f.Raw, s.MustDial(t, peer.Stream)} {
		if r != f.Raw {
			if err := r.Write(followAudit); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := r.Read(); err != nil || !strings.HasPrefix(got, `{"error":"org.varlink.service.PermissionDenied"`) {
			t.Errorf("got %q, %v, want PermissionDenied", got, err)
		}
	}
}

// TestAuditOnce: without more, the call's own record is all; so it is on datagrams.
func TestAuditOnce(t *testing.T) {
	everyTransport(t, func(t *testing.T, kind peer.Transport) {
		s := servicetest.Start(t, auditPolicy())
		got, err := s.MustDial(t, kind).Call(`{"method":"io.halberd.Policy.Audit"}`)
		if err != nil || !strings.HasPrefix(got, `{"parameters":{"timeUSec":`) || !strings.Contains(got, `"decision":"allowed","method":"io.halberd.Policy.Audit"`) {
			t.Errorf("got %q, %v, want one record", got, err)
		}
	})
}

// TestAuditOfOthers: a record says whose call it was, as the kernel told.
func TestAuditOfOthers(t *testing.T) {
	servicetest.SkipUnlessRoot(t)
	everyTransport(t, func(t *testing.T, kind peer.Transport) {
		s := servicetest.Start(t, auditPolicy())
		f, _ := follow(t, s, peer.Stream)
		s.Call(t, servicetest.As{UID: 1234, GID: 56}, kind, getPump)
		if got := f.next(); got["uid"] != 1234.0 || got["gid"] != 56.0 || got["pid"] == float64(os.Getpid()) {
			t.Errorf("got %v, want the uid 1234 and the gid 56", got)
		}
	})
}
