package policy

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/config"
	"github.com/halberd-io/halberd/service/config/configtest"
)

// The model is the policy once more, as simply as it can be said: it goes through all grants for each call, and knows nothing but the grants that it wrote and the values that it
// put into the call. It shares no code with what it checks.

func newRandom(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 2)) }

func pick[T any](r *rand.Rand, all []T) T { return all[r.IntN(len(all))] }

// some picks one to three.
func sample[T any](r *rand.Rand, all []T) []T {
	var some []T
	for range 1 + r.IntN(3) {
		some = append(some, pick(r, all))
	}
	return some
}

type modelRange struct{ low, high int }

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
	"io.halberd.I2c.Transfer":  {"I2c", "hazard", true, map[string]string{"bus": "s", "messages.address": "i", "messages.length": "oi", "tags": "s", "codes": "oi", "note": "os"}},
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

var (
	modelIDs = map[string][]string{
		"Led":  {"front", "back", "panel-1", "panel-2", "p", "gone"},
		"Gpio": {"relay-pump", "relay-fan", "chip/4", "chip/44", "front"},
		"I2c":  {"eeprom", "front", "e"},
		"":     {"Led/front", "Led/panel-1", "Gpio/chip/4", "Gpio/relay-pump", "I2c/eeprom", "Led/gone"},
	}
	modelPatterns = []string{"*", "front", "back", "panel-1", "panel-*", "p*", "p", "relay-*", "relay-pump", "chip/4", "chip/*", "chip/4*", "eeprom", "e*",
		"Led/*", "Led/front", "Led/p*", "Gpio/*", "Gpio/chip/4", "Gpio/chip/*", "I2c/eeprom", "I2c/e*", "gone"}
	modelNames = []string{"io.halberd.*", "io.halberd.Led.*", "io.halberd.Gpio.*", "io.halberd.I2c.*", "io.halberd.Board.*", "io.halberd.Policy.*", "io.halberd.Led.Set", "io.halberd.Led.Get",
		"io.halberd.Led.Count", "io.halberd.Gpio.Get", "io.halberd.Gpio.Set", "io.halberd.Gpio.Reset", "io.halberd.I2c.Transfer", "io.halberd.Board.Safe", "io.halberd.Policy.Reload"}
	modelVerbs = []string{"observe", "control", "configure", "hazard", "administer"}
	modelWords = []string{`"once"`, `"repeat"`, `"front"`, `"chip/4"`, `"a"`, `"b"`}
	modelUnits = []string{"a.service", "b.service"}
)

func randomRanges(r *rand.Rand) []modelRange {
	var all []modelRange
	for range 1 + r.IntN(3) {
		low := r.IntN(8)
		all = append(all, modelRange{low, low + r.IntN(2)*r.IntN(4)})
	}
	return all
}

func randomGrant(r *rand.Rand, id string) modelGrant {
	g := modelGrant{id: id}
	for g.users == nil && g.groups == nil && g.units == nil && g.labels == nil {
		if r.IntN(2) == 0 {
			g.users = randomRanges(r)
		}
		if r.IntN(4) == 0 {
			g.groups = randomRanges(r)
		}
		if r.IntN(6) == 0 {
			g.units = sample(r, modelUnits)
		}
		if r.IntN(6) == 0 {
			g.labels = sample(r, []string{"x", "y"})
		}
	}
	for g.methods == nil && g.verbs == nil {
		if r.IntN(4) != 0 {
			g.methods = sample(r, modelNames)
		}
		if r.IntN(3) == 0 {
			g.verbs = sample(r, modelVerbs)
		}
	}
	if r.IntN(8) != 0 {
		g.devices = sample(r, modelPatterns)
	}
	if r.IntN(3) == 0 {
		g.where = randomLimits(r)
	}
	if r.IntN(2) == 0 {
		count := 1 + r.IntN(3)
		g.rate, g.interval, g.burst = fmt.Sprintf("%d/s", count), time.Second/time.Duration(count), 1+r.IntN(3)
	}
	return g
}

func randomLimits(r *rand.Rand) []modelLimit {
	var all []modelLimit
	seen := map[string]bool{}
	for range 1 + r.IntN(2) {
		method := modelMethods[pick(r, []string{"io.halberd.Led.Set", "io.halberd.Gpio.Set", "io.halberd.I2c.Transfer", "io.halberd.Gpio.Get", "io.halberd.Policy.Reload", "io.halberd.Board.Safe"})]
		var paths []string
		for path := range method.paths {
			paths = append(paths, path)
		}
		path := paths[r.IntN(len(paths))]
		if seen[path] {
			continue
		}
		seen[path] = true
		all = append(all, randomLimit(r, path, method.paths[path]))
	}
	return all
}

