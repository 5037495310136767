package gpio

import (
	"encoding/binary"
	"errors"
	"slices"

	gpiocdev "github.com/warthog618/go-gpiocdev/uapi"

	"github.com/halberd-io/halberd/hal"
)

// record is what the journal says about a request that outlives the process: which lines it has, what of them is to be ended, and what is to become of them where board.toml does not declare them any more. What they
// are driven to is not in it: the kernel is asked, so that Set does not write a record.
type record struct {
	chip   uint64 // the inode of its folder in /sys
	leased bool
	begun  bool // the lines were driven; else they are as they were requested
	lines  []noted
}

// noted is one line of a record.
type noted struct {
	offset  uint32
	flags   gpiocdev.LineFlagV2 // that board.toml declares
	safe    hal.Opt[int64]      // as well
	restore hal.Opt[int64]      // what it was when it was claimed
	pulse   hal.Opt[int64]      // the value of a pulse that is on its way
	before  borrowed            // it was leased
}

// The layout of a record: a version, flags, the inode, the count of lines, and for each line its offset and its bits.
const (
	recordVersion = 1
	recordHead    = 11
	recordLine    = 4

	isLeased = 1 << 0
	isBegun  = 1 << 1

	bitActiveLow = 1 << 0
	shiftFlags   = 1 // drive and bias, which stand together in the kernel's flags from bit 6 on
	shiftSafe    = 6 // each of these takes two: whether there is a value, and it
	shiftRestore = 8
	shiftPulse   = 10
	bitOutput    = 1 << 12
	bitDriven    = 1 << 13
	bitInput     = 1 << 14
)

const (
	keptFlags   = gpiocdev.LineFlagV2DriveMask | gpiocdev.LineFlagV2BiasMask
	kernelShift = 6
)

// bytes encodes a record. One of 64 lines takes 267.
func (r *record) bytes() []byte {
	out := make([]byte, recordHead, recordHead+recordLine*len(r.lines))
	out[0] = recordVersion
	if r.leased {
		out[1] |= isLeased
	}
	if r.begun {
		out[1] |= isBegun
	}
	binary.LittleEndian.PutUint64(out[2:], r.chip)
	out[10] = byte(len(r.lines))
	for i := range r.lines {
		out = binary.LittleEndian.AppendUint16(out, uint16(r.lines[i].offset))
		out = binary.LittleEndian.AppendUint16(out, r.lines[i].bits())
	}
	return out
}

func (n *noted) bits() uint16 {
	bits := uint16(n.flags&keptFlags>>kernelShift)<<shiftFlags | optional(n.safe, shiftSafe) | optional(n.restore, shiftRestore) | optional(n.pulse, shiftPulse)
	for _, c := range []struct {
		is  bool
		bit uint16
	}{
		{n.flags&gpiocdev.LineFlagV2ActiveLow != 0, bitActiveLow},
		{n.before.output, bitOutput}, {n.before.driven != 0, bitDriven}, {n.before.input, bitInput},
	} {
		if c.is {
			bits |= c.bit
		}
	}
	return bits
}

func optional(v hal.Opt[int64], shift int) uint16 {
	if !v.Set {
		return 0
	}
	return 1<<shift | uint16(v.Value&1)<<(shift+1)
}

var errRecord = errors.New("what is noted about it is not understood")

// readRecord decodes a record. What a newer Halberd has put behind it does no harm.
func readRecord(raw []byte) (*record, error) {
	if len(raw) < recordHead || raw[0] != recordVersion {
		return nil, errRecord
	}
	r := &record{leased: raw[1]&isLeased != 0, begun: raw[1]&isBegun != 0, chip: binary.LittleEndian.Uint64(raw[2:])}
	n, raw := int(raw[10]), raw[recordHead:]
	if n == 0 || n > maxTogether || len(raw) < n*recordLine {
		return nil, errRecord
	}
	for i := range n {
		one := raw[i*recordLine:]
		r.lines = append(r.lines, readNoted(uint32(binary.LittleEndian.Uint16(one)), binary.LittleEndian.Uint16(one[2:])))
	}
	return r, nil
}

func readNoted(offset uint32, bits uint16) noted {
	given := func(shift int) hal.Opt[int64] {
		if bits>>shift&1 == 0 {
			return hal.Opt[int64]{}
		}
		return hal.Some(int64(bits >> (shift + 1) & 1))
	}
	n := noted{
		offset: offset, flags: gpiocdev.LineFlagV2(bits>>shiftFlags<<kernelShift) & keptFlags,
		safe: given(shiftSafe), restore: given(shiftRestore), pulse: given(shiftPulse),
		before: borrowed{output: bits&bitOutput != 0, driven: int64(bits / bitDriven & 1), input: bits&bitInput != 0},
	}
	if bits&bitActiveLow != 0 {
		n.flags |= gpiocdev.LineFlagV2ActiveLow
	}
	return n
}

// noted is what the journal is to say about a line. Its guard is held.
func (l *Line) noted() noted {
	n := noted{offset: l.offset, flags: l.declared.flags, safe: l.declared.output.Safe, restore: l.remembered}
	if l.pulse != nil {
		n.pulse = hal.Some(l.pulse.value)
	}
	return n
}

// recordOf is what the journal is to say about lines that one request holds. Their guard is held.
func recordOf(lines []*Line, begun bool) *record {
	r := &record{chip: lines[0].chip.inode, begun: begun}
	for _, l := range lines {
		r.lines = append(r.lines, l.noted())
	}
	return r
}

// pulses reports whether a pulse is on its way.
func (r *record) pulses() bool {
	return slices.ContainsFunc(r.lines, func(n noted) bool { return n.pulse.Set })
}

// offsets are those of the lines.
func (r *record) offsets() (all []uint32) {
	for i := range r.lines {
		all = append(all, r.lines[i].offset)
	}
	return all
}
