// Package peer says who is calling: credentials, taken from the kernel once, and nothing else.
//
// A connection's identity is that of the process that connected, at that moment: it survives setuid, exec and the death of the process, and it is
// passed on with the descriptor. A datagram's identity is that of its sender, at that moment.
//
// An identity begins as nobody, never as 0, so that no failure reads as root. Nothing is decided by a process id, since they are used again
// within seconds.
package peer

import "slices"

// Transport is the type of a socket.
type Transport uint8

// The types of socket, as contract.md names them in addresses.
const (
	Stream    Transport = iota // SOCK_STREAM
	Seqpacket                  // SOCK_SEQPACKET
	Datagram                   // SOCK_DGRAM
)

// String is the name of the type in an address.
func (t Transport) String() string {
	switch t {
	case Stream:
		return "stream"
	case Seqpacket:
		return "seqpacket"
	case Datagram:
		return "dgram"
	}
	return "unknown"
}

// The ids that say that there is no id.
const (
	nobody = 65534      // also what an id looks like that the user namespace does not map
	noID   = 4294967295 // (uid_t)-1
)

// Matchable says whether an id may match a grant: 65534 and 4294967295 stand for no identity at all, and match none.
func Matchable(id uint32) bool { return id != nobody && id != noID }

// Credentials is who a peer is.
type Credentials struct {
	UID, GID  uint32
	Groups    []uint32 // supplementary; the primary one is only among them if it is listed twice. nil for datagrams
	PID       int32    // for the log alone, never for a decision; 0 where unknown
	Label     string   // of SELinux or Smack; empty without such a module, and for datagrams
	Transport Transport
}

// Nobody is the identity that everything begins with: it matches no grant.
func Nobody(t Transport) Credentials {
	return Credentials{UID: nobody, GID: nobody, Transport: t}
}

// FromDatagram is the identity of a datagram, from its SCM_CREDENTIALS: the real ids of the process that sent it. A datagram without them must be
// refused. There is no race-free way to a datagram's supplementary groups or label.
func FromDatagram(uid, gid uint32, pid int32) Credentials {
	return Credentials{UID: uid, GID: gid, PID: pid, Transport: Datagram}
}

// InGroup says whether gid is the primary group or one of the supplementary ones. It says no for an id that is not Matchable.
func (c *Credentials) InGroup(gid uint32) bool {
	return Matchable(gid) && (c.GID == gid || slices.Contains(c.Groups, gid))
}
