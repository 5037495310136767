package sim

import (
	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/uapi"
)

// smbusNeeds is what an adapter has to be able to for a transfer, reading and writing.
var smbusNeeds = map[uint32][2]uint{
	uapi.SMBusQuick:    {uapi.I2CFuncQuick, uapi.I2CFuncQuick},
	uapi.SMBusByte:     {uapi.I2CFuncReadByte, uapi.I2CFuncWriteByte},
	uapi.SMBusByteData: {uapi.I2CFuncReadByteData, uapi.I2CFuncWriteByteData},
	uapi.SMBusWordData: {uapi.I2CFuncReadWordData, uapi.I2CFuncWriteWordData},
	uapi.SMBusI2CBlock: {uapi.I2CFuncReadI2CBlock, uapi.I2CFuncWriteI2CBlock},
}

// smbus is i2cdev_ioctl_smbus, with what __i2c_smbus_xfer makes of it: on the wires, the same messages as plain I2C. Calls of processes, blocks of SMBus and
// packet error checking are not there.
func (a *adapter) smbus(address int, d *uapi.I2CSMBusData) error {
	needs, known := smbusNeeds[d.Size]
	read := d.ReadWrite == uapi.SMBusRead
	bare := d.Size == uapi.SMBusQuick || d.Size == uapi.SMBusByte && !read
	switch {
	case d.Size > uapi.SMBusI2CBlock || d.ReadWrite > uapi.SMBusRead || d.Data == nil && !bare:
		return unix.EINVAL
	case !known || a.functions&needs[1-d.ReadWrite] == 0:
		return unix.EOPNOTSUPP
	case d.Size == uapi.SMBusI2CBlock && (d.Data[0] == 0 || d.Data[0] > uapi.SMBusBlockMax):
		return unix.EINVAL
	case d.Size == uapi.SMBusQuick:
		return a.transfer([]i2cMessage{{address, read, nil}})
	case d.Size == uapi.SMBusByte && read:
		return a.transfer([]i2cMessage{{address, true, d.Data[:1]}})
	case d.Size == uapi.SMBusByte:
		return a.transfer([]i2cMessage{{address, false, []byte{d.Command}}})
	case read:
		return a.transfer([]i2cMessage{{address, false, []byte{d.Command}}, {address, true, smbusData(d)}})
	}
	return a.transfer([]i2cMessage{{address, false, append([]byte{d.Command}, smbusData(d)...)}})
}

// smbusData is where the bytes of a transfer with a command stand. A word is least significant byte first on the wires, as in the memory of the processors that Halberd is built for.
func smbusData(d *uapi.I2CSMBusData) []byte {
	switch d.Size {
	case uapi.SMBusByteData:
		return d.Data[:1]
	case uapi.SMBusWordData:
		return d.Data[:2]
	}
	return d.Data[1 : 1+d.Data[0]]
}
