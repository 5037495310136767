package input

import "github.com/halberd-io/halberd/hal/uapi"

// state is which keys are down and which switches are on: a bit for each code.
type state struct {
	keys     [uapi.InputKeys / 8]byte
	switches [(uapi.InputSwitches + 7) / 8]byte
}

// follow is the state after an event.
func (s *state) follow(e *uapi.InputEvent) {
	switch e.Type {
	case uapi.InputKey:
		put(s.keys[:], e.Code, e.Value != 0)
	case uapi.InputSwitch:
		put(s.switches[:], e.Code, e.Value != 0)
	}
}

// put sets or clears the bit of a code. One that this does not know, since the kernel is newer, is left out.
func put(bitmap []byte, code uint16, on bool) {
	switch bit := byte(1) << (code % 8); {
	case int(code/8) >= len(bitmap):
	case on:
		bitmap[code/8] |= bit
	default:
		bitmap[code/8] &^= bit
	}
}

// codes lists the bits that are set.
func codes(bitmap []byte) []int64 {
	all := []int64{}
	for i, b := range bitmap {
		for bit := 0; b != 0; bit, b = bit+1, b>>1 {
			if b&1 != 0 {
				all = append(all, int64(8*i+bit))
			}
		}
	}
	return all
}
