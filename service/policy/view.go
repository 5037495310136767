package policy

import (
	"encoding/binary"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/config"
)

// view is what a set of grants permits, whoever they matched. The rules of a method are worked out when it is called for the first time.
type view struct {
	grants []*grant
	covers methods
	rules  []*rules // by method
}

// rules are what a view permits of one method, found by the device.
type rules struct {
	first   *grant               // of those that cover the method, for refusals
	plain   covering             // calls without a device
	exact   map[string]*covering // by ID, as the method names devices
	prefix  map[string]*covering
	lengths []int // of the prefixes
}

// covering is the rules that cover one device or one prefix.
type covering struct {
	free    *rule   // one that neither limits parameters nor has a rate: then no other is needed
	limited []*rule // limits parameters
	rated   []*rule // has a rate, and may limit parameters
}

// rule is one grant as it covers one method.
type rule struct {
	grant  *grant
	limits []limit
	stamp  uint64 // of the decision in which within was worked out
	within bool
}

// viewOf gives the view of a set of grants.
func (p *Policy) viewOf(grants []*grant) *view {
	key := make([]byte, 0, 4*len(grants))
	for _, g := range grants {
		key = binary.LittleEndian.AppendUint32(key, uint32(g.index))
	}
	if v := p.views[string(key)]; v != nil {
		return v
	}
	if len(p.views) >= maxCached {
		clear(p.views)
	}
	v := &view{grants: grants, covers: noMethods(len(p.methods)), rules: make([]*rules, len(p.methods))}
	for _, g := range grants {
		v.covers.add(g.covers)
	}
	p.views[string(key)] = v
	return v
}

// of gives the rules of a method that the view covers.
func (v *view) of(m *hal.Method) *rules {
	if v.rules[m.Index] == nil {
		v.rules[m.Index] = v.build(m)
	}
	return v.rules[m.Index]
}

func (v *view) build(m *hal.Method) *rules {
	r := &rules{exact: map[string]*covering{}, prefix: map[string]*covering{}}
	seen := map[string]bool{}
	for _, g := range v.grants {
		if !g.covers.has(m.Index) {
			continue
		}
		if r.first == nil {
			r.first = g
		}
		rule := &rule{grant: g, limits: limitsFor(g.Grant, m)}
		if g.Plain() {
			r.plain.add(rule, "", seen)
		}
		for _, p := range g.Devices {
			r.add(rule, p, m, seen)
		}
	}
	return r
}

func (r *rules) add(rule *rule, p config.Pattern, m *hal.Method, seen map[string]bool) {
	id, star, ok := p.For(m)
	switch {
	case !ok:
	case star:
		if r.prefix[id] == nil {
			r.prefix[id] = &covering{}
			r.learn(len(id))
		}
		r.prefix[id].add(rule, id+"*", seen)
	default:
		if r.exact[id] == nil {
			r.exact[id] = &covering{}
		}
		r.exact[id].add(rule, id, seen)
	}
}

// learn notes the length of a prefix.
func (r *rules) learn(length int) {
	for _, known := range r.lengths {
		if known == length {
			return
		}
	}
	r.lengths = append(r.lengths, length)
}

// add takes a rule in, unless one that is there already covers the same.
func (c *covering) add(r *rule, name string, seen map[string]bool) {
	if c.free != nil {
		return
	}
	switch {
	case r.grant.Rate.Count > 0:
		c.rated = append(c.rated, r)
	case len(r.limits) > 0:
		if key := name + "\x00" + r.grant.same; !seen[key] {
			seen[key] = true
			c.limited = append(c.limited, r)
		}
	default:
		*c = covering{free: r}
	}
}

// find appends the coverings of a device.
func (r *rules) find(dst []*covering, id string) []*covering {
	if c := r.exact[id]; c != nil {
		dst = append(dst, c)
	}
	for _, n := range r.lengths {
		if n <= len(id) {
			if c := r.prefix[id[:n]]; c != nil {
				dst = append(dst, c)
			}
		}
	}
	return dst
}

// covers reports whether any rule covers a device, whatever the parameters are.
func (r *rules) covers(id string) bool {
	if r.exact[id] != nil {
		return true
	}
	for _, n := range r.lengths {
		if n <= len(id) && r.prefix[id[:n]] != nil {
			return true
		}
	}
	return false
}
