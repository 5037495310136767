package spi

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
	"github.com/halberd-io/halberd/hal/uapi"
)

const table = "spi"

// Driver joins the class to the board.
func Driver() hal.Driver {
	return hal.Driver{Class: class, Tables: []hal.Table{hal.NewTable[entry](table, "A device of /sys/class/spidev.")}, Open: Open}
}

// entry is an [spi.ID] of board.toml.
type entry struct {
	Name                string
	Mode, Bits, SpeedHz hal.Opt[int64]
}

func (e *entry) Fields(f *hal.Fields) {
	f.Text("name", &e.Name, "The kernel's name for the device, as spidev0.0.")
	f.OptIntIn("mode", &e.Mode, 0, 3, hal.Unitless, "The SPI mode at the start, as Configure has it. As the kernel has it without it, and so below.")
	f.OptIntIn("bits", &e.Bits, 1, 32, hal.Unitless, "Bits in a word at the start.")
	f.OptIntIn("speed-hz", &e.SpeedHz, 1, math.MaxUint32, hal.Hertz, "The speed at the start.")
}

// Place is the device that the entry is about.
func (e *entry) Place() string { return e.Name }

// Check finds what contradicts itself.
func (e *entry) Check() error { return sysfs.CheckName(e.Name) }

// over puts what board.toml says over what a device has.
func (e *entry) over(s settings) settings {
	if e.Mode.Set {
		s.mode = s.mode&^clock | uint32(e.Mode.Value)
	}
	return settings{s.mode, uint8(e.Bits.Or(int64(s.bits))), uint32(e.SpeedHz.Or(int64(s.speedHz)))}
}

// Open finds the devices, and gives them the settings of board.toml.
func Open(env *hal.Env) (*hal.Class, error) {
	r := &sysfs.Roster[*Device]{
		Env: env, Set: hal.NewSet[*Device](class, "device"), Noun: "SPI device",
		Places: func() ([]sysfs.Place, error) { return sysfs.Entries(env.Kernel, folder) },
		Means:  func(e *hal.Entry, p sysfs.Place) bool { return e.Value.(*entry).Name == p.Name },
		Open:   func(id string, p sysfs.Place, e *hal.Entry) (*Device, error) { return open(env, id, p, e) },
	}
	return r.Class(&hal.Class{
		Name: class, Doc: "Chips on SPI buses, by spidev. Bytes are base64.", Methods: methods(r.Set),
		Subsystems: []string{"spidev"},
	})
}

const slow = "It waits for the bus: Timeout after 5 s, and what had begun may be carried out all the same. Busy while somebody else has a lease."

func methods(devices *hal.Set[*Device]) []*hal.Method {
	return []*hal.Method{
		hal.OnHeld(devices, hal.Control, "Transfer", "Selects the chip, sends the segments in their order, and deselects it. Each segment receives as many bytes as it sends.\n"+
			"OutOfRange where the segments have more bytes than spidev takes in one transfer (4096, unless its module was loaded with another bufsiz).\n"+
			"What the controller cannot do (too low a speed) is io.systemd.System with EINVAL, before anything is sent. Where it fails later, any part may have been sent. "+slow, (*Device).transfer),
		hal.OnHeld(devices, hal.Configure, "Configure", "Sets how the device is talked to, for all its users, until the next Configure or the daemon's end. NotSupported{mode}, {bits} or {speedHz} for what the controller cannot do; then all stays as it was.\n"+
			"The other bits of the kernel's mode, as the polarity of the chip select, stay as the board's description has them. "+slow, (*Device).configure),
		hal.OnLater(devices, hal.Configure, "Lease", "Hands over a descriptor of the device, as if the caller had opened /dev/spidevB.C. Until the connection ends, or Board.Release, the device is Busy to everybody else; the same connection may have another descriptor.\n"+
			"The descriptor cannot be revoked: it works until it is closed, whoever has it then. What was set in it is set back when the lease has ended.\n"+
			"NotSupported{lease} on a simulated board. "+slow, (*Device).lend),
	}
}

const (
	// maxRead is how many bytes a call can read in all, so that base64 fits the smallest reply.
	maxRead = 16 << 10
	// maxWrite is how many bytes fit a request.
	maxWrite = 48 << 10
)

type segment struct {
	Write    []byte
	Read     hal.Opt[bool]
	SpeedHz  hal.Opt[int64]
	Deselect hal.Opt[bool]
}

