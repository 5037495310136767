package fan

import (
	"math"

	"github.com/halberd-io/halberd/hal"
)

// Driver joins the class to the board.
func Driver() hal.Driver {
	return hal.Driver{
		Class: class,
		Tables: []hal.Table{hal.NewTable[entry]("fan", "A fan that hwmon or a cooling device drives. Its initial and safe values are speeds in permille, by hand. Without safe, a fan that has an automatic mode goes back to that "+
			"when the board is brought to its safe state and, without on-release, when a claim ends.")},
		Open: Open,
	}
}

// Open finds the fans and sets the speeds that board.toml has for the start.
func Open(env *hal.Env) (*hal.Class, error) {
	r := newRoster(env)
	return r.Class(&hal.Class{
		Name: class, Doc: "Fans that can be driven.", Methods: methods(r.Set),
		Safe: func() []hal.SafeOutput { return safe(r.Set) }, Subsystems: []string{"hwmon", "thermal"},
	})
}

func methods(fans *hal.Set[*Fan]) []*hal.Method {
	return []*hal.Method{
		hal.On(fans, hal.Observe, "Get", "Reads speed and mode. It may wait for the hardware.", (*Fan).get),
		hal.On(fans, hal.Control, "Set", "Sets a speed, and ends the automatic mode of a fan that is in it: from then on the fan turns as it is told, however hot it gets. SetMode gives it back.\n"+
			"The hardware takes the nearest speed that it has. NotSupported{speed} for a fan whose speed can only be read.\n"+
			"It may wait for the hardware. Where setting the speed fails after the automatic mode was ended, the fan goes back to that.", (*Fan).set),
		hal.On(fans, hal.Configure, "SetMode", "Says who drives the fan: its chip (auto), or whoever calls Set (manual), from the speed on that it has.\n"+
			"NotSupported{mode} for a fan without modes, and NotSupported{auto} for one that has no automatic mode. It may wait for the hardware.", (*Fan).setMode),
	}
}

// now is how a fan is driven.
type now struct {
	speed, enable int64
	mode          hal.Opt[string]
}

// read reads it, and how fast the fan turns, where somebody counts and is asked.
func (d *Fan) read(count bool) (n now, rpm hal.Opt[int64], err error) {
	err = d.guard.Do(func() (err error) {
		if n.speed, err = d.speed.ReadInt(); err != nil {
			return err
		}
		if d.hasModes() {
			if n.enable, err = d.readMode(); err != nil {
				return err
			}
			n.mode = hal.Some(mode(n.enable))
		}
		if count && d.tacho != nil {
			rpm.Set = true
			rpm.Value, err = d.tacho.ReadInt()
		}
		return err
	})
	return n, rpm, err
}

type getOut struct {
	Permille int64
	Mode     hal.Opt[string]
	RPM      hal.Opt[int64]
}

func (r *getOut) Fields(f *hal.Fields) {
	f.IntIn("permille", &r.Permille, 0, hal.Permille, hal.Unitless, "The speed that the fan is driven with, in thousandths of the greatest one; how fast it turns at that, the fan decides.")
	f.OptEnum("mode", &r.Mode, []string{modeAuto, modeManual, modeFull}, "Who drives the fan: its chip (auto), whoever calls Set (manual), or nobody, so that it runs at full speed (full). Left out for a fan without modes.")
	f.OptIntIn("rpm", &r.RPM, 0, math.MaxInt64, hal.Unitless, "How fast the fan turns, in 1/min; left out where nobody counts.")
}

func (d *Fan) get(_ *hal.None, out *getOut) error {
	n, rpm, err := d.read(true)
	*out = getOut{hal.InPermille(n.speed, d.most), n.mode, rpm}
	return hal.Refuse(class, d.id, err)
}

type setIn struct{ Permille int64 }

func (p *setIn) Fields(f *hal.Fields) {
	f.IntIn("permille", &p.Permille, 0, hal.Permille, hal.Unitless, "The speed in thousandths of the greatest one; what is more than 0 is one step of the hardware at least. 0 stops the fan, if that can stand still.")
}

func (d *Fan) set(in *setIn, _ *hal.None) error { return d.drive(in.Permille) }

type modeIn struct{ Mode string }

func (p *modeIn) Fields(f *hal.Fields) {
	f.Enum("mode", &p.Mode, []string{modeAuto, modeManual}, "Who is to drive the fan: its chip (auto), or whoever calls Set (manual).")
}

func (d *Fan) setMode(in *modeIn, _ *hal.None) error {
	return hal.Refuse(class, d.id, d.guard.Do(func() error { return d.change(in.Mode) }))
}
