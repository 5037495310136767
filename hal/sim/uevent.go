package sim

import (
	"fmt"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// listener is the reading end of the kernel's messages: an open descriptor that Uevents gave. The two ends are a pair of sockets, whose queue is the kernel's.
type listener struct {
	fd, from int
	overrun  bool // the queue was full, as the next reader is told
}

// Uevents opens the messages about devices that come and go.
func (k *Kernel) Uevents() (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	l := &listener{fd: ends[0], from: ends[1]}
	k.files[l.fd] = &handle{file: l, readable: true}
	return l.fd, nil
}

// Uevent takes the next message, or ENOBUFS after some were lost.
func (k *Kernel) Uevent(fd int, p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	h, err := k.handle(fd)
	if err != nil {
		return 0, err
	}
	l, ok := h.file.(*listener)
	if !ok {
		return 0, unix.ENOTSOCK
	}
	if l.overrun {
		l.overrun = false
		return 0, unix.ENOBUFS
	}
	n, _, flags, _, err := unix.Recvmsg(l.fd, p, nil, 0)
	switch {
	case err != nil:
		return 0, err
	case flags&unix.MSG_TRUNC != 0:
		return 0, unix.ENOBUFS
	}
	return n, nil
}

func (l *listener) pread([]byte, int64) (int, error) { return 0, unix.EINVAL }
func (l *listener) pwrite([]byte) (int, error)       { return 0, unix.EBADF }
func (l *listener) ioctl(uint, unsafe.Pointer) error { return unix.ENOTTY }
func (l *listener) close()                           { _ = unix.Close(l.from) }

// uevent tells all listeners about a device, in the words of kobject_uevent_env. variables are NAME=value, of the subsystem's own.
func (k *Kernel) uevent(action, path, subsystem string, variables ...string) {
	k.seqnum++
	devpath := strings.TrimPrefix(path, "/sys")
	own := ""
	for _, v := range variables {
		own += v + "\x00"
	}
	k.broadcast(fmt.Sprintf("%s@%s\x00ACTION=%s\x00DEVPATH=%s\x00SUBSYSTEM=%s\x00%sSEQNUM=%d\x00", action, devpath, action, devpath, subsystem, own, k.seqnum))
}

// changed tells that something about a device changed.
func (k *Kernel) changed(name string, variables ...string) {
	d := k.devices[name]
	k.uevent("change", d.paths[0], d.subsystem, variables...)
}

func (k *Kernel) broadcast(message string) {
	for _, h := range k.files {
		l, ok := h.file.(*listener)
		if ok && unix.Sendto(l.from, []byte(message), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, nil) != nil {
			l.overrun = true
		}
	}
}

// Broadcast sends a message of any kind to all who listen for uevents.
func (k *Kernel) Broadcast(message string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.broadcast(message)
}

// LoseUevents lets those who listen lose whatever waits for them, as when the kernel's queue is full.
func (k *Kernel) LoseUevents() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, h := range k.files {
		if l, ok := h.file.(*listener); ok {
			l.overrun = true
			for err := error(nil); err == nil; {
				_, _, err = unix.Recvfrom(l.fd, make([]byte, 1), unix.MSG_DONTWAIT)
			}
		}
	}
	k.broadcast("") // wakes them
}
