package pwm

import (
	"math"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

// Driver joins the class to the board.
func Driver() hal.Driver {
	return hal.Driver{
		Class: class,
		Tables: []hal.Table{hal.NewTable[entry]("pwm",
			"A channel of a PWM chip, which is exported at the start. Its initial and safe values are the duty in ns, on a channel that is switched on: 0 is the inactive level.")},
		Open: Open,
	}
}

// Open finds the chips, exports the channels of board.toml, and sets them as that has them for the start.
func Open(env *hal.Env) (*hal.Class, error) {
	f := &finder{env: env, ledger: sysfs.OpenLedger(env, "pwm-exported", "channels that are exported are busy after a restart")}
	r := newRoster(f)
	if _, err := f.places(); err != nil {
		return nil, err
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	return r.Class(&hal.Class{
		Name: class, Doc: "Channels of PWM chips.", Methods: methods(r.Set),
		Safe: hal.SafeOutputs(r.Set, (*Channel).safeValue, (*Channel).bringSafe), Subsystems: []string{"pwm"},
	})
}

func methods(channels *hal.Set[*Channel]) []*hal.Method {
	return []*hal.Method{
		hal.On(channels, hal.Observe, "Get", "Reads how a channel is set, as the kernel was asked for it; hardware may round the times.\n"+
			"NotSupported{export} for a channel that nobody has exported yet, of which nothing can be read. Set and SetPolarity export it; one that board.toml declares is exported at the start.", (*Channel).get),
		hal.On(channels, hal.Control, "Set", "Sets the times of a channel and switches it on or off, at least one of the three; what is left out stays as it is. A channel that was never set needs a period first.\n"+
			"Busy for a channel that a driver of the kernel uses or that somebody else exported. What a driver cannot do beyond that is the kernel's own error, EINVAL as a rule.\n"+
			"It takes several steps, which wait for the hardware: a channel to be switched off is so first, one to be switched on is so last, and between a new period and a new duty a channel that "+
			"is on is never active for a greater share of its period than before or afterwards. Where a step fails, those before it hold: the channel is off where it was to go on or off, "+
			"else it has one of the two new times.", (*Channel).set),
		hal.On(channels, hal.Configure, "SetPolarity", "Turns the signal around. A channel that is on is switched off for it for a moment. Where the chip cannot, NotSupported with the polarity, and the channel "+
			"goes on as it was; where switching on again fails, it is left off.\n"+
			"NotSupported{period} for a channel that has no period yet.", (*Channel).setPolarity),
	}
}

type getOut struct {
	Period, Duty int64
	Polarity     string
	Enabled      bool
}

func (r *getOut) Fields(f *hal.Fields) {
	f.IntIn("periodNSec", &r.Period, 0, math.MaxInt64, hal.Nanoseconds, "The period; 0 where none was set yet.")
	f.IntIn("dutyNSec", &r.Duty, 0, math.MaxInt64, hal.Nanoseconds, "For how long of each period the signal is active.")
	f.Enum("polarity", &r.Polarity, polarities, "Whether active is the high level (normal) or the low one (inversed).")
	f.Bool("enabled", &r.Enabled, "Whether the channel is on. What level one has that is off, its driver decides; at a duty of 0 it is the inactive one.")
}

func (c *Channel) get(_ *hal.None, out *getOut) error {
	var now state
	err := c.guard.Do(func() (err error) {
		now, err = c.read()
		return err
	})
	*out = getOut{now.period, now.duty, now.polarity, now.enabled}
	return hal.Refuse(class, c.id, err)
}

type setIn struct {
	Period, Duty hal.Opt[int64]
	Enabled      hal.Opt[bool]
}

func (p *setIn) Fields(f *hal.Fields) {
	f.OptIntIn("periodNSec", &p.Period, 1, math.MaxInt64, hal.Nanoseconds, "The period, not shorter than the duty.")
	f.OptIntIn("dutyNSec", &p.Duty, 0, math.MaxInt64, hal.Nanoseconds, "For how long of each period the signal is active, not longer than the period.")
	f.OptBool("enabled", &p.Enabled, "Whether the channel is on.")
}

func (c *Channel) set(in *setIn, _ *hal.None) error {
	if !in.Period.Set && !in.Duty.Set && !in.Enabled.Set {
		return &hal.InvalidParameter{Parameter: "parameters", What: "at least one of periodNSec, dutyNSec and enabled has to be given"}
	}
	if in.Period.Set && in.Duty.Value > in.Period.Value {
		return tooLong(in.Period.Value)
	}
	err := c.guard.Do(func() error { return c.change(in.from) })
	return hal.Refuse(class, c.id, err)
}

func tooLong(period int64) error { return &hal.OutOfRange{Parameter: "dutyNSec", Maximum: period} }

// from is what the parameters make of a state, or why they cannot.
func (p *setIn) from(now state) (state, error) {
	now.period, now.duty, now.enabled = p.Period.Or(now.period), p.Duty.Or(now.duty), p.Enabled.Or(now.enabled)
	switch {
	case now.duty <= now.period && (now.period > 0 || !now.enabled):
		return now, nil
	case now.period == 0 && now.enabled:
		return now, &hal.OutOfRange{Parameter: "periodNSec", Minimum: 1, Maximum: math.MaxInt64}
	case p.Duty.Set:
		return now, tooLong(now.period)
	}
	return now, &hal.OutOfRange{Parameter: "periodNSec", Minimum: now.duty, Maximum: math.MaxInt64}
}

type polarityIn struct{ Polarity string }

func (p *polarityIn) Fields(f *hal.Fields) {
	f.Enum("polarity", &p.Polarity, polarities, "Whether active is the high level (normal) or the low one (inversed).")
}

func (c *Channel) setPolarity(in *polarityIn, _ *hal.None) error {
	err := c.guard.Do(func() error {
		return c.change(func(now state) (state, error) {
			if now.period == 0 && now.polarity != in.Polarity {
				return now, &hal.NotSupported{Feature: "period"}
			}
			now.polarity = in.Polarity
			return now, nil
		})
	})
	return hal.Refuse(class, c.id, err)
}
