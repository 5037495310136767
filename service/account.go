package service

import "github.com/halberd-io/halberd/hal"

// account is what one uid has of the daemon, on all its connections together. The uids of a range of /etc/subuid have one account: whoever has the range can
// take each of them in a namespace.
type account struct {
	uid         uint32 // of a range the first
	connections int
	refused     int // connections that wait for their refusal
	watched     int // devices in watches
	bytes       int // of messages that are not carried out yet, and replies that are not taken
	datagrams   int // that wait for their turn
	waiting     line[guest]
	due         bool // waits for its turn
}

// account gives the account of a uid. What is not used is forgotten again by tidy.
func (s *Server) account(uid uint32) *account {
	uid = s.files.SubUIDs.Owner(uid)
	a := s.accounts[uid]
	if a == nil {
		a = &account{uid: uid}
		s.accounts[uid] = a
	}
	return a
}

// tidy forgets an account that has nothing.
func (s *Server) tidy(a *account) {
	if a.connections == 0 && a.refused == 0 && a.watched == 0 && a.bytes == 0 && a.datagrams == 0 && !a.due {
		delete(s.accounts, a.uid)
	}
}

// tooMany gives the refusal for one connection more, or nil. A part is kept for root, so that somebody can look what goes on, and half for those that the policy
// knows: who comes with ever new uids, which no grant names, fills the other half alone.
func (s *Server) tooMany(c *conn) hal.Refusal {
	a := c.account
	free, root := s.limits.connections-s.served, c.cred.UID == 0
	if !root {
		free -= s.limits.rootConnections
	}
	if free <= 0 || !root && free <= s.limits.connections/2 && !c.rights().IsNamed() {
		return &hal.LimitExceeded{Limit: "connections", Maximum: int64(s.limits.connections)}
	}
	most := max(s.limits.perUID, s.limits.rootConnections)
	if !root {
		most = max(1, quarter(s.limits.perUID, free, a.connections))
	}
	if a.connections >= most {
		return &hal.LimitExceeded{Limit: "connections-per-uid", Maximum: int64(most)}
	}
	return nil
}

// quarter is how much of something one account may have: no more than most, and no more than a quarter of what nobody else has, so that there is always
// something left.
func quarter(most, free, own int) int { return min(most, (free+own)/4) }

// mayHold is how many bytes an account may have here.
func (s *Server) mayHold(a *account) int {
	return quarter(s.limits.bytesPerUID, s.limits.bytes-s.bytes, a.bytes)
}

// charge notes how many bytes more an account has here, or how many less.
func (s *Server) charge(a *account, bytes int) {
	a.bytes += bytes
	s.bytes += bytes
}

// count adds a connection to what is counted, or takes it off.
func (s *Server) count(c *conn, n int) {
	a := c.account
	if c.refused != nil {
		s.refused += n
		a.refused += n
	} else {
		s.served += n
		a.connections += n
	}
	s.tidy(a)
}
