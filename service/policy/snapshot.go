package policy

import (
	"strconv"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/config"
)

// Snapshot is a policy for one peer: the grants whose identity matched. It holds until the policy is replaced. It implements hal.Gate.
type Snapshot struct {
	policy *Policy
	view   *view
	uid    uint32

	account uint32 // whose tokens are taken: the uid, or what stands for a range of uids that one user has
}

// Covers reports whether a method is open, or any grant can cover a call of it. No parameters are looked at.
func (s *Snapshot) Covers(m *hal.Method) bool {
	return s.policy.isOpen(m) || s.policy.knows(m) && s.view.covers.has(m.Index)
}

// MayTouch reports whether any grant covers this device for any method of its class, or for a method that names devices by Class/ID. Methods that are open to all do not count.
func (s *Snapshot) MayTouch(class, id string) bool {
	for _, m := range s.policy.methods {
		if m.Device == "" || !s.view.covers.has(m.Index) {
			continue
		}
		switch config.Naming(m) {
		case class:
			if s.view.of(m).covers(id) {
				return true
			}
		case "":
			if s.view.of(m).covers(class + "/" + id) {
				return true
			}
		}
	}
	return false
}

// MayCall reports whether any grant covers a method for a device, named as the method names it, whatever the other parameters are.
func (s *Snapshot) MayCall(m *hal.Method, device string) bool {
	return s.policy.knows(m) && s.view.covers.has(m.Index) && s.view.of(m).covers(device)
}

// peer names the caller in refusals.
func (s *Snapshot) peer() string { return "uid " + strconv.FormatUint(uint64(s.uid), 10) }

// DeniedMethod is the refusal of a method that no grant of a peer covers.
func (p *Policy) DeniedMethod(s *Snapshot, m *hal.Method) *hal.PermissionDenied {
	return &hal.PermissionDenied{Reason: "no grant of " + s.peer() + " covers " + m.FullName()}
}

// GrantView is a grant as its peer may see it.
type GrantView struct {
	ID      string
	Methods []string // nil for all of its verbs
	Verbs   []string // nil for all
	Devices []string // nil for calls without a device alone
	Where   []string // in words: "brightness at most 128"
	Rate    string   // "50/s", or ""
	Burst   int64    // 0 without a rate
}

// IsNamed reports whether any grant is for the peer.
func (s *Snapshot) IsNamed() bool { return len(s.view.grants) > 0 }

// Grants lists the peer's own grants, in the order of the files.
func (s *Snapshot) Grants() []GrantView {
	all := make([]GrantView, 0, len(s.view.grants))
	for _, g := range s.view.grants {
		v := GrantView{ID: g.ID, Methods: g.Methods, Where: g.where, Rate: g.Rate.String(), Burst: g.Rate.Burst}
		for _, verb := range g.Verbs {
			v.Verbs = append(v.Verbs, verb.String())
		}
		for _, p := range g.Devices {
			v.Devices = append(v.Devices, p.String())
		}
		all = append(all, v)
	}
	return all
}
