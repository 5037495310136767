package kernel

import "golang.org/x/sys/unix"

// kernelGroup is the multicast group that the kernel itself speaks to. What udev makes of it goes to group 2.
const kernelGroup = 1

// Uevents opens a netlink socket for the kernel's uevents. Any user may listen to them (Linux lib/kobject_uevent.c).
func (k Linux) Uevents() (int, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return -1, err
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: kernelGroup}); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// Uevent receives one message. Those whose sender is not the kernel, whose port is 0, are given as no bytes: a process that may administer the network can send to the socket too.
func (k Linux) Uevent(fd int, p []byte) (int, error) {
	var flags int
	var from unix.Sockaddr
	n, err := again(func() (n int, err error) {
		n, _, flags, from, err = unix.Recvmsg(fd, p, nil, unix.MSG_CMSG_CLOEXEC)
		return n, err
	})
	if err != nil {
		return 0, err
	}
	if sender, ok := from.(*unix.SockaddrNetlink); !ok || sender.Pid != 0 {
		return 0, nil
	}
	if flags&unix.MSG_TRUNC != 0 {
		return 0, unix.ENOBUFS
	}
	return n, nil
}

// Inode asks for the number of a file or folder.
func (k Linux) Inode(path string) (uint64, error) {
	var stat unix.Stat_t
	_, err := again(func() (int, error) { return 0, unix.Stat(k.path(path), &stat) })
	return stat.Ino, err
}
