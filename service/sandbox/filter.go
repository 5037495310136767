package sandbox

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Where struct seccomp_data has what a filter looks at. The lower half of an argument comes first on all architectures that have a list, and is all that the kernel takes of those that are compared.
const (
	callAt     = 0
	archAt     = 4
	argumentAt = 16
)

// filter is a program for seccomp: blocks that each decide about one call and end so, or go on to the next one. There are no jumps between them.
type filter struct {
	code   []unix.SockFilter
	refuse uint32 // for arguments that are not permitted
}

func (f *filter) add(code uint16, k uint32, yes, no uint8) {
	f.code = append(f.code, unix.SockFilter{Code: code, Jt: yes, Jf: no, K: k})
}

func (f *filter) load(at uint32)   { f.add(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, at, 0, 0) }
func (f *filter) mask(bits uint32) { f.add(unix.BPF_ALU|unix.BPF_AND|unix.BPF_K, bits, 0, 0) }
func (f *filter) end(what uint32)  { f.add(unix.BPF_RET|unix.BPF_K, what, 0, 0) }

// unless skips what follows where the value is another one.
func (f *filter) unless(value uint32, skip int) {
	f.add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, value, 0, uint8(skip))
}

// allow permits a call whatever its arguments are.
func (f *filter) allow(call uintptr) {
	f.unless(uint32(call), 1)
	f.end(unix.SECCOMP_RET_ALLOW)
}

// compare decides about a call by one argument, of which it takes some bits: each of the values has the first answer, anything else the other.
func (f *filter) compare(call uintptr, argument int, bits uint32, values []uint32, found, other uint32) {
	f.unless(uint32(call), 3+2*len(values))
	f.load(uint32(argumentAt + 8*argument))
	f.mask(bits)
	for _, v := range values {
		f.unless(v, 1)
		f.end(found)
	}
	f.end(other)
}

// only permits a call where some bits of an argument are one of the values.
func (f *filter) only(call uintptr, argument int, bits uint32, values ...uint32) {
	f.compare(call, argument, bits, values, unix.SECCOMP_RET_ALLOW, f.refuse)
}

// except permits a call unless an argument is one of the values.
func (f *filter) except(call uintptr, argument int, values ...uint32) {
	f.compare(call, argument, all, values, f.refuse, unix.SECCOMP_RET_ALLOW)
}

// all are the bits of an argument.
const all = 1<<32 - 1

// newFilter makes the program. What is called most stands first: kernels before 5.11 read it from its begin for each call.
func newFilter(c *Config, own int) []unix.SockFilter {
	unknown := uint32(unix.SECCOMP_RET_ERRNO | unix.ENOSYS)
	f := &filter{refuse: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)}
	if c.Kill {
		unknown, f.refuse = unix.SECCOMP_RET_KILL_PROCESS, unix.SECCOMP_RET_KILL_PROCESS
	}
	f.load(archAt)
	f.unless(architecture, 1)
	f.add(unix.BPF_JMP|unix.BPF_JA, 1, 0, 0)
	f.end(unknown)
	f.load(callAt)
	for _, call := range calls {
		f.allow(call)
	}
	for _, call := range native {
		f.allow(call)
	}
	f.arguments(c, uint32(own))
	f.end(unknown)
	return f.code
}

// namespaces are the flags of clone(2) that make some.
const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET

// arguments are the calls that are permitted in part.
func (f *filter) arguments(c *Config, own uint32) {
	f.except(unix.SYS_IOCTL, 1, unix.TIOCSTI, tiocLinux, unix.TIOCSETD) // which act on the terminal's user, or load drivers
	f.only(unix.SYS_SOCKET, 0, all, unix.AF_UNIX)
	f.only(unix.SYS_CLONE, 0, unix.CLONE_THREAD|namespaces, unix.CLONE_THREAD)
	f.only(mapCall, 2, unix.PROT_EXEC, 0)
	f.only(unix.SYS_MPROTECT, 2, unix.PROT_EXEC, 0)
	f.only(unix.SYS_PRCTL, 0, all, unix.PR_SET_VMA) // the runtime names its memory
	f.only(unix.SYS_TGKILL, 0, all, own)
	killed := []uint32{own}
	if c.InitSignals {
		killed = append(killed, 1)
	}
	f.only(unix.SYS_KILL, 0, all, killed...)
	if c.Modes {
		f.allow(unix.SYS_FCHMOD)
		f.allow(unix.SYS_FCHMODAT)
	}
	for _, capability := range c.Capabilities {
		if capability == unix.CAP_SYS_BOOT {
			f.allow(unix.SYS_REBOOT)
			f.allow(unix.SYS_SYNC)
		}
	}
}

// tiocLinux types into a virtual terminal. golang.org/x/sys does not have it (Linux include/uapi/asm-generic/ioctls.h).
const tiocLinux = 0x541c

// errNoList is said of an architecture that nobody made the list for.
var errNoList = errors.New("there is no list of them for this architecture")

// filterCalls refuses all system calls that are not on the list.
func filterCalls(c *Config) (held string, missing error) {
	if architecture == 0 {
		return "", fmt.Errorf("cannot filter system calls: %w", errNoList)
	}
	code := newFilter(c, unix.Getpid())
	program := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	// All threads at once. What is refused is logged by the kernel. Mitigations that a program needs which runs what others wrote are not asked for: this one does not.
	flags := uintptr(unix.SECCOMP_FILTER_FLAG_TSYNC | unix.SECCOMP_FILTER_FLAG_LOG | unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW)
	thread, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&program)))
	switch {
	case errno != 0:
		return "", fmt.Errorf("cannot filter system calls: %w", tell(errno))
	case thread != 0:
		return "", fmt.Errorf("cannot filter the system calls of thread %d", thread)
	case c.Kill:
		return "seccomp (kill)", nil
	}
	return "seccomp", nil
}
