package policy

import (
	"fmt"

	"github.com/halberd-io/halberd/service/config"
)

// Miss is an expectation that a policy does not meet.
type Miss struct {
	config.Expectation
	Verdict Verdict
}

// Misses lists the expectations that the policy does not meet, in their order. It decides as the daemon does, takes no tokens, and explains as Explain does.
func (p *Policy) Misses(all []config.Expectation) []Miss {
	var misses []Miss
	for _, e := range all {
		if v := p.verdictOn(&e); v.Allowed != e.Allowed || e.Grant != "" && v.Grant != e.Grant {
			misses = append(misses, Miss{e, v})
		}
	}
	return misses
}

func (p *Policy) verdictOn(e *config.Expectation) Verdict {
	id := Identity{UID: e.Who.UID, GID: e.Who.GID, Groups: e.Who.Groups, Unit: e.Who.Unit, Label: e.Who.Label, Datagram: e.Who.Datagram}
	return p.Explain(id, e.Method, e.Call)
}

// String says what was expected, what the policy says, and why.
func (m *Miss) String() string {
	expected := "denied"
	if m.Allowed {
		expected = "permitted"
	}
	if m.Grant != "" {
		expected += " by grant " + m.Grant
	}
	says := "denies it"
	if m.Verdict.Allowed {
		says = "permits it"
	}
	text := fmt.Sprintf("%s:%d: ", m.File, m.Line)
	if m.Name != "" {
		text += m.Name + ": "
	}
	text += fmt.Sprintf("%s is to be %s, and the policy %s: %s", m.Method.FullName(), expected, says, m.Verdict.Reason)
	if m.Verdict.Grant != "" {
		text += fmt.Sprintf(" (%s:%d)", m.Verdict.File, m.Verdict.Line)
	}
	return text
}
