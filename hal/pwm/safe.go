package pwm

import "github.com/halberd-io/halberd/hal"

// Start exports a channel that board.toml declares and sets the value for the start, if there is one. Without one, a channel that is off gets its period and polarity.
func (c *Channel) Start(first bool) {
	if c.entry == nil {
		return
	}
	duty := c.entry.Output.AtStart(first)
	err := c.guard.Do(func() error {
		return c.change(func(now state) (state, error) {
			switch {
			case duty.Set:
				return c.entry.output(duty.Value), nil
			case !now.enabled && c.entry.PeriodNSec.Set:
				now.period, now.polarity = c.entry.PeriodNSec.Value, c.entry.Polarity.Or(now.polarity)
				now.duty = min(now.duty, now.period)
			}
			return now, nil
		})
	})
	if err != nil {
		c.env.Log.Warn("cannot set a PWM channel at the start", "channel", c.id, "err", hal.Refuse(class, c.id, err))
	}
}

// safeValue is the duty that board.toml calls safe.
func (c *Channel) safeValue() hal.Opt[int64] {
	if c.entry == nil {
		return hal.Opt[int64]{}
	}
	return c.entry.Output.Safe
}

// bringSafe sets it, with the period and the polarity that board.toml has, on a channel that is on.
func (c *Channel) bringSafe() error {
	err := c.guard.Do(func() error {
		return c.change(func(state) (state, error) { return c.entry.output(c.entry.Output.Safe.Value), nil })
	})
	return hal.Refuse(class, c.id, err)
}

// Claim tells what becomes of the channel when whoever claimed it lets it go.
func (c *Channel) Claim() (release func() error, err error) {
	if c.entry == nil {
		return nil, nil
	}
	return c.entry.Output.Claim(c.bringSafe, c.remember)
}

// remember notes how the channel is set, and gives what brings it back there. A channel that had no period is switched off.
func (c *Channel) remember() (restore func() error, err error) {
	var before state
	err = c.guard.Do(func() (err error) {
		before, err = c.read()
		return err
	})
	return func() error {
		err := c.guard.Do(func() error {
			return c.change(func(now state) (state, error) {
				if before.period == 0 {
					now.enabled = false
					return now, nil
				}
				return before, nil
			})
		})
		return hal.Refuse(class, c.id, err)
	}, hal.Refuse(class, c.id, err)
}
