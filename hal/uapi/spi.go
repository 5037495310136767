package uapi

import "unsafe"

const (
	iow = 1 << 30 // _IOW
	spi = 'k' << 8
)

// The requests of include/uapi/linux/spi/spidev.h, on /dev/spidevB.C. Each takes a pointer to a number of the size given.
const (
	SPIRdBitsPerWord uint = ior | spi | 0x03 | 1<<size
	SPIWrBitsPerWord uint = iow | spi | 0x03 | 1<<size
	SPIRdMaxSpeedHz  uint = ior | spi | 0x04 | 4<<size
	SPIWrMaxSpeedHz  uint = iow | spi | 0x04 | 4<<size
	SPIRdMode32      uint = ior | spi | 0x05 | 4<<size // Linux 3.15
	SPIWrMode32      uint = iow | spi | 0x05 | 4<<size
)

// SPIMaxTransfers is how many transfers the size in a request's number has room for.
const SPIMaxTransfers = (1<<14 - 1) / 32

// SPIMessage is SPI_IOC_MESSAGE(n): a request with a pointer to the first of n transfers.
func SPIMessage(n int) uint { return iow | spi | uint(n)*uint(unsafe.Sizeof(SPITransfer{}))<<size }

// Bits of a mode, of include/uapi/linux/spi/spi.h.
const (
	SPICPHA     uint32 = 1 << 0
	SPICPOL     uint32 = 1 << 1
	SPICSHigh   uint32 = 1 << 2
	SPILSBFirst uint32 = 1 << 3
	SPI3Wire    uint32 = 1 << 4
	SPILoop     uint32 = 1 << 5
	SPINoCS     uint32 = 1 << 6
	SPIReady    uint32 = 1 << 7
)

// SPITransfer is struct spi_ioc_transfer: the same for 32 and for 64 bits, so its pointers are numbers.
type SPITransfer struct {
	TxBuf, RxBuf   uint64
	Len, SpeedHz   uint32
	DelayUsecs     uint16
	BitsPerWord    uint8
	CSChange       uint8
	TxNbits        uint8
	RxNbits        uint8
	WordDelayUsecs uint8
	_              uint8
}
