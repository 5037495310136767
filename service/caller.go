package service

import (
	"fmt"
	"log/slog"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/audit"
	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/policy"
)

// caller is who calls, and what the policy in force says about it. It belongs to the loop's goroutine.
type caller struct {
	server *Server
	cred   peer.Credentials
	fd     int // of the connection; -1 for a datagram
	unit   string
	asked  bool // whether the unit was looked up

	policy   *policy.Policy // that snapshot was made of
	snapshot *policy.Snapshot
}

// rights gives the caller's snapshot of the policy in force.
func (c *caller) rights() *policy.Snapshot {
	if current := c.server.policy; c.policy != current {
		c.policy, c.snapshot = current, current.Snapshot(c.identity())
	}
	return c.snapshot
}

// identity is what grants are matched against. The unit is looked up only once a grant names one.
func (c *caller) identity() policy.Identity {
	if c.fd >= 0 && !c.asked && c.server.policy.NeedsUnits() {
		c.lookUpUnit()
	}
	return policy.Identity{
		UID: c.cred.UID, GID: c.cred.GID, Groups: c.cred.Groups,
		Unit: c.unit, Label: c.cred.Label,
		Datagram: c.cred.Transport == peer.Datagram,
	}
}

func (c *caller) lookUpUnit() {
	c.asked = true
	unit, err := peer.UnitOf(c.fd)
	if err != nil {
		c.server.log.Debug("cannot tell a peer's unit", "uid", c.cred.UID, "pid", c.cred.PID, "error", err)
	}
	c.unit = unit
}

// Enter refuses a method that no grant of the caller covers.
func (c *caller) Enter(m *hal.Method) error {
	rights := c.rights()
	if rights.Covers(m) {
		return nil
	}
	denied := c.policy.DeniedMethod(rights, m)
	c.server.audit.Denied(c.who(), m, "", denied)
	return denied
}

// Permit is the gate.
func (c *caller) Permit(call *hal.Call) error {
	grant, err := c.rights().Decide(call)
	switch {
	case err != nil:
		c.server.audit.Denied(c.who(), call.Method, devicesOf(call), err)
	case call.Method.Verb >= hal.Hazard:
		c.server.audit.Allowed(c.who(), call.Method, devicesOf(call), grant)
	}
	return err
}

// Owner stands for the caller's uid.
func (c *caller) Owner() hal.Owner { return hal.Owner(fmt.Sprintf("uid %d", c.cred.UID)) }

// who is the caller as the audit names it.
func (c *caller) who() audit.Who {
	return audit.Who{UID: c.cred.UID, GID: c.cred.GID, PID: c.cred.PID, Transport: c.cred.Transport.String()}
}

// subject is the caller as other log lines name it.
func (c *caller) subject() slog.Attr {
	return slog.Group("peer", "uid", c.cred.UID, "gid", c.cred.GID, "pid", c.cred.PID, "transport", c.cred.Transport.String())
}

// devicesOf names the devices of a call for the audit.
func devicesOf(call *hal.Call) string {
	if call.Devices() == 0 {
		return ""
	}
	first := call.DeviceID(0)
	if more := call.Devices() - 1; more > 0 {
		return fmt.Sprintf("%s and %d more", first, more)
	}
	return first
}
