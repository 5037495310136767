package gpio

import "github.com/halberd-io/halberd/hal"

// The tables of board.toml.
const (
	lineTable      = "gpio"
	groupTable     = "gpio-group"
	interlockTable = "interlock"
)

// Driver joins the class to the board.
func Driver() hal.Driver {
	return hal.Driver{
		Class: class,
		Tables: []hal.Table{
			hal.NewTable[entry](lineTable, "A line of a GPIO chip."),
			hal.NewTable[groupEntry](groupTable, "Outputs that are one request of the kernel's."),
			hal.NewList[interlockEntry](interlockTable, "name", "Outputs that are never active together, for all callers, claims and starts together."),
		},
		Check: check,
		Open:  Open,
	}
}

// Open finds the lines of all chips, and requests the outputs that board.toml declares.
func Open(env *hal.Env) (*hal.Class, error) {
	if errs := check(env.Entries); len(errs) > 0 {
		return nil, errs[0]
	}
	b := newBoard(env)
	if err := b.open(); err != nil {
		b.close()
		return nil, err
	}
	return &hal.Class{
		Name: class, Doc: "Lines of GPIO chips. Values are logical: 1 is active.",
		Methods: methods(b.lines), Devices: b.lines, Close: b.close,
		Safe:       hal.SafeOutputs(b.lines, (*Line).safeValue, (*Line).bringSafe),
		Subsystems: []string{"gpio"}, Rescan: b.rescan,
	}, nil
}

func methods(lines *hal.Set[*Line]) []*hal.Method {
	return []*hal.Method{
		hal.On(lines, hal.Observe, "Get", "Reads a line, as it is.", (*Line).getValue),
		hal.OnMany(lines, hal.Observe, "GetMany", "Reads several lines, one after the other.", getMany),
		hal.On(lines, hal.Control, "Set", "Sets an output that board.toml declares. NotSupported{output} for any other line, which is left as it is.\n"+
			"Interlocked where an interlock of board.toml forbids it, with the time that is left where that is all.", (*Line).setValue),
		hal.OnValues(lines, hal.Control, hal.Values{Name: "values", Of: hal.Range{Min: 0, Max: 1}, Doc: "The logical value of each line, by the devices' IDs."}, "SetMany",
			"Sets several outputs. Lines of one gpio-group are set by one call of the kernel, which is at once where the chip can. All else is set in order, what only deactivates first.\n"+
				"On an error, what was set is set back as far as possible, and the answer is why the first one failed. Lines that are not set, in a group too, stay as they are.\n"+
				"Interlocked where an interlock forbids one of them; then none is set. One line can take the place of another one where there is no dead time, and they are not of one gpio-group; else it takes two calls.", setMany),
		hal.On(lines, hal.Control, "Toggle", "Sets an output to the opposite of what it was set to last. Interlocked as for Set.", (*Line).toggle),
		hal.OnLater(lines, hal.Control, "Pulse", "Sets an output to a value for a while, and then to the other value. It answers after the pulse, and the pulse is ended whatever happens to the caller, also when Halberd is stopped.\n"+
			"Meanwhile the line is Busy for all that would change it; it can be read and watched. A call of Board.Safe, or the end of a claim, ends the pulse before its time: io.systemd.System with ECANCELED.\n"+
			"The end is timed by Halberd's loop: never early, and late by what else the board has to do, about 0.1 ms where it is idle. On a slow bus the time of a transfer comes to each end.\n"+
			"Interlocked as for Set. A pulse to 0 activates the line at its end, and so the line counts as active from the beginning; NotSupported{interlock} where several may be active, and dead times run.\n"+
			"Where the end cannot be written it is tried again for 10 s. Timeout where a bus hangs: the pulse ends when it comes back.", (*Line).startPulse),
		hal.On(lines, hal.Configure, "Configure", "Changes how a line is used, until Halberd restarts. What is left out stays as it is.\n"+
			"NotSupported with a parameter that a line of that direction does not have. NotSupported{interlock} for a member of an interlock, and for lines that are of one gpio-group with one.", (*Line).configure),
		hal.OnManyLater(lines, hal.Configure, "Lease", leaseDoc, startLease),
		hal.Follow(lines, hal.Observe, "Watch", "Reports each edge of an input, and each change that Halberd makes to an output. An output that others drive is reported once.\n"+
			"NotSupported{edge} for an input whose chip has no interrupt.", (*Line).getEvent, (*Line).startWatch),
	}
}

