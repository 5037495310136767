package policy

import (
	"encoding/base64"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/config"
)

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

// modelRanges are the ends of ids: those that stand for nobody may be in no range.
var modelRanges = []modelRange{{0, 61183, ""}, {65520, 65533, ""}, {65533, 65533, ""}, {65535, 65535, ""}, {65535, 4294967294, ""}, {4294967294, 4294967294, ""}, {0, 0, ""}}

// randomRanges also takes a name that there is, with its number, and one that there is not.
func randomRanges(r *rand.Rand, name string, id int64) []modelRange {
	var all []modelRange
	for range 1 + r.IntN(3) {
		low := r.Int64N(8)
		switch r.IntN(12) {
		case 0:
			all = append(all, pick(r, modelRanges))
		case 1:
			all = append(all, modelRange{id, id, name})
		case 2:
			all = append(all, modelRange{1, 0, "ghost"})
		default:
			all = append(all, modelRange{low, low + r.Int64N(2)*r.Int64N(4), ""})
		}
	}
	return all
}

// modelEdges are ids at the ends of ranges, of the accounts, and those that stand for nobody.
var modelEdges = []uint32{65534, 65534, 4294967295, 4294967295, 4294967294, 65533, 65535, 61183, 65520, 900, 300}

func randomID(r *rand.Rand) uint32 {
	if r.IntN(8) == 0 {
		return pick(r, modelEdges)
	}
	return r.Uint32N(10)
}

func randomGrant(r *rand.Rand, id string) modelGrant {
	g := modelGrant{id: id}
	for g.users == nil && g.groups == nil && g.units == nil && g.labels == nil {
		if r.IntN(2) == 0 {
			g.users = randomRanges(r, "kiosk", 900)
		}
		if r.IntN(4) == 0 {
			g.groups = randomRanges(r, "leds", 300)
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
		path := pick(r, slices.Sorted(maps.Keys(method.paths)))
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
		switch {
		case r.name != "":
			out = append(out, strconv.Quote(r.name))
		case r.low == r.high:
			out = append(out, strconv.FormatInt(r.low, 10))
		default:
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
		if n := r.IntN(4); n == 0 {
			c.short["messages.write.length"] = true
		} else {
			c.put("messages.write.length", strconv.Itoa(n))
			length += `,"write":"` + base64.StdEncoding.EncodeToString(make([]byte, n)) + `"`
		}
		messages = append(messages, `{"address":`+address+length+`}`)
	}
	for range r.IntN(3) {
		tags = append(tags, pick(r, modelWords))
	}
	c.put("tags", tags...)
	data := make([]byte, r.IntN(6))
	c.put("data.length", strconv.Itoa(len(data)))
	out := `,"messages":[` + strings.Join(messages, ",") + `],"tags":[` + strings.Join(tags, ",") + `],"data":"` + base64.StdEncoding.EncodeToString(data) + `"` + c.maybe(r, "note", pick(r, modelWords))
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

func randomIdentity(r *rand.Rand) Identity {
	id := Identity{UID: randomID(r), GID: randomID(r), Datagram: r.IntN(5) == 0}
	for range r.IntN(3) {
		id.Groups = append(id.Groups, randomID(r))
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
