package frame

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// control is what came beside the data of a message.
type control struct {
	hasCreds    bool
	pid         int32
	uid, gid    uint32
	descriptors int  // found, and given to take
	malformed   bool // a length that does not fit, a credential of the wrong size, or a kind nobody asked for
}

const (
	credsLen      = unix.SizeofUcred
	descriptorLen = 4
)

// parseControl reads the control messages in b, as recvmsg(2) left them, and calls take for every descriptor, in whatever state the rest is: one
// that is not closed is leaked. It never trusts a length.
func parseControl(b []byte, take func(fd int)) (c control) {
	for len(b) > 0 {
		kind, data, rest, ok := nextControl(b)
		c.malformed = c.malformed || !ok
		switch kind {
		case scmRights, scmPidfd:
			c.addDescriptors(data, take)
		case scmCredentials:
			c.addCreds(data)
		default:
			c.malformed = true
		}
		b = rest
	}
	return c
}

// controlKind is the level and type of a control message.
type controlKind struct{ level, kind int32 }

var (
	scmRights      = controlKind{unix.SOL_SOCKET, unix.SCM_RIGHTS}
	scmPidfd       = controlKind{unix.SOL_SOCKET, unix.SCM_PIDFD} // of the sender; only where somebody set SO_PASSPIDFD
	scmCredentials = controlKind{unix.SOL_SOCKET, unix.SCM_CREDENTIALS}
)

// nextControl cuts the first control message off b. A message that claims to be longer than b is cut to what is there and not ok; so is
// one that is too short for its own header, and it ends the walk.
func nextControl(b []byte) (kind controlKind, data, rest []byte, ok bool) {
	header := unix.CmsgLen(0)
	if len(b) < header {
		return kind, nil, nil, false
	}
	length := controlLength(b)
	at := header - 8
	kind.level = int32(binary.NativeEndian.Uint32(b[at:]))
	kind.kind = int32(binary.NativeEndian.Uint32(b[at+4:]))
	if length < uint64(header) {
		return kind, nil, nil, false
	}
	if length > uint64(len(b)) {
		return kind, b[header:], nil, false
	}
	next := min(unix.CmsgSpace(int(length)-header), len(b))
	return kind, b[header:length], b[next:], true
}

// controlLength reads cmsg_len, a size_t.
func controlLength(b []byte) uint64 {
	if unix.SizeofPtr == 4 {
		return uint64(binary.NativeEndian.Uint32(b))
	}
	return binary.NativeEndian.Uint64(b)
}

func (c *control) addDescriptors(data []byte, take func(fd int)) {
	for ; len(data) >= descriptorLen; data = data[descriptorLen:] {
		take(int(int32(binary.NativeEndian.Uint32(data))))
		c.descriptors++
	}
	c.malformed = c.malformed || len(data) > 0
}

// addCreds takes struct ucred. A second one in one message is as wrong as one of another size: which of them would be meant?
func (c *control) addCreds(data []byte) {
	if len(data) != credsLen || c.hasCreds {
		c.malformed = true
		return
	}
	c.hasCreds = true
	c.pid = int32(binary.NativeEndian.Uint32(data))
	c.uid = binary.NativeEndian.Uint32(data[4:])
	c.gid = binary.NativeEndian.Uint32(data[8:])
}
