package policy

import (
	"math/bits"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/config"
)

// Verdict is a decision with its reason.
type Verdict struct {
	Allowed bool
	Limited bool   // by Check alone: it is a rate that does not permit the call now, and nothing else
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
		v := verdict(false, d.late, "grant "+d.late.ID+": "+outOfTokens(d.late, d.wait))
		v.Limited = true
		return v
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
	say     bool  // put the first thing into words
	reason  string
}

// miss notes a condition that is not met, and reports whether it has to be put into words.
func (t *trial) miss(condition int) bool {
	t.met &^= condition
	return t.say && t.reason == ""
}

// inquiry is what Explain is asked: would this identity be permitted this call on its i-th device, at this time.
type inquiry struct {
	policy *Policy
	id     *Identity
	method *hal.Method
	call   *hal.Call // nil where the method alone is asked about
	device int
	now    int64
}

// Explain says who or what permits a call, for any identity: the grant that Decide would take, or the one that came nearest and the first thing in it that did not match. It takes no tokens.
// Without a call it answers for the method alone: whether calls of it can be permitted, and on what conditions. It looks at every grant there is.
func (p *Policy) Explain(id Identity, m *hal.Method, c *hal.Call) Verdict {
	switch {
	case p.isOpen(m):
		return verdict(true, nil, openToAll)
	case len(p.grants) == 0:
		return verdict(false, nil, "there are no grants")
	}
	if c != nil {
		if v := p.Snapshot(id).Check(c); v.Allowed {
			return v
		}
	}
	q := inquiry{policy: p, id: &id, method: m, call: c, now: p.buckets.now()}
	best := q.nearest()
	for c != nil && best.met == allMet && q.device+1 < c.Devices() {
		q.device++
		best = q.nearest()
	}
	if best.met != allMet {
		return best.denial()
	}
	return verdict(true, best.grant, "grant "+best.grant.ID+" covers "+m.FullName()+conditions(best.grant))
}

func (t *trial) denial() Verdict {
	return verdict(false, t.grant, "grant "+t.grant.ID+": "+t.reason)
}

// nearest tries every grant, and the nearest once more to put it into words.
func (q *inquiry) nearest() trial {
	var best trial
	for _, g := range q.policy.grants {
		t := trial{grant: g, met: allMet}
		t.run(q)
		if best.grant == nil || t.nearer(&best) {
			best = t
		}
	}
	best.say = true
	best.run(q)
	return best
}

func (t *trial) run(q *inquiry) {
	t.identity(q.id)
	t.method(q.method)
	t.device(q)
	t.where(q)
	t.rate(q)
}

// nearer compares two grants. One that has to do with the identity at all is nearer than one for somebody else entirely, as root's, which permits everything. Then it counts how many
// conditions they meet, and which ones. Of those that permit a device, or the method, it is the one that asks the least; of those that are out of tokens, the one that has a token first; else the one that
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

// cost is greater for a grant that asks more of a call, in the order in which Decide asks them.
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

func (t *trial) identity(id *Identity) {
	g := t.grant.Grant
	t.related = g.Users.Given && usersMatch(g, id) || g.Groups.Given && groupsMatch(g, id) ||
		g.Units != nil && listed(g.Units, id.unit()) || g.Labels != nil && listed(g.Labels, id.label())
	if !matches(g, id) && t.miss(identityMet) {
		t.reason = stranger(g, id)
	}
}

func (t *trial) method(m *hal.Method) {
	g := t.grant.Grant
	switch {
	case !g.Names(m):
		if t.miss(methodMet) {
			t.reason = "it is for methods " + some(g.Methods) + ", and not for " + m.FullName()
		}
	case !g.HasVerb(m):
		if t.miss(methodMet) {
			t.reason = "it is for verbs " + some(verbWords(g.Verbs)) + ", and " + m.FullName() + " is " + m.Verb.String()
		}
	}
}

func (t *trial) device(q *inquiry) {
	if problem := deviceProblem(t.grant.Grant, q); problem != "" && t.miss(deviceMet) {
		t.reason = "it is for devices " + patternWords(t.grant.Grant) + ", and " + problem
	}
}

func deviceProblem(g *config.Grant, q *inquiry) string {
	switch {
	case q.call == nil && q.method.Device != "":
		return ""
	case q.call == nil && !g.Plain():
		return q.method.FullName() + " takes none"
	case q.call == nil:
		return ""
	case q.call.Devices() == 0 && !g.Plain():
		return "the call names none"
	case q.call.Devices() > 0 && !coversDevice(g, q.method, q.call.DeviceID(q.device)):
		return "not for " + q.call.DeviceID(q.device)
	}
	return ""
}

func coversDevice(g *config.Grant, m *hal.Method, id string) bool {
	for _, p := range g.Devices {
		if p.Match(m, id) {
			return true
		}
	}
	return false
}

func (t *trial) where(q *inquiry) {
	if l := t.grant.Unfit(q.method); l != nil {
		if t.miss(whereMet) {
			t.reason = "it limits " + l.Parameter + ", which " + q.method.FullName() + " does not have"
		}
		return
	}
	if q.call == nil || t.grant.Where == nil {
		return
	}
	var look inspection
	if i := look.look(q.call, limitsFor(t.grant.Grant, q.method)); i >= 0 && t.miss(whereMet) {
		t.reason = look.words(i)
	}
}

func (t *trial) rate(q *inquiry) {
	g := t.grant
	if q.call == nil || g.Rate.Count == 0 {
		return
	}
	t.wait = q.policy.buckets.wait(bucket{g.bucket, q.policy.subUIDs.Owner(q.id.UID)}, g.Rate, q.now)
	if t.wait > 0 && t.miss(rateMet) {
		t.reason = outOfTokens(g, t.wait)
	}
}
