package service

import (
	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/wire"
	"github.com/halberd-io/halberd/service/audit"
	"github.com/halberd-io/halberd/service/frame"
	"github.com/halberd-io/halberd/service/peer"
)

// How decisions become records of the audit, and who follows them.

// recordEntry records that a method is not permitted at all. Its parameters, which decided nothing and are not answered about, are read only to record which devices were asked for: without
// them nobody could tell what to permit.
func (c *caller) recordEntry(m *hal.Method, parameters wire.Value, why error) {
	r := c.begin(audit.Denied, m)
	if r == nil {
		return
	}
	if call, err := m.Decode(parameters); err == nil {
		r.Name(call)
		call.Release()
	}
	r.Refuse(why)
	c.server.audit.End(r)
}

func (c *caller) recordDenial(call *hal.Call, why error) {
	if r := c.begin(audit.Denied, call.Method); r != nil {
		r.Name(call)
		r.Refuse(why)
		c.server.audit.End(r)
	}
}

func (c *caller) recordPermit(call *hal.Call, grant string) {
	if r := c.begin(audit.Allowed, call.Method); r != nil {
		r.Name(call)
		r.Permit(grant)
		c.server.audit.End(r)
	}
}

// recordHidden records that a method which is open to all does not speak of a device to the caller.
func (c *caller) recordHidden(m *hal.Method, device string, why error) {
	if r := c.begin(audit.Denied, m); r != nil {
		r.Devices = hal.Some([]string{device})
		r.Refuse(why)
		c.server.audit.End(r)
	}
}

// recordDrop records that what the caller sent, or its connection, was dropped.
func (c *caller) recordDrop(why string) {
	if r := c.server.audit.Begin(audit.Dropped, 0, c.cred.UID); r != nil {
		c.identify(r)
		r.Reason = hal.Some(why)
		c.server.audit.End(r)
	}
}

// recordPacket records a datagram that was dropped before it had a caller.
func (s *Server) recordPacket(p frame.Packet, why string) {
	if r := s.audit.Begin(audit.Dropped, 0, p.UID); r != nil {
		r.GID, r.PID, r.Transport = int64(p.GID), int64(p.PID), peer.Datagram.String()
		r.Reason = hal.Some(why)
		s.audit.End(r)
	}
}

// begin gives the record of a call of the caller's, or nil where it has too many.
func (c *caller) begin(d audit.Decision, m *hal.Method) *audit.Record {
	r := c.server.audit.Begin(d, m.Verb, c.cred.UID)
	if r != nil {
		c.identify(r)
		r.Call(m)
	}
	return r
}

// identify says who the caller is.
func (c *caller) identify(r *audit.Record) {
	r.UID, r.GID, r.PID, r.Transport = int64(c.cred.UID), int64(c.cred.GID), int64(c.cred.PID), c.cred.Transport.String()
	r.Unit = given(c.unitName())
}

// auditMethod declares Policy.Audit.
func (s *Server) auditMethod() *hal.Method {
	m := hal.Stream(hal.Administer, "Audit", "Tells each decision that is recorded, as it is made: all that is denied or dropped, and of what is permitted what audit in halberd.toml says, calls of the verbs hazard and administer where it says nothing.\n"+
		"Of each of these kinds, each uid has ten records and then one a second, each block of 65,536 uids ten times as many, and all together a hundred times. Any number of administrators may follow; one that is slow loses the oldest records, and keeps nobody waiting.\n"+
		"The first event is the record of this call itself, also where it is not recorded.", s.ownRecord, s.followAudit)
	s.auditCall = m
	return m
}

// ownRecord is the record of the call that began to follow the records, whether it was written or not.
func (s *Server) ownRecord(h hal.Holder, _ *hal.None, out *audit.Record) error {
	c := callerOf(h)
	r := s.audit.Now(audit.Allowed)
	c.identify(r)
	r.Call(s.auditCall)
	call, err := s.auditCall.Decode(nil)
	if err != nil {
		return err
	}
	r.Permit(c.rights().Check(call).Grant)
	call.Release()
	*out = *r
	return nil
}

func (s *Server) followAudit(_ hal.Holder, _ *hal.None, w *hal.Watcher[audit.Record]) (stop func(), err error) {
	return s.audit.Follow(w.Emit), nil
}
