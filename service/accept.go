package service

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/listen"
	"github.com/halberd-io/halberd/service/peer"
)

var errUnnamed = errors.New("a call from a socket without a name, which cannot be answered")

// How many connections over the limit may wait for their refusal, in all and of one uid. Any more are closed at once.
const (
	maxRefused       = 64
	maxRefusedPerUID = 16
)

// maxAccepted is how many connections are accepted in one round: a whole backlog, since one that is full keeps everybody out. Of one uid most of them would be closed at once.
const maxAccepted = 256

// acceptor accepts from one listening socket.
type acceptor struct {
	server  *Server
	socket  *listen.Socket
	backoff listen.Backoff
}

// Ready accepts the connections that wait, up to a bound; epoll says so again while there are more.
func (a *acceptor) Ready(uint32) {
	for range maxAccepted {
		if !a.accept() {
			return
		}
	}
}

// accept accepts one connection, and reports whether there may be more.
func (a *acceptor) accept() bool {
	fd, err := a.socket.Accept()
	switch err {
	case nil:
		a.backoff.Reset()
		a.admit(fd)
		return true
	case unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM:
		a.exhausted(err)
	case unix.EAGAIN, unix.ECONNABORTED, unix.EINTR:
	default:
		a.server.log.Error("cannot accept a connection", "socket", a.socket.Address.String(), "error", err)
		a.pause()
	}
	return false
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

// admit begins to serve a connection that was accepted, unless there is no place for it, not even to wait for a refusal: then it is closed before anything that takes time.
func (a *acceptor) admit(fd int) {
	s := a.server
	if owner, err := peer.Owner(fd); err == nil && s.isCrowded(s.accounts[s.files.SubUIDs.Owner(owner)]) {
		unix.Close(fd)
		return
	}
	a.socket.Settle(fd)
	s.admit(fd, a.socket.Transport)
}

// isCrowded reports whether an account, nil for one that has nothing, has no place for another connection.
func (s *Server) isCrowded(a *account) bool {
	return a != nil && a.uid != 0 && a.connections >= s.limits.perUID && s.cannotWait(a)
}

// cannotWait reports whether no more connections of an account may wait for their refusal.
func (s *Server) cannotWait(a *account) bool {
	return s.refused >= maxRefused || a.refused >= maxRefusedPerUID
}

// admit begins to serve a connection, or to refuse it where there are too many.
func (s *Server) admit(fd int, t peer.Transport) {
	c := s.newConn(fd, t)
	c.refused = s.tooMany(c)
	if c.refused != nil && s.cannotWait(c.account) {
		unix.Close(fd)
		s.tidy(c.account)
		return
	}
	if err := s.loop.Add(fd, unix.EPOLLIN, c); err != nil {
		s.log.Error("cannot wait for a connection", "error", err)
		unix.Close(fd)
		s.tidy(c.account)
		return
	}
	s.count(c, 1)
	s.conns[c] = struct{}{}
	if c.refused != nil {
		c.expiry = s.loop.After(s.limits.messageTime, c.close)
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
