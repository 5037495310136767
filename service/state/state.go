// Package state keeps what outlives the daemon, and the machine's restarts: a few small files that classes save as hal.State has it.
//
// A file is written whole or not at all: under another name, flushed to the disk, renamed over the one before, and the folder flushed. Whatever happens in between, Load finds either what
// was saved last or what was saved before.
package state

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// MaxSize is the longest that can be saved under a name.
const MaxSize = 1 << 20

// maxName is the longest name.
const maxName = 64

// Default is where state is kept, unless the service manager says otherwise.
const Default = "/var/lib/halberd"

// Path is the folder that the service manager gave (STATE_DIRECTORY of systemd, the first of several), or Default.
func Path() string {
	if first, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":"); filepath.IsAbs(first) {
		return first
	}
	return Default
}

// Folder keeps state in files of a folder. It implements hal.State; any goroutine may use it. Nothing is opened, or made, before it is needed: a system whose disk comes late, or that cannot be
// written to, is served all the same.
type Folder struct {
	path string
	mu   sync.Mutex // one at a time
}

// NewFolder keeps state in a folder, which Save makes where it is not there.
func NewFolder(path string) *Folder { return &Folder{path: path} }

// Load gives what was saved last under a name, or nil where nothing was. It reads a disk.
func (f *Folder) Load(name string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := checkName(name); err != nil {
		return nil, err
	}
	dir, err := f.open()
	if errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer unix.Close(dir)
	data, err := load(dir, name)
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil, nil
	case err != nil:
		return nil, f.cannot("load", name, err)
	}
	return data, nil
}

// Save keeps data under a name, whole or not at all, and returns when it is on the disk.
func (f *Folder) Save(name string, data []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := checkSave(name, data); err != nil {
		return err
	}
	if err := os.MkdirAll(f.path, 0o700); err != nil {
		return fmt.Errorf("cannot save %s: %w", name, err)
	}
	dir, err := f.open()
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	if err := save(dir, name, data); err != nil {
		return f.cannot("save", name, err)
	}
	return nil
}

func (f *Folder) cannot(do, name string, err error) error {
	return fmt.Errorf("cannot %s %s: %w", do, filepath.Join(f.path, name), err)
}

var errFolder = errors.New("it must be a folder of the daemon's own user that nobody else can write to")

// open opens the folder, and refuses one that somebody else may have put files into.
func (f *Folder) open() (dir int, err error) {
	dir, err = unix.Open(f.path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("cannot open %s: %w", f.path, err)
	}
	var stat unix.Stat_t
	if err = unix.Fstat(dir, &stat); err == nil && (stat.Uid != uint32(os.Geteuid()) || stat.Mode&0o022 != 0) {
		err = errFolder
	}
	if err != nil {
		unix.Close(dir)
		return -1, fmt.Errorf("cannot use %s: %w", f.path, err)
	}
	return dir, nil
}

// load reads a regular file of the folder.
func load(dir int, name string) ([]byte, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), name)
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, MaxSize+1))
	if err == nil && len(data) > MaxSize {
		err = unix.EFBIG
	}
	return data, err
}

// save writes a file under another name and puts it in its place.
func save(dir int, name string, data []byte) error {
	next := "." + name + ".new"
	if err := unix.Unlinkat(dir, next, 0); err != nil && err != unix.ENOENT {
		return err
	}
	err := write(dir, next, data)
	if err == nil {
		err = unix.Renameat(dir, next, dir, name)
	}
	if err != nil {
		_ = unix.Unlinkat(dir, next, 0)
		return err
	}
	return unix.Fsync(dir)
}

// write writes a new file and flushes it to the disk.
func write(dir int, name string, data []byte) error {
	fd, err := unix.Openat(dir, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	file := os.NewFile(uintptr(fd), name)
	if _, err = file.Write(data); err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// checkSave says what cannot be saved.
func checkSave(name string, data []byte) error {
	if err := checkName(name); err != nil {
		return err
	}
	if len(data) > MaxSize {
		return fmt.Errorf("cannot save %s: it is longer than %d bytes", name, MaxSize)
	}
	return nil
}

// checkName expects small letters, digits and hyphens between them: never a way out of the folder, nor a file of another kind in it.
func checkName(name string) error {
	if name == "" || len(name) > maxName || name[0] == '-' {
		return fmt.Errorf("%q is no name of a state", name)
	}
	for i := 0; i < len(name); i++ {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return fmt.Errorf("%q is no name of a state: %q cannot stand in it", name, c)
		}
	}
	return nil
}
