package serial

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
	"github.com/halberd-io/halberd/hal/uapi"
)

// What is done with a port's node, on its worker.

// retry is how long a port waits whose worker has too much to do.
const retry = 10 * time.Millisecond

// settings are how a port is set up.
type settings struct {
	baud, bits, stop int64
	parity, flow     string
	rs485            bool
}

// openNode opens the port, sets it up and gives a descriptor for its holder.
//
// A port is opened twice: without waiting first, since an open that waits may wait for a carrier for ever; and once it is set up to need none, again for the holder, whose descriptor is an ordinary one that waits. It never
// becomes a controlling terminal.
func (p *Port) openNode(s *settings) (passed int, err error) {
	passed = -1
	err = p.guard.Do(func() error {
		p.leave()
		fd, err := p.node(unix.O_NONBLOCK)
		if err != nil {
			return err
		}
		defer p.env.Kernel.Close(fd)
		if err := p.isFree(fd); err != nil {
			return err
		}
		if err := p.setUp(fd, s); err != nil {
			return err
		}
		if p.fd, err = p.node(0); err != nil {
			return err
		}
		if err = p.control(p.fd, unix.TIOCEXCL, nil); err == nil {
			passed, err = p.env.Kernel.Pass(p.fd)
		}
		if err != nil {
			p.closeFD()
		}
		return err
	})
	return passed, err
}

// leave closes the daemon's descriptor, so that the same holder can have the port set up anew.
func (p *Port) leave() {
	if p.fd >= 0 {
		_ = p.control(p.fd, unix.TIOCNXCL, nil) // or the open that follows fails, and says so
		p.closeFD()
	}
}

// isFree expects that nobody has the port for himself. The kernel refuses to open such a one, but not to whom has CAP_SYS_ADMIN. It knows nothing of others that have the port open as well.
func (p *Port) isFree(fd int) error {
	var exclusive int32
	if err := p.control(fd, unix.TIOCGEXCL, unsafe.Pointer(&exclusive)); err != nil || exclusive == 0 {
		return err
	}
	return unix.EBUSY
}

// node opens the port's node, which is gone with the port. Another one may have come under its name, which is not opened if it can be helped: that would raise its lines.
func (p *Port) node(flags int) (fd int, err error) {
	if err := p.there(); err != nil {
		return -1, err
	}
	fd, err = p.env.Kernel.Open("/dev/"+p.name, unix.O_RDWR|unix.O_NOCTTY|flags)
	switch {
	case err == unix.ENOENT, err == unix.ENXIO:
		return -1, unix.ENODEV
	case err != nil:
		return -1, err
	}
	if err := p.there(); err != nil {
		_ = p.env.Kernel.Close(fd)
		return -1, err
	}
	return fd, nil
}

// there is ENODEV for a port that is gone.
func (p *Port) there() error { return sysfs.There(p.env.Kernel, p.entry, p.inode) }

// closeNode closes the daemon's descriptor. The holder's is hung up where board.toml says so, and works on otherwise.
func (p *Port) closeNode() {
	err := p.guard.Do(func() error {
		if p.fd < 0 {
			return nil
		}
		defer p.closeFD()
		_ = p.setBreak(false)
		if err := p.control(p.fd, unix.TIOCNXCL, nil); err != nil || !p.revoke {
			return err
		}
		return p.control(p.fd, unix.TIOCVHANGUP, nil)
	})
	if err != nil {
		p.env.Log.Warn("cannot end a lease of a serial port", "port", p.id, "revoke", p.revoke, "err", err)
	}
}

// nothing is the argument of a request that takes none.
var nothing int32

func (p *Port) control(fd int, request uint, argument unsafe.Pointer) error {
	if argument == nil {
		argument = unsafe.Pointer(&nothing)
	}
	return p.env.Kernel.Ioctl(fd, request, argument)
}

var sizes = map[int64]uint32{5: unix.CS5, 6: unix.CS6, 7: unix.CS7, 8: unix.CS8}

var parities = map[string]uint32{
	"none": 0, "even": unix.PARENB, "odd": unix.PARENB | unix.PARODD,
	"space": unix.PARENB | unix.CMSPAR, "mark": unix.PARENB | unix.PARODD | unix.CMSPAR,
}

// compared are the bits of the control flags that the hardware may not be able to do.
var compared = []struct {
	bits    uint32
	feature string
}{
	{unix.CSIZE, "bits"}, {unix.CSTOPB, "stop"}, {unix.PARENB | unix.PARODD | unix.CMSPAR, "parity"}, {unix.CRTSCTS, "flow"},
}

