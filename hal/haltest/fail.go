package haltest

import (
	"sync"
	"syscall"
	"unsafe"

	"github.com/halberd-io/halberd/hal"
)

// Faulty is a hal.Kernel that passes every call on to another one, but for one that fails. Any goroutine may use it.
type Faulty struct {
	kernel hal.Kernel

	mu     sync.Mutex
	count  int // calls since Arm
	at     int // the one that fails; 0 for none
	errno  syscall.Errno
	failed Op // the call that did; "" for none yet
}

// FailAt wraps a kernel whose n-th call from now on, counted from 1, fails with errno and is not carried out; with n = 0 none does. A Close that fails has
// closed the descriptor all the same, as Linux does it.
func FailAt(k hal.Kernel, n int, errno syscall.Errno) *Faulty {
	return &Faulty{kernel: k, at: n, errno: errno}
}

// Arm lets the n-th call from now on fail; with n = 0 none does.
func (f *Faulty) Arm(n int, errno syscall.Errno) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count, f.at, f.errno, f.failed = 0, n, errno, ""
}

// Count is how many calls were made since FailAt or Arm.
func (f *Faulty) Count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count
}

// Failed is the call that failed since FailAt or Arm, or "" where none has.
func (f *Faulty) Failed() Op {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

// fault counts a call and gives the error where it is the one to fail.
func (f *Faulty) fault(op Op) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count++
	if f.count != f.at {
		return nil
	}
	f.failed = op
	return f.errno
}

// Open opens a path.
func (f *Faulty) Open(path string, flags int) (int, error) {
	if err := f.fault(Open); err != nil {
		return -1, err
	}
	return f.kernel.Open(path, flags)
}

// Close closes a descriptor, whatever it answers.
func (f *Faulty) Close(fd int) error {
	fault := f.fault(Close)
	if err := f.kernel.Close(fd); err != nil {
		return err
	}
	return fault
}

// Read reads from where the descriptor stands.
func (f *Faulty) Read(fd int, p []byte) (int, error) {
	if err := f.fault(Read); err != nil {
		return -1, err
	}
	return f.kernel.Read(fd, p)
}

// Pread reads at an offset.
func (f *Faulty) Pread(fd int, p []byte, offset int64) (int, error) {
	if err := f.fault(Pread); err != nil {
		return -1, err
	}
	return f.kernel.Pread(fd, p, offset)
}

// Pwrite writes at an offset.
func (f *Faulty) Pwrite(fd int, p []byte, offset int64) (int, error) {
	if err := f.fault(Pwrite); err != nil {
		return -1, err
	}
	return f.kernel.Pwrite(fd, p, offset)
}

// Write writes where the descriptor stands.
func (f *Faulty) Write(fd int, p []byte) (int, error) {
	if err := f.fault(Write); err != nil {
		return -1, err
	}
	return f.kernel.Write(fd, p)
}

// Pass gives a descriptor for a peer.
func (f *Faulty) Pass(fd int) (int, error) {
	if err := f.fault(Pass); err != nil {
		return -1, err
	}
	return f.kernel.Pass(fd)
}

// Ioctl makes a request.
func (f *Faulty) Ioctl(fd int, request uint, argument unsafe.Pointer) error {
	if err := f.fault(Ioctl); err != nil {
		return err
	}
	return f.kernel.Ioctl(fd, request, argument)
}

// IoctlInt makes a request with a number.
func (f *Faulty) IoctlInt(fd int, request uint, argument int) error {
	if err := f.fault(Ioctl); err != nil {
		return err
	}
	return f.kernel.IoctlInt(fd, request, argument)
}

// ReadDir lists a folder.
func (f *Faulty) ReadDir(path string) ([]string, error) {
	if err := f.fault(ReadDir); err != nil {
		return nil, err
	}
	return f.kernel.ReadDir(path)
}

// Readlink gives where a symbolic link points to.
func (f *Faulty) Readlink(path string) (string, error) {
	if err := f.fault(Readlink); err != nil {
		return "", err
	}
	return f.kernel.Readlink(path)
}

// Inode gives the number of what a path leads to.
func (f *Faulty) Inode(path string) (uint64, error) {
	if err := f.fault(Inode); err != nil {
		return 0, err
	}
	return f.kernel.Inode(path)
}

// Uevents opens the kernel's messages.
func (f *Faulty) Uevents() (int, error) {
	if err := f.fault(Uevents); err != nil {
		return -1, err
	}
	return f.kernel.Uevents()
}

// Uevent takes the next of them.
func (f *Faulty) Uevent(fd int, p []byte) (int, error) {
	if err := f.fault(Uevent); err != nil {
		return 0, err
	}
	return f.kernel.Uevent(fd, p)
}