func randomLimit(r *rand.Rand, path, kind string) modelLimit {
	l := modelLimit{path: path}
	switch strings.TrimPrefix(kind, "o") {
	case "s":
		l.in = sample(r, modelWords)
	case "b":
		l.in = []string{pick(r, []string{"true", "false"})}
	default:
		low := r.IntN(5)
		high := low + r.IntN(4)
		if r.IntN(2) == 0 {
			l.min = &low
		}
		if r.IntN(2) == 0 {
			l.max = &high
		}
		if l.min == nil && l.max == nil || r.IntN(3) == 0 {
			l.in = sample(r, []string{"0", "1", "2", "3", "4", "5"})
		}
	}
	return l
}

// toml writes the grant.
func (g *modelGrant) toml() string {
	var b strings.Builder
	fmt.Fprintf(&b, "[[grant]]\nid = %q\n", g.id)
	list := func(key string, all []string) {
		if all != nil {
			fmt.Fprintf(&b, "%s = [%s]\n", key, strings.Join(all, ", "))
		}
	}
	list("users", rangesTOML(g.users))
	list("groups", rangesTOML(g.groups))
	list("units", quoted(g.units))
	list("labels", quoted(g.labels))
	list("methods", quoted(g.methods))
	list("verbs", quoted(g.verbs))
	list("devices", quoted(g.devices))
	if g.rate != "" {
		fmt.Fprintf(&b, "rate = %q\nburst = %d\n", g.rate, g.burst)
	}
	for _, l := range g.where {
		fmt.Fprintf(&b, "[grant.where.%q]\n", l.path)
		if l.min != nil {
			fmt.Fprintf(&b, "min = %d\n", *l.min)
		}
		if l.max != nil {
			fmt.Fprintf(&b, "max = %d\n", *l.max)
		}
		list("in", l.in)
	}
	return b.String()
}

func rangesTOML(all []modelRange) []string {
	var out []string
	for _, r := range all {
		if r.low == r.high {
			out = append(out, strconv.Itoa(r.low))
		} else {
			out = append(out, fmt.Sprintf(`"%d-%d"`, r.low, r.high))
		}
	}
	return out
}

func quoted(all []string) []string {
	var out []string
	for _, s := range all {
		out = append(out, strconv.Quote(s))
	}
	return out
}

func (g *modelGrant) isFor(id *Identity) bool {
	if g.users != nil && !inRanges(g.users, int(id.UID)) {
		return false
	}
	if g.groups != nil {
		found := inRanges(g.groups, int(id.GID))
		if !id.Datagram {
			for _, gid := range id.Groups {
				found = found || inRanges(g.groups, int(gid))
			}
		}
		if !found {
			return false
		}
	}
	if g.units != nil && (id.Datagram || !member(g.units, id.Unit)) {
		return false
	}
	return g.labels == nil || !id.Datagram && member(g.labels, id.Label)
}

