package remoteproc

import (
	"slices"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

// Driver joins the class to the board.
func Driver() hal.Driver {
	return hal.Driver{
		Class:  class,
		Tables: []hal.Table{hal.NewTable[entry]("remoteproc", "A processor of /sys/class/remoteproc.")},
		Open:   Open,
	}
}

// entry is a [remoteproc.ID] of board.toml.
type entry struct{ Name string }

func (e *entry) Fields(f *hal.Fields) {
	f.Text("name", &e.Name, "The driver's name for the processor, as its attribute name has it.")
}

// Place is the processor that the entry is about.
func (e *entry) Place() string { return e.Name }

// Open finds the processors.
func Open(env *hal.Env) (*hal.Class, error) {
	r := newRoster(env)
	return r.Class(&hal.Class{
		Name: class, Doc: "Processors beside the one that Linux runs on.", Methods: methods(r.Set),
		Subsystems: []string{"remoteproc"},
	})
}

func methods(all *hal.Set[*Processor]) []*hal.Method {
	return []*hal.Method{
		hal.On(all, hal.Observe, "Get", "Reads what a processor does, and its firmware.", (*Processor).get),
		hal.On(all, hal.Hazard, "Start", "Loads the firmware and starts the processor; one that runs is left alone, one that was started before Linux is attached to, and one that crashed and stays so is recovered, which "+
			"starts it again. It waits until the processor was started, or could not be. After 5 s the answer is Timeout, and the start goes on: watch the processor.\n"+
			"NotSupported{start} where the driver keeps the control to itself, and NotSupported{recovery} for one that crashed where the kernel is older than 5.11. Busy where the processor stays off because the kernel takes it "+
			"to be needed already. io.systemd.System with ENOENT where the kernel finds no firmware of that name, when the processor is as it was, and with EIO where a recovery failed, when it is off or crashed.", (*Processor).on),
		hal.On(all, hal.Hazard, "Stop", "Stops the processor; one that is off is left alone. It waits until it was stopped, as Start does.\n"+
			"NotSupported{stop} where the driver keeps the control to itself. Busy where a driver of the kernel needs the processor: that goes on, but runs no longer than that driver needs it. "+
			"io.systemd.System with EINVAL for one that crashed or that Linux is not attached to.", (*Processor).off),
		hal.On(all, hal.Configure, "SetFirmware", "Names the firmware that the next Start loads, from the kernel's folders of firmware; whether it is there, only Start finds out. Busy unless the processor is off, and "+
			"NotSupported{firmware} where the driver keeps the control to itself.", (*Processor).setFirmware),
		hal.Follow(all, hal.Observe, "Watch", "Reports what a processor does, and its firmware. What Halberd changes is reported at once, a crash within a second, unless the kernel recovers the processor in between.",
			(*Processor).getEvent, (*Processor).startWatch),
	}
}

// states are the kernel's, and unknown for those of a newer one.
var states = []string{"unknown", offline, "suspended", running, crashed, "deleted", attached, detached, "invalid"}

type getOut struct{ Name, State, Firmware string }

func (r *getOut) Fields(f *hal.Fields) {
	f.Text("name", &r.Name, "The driver's name for the processor.")
	f.Enum("state", &r.State, states, "What it does, in the kernel's words: attached is running since before Linux, detached the same without Linux having to do with it.")
	f.Text("firmware", &r.Firmware, "The firmware that it runs, or will be started with; unknown where it was started before Linux.")
}

// known gives one of the states.
func known(name string) string {
	if slices.Contains(states, name) {
		return name
	}
	return states[0]
}

func (p *Processor) get(_ *hal.None, out *getOut) error {
	now, err := p.read()
	if err == nil {
		p.changes.Note(now)
		*out = getOut{p.name, known(now.name), now.firmware}
	}
	return hal.Refuse(class, p.id, err)
}

func (p *Processor) on(_, _ *hal.None) error  { return p.change("start", p.start) }
func (p *Processor) off(_, _ *hal.None) error { return p.change("stop", p.stop) }

type firmwareIn struct{ Firmware string }

func (in *firmwareIn) Fields(f *hal.Fields) {
	f.Text("firmware", &in.Firmware, "The name of a file, without a folder: letters, digits and ._:@+- alone.")
}

func (p *Processor) setFirmware(in *firmwareIn, _ *hal.None) error {
	if err := sysfs.CheckName(in.Firmware); err != nil {
		return &hal.InvalidParameter{Parameter: "firmware", What: "must be the name of a file, without a folder, of letters, digits and ._:@+-"}
	}
	return p.change("firmware", func(state) error { return p.firmware.WriteText(in.Firmware) })
}

type event struct {
	Processor string
	getOut
}

func (e *event) Fields(f *hal.Fields) {
	f.Text("processor", &e.Processor, "The processor.")
	e.getOut.Fields(f)
}

func (p *Processor) getEvent(_ *hal.None, out *event) error {
	out.Processor = p.id
	return p.get(nil, &out.getOut)
}

func (p *Processor) startWatch(_ *hal.None, w *hal.Watcher[event]) (stop func(), err error) {
	return p.changes.Watch(func(c hal.Sample[state]) {
		if c.Err != nil {
			w.Fail(c.Err)
			return
		}
		w.Emit(&event{p.id, getOut{p.name, known(c.State.name), c.State.firmware}})
	})
}
