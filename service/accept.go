package service

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/listen"
	"github.com/halberd-io/halberd/service/peer"
)

var errUnnamed = errors.New("a call from a socket without a name, which cannot be answered")

// maxRefused is how many connections over the limit may wait for their refusal. Any more are closed at once.
const maxRefused = 64

// acceptor accepts from one listening socket.
type acceptor struct {
	server  *Server
	socket  *listen.Socket
	backoff listen.Backoff
}

// Ready accepts one connection; epoll says so again while more wait.
func (a *acceptor) Ready(uint32) {
	fd, err := a.socket.Accept()
	switch err {
	case nil:
		a.backoff.Reset()
		a.server.admit(fd, a.socket.Transport)
	case unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM:
		a.exhausted(err)
	case unix.EAGAIN, unix.ECONNABORTED, unix.EINTR:
	default:
		a.server.log.Error("cannot accept a connection", "socket", a.socket.Address.String(), "error", err)
		a.pause()
	}
}

// exhausted turns one waiting connection away with the spare descriptor, so that its peer is not left waiting, and then waits for better times: trying
// again at once would only spin.
func (a *acceptor) exhausted(err error) {
	a.server.log.Warn("cannot accept a connection", "socket", a.socket.Address.String(), "error", err)
	if err := a.server.spare.TurnAway(a.socket); err != nil {
		a.server.log.Debug("cannot turn a connection away", "error", err)
	}
	a.pause()
}

// pause leaves the socket alone for a while.
func (a *acceptor) pause() {
	a.server.loop.Remove(a.socket.FD)
	a.server.loop.After(a.backoff.Next(), func() {
		if a.server.stopping {
			return
		}
		if err := a.server.loop.Add(a.socket.FD, unix.EPOLLIN, a); err != nil {
			a.server.log.Error("cannot wait for connections", "socket", a.socket.Address.String(), "error", err)
		}
	})
}

// admit begins to serve a connection, or to refuse it where there are too many.
func (s *Server) admit(fd int, t peer.Transport) {
	c := s.newConn(fd, t)
	c.refused = s.tooMany(c.cred.UID)
	if c.refused != nil && s.refused >= maxRefused {
		unix.Close(fd)
		return
	}
	if err := s.loop.Add(fd, unix.EPOLLIN, c); err != nil {
		s.log.Error("cannot wait for a connection", "error", err)
		unix.Close(fd)
		return
	}
	s.count(c, 1)
	s.conns[c] = struct{}{}
	if c.refused != nil {
		c.expiry = s.loop.After(s.limits.messageTime, c.close)
	}
}

// tooMany gives the refusal for one connection more of a uid, or nil. A part is kept for root, so that somebody can look what goes on.
func (s *Server) tooMany(uid uint32) hal.Refusal {
	free := s.limits.connections - s.served
	if uid != 0 {
		free -= s.limits.rootConnections
	}
	if free <= 0 {
		return &hal.LimitExceeded{Limit: "connections", Maximum: int64(s.limits.connections)}
	}
	most := min(s.limits.perUID, max(1, free/4+s.perUID[uid]/4))
	if uid != 0 && s.perUID[uid] >= most || uid == 0 && s.perUID[0] >= max(s.limits.perUID, s.limits.rootConnections) {
		return &hal.LimitExceeded{Limit: "connections-per-uid", Maximum: int64(most)}
	}
	return nil
}

// count adds a connection to what is counted, or takes it off.
func (s *Server) count(c *conn, n int) {
	if c.refused != nil {
		s.refused += n
		return
	}
	s.served += n
	if s.perUID[c.cred.UID] += n; s.perUID[c.cred.UID] == 0 {
		delete(s.perUID, c.cred.UID)
	}
}

// forget takes a closed connection off the books. A server that was started for one connection, and listens nowhere, ends with it.
func (s *Server) forget(c *conn) {
	delete(s.passing, c)
	if _, known := s.conns[c]; known {
		delete(s.conns, c)
		s.count(c, -1)
	}
	if s.passed && len(s.conns) == 0 {
		s.loop.Stop()
	}
}
