package simtest

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sim"
)

// Cat reads an attribute as a shell would, past hal/sysfs.
func Cat(t *testing.T, k hal.Kernel, path string) string {
	t.Helper()
	fd, err := k.Open(path, unix.O_RDONLY)
	if err != nil {
		t.Fatalf("open %s: %v", path, err)
	}
	defer k.Close(fd)
	buf := make([]byte, 4096)
	n, err := k.Pread(fd, buf, 0)
	if err != nil {
		t.Fatalf("read %s: %v", path, err)
	}
	return strings.TrimSpace(string(buf[:n]))
}

// Echo writes an attribute as a shell would, past hal/sysfs.
func Echo(t *testing.T, k hal.Kernel, path, text string) {
	t.Helper()
	fd, err := k.Open(path, unix.O_WRONLY)
	if err != nil {
		t.Fatalf("open %s: %v", path, err)
	}
	defer k.Close(fd)
	if _, err := k.Pwrite(fd, []byte(text), 0); err != nil {
		t.Fatalf("write %s: %v", path, err)
	}
}

// Unreadable is a kernel of which one file cannot be opened: EIO is what there is.
type Unreadable struct {
	*sim.Kernel
	// Suffix is how the path of that file ends; "" for none.
	Suffix string
}

// Open opens any other file.
func (u *Unreadable) Open(path string, flags int) (int, error) {
	if u.Suffix != "" && strings.HasSuffix(path, u.Suffix) {
		return -1, unix.EIO
	}
	return u.Kernel.Open(path, flags)
}
