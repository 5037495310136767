package serial

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
	"github.com/halberd-io/halberd/hal/uapi"
)

// Driver joins the class to the board.
func Driver() hal.Driver {
	return hal.Driver{
		Class:  class,
		Tables: []hal.Table{hal.NewTable[entry]("serial", "A serial port.")},
		Open:   Open,
	}
}

// entry is a [serial.ID] of board.toml.
type entry struct {
	Name   string
	Revoke hal.Opt[bool]
}

func (e *entry) Fields(f *hal.Fields) {
	f.Text("name", &e.Name, "The kernel's name for the port, in /dev: ttyAMA0.")
	f.OptBool("revoke", &e.Revoke, "Whether the port is hung up when its lease ends, so that the descriptor is of no more use. That needs CAP_SYS_ADMIN. false by default.")
}

// Place is the port that the entry is about.
func (e *entry) Place() string { return e.Name }

// Check finds what contradicts itself.
func (e *entry) Check() error { return sysfs.CheckName(e.Name) }

// Open finds the ports, and opens none of them.
func Open(env *hal.Env) (*hal.Class, error) {
	r := newRoster(env)
	if err := r.Begin(); err != nil {
		return nil, err
	}
	return &hal.Class{
		Name: class, Doc: "Serial ports.", Methods: methods(r.Set), Devices: r.Set, Close: r.Close,
		Subsystems: []string{"tty"}, Rescan: r.Rescan,
	}, nil
}

const leased = "NotSupported{closed} while nobody has the port open: opening it only to look would change its lines. NotSupported{lines} where the driver has none."

func methods(ports *hal.Set[*Port]) []*hal.Method {
	return []*hal.Method{
		hal.OnLater(ports, hal.Configure, "Open", "Sets a port up, in raw mode, and hands it over: a descriptor of the port, which waits when it is read. Busy while somebody else has it; who has it may open it anew, with other settings. "+
			"It is the caller's until its connection ends; then the next one may have the port. The descriptor goes on to work after that, unless board.toml says revoke = true, which hangs it up.\n"+
			"NotSupported with the name of the parameter that the hardware did not take: baud (more than 3 % off), bits, parity, stop, flow, rs485.", (*Port).openCall),
		hal.On(ports, hal.Observe, "GetLines", "Reads the lines of a port that is open. "+leased, (*Port).getLines),
		hal.OnLater(ports, hal.Control, "SetLines", "Sets lines of a port that the caller has open; one that is left out stays as it is. Busy for anybody else. "+leased, (*Port).setLines),
		hal.OnLater(ports, hal.Control, "Break", "Sends a break on a port that the caller has open, and answers at its end. Busy for anybody else. The break ends whatever happens to its caller. "+leased, (*Port).breakCall),
		hal.On(ports, hal.Observe, "Counters", "Reads what a port that is open has counted since the start. "+leased, (*Port).counters),
	}
}

type openIn struct {
	baud         int64
	bits, stop   hal.Opt[int64]
	parity, flow hal.Opt[string]
	rs485        hal.Opt[bool]
}

func (p *openIn) Fields(f *hal.Fields) {
	f.IntIn("baud", &p.baud, 50, 12_000_000, hal.Unitless, "Bits per second. The hardware takes the nearest that it can do.")
	f.OptIntIn("bits", &p.bits, 5, 8, hal.Unitless, "Bits of a character. 8 where left out.")
	f.OptEnum("parity", &p.parity, []string{"none", "even", "odd", "mark", "space"}, "The parity bit. none where left out.")
	f.OptIntIn("stop", &p.stop, 1, 2, hal.Unitless, "Stop bits. 1 where left out.")
	f.OptEnum("flow", &p.flow, []string{"none", "rts_cts", "xon_xoff"}, "Flow control. none where left out.")
	f.OptBool("rs485", &p.rs485, "Whether RTS switches a driver of RS-485. false where left out.")
}

type openOut struct{ File hal.File }

func (p *openOut) Fields(f *hal.Fields) {
	f.File("fileDescriptor", &p.File, "The port.")
}

func (p *Port) openCall(h hal.Holder, in *openIn, out *openOut, done func(error)) {
	p.open(h, &settings{in.baud, in.bits.Or(8), in.stop.Or(1), in.parity.Or("none"), in.flow.Or("none"), in.rs485.Value}, &out.File, done)
}

// lines are the lines of a port, each with its bit.
type lines struct{ dtr, rts, cts, dsr, cd, ri bool }

func (l *lines) Fields(f *hal.Fields) {
	f.Bool("dtr", &l.dtr, "Data terminal ready: an output.")
	f.Bool("rts", &l.rts, "Request to send: an output.")
	f.Bool("cts", &l.cts, "Clear to send.")
	f.Bool("dsr", &l.dsr, "Data set ready.")
	f.Bool("cd", &l.cd, "Carrier detect.")
	f.Bool("ri", &l.ri, "Ring indicator.")
}

