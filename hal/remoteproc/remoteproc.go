// Package remoteproc is the class Remoteproc: the processors beside the one that Linux runs on, of /sys/class/remoteproc.
//
// Starting one loads its firmware, which may wait for a disk and for the processor, and stopping one may wait for it to shut down: so each has a worker of its own.
//
// The kernel counts who needs a processor: whoever started it, and drivers of its own. A start of one that somebody needs already, and a stop of one that somebody else still needs, do nothing but count, and the kernel
// says that they worked. So what became of the processor is looked at afterwards, and one that crashed is recovered instead of being started.
//
// Minimum kernel: Linux 5.4, where a processor has a name. Source: Linux Documentation/staging/remoteproc.rst, ABI/testing/sysfs-class-remoteproc and drivers/remoteproc/remoteproc_sysfs.c.
package remoteproc

import (
	"errors"
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

// The kernel's words for what a processor does, as far as it matters here. One that is attached was started before Linux, and one that is detached as well, while Linux has nothing to do with it.
const (
	offline  = "offline"
	running  = "running"
	attached = "attached"
	detached = "detached"
	crashed  = "crashed"
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
	recovery *sysfs.Attribute // nil where there is none, or only to be read
	ours     bool             // to control; else its driver alone does that
}

// state is what changes about a processor.
type state struct{ name, firmware string }

func (s state) same(now state) bool { return s == now }

// runs reports whether the processor runs, as far as Linux has to do with it.
func (s state) runs() bool { return s.name == running || s.name == attached }

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
	if err := p.openAttributes(); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// openAttributes opens what there is. A driver can keep the control of its processor to itself.
func (p *Processor) openAttributes() (err error) {
	flags := unix.O_RDWR
	if p.state, err = sysfs.Open(p.env.Kernel, p.dir+"/state", flags); errors.Is(err, unix.EACCES) {
		flags = unix.O_RDONLY
		p.state, err = sysfs.Open(p.env.Kernel, p.dir+"/state", flags)
	}
	if err != nil {
		return err
	}
	p.ours = flags == unix.O_RDWR
	if p.firmware, err = sysfs.Open(p.env.Kernel, p.dir+"/firmware", flags); err != nil || !p.ours {
		return err
	}
	if p.recovery, err = sysfs.Open(p.env.Kernel, p.dir+"/recovery", unix.O_WRONLY); sysfs.Missing(err) {
		return nil // before Linux 5.11
	}
	return err
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
		p.recovery.Close()
	})
}

func (p *Processor) read() (now state, err error) {
	err = p.guard.Do(func() (err error) {
		now, err = p.look()
		return err
	})
	return now, err
}

func (p *Processor) look() (now state, err error) {
	if now.name, err = p.state.ReadText(); err == nil {
		now.firmware, err = p.firmware.ReadText()
	}
	return now, err
}

// change changes something that a feature is named after, reads the state again and tells the watchers.
func (p *Processor) change(feature string, do func(before state) error) error {
	err := p.guard.Do(func() error {
		if !p.ours {
			return &hal.NotSupported{Feature: feature}
		}
		before, err := p.look()
		if err != nil {
			return err
		}
		return do(before)
	})
	if now, unread := p.read(); unread == nil {
		p.changes.Note(now)
	}
	return hal.Refuse(class, p.id, err)
}

// start starts the processor, unless it runs already. One that somebody needs, and that is off all the same, is not started by the kernel.
func (p *Processor) start(before state) error {
	switch {
	case before.runs():
		return nil
	case before.name == crashed:
		return p.recover()
	}
	if err := p.state.WriteText("start"); err != nil {
		return err
	}
	now, err := p.look()
	if err == nil && (now.name == offline || now.name == detached) {
		err = unix.EBUSY
	}
	return err
}

// recover lets the kernel start a processor again that crashed. It does not say whether that worked.
func (p *Processor) recover() error {
	if p.recovery == nil {
		return &hal.NotSupported{Feature: "recovery"}
	}
	if err := p.recovery.WriteText("recover"); err != nil {
		return err
	}
	now, err := p.look()
	if err == nil && !now.runs() {
		err = unix.EIO
	}
	return err
}

// stop stops the processor, unless it is off already. One that a driver needs goes on.
func (p *Processor) stop(before state) error {
	if before.name == offline {
		return nil
	}
	if err := p.state.WriteText("stop"); err != nil {
		return err
	}
	now, err := p.look()
	if err == nil && now.runs() {
		err = unix.EBUSY
	}
	return err
}
