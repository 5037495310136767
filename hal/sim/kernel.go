package sim

import (
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
)

// Kernel is a simulated kernel with its devices. It implements hal.Kernel. All its methods may be called by several goroutines.
type Kernel struct {
	mu        sync.Mutex
	root      *node
	files     map[int]*handle
	devices   map[string]*device           // by their names in /sys
	taken     map[string]*device           // what Unplug took away, for Plug
	chips     []*chip                      // those that are gone too, first
	ports     map[string]*port             // by name
	watchdogs map[string]*watchdog         // by their names in /sys, those that are gone too
	inputs    map[string]*evdev            // by their nodes
	leds      map[string]*led              // by name
	rtcs      map[string]*rtc              // as well
	adapters  []*adapter                   // those that are gone too, first
	spidevs   map[string]*spidev           // by name, those that are gone too
	bufsiz    int                          // of spidev
	buses     buses                        // that hang or fail
	values    map[string]map[string]value  // what sensors read, by device and attribute
	clock     func() time.Duration         // what has passed since the board was made
	inodes    uint64                       // the last one given to a node
	seqnum    uint64                       // of the last uevent
	observer  func(line string, level int) // nil for nobody
	lends     bool
	silent    bool               // fdinfo does not tell what lines a request has
	shared    map[uint64]*handle // by the inodes of their pipes
	asked     []hal.PowerRequest // of the machine
	radios    radios
	latency   latency
}

// Options say what a simulated board has.
type Options struct {
	// Bare leaves out the devices of the built-in board: only what is added is there.
	Bare bool
	// Lends lets Pass give a descriptor of anything, for a test that plays the one who gets it within the same process: it stands for the same open file, for this Kernel's methods alone, and
	// is closed by its Close.
	Lends bool
	// NoFdinfo is an older kernel, whose /proc/self/fdinfo does not tell what lines a request has.
	NoFdinfo bool
}

// New makes a simulated board. Nothing on it moves by itself until Live is called.
func New(o Options) *Kernel {
	k := &Kernel{
		root: folder(), clock: stopped, lends: o.Lends, silent: o.NoFdinfo, shared: map[uint64]*handle{},
		files: map[int]*handle{}, devices: map[string]*device{}, taken: map[string]*device{}, values: map[string]map[string]value{},
		ports:     map[string]*port{},
		watchdogs: map[string]*watchdog{},
		rtcs:      map[string]*rtc{},
		inputs:    map[string]*evdev{},
		leds:      map[string]*led{},
		spidevs:   map[string]*spidev{},
		buses:     buses{hanging: map[string]bool{}, failing: map[string]error{}},
	}
	k.buses.resumed.L = &k.mu
	for _, dir := range []string{"/dev", "/sys/devices", "/sys/class", "/sys/bus"} {
		k.mkdir(dir)
	}
	if !o.Bare {
		k.furnish()
	}
	return k
}

// handle is an open descriptor. Its number is that of a real one, so that the two never collide.
type handle struct {
	file     file
	position int64
	readable bool
	writable bool
	lent     int // more descriptors of it
}

// file is what a descriptor stands for. Its methods are called with the kernel locked.
type file interface {
	pread(p []byte, offset int64) (int, error)
	pwrite(p []byte) (int, error)
	ioctl(request uint, argument unsafe.Pointer) error
	close()
}

// descriptor is a file that has a descriptor of its own, which can be waited for and, where passes says so, be handed to a peer. Close closes it after close was called.
type descriptor interface{ descriptor() int }

// stream is a file without offsets, which is written by Write alone.
type stream interface{ write(p []byte) (int, error) }

// passes is a file whose descriptor is a real one of the kernel below, as a pseudo-terminal's.
type passes interface{ passes() bool }

// Open opens an attribute or a device node.
func (k *Kernel) Open(path string, flags int) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n, err := k.procNode(path)
	if n == nil && err == nil {
		n, err = k.lookup(path, flags&unix.O_NOFOLLOW == 0)
	}
	if err != nil {
		return -1, err
	}
	mode := flags & unix.O_ACCMODE
	h := &handle{readable: mode != unix.O_WRONLY, writable: mode != unix.O_RDONLY}
	if h.file, err = k.open(n, h, flags); err != nil {
		return -1, err
	}
	fd, err := number(h.file)
	if err != nil {
		h.file.close()
		return -1, err
	}
	if _, ok := h.file.(shared); ok {
		if err := k.count(fd, h); err != nil {
			h.file.close()
			return -1, err
		}
	}
	k.files[fd] = h
	return fd, nil
}

// number is the descriptor of an open file: its own where it has one, else that of anything.
func number(f file) (int, error) {
	if own, ok := f.(descriptor); ok {
		return own.descriptor(), nil
	}
	return unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
}

func (k *Kernel) open(n *node, h *handle, flags int) (file, error) {
	switch {
	case n.target != "":
		return nil, unix.ELOOP
	case n.children != nil && h.writable:
		return nil, unix.EISDIR
	case n.children != nil:
		return folderFile{}, nil
	case flags&unix.O_DIRECTORY != 0:
		return nil, unix.ENOTDIR
	case n.open != nil:
		return n.open(flags)
	case h.readable && n.attr.show == nil || h.writable && n.attr.store == nil:
		return nil, unix.EACCES
	}
	return attributeFile{n}, nil
}

func (k *Kernel) handle(fd int) (*handle, error) {
	if h := k.files[fd]; h != nil {
		return h, nil
	}
	return k.duplicate(fd)
}

