package rtc

import (
	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
)

// Driver joins the class to the board.
func Driver() hal.Driver {
	return hal.Driver{
		Class:  class,
		Tables: []hal.Table{hal.NewTable[entry]("rtc", "A real-time clock of /sys/class/rtc.")},
		Open:   Open,
	}
}

// Open finds the clocks and the wakes that were kept.
func Open(env *hal.Env) (*hal.Class, error) {
	if err := only(env.Entries); err != nil {
		return nil, err
	}
	q := newQueue(env)
	r := newRoster(q)
	if err := r.Begin(); err != nil {
		return nil, err
	}
	return &hal.Class{
		Name: class, Doc: "Real-time clocks, which go on while the board is off, and wakes: times at which the board is to wake from its sleep, or to be turned on, by the alarm of one clock.\n" +
			"Wakes are a queue for each uid, with names of its own. They are kept over restarts of Halberd and of the board; one that has come, or was slept through, leaves the queue.\n" +
			"Clocks count whole seconds, and are taken to run in UTC.",
		Methods: methods(q), Devices: q.clocks, Subsystems: []string{"rtc"}, Rescan: r.Rescan,
		Close: func() { q.close(); r.Close() }, Capabilities: needs(q, env.Entries),
	}, nil
}

// needs is CAP_SYS_TIME where there is a clock to be set, or will be one that board.toml tells of.
func needs(q *queue, entries []hal.Entry) []int {
	if q.clocks.Len() == 0 && len(entries) == 0 {
		return nil
	}
	return []int{unix.CAP_SYS_TIME}
}

func methods(q *queue) []*hal.Method {
	return []*hal.Method{
		hal.On(q.clocks, hal.Observe, "Get", "Reads a clock. NotSupported{time} where it was without power and has no time until it is set.", (*Clock).get),
		hal.On(q.clocks, hal.Hazard, "Set", "Sets a clock, to the nearest second, and nothing else: the system's time stays. Wakes that are over by the new time have come.\n"+
			"OutOfRange with what the clock can show, Busy while another process has it open, NotSupported{set} where Halberd may not set clocks (CAP_SYS_TIME).", (*Clock).set),
		hal.Later(hal.Control, "Wake", "Wakes the board at a time. A wake of that name of the same user is replaced. Where it fails, the queue is as it was; after a Timeout Wakes tells.\n"+
			"OutOfRange for what is over by the clock, or more than it can show, NotSupported{wake} where no clock can wake the board, LimitExceeded beyond 32 wakes of one user. It blocks as long as the clock and the disk do, 5 s at most.", q.wake),
		hal.Later(hal.Control, "CancelWake", "Takes a wake of the same user out of the queue, on any socket. Where it fails, the wake stays; after a Timeout Wakes tells.\n"+
			"NoSuchDevice with the wake's name where there is none, since it has come, too. It blocks as long as the clock and the disk do, 5 s at most.", q.cancelWake),
		hal.Plain(hal.Observe, "Wakes", "Lists the wakes of the same user that are to come, earliest first. It does not ask the clock: one that has come may be there for a moment.", q.wakes),
	}
}

const lastUSec = lastEver*second + second - 1

type getOut struct {
	Time   int64
	Wakes  bool
	Oldest int64
	Latest int64
	Alarm  hal.Opt[int64]
}

func (r *getOut) Fields(f *hal.Fields) {
	f.IntIn("timeUSec", &r.Time, 0, lastUSec, hal.Microseconds, "The time since the beginning of 1970, in UTC.")
	f.IntIn("minimumUSec", &r.Oldest, 0, lastUSec, hal.Microseconds, "The least that the clock can be set to.")
	f.IntIn("maximumUSec", &r.Latest, 0, lastUSec, hal.Microseconds, "The greatest.")
	f.Bool("canWake", &r.Wakes, "Whether its alarm can wake the board.")
	f.OptIntIn("alarmUSec", &r.Alarm, 0, lastUSec, hal.Microseconds, "The alarm that is set, whoever set it.")
}

