package sim

import (
	"os"
	"path"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/uapi"
)

// Port is a serial port to add to the board. What is written into it comes back.
type Port struct {
	Name      string
	Under     string // its parent device, as OnPlatform; "" for that
	Number    string // its number among those of its USB adapter, as usb-serial counts them; "" for another port
	MaxBaud   uint32 // what its hardware can do; 0 for all
	RS485     bool   // whether its driver can switch by RTS
	Inverse   bool   // whether the board's description has RTS low while it sends (rs485-rts-active-low), and up to 5 ms of delay
	NoLines   bool   // whether its driver has no modem lines
	Unwired   bool   // whether there is no hardware behind its entry
	Exclusive bool   // whether somebody else has it for himself, with TIOCEXCL
}

// port is a serial port: a pseudo-terminal, so that whoever gets its descriptor has a terminal of the kernel below. What a pseudo-terminal does not have is modelled after
// drivers/tty/serial/serial_core.c and drivers/tty/tty_io.c.
type port struct {
	Port
	master *os.File // nil while nobody has it open
	bits   int32    // modem lines that are set from here
	cflag  uint32   // what was set last: a pseudo-terminal has characters of eight bits alone
	rs485  uapi.SerialRS485
	breaks int
	open   int // descriptors of this kernel
	count  atomic.Int32
	broken bool // a break is being sent
	gone   bool
}

// AddPort adds a serial port.
func (k *Kernel) AddPort(p Port) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := k.newDevice(or(p.Under, OnPlatform), "/sys/class/tty", p.Name, func() { k.AddPort(p) })
	switch {
	case p.Number != "":
		adapter := path.Dir(path.Dir(k.devices[p.Name].paths[0]))
		k.mkdir(adapter).add("port_number", constant(p.Number))
	case p.Unwired:
		n.add("type", constant("0")) // PORT_UNKNOWN
	default:
		n.add("type", constant("4")) // PORT_16550A
	}
	d := &port{Port: p}
	if p.Inverse {
		d.rs485 = uapi.SerialRS485{Flags: uapi.SerialRS485RTSAfterSend, DelayRTSAfterSend: 5}
	}
	k.ports[p.Name] = d
	k.devices[p.Name].unplugged = d.hangUp
	k.addNode(p.Name, "/dev/"+p.Name, func(flags int) (file, error) { return d.openFile(flags) })
	k.appear(p.Name)
}

func (d *port) openFile(flags int) (file, error) {
	if d.Exclusive {
		return nil, unix.EBUSY
	}
	if d.master == nil {
		if err := d.connect(); err != nil {
			return nil, err
		}
	}
	raw, err := d.master.SyscallConn()
	if err != nil {
		return nil, unix.EIO
	}
	fd, errno := -1, unix.Errno(0)
	err = raw.Control(func(master uintptr) {
		n, _, e := unix.Syscall(unix.SYS_IOCTL, master, unix.TIOCGPTPEER, uintptr(unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|flags&unix.O_NONBLOCK))
		fd, errno = int(n), e
	})
	if err != nil || errno != 0 {
		return nil, unix.EIO
	}
	if d.open++; d.open == 1 {
		go d.loop(d.master)
	}
	d.bits |= unix.TIOCM_DTR | unix.TIOCM_RTS // as tty_port_raise_dtr_rts does it
	return &portFile{port: d, fd: fd}, nil
}

// connect makes the pseudo-terminal.
func (d *port) connect() error {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		unix.Close(fd)
		return err
	}
	d.master = os.NewFile(uintptr(fd), "ptmx")
	return nil
}

// loop gives back what comes, until the master is closed.
func (d *port) loop(master *os.File) {
	buf := make([]byte, 4096)
	for {
		n, err := master.Read(buf)
		if err != nil {
			return
		}
		d.count.Add(int32(n))
		if _, err := master.Write(buf[:n]); err != nil {
			return
		}
	}
}

// portFile is one open descriptor of a port.
type portFile struct {
	port *port
	fd   int
}

func (f *portFile) descriptor() int                      { return f.fd }
func (f *portFile) passes() bool                         { return true }
func (f *portFile) pread(p []byte, _ int64) (int, error) { return unix.Read(f.fd, p) }
func (f *portFile) pwrite(p []byte) (int, error)         { return unix.Write(f.fd, p) }

