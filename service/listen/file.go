package listen

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const (
	folderMode = 0o755
	socketMode = 0o666
)

// bindFile gives the socket its path, and remembers which file that is. bind(2) takes the file's mode from the socket, less the umask, and so the mode
// is right at once: changing it afterwards would follow a symlink that somebody put there in between. The umask is the process's; this runs at the
// start, before there is anybody to share it.
func (s *Socket) bindFile() (err error) {
	path := s.Address.Name
	if err = unix.Fchmod(s.FD, socketMode); err != nil {
		return err
	}
	defer unix.Umask(unix.Umask(0))
	if err = os.MkdirAll(filepath.Dir(path), folderMode); err != nil {
		return err
	}
	if err = s.removeStale(path); err != nil {
		return err
	}
	if err = s.Address.call(unix.SYS_BIND, s.FD); err != nil {
		return err
	}
	if s.inode, err = inodeAt(path); err == nil {
		s.file = path
	}
	return err
}

// removeStale removes a socket at path that nobody listens on. Anything else that is there, a symlink too, is an error.
func (s *Socket) removeStale(path string) error {
	var st unix.Stat_t
	err := unix.Lstat(path, &st)
	if err == unix.ENOENT {
		return nil
	}
	if err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return errors.New("there is something else than a socket")
	}
	if err := s.probe(); err != unix.ECONNREFUSED {
		return fmt.Errorf("somebody else has it: %w", orInUse(err))
	}
	return unix.Unlink(path)
}

// probe connects to the address: ECONNREFUSED says that nobody listens.
func (s *Socket) probe() error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return s.Address.call(unix.SYS_CONNECT, fd)
}

func orInUse(err error) error {
	if err == nil {
		return unix.EADDRINUSE
	}
	return err
}

func inodeAt(path string) (inode, error) {
	var st unix.Stat_t
	err := unix.Lstat(path, &st)
	return inode{uint64(st.Dev), uint64(st.Ino)}, err
}

// unlink removes the path if it still leads to what bindFile put there.
func (s *Socket) unlink() error {
	if s.file == "" {
		return nil
	}
	now, err := inodeAt(s.file)
	if err != nil || now != s.inode {
		return nil
	}
	return unix.Unlink(s.file)
}
