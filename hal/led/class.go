package led

import (
	"math"
	"strconv"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

// Driver joins the class to the board.
func Driver() hal.Driver {
	return hal.Driver{
		Class:  class,
		Tables: []hal.Table{hal.NewTable[entry]("led", "A light of /sys/class/leds.")},
		Open:   Open,
	}
}

// entry is a [led.ID] of board.toml.
type entry struct {
	Name   string
	Output hal.Output
}

func (e *entry) Fields(f *hal.Fields) {
	f.Text("name", &e.Name, "The kernel's name for the light, in /sys/class/leds.")
	e.Output.Fields(f, 0, math.MaxInt32, hal.Unitless)
}

// Place is the light that the entry is about.
func (e *entry) Place() string { return e.Name }

// Check finds what contradicts itself.
func (e *entry) Check() error {
	if err := sysfs.CheckName(e.Name); err != nil {
		return err
	}
	return e.Output.Check()
}

// Open finds the lights and writes the values that board.toml has for the start.
func Open(env *hal.Env) (*hal.Class, error) {
	r := newRoster(env)
	return r.Class(&hal.Class{
		Name: class, Doc: "Lights of the kernel's LED class.", Methods: methods(r.Set),
		Safe: hal.SafeOutputs(r.Set, (*LED).safeValue, (*LED).bringSafe), Subsystems: []string{"leds"},
	})
}

func methods(leds *hal.Set[*LED]) []*hal.Method {
	return []*hal.Method{
		hal.On(leds, hal.Observe, "Get", "Reads brightness, trigger and colours.", (*LED).get),
		hal.On(leds, hal.Control, "Set", "Sets a steady brightness, and ends a trigger that is active: then the light is dark for a moment, and stays so where the second step fails.", (*LED).set),
		hal.On(leds, hal.Control, "Blink", "Lets the light blink by the kernel's timer trigger, at the brightness that it has, or fully if it is off.\n"+
			"NotSupported{timer} where the kernel has no such trigger. Where a step fails, the light is left off.", (*LED).setBlink),
		hal.On(leds, hal.Control, "Pattern", "Plays a pattern by the kernel's pattern trigger. Within the duration of a step the brightness goes over to that of the next step, and from the last one to the first, in changes of 50 ms; "+
			"between two steps of one brightness it stays, and a step of 0 ms makes it jump: [255 500, 255 0, 0 500, 0 0] blinks. After the last repeat the light stays as it ended, with the trigger.\n"+
			"NotSupported{pattern} where the kernel has no such trigger, and OutOfRange{steps} for more than it takes at once, which is 4096 bytes of numbers. Where a step of the call fails, the light is left off.", (*LED).setPattern),
		hal.On(leds, hal.Configure, "SetTrigger", "Lets the kernel drive the light. NotSupported with the trigger's name where there is no such trigger.", (*LED).setTrigger),
		hal.On(leds, hal.Control, "SetColor", "Sets the intensities of the colours of a light, which its brightness then scales: at brightness 0 none is seen. A colour that is left out keeps its own.\n"+
			"NotSupported{color} for a light of one colour, and NotSupported with the colour's name for one that the light does not have.", (*LED).setColor),
		hal.Follow(leds, hal.Observe, "Watch", "Reports brightness, trigger and colours. What Halberd changes is reported at once, what others change within half a second.\n"+
			"While a trigger drives the light, changes of its brightness are not reported.", (*LED).getEvent, (*LED).startWatch),
	}
}

type getOut struct {
	Brightness, MaxBrightness int64
	Trigger                   string
	Triggers                  []string
	Colors                    hal.Opt[map[string]int64]
}

func (r *getOut) Fields(f *hal.Fields) {
	f.IntIn("brightness", &r.Brightness, 0, math.MaxInt64, hal.Unitless, "The brightness: 0 is off. While a trigger drives the light, what it is at this moment.")
	f.IntIn("maxBrightness", &r.MaxBrightness, 0, math.MaxInt64, hal.Unitless, "The greatest brightness: fully on.")
	f.Text("trigger", &r.Trigger, "The trigger by which the kernel drives the light, or none.")
	f.Texts("triggers", &r.Triggers, 0, math.MaxInt32, "All triggers that the kernel has.")
	colorsField(f, &r.Colors)
}

// maxColors is more than the kernel has names for.
const maxColors = 16

func colorsField(f *hal.Fields, colors *hal.Opt[map[string]int64]) {
	f.OptIntMap("colors", colors, 1, maxColors, hal.Unitless, "The intensities of a light of several colours, each from 0 to its maxBrightness, which its brightness scales.")
}

func (d *LED) get(_ *hal.None, out *getOut) error {
	now, triggers, err := d.look()
	if err == nil {
		d.changes.Note(now)
		*out = getOut{Brightness: now.brightness, MaxBrightness: d.max, Trigger: now.trigger, Triggers: triggers}
		out.Colors, err = d.mix(now.intensity)
	}
	return hal.Refuse(class, d.id, err)
}

type setIn struct{ Brightness int64 }

func (p *setIn) Fields(f *hal.Fields) {
	f.IntIn("brightness", &p.Brightness, 0, math.MaxInt64, hal.Unitless, "0 is off; the light's maxBrightness is fully on.")
}

func (d *LED) set(in *setIn, _ *hal.None) error {
	if in.Brightness > d.max {
		return &hal.OutOfRange{Parameter: "brightness", Maximum: d.max}
	}
	if d.intensity != nil {
		return d.changed(func() error { return d.steady(in.Brightness) })
	}
	if err := d.guard.Do(func() error { return d.steady(in.Brightness) }); err != nil {
		return hal.Refuse(class, d.id, err)
	}
	d.changes.Note(state{brightness: in.Brightness, trigger: noTrigger})
	return nil
}

type blinkIn struct{ On, Off int64 }

// longest is the longest period of a blinking light: an hour.
const longest = 3_600_000

func (p *blinkIn) Fields(f *hal.Fields) {
	f.IntIn("onMSec", &p.On, 1, longest, hal.Milliseconds, "How long the light is on.")
	f.IntIn("offMSec", &p.Off, 1, longest, hal.Milliseconds, "How long it is off.")
}

func (d *LED) setBlink(in *blinkIn, _ *hal.None) error {
	return d.changed(func() error {
		return d.drive("timer", setting{"delay_on", strconv.FormatInt(in.On, 10)}, setting{"delay_off", strconv.FormatInt(in.Off, 10)})
	})
}

type triggerIn struct{ Trigger string }

func (p *triggerIn) Fields(f *hal.Fields) {
	f.Text("trigger", &p.Trigger, "One of the triggers that Get lists.")
}

func (d *LED) setTrigger(in *triggerIn, _ *hal.None) error {
	return d.changed(func() error { return d.start(in.Trigger) })
}

type colorIn struct{ Colors map[string]int64 }

func (p *colorIn) Fields(f *hal.Fields) {
	f.IntMap("colors", &p.Colors, 1, maxColors, hal.Unitless, "Intensities by colour, each from 0 to the light's maxBrightness.")
}

func (d *LED) setColor(in *colorIn, _ *hal.None) error {
	return d.changed(func() error { return d.paint(in.Colors) })
}

// changed changes something, reads the state again and tells the watchers.
func (d *LED) changed(do func() error) error {
	err := d.guard.Do(do)
	if now, unread := d.read(); unread == nil {
		d.changes.Note(now)
	}
	return hal.Refuse(class, d.id, err)
}

type event struct {
	LED        string
	Brightness int64
	Trigger    string
	Colors     hal.Opt[map[string]int64]
}

func (e *event) Fields(f *hal.Fields) {
	f.Text("led", &e.LED, "The light.")
	f.IntIn("brightness", &e.Brightness, 0, math.MaxInt64, hal.Unitless, "Its brightness.")
	f.Text("trigger", &e.Trigger, "The trigger by which the kernel drives it, or none.")
	colorsField(f, &e.Colors)
}

// tell makes an event of a state.
func (d *LED) tell(s state) (event, error) {
	colors, err := d.mix(s.intensity)
	return event{d.id, s.brightness, s.trigger, colors}, err
}

func (d *LED) getEvent(_ *hal.None, out *event) error {
	now, err := d.read()
	if err != nil {
		return hal.Refuse(class, d.id, err)
	}
	d.changes.Note(now)
	*out, err = d.tell(now)
	return err
}

func (d *LED) startWatch(_ *hal.None, w *hal.Watcher[event]) (stop func(), err error) {
	return d.changes.Watch(func(c hal.Sample[state]) {
		if c.Err != nil {
			w.Fail(c.Err)
			return
		}
		if e, err := d.tell(c.State); err == nil {
			w.Emit(&e)
		}
	})
}
