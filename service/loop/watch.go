package loop

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Add has r called whenever fd has one of the events (EPOLLIN, EPOLLOUT, EPOLLRDHUP; EPOLLERR and EPOLLHUP come in any case), level
// triggered. The descriptor stays the caller's, who removes it before closing it.
func (l *Loop) Add(fd int, events uint32, r Ready) error {
	l.generation++
	e := unix.EpollEvent{Events: events, Fd: int32(fd), Pad: int32(l.generation)}
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &e); err != nil {
		return fmt.Errorf("cannot watch descriptor %d: %w", fd, err)
	}
	for fd >= len(l.watched) {
		l.watched = append(l.watched, watched{})
	}
	l.watched[fd] = watched{ready: r, events: events, generation: l.generation}
	return nil
}

// Modify changes the events that a registered descriptor waits for. It takes effect at once, for events of this round too.
func (l *Loop) Modify(fd int, events uint32) error {
	if fd < 0 || fd >= len(l.watched) || l.watched[fd].ready == nil {
		return fmt.Errorf("cannot change what is watched on descriptor %d: %w", fd, unix.ENOENT)
	}
	w := &l.watched[fd]
	e := unix.EpollEvent{Events: events, Fd: int32(fd), Pad: int32(w.generation)}
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_MOD, fd, &e); err != nil {
		return fmt.Errorf("cannot change what is watched on descriptor %d: %w", fd, err)
	}
	w.events = events
	return nil
}

// Remove ends what Add began. No event is delivered after it, not even one that waits in this round. Call it before closing the descriptor: a
// description that lives on elsewhere (in another process) would otherwise stay registered. Removing what is not registered does nothing.
func (l *Loop) Remove(fd int) {
	if fd < 0 || fd >= len(l.watched) || l.watched[fd].ready == nil {
		return
	}
	l.watched[fd] = watched{}
	_ = unix.EpollCtl(l.epoll, unix.EPOLL_CTL_DEL, fd, nil) // EBADF for one that was closed too early
}