// Close closes a descriptor that Open or a line request gave.
func (k *Kernel) Close(fd int) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	h, err := k.handle(fd)
	if err != nil {
		return err
	}
	delete(k.files, fd)
	if _, ok := h.file.(shared); ok {
		err := unix.Close(fd)
		k.release()
		return err
	}
	if h.lent > 0 {
		h.lent--
		k.moveTo(h, fd)
	} else {
		h.file.close()
	}
	return unix.Close(fd)
}

// mover is a file that uses its descriptor itself.
type mover interface{ move(closed, to int) }

// moveTo gives such a file, one of whose descriptors is closed, another one of its own.
func (k *Kernel) moveTo(h *handle, closed int) {
	f, ok := h.file.(mover)
	if !ok {
		return
	}
	for fd, other := range k.files {
		if other == h {
			f.move(closed, fd)
		}
	}
}

// Opened is how many descriptors are open: for tests that look for forgotten ones.
func (k *Kernel) Opened() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.release()
	return len(k.files)
}

// Read reads from where the descriptor stands.
func (k *Kernel) Read(fd int, p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	h, err := k.handle(fd)
	if err != nil {
		return 0, err
	}
	if r, ok := h.file.(*request); ok {
		r.fd = fd
	}
	n, err := h.pread(p, h.position)
	h.position += int64(n)
	return n, err
}

// Pread reads at an offset.
func (k *Kernel) Pread(fd int, p []byte, offset int64) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	h, err := k.handle(fd)
	if err != nil {
		return 0, err
	}
	return h.pread(p, offset)
}

func (h *handle) pread(p []byte, offset int64) (int, error) {
	if !h.readable {
		return 0, unix.EBADF
	}
	return h.file.pread(p, offset)
}

// Pwrite writes. The offset does not matter to what there is.
func (k *Kernel) Pwrite(fd int, p []byte, _ int64) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	h, err := k.handle(fd)
	if err != nil {
		return 0, err
	}
	if !h.writable {
		return 0, unix.EBADF
	}
	return h.file.pwrite(p)
}

// Write writes where the descriptor stands, which does not matter to what there is.
func (k *Kernel) Write(fd int, p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	h, err := k.handle(fd)
	if err != nil {
		return 0, err
	}
	if !h.writable {
		return 0, unix.EBADF
	}
	if f, ok := h.file.(stream); ok {
		return f.write(p)
	}
	return h.file.pwrite(p)
}

// Pass gives another descriptor where a real one stands behind it.
func (k *Kernel) Pass(fd int) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	h, err := k.handle(fd)
	if err != nil {
		return -1, err
	}
	f, ok := h.file.(passes)
	real := ok && f.passes()
	if !real && !k.lends {
		return -1, unix.EOPNOTSUPP
	}
	passed, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil && !real {
		k.files[passed] = h
		if _, counted := h.file.(shared); !counted {
			h.lent++
		}
	}
	return passed, err
}

// Ioctl makes a request of a device, or of lines requested from a GPIO chip.
func (k *Kernel) Ioctl(fd int, request uint, argument unsafe.Pointer) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	h, err := k.handle(fd)
	if err != nil {
		return err
	}
	if argument == nil {
		return unix.EFAULT
	}
	return h.file.ioctl(request, argument)
}

// taker is a file with requests whose argument is a number. All others answer them with ENOTTY.
type taker interface {
	take(request uint, argument int) error
}

// IoctlInt makes a request with a number.
func (k *Kernel) IoctlInt(fd int, request uint, argument int) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	h, err := k.handle(fd)
	if err != nil {
		return err
	}
	if f, ok := h.file.(taker); ok {
		return f.take(request, argument)
	}
	return unix.ENOTTY
}

// ReadDir lists a folder, sorted.
func (k *Kernel) ReadDir(path string) ([]string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n, err := k.lookup(path, true)
	if err != nil {
		return nil, err
	}
	if n.children == nil {
		return nil, unix.ENOTDIR
	}
	return n.names(), nil
}

// Readlink gives where a symbolic link points to.
func (k *Kernel) Readlink(path string) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n, err := k.procNode(path)
	if n == nil && err == nil {
		n, err = k.lookup(path, false)
	}
	if err != nil {
		return "", err
	}
	if n.target == "" {
		return "", unix.EINVAL
	}
	return n.target, nil
}

// Inode is the number of a node, which no other one ever has.
func (k *Kernel) Inode(path string) (uint64, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n, err := k.lookup(path, true)
	if err != nil {
		return 0, err
	}
	if n.inode == 0 {
		k.inodes++
		n.inode = k.inodes
	}
	return n.inode, nil
}

// folderFile is an open folder, which can only be closed.
type folderFile struct{}

func (folderFile) pread([]byte, int64) (int, error) { return 0, unix.EISDIR }
func (folderFile) pwrite([]byte) (int, error)       { return 0, unix.EBADF }
func (folderFile) ioctl(uint, unsafe.Pointer) error { return unix.ENOTTY }
func (folderFile) close()                           {}

// attributeFile is an open attribute.
type attributeFile struct{ node *node }

// page is the longest text of an attribute.
const page = 4096

func (f attributeFile) pread(p []byte, offset int64) (int, error) {
	if f.node.gone {
		return 0, unix.ENODEV
	}
	text, err := f.node.attr.show()
	if err != nil {
		return 0, err
	}
	text = text[:min(len(text), page)]
	if offset >= int64(len(text)) {
		return 0, nil
	}
	return copy(p, text[offset:]), nil
}

func (f attributeFile) pwrite(p []byte) (int, error) {
	if f.node.gone {
		return 0, unix.ENODEV
	}
	p = p[:min(len(p), page)] // as kernfs_fop_write_iter takes it
	if err := f.node.attr.store(string(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (f attributeFile) ioctl(uint, unsafe.Pointer) error { return unix.ENOTTY }
func (f attributeFile) close()                           {}
