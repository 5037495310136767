package kernel_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/kernel"
)

var _ hal.Kernel = kernel.Linux{}

// tree makes a folder with a file and a link, and gives its path.
func tree(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "brightness"), []byte("128\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../led", filepath.Join(root, "device")); err != nil {
		t.Fatal(err)
	}
	return root
}

func TestReadAndWrite(t *testing.T) {
	root := tree(t)
	for name, k := range map[string]struct {
		kernel.Linux
		path string
	}{
		"plain":      {kernel.Linux{}, filepath.Join(root, "brightness")},
		"below root": {kernel.Linux{Root: root}, "/brightness"},
	} {
		t.Run(name, func(t *testing.T) {
			fd, err := k.Open(k.path, unix.O_RDWR)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := k.Pwrite(fd, []byte("200"), 0); n != 3 || err != nil {
				t.Errorf("Pwrite = %d, %v, want 3, nil", n, err)
			}
			expectRead(t, "Pread", "200\n", func(p []byte) (int, error) { return k.Pread(fd, p, 0) })
			expectRead(t, "Pread at 1", "00\n", func(p []byte) (int, error) { return k.Pread(fd, p, 1) })
			expectRead(t, "Read", "200\n", func(p []byte) (int, error) { return k.Read(fd, p) })
			expectRead(t, "Read at the end", "", func(p []byte) (int, error) { return k.Read(fd, p) })
			if err := k.Close(fd); err != nil {
				t.Errorf("Close = %v, want nil", err)
			}
			if err := k.Close(fd); err != syscall.EBADF {
				t.Errorf("Close again = %v, want EBADF", err)
			}
		})
	}
}

func expectRead(t *testing.T, what, want string, read func([]byte) (int, error)) {
	t.Helper()
	p := make([]byte, 64)
	if n, err := read(p); err != nil || string(p[:n]) != want {
		t.Errorf("%s = %q, %v, want %q, nil", what, p[:max(n, 0)], err, want)
	}
}

func TestDescriptorsAreClosedOnExec(t *testing.T) {
	k := kernel.Linux{}
	fd, err := k.Open("/dev/null", unix.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close(fd)
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("F_GETFD = %d, %v, want FD_CLOEXEC", flags, err)
	}
}

// Errors are plain numbers, as hal.Kernel has it, so that a class can compare them.
func TestErrors(t *testing.T) {
	k, root := kernel.Linux{}, tree(t)
	p := make([]byte, 8)
	tests := []struct {
		name string
		got  error
		want syscall.Errno
	}{
		{"open of nothing", second(k.Open(root+"/none", unix.O_RDONLY)), syscall.ENOENT},
		{"open through a file", second(k.Open(root+"/brightness/x", unix.O_RDONLY)), syscall.ENOTDIR},
		{"read of no descriptor", second(k.Read(-1, p)), syscall.EBADF},
		{"pread of no descriptor", second(k.Pread(-1, p, 0)), syscall.EBADF},
		{"pwrite of no descriptor", second(k.Pwrite(-1, p, 0)), syscall.EBADF},
		{"ioctl of no descriptor", k.Ioctl(-1, unix.TCGETS, unsafe.Pointer(&p[0])), syscall.EBADF},
		{"list of nothing", second(k.ReadDir(root + "/none")), syscall.ENOENT},
		{"list of a file", second(k.ReadDir(root + "/brightness")), syscall.ENOTDIR},
		{"link that is none", second(k.Readlink(root + "/brightness")), syscall.EINVAL},
		{"link of nothing", second(k.Readlink(root + "/none")), syscall.ENOENT},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.got != error(test.want) {
				t.Errorf("got %#v (%v), want %v", test.got, test.got, test.want)
			}
		})
	}
}

func second[T any](_ T, err error) error { return err }

func TestIoctl(t *testing.T) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ends[0])
	defer unix.Close(ends[1])
	if _, err := unix.Write(ends[1], []byte("12345")); err != nil {
		t.Fatal(err)
	}
	var waiting int32
	err := kernel.Linux{}.Ioctl(ends[0], unix.TIOCINQ, unsafe.Pointer(&waiting))
	if errors.Is(err, syscall.ENOSYS) {
		t.Skipf("FIONREAD: %v", err)
	}
	if err != nil || waiting != 5 {
		t.Errorf("FIONREAD of a pipe = %d, %v, want 5, nil", waiting, err)
	}
}

// The number itself arrives: flushing a terminal takes 0 to 2.
func TestIoctlInt(t *testing.T) {
	k := kernel.Linux{}
	fd, err := k.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY)
	if err != nil {
		t.Skipf("/dev/ptmx: %v", err)
	}
	defer k.Close(fd)
	for argument, want := range map[int]error{unix.TCIFLUSH: nil, unix.TCIOFLUSH: nil, 7: syscall.EINVAL} {
		if got := k.IoctlInt(fd, unix.TCFLSH, argument); got != want {
			t.Errorf("TCFLSH %d: got %v, want %v", argument, got, want)
		}
	}
}

func TestReadDir(t *testing.T) {
	root := tree(t)
	got, err := kernel.Linux{Root: root}.ReadDir("/")
	if want := []string{"brightness", "device"}; !slices.Equal(got, want) || err != nil {
		t.Errorf("ReadDir = %q, %v, want %q", got, err, want)
	}
	if got, err := (kernel.Linux{}).ReadDir(t.TempDir()); len(got) != 0 || err != nil {
		t.Errorf("ReadDir of an empty folder = %q, %v, want none", got, err)
	}
}

// A long folder does not fit the kernel's answer at once.
func TestReadDirOfMany(t *testing.T) {
	root := t.TempDir()
	var want []string
	for i := range 500 {
		name := fmt.Sprintf("%03d-%s", 499-i, strings.Repeat("x", 60))
		want = append(want, name)
		if err := os.WriteFile(filepath.Join(root, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(want)
	if got, err := (kernel.Linux{}).ReadDir(root); !slices.Equal(got, want) || err != nil {
		t.Errorf("ReadDir = %d names, %v, want the %d there are, sorted", len(got), err, len(want))
	}
}

func TestReadlink(t *testing.T) {
	root := tree(t)
	for name, k := range map[string]struct {
		kernel.Linux
		path string
	}{
		"plain":      {kernel.Linux{}, filepath.Join(root, "device")},
		"below root": {kernel.Linux{Root: root}, "/device"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := k.Readlink(k.path); got != "../led" || err != nil {
				t.Errorf("Readlink = %q, %v, want ../led, nil", got, err)
			}
		})
	}
}

// No descriptor stays behind a folder that was listed, or one that could not be.
func TestReadDirCloses(t *testing.T) {
	k, root := kernel.Linux{}, tree(t)
	before := descriptors(t)
	for range 3 {
		_, _ = k.ReadDir(root)
		_, _ = k.ReadDir(root + "/brightness")
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors are open, want %d as before", after, before)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skipf("/proc/self/fd: %v", err)
	}
	return len(names)
}

// Attributes are read and written on the path of a call.
func TestReadingAnAttributeAllocatesNothing(t *testing.T) {
	k := kernel.Linux{Root: tree(t)}
	fd, err := k.Open("/brightness", unix.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close(fd)
	p := make([]byte, 16)
	n := testing.AllocsPerRun(100, func() {
		if _, err := k.Pread(fd, p, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := k.Pwrite(fd, p[:3], 0); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("a read and a write made %v allocations, want 0", n)
	}
}
