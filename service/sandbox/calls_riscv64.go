package sandbox

import "golang.org/x/sys/unix"

const (
	architecture = unix.AUDIT_ARCH_RISCV64
	mapCall      = unix.SYS_MMAP
)

// native are the calls that this architecture has beside those of all.
var native = [...]uintptr{unix.SYS_FSTAT, unix.SYS_FSTATAT, unix.SYS_FCNTL, unix.SYS_RENAMEAT2, unix.SYS_FTRUNCATE, unix.SYS_LSEEK}
