// Package serial is the class Serial: serial ports, the terminals of /sys/class/tty that have hardware behind them.
//
// A port belongs to one connection at a time, which gets a descriptor of it, set up and in raw mode. What is done with the port's lines goes through the daemon, which keeps a descriptor of its own
// meanwhile, so that nobody needs a grant to open the node. Nothing is opened to look at it: opening a port raises its lines, and may reset what is connected.
//
// Opening, closing and setting a port may wait for its hardware, for up to 30 s where output has to drain: so each port has a worker of its own.
//
// The Go libraries for serial ports (go.bug.st/serial, tarm/serial) open ports by themselves and give no descriptor away; the few requests that are needed are in golang.org/x/sys/unix.
//
// Source: Linux Documentation/driver-api/serial/, include/uapi/asm-generic/termbits.h and include/uapi/linux/serial.h.
package serial

import (
	"errors"
	"path"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
	"github.com/halberd-io/halberd/hal/uapi"
)

const (
	class  = "Serial"
	folder = "/sys/class/tty"

	byLease = "lease" // what makes a port busy that somebody has
)

// Port is one serial port.
type Port struct {
	id     string
	entry  string // in /sys/class/tty
	inode  uint64 // of the folder that it leads to
	name   string // of its node in /dev: ttyAMA0
	place  string // what it is called without board.toml
	revoke bool
	env    *hal.Env

	lease *lease // nil while nobody has the port; the loop's goroutine alone knows
	ended bool   // the port is gone, or the class closed

	guard     hal.Guard        // of what follows
	fd        int              // -1 while nobody has the port
	breaking  bool             // a break is being sent
	described uapi.SerialRS485 // how the board's description has RTS switch a driver; zero where that was not seen
}

// ID is the name in board.toml, else the kernel's name for the port, or for the place where it is plugged in.
func (p *Port) ID() string { return p.id }

// Bus names the port's own worker.
func (p *Port) Bus() string { return p.name }

// Declaration is the port's table in board.toml.
func (p *Port) Declaration() string {
	return hal.Declaration("serial", p.id, hal.TextKey("name", p.place))
}

// newPort makes a port. Its node stays closed.
func newPort(env *hal.Env, id string, at sysfs.Place, e *hal.Entry) (*Port, error) {
	inode, err := env.Kernel.Inode(at.Path)
	if err != nil {
		return nil, err
	}
	p := &Port{id: id, entry: at.Path, inode: inode, name: path.Base(at.Path), place: at.Name, env: env, fd: -1}
	if e != nil {
		p.revoke = e.Value.(*entry).Revoke.Value
	}
	return p, nil
}

// Start has nothing to do: nobody has the port yet.
func (p *Port) Start(bool) {}

// Unplug lets go of a port that is gone.
func (p *Port) Unplug() { p.Close() }

// Close lets go of the port. Whoever has its descriptor keeps that.
func (p *Port) Close() {
	p.ended = true
	if p.lease != nil {
		p.lease.forget()
		p.lease.noted.Return()
		p.lease = nil
	}
	p.guard.Close(p.name, func() { p.closeFD() })
}

func (p *Port) closeFD() {
	if p.fd >= 0 {
		_ = p.setBreak(false) // which would last as long as the holder keeps its descriptor
		_ = p.env.Kernel.Close(p.fd)
		p.fd = -1
	}
}

// lease is who has the port.
type lease struct {
	holder hal.Holder
	stop   func() // of the wait for the holder's end
	over   bool
	ended  []func() // who waits until the next one may have the port
	noted  *hal.Lease
}

// forget does not wait for the holder's end any more.
func (l *lease) forget() {
	l.over = true
	if l.stop != nil {
		l.stop()
	}
}

// open gives the port to a holder, on the port's worker, and answers on the loop.
func (p *Port) open(h hal.Holder, s *settings, out *hal.File, done func(error)) {
	switch {
	case p.ended:
		done(hal.GoneDevice(class, p.id))
		return
	case p.lease != nil && (p.lease.holder != h || p.lease.over):
		done(hal.BusyDevice(class, p.id, byLease))
		return
	}
	l, fresh := p.lease, p.lease == nil
	if fresh {
		l = &lease{holder: h}
		p.lease = l
		l.stop = h.Ended(func() { p.end(l) })
	}
	answer := p.within(l, done)
	passed, err := -1, error(nil)
	full := p.env.Loop.Submit(p.name, func() { passed, err = p.openNode(s) }, func() {
		switch {
		case l.over && err == nil: // its holder is gone, or the port, or it took too long
			hal.CloseFiles([]int{passed})
			err = hal.GoneDevice(class, p.id)
		case err != nil:
			p.free(l)
		default:
			if l.noted == nil {
				l.noted = p.env.Leases.Begin(class, p, h)
			}
			out.FD = passed
		}
		answer(p.refuse(err))
	})
	if full != nil {
		if fresh {
			p.free(l)
		}
		answer(hal.BusyDevice(class, p.id, ""))
	}
}

// within makes a done that answers in time. Whoever was told that it takes too long does not have the port.
func (p *Port) within(l *lease, done func(error)) func(error) {
	late := hal.SlowDevice(class, p.id)
	return hal.Within(p.env.Loop, hal.Patience, late, func(err error) {
		if err == error(late) && !l.over {
			l.forget()
			p.end(l)
		}
		done(err)
	})
}

// free lets the next one have the port.
func (p *Port) free(l *lease) {
	l.forget()
	l.noted.Return()
	if p.lease == l {
		p.lease = nil
	}
	for _, f := range l.ended {
		f()
	}
	l.ended = nil
}

// end closes the port when its holder has ended. The next one may have it once that is done.
func (p *Port) end(l *lease) {
	if p.lease != l {
		p.free(l) // it had to wait, and was over by itself meanwhile: what is open now is somebody else's
		return
	}
	l.over = true
	l.noted.End()
	if p.env.Loop.Submit(p.name, p.closeNode, func() { p.free(l) }) != nil {
		p.env.Loop.After(retry, func() { p.end(l) })
	}
}

var _ hal.Lessor = (*Port)(nil)

// EndLease ends the lease of the port. Its descriptor goes on to work unless board.toml says revoke = true.
func (p *Port) EndLease(h hal.Holder, done func()) bool {
	l := p.lease
	if l == nil || h != nil && l.holder != h {
		return false
	}
	l.ended = append(l.ended, done)
	if !l.over {
		l.forget()
		p.end(l)
	}
	return true
}

// refuse turns an error into the refusal that the contract has for it.
func (p *Port) refuse(err error) error {
	if errors.Is(err, unix.EOPNOTSUPP) {
		return &hal.NotSupported{Feature: "lease"}
	}
	return hal.Refuse(class, p.id, err)
}
