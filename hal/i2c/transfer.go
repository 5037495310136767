package i2c

import (
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/uapi"
)

// message is one part of a transfer: bytes that are written, or room for those that are read.
type message struct {
	address int64
	read    bool
	data    []byte
}

// carry makes one transfer of messages, on the open adapter: as one I2C_RDWR, or as the one transfer of SMBus that is the same. shared lets SMBus talk to an address that a driver has.
func (b *Bus) carry(fd int, messages []message, shared func(address int64) bool) error {
	if b.can(uapi.I2CFuncI2C) {
		return b.combine(fd, messages)
	}
	t, ok := shape(messages)
	if !ok || !b.can(t.needs) {
		return unix.EOPNOTSUPP
	}
	return b.smbus(fd, t, shared(t.address))
}

// combine makes one I2C_RDWR. Between two messages there is a repeated start, and one stop at the end.
func (b *Bus) combine(fd int, messages []message) error {
	all := make([]uapi.I2CMessage, len(messages))
	for i, m := range messages {
		all[i] = uapi.I2CMessage{Addr: uint16(m.address), Len: uint16(len(m.data)), Buf: unsafe.SliceData(m.data)}
		if m.read {
			all[i].Flags = uapi.I2CMessageRead
		}
	}
	data := &uapi.I2CRdwrData{Messages: &all[0], Count: uint32(len(all))}
	err := b.env.Kernel.Ioctl(fd, uapi.I2CRdwr, unsafe.Pointer(data))
	runtime.KeepAlive(data)
	return err
}

// smbusTransfer is a transfer of SMBus.
type smbusTransfer struct {
	address int64
	read    bool
	command byte
	size    uint32
	data    []byte // after the command, or room for what is read
	needs   uint   // what the adapter has to be able to
}

// shape finds the transfer of SMBus that is the same on the wires as messages of plain I2C: the same bytes with the same starts and stops.
//
//	write 1 byte                      write byte
//	read 1 byte                       read byte
//	write 1 byte, then read 1         read byte data
//	write 1 byte, then read 2         read word data
//	write 1 byte, then read 3 to 32   read I2C block data
//	write 2 bytes                     write byte data
//	write 3 bytes                     write word data
//	write 4 to 33 bytes               write I2C block data
//
// Everything else has none.
func shape(messages []message) (t smbusTransfer, ok bool) {
	first := messages[0]
	t = smbusTransfer{address: first.address, data: first.data}
	switch {
	case len(messages) == 1 && first.read && len(first.data) == 1:
		t.read, t.size, t.needs = true, uapi.SMBusByte, uapi.I2CFuncReadByte
		return t, true
	case first.read || len(first.data) == 0:
		return t, false
	}
	t.command, t.data = first.data[0], first.data[1:]
	switch {
	case len(messages) == 1:
		t.needs = needs(&t, uapi.I2CFuncWriteByte, uapi.I2CFuncWriteByteData, uapi.I2CFuncWriteWordData, uapi.I2CFuncWriteI2CBlock)
	case len(messages) == 2 && len(t.data) == 0 && messages[1].read && messages[1].address == first.address:
		t.read, t.data = true, messages[1].data
		t.needs = needs(&t, 0, uapi.I2CFuncReadByteData, uapi.I2CFuncReadWordData, uapi.I2CFuncReadI2CBlock)
	default:
		return t, false
	}
	return t, t.needs != 0
}

// needs fills in the kind of a transfer with a command, by how many bytes follow it, and gives what the adapter has to be able to: 0 for a transfer that there is not.
func needs(t *smbusTransfer, none, one, two, many uint) uint {
	switch n := len(t.data); {
	case n == 0:
		t.size = uapi.SMBusByte
		return none
	case n == 1:
		t.size = uapi.SMBusByteData
		return one
	case n == 2:
		t.size = uapi.SMBusWordData
		return two
	case n <= uapi.SMBusBlockMax:
		t.size = uapi.SMBusI2CBlock
		return many
	}
	return 0
}

// smbus makes a transfer of SMBus.
func (b *Bus) smbus(fd int, t smbusTransfer, shared bool) error {
	if err := b.address(fd, t.address, shared); err != nil {
		return err
	}
	buffer := new(uapi.SMBusBuffer)
	room := buffer[:]
	if t.size == uapi.SMBusI2CBlock {
		buffer[0] = byte(len(t.data))
		room = buffer[1:]
	}
	data := &uapi.I2CSMBusData{Command: t.command, Size: t.size, Data: buffer}
	if t.read {
		data.ReadWrite = uapi.SMBusRead
	} else {
		copy(room, t.data)
	}
	err := b.env.Kernel.Ioctl(fd, uapi.I2CSMBus, unsafe.Pointer(data))
	runtime.KeepAlive(data)
	switch {
	case err != nil || !t.read:
		return err
	case t.size == uapi.SMBusI2CBlock && int(buffer[0]) != len(t.data):
		return unix.EIO // an adapter may read less than it was asked for, and say so here alone
	}
	copy(t.data, room)
	return nil
}

// address says whom transfers of SMBus are for. The kernel looks once more whether a driver has the address, unless it may be shared.
func (b *Bus) address(fd int, address int64, shared bool) error {
	request := uapi.I2CSlave
	if shared {
		request = uapi.I2CSlaveForce
	}
	return b.env.Kernel.IoctlInt(fd, request, int(address))
}

// probe asks whether anything answers at an address, as i2cdetect does: with a write of nothing, or where that might make an EEPROM lose its write protection, by reading a byte.
func (b *Bus) probe(fd int, address int64, shared bool) error {
	memory := address >= 0x30 && address <= 0x37 || address >= 0x50 && address <= 0x5f
	t := smbusTransfer{address: address, size: uapi.SMBusQuick, needs: uapi.I2CFuncQuick}
	if memory || !b.can(t.needs) {
		t = smbusTransfer{address: address, size: uapi.SMBusByte, read: true, data: make([]byte, 1), needs: uapi.I2CFuncReadByte}
	}
	if !b.can(t.needs) {
		return unix.EOPNOTSUPP
	}
	return b.smbus(fd, t, shared)
}

// addresses are those of messages, each once.
func addresses(messages []message) []int64 {
	var all []int64
	for _, m := range messages {
		if !slices.Contains(all, m.address) {
			all = append(all, m.address)
		}
	}
	return all
}
