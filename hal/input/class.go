package input

import (
	"errors"
	"math"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/uapi"
)

// Driver joins the class to the board.
func Driver() hal.Driver {
	return hal.Driver{
		Class:  class,
		Tables: []hal.Table{hal.NewTable[entry]("input", "A device of /dev/input.")},
		Open:   Open,
	}
}

// entry is an [input.ID] of board.toml.
type entry struct{ Name string }

func (e *entry) Fields(f *hal.Fields) {
	f.Text("name", &e.Name, "The driver's name for the device, or where it is plugged in: Name or Phys of /proc/bus/input/devices.")
}

// Place is the device that the entry is about.
func (e *entry) Place() string { return e.Name }

// Check finds what contradicts itself.
func (e *entry) Check() error {
	if e.Name == "" {
		return errors.New("name must not be empty")
	}
	return nil
}

// Open finds the devices, and opens none of them.
func Open(env *hal.Env) (*hal.Class, error) {
	r := newRoster(env)
	return r.Class(&hal.Class{
		Name: class, Doc: "Keys, switches, touch screens and other devices of input.", Methods: methods(r.Set),
		Subsystems: []string{"input"},
	})
}

func methods(devices *hal.Set[*Device]) []*hal.Method {
	return []*hal.Method{
		hal.OnLater(devices, hal.Configure, "Lease", "Hands over a descriptor of the device, for reading: each read gives whole struct input_event of linux/input.h, with times of CLOCK_MONOTONIC, or EAGAIN where there is none (O_NONBLOCK is set). "+
			"Events cannot be written through it, neither to light the device's own LEDs nor to play as if a key was pressed; its other requests (EVIOC…) are the holder's to make.\n"+
			"The device stays everybody's: several may have a descriptor, and others may watch. Each sees every event, unless one of them grabs the device (EVIOCGRAB): then nobody else does, until that one's lease ends. "+
			"It ends with the caller's connection, or with Board.Release: the descriptor is revoked, and reads answer ENODEV. NotSupported{lease} on a simulated board. It blocks as long as the driver does; Timeout after 5 s.", (*Device).lease),
		hal.Follow(devices, hal.Configure, "Watch", "Reports which keys are down and which switches are on, and then each event, with what is down and on after it: where events were skipped, that is still right. "+
			"After the kernel has lost events for want of room, the state is reported without an event. While somebody has grabbed the device nothing is reported.", (*Device).getState, (*Device).startWatch),
	}
}

type leaseOut struct{ File hal.File }

func (r *leaseOut) Fields(f *hal.Fields) {
	f.File("fileDescriptor", &r.File, "The device.")
}

func (d *Device) lease(h hal.Holder, _ *hal.None, out *leaseOut, done func(error)) {
	d.lend(h, &out.File, done)
}

var kinds = []string{"other", "key", "relative", "absolute", "misc", "switch", "led", "sound"}

// kindOf names a type of events.
func kindOf(number uint16) string {
	switch number {
	case uapi.InputKey:
		return "key"
	case uapi.InputRel:
		return "relative"
	case uapi.InputAbs:
		return "absolute"
	case uapi.InputMisc:
		return "misc"
	case uapi.InputSwitch:
		return "switch"
	case uapi.InputLED:
		return "led"
	case uapi.InputSound:
		return "sound"
	}
	return "other"
}

// event is a state, and the event that led to it, where there is one.
type event struct {
	device      string
	state       state
	kind        hal.Opt[string]
	code, value hal.Opt[int64]
	time        hal.Opt[int64]
}

func (e *event) Fields(f *hal.Fields) {
	keys, switches := codes(e.state.keys[:]), codes(e.state.switches[:])
	f.Text("device", &e.device, "The device.")
	f.Ints("keys", &keys, 0, uapi.InputKeys, hal.Unitless, "The codes of the keys that are down, as linux/input-event-codes.h numbers them: KEY_POWER is 116.")
	f.Ints("switches", &switches, 0, uapi.InputSwitches, hal.Unitless, "The codes of the switches that are on.")
	f.OptEnum("type", &e.kind, kinds, "Of an event: what kind it is. A state that no event led to has none.")
	f.OptIntIn("code", &e.code, 0, math.MaxUint16, hal.Unitless, "Of an event: which key, axis or switch.")
	f.OptIntIn("value", &e.value, math.MinInt32, math.MaxInt32, hal.Unitless, "Of a key: 1 pressed, 0 released, 2 repeated. Of others: where it is, or by how much it moved.")
	f.OptIntIn("timestampNSec", &e.time, 0, math.MaxInt64, hal.Nanoseconds, "When the kernel had the event, by CLOCK_MONOTONIC, in steps of 1000.")
}

func (d *Device) getState(_ *hal.None, out *event) error {
	now, err := d.look()
	*out = event{device: d.id, state: now}
	return d.refuse(err)
}

func (d *Device) startWatch(_ *hal.None, w *hal.Watcher[event]) (stop func(), err error) {
	return d.watch(w)
}
