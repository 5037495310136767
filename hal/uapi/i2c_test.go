package uapi

import (
	"testing"
	"unsafe"
)

// The sizes are those of a C compiler for 64 and for 32 bits.
func TestI2CSizes(t *testing.T) {
	pick := func(wide, narrow uintptr) uintptr {
		if unsafe.Sizeof(uintptr(0)) == 8 {
			return wide
		}
		return narrow
	}
	for _, c := range []struct {
		name      string
		got, want uintptr
	}{
		{"i2c_msg", unsafe.Sizeof(I2CMessage{}), pick(16, 12)},
		{"i2c_msg.buf", unsafe.Offsetof(I2CMessage{}.Buf), 8},
		{"i2c_rdwr_ioctl_data", unsafe.Sizeof(I2CRdwrData{}), pick(16, 8)},
		{"i2c_rdwr_ioctl_data.nmsgs", unsafe.Offsetof(I2CRdwrData{}.Count), pick(8, 4)},
		{"i2c_smbus_ioctl_data", unsafe.Sizeof(I2CSMBusData{}), pick(16, 12)},
		{"i2c_smbus_ioctl_data.size", unsafe.Offsetof(I2CSMBusData{}.Size), 4},
		{"i2c_smbus_ioctl_data.data", unsafe.Offsetof(I2CSMBusData{}.Data), 8},
		{"i2c_smbus_data", unsafe.Sizeof(SMBusBuffer{}), 34},
		{"unsigned long", unsafe.Sizeof(uint(0)), unsafe.Sizeof(uintptr(0))},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, c.got, c.want)
		}
	}
}
