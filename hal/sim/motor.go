package sim

import (
	"math/bits"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/uapi"
)

// effects is how many effects a motor without a memory of its own has: FF_MEMLESS_EFFECTS.
const effects = 16

// motor follows drivers/input/ff-core.c and ff-memless.c, for a device that can rumble and be told how strongly.
type motor struct {
	kernel  *Kernel
	gain    uint16
	effects [effects]effect
}

// effect is one of a motor's.
type effect struct {
	uapi.FFEffect
	owner *evdevFile // nil for none
	left  int32      // how often it is still to be played; 0 for one that does not run
	from  time.Duration
}

func newMotor(k *Kernel) *motor { return &motor{kernel: k, gain: 0xffff} }

// ffBits are the effects FF_RUMBLE and FF_GAIN, or none, as sysfs prints them for a program of this word size.
func ffBits(rumble bool) string {
	switch {
	case !rumble:
		return "0"
	case bits.UintSize == 32:
		return "1 10000 0 0"
	}
	return "100010000 0"
}

// send is input_ff_upload, for an effect that is new (-1) or its owner's. One that runs begins anew.
func (m *motor) send(f *evdevFile, e *uapi.FFEffect) error {
	if e.Type != uapi.FFRumble {
		return unix.EINVAL
	}
	if e.ID == -1 {
		for i := range m.effects {
			if m.effects[i].owner == nil {
				e.ID = int16(i)
				m.effects[i] = effect{FFEffect: *e, owner: f}
				return nil
			}
		}
		return unix.ENOSPC
	}
	switch {
	case e.ID < 0 || e.ID >= effects || m.effects[e.ID].owner == nil:
		return unix.EINVAL
	case m.effects[e.ID].owner != f:
		return unix.EACCES
	}
	own := &m.effects[e.ID]
	m.settle(own)
	own.FFEffect, own.from = *e, m.kernel.clock()
	return nil
}

// event is input_ff_event: anybody may begin and end an effect.
func (m *motor) event(code uint16, value int32) {
	switch {
	case code == uapi.FFGain && value >= 0 && value <= 0xffff:
		m.gain = uint16(value)
	case code < effects && m.effects[code].owner != nil:
		m.effects[code].left, m.effects[code].from = max(value, 0), m.kernel.clock()
	}
}

// flush is flush_effects: what a reader has sent is removed.
func (m *motor) flush(f *evdevFile) {
	for i := range m.effects {
		if m.effects[i].owner == f {
			m.effects[i] = effect{}
		}
	}
}

// settle ends an effect whose time is over. A length of 0 is for ever.
func (m *motor) settle(e *effect) {
	length := time.Duration(e.Length) * time.Millisecond
	for e.left > 0 && length > 0 && m.kernel.clock() >= e.from+length {
		e.left--
		e.from += length
	}
}

// Rumbling tells how strongly a device's motor runs, from 0 to 65535: that of all effects together, as ml_combine_effects has it.
func (k *Kernel) Rumbling(device string) uint16 {
	k.mu.Lock()
	defer k.mu.Unlock()
	m, sum := k.inputs[device].motor, uint32(0)
	for i := range m.effects {
		e := &m.effects[i]
		if m.settle(e); e.left > 0 && !k.inputs[device].gone {
			sum += uint32(e.Strong) * uint32(m.gain) / 0xffff
		}
	}
	return uint16(min(sum, 0xffff))
}
