package policy

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/config"
)

// Verdict is a decision with its reason.
type Verdict struct {
	Allowed bool
	Grant   string // that permits, or that came nearest; "" where there is none
	File    string // and where it stands
	Line    int
	Reason  string // in words
}

func verdict(allowed bool, g *grant, reason string) Verdict {
	v := Verdict{Allowed: allowed, Reason: shorten(reason)}
	if g != nil {
		v.Grant, v.File, v.Line = g.ID, g.File, g.Line
	}
	return v
}

const openToAll = "the method is open to all"

// Check is Decide for a call that is not made: it takes no tokens. Like a refusal, it speaks only of grants whose identity matched.
func (s *Snapshot) Check(c *hal.Call) Verdict {
	if s.policy.isOpen(c.Method) {
		return verdict(true, nil, openToAll)
	}
	d, err := s.decide(c)
	if denied, ok := err.(*hal.PermissionDenied); ok {
		return verdict(false, s.find(denied.Grant.Value), denied.Reason)
	}
	if err != nil {
		return verdict(false, d.late, "grant "+d.late.ID+": "+outOfTokens(d.late, d.wait))
	}
	return verdict(true, d.first, "grant "+d.first.ID+" covers the call")
}

// find gives one of the peer's grants by its id.
func (s *Snapshot) find(id string) *grant {
	for _, g := range s.view.grants {
		if g.ID == id {
			return g
		}
	}
	return nil
}

func outOfTokens(g *grant, wait int64) string {
	return fmt.Sprintf("it is out of tokens: it allows %s with a burst of %d, again in %d ms", g.Rate, g.Rate.Burst, milliseconds(wait))
}

// maxReason is how long a reason may be, in bytes.
const maxReason = 1000

func shorten(reason string) string {
	if len(reason) <= maxReason {
		return reason
	}
	return strings.ToValidUTF8(reason[:maxReason], "") + "…"
}

// Conditions of a grant. The one that is looked at first is the greatest, so that of two grants that meet as many the greater number is nearer.
const (
	rateMet = 1 << iota
	whereMet
	deviceMet
	methodMet
	identityMet
	allMet = 1<<iota - 1
)

// trial is one grant tried on one device of a call: what was met, and the first thing that was not.
type trial struct {
	grant   *grant
	met     int
	related bool  // one of the identity keys matches at least
	wait    int64 // until it has a token, in ns
	reason  string
}

func (t *trial) miss(condition int, reason string) {
	if t.met &^= condition; t.reason == "" {
		t.reason = reason
	}
}

// Explain says who or what permits a call, for any identity: the grant that covers it, or the one that came nearest and the first thing in it that did not match. It takes no tokens.
// Without a call it answers for the method alone: whether calls of it can be permitted, and on what conditions. It looks at every grant there is.
func (p *Policy) Explain(id Identity, m *hal.Method, c *hal.Call) Verdict {
	switch {
	case p.isOpen(m):
		return verdict(true, nil, openToAll)
	case len(p.grants) == 0:
		return verdict(false, nil, "there are no grants")
	}
	devices := 1
	if c != nil {
		devices = max(1, c.Devices())
	}
	var first trial
	for i := range devices {
		best := p.best(&id, m, c, i)
		if best.met != allMet {
			return verdict(false, best.grant, "grant "+best.grant.ID+": "+best.reason)
		}
		if i == 0 {
			first = best
		}
	}
	if c == nil {
		return verdict(true, first.grant, "grant "+first.grant.ID+" covers "+m.FullName()+conditions(first.grant))
	}
	return verdict(true, first.grant, "grant "+first.grant.ID+" covers the call")
}

// best tries every grant on the i-th device.
func (p *Policy) best(id *Identity, m *hal.Method, c *hal.Call, i int) trial {
	var best trial
	for _, g := range p.grants {
		t := p.try(g, id, m, c, i)
		if best.grant == nil || t.nearer(&best) {
			best = t
		}
	}
	return best
}

// nearer compares two grants. One that has to do with the identity at all is nearer than one for somebody else entirely, as root's, which permits everything. Then it counts how many
// conditions they meet, and which ones. Of those that permit, it is the one that Decide takes; of those that are out of tokens, the one that has a token first; else the one that
// is written for the least.
func (t *trial) nearer(other *trial) bool {
	if t.related != other.related {
		return t.related
	}
	if a, b := bits.OnesCount(uint(t.met)), bits.OnesCount(uint(other.met)); a != b {
		return a > b
	}
	switch {
	case t.met != other.met:
		return t.met > other.met
	case t.met == allMet:
		return t.grant.cost() < other.grant.cost()
	case t.met == allMet&^rateMet:
		return t.wait < other.wait
	}
	return t.grant.breadth() < other.grant.breadth()
}

// cost is the order in which Decide asks grants.
func (g *grant) cost() int {
	switch {
	case g.Rate.Count > 0:
		return 2
	case len(g.Where) > 0:
		return 1
	}
	return 0
}

// breadth is greater for grants of many methods or of all devices.
func (g *grant) breadth() int {
	wide := 0
	for _, word := range g.covers {
		wide += bits.OnesCount64(word)
	}
	if g.Plain() {
		wide += len(g.covers) * 64
	}
	return wide
}

