// Package kernel is the Linux kernel as hal.Kernel: plain system calls, with EINTR tried again.
package kernel

import (
	"path/filepath"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Linux is the running kernel. A Root other than "" is put before every path, so that a captured tree can be read in its place; it
// is for tests and `halberd check` and guards against nothing.
type Linux struct{ Root string }

// Open opens a path. The descriptor is closed on exec.
func (k Linux) Open(path string, flags int) (int, error) {
	for {
		fd, err := unix.Open(k.path(path), flags|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

func (k Linux) path(path string) string {
	if k.Root == "" {
		return path
	}
	return filepath.Join(k.Root, path)
}

// Close closes a descriptor. It is closed even where EINTR comes back.
func (k Linux) Close(fd int) error { return unix.Close(fd) }

// Read reads from where the descriptor stands.
func (k Linux) Read(fd int, p []byte) (int, error) {
	return again(func() (int, error) { return unix.Read(fd, p) })
}

// Pread reads at an offset. At offset 0 of a sysfs attribute the kernel makes the text anew.
func (k Linux) Pread(fd int, p []byte, offset int64) (int, error) {
	return again(func() (int, error) { return unix.Pread(fd, p, offset) })
}

// Pwrite writes at an offset.
func (k Linux) Pwrite(fd int, p []byte, offset int64) (int, error) {
	return again(func() (int, error) { return unix.Pwrite(fd, p, offset) })
}

// Write writes where the descriptor stands.
func (k Linux) Write(fd int, p []byte) (int, error) {
	return again(func() (int, error) { return unix.Write(fd, p) })
}

// Pass duplicates a descriptor: what is open is the same, so flags and position are shared.
func (k Linux) Pass(fd int) (int, error) { return unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0) }

func again(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != unix.EINTR {
			return n, err
		}
	}
}

// Ioctl makes a request with a pointer to its argument.
func (k Linux) Ioctl(fd int, request uint, argument unsafe.Pointer) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(argument))
		if errno == 0 {
			return nil
		}
		if errno != unix.EINTR {
			return errno
		}
	}
}

// IoctlInt makes a request with a number.
func (k Linux) IoctlInt(fd int, request uint, argument int) error {
	for {
		if err := unix.IoctlSetInt(fd, request, argument); err != unix.EINTR {
			return err
		}
	}
}

// ReadDir lists a folder, sorted.
func (k Linux) ReadDir(path string) ([]string, error) {
	fd, err := k.Open(path, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	buf := make([]byte, 8192)
	var names []string
	for {
		n, err := again(func() (int, error) { return unix.ReadDirent(fd, buf) })
		if err != nil {
			return nil, err
		}
		if n <= 0 {
			slices.Sort(names)
			return names, nil
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
}

// Readlink gives where a symbolic link points to.
func (k Linux) Readlink(path string) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := again(func() (int, error) { return unix.Readlink(k.path(path), buf) })
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}
