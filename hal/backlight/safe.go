package backlight

import "github.com/halberd-io/halberd/hal"

// safeValue is the brightness that board.toml calls safe.
func (d *Backlight) safeValue() hal.Opt[int64] { return d.output.Safe }

// bringSafe sets it. Where that is light, and SetPower had switched the backlight off, it is on again; what else switched it off, as a display that sleeps, is not overridden.
func (d *Backlight) bringSafe() error {
	safe := d.output.Safe.Value
	return d.change(func() error {
		err := d.brightness.WriteInt(safe)
		if err == nil && safe > 0 && d.switchedOff {
			err = d.turn(true)
		}
		return err
	})
}

// Claim tells what becomes of the backlight when whoever claimed it lets it go.
func (d *Backlight) Claim() (release func() error, err error) {
	return d.output.Claim(d.bringSafe, d.remember)
}

// remember notes brightness and power, and gives what brings them back.
func (d *Backlight) remember() (restore func() error, err error) {
	before, err := d.read()
	return func() error {
		return d.change(func() error {
			err := d.brightness.WriteInt(before.brightness)
			if err == nil {
				err = d.turn(before.on)
			}
			return err
		})
	}, hal.Refuse(class, d.id, err)
}
