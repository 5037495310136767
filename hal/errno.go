package hal

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// SystemError makes the io.systemd.System of an error number, as systemd fills it.
func SystemError(errno syscall.Errno) *System {
	name := unix.ErrnoName(errno)
	return &System{
		Origin:    Opt[string]{"linux", true},
		Errno:     int64(errno),
		ErrnoName: Opt[string]{name, name != ""},
	}
}
