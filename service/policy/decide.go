package policy

import (
	"github.com/halberd-io/halberd/hal"
)

// decision is one call while it is decided. There is one per policy, used again and again.
type decision struct {
	snapshot *Snapshot
	call     *hal.Call
	stamp    uint64
	look     inspection
	now      int64 // read once, when the first rate is looked at
	timed    bool
	wait     int64    // how long the call has to wait, in ns: the longest of its devices
	late     *grant   // for whose token it waits
	picked   []*grant // grants with a rate that the call needs, each once
	first    *grant   // what permits the first device
	covering []*covering
}

// Permit implements hal.Gate: nil, or *hal.PermissionDenied or *hal.RateLimited. It takes a token from each grant that it needed and that has a rate. It does not allocate where
// the answer is nil.
func (s *Snapshot) Permit(c *hal.Call) error {
	_, err := s.Decide(c)
	return err
}

// Decide is Permit, and names the grant that permitted the call; of a call on several devices, the first one's. It is "" for a method that is open to all.
func (s *Snapshot) Decide(c *hal.Call) (grant string, err error) {
	if s.policy.isOpen(c.Method) {
		return "", nil
	}
	d, err := s.decide(c)
	if err != nil {
		return "", err
	}
	d.take()
	return d.first.ID, nil
}

// decide takes no tokens yet. The decision also stands beside hal.RateLimited.
func (s *Snapshot) decide(c *hal.Call) (*decision, error) {
	if !s.Covers(c.Method) {
		return nil, s.policy.DeniedMethod(s, c.Method)
	}
	r, d := s.view.of(c.Method), s.policy.begin(s, c)
	if c.Devices() == 0 {
		d.covering = append(d.covering[:0], &r.plain)
		if !d.choose() {
			return nil, d.denied(r, "")
		}
	}
	for i := range c.Devices() {
		id := c.DeviceID(i)
		d.covering = r.find(d.covering[:0], id)
		if !d.choose() {
			return nil, d.denied(r, id)
		}
	}
	if d.wait > 0 {
		return d, &hal.RateLimited{RetryAfterMSec: milliseconds(d.wait)}
	}
	return d, nil
}

func (p *Policy) begin(s *Snapshot, c *hal.Call) *decision {
	d := &p.decision
	d.snapshot, d.call, d.stamp = s, c, d.stamp+1
	d.timed, d.wait, d.late, d.first = false, 0, nil, nil
	d.picked = d.picked[:0]
	return d
}

// choose finds a grant for one device, at best one that costs nothing to ask, and reports whether any covers it, be it out of tokens.
func (d *decision) choose() bool {
	for _, c := range d.covering {
		if c.free != nil {
			d.pick(c.free.grant)
			return true
		}
	}
	for _, c := range d.covering {
		for _, r := range c.limited {
			if d.within(r) {
				d.pick(r.grant)
				return true
			}
		}
	}
	return d.chooseRated()
}

// chooseRated finds a grant that has a token left, or notes for which one the call has to wait.
func (d *decision) chooseRated() bool {
	var (
		least int64
		late  *grant
	)
	for _, c := range d.covering {
		for _, r := range c.rated {
			if !d.within(r) {
				continue
			}
			wait := d.waitFor(r.grant)
			if wait == 0 {
				d.pickRated(r.grant)
				return true
			}
			if late == nil || wait < least {
				least, late = wait, r.grant
			}
		}
	}
	if least > d.wait {
		d.wait, d.late = least, late
	}
	return late != nil
}

func (d *decision) pick(g *grant) {
	if d.first == nil {
		d.first = g
	}
}

func (d *decision) pickRated(g *grant) {
	d.pick(g)
	if !d.has(g) {
		d.picked = append(d.picked, g)
	}
}

func (d *decision) has(g *grant) bool {
	for _, p := range d.picked {
		if p == g {
			return true
		}
	}
	return false
}

// within looks at the parameters once for each rule, however many devices there are.
func (d *decision) within(r *rule) bool {
	if len(r.limits) == 0 {
		return true
	}
	if r.stamp != d.stamp {
		r.stamp, r.within = d.stamp, d.look.look(d.call, r.limits) < 0
	}
	return r.within
}

func (d *decision) waitFor(g *grant) int64 {
	b := d.snapshot.policy.buckets
	if !d.timed {
		d.now, d.timed = b.now(), true
	}
	return b.wait(bucket{g.bucket, d.snapshot.account}, g.Rate, d.now)
}

// take takes a token from each grant that was picked.
func (d *decision) take() {
	for _, g := range d.picked {
		d.snapshot.policy.buckets.take(bucket{g.bucket, d.snapshot.account}, g.Rate, d.now)
	}
}

// denied says why no grant covers a device, by the one that came nearest.
func (d *decision) denied(r *rules, id string) error {
	method := d.call.Method.FullName()
	near, reason := r.first, ""
	var outside *hal.Outside
	rule := d.nearest()
	switch {
	case rule != nil:
		near = rule.grant
		i := d.look.look(d.call, rule.limits)
		reason, outside = d.look.words(i), d.look.outside(i)
	case d.call.Devices() == 0:
		reason = "it covers " + method + " only for devices, and the call names none"
	default:
		reason = "it covers " + method + ", and not the device " + id
	}
	return &hal.PermissionDenied{
		Reason:  shorten("grant " + near.ID + ": " + reason),
		Grant:   hal.Some(near.ID),
		Device:  hal.Opt[string]{Value: id, Set: id != ""},
		Outside: outside,
	}
}

// nearest is the first grant that covers the device, and not these parameters.
func (d *decision) nearest() *rule {
	var first *rule
	for _, c := range d.covering {
		for _, list := range [...][]*rule{c.limited, c.rated} {
			if len(list) > 0 && (first == nil || list[0].grant.index < first.grant.index) {
				first = list[0]
			}
		}
	}
	return first
}
