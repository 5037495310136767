package client

import "golang.org/x/sys/unix"

// Peer is who is at the other end, as the kernel says.
type Peer struct {
	UID, GID uint32
	PID      int32 // for people to read; it may be another process's by now
}

// nobody is a peer of which nothing is known: no uid that a process can have.
var nobody = Peer{UID: ^uint32(0), GID: ^uint32(0)}

// controlSize holds the credentials and as many descriptors as one message can carry (SCM_MAX_FD).
var controlSize = unix.CmsgSpace(unix.SizeofUcred) + unix.CmsgSpace(253*4)

// listener gives who called listen on the other end's socket (SO_PEERCRED): its effective ids at that time.
func listener(fd int) (Peer, error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return nobody, err
	}
	return Peer{cred.Uid, cred.Gid, cred.Pid}, nil
}

// received is what one recvmsg gave.
type received struct {
	n, flags int
	from     string // the address of the sender's socket, abstract ones with @
	sender   Peer   // the sender's real ids (SCM_CREDENTIALS), where SO_PASSCRED is on
	files    []int
}

// recvmsg reads what is there into p, without waiting. control is scratch space of controlSize bytes.
func recvmsg(fd int, p, control []byte) (received, error) {
	n, length, flags, from, err := unix.Recvmsg(fd, p, control, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
	got := received{n: n, flags: flags, sender: nobody}
	if err != nil {
		return got, err
	}
	if name, ok := from.(*unix.SockaddrUnix); ok {
		got.from = name.Name
	}
	messages, err := unix.ParseSocketControlMessage(control[:length])
	for i := range messages {
		got.take(&messages[i])
	}
	return got, err
}

// take reads one control message. What the kernel does not send is passed over.
func (r *received) take(m *unix.SocketControlMessage) {
	if files, err := unix.ParseUnixRights(m); err == nil {
		r.files = append(r.files, files...)
	}
	if cred, err := unix.ParseUnixCredentials(m); err == nil {
		r.sender = Peer{cred.Uid, cred.Gid, cred.Pid}
	}
}

func closeAll(files []int) {
	for _, fd := range files {
		unix.Close(fd)
	}
}
