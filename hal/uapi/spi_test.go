package uapi

import (
	"testing"
	"unsafe"
)

// The numbers are those that a C program prints for SPI_IOC_… on every architecture.
func TestSPIRequests(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want uint
	}{
		{"SPI_IOC_MESSAGE(1)", SPIMessage(1), 0x40206b00},
		{"SPI_IOC_MESSAGE(511)", SPIMessage(511), 0x7fe06b00},
		{"SPI_IOC_RD_BITS_PER_WORD", SPIRdBitsPerWord, 0x80016b03},
		{"SPI_IOC_WR_BITS_PER_WORD", SPIWrBitsPerWord, 0x40016b03},
		{"SPI_IOC_RD_MAX_SPEED_HZ", SPIRdMaxSpeedHz, 0x80046b04},
		{"SPI_IOC_WR_MAX_SPEED_HZ", SPIWrMaxSpeedHz, 0x40046b04},
		{"SPI_IOC_RD_MODE32", SPIRdMode32, 0x80046b05},
		{"SPI_IOC_WR_MODE32", SPIWrMode32, 0x40046b05},
		{"the most transfers", uint(SPIMaxTransfers), 511},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %#x, want %#x", c.name, c.got, c.want)
		}
	}
}

func TestSPISizes(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want uintptr
	}{
		{"spi_ioc_transfer", unsafe.Sizeof(SPITransfer{}), 32},
		{"spi_ioc_transfer.len", unsafe.Offsetof(SPITransfer{}.Len), 16},
		{"spi_ioc_transfer.speed_hz", unsafe.Offsetof(SPITransfer{}.SpeedHz), 20},
		{"spi_ioc_transfer.bits_per_word", unsafe.Offsetof(SPITransfer{}.BitsPerWord), 26},
		{"spi_ioc_transfer.cs_change", unsafe.Offsetof(SPITransfer{}.CSChange), 27},
		{"spi_ioc_transfer.word_delay_usecs", unsafe.Offsetof(SPITransfer{}.WordDelayUsecs), 30},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, c.got, c.want)
		}
	}
}
