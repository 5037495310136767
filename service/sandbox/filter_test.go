package sandbox

import (
	"testing"

	"golang.org/x/sys/unix"
)

// data is what the kernel shows a filter of one call.
type data struct {
	call, arch uint32
	arguments  [6]uint64
}

func (d *data) word(at uint32) uint32 {
	switch {
	case at == callAt:
		return d.call
	case at == archAt:
		return d.arch
	}
	argument := d.arguments[(at-argumentAt)/8]
	return uint32(argument >> (8 * ((at - argumentAt) % 8)))
}

// decide runs a filter as the kernel does it (Linux net/core/filter.c), and gives its answer.
func decide(t *testing.T, code []unix.SockFilter, d *data) uint32 {
	t.Helper()
	var a uint32
	for i := 0; i < len(code); i++ {
		c := code[i]
		switch c.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			a = d.word(c.K)
		case unix.BPF_ALU | unix.BPF_AND | unix.BPF_K:
			a &= c.K
		case unix.BPF_JMP | unix.BPF_JA:
			i += int(c.K)
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			if a == c.K {
				i += int(c.Jt)
			} else {
				i += int(c.Jf)
			}
		case unix.BPF_RET | unix.BPF_K:
			return c.K
		default:
			t.Fatalf("instruction %d is %#x", i, c.Code)
		}
	}
	t.Fatal("the filter ends without an answer")
	return 0
}