func (d *Clock) get(_ *hal.None, out *getOut) error {
	err := d.guard.Do(func() error {
		now, err := d.now()
		if err != nil {
			return err
		}
		alarm, err := d.alarmSet()
		out.Time, out.Alarm = max(now, 0)*second, hal.Opt[int64]{Value: alarm * second, Set: alarm > 0}
		return err
	})
	out.Oldest, out.Latest, out.Wakes = d.first*second, d.last*second, d.wakes
	return hal.Refuse(class, d.id, err)
}

type setIn struct{ Time int64 }

func (p *setIn) Fields(f *hal.Fields) {
	f.IntIn("timeUSec", &p.Time, 0, lastUSec, hal.Microseconds, "The time since the beginning of 1970, in UTC.")
}

func (d *Clock) set(in *setIn, _ *hal.None) error {
	seconds := (in.Time + second/2) / second
	if seconds < d.first || seconds > d.last {
		return d.outOfRange("timeUSec", d.first)
	}
	err := d.guard.Do(func() error { return d.setTime(seconds) })
	d.env.Loop.Post(d.queue.look)
	return hal.Refuse(class, d.id, err)
}

type wakeIn struct {
	Name string
	At   int64
}

func (p *wakeIn) Fields(f *hal.Fields) {
	f.Text("name", &p.Name, "The wake's name: 1 to 128 printable ASCII characters without space, asterisk and quotes.")
	f.IntIn("atUSec", &p.At, 0, lastUSec, hal.Microseconds, "When, since the beginning of 1970, in UTC. A part of a second counts as a whole one.")
}

type nameIn struct{ Name string }

func (p *nameIn) Fields(f *hal.Fields) { f.Text("name", &p.Name, "The wake's name.") }

// checkName refuses a name that none can be.
func checkName(name string) error {
	if err := hal.CheckID(name); err != nil {
		return &hal.InvalidParameter{Parameter: "name", What: err.Error()}
	}
	return nil
}

// within answers in time, whatever a clock or a disk does.
func (q *queue) within(id string, done func(error)) func(error) {
	return hal.Within(q.env.Loop, hal.Patience, hal.SlowDevice(class, id), done)
}

// wake reads the clock first, so that what is over is refused before anything changes.
func (q *queue) wake(h hal.Holder, in *wakeIn, _ *hal.None, done func(error)) {
	w := &wake{h.Owner(), in.Name, (in.At + second - 1) / second}
	d, err := q.carrier()
	if wrong := checkName(in.Name); wrong != nil {
		err = wrong
	}
	if err != nil {
		q.env.Loop.Post(func() { done(err) })
		return
	}
	done = q.within(d.id, done)
	now := int64(0)
	q.ask(d, func() (err error) {
		now, err = d.now()
		return err
	}, func(err error) {
		if err != nil {
			done(err)
			return
		}
		q.add(d, w, now, done)
	})
}

// cancelWake needs no clock: where none is there, no alarm is set either.
func (q *queue) cancelWake(h hal.Holder, in *nameIn, _ *hal.None, done func(error)) {
	err := checkName(in.Name)
	w := q.find(h.Owner(), in.Name)
	if err == nil && w == nil {
		err = hal.MissingDevice(class, in.Name)
	}
	if err != nil {
		q.env.Loop.Post(func() { done(err) })
		return
	}
	q.cancel(w, q.within(q.id, done))
}

type wakeOut struct {
	Name string
	At   int64
}

func (r *wakeOut) Fields(f *hal.Fields) {
	f.Text("name", &r.Name, "The wake's name.")
	f.IntIn("atUSec", &r.At, 0, lastUSec, hal.Microseconds, "When it comes, since the beginning of 1970, in UTC.")
}

type wakesOut struct {
	Clock hal.Opt[string]
	Wakes []wakeOut
}

func (r *wakesOut) Fields(f *hal.Fields) {
	f.OptText("clock", &r.Clock, "The clock whose alarm wakes the board, where one can.")
	hal.Each(f, "wakes", &r.Wakes, 0, maxPerUser, "The wakes.")
}

func (q *queue) wakes(h hal.Holder, _ *hal.None, out *wakesOut) error {
	if d, err := q.carrier(); err == nil {
		out.Clock = hal.Some(d.id)
	}
	for _, w := range q.all {
		if w.owner == h.Owner() {
			out.Wakes = append(out.Wakes, wakeOut{w.name, w.at * second})
		}
	}
	return nil
}
