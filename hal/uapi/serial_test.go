package uapi

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The sizes are those that a C program prints on every architecture.
func TestSerialSizes(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want uintptr
	}{
		{"serial_rs485", unsafe.Sizeof(SerialRS485{}), 32},
		{"serial_icounter_struct", unsafe.Sizeof(SerialCounters{}), 80},
		{"serial_icounter_struct.rx", unsafe.Offsetof(SerialCounters{}.RX), 16},
		{"serial_icounter_struct.brk", unsafe.Offsetof(SerialCounters{}.Brk), 36},
		{"termios2, which golang.org/x/sys/unix calls Termios", unsafe.Sizeof(unix.Termios{}), 44},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %d bytes, want %d", c.name, c.got, c.want)
		}
	}
}
