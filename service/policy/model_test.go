package policy

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/config/configtest"
)

// The model is the policy once more, as the contract has it and as simply as it can be said: it goes through all grants for each call, and knows nothing but the grants that it wrote
// and the values that it put into the call. It shares no code with what it checks.

// modelRange is users or groups: numbers, or a name of the test's accounts (and then its number).
type modelRange struct {
	low, high int64
	name      string
}

type modelLimit struct {
	path     string
	min, max *int
	in       []string // as TOML writes them
}

type modelGrant struct {
	id             string
	users, groups  []modelRange
	units, labels  []string
	methods, verbs []string
	devices        []string
	where          []modelLimit
	interval       time.Duration // 0 without a rate
	rate           string
	burst          int
}

// parameters of each method in the catalog, by path, with the kind of value: i, s, b; or an o in front where the parameter may be left out.
var modelMethods = map[string]struct {
	class, verb string
	devices     bool
	paths       map[string]string
}{
	"io.halberd.Led.Get":       {"Led", "observe", true, map[string]string{"led": "s"}},
	"io.halberd.Led.Set":       {"Led", "control", true, map[string]string{"led": "s", "brightness": "i", "rampMSec": "oi", "mode": "os", "steady": "ob"}},
	"io.halberd.Led.Count":     {"Led", "observe", false, nil},
	"io.halberd.Gpio.Get":      {"Gpio", "observe", true, map[string]string{"lines": "s"}},
	"io.halberd.Gpio.Set":      {"Gpio", "control", true, map[string]string{"lines": "s", "values": "i", "label": "os"}},
	"io.halberd.Gpio.Reset":    {"Gpio", "hazard", true, map[string]string{"line": "s"}},
	"io.halberd.I2c.Transfer":  {"I2c", "hazard", true, map[string]string{"bus": "s", "messages.address": "i", "messages.length": "oi", "messages.write.length": "oi", "data.length": "i", "tags": "s", "codes": "oi", "note": "os"}},
	"io.halberd.Board.Safe":    {"", "hazard", true, map[string]string{"device": "s"}},
	"io.halberd.Policy.Reload": {"Policy", "administer", false, map[string]string{"generation": "oi"}},
}

// modelCall is a call with what is in it, by path. A path that stands in short is left out somewhere.
type modelCall struct {
	method  string
	devices []string
	values  map[string][]string // as TOML writes them
	short   map[string]bool
	json    string
}

// stranger is the first of the grant's keys that does not match an identity, or "".
func (g *modelGrant) stranger(id *Identity) string {
	switch {
	case id.UID == 65534 || id.UID == 4294967295:
		return "nobody"
	case g.users != nil && !inRanges(g.users, id.UID):
		return "users"
	case g.groups != nil && !g.forGroup(id):
		return "groups"
	case g.units != nil && (id.Datagram || !member(g.units, id.Unit)):
		return "units"
	case g.labels != nil && (id.Datagram || !member(g.labels, id.Label)):
		return "labels"
	}
	return ""
}

func (g *modelGrant) isFor(id *Identity) bool { return g.stranger(id) == "" }

func (g *modelGrant) forGroup(id *Identity) bool {
	found := inRanges(g.groups, id.GID)
	if !id.Datagram {
		for _, gid := range id.Groups {
			found = found || inRanges(g.groups, gid)
		}
	}
	return found
}

func inRanges(all []modelRange, n uint32) bool {
	for _, r := range all {
		if r.low <= int64(n) && int64(n) <= r.high && n != 65534 && n != 4294967295 {
			return true
		}
	}
	return false
}

func member(all []string, s string) bool {
	for _, one := range all {
		if one == s {
			return true
		}
	}
	return false
}

func (g *modelGrant) coversMethod(method string) bool {
	return g.names(method) && (g.verbs == nil || member(g.verbs, modelMethods[method].verb)) && g.fits(method)
}

// fits says whether a method has all parameters that the grant limits, of types that can be within the limits.
func (g *modelGrant) fits(method string) bool {
	m := modelMethods[method]
	for _, l := range g.where {
		kind, ok := m.paths[l.path]
		kind = strings.TrimPrefix(kind, "o")
		if !ok || (l.min != nil || l.max != nil) && kind != "i" {
			return false
		}
		for _, v := range l.in {
			if kindOf(v) != kind {
				return false
			}
			if l.path == "mode" && v != `"once"` && v != `"repeat"` {
				return false
			}
		}
	}
	return true
}

