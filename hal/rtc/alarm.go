package rtc

import "strconv"

// arm has the alarm come at a time, in seconds since 1970, and gives the time of now; 0, and what is over, is no alarm.
//
// Others may use the alarm, too. Halberd keeps to this: one that it did not set itself stays where it comes earlier, and is waited for; one that comes later makes way, since the board would
// sleep past the wake. It is not set back afterwards.
func (d *Clock) arm(at int64) (now int64, err error) {
	if now, err = d.now(); err != nil {
		return 0, err
	}
	if at <= now {
		at = 0
	}
	set, err := d.alarmSet()
	if err != nil {
		return now, err
	}
	theirs := set != 0 && set != d.armed
	switch {
	case set == at:
		d.armed = at
		return now, nil
	case theirs && (at == 0 || set < at):
		d.armed = 0
		return now, nil
	case theirs:
		d.env.Log.Warn("an alarm that somebody else has set makes way for an earlier wake", "clock", d.id, "alarm", set, "wake", at)
	}
	return now, d.replace(set, at)
}

// replace sets another alarm than the one that is set. The kernel does not replace one: it is turned off first, and stays so where the second step fails.
func (d *Clock) replace(set, at int64) error {
	d.armed = 0
	if set != 0 {
		if err := d.alarm.WriteText("0"); err != nil {
			return err
		}
	}
	if at == 0 {
		return nil
	}
	if err := d.alarm.WriteText(strconv.FormatInt(at, 10)); err != nil {
		return err
	}
	d.armed = at
	return nil
}
