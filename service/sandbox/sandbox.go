// Package sandbox takes from this process what it does not need to serve, for good: capabilities, files, and system calls. It comes after everything is open, and holds for every
// thread that there is and that will be.
//
// Four layers, each of which stands where the others do not:
//
//   - no_new_privs: no program that it could start has more rights than it has.
//   - Landlock: files and folders that no rule names cannot be opened, made or removed, nor ioctls made to devices; there is no TCP. A rule means the file or folder that is there at that moment,
//     and all below a folder whenever it comes, so that what is plugged in later is reached. What was open before stays open.
//   - Capabilities: all are let go but those that are named.
//   - seccomp: system calls that are not on the list of this package are refused. The program is static, so that no library can make another one, whatever the system that it runs on: the list is
//     what the linker left in it, for each architecture.
//
// A kernel or a build that has no such thing is told of, and the other layers hold. User-mode emulation has none of it. A program that is linked with C cannot reach threads that C started, and so
// has none of it either.
//
// Bounding set and securebits are left alone: with no_new_privs, and without execve, nothing can come of them. Signals and abstract sockets are not scoped by Landlock (6.12): the first process is
// signalled to shut down, and datagrams are answered to abstract addresses. seccomp lets signals go to the first process and to itself alone.
//
// Tried were github.com/landlock-lsm/go-landlock 0.8.1, github.com/elastic/go-seccomp-bpf 1.6.0 and kernel.org/pub/linux/libs/security/libcap/cap 1.2.77. They add 37, 100 and 15 KiB to the stripped
// armv7 daemon, 152 together, with two modules more (psx, x/net); the second has the names of all calls of all architectures in it, and no list of ours; the first says nothing of what a kernel lacks.
// This package adds 26 KiB. Needed are three calls to Landlock, one to seccomp and one to capset, and golang.org/x/sys/unix has the numbers.
//
// Source: Linux Documentation/userspace-api/landlock.rst, seccomp_filter.rst and no_new_privs.rst; capabilities(7). It needs Linux 5.13 for Landlock, of which each later version until 6.10 can do
// more, and 4.17 for seccomp.
package sandbox

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Config is what the process goes on to need.
type Config struct {
	// Kill ends the process at the first system call that is refused. Without it, the call fails: with EPERM where what is wrong are its arguments, else with ENOSYS, as on a kernel without it.
	Kill bool
	// Capabilities are kept, as far as the process has them.
	Capabilities []int
	// Paths can be reached, each with what is below it. One that is not there is left out.
	Paths []Path
	// InitSignals lets signals go to the first process.
	InitSignals bool
	// Modes lets modes of files be changed.
	Modes bool
}

// Report is what became of it.
type Report struct {
	Held    []string // the layers that hold, for people
	Missing []error  // what does not, one for each layer
}

// Enter puts the process into its sandbox. There is no way out, and no second time. Nothing may be started or opened meanwhile.
func Enter(c Config) Report {
	var r Report
	if err := allThreads(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0); err != nil {
		return Report{Missing: []error{fmt.Errorf("cannot set no_new_privs on all threads, so there is no sandbox: %w", err)}}
	}
	r.Held = append(r.Held, "no_new_privs")
	r.add(restrictFiles(c.Paths))
	r.add(dropCapabilities(c.Capabilities))
	r.add(filterCalls(&c))
	return r
}

// add notes what became of a layer: both are given where it holds in part.
func (r *Report) add(held string, missing error) {
	if held != "" {
		r.Held = append(r.Held, held)
	}
	if missing != nil {
		r.Missing = append(r.Missing, missing)
	}
}

// String lists the layers that hold.
func (r Report) String() string { return strings.Join(r.Held, ", ") }

// allThreads makes a system call on every thread of the runtime, and has threads to come inherit what it did. The result is the same on all of them, or the runtime ends the process. What is
// given as an address stays where it is.
//
//go:uintptrescapes
func allThreads(call, a, b, c uintptr) error {
	if _, _, errno := syscall.AllThreadsSyscall(call, a, b, c); errno != 0 {
		return tell(errno)
	}
	return nil
}

// errLinked is what the runtime cannot do.
var errLinked = errors.New("this program is linked with C")

// tell says what is meant by an errno that does not.
func tell(errno syscall.Errno) error {
	switch errno {
	case syscall.ENOTSUP: // of syscall.AllThreadsSyscall
		return errLinked
	case syscall.ENOSYS:
		return fmt.Errorf("the kernel does not have it: %w", errno)
	}
	return errno
}