func (p *Policy) try(g *grant, id *Identity, m *hal.Method, c *hal.Call, i int) trial {
	t := trial{grant: g, met: allMet}
	t.identity(id)
	t.method(m)
	t.device(m, c, i)
	t.where(m, c)
	t.rate(p, id, c)
	return t
}

func (t *trial) identity(id *Identity) {
	g := t.grant.Grant
	t.related = g.Users.Given && usersMatch(g, id) || g.Groups.Given && groupsMatch(g, id) ||
		g.Units != nil && listed(g.Units, id.unit()) || g.Labels != nil && listed(g.Labels, id.label())
	switch {
	case isNobody(id.UID):
		t.miss(identityMet, "uid "+strconv.FormatUint(uint64(id.UID), 10)+" is nobody, whom no grant matches")
	case !usersMatch(g, id):
		t.miss(identityMet, "it is for users "+some(g.Users.Text)+", and the caller is uid "+strconv.FormatUint(uint64(id.UID), 10))
	case !groupsMatch(g, id):
		t.miss(identityMet, "it is for groups "+some(g.Groups.Text)+", and the caller is in "+groupWords(id))
	case !listed(g.Units, id.unit()):
		t.miss(identityMet, "it is for units "+some(g.Units)+", and the caller is in "+nameWords(id.unit(), id))
	case !listed(g.Labels, id.label()):
		t.miss(identityMet, "it is for labels "+some(g.Labels)+", and the caller has "+nameWords(id.label(), id))
	}
}

func (t *trial) method(m *hal.Method) {
	g := t.grant.Grant
	switch {
	case !g.Names(m):
		t.miss(methodMet, "it is for methods "+some(g.Methods)+", and not for "+m.FullName())
	case !g.HasVerb(m):
		t.miss(methodMet, "it is for verbs "+some(verbWords(g.Verbs))+", and "+m.FullName()+" is "+m.Verb.String())
	}
}

func (t *trial) device(m *hal.Method, c *hal.Call, i int) {
	g := t.grant.Grant
	switch {
	case c == nil:
		if m.Device == "" && !g.Plain() {
			t.miss(deviceMet, "it is for devices "+patternWords(g)+", and "+m.FullName()+" takes none")
		}
	case c.Devices() == 0:
		if !g.Plain() {
			t.miss(deviceMet, "it is for devices "+patternWords(g)+", and the call names none")
		}
	case !coversDevice(g, m, c.DeviceID(i)):
		t.miss(deviceMet, "it is for devices "+patternWords(g)+", and not for "+c.DeviceID(i))
	}
}

func coversDevice(g *config.Grant, m *hal.Method, id string) bool {
	for _, p := range g.Devices {
		if p.Match(m, id) {
			return true
		}
	}
	return false
}

func (t *trial) where(m *hal.Method, c *hal.Call) {
	if l := t.grant.Unfit(m); l != nil {
		t.miss(whereMet, "it limits "+l.Parameter+", which "+m.FullName()+" does not have")
		return
	}
	if c == nil {
		return
	}
	var look inspection
	if i := look.look(c, limitsFor(t.grant.Grant, m)); i >= 0 {
		t.miss(whereMet, look.words(i))
	}
}

func (t *trial) rate(p *Policy, id *Identity, c *hal.Call) {
	g := t.grant
	if c == nil || g.Rate.Count == 0 {
		return
	}
	if t.wait = p.buckets.wait(bucket{g.bucket, id.UID}, g.Rate, p.buckets.now()); t.wait > 0 {
		t.miss(rateMet, outOfTokens(g, t.wait))
	}
}

// maxListed is how many names of a list are given in a reason.
const maxListed = 8

// some lists names, of many only the first.
func some(all []string) string {
	if len(all) > maxListed {
		return strings.Join(all[:maxListed], ", ") + ", …"
	}
	return strings.Join(all, ", ")
}

func patternWords(g *config.Grant) string {
	var all []string
	for _, p := range g.Devices {
		all = append(all, p.String())
	}
	if all == nil {
		return "none"
	}
	return some(all)
}

func verbWords(verbs []hal.Verb) []string {
	var all []string
	for _, v := range verbs {
		all = append(all, v.String())
	}
	return all
}

func groupWords(id *Identity) string {
	var all []string
	id.groups(func(gid uint32) { all = append(all, strconv.FormatUint(uint64(gid), 10)) })
	switch {
	case all == nil:
		return "none"
	case id.Datagram:
		return "group " + all[0] + ", the one that counts on datagrams"
	}
	return "groups " + some(all)
}

func nameWords(name string, id *Identity) string {
	switch {
	case id.Datagram:
		return "none that a datagram could show"
	case name == "":
		return "none"
	}
	return name
}

// conditions puts what a grant asks beside the method into words.
func conditions(g *grant) string {
	words := ""
	if g.Devices != nil {
		words += ", for devices " + patternWords(g.Grant)
	}
	if g.where != nil {
		words += ", where " + strings.Join(g.where, " and ")
	}
	if g.Rate.Count > 0 {
		words += fmt.Sprintf(", at most %s with a burst of %d", g.Rate, g.Rate.Burst)
	}
	return words
}
