package sandbox

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// scene is what a child has prepared before it goes into its sandbox.
type scene struct {
	dir string // with folders: kept, which is its own, shown, which it may read, and hidden
	tcp int    // a socket for TCP, or -1
}

// attempt is something that is tried in the sandbox.
type attempt struct {
	name  string
	layer string // that stands against it; "" for what goes on to work
	want  unix.Errno
	try   func(*scene) error
}

// The layers, as reports name them.
const (
	ofLandlock     = "Landlock"
	ofTruncation   = "truncation"
	ofTCP          = "TCP"
	ofIoctl        = "ioctl"
	ofCapabilities = "capabilities"
	ofSeccomp      = "seccomp"
)

// attempts do no harm where nothing stands against them, as when somebody breaks a layer to see this fail: what they ask for is wrong, or their own.
var attempts = []attempt{
	{"read what may be read", "", 0, func(s *scene) error { return read(s.dir + "/shown/file") }},
	{"read what came later", "", 0, func(s *scene) error { return read(s.dir + "/shown/later/file") }},
	{"list it", "", 0, func(s *scene) error { _, err := os.ReadDir(s.dir + "/shown"); return err }},
	{"replace what is its own", "", 0, replace},
	{"use a device", "", 0, func(*scene) error { return control("/dev/ptmx") }},
	{"talk to local sockets", "", 0, func(*scene) error { return socket(unix.AF_UNIX, 0) }},
	{"start threads", "", 0, startThreads},
	{"wait", "", 0, func(*scene) error { time.Sleep(time.Microsecond); runtime.GC(); return nil }},

	{"read what is hidden", ofLandlock, unix.EACCES, func(s *scene) error { return read(s.dir + "/hidden/file") }},
	{"read it by another way", ofLandlock, unix.EACCES, func(s *scene) error { return read(s.dir + "/shown/../hidden/file") }},
	{"read it by a link", ofLandlock, unix.EACCES, func(s *scene) error { return read(s.dir + "/shown/link") }},
	{"read passwords", ofLandlock, unix.EACCES, func(*scene) error { return read("/etc/shadow") }},
	{"list what is hidden", ofLandlock, unix.EACCES, func(s *scene) error { _, err := os.ReadDir(s.dir + "/hidden"); return err }},
	{"write what may be read", ofLandlock, unix.EACCES, func(s *scene) error { return write(s.dir+"/shown/file", 0) }},
	{"write what is hidden", ofLandlock, unix.EACCES, func(s *scene) error { return write(s.dir+"/hidden/file", 0) }},
	{"write a program", ofLandlock, unix.EACCES, func(*scene) error { return write("/usr/bin/halberd-test-of-a-sandbox", unix.O_CREAT) }},
	{"make a file", ofLandlock, unix.EACCES, func(s *scene) error { return write(s.dir+"/shown/new", unix.O_CREAT) }},
	{"make a file without a name", ofLandlock, unix.EACCES, func(s *scene) error { return write(s.dir+"/hidden", unix.O_TMPFILE) }},
	{"make a folder", ofLandlock, unix.EACCES, func(s *scene) error { return unix.Mkdir(s.dir+"/kept/folder", 0o700) }},
	{"remove a file", ofLandlock, unix.EACCES, func(s *scene) error { return unix.Unlink(s.dir + "/shown/file") }},
	{"move a file out", ofLandlock, unix.EACCES, func(s *scene) error { return unix.Rename(s.dir+"/kept/file", s.dir+"/hidden/out") }},
	{"cut a file off", ofTruncation, unix.EACCES, func(s *scene) error { return write(s.dir+"/written", unix.O_TRUNC) }},
	{"connect by TCP", ofTCP, unix.EACCES, func(s *scene) error {
		return unix.Connect(s.tcp, &unix.SockaddrInet4{Port: 9, Addr: [4]byte{127, 0, 0, 1}})
	}},
	{"use another device", ofIoctl, unix.EACCES, func(*scene) error { return control("/dev/full") }},

	{"read what only its owner may", ofCapabilities, unix.EACCES, func(s *scene) error { return read(s.dir + "/shown/private") }},
	{"take more memory than anybody may", ofCapabilities, unix.EPERM, force},

	{"become another program", ofSeccomp, unix.ENOSYS, func(*scene) error { return unix.Exec("/bin/true", []string{"true"}, nil) }},
	{"become a process", ofSeccomp, unix.EPERM, func(*scene) error { return fork() }},
	{"take part in the network", ofSeccomp, unix.EPERM, func(*scene) error { return socket(unix.AF_INET, 0) }},
	{"speak to the kernel", ofSeccomp, unix.EPERM, func(*scene) error { return socket(unix.AF_NETLINK, unix.NETLINK_ROUTE) }},
	{"trace a process", ofSeccomp, unix.ENOSYS, func(*scene) error { return unix.PtraceAttach(os.Getpid()) }},
	{"read a process's memory", ofSeccomp, unix.ENOSYS, func(*scene) error { _, err := unix.ProcessVMReadv(os.Getppid(), nil, nil, 0); return err }},
	{"signal a process", ofSeccomp, unix.EPERM, func(*scene) error { return unix.Kill(os.Getppid(), 0) }},
	{"signal a thread of another", ofSeccomp, unix.EPERM, func(*scene) error { return unix.Tgkill(os.Getppid(), os.Getppid(), 0) }},
	{"mount", ofSeccomp, unix.ENOSYS, func(s *scene) error { return unix.Mount("", s.dir, "none-such", 0, "") }},
	{"leave the root", ofSeccomp, unix.ENOSYS, func(s *scene) error { return unix.Chroot(s.dir + "/missing") }},
	{"leave the namespaces", ofSeccomp, unix.ENOSYS, func(*scene) error { return unix.Unshare(unix.CLONE_NEWUSER) }},
	{"become another user", ofSeccomp, unix.ENOSYS, func(*scene) error { return raw(unix.SYS_SETUID, 1) }},
	{"take capabilities", ofSeccomp, unix.ENOSYS, takeCapabilities},
	{"load a program into the kernel", ofSeccomp, unix.ENOSYS, func(*scene) error { return raw(unix.SYS_BPF, 0) }},
	{"load a module", ofSeccomp, unix.ENOSYS, func(*scene) error { return unix.FinitModule(0, "", 0) }},
	{"load a kernel", ofSeccomp, unix.ENOSYS, func(*scene) error { return raw(unix.SYS_KEXEC_LOAD, 0) }},
	{"restart the machine", ofSeccomp, unix.ENOSYS, func(*scene) error { return raw(unix.SYS_REBOOT, 0) }},
	{"set the time", ofSeccomp, unix.ENOSYS, func(*scene) error { return unix.ClockSettime(unix.CLOCK_REALTIME, &unix.Timespec{Nsec: -1}) }},
	{"change a mode", ofSeccomp, unix.ENOSYS, func(s *scene) error { return unix.Chmod(s.dir+"/kept/file", 0o777) }},
	{"change an owner", ofSeccomp, unix.ENOSYS, func(s *scene) error { return unix.Chown(s.dir+"/kept/file", 1, 1) }},
	{"link", ofSeccomp, unix.ENOSYS, func(s *scene) error { return unix.Symlink("/", s.dir+"/kept/link") }},
	{"make a device", ofSeccomp, unix.ENOSYS, func(s *scene) error { return unix.Mknod(s.dir+"/kept/device", unix.S_IFCHR, 0) }},
	{"bind a name", ofSeccomp, unix.ENOSYS, func(s *scene) error { return unix.Bind(s.tcp, &unix.SockaddrInet4{}) }},
	{"call the kernel past the filter", ofSeccomp, unix.ENOSYS, func(*scene) error { return raw(unix.SYS_IO_URING_SETUP, 1) }},
	{"have the kernel keep keys", ofSeccomp, unix.ENOSYS, func(*scene) error { return raw(unix.SYS_KEYCTL, 0) }},
	{"watch the machine", ofSeccomp, unix.ENOSYS, func(*scene) error { return raw(unix.SYS_PERF_EVENT_OPEN, 0) }},
	{"open by number", ofSeccomp, unix.ENOSYS, func(*scene) error { return raw(unix.SYS_OPEN_BY_HANDLE_AT, 0) }},
	{"run what it writes", ofSeccomp, unix.EPERM, func(*scene) error { return code() }},
	{"run what it wrote", ofSeccomp, unix.EPERM, func(*scene) error { return raw(unix.SYS_MPROTECT, 0, 0, unix.PROT_EXEC) }},
	{"type for somebody", ofSeccomp, unix.EPERM, func(*scene) error { return unix.IoctlSetInt(0, unix.TIOCSTI, 0) }},
	{"put on another filter", ofSeccomp, unix.ENOSYS, func(*scene) error { return raw(unix.SYS_SECCOMP, 99) }},
}

