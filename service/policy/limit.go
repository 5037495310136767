package policy

import (
	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/config"
)

// limit is one limit of a grant, as it stands for one method.
type limit struct {
	*config.Limit
	required bool   // every call has the parameter, every element of a list its field
	anchor   string // counts the elements that must have it, where it is a field that may be left out of an element
}

// limitsFor prepares a grant's limits for a method that it covers.
func limitsFor(g *config.Grant, m *hal.Method) []limit {
	var all []limit
	for i := range g.Where {
		d, _ := config.Find(m, g.Where[i].Parameter)
		all = append(all, limit{&g.Where[i], !d.Field.Optional, d.Anchor})
	}
	return all
}

// inspection looks at the parameters of a call through limits. It implements hal.Examiner, and is used again for every call.
type inspection struct {
	limits []limit
	counts []count // one for each limit
}

// count is how often a parameter was shown, and its anchor, and the first value that is not within the limit.
type count struct {
	shown, anchors int
	outside        bool
	value          hal.Scalar
}

// Examine takes note of one value.
func (n *inspection) Examine(path string, value hal.Scalar) {
	for i := range n.limits {
		l, c := &n.limits[i], &n.counts[i]
		if path == l.Parameter {
			c.shown++
			if !c.outside && !l.Within(value) {
				c.outside, c.value = true, value
			}
		}
		if path == l.anchor {
			c.anchors++
		}
	}
}

// look examines a call, and gives the first limit that it is not within, or -1.
func (n *inspection) look(c *hal.Call, limits []limit) int {
	n.limits, n.counts = limits, n.counts[:0]
	for range limits {
		n.counts = append(n.counts, count{})
	}
	c.Examine(n)
	for i := range limits {
		if n.counts[i].outside || n.absent(i) {
			return i
		}
	}
	return -1
}

// absent reports whether a parameter was left out, of the call or of one of the elements of a list.
func (n *inspection) absent(i int) bool {
	l, c := &n.limits[i], &n.counts[i]
	switch {
	case l.required:
		return false
	case l.anchor != "":
		return c.shown != c.anchors
	}
	return c.shown == 0
}

// outside gives the one value that is not within the i-th limit, or nil: of a list, other elements may stand outside as well.
func (n *inspection) outside(i int) *hal.Outside {
	if c := &n.counts[i]; c.outside && c.shown == 1 {
		return &hal.Outside{Parameter: n.limits[i].Parameter, Value: c.value}
	}
	return nil
}

// words says how a call is not within the i-th limit.
func (n *inspection) words(i int) string {
	l, c := &n.limits[i], &n.counts[i]
	if c.outside {
		return l.Parameter + " is " + config.Quoted(c.value) + ", the grant allows " + l.Words()
	}
	return l.Parameter + " is left out, the grant allows " + l.Words()
}