// hangUp is what an unplugged terminal's descriptors get: no more data, and EIO.
func (d *port) hangUp() {
	d.gone = true
	_ = d.master.Close()
}

// close ends the port with its last descriptor of this kernel. Other than a real port's, a descriptor that was passed is hung up by that.
func (f *portFile) close() {
	d := f.port
	if d.open--; d.open == 0 {
		_ = d.master.Close() // which ends the loop
		d.master, d.bits, d.cflag, d.broken = nil, 0, 0, false
	}
}

func (f *portFile) ioctl(request uint, argument unsafe.Pointer) error {
	d := f.port
	if d.gone {
		return unix.EIO // hung_up_tty_ioctl
	}
	lines := (*int32)(argument)
	switch request {
	case unix.TCSETS2:
		return f.setUp((*unix.Termios)(argument))
	case unix.TCGETS2:
		err := f.real(request, argument)
		if d.cflag != 0 {
			(*unix.Termios)(argument).Cflag = d.cflag
		}
		return err
	case unix.TIOCMGET, unix.TIOCMBIS, unix.TIOCMBIC:
		if d.NoLines {
			return unix.ENOTTY
		}
		d.modem(request, lines)
		return nil
	case unix.TIOCGRS485, unix.TIOCSRS485:
		return d.switching(request, (*uapi.SerialRS485)(argument))
	case unix.TIOCSBRK:
		d.broken = true
		d.breaks++
		return nil
	case unix.TIOCCBRK:
		d.broken = false
		return nil
	case unix.TIOCGICOUNT:
		n := d.count.Load()
		*(*uapi.SerialCounters)(argument) = uapi.SerialCounters{RX: n, TX: n}
		return nil
	}
	return f.real(request, argument)
}

// take makes a request with a number.
func (f *portFile) take(request uint, argument int) error {
	if f.port.gone {
		return unix.EIO
	}
	return unix.IoctlSetInt(f.fd, request, argument)
}

// real asks the kernel below.
func (f *portFile) real(request uint, argument unsafe.Pointer) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(f.fd), uintptr(request), uintptr(argument))
	if errno != 0 {
		return errno
	}
	return nil
}

// setUp takes the settings as far as the hardware can do them.
func (f *portFile) setUp(t *unix.Termios) error {
	if limit := f.port.MaxBaud; limit > 0 && t.Ospeed > limit {
		t.Ispeed, t.Ospeed = limit, limit
	}
	f.port.cflag = t.Cflag
	return f.real(unix.TCSETS2, unsafe.Pointer(t))
}

// switching reads or changes how the line is switched. Every port of serial_core can be asked, whether its driver can do it or not, and forgets all about it when it is switched off.
func (d *port) switching(request uint, r *uapi.SerialRS485) error {
	switch {
	case d.Number != "" || request == unix.TIOCSRS485 && !d.RS485:
		return unix.ENOTTY
	case request == unix.TIOCGRS485:
	case r.Flags&uapi.SerialRS485Enabled == 0:
		d.rs485 = uapi.SerialRS485{}
	default:
		d.rs485 = *r
	}
	*r = d.rs485
	return nil
}

// Switching is how a port switches a line of RS-485.
func (k *Kernel) Switching(port string) uapi.SerialRS485 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ports[port].rs485
}

// modem reads or changes the lines: what is sent comes back, and so do the outputs.
func (d *port) modem(request uint, lines *int32) {
	const outputs = unix.TIOCM_DTR | unix.TIOCM_RTS
	switch request {
	case unix.TIOCMBIS:
		d.bits |= *lines & outputs
	case unix.TIOCMBIC:
		d.bits &^= *lines & outputs
	default:
		*lines = d.bits
		if d.bits&unix.TIOCM_RTS != 0 {
			*lines |= unix.TIOCM_CTS
		}
		if d.bits&unix.TIOCM_DTR != 0 {
			*lines |= unix.TIOCM_DSR | unix.TIOCM_CD
		}
	}
}

// Breaking tells whether a break is being sent, and how many there were.
func (k *Kernel) Breaking(port string) (now bool, breaks int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ports[port].broken, k.ports[port].breaks
}
