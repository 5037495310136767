package peer

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// FromConn asks the kernel who connected: SO_PEERCRED (the effective ids), SO_PEERGROUPS and SO_PEERSEC, all of them frozen at connect(2). On an
// error the identity is nobody's. It does not block.
//
// A kernel that cannot tell the groups (before 4.13) or the label (no labelling module) leaves them empty. So does an emulator that answers
// ERANGE for SO_PEERGROUPS whatever the size: grants only widen, so a peer with fewer groups than it has may do less, never more.
func FromConn(fd int, t Transport) (Credentials, error) {
	u, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return Nobody(t), fmt.Errorf("cannot read the peer's credentials: %w", err)
	}
	groups, err := peerGroups(fd)
	if err != nil {
		return Nobody(t), fmt.Errorf("cannot read the peer's groups: %w", err)
	}
	return Credentials{UID: u.Uid, GID: u.Gid, Groups: groups, PID: u.Pid, Label: label(fd), Transport: t}, nil
}

// Owner asks the kernel for the uid alone, for whoever is not to be asked about further.
func Owner(fd int) (uint32, error) {
	u, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return nobody, fmt.Errorf("cannot read the peer's credentials: %w", err)
	}
	return u.Uid, nil
}

const (
	usualGroups = 32      // what most peers have fewer of
	maxGroups   = 1 << 16 // NGROUPS_MAX, include/uapi/linux/limits.h
)

// peerGroups asks for the supplementary groups. The kernel answers ERANGE and the size it wants where the buffer is too small; the groups are
// frozen, so a second call is enough, and whoever still says ERANGE then, or wants no more than it was given, will always say so.
func peerGroups(fd int) ([]uint32, error) {
	groups := make([]uint32, usualGroups)
	n, err := getGroups(fd, groups)
	if err == unix.ERANGE && n > len(groups) && n <= maxGroups {
		groups = make([]uint32, n)
		n, err = getGroups(fd, groups)
	}
	return groupsFrom(groups, n, err)
}

// groupsFrom is what the kernel's last answer comes to: none where it cannot tell them, and an error for what it should have been able to tell.
func groupsFrom(groups []uint32, n int, err error) ([]uint32, error) {
	switch {
	case err == nil:
		return append([]uint32(nil), groups[:n]...), nil // of its own size, since it lives as long as the connection, and nil where there are none
	case errors.Is(err, unix.ERANGE), errors.Is(err, unix.ENOPROTOOPT):
		return nil, nil
	}
	return nil, err
}

// getGroups returns how many groups there are: those written into groups, or on ERANGE those that need room.
func getGroups(fd int, groups []uint32) (int, error) {
	size := uint32(len(groups) * 4)
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
		uintptr(unsafe.Pointer(unsafe.SliceData(groups))), uintptr(unsafe.Pointer(&size)), 0)
	n := int(size / 4)
	if errno != 0 {
		return n, errno
	}
	return min(n, len(groups)), nil
}

// label is empty where the kernel gives none: then no label matches.
func label(fd int) string {
	s, _ := unix.GetsockoptString(fd, unix.SOL_SOCKET, unix.SO_PEERSEC) // "" beside an error, and up to the first NUL
	return strings.TrimRight(s, "\n")
}