func (p *segment) Fields(f *hal.Fields) {
	f.Blob("write", &p.Write, maxWrite, "What to send: at least one byte; zeros where something is only to be read. Whole words, where a word has more than 8 bits.")
	f.OptBool("read", &p.Read, "Answer what was received meanwhile.")
	f.OptIntIn("speedHz", &p.SpeedHz, 1, math.MaxUint32, hal.Hertz, "The speed of this segment, instead of the device's. The controller takes a lower one where it cannot be so fast.")
	f.OptBool("deselect", &p.Deselect, "Deselect the chip for a moment before the next segment.")
}

type transferIn struct{ Segments []segment }

func (p *transferIn) Fields(f *hal.Fields) {
	hal.Each(f, "segments", &p.Segments, 1, uapi.SPIMaxTransfers, "What to send, in this order. Those that are read have at most 16384 bytes together.")
}

type reading struct{ Data []byte }

func (p *reading) Fields(f *hal.Fields) {
	f.Blob("data", &p.Data, maxRead, "What was received.")
}

type transferOut struct{ Reads []reading }

func (p *transferOut) Fields(f *hal.Fields) {
	hal.Each(f, "reads", &p.Reads, 0, uapi.SPIMaxTransfers, "One for each segment with read, in their order.")
}

// check finds what cannot be sent with words of some bytes, in a transfer of at most so many.
func (p *transferIn) check(word int, most int64) error {
	total, read := int64(0), int64(0)
	for i := range p.Segments {
		s := &p.Segments[i]
		n := len(s.Write)
		if n == 0 || n%word != 0 {
			return &hal.InvalidParameter{Parameter: fmt.Sprintf("segments[%d].write", i), What: fmt.Sprintf("must have words of %d bytes, one at least", word)}
		}
		total += int64(n)
		if s.Read.Value {
			read += int64(n)
		}
	}
	switch {
	case total > most:
		return &hal.OutOfRange{Parameter: "segments", Minimum: 1, Maximum: most}
	case read > maxRead:
		return &hal.MessageTooLarge{Limit: maxRead}
	}
	return nil
}

func (d *Device) transfer(h hal.Holder, in *transferIn, out *transferOut) error {
	return d.use(h, func() error {
		if err := in.check(d.settings.word(), d.most); err != nil {
			return err
		}
		reads, err := d.exchange(in.Segments)
		if errors.Is(err, unix.EMSGSIZE) {
			return &hal.OutOfRange{Parameter: "segments", Minimum: 1, Maximum: d.most}
		}
		out.Reads = reads
		return err
	})
}

// exchange makes one SPI_IOC_MESSAGE. The kernel is told where the bytes stand by numbers, so they are pinned.
func (d *Device) exchange(segments []segment) (reads []reading, err error) {
	var pins runtime.Pinner
	defer pins.Unpin()
	address := func(b []byte) uint64 {
		pins.Pin(unsafe.SliceData(b))
		return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b))))
	}
	all := make([]uapi.SPITransfer, len(segments))
	for i := range segments {
		s, t := &segments[i], &all[i]
		*t = uapi.SPITransfer{TxBuf: address(s.Write), Len: uint32(len(s.Write)), SpeedHz: uint32(s.SpeedHz.Value)}
		if s.Read.Value {
			room := make([]byte, len(s.Write))
			t.RxBuf = address(room)
			reads = append(reads, reading{room})
		}
		if s.Deselect.Value && i < len(segments)-1 { // after the last one the bit means the opposite
			t.CSChange = 1
		}
	}
	if err := d.ioctl(uapi.SPIMessage(len(all)), unsafe.Pointer(&all[0])); err != nil {
		return nil, err
	}
	return reads, nil
}

type configureIn struct{ Mode, SpeedHz, Bits int64 }

func (p *configureIn) Fields(f *hal.Fields) {
	f.IntIn("mode", &p.Mode, 0, 3, hal.Unitless, "The SPI mode: 2 for a clock that is high at rest, and 1 for bits that are taken at its second edge.")
	f.IntIn("speedHz", &p.SpeedHz, 1, math.MaxUint32, hal.Hertz, "The speed. The controller takes a lower one where it cannot be so fast.")
	f.IntIn("bits", &p.Bits, 1, 32, hal.Unitless, "Bits in a word.")
}

func (d *Device) configure(h hal.Holder, in *configureIn, _ *hal.None) error {
	return d.use(h, func() error {
		return d.change(settings{d.settings.mode&^clock | uint32(in.Mode), uint8(in.Bits), uint32(in.SpeedHz)})
	})
}

type leaseOut struct{ File hal.File }

func (p *leaseOut) Fields(f *hal.Fields) {
	f.File("fileDescriptor", &p.File, "The device, for read(2), write(2) and the requests of spidev.")
}
