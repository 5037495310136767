package uapi

import (
	"math/bits"
	"testing"
	"unsafe"
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
		{"sizeof(struct ff_effect)", uint(unsafe.Sizeof(FFEffect{})), map[int]uint{32: 44, 64: 48}[bits.UintSize]},
		{"offsetof(struct ff_effect, replay)", uint(unsafe.Offsetof(FFEffect{}.Length)), 10},
		{"offsetof(struct ff_effect, u)", uint(unsafe.Offsetof(FFEffect{}.Strong)), 16},
		{"EVIOCSFF", InputSendEffect, map[int]uint{32: 0x402c4580, 64: 0x40304580}[bits.UintSize]},
		{"offsetof(struct input_event, type)", uint(unsafe.Offsetof(InputEvent{}.Type)), map[int]uint{32: 8, 64: 16}[bits.UintSize]},
		{"offsetof(struct input_event, value)", uint(unsafe.Offsetof(InputEvent{}.Value)), map[int]uint{32: 12, 64: 20}[bits.UintSize]},
		{"sizeof(struct input_event)", uint(InputEventSize), map[int]uint{32: 16, 64: 24}[bits.UintSize]},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %#x, want %#x", c.name, c.got, c.want)
		}
	}
}
