package uapi

import (
	"testing"
	"unsafe"
)

func TestRfkillEvent(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want uintptr
	}{
		{"rfkill_event", unsafe.Sizeof(RfkillEvent{}), 8},
		{"rfkill_event.type", unsafe.Offsetof(RfkillEvent{}.Type), 4},
		{"rfkill_event.op", unsafe.Offsetof(RfkillEvent{}.Op), 5},
		{"rfkill_event.soft", unsafe.Offsetof(RfkillEvent{}.Soft), 6},
		{"rfkill_event.hard", unsafe.Offsetof(RfkillEvent{}.Hard), 7},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, c.got, c.want)
		}
	}
}
