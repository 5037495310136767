package haltest

import (
	"sort"
	"strings"
	"sync"
	"syscall"
	"unsafe"
)

// fake is a kernel with a few attributes, whose descriptors are numbers of its own.
type fake struct {
	mu    sync.Mutex
	files map[string]string
	open  map[int]string
	next  int

	plugged uint64 // how often something was
}

func newFake() *fake {
	return &fake{next: 1000, open: map[int]string{}, files: map[string]string{"/sys/lamps/hall": "0", "/sys/lamps/yard": "0"}}
}

func (k *fake) Opened() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.open)
}

func (k *fake) Open(path string, _ int) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, there := k.files[path]; !there {
		return -1, syscall.ENOENT
	}
	k.next++
	k.open[k.next] = path
	return k.next, nil
}

func (k *fake) Close(fd int) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.open[fd] == "" {
		return syscall.EBADF
	}
	delete(k.open, fd)
	return nil
}

func (k *fake) Read(fd int, p []byte) (int, error) { return k.Pread(fd, p, 0) }

func (k *fake) Pread(fd int, p []byte, _ int64) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.open[fd] == "" {
		return -1, syscall.EBADF
	}
	if k.open[fd] == "gone" {
		return -1, syscall.ENODEV
	}
	return copy(p, k.files[k.open[fd]]), nil
}

func (k *fake) Write(fd int, p []byte) (int, error) { return k.Pwrite(fd, p, 0) }

func (k *fake) Pass(int) (int, error) { return -1, syscall.EOPNOTSUPP }

func (k *fake) Pwrite(fd int, p []byte, _ int64) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.open[fd] == "" {
		return -1, syscall.EBADF
	}
	if k.open[fd] == "gone" {
		return -1, syscall.ENODEV
	}
	k.files[k.open[fd]] = string(p)
	return len(p), nil
}

func (k *fake) Ioctl(int, uint, unsafe.Pointer) error { return syscall.ENOTTY }
func (k *fake) IoctlInt(int, uint, int) error         { return syscall.ENOTTY }
func (k *fake) Readlink(string) (string, error)       { return "", syscall.EINVAL }
func (k *fake) Uevents() (int, error)                 { return -1, syscall.EPROTONOSUPPORT }
func (k *fake) Uevent(int, []byte) (int, error)       { return 0, syscall.EBADF }

func (k *fake) Inode(path string) (uint64, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, there := k.files[path]; !there {
		return 0, syscall.ENOENT
	}
	if path == "/sys/lamps/hall" {
		return 1 + k.plugged, nil
	}
	return 0, nil
}

func (k *fake) ReadDir(dir string) ([]string, error) {
	var names []string
	for path := range k.files {
		names = append(names, strings.TrimPrefix(path, dir+"/"))
	}
	sort.Strings(names)
	return names, nil
}
