package i2c

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/uapi"
)

// Driver joins the class to the board.
func Driver() hal.Driver { return hal.Driver{Class: class, Tables: tables(), Open: Open} }

// Open finds the adapters, and the chips that board.toml has on them.
func Open(env *hal.Env) (*hal.Class, error) {
	b := newBoard(env)
	if err := b.begin(); err != nil {
		return nil, err
	}
	return &hal.Class{
		Name: class, Doc: "I2C buses, and chips on them. Bytes are base64.", Methods: methods(b.buses.Set, b.chips.Set),
		Devices: inventory{b.buses.Set, b.chips.Set}, Close: b.close, Subsystems: []string{"i2c-dev"}, Rescan: b.rescan,
	}, nil
}

const (
	slow = "It waits for the bus: Timeout after 5 s, and what had begun may be carried out all the same."
	nack = "io.systemd.System with ENXIO, or with what the adapter's driver has instead (EREMOTEIO, EIO; ENODEV is answered as DeviceGone), where nothing acknowledges. Busy, with the driver, for an address that the kernel has bound one to."
)

func methods(buses *hal.Set[*Bus], chips *hal.Set[*Chip]) []*hal.Method {
	return []*hal.Method{
		hal.On(buses, hal.Hazard, "Transfer", "Makes one combined transfer: the messages in their order, a repeated start between two of them, and one stop at the end. No other transfer comes between.\n"+
			"An adapter of SMBus alone carries what is the same on the wires, if it has that kind of transfer: a read of 1 byte; a write of 1 byte (write byte), 2 (byte data), 3 (word data) or 4 to 33 (I2C block data); a write of 1 byte and then a read at the same address of 1 byte (byte data), 2 (word data) or 3 to 32 (I2C block data).\n"+
			"NotSupported{transfer} for all else, and where an adapter has limits of its own.\n"+
			"Where it fails half-way, the messages before that were carried out, and what had been read is lost. "+nack+"\n"+slow+"\n"+
			"It reaches every chip on the bus, also one that board.toml names and somebody has claimed: a claim on the bus keeps others from it. A grant may limit messages.address, messages.readLength (then every message has to read) and messages.write.length (then every message has to write).", (*Bus).transfer),
		hal.On(buses, hal.Hazard, "Probe", "Asks whether anything answers at an address: with a write of no bytes, at 0x30 to 0x37 and 0x50 to 0x5f by reading one byte. Some chips take either for a command.\n"+
			"NotSupported{transfer} where the adapter can do neither. Busy, with the driver, where the kernel has bound one to the address.\n"+slow, (*Bus).answers),
		hal.On(chips, hal.Observe, "Read", "Reads bytes from a register on, as many as the chip counts on by itself. OutOfRange beyond the registers that board.toml lets be read.\n"+
			"It is one transfer: a write of the register's number, a repeated start, and the read. An adapter of SMBus alone reads 32 bytes at a time, or register by register, and in between others may write.\n"+
			"NotSupported{transfer} where it cannot, as with numbers of 16 bits. "+nack+"\n"+slow+"\n"+
			"A grant's limits on register are for every register from the first on, one for each byte.", (*Chip).get),
		hal.On(chips, hal.Control, "Write", "Writes bytes from a register on, as many as the chip counts on by itself. OutOfRange beyond the registers that board.toml lets be written, or beyond the page; NotSupported{write} where it names none.\n"+
			"It is one transfer. An adapter of SMBus alone writes 32 bytes at a time, or register by register: where that fails half-way, the registers before are written. An EEPROM acknowledges nothing for some milliseconds after a write. "+nack+"\n"+slow+"\n"+
			"A grant's limits on register are for every register from the first on, one for each byte; data.length limits how many there are.", (*Chip).set),
	}
}

// maxRead is how many bytes a call can read in all, so that base64 fits the smallest reply.
const maxRead = 16 << 10

type part struct {
	Address    int64
	Write      hal.Opt[[]byte]
	ReadLength hal.Opt[int64]
}

func (p *part) Fields(f *hal.Fields) {
	f.IntIn("address", &p.Address, minAddress, maxAddress, hal.Unitless, "The address of seven bits.")
	f.OptBlob("write", &p.Write, uapi.I2CMaxLength, "What to write. A message has either this or readLength.")
	f.OptIntIn("readLength", &p.ReadLength, 1, uapi.I2CMaxLength, hal.Bytes, "How much to read.")
}

type transferIn struct{ Messages []part }

func (p *transferIn) Fields(f *hal.Fields) {
	hal.Each(f, "messages", &p.Messages, 1, uapi.I2CMaxMessages, "What to write and read, in this order. All reads together have at most 16384 bytes.")
}

type reading struct{ Data []byte }

func (p *reading) Fields(f *hal.Fields) { f.Blob("data", &p.Data, uapi.I2CMaxLength, "What was read.") }

