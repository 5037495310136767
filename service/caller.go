package service

import (
	"fmt"
	"log/slog"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/wire"
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
	if c.server.policy.NeedsUnits() {
		c.unitName()
	}
	return policy.Identity{
		UID: c.cred.UID, GID: c.cred.GID, Groups: c.cred.Groups,
		Unit: c.unit, Label: c.cred.Label,
		Datagram: c.cred.Transport == peer.Datagram,
	}
}

// unitName is the caller's systemd unit, which is looked up once; "" where there is none, or it cannot be known.
func (c *caller) unitName() string {
	if c.fd < 0 || c.asked {
		return c.unit
	}
	c.asked = true
	unit, err := peer.UnitOf(c.fd)
	if err != nil {
		c.server.log.Debug("cannot tell a peer's unit", "uid", c.cred.UID, "pid", c.cred.PID, "error", err)
	}
	c.unit = unit
	return unit
}

// Enter refuses a method that no grant of the caller covers.
func (c *caller) Enter(m *hal.Method, parameters wire.Value) error {
	rights := c.rights()
	if rights.Covers(m) {
		return nil
	}
	denied := c.policy.DeniedMethod(rights, m)
	c.recordEntry(m, parameters, denied)
	return denied
}

// Permit is the gate.
func (c *caller) Permit(call *hal.Call) error {
	grant, err := c.rights().Decide(call)
	switch {
	case err != nil:
		c.recordDenial(call, err)
	case call.Method.Verb >= c.server.recordFrom:
		c.recordPermit(call, grant)
	}
	return err
}

// Owner stands for the caller's uid.
func (c *caller) Owner() hal.Owner { return hal.Owner(fmt.Sprintf("uid %d", c.cred.UID)) }

// Account is the uid, or what stands for a range of uids that one user has.
func (c *caller) Account() uint32 { return c.server.files.SubUIDs.Owner(c.cred.UID) }

// subject is the caller as other log lines name it.
func (c *caller) subject() slog.Attr {
	return slog.Group("peer", "uid", c.cred.UID, "gid", c.cred.GID, "pid", c.cred.PID, "transport", c.cred.Transport.String())
}
