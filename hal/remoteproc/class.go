package remoteproc

import (
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
	if err := r.Begin(); err != nil {
		return nil, err
	}
	return &hal.Class{
		Name: class, Doc: "Processors beside the one that Linux runs on.", Methods: methods(r.Set), Devices: r.Set, Close: r.Close,
		Subsystems: []string{"remoteproc"}, Rescan: r.Rescan,
	}, nil
}

func methods(all *hal.Set[*Processor]) []*hal.Method {
	return []*hal.Method{
		hal.On(all, hal.Observe, "Get", "Reads what a processor does, and its firmware.", (*Processor).get),
		hal.On(all, hal.Hazard, "Start", "Loads the firmware and starts the processor; one that runs is left alone. It answers once the processor was started, or could not be: "+
			"where the kernel finds no firmware of that name, the answer is io.systemd.System with ENOENT, and the processor is as it was.", (*Processor).on),
		hal.On(all, hal.Hazard, "Stop", "Stops the processor; one that does not run is left alone.", (*Processor).off),
		hal.On(all, hal.Configure, "SetFirmware", "Names the firmware that the next Start loads, from the kernel's folders of firmware. Busy while the processor runs.", (*Processor).setFirmware),
		hal.Follow(all, hal.Observe, "Watch", "Reports what a processor does, and its firmware. What Halberd changes is reported at once, a crash within a second.", (*Processor).getEvent, (*Processor).startWatch),
	}
}

// states are the kernel's, and unknown for those of a newer one.
var states = []string{"unknown", "offline", "suspended", running, "crashed", "deleted", attached, "detached", "invalid"}

type getOut struct{ Name, State, Firmware string }

func (r *getOut) Fields(f *hal.Fields) {
	f.Text("name", &r.Name, "The driver's name for the processor.")
	f.Enum("state", &r.State, states, "What it does.")
	f.Text("firmware", &r.Firmware, "The firmware that it runs, or will be started with.")
}

// known gives one of the states.
func known(name string) string {
	for _, s := range states {
		if s == name {
			return s
		}
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

func (p *Processor) on(_, _ *hal.None) error  { return p.turn(true) }
func (p *Processor) off(_, _ *hal.None) error { return p.turn(false) }

type firmwareIn struct{ Firmware string }

func (in *firmwareIn) Fields(f *hal.Fields) {
	f.Text("firmware", &in.Firmware, "The name of a file, without a folder.")
}

func (p *Processor) setFirmware(in *firmwareIn, _ *hal.None) error {
	if err := sysfs.CheckName(in.Firmware); err != nil {
		return &hal.InvalidParameter{Parameter: "firmware", What: "must be the name of a file, without a folder"}
	}
	return p.load(in.Firmware)
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
