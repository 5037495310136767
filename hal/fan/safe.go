package fan

import "github.com/halberd-io/halberd/hal"

// output is what board.toml says about the fan's speed.
func (d *Fan) output() hal.Output {
	if d.entry == nil {
		return hal.Output{}
	}
	return d.entry.Output
}

// Start sets the speed for the start, if board.toml has one, and learns what the automatic mode is of a fan that is in it.
func (d *Fan) Start(first bool) {
	if d.entry == nil {
		return
	}
	v := d.entry.Output.AtStart(first)
	err := d.guard.Do(func() (err error) {
		switch {
		case v.Set:
			return d.take(hal.OfPermille(v.Value, d.most))
		case d.hasModes():
			_, err = d.readMode()
		}
		return err
	})
	if err != nil {
		d.env.Log.Warn("cannot set a fan at the start", "fan", d.id, "err", err)
	}
}

// drive sets a speed in permille, whatever the fan is doing.
func (d *Fan) drive(permille int64) error {
	err := d.guard.Do(func() error { return d.take(hal.OfPermille(permille, d.most)) })
	return hal.Refuse(class, d.id, err)
}

// bringSafe sets the speed that board.toml calls safe.
func (d *Fan) bringSafe() error { return d.drive(d.output().Safe.Value) }

// bringAuto lets the chip drive the fan.
func (d *Fan) bringAuto() error { return d.setMode(&modeIn{modeAuto}, nil) }

// knowsAuto reports whether the fan is known to have an automatic mode.
func (d *Fan) knowsAuto() bool { return d.hasModes() && d.auto.Load() != 0 }

// safe lists the fans that are to be brought to a safe state: those with a safe speed to that, others to their automatic mode, where they have one and either board.toml declares them or
// Halberd ended it.
func safe(fans *hal.Set[*Fan]) (all []hal.SafeOutput) {
	for _, d := range fans.All() {
		switch speed := d.output().Safe; {
		case speed.Set:
			all = append(all, hal.SafeOutput{Device: d, Value: speed.Value, Bring: d.bringSafe})
		case d.knowsAuto() && (d.entry != nil || d.taken.Load()):
			all = append(all, hal.SafeOutput{Device: d, Value: hal.Permille, Bring: d.bringAuto})
		}
	}
	return all
}

// Claim tells what becomes of the fan when whoever claimed it lets it go. Where board.toml does not say, it goes to its automatic mode, if it is known to have one.
func (d *Fan) Claim() (release func() error, err error) {
	o := d.output()
	if o.Safe.Set || o.OnRelease.Set {
		return o.Claim(d.bringSafe, d.remember)
	}
	if !d.hasModes() {
		return nil, nil
	}
	err = d.guard.Do(func() error {
		_, err := d.readMode()
		return err
	})
	if err != nil || !d.knowsAuto() {
		return nil, hal.Refuse(class, d.id, err)
	}
	return d.bringAuto, nil
}

// remember notes speed and mode, and gives what brings them back.
func (d *Fan) remember() (restore func() error, err error) {
	before, _, err := d.read(false)
	return func() error {
		if before.mode.Set && before.mode.Value != modeManual {
			return d.guard.Do(func() error { return d.enable.WriteInt(before.enable) })
		}
		return d.guard.Do(func() error { return d.take(before.speed) })
	}, hal.Refuse(class, d.id, err)
}
