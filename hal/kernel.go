package hal

import (
	"log/slog"
	"time"
	"unsafe"
)

// Kernel is the system calls that classes reach hardware by. On a board they are the kernel's own (hal/kernel); the simulated board and
// fault injection put something else here, and everything above stays the same. Paths are absolute (/sys/…, /dev/…); errors are
// syscall.Errno, unwrapped. A descriptor that Loop.Poll is to wait for must be a real one.
type Kernel interface {
	Open(path string, flags int) (fd int, err error) // O_CLOEXEC is added
	Close(fd int) error
	Read(fd int, p []byte) (int, error)
	Pread(fd int, p []byte, offset int64) (int, error)
	Pwrite(fd int, p []byte, offset int64) (int, error)
	Write(fd int, p []byte) (int, error) // where the descriptor stands: for devices that have no offsets
	Ioctl(fd int, request uint, argument unsafe.Pointer) error
	IoctlInt(fd int, request uint, argument int) error // of a request whose argument is a number itself
	// Pass gives another descriptor of what fd is open for, to be handed to a peer; it is closed with close(2), by whoever has it. EOPNOTSUPP where what fd stands for does
	// not exist outside of this Kernel.
	Pass(fd int) (int, error)
	ReadDir(path string) (names []string, err error) // sorted
	Readlink(path string) (string, error)
	// Inode is the number of the file or folder that a path leads to, symbolic links followed. A device's folder in /sys has another one each time it comes, so that what went
	// and came again under the same name is told from what was there before. Asking does not wait for hardware.
	Inode(path string) (uint64, error)
	// Uevents opens the kernel's messages about devices that come and go: a real descriptor, which does not block. Close closes it.
	Uevents() (fd int, err error)
	// Uevent takes the next message from such a descriptor. EAGAIN: there is none. ENOBUFS: some were lost, or one was longer than p. No bytes: a message that
	// somebody else than the kernel sent.
	Uevent(fd int, p []byte) (int, error)
}

// Loop is where a class waits: the server's one event loop. Everything a class does happens on its goroutine, but the jobs it submits.
type Loop interface {
	// Poll calls ready on the loop whenever fd can be read, until Unpoll.
	Poll(fd int, ready func()) error
	Unpoll(fd int)
	// After calls f on the loop once, after d, unless stopped before.
	After(d time.Duration, f func()) (stop func())
	// Post calls f on the loop soon. Any goroutine may call it.
	Post(f func())
	// Submit runs job on the worker of a bus, then done on the loop. There is one worker per bus, so jobs of one bus never overlap. It fails when too many wait.
	Submit(bus string, job, done func()) error
}

// Env is what a class is opened with.
type Env struct {
	Kernel  Kernel
	Loop    Loop
	Log     *slog.Logger
	Entries []Entry // what board.toml says in the class's tables
	// FirstStart is true for the first start since boot, when `initial` values are written.
	FirstStart bool
	// State outlives the daemon; nil where nothing does.
	State State
	// Keeper keeps descriptors over a restart; nil where nothing does.
	Keeper Keeper
	// Machine is the machine as a whole; nil where nobody can end it.
	Machine Machine
}

// Keeper keeps descriptors over a restart of the daemon, each under a name and with a short record of what it is. Any goroutine may use it. It may wait for the service manager, but in Note.
type Keeper interface {
	// Take gives what the process before kept under a name. The descriptor is the caller's from then on, and goes on to be kept. What nobody has taken when the daemon is started is closed.
	Take(name string) (fd int, record []byte, ok bool)
	// Keep keeps a descriptor, which stays the caller's. When it returns nil, it outlives the process.
	Keep(name string, fd int, record []byte) error
	// Note replaces the record of what is kept.
	Note(name string, record []byte) error
	// Drop keeps it no longer.
	Drop(name string)
}

// State keeps small files over restarts of the daemon and of the machine. Saving may wait for a disk, so what runs on the loop saves by Loop.Submit.
type State interface {
	// Load gives what was saved last under a name, or nil where nothing was.
	Load(name string) ([]byte, error)
	// Save keeps data under a name, whole or not at all.
	Save(name string, data []byte) error
}

// Driver is how a class joins Halberd: one line in hal/board.
type Driver struct {
	Class  string
	Tables []Table // of board.toml
	// Check finds entries of these tables that contradict each other, whatever the hardware is; each error names file and line. May be nil. Open refuses them too.
	Check func(entries []Entry) []error
	// Open finds the devices and requests those that the board declares. What is not there is logged and left out, since it may be plugged in later; an
	// error means that board.toml contradicts itself or the kernel.
	Open func(*Env) (*Class, error)
}

// Class is one kind of hardware, opened: the interface io.halberd.<Name>.
type Class struct {
	Name    string
	Doc     string
	Methods []*Method
	Devices Inventory // nil for a class without devices
	Close   func()    // lets go of everything; may be nil; called once
	// Capabilities are those of Linux that its methods need on this board (CAP_SYS_TIME of capabilities(7), by number). The daemon lets go of all that no class names.
	Capabilities []int
	// Safe lists the outputs that have a safe value, as SafeOutputs does it; nil for a class without outputs. It is called on the loop.
	Safe func() []SafeOutput

	// Subsystems are those of the kernel that the class's devices belong to, as uevents name them: gpio, leds.
	Subsystems []string
	// Rescan compares what the kernel has with what the class has: what is not there any more goes, what is new comes, and all else stays as it is, whatever happened meanwhile. It
	// runs on the loop and does not wait for hardware. It reports whether something was not ready, so that looking again soon is worth while. May be nil.
	Rescan func() (again bool)
	// Changed is called on the loop when the kernel says that something about a device of one of the Subsystems changed, with the device's name in /sys. What that is, it does not say; messages may
	// be lost, and come about what the class does not know. May be nil.
	Changed func(name string)
}

// Inventory lists the devices of a class by ID.
type Inventory interface {
	Len() int
	At(i int) Device
	// Missing is the refusal for a name that no device has: DeviceGone for one that was there, else NoSuchDevice.
	Missing(id string) Refusal
}
