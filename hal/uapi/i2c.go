package uapi

// The requests of include/uapi/linux/i2c-dev.h, on /dev/i2c-N.
const (
	I2CSlave      uint = 0x0703 // the argument is the address that I2CSMBus talks to; EBUSY where a driver has it
	I2CSlaveForce uint = 0x0706 // the same, whoever has it
	I2CFuncs      uint = 0x0705 // with a pointer to a uint: an unsigned long of the kernel's
	I2CRdwr       uint = 0x0707 // with an I2CRdwrData
	I2CSMBus      uint = 0x0720 // with an I2CSMBusData
)

// The limits of I2CRdwr: messages in one transfer, and bytes in one message. The second is no part of the header, but drivers/i2c/i2c-dev.c has it.
const (
	I2CMaxMessages = 42
	I2CMaxLength   = 8192
)

// I2CMessageRead is the flag of an I2CMessage that reads.
const I2CMessageRead = 0x0001

// I2CMessage is struct i2c_msg of include/uapi/linux/i2c.h.
type I2CMessage struct {
	Addr, Flags, Len uint16
	Buf              *byte
}

// I2CRdwrData is struct i2c_rdwr_ioctl_data.
type I2CRdwrData struct {
	Messages *I2CMessage
	Count    uint32
}

// What an adapter can do, as I2CFuncs tells: I2C_FUNC_… of include/uapi/linux/i2c.h.
const (
	I2CFuncI2C           uint = 0x00000001
	I2CFuncQuick         uint = 0x00010000
	I2CFuncReadByte      uint = 0x00020000
	I2CFuncWriteByte     uint = 0x00040000
	I2CFuncReadByteData  uint = 0x00080000
	I2CFuncWriteByteData uint = 0x00100000
	I2CFuncReadWordData  uint = 0x00200000
	I2CFuncWriteWordData uint = 0x00400000
	I2CFuncReadI2CBlock  uint = 0x04000000
	I2CFuncWriteI2CBlock uint = 0x08000000
)

// The directions and the kinds of an SMBus transfer: I2C_SMBUS_….
const (
	SMBusWrite uint8 = 0
	SMBusRead  uint8 = 1

	SMBusQuick    uint32 = 0
	SMBusByte     uint32 = 1
	SMBusByteData uint32 = 2
	SMBusWordData uint32 = 3
	SMBusI2CBlock uint32 = 8
)

// SMBusBlockMax is the most bytes of a block.
const SMBusBlockMax = 32

// SMBusBuffer is union i2c_smbus_data: a byte, a word in the processor's order, or the length of a block and its bytes.
type SMBusBuffer [SMBusBlockMax + 2]byte

// I2CSMBusData is struct i2c_smbus_ioctl_data.
type I2CSMBusData struct {
	ReadWrite, Command uint8
	Size               uint32
	Data               *SMBusBuffer
}
