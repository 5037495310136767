package pwm

import (
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

// maxChannel is the highest number of a channel.
const maxChannel = math.MaxUint16

// entry is a [pwm.ID] of board.toml.
type entry struct {
	Chip       string
	Channel    int64
	PeriodNSec hal.Opt[int64]
	Polarity   hal.Opt[string]
	Output     hal.Output
}

func (e *entry) Fields(f *hal.Fields) {
	f.Text("chip", &e.Chip, "The name of the chip's parent, as fe20c000.pwm, or the path of either in /sys where names repeat.")
	f.IntIn("channel", &e.Channel, 0, maxChannel, hal.Unitless, "The channel's number in its chip.")
	f.OptIntIn("period-nsec", &e.PeriodNSec, 1, math.MaxInt64, hal.Nanoseconds, "The period that a channel has which is off when Halberd starts; initial and safe need it, and set it.")
	f.OptEnum("polarity", &e.Polarity, polarities, "The polarity that a channel has which is off when Halberd starts. initial and safe set it, too, and mean the normal one without it.")
	e.Output.Fields(f, 0, math.MaxInt64, hal.Unitless)
}

// Place is the channel that the entry is about, as far as that can be told without the chip.
func (e *entry) Place() string { return e.Chip + " " + strconv.FormatInt(e.Channel, 10) }

// Check finds what contradicts itself.
func (e *entry) Check() error {
	for _, v := range []hal.Opt[int64]{e.Output.Initial, e.Output.Safe} {
		switch {
		case v.Set && !e.PeriodNSec.Set:
			return errors.New("initial and safe need a period-nsec")
		case v.Set && v.Value > e.PeriodNSec.Value:
			return fmt.Errorf("a duty of %d ns is longer than the period, %d ns", v.Value, e.PeriodNSec.Value)
		}
	}
	if e.Polarity.Set && !e.PeriodNSec.Set {
		return errors.New("polarity needs a period-nsec")
	}
	return e.Output.Check()
}

// output is how the channel is set for a duty that board.toml has.
func (e *entry) output(duty int64) state {
	return state{e.PeriodNSec.Value, duty, e.Polarity.Or(normal), true}
}

// chip is a PWM chip as it was found.
type chip struct {
	path     string // where the class has it: /sys/class/pwm/pwmchip0
	dir      string // its folder below /sys/devices
	inode    uint64 // of that
	parent   string // the folder of the device that it is a part of
	bus      string
	channels int64
}

// name is what the chip is called, unlike its number in /sys.
func (c *chip) name() string { return path.Base(c.parent) }

func findChip(k hal.Kernel, name string) (*chip, error) {
	c := &chip{path: folder + "/" + name}
	var err error
	if c.inode, err = k.Inode(c.path); err != nil {
		return nil, err
	}
	if c.dir, err = sysfs.Resolve(k, c.path); err != nil {
		return nil, err
	}
	if c.parent, err = sysfs.Resolve(k, c.dir+"/device"); err != nil {
		return nil, err
	}
	text, err := sysfs.Read(k, c.dir+"/npwm")
	if err != nil {
		return nil, err
	}
	c.bus = sysfs.Bus(k, c.dir)
	c.channels, err = strconv.ParseInt(text, 10, 17)
	return c, err
}

// key tells a channel from all others since the system booted.
func (c *Channel) key() string { return fmt.Sprintf("%d/%d", c.inode, c.number) }

// finder finds the channels. It belongs to the loop's goroutine.
type finder struct {
	env    *hal.Env
	ledger *sysfs.Ledger // of the channels that Halberd exported, board.toml's own aside: they stay exported when it ends, and are still its own when it starts again
	chips  []*chip       // of the last look
}

func newRoster(f *finder) *sysfs.Roster[*Channel] {
	return &sysfs.Roster[*Channel]{
		Env: f.env, Set: hal.NewSet[*Channel](class, "channel"), Noun: "PWM channel",
		Places: f.places, Means: f.means, Open: f.open,
	}
}

// check finds an entry whose chip is there, but has no such channel.
func (f *finder) check() error {
	for i := range f.env.Entries {
		e := &f.env.Entries[i]
		v := e.Value.(*entry)
		for _, c := range f.chips {
			if f.called(c, v.Chip) && v.Channel >= c.channels {
				return e.Unfit("%s has no channel %d: there are %d, from 0", v.Chip, v.Channel, c.channels)
			}
		}
	}
	return nil
}

// places lists the channels of all chips. Those of chips of one name have none, so that only board.toml can name them. A chip that cannot be read is a place of its own.
func (f *finder) places() (all []sysfs.Place, err error) {
	names, err := sysfs.List(f.env.Kernel, folder)
	if err != nil {
		return nil, err
	}
	f.chips = nil
	for _, name := range names {
		c, err := findChip(f.env.Kernel, name)
		if err != nil {
			all = append(all, sysfs.Place{Path: folder + "/" + name, Err: err})
			continue
		}
		f.chips = append(f.chips, c)
	}
	for _, c := range f.chips {
		unique := !slices.ContainsFunc(f.chips, func(other *chip) bool { return other != c && other.name() == c.name() })
		for n := range c.channels {
			p := sysfs.Place{Path: c.path, Part: strconv.FormatInt(n, 10)}
			switch {
			case unique:
				p.Name = c.name() + "/" + p.Part
			case n == 0:
				p.Name = c.name() // several have this one: it is said, and none gets it
			}
			all = append(all, p)
		}
	}
	return all, nil
}

// called reports whether board.toml means a chip by a word: its parent's name, its own, or the path of either.
func (f *finder) called(c *chip, word string) bool {
	if !strings.HasPrefix(word, "/") {
		return word == c.name() || word == path.Base(c.path)
	}
	dir, err := sysfs.Resolve(f.env.Kernel, word)
	return err == nil && (dir == c.dir || dir == c.parent)
}

// at is the chip of a place.
func (f *finder) at(p sysfs.Place) *chip {
	return f.chips[slices.IndexFunc(f.chips, func(c *chip) bool { return c.path == p.Path })]
}

func (f *finder) means(e *hal.Entry, p sysfs.Place) bool {
	v := e.Value.(*entry)
	return strconv.FormatInt(v.Channel, 10) == p.Part && f.called(f.at(p), v.Chip)
}

func (f *finder) open(id string, p sysfs.Place, e *hal.Entry) (*Channel, error) {
	number, err := strconv.ParseInt(p.Part, 10, 64)
	if err != nil {
		return nil, err
	}
	c := &Channel{chip: f.at(p), id: id, number: number, env: f.env, ledger: f.ledger}
	if e != nil {
		c.entry = e.Value.(*entry)
	}
	_, before := f.ledger.Noted(c.key())
	c.ours = e != nil || before
	return c, nil
}