func (g *modelGrant) names(method string) bool {
	if g.methods == nil {
		return true
	}
	for _, name := range g.methods {
		if name == method || strings.HasSuffix(name, ".*") && strings.HasPrefix(method, strings.TrimSuffix(name, "*")) {
			return true
		}
	}
	return false
}

func kindOf(v string) string {
	switch {
	case v[0] == '"':
		return "s"
	case v == "true" || v == "false":
		return "b"
	}
	return "i"
}

// coversDevice takes a device, or "" for a call without one.
func (g *modelGrant) coversDevice(class, id string) bool {
	if id == "" {
		return g.devices == nil || member(g.devices, "*")
	}
	whole := id
	if class != "" {
		whole = class + "/" + id
	}
	for _, p := range g.devices {
		prefix, star := strings.CutSuffix(p, "*")
		classed := strings.HasPrefix(p, "Led/") || strings.HasPrefix(p, "Gpio/") || strings.HasPrefix(p, "I2c/")
		name := id
		if classed {
			name = whole
		} else if class == "" && p != "*" {
			continue
		}
		if name == p && !star || star && strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

func (g *modelGrant) within(c *modelCall) bool {
	for _, l := range g.where {
		if c.short[l.path] {
			return false
		}
		for _, v := range c.values[l.path] {
			n, _ := strconv.Atoi(v)
			if l.min != nil && n < *l.min || l.max != nil && n > *l.max || l.in != nil && !member(l.in, v) {
				return false
			}
		}
	}
	return true
}

// model is the grants, and the tokens that each uid has left of each, in ns.
type model struct {
	grants []modelGrant
	tokens map[string]*modelTokens
}

type modelTokens struct{ level, at int64 }

// wait is how long a uid has to wait for a token.
func (m *model) wait(g *modelGrant, uid uint32, now int64) int64 {
	t := m.level(g, uid, now)
	return max(0, int64(g.interval)-t.level)
}

func (m *model) level(g *modelGrant, uid uint32, now int64) *modelTokens {
	key := fmt.Sprintf("%s/%d", g.id, uid)
	t := m.tokens[key]
	if t == nil {
		t = &modelTokens{int64(g.interval) * int64(g.burst), now}
		m.tokens[key] = t
	}
	t.level, t.at = min(int64(g.interval)*int64(g.burst), t.level+now-t.at), now
	return t
}

// verdict is what the model says: the grants that may be named, or "denied method", "denied device" or "wait N".
func (m *model) verdict(id *Identity, c *modelCall, now int64) (grants []string, refusal string) {
	var mine []*modelGrant
	for i := range m.grants {
		if g := &m.grants[i]; g.isFor(id) && g.coversMethod(c.method) {
			mine = append(mine, g)
		}
	}
	if mine == nil {
		return nil, "denied method"
	}
	longest := int64(0)
	for i, device := range c.asked() {
		var unlimited, limited, rated []string
		wait := int64(-1)
		for _, g := range mine {
			if !g.coversDevice(modelMethods[c.method].class, device) || !g.within(c) {
				continue
			}
			switch {
			case g.interval == 0 && g.where == nil:
				unlimited = append(unlimited, g.id)
			case g.interval == 0:
				limited = append(limited, g.id)
			default:
				w := m.wait(g, id.UID, now)
				if w == 0 {
					rated = append(rated, g.id)
				}
				if wait < 0 || w < wait {
					wait = w
				}
			}
		}
		best := unlimited
		if best == nil {
			best = limited
		}
		if best == nil {
			best = rated
		}
		switch {
		case best == nil && wait < 0:
			return nil, "denied device " + device
		case best == nil:
			longest = max(longest, wait)
		}
		if i == 0 {
			grants = best
		}
	}
	if longest > 0 {
		return nil, fmt.Sprintf("wait %d", (longest+999_999)/1_000_000)
	}
	return grants, ""
}

// named makes sure that a denial names a grant, and a condition that this grant does not meet. For the caller itself, the grant has to be one of its own that covers the method.
func (m *model) named(t *testing.T, by string, v Verdict, own bool, id *Identity, c *modelCall, now int64) {
	t.Helper()
	for i := range m.grants {
		g := &m.grants[i]
		if g.id != v.Grant {
			continue
		}
		if own && !(g.isFor(id) && g.coversMethod(c.method)) {
			t.Errorf("%s: got %+v, which is not the caller's", by, v)
		}
		words := g.misses(m, own, id, c, now)
		if !startsWith(strings.TrimPrefix(v.Reason, "grant "+g.id+": "), words) {
			t.Errorf("%s: got %+v, want one of %q", by, v, words)
		}
		return
	}
	t.Errorf("%s: got %+v, and there is no such grant", by, v)
}

func startsWith(s string, any []string) bool {
	for _, prefix := range any {
		if strings.HasPrefix(s, prefix) {
			return true
		}
	}
	return false
}

// misses gives the first condition of the grant that a call does not meet, as its reason begins: of several devices, or of several limits, any one's.
func (g *modelGrant) misses(m *model, own bool, id *Identity, c *modelCall, now int64) []string {
	switch who := g.stranger(id); {
	case who == "nobody":
		return []string{fmt.Sprintf("uid %d is nobody", id.UID)}
	case who != "":
		return []string{"it is for " + who + " "}
	case !g.names(c.method):
		return []string{"it is for methods "}
	case g.verbs != nil && !member(g.verbs, modelMethods[c.method].verb):
		return []string{"it is for verbs "}
	}
	var words []string
	for _, device := range c.asked() {
		switch {
		case g.coversDevice(modelMethods[c.method].class, device):
			words = append(words, g.missesValues(m, id, c, now)...)
		case own && device == "":
			words = append(words, "it covers "+c.method+" only for devices, and the call names none")
		case own:
			words = append(words, "it covers "+c.method+", and not the device "+device)
		default:
			words = append(words, "it is for devices ")
		}
	}
	return words
}

func (g *modelGrant) missesValues(m *model, id *Identity, c *modelCall, now int64) (words []string) {
	for _, l := range g.where {
		one := modelGrant{where: []modelLimit{l}}
		switch {
		case !one.fits(c.method):
			words = append(words, "it limits "+l.path+", ")
		case !one.within(c):
			words = append(words, l.path+" is ")
		}
	}
	if words == nil && g.interval > 0 && m.wait(g, id.UID, now) > 0 {
		words = []string{"it is out of tokens: "}
	}
	return words
}

// asked is the devices of a call, or one without a name for a call without any.
func (c *modelCall) asked() []string {
	if c.devices == nil {
		return []string{""}
	}
	return c.devices
}

// spend takes the tokens of the grants that were picked, after making sure that the call needed each of them and that each had one.
func (m *model) spend(t *testing.T, picked []*grant, id *Identity, c *modelCall, now int64) {
	t.Helper()
	for i, p := range picked {
		g := &m.grants[p.index]
		needed := c.devices == nil && g.coversDevice("", "")
		for _, device := range c.devices {
			needed = needed || g.coversDevice(modelMethods[c.method].class, device)
		}
		for _, other := range picked[:i] {
			needed = needed && other != p
		}
		if !needed || m.wait(g, id.UID, now) > 0 {
			t.Errorf("a token of %s was taken for %s %s", g.id, c.method, c.json)
		}
		m.level(g, id.UID, now).level -= int64(g.interval)
	}
}

// TestSoakAgainstModel makes a hundred thousand decisions by a hundred policies, a hundred times as many where HALBERD_SOAK is set, and fewer on the targets, which are emulated.
func TestSoakAgainstModel(t *testing.T) {
	policies := 100
	switch {
	case os.Getenv("HALBERD_SOAK") != "":
		policies = 10_000
	case testing.Short() || runtime.GOARCH != "amd64":
		policies = 20
	}
	againstModel(t, 0, policies)
}

// againstModel makes a thousand decisions by each of so many random policies, and compares each with the model's.
func againstModel(t *testing.T, first, policies int) {
	const decisions = 1000
	opt, cat := accounts(t), configtest.Catalog()
	seen := map[string]int{}
	for seed := first; seed < first+policies; seed++ {
		r := newRandom(uint64(seed))
		peers := []Identity{randomIdentity(r), randomIdentity(r), randomIdentity(r), randomIdentity(r)}
		m, files := randomPolicy(t, r, opt, cat)
		p, now := Compile(files, cat, 1, nil), &clock{}
		p.buckets.now = now.now
		for i := range decisions {
			now.ns += int64(r.IntN(2)) * int64(r.IntN(int(100*time.Millisecond)))
			id, c := pick(r, peers), randomCall(r)
			if i%4 == 0 {
				id = randomIdentity(r)
			}
			seen[compare(t, p, m, id, c, cat, now.ns)]++
			if i%16 == 0 {
				touch(t, p.Snapshot(id), m, &id, cat)
			}
			if i == decisions/2 { // A reload in between changes nothing.
				p = Compile(files, cat, 2, p)
			}
			if t.Failed() {
				for i := range m.grants {
					t.Log(m.grants[i].toml())
				}
				t.Fatalf("seed %d, decision %d: %+v calls %s %s", seed, i, id, c.method, c.json)
			}
		}
	}
	t.Logf("%d decisions: %v", policies*decisions, seen)
	for _, kind := range []string{"allowed", "denied method", "denied device", "wait"} {
		if seen[kind] < policies*decisions/250 {
			t.Errorf("only %d decisions were: %s", seen[kind], kind)
		}
	}
}

// compare asks both, in every way there is, and tells what kind of answer it was.
func compare(t *testing.T, p *Policy, m *model, id Identity, c *modelCall, cat *hal.Catalog, now int64) string {
	t.Helper()
	call := configtest.Call(cat, c.method, c.json)
	defer call.Release()
	s := p.Snapshot(id)
	grants, refusal := m.verdict(&id, c, now)
	if s.Covers(call.Method) != (refusal != "denied method") {
		t.Errorf("Covers: got %v, want %s", s.Covers(call.Method), refusal)
	}
	check, explained := s.Check(call), p.Explain(id, call.Method, call)
	grant, err := s.Decide(call)
	switch err := err.(type) {
	case nil:
		if refusal != "" || !member(grants, grant) {
			t.Errorf("permitted by %s, want %v %s", grant, grants, refusal)
		} else {
			m.spend(t, p.decision.picked, &id, c, now)
		}
	case *hal.PermissionDenied:
		got := "denied method"
		if err.Grant.Set {
			got = "denied device " + err.Device.Value
		}
		if got != refusal || err.Grant.Value != check.Grant || err.Device.Set != (err.Device.Value != "") {
			t.Errorf("got %s (%v), want %v %s, and the grant that Check names (%s)", got, err, grants, refusal, check.Grant)
		}
	case *hal.RateLimited:
		if got := fmt.Sprintf("wait %d", err.RetryAfterMSec); got != refusal {
			t.Errorf("got %s, want %v %s", got, grants, refusal)
		}
	}
	if check.Allowed != (err == nil) || err == nil && check.Grant != grant {
		t.Errorf("Check: got %+v, Decide %s %v", check, grant, err)
	}
	if explained.Allowed != (err == nil) || err == nil && explained.Grant != grant {
		t.Errorf("Explain: got %+v, Decide %s %v", explained, grant, err)
	}
	if err != nil && refusal != "denied method" {
		m.named(t, "Check", check, true, &id, c, now)
	}
	if err != nil {
		m.named(t, "Explain", explained, false, &id, c, now)
	}
	kind, _, _ := strings.Cut(refusal, " ")
	switch {
	case refusal == "":
		return "allowed"
	case kind == "denied":
		return strings.Join(strings.Split(refusal, " ")[:2], " ")
	}
	return kind
}

// touch compares MayTouch and MayCall on one device of each class.
func touch(t *testing.T, s *Snapshot, m *model, id *Identity, cat *hal.Catalog) {
	t.Helper()
	for _, device := range [...][2]string{{"Led", "front"}, {"Gpio", "chip/4"}, {"I2c", "eeprom"}} {
		any := false
		for name, method := range modelMethods {
			named := device[1]
			switch {
			case !method.devices:
				continue
			case method.class == "":
				named = device[0] + "/" + device[1]
			case method.class != device[0]:
				continue
			}
			want := false
			for i := range m.grants {
				g := &m.grants[i]
				want = want || g.isFor(id) && g.coversMethod(name) && g.coversDevice(method.class, named)
			}
			if got := s.MayCall(cat.Method([]byte(name)), named); got != want {
				t.Errorf("MayCall %s %s: got %v", name, named, got)
			}
			any = any || want
		}
		if got := s.MayTouch(device[0], device[1]); got != any {
			t.Errorf("MayTouch %v: got %v", device, got)
		}
	}
}
