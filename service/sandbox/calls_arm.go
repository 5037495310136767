package sandbox

import "golang.org/x/sys/unix"

const (
	architecture = unix.AUDIT_ARCH_ARM
	mapCall      = unix.SYS_MMAP2
)

// native are the calls that this architecture has beside those of all: with offsets and ids of full size, and with times of 64 bits, which Go tries first or the vDSO falls back to.
var native = [...]uintptr{
	unix.SYS_FSTAT64, unix.SYS_STAT64, unix.SYS_LSTAT64, unix.SYS_FSTATAT64, unix.SYS_FCNTL, unix.SYS_FCNTL64, unix.SYS_RENAMEAT, unix.SYS_FTRUNCATE64, unix.SYS__LLSEEK,
	unix.SYS_GETGROUPS32, unix.SYS_GETUID32, unix.SYS_GETEUID32, unix.SYS_GETGID32, unix.SYS_GETEGID32,
	unix.SYS_FUTEX_TIME64, unix.SYS_PPOLL_TIME64, unix.SYS_CLOCK_GETTIME64, unix.SYS_TIMERFD_SETTIME64,
}
