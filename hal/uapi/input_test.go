package uapi

import (
	"math/bits"
	"testing"
)

// The numbers and sizes are those that a C program prints: a request's is the same on every architecture, an event's is not.
func TestInput(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want uint
	}{
		{"EVIOCSCLOCKID", InputSetClock, 0x400445a0},
		{"EVIOCREVOKE", InputRevoke, 0x40044591},
		{"EVIOCGKEY(96)", InputGetKeys(96), 0x80604518},
		{"EVIOCGSW(3)", InputGetSwitches(3), 0x8003451b},
		{"sizeof(struct input_event)", uint(InputEventSize), map[int]uint{32: 16, 64: 24}[bits.UintSize]},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %#x, want %#x", c.name, c.got, c.want)
		}
	}
}
