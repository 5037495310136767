package input

import (
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
	f.Text("name", &e.Name, "The driver's name for the device, as /proc/bus/input/devices has it.")
}

// Place is the device that the entry is about.
func (e *entry) Place() string { return e.Name }

// Open finds the devices, and opens none of them.
func Open(env *hal.Env) (*hal.Class, error) {
	r := newRoster(env)
	if err := r.Begin(); err != nil {
		return nil, err
	}
	return &hal.Class{
		Name: class, Doc: "Keys, switches, touch screens and other devices of input.", Methods: methods(r.Set), Devices: r.Set, Close: r.Close,
		Subsystems: []string{"input"}, Rescan: r.Rescan,
	}, nil
}

func methods(devices *hal.Set[*Device]) []*hal.Method {
	return []*hal.Method{
		hal.OnLater(devices, hal.Configure, "Lease", "Hands over a descriptor of the device: struct input_event of linux/input.h, with times of CLOCK_MONOTONIC. It does not wait when it is read. "+
			"It is revoked when the caller's connection ends: reads answer ENODEV then. Several may have one at a time, and each sees every event.\nNotSupported{lease} on a simulated board.", (*Device).lease),
		hal.Follow(devices, hal.Configure, "Watch", "Reports which keys are down and which switches are on, and then each event. After events were lost in the kernel, or in between, the state is reported again.", (*Device).getState, (*Device).startWatch),
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

// event is a state, with keys and switches, or an event, with all the rest.
type event struct {
	device         string
	keys, switches hal.Opt[[]int64]
	kind           hal.Opt[string]
	code, value    hal.Opt[int64]
	time           hal.Opt[int64]
}

func (e *event) Fields(f *hal.Fields) {
	f.Text("device", &e.device, "The device.")
	f.OptInts("keys", &e.keys, 0, uapi.InputKeys, hal.Unitless, "In a state: the codes of the keys that are down, as linux/input-event-codes.h has them.")
	f.OptInts("switches", &e.switches, 0, uapi.InputSwitches, hal.Unitless, "In a state: the codes of the switches that are on.")
	f.OptEnum("type", &e.kind, kinds, "Of an event: what kind it is.")
	f.OptIntIn("code", &e.code, 0, math.MaxUint16, hal.Unitless, "Which key, axis or switch.")
	f.OptIntIn("value", &e.value, math.MinInt32, math.MaxInt32, hal.Unitless, "Of a key: 1 pressed, 0 released, 2 repeated. Of others: where it is, or by how much it moved.")
	f.OptInt("timestampNSec", &e.time, hal.Nanoseconds, "When the kernel had it, by CLOCK_MONOTONIC, in steps of 1000.")
}

func (d *Device) getState(_ *hal.None, out *event) (err error) {
	*out, err = d.state()
	return d.refuse(err)
}

func (d *Device) startWatch(_ *hal.None, w *hal.Watcher[event]) (stop func(), err error) {
	return d.watch(w)
}