type value struct{ Value int64 }

func (v *value) Fields(f *hal.Fields) {
	f.IntIn("value", &v.Value, 0, 1, hal.Unitless, "The logical value.")
}

func (l *Line) getValue(_ *hal.None, out *value) (err error) {
	if out.Value, err = l.read(); err != nil {
		return l.refuse(err)
	}
	return nil
}

func (l *Line) setValue(in *value, _ *hal.None) error {
	return l.drive(func(int64) int64 { return in.Value })
}

func (l *Line) toggle(_ *hal.None, _ *hal.None) error {
	return l.drive(func(before int64) int64 { return 1 - before })
}

type values struct{ Values map[string]int64 }

func (v *values) Fields(f *hal.Fields) {
	f.IntMap("values", &v.Values, 1, 64, hal.Unitless, "The logical values by line.")
}

func getMany(lines []*Line, _ *hal.None, out *values) error {
	out.Values = make(map[string]int64, len(lines))
	for _, l := range lines {
		v, err := l.read()
		if err != nil {
			return l.refuse(err)
		}
		out.Values[l.id] = v
	}
	return nil
}

const (
	rising  = "rising"
	falling = "falling"
	both    = "both"
)

type watchIn struct{ Edge hal.Opt[string] }

func (p *watchIn) Fields(f *hal.Fields) {
	f.OptEnum("edge", &p.Edge, []string{rising, falling, both}, "Which changes to report: both is what happens without it.")
}

// wants reports whether a change is one of those asked for.
func (p *watchIn) wants(value int64) bool {
	switch p.Edge.Value {
	case rising:
		return value == 1
	case falling:
		return value == 0
	}
	return true
}

type event struct {
	Line          string
	Value         int64
	Edge          hal.Opt[string]
	TimestampNSec hal.Opt[int64]
	Missed        hal.Opt[int64]

	asOf int64 // of the first event: see reading
}

func (e *event) Fields(f *hal.Fields) {
	f.Text("line", &e.Line, "The line.")
	f.IntIn("value", &e.Value, 0, 1, hal.Unitless, "Its logical value, after the edge where there was one.")
	f.OptEnum("edge", &e.Edge, []string{rising, falling}, "The edge that led to it, of an input.")
	f.OptInt("timestampNSec", &e.TimestampNSec, hal.Nanoseconds, "When the kernel saw the edge, by CLOCK_MONOTONIC. Not there where the line changed after the first event and before the kernel watched.")
	f.OptInt("missed", &e.Missed, hal.Unitless, "How many edges of the line the kernel had no room for before this one.")
}

func (l *Line) getEvent(_ *watchIn, out *event) error {
	now, err := l.look()
	if err != nil {
		return l.refuse(err)
	}
	*out = event{Line: l.id, Value: now.value, asOf: now.asOf}
	return nil
}

func (l *Line) startWatch(in *watchIn, w *hal.Watcher[event]) (stop func(), err error) {
	first := w.State()
	r := reader{reading: reading{first.Value, first.asOf}}
	return l.watch(func(c change) {
		switch {
		case c.err != nil:
			w.Fail(c.err)
		case r.isNews(c) && in.wants(c.value):
			w.Emit(&event{Line: l.id, Value: c.value, Edge: c.edge, TimestampNSec: c.timestamp, Missed: hal.Opt[int64]{Value: c.missed, Set: c.missed > 0}})
		}
	})
}
