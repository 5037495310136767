package sandbox

import "golang.org/x/sys/unix"

// calls may be made whatever their arguments are. They are what is linked into the daemon, for what it does once it serves: what the list is made of is found by the symbols of the programs that
// cross/build.sh makes, and the end-to-end tests run with Kill. A file of the architecture has those that not all have.
//
// Missing on purpose, though linked in: what is over when Halberd serves (bind, listen, umask, prlimit64, sched_getattr), and what package os has for child processes (wait4, waitid).
var calls = [...]uintptr{
	// The way of a call.
	unix.SYS_EPOLL_PWAIT, unix.SYS_RECVMSG, unix.SYS_SENDTO, unix.SYS_FUTEX, unix.SYS_READ, unix.SYS_WRITE, unix.SYS_PREAD64, unix.SYS_PWRITE64, unix.SYS_TIMERFD_SETTIME,
	// Connections, and sockets of init systems, of the journal and of service managers.
	unix.SYS_ACCEPT4, unix.SYS_CLOSE, unix.SYS_EPOLL_CTL, unix.SYS_GETSOCKOPT, unix.SYS_SETSOCKOPT, unix.SYS_SENDMSG, unix.SYS_RECVFROM, unix.SYS_SHUTDOWN, unix.SYS_CONNECT,
	unix.SYS_GETSOCKNAME, unix.SYS_GETPEERNAME, unix.SYS_SOCKETPAIR,
	// Devices, and files.
	unix.SYS_OPENAT, unix.SYS_READLINKAT, unix.SYS_GETDENTS64, unix.SYS_FACCESSAT, unix.SYS_FACCESSAT2, unix.SYS_FSYNC, unix.SYS_UNLINKAT, unix.SYS_MKDIRAT, unix.SYS_STATX, unix.SYS_GETCWD,
	// What is waited for.
	unix.SYS_PIPE2, unix.SYS_PPOLL, unix.SYS_EVENTFD2, unix.SYS_EPOLL_CREATE1, unix.SYS_TIMERFD_CREATE, unix.SYS_MEMFD_CREATE,
	// The runtime of Go.
	unix.SYS_MADVISE, unix.SYS_MUNMAP, unix.SYS_NANOSLEEP, unix.SYS_SCHED_YIELD, unix.SYS_SCHED_GETAFFINITY, unix.SYS_CLOCK_GETTIME, unix.SYS_GETTIMEOFDAY, unix.SYS_GETRANDOM, unix.SYS_GETPID,
	unix.SYS_GETTID, unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_SIGALTSTACK, unix.SYS_RESTART_SYSCALL, unix.SYS_EXIT, unix.SYS_EXIT_GROUP,
	// Who it is.
	unix.SYS_UNAME, unix.SYS_CAPGET, unix.SYS_GETGROUPS, unix.SYS_GETUID, unix.SYS_GETEUID, unix.SYS_GETGID, unix.SYS_GETEGID,
}