type transferOut struct{ Reads []reading }

func (p *transferOut) Fields(f *hal.Fields) {
	hal.Each(f, "reads", &p.Reads, 0, uapi.I2CMaxMessages, "One for each message that reads, in their order.")
}

// messages makes the messages of a transfer, with room for what is read.
func (p *transferIn) messages() ([]message, error) {
	all, total := make([]message, len(p.Messages)), int64(0)
	for i, m := range p.Messages {
		at := fmt.Sprintf("messages[%d]", i)
		switch {
		case m.Write.Set == m.ReadLength.Set:
			return nil, &hal.InvalidParameter{Parameter: at, What: "must have either write or readLength"}
		case m.Write.Set && len(m.Write.Value) == 0:
			return nil, &hal.InvalidParameter{Parameter: at + ".write", What: "must not be empty: Probe asks who is there"}
		case m.Write.Set:
			all[i] = message{m.Address, false, m.Write.Value}
		default:
			if total += m.ReadLength.Value; total > maxRead {
				return nil, &hal.MessageTooLarge{Limit: maxRead}
			}
			all[i] = message{m.Address, true, make([]byte, m.ReadLength.Value)}
		}
	}
	return all, nil
}

func (b *Bus) transfer(in *transferIn, out *transferOut) error {
	messages, err := in.messages()
	if err != nil {
		return err
	}
	shared := func(address int64) bool { return b.bound[address] }
	err = b.use(b.id, addresses(messages), shared, func(fd int) error { return b.carry(fd, messages, shared) })
	if err != nil {
		return err
	}
	for _, m := range messages {
		if m.read {
			out.Reads = append(out.Reads, reading{m.data})
		}
	}
	return nil
}

type probeIn struct{ Address int64 }

func (p *probeIn) Fields(f *hal.Fields) {
	f.IntIn("address", &p.Address, minAddress, maxAddress, hal.Unitless, "The address of seven bits.")
}

type probeOut struct{ Present bool }

func (p *probeOut) Fields(f *hal.Fields) {
	f.Bool("present", &p.Present, "Whether anything answered.")
}

// answers probes an address. What drivers answer where nobody does is ENXIO as a rule, and sometimes EREMOTEIO, or ENODEV as when the adapter has gone.
func (b *Bus) answers(in *probeIn, out *probeOut) error {
	shared := func(address int64) bool { return b.bound[address] }
	return b.use(b.id, []int64{in.Address}, shared, func(fd int) error {
		switch err := b.probe(fd, in.Address, shared(in.Address)); err {
		case unix.ENXIO, unix.EREMOTEIO:
			return nil
		case unix.ENODEV:
			return b.there()
		default:
			out.Present = err == nil
			return err
		}
	})
}

type readIn struct{ Register, Length int64 }

func (p *readIn) Fields(f *hal.Fields) {
	f.Span("register", &p.Register, p.Length, 0, 0xffff, hal.Unitless, "The first register.")
	f.IntIn("length", &p.Length, 1, uapi.I2CMaxLength, hal.Bytes, "How much to read.")
}

type readOut struct{ Data []byte }

func (p *readOut) Fields(f *hal.Fields) { f.Blob("data", &p.Data, uapi.I2CMaxLength, "What was read.") }

func (c *Chip) get(in *readIn, out *readOut) error {
	if c.cfg.readable == nil {
		return &hal.NotSupported{Feature: "read"}
	}
	if err := c.within(c.cfg.readable, in.Register, in.Length, "length"); err != nil {
		return err
	}
	data := make([]byte, in.Length)
	if err := c.read(in.Register, data); err != nil {
		return err
	}
	out.Data = data
	return nil
}

type writeIn struct {
	Register int64
	Data     []byte
}

func (p *writeIn) Fields(f *hal.Fields) {
	f.Span("register", &p.Register, int64(len(p.Data)), 0, 0xffff, hal.Unitless, "The first register.")
	f.Blob("data", &p.Data, maxWrite, "What to write.")
}

// maxWrite is how much one message can write behind a register's number.
const maxWrite = uapi.I2CMaxLength - 2

func (c *Chip) set(in *writeIn, _ *hal.None) error {
	n := int64(len(in.Data))
	switch {
	case n == 0:
		return &hal.InvalidParameter{Parameter: "data", What: "must not be empty"}
	case c.cfg.writable == nil:
		return &hal.NotSupported{Feature: "write"}
	}
	if err := c.within(c.cfg.writable, in.Register, n, "data"); err != nil {
		return err
	}
	if page := c.cfg.Page.Value; page > 0 {
		wide := c.cfg.registerBytes()
		if room := page - in.Register*wide%page; n > room {
			return &hal.OutOfRange{Parameter: "data", Minimum: wide, Maximum: room}
		}
	}
	return c.write(in.Register, in.Data)
}