func (p *Port) getLines(_ *hal.None, out *lines) error {
	return p.held(func(fd int) error {
		var bits int32
		err := p.control(fd, unix.TIOCMGET, unsafe.Pointer(&bits))
		has := func(bit int32) bool { return bits&bit != 0 }
		*out = lines{has(unix.TIOCM_DTR), has(unix.TIOCM_RTS), has(unix.TIOCM_CTS), has(unix.TIOCM_DSR), has(unix.TIOCM_CD), has(unix.TIOCM_RI)}
		return err
	})
}

type outputs struct{ dtr, rts hal.Opt[bool] }

func (l *outputs) Fields(f *hal.Fields) {
	f.OptBool("dtr", &l.dtr, "Data terminal ready.")
	f.OptBool("rts", &l.rts, "Request to send; with flow control by it, the driver's.")
}

// mine runs a job on the port's worker for who has the port, and then answers.
func (p *Port) mine(h hal.Holder, job func() error, done func(error)) {
	if p.lease != nil && p.lease.holder != h {
		done(hal.BusyDevice(class, p.id, ""))
		return
	}
	var err error
	if p.env.Loop.Submit(p.name, func() { err = job() }, func() { done(err) }) != nil {
		done(hal.BusyDevice(class, p.id, ""))
	}
}

func (p *Port) setLines(h hal.Holder, in *outputs, _ *hal.None, done func(error)) {
	var on, off int32
	for bit, v := range map[int32]hal.Opt[bool]{unix.TIOCM_DTR: in.dtr, unix.TIOCM_RTS: in.rts} {
		switch {
		case v.Set && v.Value:
			on |= bit
		case v.Set:
			off |= bit
		}
	}
	p.mine(h, func() error {
		return p.held(func(fd int) error {
			if err := p.control(fd, unix.TIOCMBIC, unsafe.Pointer(&off)); err != nil {
				return err
			}
			return p.control(fd, unix.TIOCMBIS, unsafe.Pointer(&on))
		})
	}, done)
}

type breakIn struct{ duration int64 }

func (b *breakIn) Fields(f *hal.Fields) {
	f.IntIn("durationMSec", &b.duration, 1, 2000, hal.Milliseconds, "How long it lasts, at least.")
}

func (p *Port) breakCall(h hal.Holder, in *breakIn, _ *hal.None, done func(error)) {
	lasting := time.Duration(in.duration) * time.Millisecond
	p.mine(h, p.request(unix.TIOCSBRK), func(err error) {
		if err != nil {
			done(err)
			return
		}
		p.env.Loop.After(lasting, func() { p.endBreak(done) })
	})
}

// endBreak ends a break, as soon as the port's worker has room.
func (p *Port) endBreak(done func(error)) {
	var err error
	if p.env.Loop.Submit(p.name, func() { err = p.request(unix.TIOCCBRK)() }, func() { done(err) }) != nil {
		p.env.Loop.After(retry, func() { p.endBreak(done) })
	}
}

// request is one without an argument.
func (p *Port) request(number uint) func() error {
	return func() error {
		return p.held(func(fd int) error { return p.control(fd, number, nil) })
	}
}

type counted struct{ rx, tx, frame, overrun, parity, breaks, bufferOverrun, cts, dsr, cd, ri int64 }

func (c *counted) Fields(f *hal.Fields) {
	f.Int("received", &c.rx, hal.Unitless, "Characters.")
	f.Int("sent", &c.tx, hal.Unitless, "Characters.")
	f.Int("frameErrors", &c.frame, hal.Unitless, "Characters without a stop bit.")
	f.Int("parityErrors", &c.parity, hal.Unitless, "Characters with a wrong parity bit.")
	f.Int("overruns", &c.overrun, hal.Unitless, "Characters that the hardware lost.")
	f.Int("bufferOverruns", &c.bufferOverrun, hal.Unitless, "Characters that nobody read in time.")
	f.Int("breaks", &c.breaks, hal.Unitless, "Breaks that were received.")
	f.Int("ctsChanges", &c.cts, hal.Unitless, "Changes of clear to send.")
	f.Int("dsrChanges", &c.dsr, hal.Unitless, "Changes of data set ready.")
	f.Int("cdChanges", &c.cd, hal.Unitless, "Changes of carrier detect.")
	f.Int("riChanges", &c.ri, hal.Unitless, "Changes of the ring indicator.")
}

func (p *Port) counters(_ *hal.None, out *counted) error {
	return p.held(func(fd int) error {
		c := new(uapi.SerialCounters)
		err := p.control(fd, unix.TIOCGICOUNT, unsafe.Pointer(c))
		*out = counted{
			int64(c.RX), int64(c.TX), int64(c.Frame), int64(c.Overrun), int64(c.Parity), int64(c.Brk), int64(c.BufOverrun),
			int64(c.CTS), int64(c.DSR), int64(c.DCD), int64(c.RNG),
		}
		return err
	})
}
