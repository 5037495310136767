package sandbox

import "golang.org/x/sys/unix"

const (
	architecture = unix.AUDIT_ARCH_X86_64
	mapCall      = unix.SYS_MMAP
)

// native are the calls that this architecture has beside those of all.
var native = [...]uintptr{unix.SYS_FSTAT, unix.SYS_STAT, unix.SYS_LSTAT, unix.SYS_NEWFSTATAT, unix.SYS_FCNTL, unix.SYS_RENAMEAT, unix.SYS_FTRUNCATE, unix.SYS_LSEEK, unix.SYS_POLL}
