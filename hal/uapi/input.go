package uapi

import "unsafe"

// InputEvent is struct input_event of include/uapi/linux/input.h, as it is read from /dev/input/eventN: its times are the kernel's long, 32 bits on 32-bit machines.
type InputEvent struct {
	Sec, USec uintptr
	Type      uint16
	Code      uint16
	Value     int32
}

// InputEventSize is the size of one.
const InputEventSize = int(unsafe.Sizeof(InputEvent{}))

const (
	input = 'E' << 8
	word  = 4 << size // an int
)

// The requests of include/uapi/linux/input.h.
const (
	InputSetClock uint = iow | input | 0xa0 | word // EVIOCSCLOCKID: an int
	InputRevoke   uint = iow | input | 0x91 | word // EVIOCREVOKE: the number 0 itself, not a pointer to it (Linux 3.12)
)

// InputGetKeys is EVIOCGKEY for a bitmap of so many bytes.
func InputGetKeys(length int) uint { return ior | input | 0x18 | uint(length)<<size }

// InputGetSwitches is EVIOCGSW.
func InputGetSwitches(length int) uint { return ior | input | 0x1b | uint(length)<<size }

// The types of events, of include/uapi/linux/input-event-codes.h.
const (
	InputSyn    = 0x00
	InputKey    = 0x01
	InputRel    = 0x02
	InputAbs    = 0x03
	InputMisc   = 0x04
	InputSwitch = 0x05
	InputLED    = 0x11
	InputSound  = 0x12

	InputSynReport  = 0 // a code of InputSyn: what came before belongs together, and is whole
	InputSynDropped = 3 // another one: events were lost before it

	InputKeys     = 0x300 // how many codes keys have
	InputSwitches = 0x11
)

// FFEffect is struct ff_effect of include/uapi/linux/input.h, as far as a rumble goes. Its union has a pointer in it, and with that the alignment and size of one.
type FFEffect struct {
	Type      uint16
	ID        int16 // -1 for a new one, which the kernel numbers
	Direction uint16
	Button    uint16
	Interval  uint16
	Length    uint16 // ms
	Delay     uint16 // ms
	_         [0]uintptr
	Strong    uint16
	Weak      uint16
	_         [20]byte
	_         uintptr
}

// FFRumble is the type of such an effect, and FFGain the code of the event that sets how strong all effects are, from 0 to 65535. Both are numbers of bits in what a device can.
const (
	FFRumble = 0x50
	FFGain   = 0x60
)

// InputFF is the type of the events that begin (1, or as often as it is to be played) and end (0) an effect, whose number is the code.
const InputFF = 0x15

// InputSendEffect is EVIOCSFF: an FFEffect, whose ID comes back. What a descriptor has sent is removed when it is closed.
const InputSendEffect uint = iow | input | 0x80 | uint(unsafe.Sizeof(FFEffect{}))<<size
