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
	f.Text("name", &e.Name, "The kernel's name for the port, in /dev, as ttyAMA0, or for a device that it is a part of, as 1-1.2:1.0 for what is plugged in there: the number of a port at USB depends on what was plugged in before.")
	f.OptBool("revoke", &e.Revoke, "Whether the port is hung up when its lease ends, so that the descriptor is of no more use. That needs CAP_SYS_ADMIN. false by default.")
}

// Place is the port that the entry is about.
func (e *entry) Place() string { return e.Name }

// Check finds what contradicts itself.
func (e *entry) Check() error { return sysfs.CheckName(e.Name) }

// Open finds the ports, and opens none of them.
func Open(env *hal.Env) (*hal.Class, error) {
	r := newRoster(env)
	return r.Class(&hal.Class{
		Name: class, Doc: "Serial ports.", Methods: methods(r.Set),
		Subsystems: []string{"tty"}, Capabilities: needs(env.Entries),
	})
}

// needs is CAP_SYS_ADMIN where a port is to be hung up.
func needs(entries []hal.Entry) []int {
	for i := range entries {
		if entries[i].Value.(*entry).Revoke.Value {
			return []int{unix.CAP_SYS_ADMIN}
		}
	}
	return nil
}

const (
	leased = "NotSupported{closed} while nobody has the port open: opening it only to look would change its lines. "
	mine   = "Busy for anybody but who has the port. "
)

func methods(ports *hal.Set[*Port]) []*hal.Method {
	return []*hal.Method{
		hal.OnLater(ports, hal.Configure, "Open", "Sets a port up, in raw mode, and hands it over: a descriptor for reading and writing, which waits (O_NONBLOCK is off), and of a terminal that is nobody's controlling one. "+
			"Opening raises DTR and RTS, needs no carrier, and drops them again when the last descriptor is closed. What was received before is discarded. It blocks as long as the driver does, as where output of one before still has to drain; Timeout after 5 s.\n"+
			"Busy while somebody else has the port. Who has it may open it anew, with other settings, and then has two descriptors of one port. It is the caller's until its connection ends, or Board.Release; then the next one may have it. "+
			"The descriptor goes on to work after that, unless board.toml says revoke = true, which hangs it up.\n"+
			"NotSupported with the name of the parameter that the hardware did not take: baud (more than 3 % off), bits, parity, stop, flow, rs485. After a refusal nobody has the port, and its settings may be new ones.", (*Port).openCall),
		hal.On(ports, hal.Observe, "GetLines", "Reads the lines of a port that is open. "+leased+"NotSupported{lines} where the driver has none.", (*Port).getLines),
		hal.OnLater(ports, hal.Control, "SetLines", "Sets lines of a port that the caller has open; one that is left out stays as it is. Those that drop do so first, and where the second step fails the others are as they were. "+
			mine+leased+"NotSupported{lines} where the driver has none.", (*Port).setLines),
		hal.OnLater(ports, hal.Control, "Break", "Sends a break on a port that the caller has open, and answers at its end. It ends whatever happens to its caller. "+
			"Busy while one is being sent. "+mine+leased+"NotSupported{break} where the driver cannot.", (*Port).breakCall),
		hal.On(ports, hal.Observe, "Counters", "Reads what a port that is open has counted since its driver was loaded. Each count begins anew after 4294967295. "+leased+"NotSupported{counters} where the driver has none.", (*Port).counters),
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
	return p.held("lines", func(fd int) error {
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
		done(hal.BusyDevice(class, p.id, byLease))
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
		return p.held("lines", func(fd int) error {
			if err := p.control(fd, unix.TIOCMBIC, unsafe.Pointer(&off)); err != nil {
				return err
			}
			return p.control(fd, unix.TIOCMBIS, unsafe.Pointer(&on))
		})
	}, p.soon(0, done))
}

// soon makes a done that answers in time, which is so long and as much as the worker may need.
func (p *Port) soon(lasting time.Duration, done func(error)) func(error) {
	return hal.Within(p.env.Loop, lasting+hal.Patience, hal.SlowDevice(class, p.id), done)
}

type breakIn struct{ duration int64 }

func (b *breakIn) Fields(f *hal.Fields) {
	f.IntIn("durationMSec", &b.duration, 1, 2000, hal.Milliseconds, "How long it lasts, at least.")
}

func (p *Port) breakCall(h hal.Holder, in *breakIn, _ *hal.None, done func(error)) {
	lasting, l := time.Duration(in.duration)*time.Millisecond, p.lease
	done = p.soon(lasting, done)
	p.mine(h, p.breaks(true), func(err error) {
		if err != nil {
			done(err)
			return
		}
		p.env.Loop.After(lasting, func() { p.endBreak(l, done) })
	})
}

// endBreak ends a break, as soon as the port's worker has room. Where the lease is over, so is the break.
func (p *Port) endBreak(l *lease, done func(error)) {
	var err error
	switch {
	case p.lease != l:
		done(hal.GoneDevice(class, p.id))
	case p.env.Loop.Submit(p.name, func() { err = p.breaks(false)() }, func() { done(err) }) != nil:
		p.env.Loop.After(retry, func() { p.endBreak(l, done) })
	}
}

// breaks is the job that begins or ends a break.
func (p *Port) breaks(on bool) func() error {
	return func() error {
		return p.held("break", func(int) error { return p.setBreak(on) })
	}
}

// counted is what a port has counted.
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
	return p.held("counters", func(fd int) error {
		c := new(uapi.SerialCounters)
		err := p.control(fd, unix.TIOCGICOUNT, unsafe.Pointer(c))
		*out = counted{
			count(c.RX), count(c.TX), count(c.Frame), count(c.Overrun), count(c.Parity), count(c.Brk), count(c.BufOverrun),
			count(c.CTS), count(c.DSR), count(c.DCD), count(c.RNG),
		}
		return err
	})
}

// count is one of the kernel's, which has no sign.
func count(n int32) int64 { return int64(uint32(n)) }
