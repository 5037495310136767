package frame

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

const sendFlags = unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL

// Send sends msg without blocking and returns how much of it the kernel took: all of it, but on a stream. It passes EAGAIN on as it is and
// retries EINTR. to is nil on a connection; for a datagram it is the raw sun_path of its receiver, as in Packet.Address, at most 108 bytes.
func Send(fd int, msg []byte, to []byte) (int, error) {
	if to == nil {
		return send(fd, msg, nil, 0)
	}
	address := sockaddr{family: unix.AF_UNIX}
	if len(to) > len(address.path) {
		return 0, unix.EINVAL
	}
	length := int(pathOffset) + copy(address.path[:], to)
	return send(fd, msg, &address, length)
}

// send is sendto(2). The address may lie on the stack: it is converted in the call, and a goroutine's stack does not move within RawSyscall.
func send(fd int, msg []byte, to *sockaddr, length int) (int, error) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(msg))), uintptr(len(msg)),
			sendFlags, uintptr(unsafe.Pointer(to)), uintptr(length))
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

// SendFiles sends msg with descriptors, which ride its first byte, as Send does it. They stay the caller's.
func SendFiles(fd int, msg []byte, fds []int) (int, error) {
	rights := unix.UnixRights(fds...)
	for {
		n, err := unix.SendmsgN(fd, msg, rights, nil, sendFlags)
		if err != unix.EINTR {
			return n, err
		}
	}
}
