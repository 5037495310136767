package sim

import "slices"

// newI2CChip makes a chip of a kind. A test that names none is wrong, and panics.
func newI2CChip(kind string) i2cChip {
	switch kind {
	case "24c02":
		return &eeprom{data: slices.Repeat([]byte{0xff}, 256), wide: 1, page: 8}
	case "24c32":
		return &eeprom{data: slices.Repeat([]byte{0xff}, 4096), wide: 2, page: 32}
	case "lm75":
		return &lm75{registers: [4][]byte{{0x19, 0x80}, {0}, {0x4b, 0}, {0x50, 0}}}
	}
	panic("sim: no chip " + kind)
}

// eeprom is one of the 24c family. What is written beyond a page goes on at the page's beginning. A real one is deaf for some milliseconds after a write; this one is not.
type eeprom struct {
	data    []byte
	wide    int // bytes of an address, the high one first
	page    int
	address int
}

func (e *eeprom) write(p []byte) {
	if len(p) < e.wide {
		return
	}
	e.address = 0
	for _, b := range p[:e.wide] {
		e.address = e.address<<8 | int(b)
	}
	e.address %= len(e.data)
	for _, b := range p[e.wide:] {
		e.data[e.address] = b
		page := e.address &^ (e.page - 1)
		e.address = page | (e.address+1)&(e.page-1)
	}
}

func (e *eeprom) read(p []byte) {
	for i := range p {
		p[i] = e.data[e.address]
		e.address = (e.address + 1) % len(e.data)
	}
}

// lm75 is a temperature sensor at 25.5 °C: temperature (read-only), configuration, and the limits for hysteresis and alarm. Its registers do not follow each other: what is read beyond one is
// the same again.
type lm75 struct {
	registers [4][]byte
	pointer   byte
}

func (s *lm75) write(p []byte) {
	if len(p) == 0 {
		return
	}
	s.pointer = p[0] & 3
	if s.pointer != 0 {
		copy(s.registers[s.pointer], p[1:])
	}
}

func (s *lm75) read(p []byte) {
	r := s.registers[s.pointer]
	for i := range p {
		p[i] = r[i%len(r)]
	}
}
