package sim

import (
	"maps"

	"golang.org/x/sys/unix"
)

// shared is an open file that ends with its last descriptor, as the kernel's do, whoever duplicated it: a service manager, or who got it passed. Its descriptors are the reading end of a pipe, by
// whose inode a duplicate is known, and whose writing end tells when the last one is closed, wherever that is.
type shared interface {
	file
	isClosed() bool
}

// isRead reports whether anybody has the reading end of a pipe.
func isRead(writing int) bool {
	fds := []unix.PollFd{{Fd: int32(writing)}}
	_, err := unix.Poll(fds, 0)
	return err != nil || fds[0].Revents&unix.POLLERR == 0
}

func inodeOf(fd int) (uint64, error) {
	var stat unix.Stat_t
	err := unix.Fstat(fd, &stat)
	return stat.Ino, err
}

// count begins to look after the descriptors of a file.
func (k *Kernel) count(fd int, h *handle) error {
	inode, err := inodeOf(fd)
	if err == nil {
		k.shared[inode] = h
	}
	return err
}

// duplicate finds what a descriptor stands for that somebody made of another one.
func (k *Kernel) duplicate(fd int) (*handle, error) {
	inode, err := inodeOf(fd)
	if h := k.shared[inode]; err == nil && h != nil {
		k.files[fd] = h
		return h, nil
	}
	return nil, unix.EBADF
}

// release ends the files that have no descriptor any more.
func (k *Kernel) release() {
	for inode, h := range k.shared {
		f := h.file.(shared)
		if !f.isClosed() {
			continue
		}
		if r, ok := f.(*request); !ok || r.signal >= 0 {
			maps.DeleteFunc(k.files, func(_ int, other *handle) bool { return other == h }) // closed where the board did not see it
		}
		delete(k.shared, inode)
		f.close()
	}
}