// raw makes a system call on this thread.
//
//go:uintptrescapes
func raw(call uintptr, arguments ...uintptr) error {
	var a [3]uintptr
	copy(a[:], arguments)
	if _, _, errno := unix.RawSyscall(call, a[0], a[1], a[2]); errno != 0 {
		return errno
	}
	return nil
}

func read(path string) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		_, err = unix.Read(fd, make([]byte, 1))
		unix.Close(fd)
	}
	return err
}

func write(path string, flags int) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC|flags, 0o600)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

// replace does what a folder is kept by.
func replace(s *scene) error {
	name := filepath.Join(s.dir, "kept", "file")
	err := os.WriteFile(name+".new", []byte("new"), 0o600)
	if err == nil {
		err = os.Rename(name+".new", name)
	}
	if err == nil {
		err = os.Remove(name)
	}
	return errors.Join(err, os.WriteFile(name, []byte("again"), 0o600))
}

// control asks a device which pseudo-terminal it is. That it is none, it says itself.
func control(name string) error {
	fd, err := unix.Open(name, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if _, err = unix.IoctlGetInt(fd, unix.TIOCGPTN); err == unix.ENOTTY {
		err = nil
	}
	return err
}

func socket(domain, protocol int) error {
	fd, err := unix.Socket(domain, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, protocol)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

// startThreads has the runtime make more threads than it had, since each of them is taken.
func startThreads(*scene) error {
	const more = 4
	taken, end := make(chan bool), make(chan bool)
	for range more {
		go func() {
			runtime.LockOSThread()
			taken <- true
			<-end
		}()
	}
	for range more {
		<-taken
	}
	close(end)
	return nil
}

// force asks for more than net.core.rmem_max, which takes CAP_NET_ADMIN.
func force(*scene) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 1<<20)
		unix.Close(fd)
	}
	return err
}

// fork makes a process of this thread, which ends at once: where the flags are refused it is not made.
func fork() error {
	pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 {
		return errno
	}
	if pid == 0 {
		_, _, _ = unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
	}
	return nil
}

func takeCapabilities(*scene) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	full := sets{{Effective: all, Permitted: all}, {Effective: all, Permitted: all}}
	return raw(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&full[0])))
}

func code() error {
	_, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_ANON|unix.MAP_PRIVATE)
	return err
}