// termios is what the settings are for the kernel: raw, without a need of a carrier, and with lines that drop when the last one lets go.
func (s *settings) termios() unix.Termios {
	t := unix.Termios{Cflag: unix.BOTHER | unix.CLOCAL | unix.CREAD | unix.HUPCL | sizes[s.bits] | parities[s.parity], Ispeed: uint32(s.baud), Ospeed: uint32(s.baud)}
	t.Cc[unix.VMIN] = 1
	if s.stop == 2 {
		t.Cflag |= unix.CSTOPB
	}
	switch s.flow {
	case "rts_cts":
		t.Cflag |= unix.CRTSCTS
	case "xon_xoff":
		t.Iflag |= unix.IXON | unix.IXOFF
		t.Cc[unix.VSTART], t.Cc[unix.VSTOP] = 'Q'&0x1f, 'S'&0x1f
	}
	return t
}

// setUp sets the port up, and refuses what the hardware did not take: a driver changes what it cannot do, and says so only to who reads it back.
func (p *Port) setUp(fd int, s *settings) error {
	want, got := s.termios(), unix.Termios{}
	if err := p.control(fd, unix.TCSETS2, unsafe.Pointer(&want)); err != nil {
		return err
	}
	if err := p.control(fd, unix.TCGETS2, unsafe.Pointer(&got)); err != nil {
		return err
	}
	for _, c := range compared {
		if want.Cflag&c.bits != got.Cflag&c.bits {
			return &hal.NotSupported{Feature: c.feature}
		}
	}
	if off := int64(got.Ospeed) - s.baud; off*100 > 3*s.baud || off*100 < -3*s.baud {
		return &hal.NotSupported{Feature: "baud"}
	}
	if err := p.setRS485(fd, s.rs485); err != nil {
		return err
	}
	return p.env.Kernel.IoctlInt(fd, unix.TCFLSH, unix.TCIFLUSH) // what is not read yet was for somebody else
}

// setRS485 switches the driver's line by RTS. Where that is off and was never on, nothing is asked of the driver, which answers a request with what it made of it. A port whose driver cannot do it may
// be asked all the same.
func (p *Port) setRS485(fd int, on bool) error {
	var r uapi.SerialRS485
	err := p.control(fd, unix.TIOCGRS485, unsafe.Pointer(&r))
	switch {
	case err == unix.ENOTTY && !on:
		return nil
	case err == nil && on == (r.Flags&uapi.SerialRS485Enabled != 0):
		return nil
	case err == nil:
		r = p.switched(r, on)
		err = p.control(fd, unix.TIOCSRS485, unsafe.Pointer(&r))
	}
	if err == unix.ENOTTY || err == nil && on != (r.Flags&uapi.SerialRS485Enabled != 0) {
		return &hal.NotSupported{Feature: "rs485"}
	}
	return err
}

// switched is what switches the line on or off, as the board's description has it: which level of RTS lets the port send, and for how long before and after. The kernel forgets that when it is switched off.
func (p *Port) switched(now uapi.SerialRS485, on bool) uapi.SerialRS485 {
	if now.Flags != 0 {
		p.described = now
	}
	if !on {
		return uapi.SerialRS485{}
	}
	next := p.described
	if next.Flags&(uapi.SerialRS485RTSOnSend|uapi.SerialRS485RTSAfterSend) == 0 {
		next.Flags |= uapi.SerialRS485RTSOnSend
	}
	next.Flags |= uapi.SerialRS485Enabled
	return next
}

// setBreak begins or ends a break. Ending none does nothing.
func (p *Port) setBreak(on bool) error {
	request := uint(unix.TIOCCBRK)
	switch {
	case on && p.breaking:
		return unix.EBUSY
	case on:
		request = unix.TIOCSBRK
	case !p.breaking:
		return nil
	}
	err := p.control(p.fd, request, nil)
	p.breaking = on && err == nil
	return err
}

// held does something with the port's descriptor while somebody has the port. feature is what a driver does not have that does not know the request.
func (p *Port) held(feature string, do func(fd int) error) error {
	err := p.guard.Do(func() error {
		if p.fd < 0 {
			return &hal.NotSupported{Feature: "closed"}
		}
		return do(p.fd)
	})
	switch {
	case err == unix.ENOTTY || err == unix.EINVAL:
		return &hal.NotSupported{Feature: feature}
	case err == unix.EIO && p.there() == unix.ENODEV: // the kernel hangs up a terminal that is unplugged
		err = unix.ENODEV
	}
	return hal.Refuse(class, p.id, err)
}
