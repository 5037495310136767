package haltest

import (
	"fmt"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
)

// Op is one of the calls of hal.Kernel.
type Op string

// The calls of hal.Kernel.
const (
	Open     Op = "open"
	Close    Op = "close"
	Read     Op = "read"
	Pread    Op = "pread"
	Pwrite   Op = "pwrite"
	Write    Op = "write"
	Pass     Op = "pass"
	Ioctl    Op = "ioctl"
	ReadDir  Op = "readdir"
	Readlink Op = "readlink"
	Inode    Op = "inode"
	Uevents  Op = "uevents"
	Uevent   Op = "uevent"
)

// KernelCall is one call that reached a Recorder.
type KernelCall struct {
	Op      Op
	Path    string // what was opened, listed or read; of a descriptor, what it was opened as
	Flags   int    // of an Open
	Request uint   // of an Ioctl
	Data    string // of a Pwrite or Write
	Err     error  // what the kernel answered
}

// Writes reports whether the call may change something: a Pwrite or Write, an Open for writing, or an Ioctl whose number does not say that it only reads.
func (c *KernelCall) Writes() bool {
	const toUser = 2 // the direction in an ioctl's number, as in asm-generic/ioctl.h
	switch c.Op {
	case Pwrite, Write:
		return true
	case Open:
		return c.Flags&unix.O_ACCMODE != unix.O_RDONLY
	case Ioctl:
		return c.Request>>30 != toUser
	}
	return false
}

// String writes the call as a person would.
func (c *KernelCall) String() string {
	s := fmt.Sprintf("%s %s", c.Op, c.Path)
	switch c.Op {
	case Open:
		s += fmt.Sprintf(" flags %#x", c.Flags)
	case Pwrite, Write:
		s += fmt.Sprintf(" %q", c.Data)
	case Ioctl:
		s += fmt.Sprintf(" %#x", c.Request)
	}
	if c.Err != nil {
		s += ": " + c.Err.Error()
	}
	return s
}

// Recorder is a hal.Kernel that passes every call on to another one and writes it down. Any goroutine may use it.
type Recorder struct {
	kernel hal.Kernel
	brief  bool // what is open is enough

	mu    sync.Mutex
	calls []KernelCall
	open  map[int]string
}

// Record wraps a kernel.
func Record(k hal.Kernel) *Recorder { return &Recorder{kernel: k, open: map[int]string{}} }

// Calls are the calls since the beginning, or the last Reset.
func (r *Recorder) Calls() []KernelCall {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]KernelCall(nil), r.calls...)
}

// Written are those of the Calls that may have changed something.
func (r *Recorder) Written() []KernelCall {
	var all []KernelCall
	for _, c := range r.Calls() {
		if c.Writes() {
			all = append(all, c)
		}
	}
	return all
}

// Reset forgets the calls. What is open stays known.
func (r *Recorder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = nil
}

// Left are the paths of what was opened and not closed.
func (r *Recorder) Left() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var paths []string
	for _, path := range r.open {
		paths = append(paths, path)
	}
	return paths
}

// note writes a call on a descriptor down.
func (r *Recorder) note(fd int, c KernelCall) {
	if r.brief {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.Path == "" {
		c.Path = r.open[fd]
	}
	if c.Path == "" {
		c.Path = fmt.Sprintf("descriptor %d", fd)
	}
	r.calls = append(r.calls, c)
}

// Open opens a path.
func (r *Recorder) Open(path string, flags int) (int, error) {
	fd, err := r.kernel.Open(path, flags)
	if err == nil {
		r.mu.Lock()
		r.open[fd] = path
		r.mu.Unlock()
	}
	r.note(fd, KernelCall{Op: Open, Path: path, Flags: flags, Err: err})
	return fd, err
}

// Close closes a descriptor. It is forgotten before it is closed, since its number may be given out again at once.
func (r *Recorder) Close(fd int) error {
	r.mu.Lock()
	path := r.open[fd]
	delete(r.open, fd)
	r.mu.Unlock()
	err := r.kernel.Close(fd)
	r.note(fd, KernelCall{Op: Close, Path: path, Err: err})
	return err
}

// Read reads from where the descriptor stands.
func (r *Recorder) Read(fd int, p []byte) (int, error) {
	n, err := r.kernel.Read(fd, p)
	r.note(fd, KernelCall{Op: Read, Err: err})
	return n, err
}

// Pread reads at an offset.
func (r *Recorder) Pread(fd int, p []byte, offset int64) (int, error) {
	n, err := r.kernel.Pread(fd, p, offset)
	r.note(fd, KernelCall{Op: Pread, Err: err})
	return n, err
}

// Pwrite writes at an offset.
func (r *Recorder) Pwrite(fd int, p []byte, offset int64) (int, error) {
	n, err := r.kernel.Pwrite(fd, p, offset)
	r.note(fd, KernelCall{Op: Pwrite, Data: string(p), Err: err})
	return n, err
}

// Write writes where the descriptor stands.
func (r *Recorder) Write(fd int, p []byte) (int, error) {
	n, err := r.kernel.Write(fd, p)
	r.note(fd, KernelCall{Op: Write, Data: string(p), Err: err})
	return n, err
}

// Pass gives a descriptor for a peer.
func (r *Recorder) Pass(fd int) (int, error) {
	passed, err := r.kernel.Pass(fd)
	r.note(fd, KernelCall{Op: Pass, Err: err})
	return passed, err
}

// Ioctl makes a request.
func (r *Recorder) Ioctl(fd int, request uint, argument unsafe.Pointer) error {
	err := r.kernel.Ioctl(fd, request, argument)
	r.note(fd, KernelCall{Op: Ioctl, Request: request, Err: err})
	return err
}

// IoctlInt makes a request with a number.
func (r *Recorder) IoctlInt(fd int, request uint, argument int) error {
	err := r.kernel.IoctlInt(fd, request, argument)
	r.note(fd, KernelCall{Op: Ioctl, Request: request, Err: err})
	return err
}

// ReadDir lists a folder.
func (r *Recorder) ReadDir(path string) ([]string, error) {
	names, err := r.kernel.ReadDir(path)
	r.note(-1, KernelCall{Op: ReadDir, Path: path, Err: err})
	return names, err
}

// Readlink gives where a symbolic link points to.
func (r *Recorder) Readlink(path string) (string, error) {
	target, err := r.kernel.Readlink(path)
	r.note(-1, KernelCall{Op: Readlink, Path: path, Err: err})
	return target, err
}

// Inode gives the number of what a path leads to.
func (r *Recorder) Inode(path string) (uint64, error) {
	n, err := r.kernel.Inode(path)
	r.note(-1, KernelCall{Op: Inode, Path: path, Err: err})
	return n, err
}

// Uevents opens the kernel's messages.
func (r *Recorder) Uevents() (int, error) {
	fd, err := r.kernel.Uevents()
	if err == nil {
		r.mu.Lock()
		r.open[fd] = "uevents"
		r.mu.Unlock()
	}
	r.note(fd, KernelCall{Op: Uevents, Path: "uevents", Err: err})
	return fd, err
}

// Uevent takes the next of them.
func (r *Recorder) Uevent(fd int, p []byte) (int, error) {
	n, err := r.kernel.Uevent(fd, p)
	r.note(fd, KernelCall{Op: Uevent, Err: err})
	return n, err
}
