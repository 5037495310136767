// Package remoteproc is the class Remoteproc: the processors beside the one that Linux runs on, of /sys/class/remoteproc.
//
// Starting one loads its firmware, which may wait for a disk and for the processor, and stopping one may wait for it to shut down: so each has a worker of its own.
//
// Minimum kernel: Linux 5.2, where the class can be written. Source: Linux Documentation/staging/remoteproc.rst and ABI/testing/sysfs-class-remoteproc.
package remoteproc

import (
	"path"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

const (
	class  = "Remoteproc"
	folder = "/sys/class/remoteproc"

	// period is how often a processor that is watched is looked at: the kernel tells nobody that one crashed.
	period = time.Second
)

// The states of the kernel that a processor runs in.
const (
	running  = "running"
	attached = "attached"
)

// Processor is one processor.
type Processor struct {
	id, dir string
	name    string // the kernel's
	entry   string // of /sys/class/remoteproc: remoteproc0
	env     *hal.Env
	changes *hal.Sampler[state]

	guard    hal.Guard // of what follows
	state    *sysfs.Attribute
	firmware *sysfs.Attribute
}

// state is what changes about a processor.
type state struct{ name, firmware string }

func (s state) same(now state) bool { return s == now }

// ID is the name in board.toml, else the kernel's.
func (p *Processor) ID() string { return p.id }

// Bus names the processor's own worker.
func (p *Processor) Bus() string { return p.entry }

// Declaration is the processor's table in board.toml.
func (p *Processor) Declaration() string {
	return hal.Declaration("remoteproc", p.id, hal.TextKey("name", p.name))
}

func newRoster(env *hal.Env) *sysfs.Roster[*Processor] {
	return &sysfs.Roster[*Processor]{
		Env: env, Set: hal.NewSet[*Processor](class, "processor"), Noun: "remote processor",
		// The number of an entry follows the order in which drivers were loaded.
		Places: func() ([]sysfs.Place, error) { return sysfs.Named(env.Kernel, folder, "name") },
		Means:  func(e *hal.Entry, p sysfs.Place) bool { return e.Value.(*entry).Name == p.Name },
		Open:   func(id string, p sysfs.Place, _ *hal.Entry) (*Processor, error) { return open(env, id, p) },
	}
}

func open(env *hal.Env, id string, at sysfs.Place) (*Processor, error) {
	dir, err := sysfs.Resolve(env.Kernel, at.Path)
	if err != nil {
		return nil, err
	}
	p := &Processor{id: id, name: at.Name, entry: path.Base(at.Path), dir: dir, env: env}
	p.changes = hal.NewSampler(env, class, p, period, p.read, state.same)
	if p.state, err = sysfs.Open(env.Kernel, dir+"/state", unix.O_RDWR); err == nil {
		p.firmware, err = sysfs.Open(env.Kernel, dir+"/firmware", unix.O_RDWR)
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// Start has nothing to do: no processor is started by the daemon's start.
func (p *Processor) Start(bool) {}

// Unplug lets go of a processor that is gone, and tells its watchers.
func (p *Processor) Unplug() {
	p.Close()
	p.changes.Unplug()
}

// Close lets go of the processor, and leaves it as it is.
func (p *Processor) Close() {
	p.changes.Close()
	p.guard.Close(p.entry, func() {
		p.state.Close()
		p.firmware.Close()
	})
}

func (p *Processor) read() (now state, err error) {
	err = p.guard.Do(func() (err error) {
		if now.name, err = p.state.ReadText(); err == nil {
			now.firmware, err = p.firmware.ReadText()
		}
		return err
	})
	return now, err
}

// turn starts or stops the processor, unless it is so already.
func (p *Processor) turn(on bool) error {
	command := map[bool]string{true: "start", false: "stop"}[on]
	err := p.guard.Do(func() error {
		now, err := p.state.ReadText()
		if err != nil || on == (now == running || now == attached) {
			return err
		}
		return p.state.WriteText(command)
	})
	p.note()
	return hal.Refuse(class, p.id, err)
}

// load names the firmware for the next start.
func (p *Processor) load(name string) error {
	err := p.guard.Do(func() error { return p.firmware.WriteText(name) })
	p.note()
	return hal.Refuse(class, p.id, err)
}

// note tells the watchers what is so now.
func (p *Processor) note() {
	if now, err := p.read(); err == nil {
		p.changes.Note(now)
	}
}
