package backlight

import (
	"math"

	"github.com/halberd-io/halberd/hal"
)

// Driver joins the class to the board.
func Driver() hal.Driver {
	return hal.Driver{
		Class:  class,
		Tables: []hal.Table{hal.NewTable[entry]("backlight", "A backlight of /sys/class/backlight. Its initial and safe values are brightnesses.")},
		Open:   Open,
	}
}

// Open finds the backlights and writes the values that board.toml has for the start.
func Open(env *hal.Env) (*hal.Class, error) {
	r := newRoster(env)
	return r.Class(&hal.Class{
		Name: class, Doc: "The lights behind displays.", Methods: methods(r.Set),
		Safe:       hal.SafeOutputs(r.Set, (*Backlight).safeValue, (*Backlight).bringSafe),
		Subsystems: []string{"backlight"}, Changed: func(name string) { changed(r.Set, name) },
	})
}

// changed looks at the backlight that the kernel tells of.
func changed(backlights *hal.Set[*Backlight], name string) {
	for _, d := range backlights.All() {
		if d.name == name {
			d.changes.Look()
		}
	}
}

func methods(backlights *hal.Set[*Backlight]) []*hal.Method {
	return []*hal.Method{
		hal.On(backlights, hal.Observe, "Get", "Reads brightness and power. It may wait for the hardware.", (*Backlight).get),
		hal.On(backlights, hal.Control, "Set", "Sets the brightness, by exactly one of brightness and permille. One that is switched off keeps it for when it is on again.\n"+
			"It may wait for the hardware. Where the driver fails, the kernel may go on to say the new brightness.", (*Backlight).set),
		hal.On(backlights, hal.Control, "SetPower", "Switches the backlight on or off; the brightness that it has when it is on stays. It may wait for the hardware. Where the driver fails, the switch is left as it was.",
			(*Backlight).setPower),
		hal.Follow(backlights, hal.Observe, "Watch", "Reports brightness and power. What Halberd changes is reported at once, and brightness that keys or others change as soon as the kernel tells of it; "+
			"what it does not tell of, within half a second.", (*Backlight).getEvent, (*Backlight).startWatch),
	}
}

type getOut struct {
	state
	Max, Permille int64
}

func (r *getOut) Fields(f *hal.Fields) {
	f.IntIn("brightness", &r.brightness, 0, math.MaxInt64, hal.Unitless, "The brightness that is set, whether the backlight is on or off.")
	f.IntIn("maxBrightness", &r.Max, 0, math.MaxInt64, hal.Unitless, "The greatest brightness.")
	f.IntIn("permille", &r.Permille, 0, hal.Permille, hal.Unitless, "The brightness in thousandths of the greatest one.")
	f.IntIn("actualBrightness", &r.actual, 0, math.MaxInt64, hal.Unitless, "The brightness that the hardware has at this moment, where its driver can ask it, else as brightness.")
	f.Bool("on", &r.on, "Whether the backlight is switched on. While its display is blank, it may be dark all the same.")
}

func (d *Backlight) get(_ *hal.None, out *getOut) error {
	now, err := d.read()
	if err != nil {
		return hal.Refuse(class, d.id, err)
	}
	d.changes.Note(now)
	*out = getOut{now, d.max, hal.InPermille(now.brightness, d.max)}
	return nil
}

type setIn struct{ Brightness, Permille hal.Opt[int64] }

func (p *setIn) Fields(f *hal.Fields) {
	f.OptIntIn("brightness", &p.Brightness, 0, math.MaxInt64, hal.Unitless, "The brightness, from 0 to maxBrightness.")
	f.OptIntIn("permille", &p.Permille, 0, hal.Permille, hal.Unitless, "The brightness in thousandths of the greatest one, taken to the nearest step of the hardware; what is more than 0 is one step at least.")
}

// value is the brightness that is asked for.
func (p *setIn) value(most int64) (int64, error) {
	switch {
	case p.Brightness.Set && p.Permille.Set:
		return 0, &hal.InvalidParameter{Parameter: "permille", What: "cannot stand beside brightness"}
	case p.Permille.Set:
		return hal.OfPermille(p.Permille.Value, most), nil
	case !p.Brightness.Set:
		return 0, &hal.InvalidParameter{Parameter: "brightness", What: "brightness or permille has to be given"}
	case p.Brightness.Value > most:
		return 0, &hal.OutOfRange{Parameter: "brightness", Maximum: most}
	}
	return p.Brightness.Value, nil
}

func (d *Backlight) set(in *setIn, _ *hal.None) error {
	value, err := in.value(d.max)
	if err != nil {
		return err
	}
	return d.change(func() error { return d.brightness.WriteInt(value) })
}

type powerIn struct{ On bool }

func (p *powerIn) Fields(f *hal.Fields) {
	f.Bool("on", &p.On, "Whether the backlight is to be on. The kernel's bl_power counts the other way round: 0 for on, 4 for off.")
}

func (d *Backlight) setPower(in *powerIn, _ *hal.None) error {
	return d.change(func() error { return d.turn(in.On) })
}

type event struct {
	Backlight string
	state
}

func (e *event) Fields(f *hal.Fields) {
	f.Text("backlight", &e.Backlight, "The backlight.")
	f.IntIn("brightness", &e.brightness, 0, math.MaxInt64, hal.Unitless, "The brightness that is set.")
	f.IntIn("actualBrightness", &e.actual, 0, math.MaxInt64, hal.Unitless, "The brightness that the hardware has.")
	f.Bool("on", &e.on, "Whether the backlight is switched on.")
}

func (d *Backlight) getEvent(_ *hal.None, out *event) error {
	now, err := d.read()
	if err != nil {
		return hal.Refuse(class, d.id, err)
	}
	d.changes.Note(now)
	*out = event{d.id, now}
	return nil
}

func (d *Backlight) startWatch(_ *hal.None, w *hal.Watcher[event]) (stop func(), err error) {
	return d.changes.Watch(func(c hal.Sample[state]) {
		if c.Err != nil {
			w.Fail(c.Err)
			return
		}
		w.Emit(&event{d.id, c.State})
	})
}
