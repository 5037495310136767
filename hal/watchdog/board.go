package watchdog

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

// What happens when an app hangs.
const (
	onHangReset = "reset"
	onHangLog   = "log"
)

// maxMSec is the longest timeout that fits the kernel's requests.
const maxMSec = math.MaxInt32 / 1000 * 1000

// entry is a [watchdog.ID] of board.toml.
type entry struct {
	Name                string
	OnHang              hal.Opt[string]
	Arm                 hal.Opt[bool]
	Timeout, Pretimeout hal.Opt[int64]
}

func (e *entry) Fields(f *hal.Fields) {
	f.Text("name", &e.Name, "The kernel's name for the watchdog, in /sys/class/watchdog, or its identity there, or the name of the device that it is a part of.")
	f.OptEnum("on-hang", &e.OnHang, []string{onHangReset, onHangLog}, "What happens when an app hangs: `reset` ends the pings, so that the hardware resets the board; `log` logs it, and goes on. Without it `reset`.")
	f.OptBool("arm", &e.Arm, "Whether Halberd arms the watchdog when it starts. Without it only Arm does.")
	f.OptIntIn("timeout-msec", &e.Timeout, 1000, maxMSec, hal.Milliseconds, "How long the hardware waits for a ping, in whole seconds; without it as long as its driver has it.")
	f.OptIntIn("pretimeout-msec", &e.Pretimeout, 1000, maxMSec, hal.Milliseconds,
		"How long before the reset the kernel is warned, in whole seconds, where the driver can; what it does then is its pretimeout_governor's.")
}

// Place is the watchdog that the entry is about.
func (e *entry) Place() string { return e.Name }

// Check finds what contradicts itself.
func (e *entry) Check() error {
	switch {
	case e.Name == "":
		return errors.New("name must not be empty")
	case e.Timeout.Value%1000 != 0 || e.Pretimeout.Value%1000 != 0:
		return errors.New("the kernel takes whole seconds: timeout-msec and pretimeout-msec must be multiples of 1000")
	case e.Timeout.Set && e.Pretimeout.Value >= e.Timeout.Value:
		return errors.New("pretimeout-msec must be less than timeout-msec")
	}
	return nil
}

// newRoster finds the watchdogs by the kernel's names for them, and board.toml's by any name that they have.
func newRoster(k *keeper) *sysfs.Roster[*Watchdog] {
	var names map[string][]string
	return &sysfs.Roster[*Watchdog]{
		Env: k.env, Set: k.watchdogs, Noun: "watchdog",
		Places: func() (places []sysfs.Place, err error) {
			places, names, err = sysfs.Names(k.env.Kernel, folder, "identity")
			return places, err
		},
		Means: func(e *hal.Entry, p sysfs.Place) bool { return slices.Contains(names[p.Path], e.Value.(*entry).Name) },
		Open:  func(id string, p sysfs.Place, e *hal.Entry) (*Watchdog, error) { return open(k, id, p, e) },
	}
}

// suits expects that the hardware can have the timeout of board.toml, as far as the kernel tells. A greatest timeout of 0 is none.
func (d *Watchdog) suits(e *hal.Entry) error {
	asked := d.board.Timeout
	if !asked.Set {
		return nil
	}
	least, _, err := d.number("min_timeout")
	if err != nil {
		return err
	}
	greatest, _, err := d.number("max_timeout")
	if err != nil {
		return err
	}
	if seconds := asked.Value / 1000; seconds < least || greatest > 0 && seconds > greatest {
		return e.Unfit("the watchdog can have a timeout of %d to %d seconds, not of %d", least, greatest, seconds)
	}
	return nil
}

// ordinal is the number in the kernel's name for a watchdog.
func (d *Watchdog) ordinal() int {
	n, err := strconv.Atoi(strings.TrimPrefix(d.name, "watchdog"))
	if err != nil {
		return math.MaxInt
	}
	return n
}