func inRanges(all []modelRange, n int) bool {
	for _, r := range all {
		if r.low <= n && n <= r.high {
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
	m := modelMethods[method]
	if g.verbs != nil && !member(g.verbs, m.verb) {
		return false
	}
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

func (c *modelCall) put(path string, values ...string) {
	c.values[path] = append(c.values[path], values...)
}

// maybe leaves a parameter out, or gives it.
func (c *modelCall) maybe(r *rand.Rand, path, value string) string {
	if r.IntN(2) == 0 {
		c.short[path] = true
		return ""
	}
	c.put(path, value)
	return fmt.Sprintf(",%q:%s", path, value)
}

func digit(r *rand.Rand) string { return strconv.Itoa(r.IntN(6)) }

func randomCall(r *rand.Rand) *modelCall {
	names := modelNames[6:]
	c := &modelCall{method: pick(r, names), values: map[string][]string{}, short: map[string]bool{}}
	m := modelMethods[c.method]
	for ids := modelIDs[m.class]; m.devices; {
		c.devices = append(c.devices, ids[r.IntN(len(ids))])
		if m.class != "Gpio" || strings.HasSuffix(c.method, "Reset") || r.IntN(2) == 0 {
			break
		}
	}
	c.devices = distinct(c.devices)
	switch c.method {
	case "io.halberd.Led.Set":
		b := digit(r)
		c.put("brightness", b)
		c.json = `,"brightness":` + b + c.maybe(r, "rampMSec", digit(r)) + c.maybe(r, "mode", pick(r, modelWords[:2])) + c.maybe(r, "steady", pick(r, []string{"true", "false"}))
	case "io.halberd.Gpio.Set":
		var members []string
		for i := range r.IntN(3) {
			v := digit(r)
			c.put("values", v)
			members = append(members, fmt.Sprintf(`"v%d":%s`, i, v))
		}
		c.json = `,"values":{` + strings.Join(members, ",") + `}` + c.maybe(r, "label", pick(r, modelWords))
	case "io.halberd.I2c.Transfer":
		c.json = randomTransfer(r, c)
	case "io.halberd.Policy.Reload":
		c.json = c.maybe(r, "generation", digit(r))
	}
	c.json = "{" + strings.TrimPrefix(c.deviceJSON()+c.json, ",") + "}"
	return c
}

func randomTransfer(r *rand.Rand, c *modelCall) string {
	var messages, tags []string
	for range r.IntN(3) {
		address, length := digit(r), ""
		c.put("messages.address", address)
		if r.IntN(3) == 0 {
			c.short["messages.length"] = true
		} else {
			v := digit(r)
			c.put("messages.length", v)
			length = `,"length":` + v
		}
		messages = append(messages, `{"address":`+address+length+`}`)
	}
	for range r.IntN(3) {
		tags = append(tags, pick(r, modelWords))
	}
	c.put("tags", tags...)
	out := `,"messages":[` + strings.Join(messages, ",") + `],"tags":[` + strings.Join(tags, ",") + `],"data":""` + c.maybe(r, "note", pick(r, modelWords))
	codes := []string{digit(r), digit(r)}[:r.IntN(3)]
	if len(codes) == 0 { // An array that may be left out and is empty counts as left out.
		c.short["codes"] = true
		return out + pick(r, []string{"", `,"codes":[]`, `,"codes":null`})
	}
	c.put("codes", codes...)
	return out + `,"codes":[` + strings.Join(codes, ",") + `]`
}

// deviceJSON writes the parameter that names the devices.
func (c *modelCall) deviceJSON() string {
	if c.devices == nil {
		return ""
	}
	param := map[string]string{"Led": "led", "I2c": "bus", "": "device", "Gpio": "lines"}[modelMethods[c.method].class]
	ids := quoted(c.devices)
	if c.method == "io.halberd.Gpio.Reset" {
		param = "line"
	}
	c.put(param, ids...)
	if param == "lines" {
		return `,"lines":[` + strings.Join(ids, ",") + `]`
	}
	return fmt.Sprintf(`,%q:%s`, param, ids[0])
}

func distinct(all []string) []string {
	var out []string
	for _, s := range all {
		if !member(out, s) {
			out = append(out, s)
		}
	}
	return out
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
	devices := c.devices
	if devices == nil {
		devices = []string{""}
	}
	longest := int64(0)
	for i, device := range devices {
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

func randomIdentity(r *rand.Rand) Identity {
	id := Identity{UID: uint32(r.IntN(10)), GID: uint32(r.IntN(10)), Datagram: r.IntN(5) == 0}
	for range r.IntN(3) {
		id.Groups = append(id.Groups, uint32(r.IntN(10)))
	}
	if r.IntN(2) == 0 {
		id.Unit = pick(r, modelUnits)
	}
	if r.IntN(2) == 0 {
		id.Label = pick(r, []string{"x", "y"})
	}
	return id
}

// randomPolicy makes grants that the files' reader takes; what it refuses is tested there.
func randomPolicy(t *testing.T, r *rand.Rand, opt config.Options, cat *hal.Catalog) (*model, *config.PolicyFiles) {
	t.Helper()
	m := &model{tokens: map[string]*modelTokens{}}
	text, grants := "", 1+r.IntN(24)
	for len(m.grants) < grants {
		g := randomGrant(r, fmt.Sprintf("g%d", len(m.grants)))
		if _, err := config.ParsePolicy(opt, cat, "f.toml", g.toml()); err == nil {
			m.grants = append(m.grants, g)
			text += g.toml()
		}
	}
	files, err := config.ParsePolicy(opt, cat, "f.toml", text)
	if err != nil {
		t.Fatal(err)
	}
	return m, files
}

func TestAgainstModel(t *testing.T) {
	const policies, decisions = 250, 1000
	opt, cat := accounts(t), configtest.Catalog()
	seen := map[string]int{}
	for seed := range uint64(policies) {
		r := newRandom(seed)
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
				touch(t, p.Snapshot(id), m, &id)
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
		if got != refusal {
			t.Errorf("got %s (%v), want %v %s", got, err, grants, refusal)
		}
	case *hal.RateLimited:
		if got := fmt.Sprintf("wait %d", err.RetryAfterMSec); got != refusal {
			t.Errorf("got %s, want %v %s", got, grants, refusal)
		}
	}
	if check.Allowed != (err == nil) || err == nil && check.Grant != grant {
		t.Errorf("Check: got %+v, Decide %s %v", check, grant, err)
	}
	if explained.Allowed != (err == nil) || err == nil && !member(grants, explained.Grant) {
		t.Errorf("Explain: got %+v, Decide %s %v", explained, grant, err)
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

// touch compares MayTouch on one device of each class.
func touch(t *testing.T, s *Snapshot, m *model, id *Identity) {
	t.Helper()
	for _, device := range [...][2]string{{"Led", "front"}, {"Gpio", "chip/4"}, {"I2c", "eeprom"}} {
		want := false
		for i := range m.grants {
			g := &m.grants[i]
			for name, method := range modelMethods {
				if !method.devices || !g.isFor(id) || !g.coversMethod(name) {
					continue
				}
				want = want || method.class == device[0] && g.coversDevice(method.class, device[1]) ||
					method.class == "" && g.coversDevice("", device[0]+"/"+device[1])
			}
		}
		if got := s.MayTouch(device[0], device[1]); got != want {
			t.Errorf("MayTouch %v: got %v", device, got)
		}
	}
}
