package policy

import (
	"encoding/binary"
	"math"

	"github.com/halberd-io/halberd/service/config"
)

// Identity is what the kernel says about a peer, as far as grants ask for it.
type Identity struct {
	UID, GID uint32
	Groups   []uint32 // supplementary; the primary one may be among them
	Unit     string   // systemd unit, "" where there is none
	Label    string   // of SELinux or Smack, "" where there is none
	// Datagram is true for a peer that is known by one datagram alone: its groups are the primary one, and it has neither unit nor label.
	Datagram bool
}

// Numbers that match nothing: the one that stands for everybody whom a user namespace does not know, and -1.
const (
	overflowID = 65534
	invalidID  = math.MaxUint32
)

func isNobody(id uint32) bool { return id == overflowID || id == invalidID }

// groups calls f for the primary group and for each supplementary one that counts.
func (id *Identity) groups(f func(gid uint32)) {
	if !isNobody(id.GID) {
		f(id.GID)
	}
	if id.Datagram {
		return
	}
	for _, g := range id.Groups {
		if !isNobody(g) && g != id.GID {
			f(g)
		}
	}
}

func (id *Identity) unit() string {
	if id.Datagram {
		return ""
	}
	return id.Unit
}

func (id *Identity) label() string {
	if id.Datagram {
		return ""
	}
	return id.Label
}

// appendKey appends what tells the identity from every other that a policy would treat differently.
func (id *Identity) appendKey(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, id.UID)
	dst = appendText(dst, id.unit())
	dst = appendText(dst, id.label())
	id.groups(func(gid uint32) { dst = binary.LittleEndian.AppendUint32(dst, gid) })
	return dst
}

func appendText(dst []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint32(dst, uint32(len(s))), s...)
}

// matches reports whether a grant is for the identity: every key that is given has to match.
func matches(g *config.Grant, id *Identity) bool {
	return !isNobody(id.UID) && usersMatch(g, id) && groupsMatch(g, id) && listed(g.Units, id.unit()) && listed(g.Labels, id.label())
}

func usersMatch(g *config.Grant, id *Identity) bool {
	return !g.Users.Given || g.Users.Contain(id.UID)
}

func groupsMatch(g *config.Grant, id *Identity) bool {
	found := !g.Groups.Given
	if !found {
		id.groups(func(gid uint32) { found = found || g.Groups.Contain(gid) })
	}
	return found
}

// listed reports whether a name is in a list, or there is no list. No name is in no list.
func listed(list []string, name string) bool {
	if list == nil {
		return true
	}
	for _, s := range list {
		if s == name && name != "" {
			return true
		}
	}
	return false
}
