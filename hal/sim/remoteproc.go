package sim

import (
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Processor is a remote processor to add to the board.
type Processor struct {
	Name     string
	Firmware string   // that its driver asks for
	Files    []string // firmware that there is; a start with another one fails
}

// processor follows drivers/remoteproc/remoteproc_sysfs.c and remoteproc_core.c.
type processor struct {
	Processor
	state string
}

// AddProcessor adds a remote processor and gives its name in /sys: remoteproc0.
func (k *Kernel) AddProcessor(p Processor) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	name := k.number("remoteproc")
	n := k.newDevice(OnPlatform, "/sys/class/remoteproc", name, func() { k.AddProcessor(p) })
	d := &processor{Processor: p, state: "offline"}
	k.processors[name] = d
	n.add("name", constant(p.Name))
	n.add("state", &attribute{func() (string, error) { return d.state + "\n", nil }, d.command})
	n.add("firmware", &attribute{func() (string, error) { return d.Firmware + "\n", nil }, d.setFirmware})
	k.appear(name)
	return name
}

func (d *processor) runs() bool { return d.state == "running" || d.state == "attached" }

func (d *processor) command(text string) error {
	switch strings.TrimSuffix(text, "\n") {
	case "start":
		return d.start()
	case "stop":
		if !d.runs() {
			return unix.EINVAL
		}
		d.state = "offline"
		return nil
	}
	return unix.EINVAL
}

// start boots it. A crashed one is not started: rproc_boot leaves that to its recovery.
func (d *processor) start() error {
	switch {
	case d.runs():
		return unix.EBUSY
	case d.state == "crashed":
		return unix.EINVAL
	case !slices.Contains(d.Files, d.Firmware):
		return unix.ENOENT
	}
	d.state = "running"
	return nil
}

func (d *processor) setFirmware(text string) error {
	name := strings.TrimSuffix(text, "\n")
	switch {
	case d.state != "offline" && d.state != "detached":
		return unix.EBUSY
	case name == "":
		return unix.EINVAL
	}
	d.Firmware = name
	return nil
}

// Crash lets a processor crash, by its name in /sys.
func (k *Kernel) Crash(device string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.processors[device].state = "crashed"
}
