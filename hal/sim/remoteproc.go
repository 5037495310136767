package sim

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Processor is a remote processor to add to the board.
type Processor struct {
	Name     string
	Firmware string   // that its driver asks for
	Files    []string // firmware that there is; a start with another one fails
	// Detached says that somebody started it before Linux: a start attaches Linux to it.
	Detached bool
	// Clients are how many drivers of Linux need it while it runs, beside whoever starts it.
	Clients int
	// ReadOnly lets nobody control it from user space, as its driver alone does.
	ReadOnly bool
	// StaysDown keeps one down that crashed, until somebody recovers it.
	StaysDown bool
}

// processor follows drivers/remoteproc/remoteproc_sysfs.c and remoteproc_core.c.
type processor struct {
	Processor
	state string
	power int // how many need it to run, those included that started what runs already
}

// AddProcessor adds a remote processor and gives its name in /sys: remoteproc0.
func (k *Kernel) AddProcessor(p Processor) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	name := k.number("remoteproc")
	n := k.newDevice(OnPlatform, "/sys/class/remoteproc", name, func() { k.AddProcessor(p) })
	d := &processor{Processor: p, state: "offline"}
	if p.Detached {
		d.state = "detached"
	}
	k.devices[name].hardware = d
	n.add("name", constant(p.Name))
	for file, store := range map[string]func(string) error{"state": d.command, "firmware": d.setFirmware, "recovery": d.setRecovery} {
		a := &attribute{d.show(file), store}
		if p.ReadOnly {
			a.store = nil
		}
		n.add(file, a)
	}
	k.appear(name)
	return name
}

func (d *processor) show(file string) func() (string, error) {
	return func() (string, error) {
		text := d.state
		switch {
		case file == "firmware" && d.state == "attached":
			text = "unknown"
		case file == "firmware":
			text = d.Firmware
		case file == "recovery":
			text = map[bool]string{true: "disabled", false: "enabled"}[d.StaysDown]
		}
		return text + "\n", nil
	}
}

func (d *processor) runs() bool { return d.state == "running" || d.state == "attached" }

func (d *processor) command(text string) error {
	switch strings.TrimSuffix(text, "\n") {
	case "start":
		return d.boot()
	case "stop":
		return d.shutdown()
	case "detach":
		return d.detach()
	}
	return unix.EINVAL
}

// boot does nothing, and says that it worked, where somebody needs the processor already: whether that runs or has crashed.
func (d *processor) boot() error {
	if d.power++; d.power > 1 {
		return nil
	}
	if d.state == "detached" {
		d.state = "attached"
	} else if err := d.load(); err != nil {
		d.power--
		return err
	}
	d.power += d.Clients
	return nil
}

func (d *processor) load() error {
	if !slices.Contains(d.Files, d.Firmware) {
		return unix.ENOENT
	}
	d.state = "running"
	return nil
}

// shutdown stops the processor when nobody needs it any more, and says in any case that it worked.
func (d *processor) shutdown() error {
	if !d.runs() {
		return unix.EINVAL
	}
	if d.power--; d.power == 0 {
		d.state = "offline"
	}
	return nil
}

func (d *processor) detach() error {
	if d.state != "attached" {
		return unix.EINVAL
	}
	if d.power--; d.power == 0 {
		d.state = "detached"
	}
	return nil
}

// setRecovery takes its three words, and does not say whether a recovery worked.
func (d *processor) setRecovery(text string) error {
	switch strings.TrimSuffix(text, "\n") {
	case "enabled":
		d.StaysDown = false
		d.recover()
	case "disabled":
		d.StaysDown = true
	case "recover":
		d.recover()
	default:
		return unix.EINVAL
	}
	return nil
}

// recover stops a processor that crashed, and starts it again. One that cannot be started stays off, while those who needed it still do.
func (d *processor) recover() {
	if d.state == "crashed" {
		d.state = "offline"
		_ = d.load()
	}
}

func (d *processor) setFirmware(text string) error {
	name, _, _ := strings.Cut(text, "\n")
	switch {
	case d.state != "offline":
		return unix.EBUSY
	case name == "":
		return unix.EINVAL
	}
	d.Firmware = name
	return nil
}

// Crash lets a processor that runs crash, by its name in /sys. The kernel recovers it at once, unless it is to stay down. A test that names one that does not run is wrong, and panics.
func (k *Kernel) Crash(device string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	d := k.devices[device].hardware.(*processor)
	if !d.runs() {
		panic(fmt.Sprintf("sim: %s is %s and cannot crash", device, d.state))
	}
	if d.state = "crashed"; !d.StaysDown {
		d.recover()
	}
}

// RemoveFirmware takes firmware away from a processor, as from a disk.
func (k *Kernel) RemoveFirmware(device, file string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	d := k.devices[device].hardware.(*processor)
	d.Files = slices.DeleteFunc(slices.Clone(d.Files), func(f string) bool { return f == file })
}