// TestFilter reads the filter of this architecture as the kernel would, so that the list is tried where there is no seccomp too.
func TestFilter(t *testing.T) {
	const own = 77
	allowed, wrong, unknown := uint32(unix.SECCOMP_RET_ALLOW), unix.SECCOMP_RET_ERRNO|uint32(unix.EPERM), unix.SECCOMP_RET_ERRNO|uint32(unix.ENOSYS)
	with := func(at int, value uint64) (all [6]uint64) {
		all[at] = value
		return all
	}
	for _, row := range []struct {
		name      string
		config    Config
		call      uint32
		arguments [6]uint64
		want      uint32
	}{
		{"read", Config{}, unix.SYS_READ, with(0, 5), allowed},
		{"exit", Config{}, unix.SYS_EXIT_GROUP, with(0, 1), allowed},
		{"a program", Config{}, unix.SYS_EXECVE, with(0, 1), unknown},
		{"another process's memory", Config{}, unix.SYS_PTRACE, with(0, 16), unknown},
		{"a file system", Config{}, unix.SYS_MOUNT, with(0, 1), unknown},
		{"another user", Config{}, unix.SYS_SETUID, with(0, 1000), unknown},
		{"a program for the kernel", Config{}, unix.SYS_BPF, with(0, 5), unknown},
		{"a name of its own", Config{}, unix.SYS_BIND, with(0, 5), unknown},
		{"another filter", Config{}, unix.SYS_SECCOMP, with(0, 1), unknown},
		{"the number after all", Config{}, 5000, with(0, 1), unknown},
		{"read by the 32-bit numbers of x86-64", Config{}, unix.SYS_READ | 0x4000_0000, with(0, 5), unknown},
		{"a local socket", Config{}, unix.SYS_SOCKET, with(0, unix.AF_UNIX), allowed},
		{"a network socket", Config{}, unix.SYS_SOCKET, with(0, unix.AF_INET), wrong},
		{"a packet socket", Config{}, unix.SYS_SOCKET, with(0, unix.AF_PACKET), wrong},
		{"a netlink socket", Config{}, unix.SYS_SOCKET, with(0, unix.AF_NETLINK), wrong},
		{"a thread", Config{}, unix.SYS_CLONE, with(0, unix.CLONE_VM|unix.CLONE_FS|unix.CLONE_FILES|unix.CLONE_SIGHAND|unix.CLONE_SYSVSEM|unix.CLONE_THREAD), allowed},
		{"a process", Config{}, unix.SYS_CLONE, with(0, uint64(unix.SIGCHLD)), wrong},
		{"a thread in a namespace", Config{}, unix.SYS_CLONE, with(0, unix.CLONE_THREAD|unix.CLONE_NEWUSER), wrong},
		{"a thread by the new call", Config{}, unix.SYS_CLONE3, with(0, 1), unknown},
		{"memory", Config{}, mapCall, with(2, unix.PROT_READ|unix.PROT_WRITE), allowed},
		{"code", Config{}, mapCall, with(2, unix.PROT_READ|unix.PROT_EXEC), wrong},
		{"code of memory", Config{}, unix.SYS_MPROTECT, with(2, unix.PROT_EXEC), wrong},
		{"memory to fault on", Config{}, unix.SYS_MPROTECT, with(2, unix.PROT_NONE), allowed},
		{"a device", Config{}, unix.SYS_IOCTL, with(1, unix.TIOCEXCL), allowed},
		{"a device, with more than the kernel takes", Config{}, unix.SYS_IOCTL, with(1, 1<<32|unix.TIOCSTI), wrong},
		{"typing for somebody", Config{}, unix.SYS_IOCTL, with(1, unix.TIOCSTI), wrong},
		{"typing at the console", Config{}, unix.SYS_IOCTL, with(1, tiocLinux), wrong},
		{"a line discipline", Config{}, unix.SYS_IOCTL, with(1, unix.TIOCSETD), wrong},
		{"a name for memory", Config{}, unix.SYS_PRCTL, with(0, unix.PR_SET_VMA), allowed},
		{"to be dumped", Config{}, unix.SYS_PRCTL, with(0, unix.PR_SET_DUMPABLE), wrong},
		{"preemption", Config{}, unix.SYS_TGKILL, with(0, own), allowed},
		{"a thread of another process", Config{}, unix.SYS_TGKILL, with(0, 1), wrong},
		{"itself", Config{}, unix.SYS_KILL, with(0, own), allowed},
		{"another process", Config{}, unix.SYS_KILL, with(0, 78), wrong},
		{"all processes", Config{}, unix.SYS_KILL, with(0, 0xffffffff), wrong},
		{"the first process", Config{}, unix.SYS_KILL, with(0, 1), wrong},
		{"the first process, where it is asked so", Config{InitSignals: true}, unix.SYS_KILL, with(0, 1), allowed},
		{"another process then", Config{InitSignals: true}, unix.SYS_KILL, with(0, 78), wrong},
		{"modes", Config{}, unix.SYS_FCHMODAT, with(0, 1), unknown},
		{"modes, where they are needed", Config{Modes: true}, unix.SYS_FCHMODAT, with(0, 1), allowed},
		{"a reboot", Config{Capabilities: []int{unix.CAP_SYS_TIME}}, unix.SYS_REBOOT, with(0, 1), unknown},
		{"a reboot, where nobody else can", Config{Capabilities: []int{unix.CAP_SYS_BOOT}}, unix.SYS_REBOOT, with(0, 1), allowed},
		{"a program, fatally", Config{Kill: true}, unix.SYS_EXECVE, with(0, 1), unix.SECCOMP_RET_KILL_PROCESS},
		{"a network socket, fatally", Config{Kill: true}, unix.SYS_SOCKET, with(0, unix.AF_INET), unix.SECCOMP_RET_KILL_PROCESS},
		{"read, not fatally", Config{Kill: true}, unix.SYS_READ, with(0, 5), allowed},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := &data{row.call, architecture, row.arguments}
			code := newFilter(&row.config, own)
			if got := decide(t, code, d); got != row.want {
				t.Errorf("got %#x, want %#x", got, row.want)
			}
			d.arch = unix.AUDIT_ARCH_I386
			if got := decide(t, code, d); got == allowed {
				t.Error("by the numbers of another architecture it is allowed")
			}
		})
	}
}

// TestFilterFits: the kernel takes 4096 instructions.
func TestFilterFits(t *testing.T) {
	if n := len(newFilter(&Config{InitSignals: true, Modes: true, Capabilities: []int{unix.CAP_SYS_BOOT}}, 1)); n > unix.BPF_MAXINSNS {
		t.Errorf("the filter has %d instructions, want at most %d", n, unix.BPF_MAXINSNS)
	}
}
