package hal_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/halberd-io/halberd/hal"
)

// sink is the reader of a watch: it takes as many events as it has room for, and runs jobs when it is told to.
type sink struct {
	room   int
	events []string
	jobs   []job
	busy   error // what Submit answers
	failed []error
	taken  func() // called at each event
}

type job struct {
	bus       string
	run, done func()
}

func (s *sink) Event(encode func([]byte) []byte) bool {
	if s.taken != nil {
		s.taken()
	}
	if s.room == 0 {
		return false
	}
	s.room--
	s.events = append(s.events, string(encode(nil)))
	return true
}

func (s *sink) Submit(bus string, run, done func()) error {
	if s.busy == nil {
		s.jobs = append(s.jobs, job{bus, run, done})
	}
	return s.busy
}

func (s *sink) Fail(err error) { s.failed = append(s.failed, err) }

// work runs the first job that waits, and its done.
func (s *sink) work() {
	j := s.jobs[0]
	s.jobs = s.jobs[1:]
	j.run()
	j.done()
}

// expect compares the events since the last time.
func (s *sink) expect(t *testing.T, when string, want ...string) {
	t.Helper()
	if !slices.Equal(s.events, want) {
		t.Errorf("%s: events\n%q, want\n%q", when, s.events, want)
	}
	s.events = nil
}

// change sets a lamp's level and tells its watchers.
func (l *lamp) change(level int64) {
	l.level = level
	l.changes.Publish(lampState{l.id, level})
}

func (y *toy) watch(t *testing.T, parameters string, s *sink) *hal.Session {
	t.Helper()
	session, err := y.permit(t, "Watch", parameters).Watch(holder("somebody"), s)
	if err != nil {
		t.Fatalf("Watch %s: %v", parameters, err)
	}
	return session
}

func TestWatch(t *testing.T) {
	y, s := newToy(t), &sink{room: 100}
	y.hall.level = 7
	session := y.watch(t, `{"lamps":["yard","hall"]}`, s)
	s.expect(t, "the current state",
		`{"lamp":"yard","level":0,"sequence":1,"lost":0}`,
		`{"lamp":"hall","level":7,"sequence":2,"lost":0}`)

	y.hall.change(8)
	y.yard.change(1)
	s.expect(t, "each change",
		`{"lamp":"hall","level":8,"sequence":3,"lost":0}`,
		`{"lamp":"yard","level":1,"sequence":4,"lost":0}`)

	session.Flush()
	s.expect(t, "nothing waited")
	if got, want := shown(session.Call()), []string{`lamps="yard"`, `lamps="hall"`}; !slices.Equal(got, want) {
		t.Errorf("the session's call shows %q, want %q", got, want)
	}

	session.Stop()
	y.hall.change(9)
	session.Flush()
	session.Stop()
	s.expect(t, "after its end")
	if y.hall.changes.Watched() || y.yard.changes.Watched() {
		t.Error("the lamps are watched after Stop")
	}
}

// A reader without room gets the newest event of each device when it has some, and learns how many it missed.
func TestSlowReader(t *testing.T) {
	y, s := newToy(t), &sink{room: 3}
	session := y.watch(t, `{"lamps":["hall","yard"]}`, s)
	y.hall.change(1)
	s.expect(t, "while there is room",
		`{"lamp":"hall","level":0,"sequence":1,"lost":0}`,
		`{"lamp":"yard","level":0,"sequence":2,"lost":0}`,
		`{"lamp":"hall","level":1,"sequence":3,"lost":0}`)

	for level := range int64(5) {
		y.hall.change(10 + level) // four of them are lost
	}
	y.yard.change(20)
	session.Flush()
	s.expect(t, "without room")

	s.room = 1
	session.Flush()
	s.expect(t, "with room for one", `{"lamp":"hall","level":14,"sequence":8,"lost":4}`)
	s.room = 100
	session.Flush()
	s.expect(t, "with room for all", `{"lamp":"yard","level":20,"sequence":9,"lost":0}`)
	y.hall.change(30)
	s.expect(t, "from then on", `{"lamp":"hall","level":30,"sequence":10,"lost":0}`)
	session.Flush()
	s.expect(t, "nothing waits any more")
}

// What waits is sent with the next change of its device, not after it.
func TestWaitingEventGivesWayToTheNext(t *testing.T) {
	y, s := newToy(t), &sink{room: 1}
	session := y.watch(t, `{"lamps":["hall"]}`, s)
	y.hall.change(1)
	s.room = 100
	y.hall.change(2)
	session.Flush()
	s.expect(t, "the newest alone", `{"lamp":"hall","level":0,"sequence":1,"lost":0}`, `{"lamp":"hall","level":2,"sequence":3,"lost":1}`)
}

// The first state waits too, where the reader has no room from the start.
func TestNoRoomFromTheStart(t *testing.T) {
	y, s := newToy(t), &sink{}
	session := y.watch(t, `{"lamps":["hall","yard"]}`, s)
	s.room = 100
	session.Flush()
	s.expect(t, "both states", `{"lamp":"hall","level":0,"sequence":1,"lost":0}`, `{"lamp":"yard","level":0,"sequence":2,"lost":0}`)
}

func TestStopWhileEventsWait(t *testing.T) {
	y, s := newToy(t), &sink{}
	session := y.watch(t, `{"lamps":["hall"]}`, s)
	session.Stop()
	s.room = 100
	session.Flush()
	s.expect(t, "after Stop")
}

// The reader may end the watch while it takes an event; then it gets no other one, and nothing stays subscribed.
func TestStopInAnEvent(t *testing.T) {
	y, s := newToy(t), &sink{room: 1}
	session := y.watch(t, `{"lamps":["hall","yard"]}`, s)
	s.expect(t, "the first state", `{"lamp":"hall","level":0,"sequence":1,"lost":0}`)
	y.hall.change(1) // both wait now
	s.room, s.taken = 100, session.Stop
	session.Flush()
	s.expect(t, "the event that ended it", `{"lamp":"hall","level":1,"sequence":2,"lost":0}`)
	if y.hall.changes.Watched() || y.yard.changes.Watched() {
		t.Error("the lamps are watched after Stop")
	}
}

func TestSlowDevice(t *testing.T) {
	y, s := newToy(t), &sink{room: 100}
	session := y.watch(t, `{"lamps":["far","hall"]}`, s)
	s.expect(t, "before the worker ran", `{"lamp":"hall","level":0,"sequence":1,"lost":0}`)
	if len(s.jobs) != 1 || s.jobs[0].bus != "i2c-1" {
		t.Fatalf("jobs %v, want one of i2c-1", s.jobs)
	}
	if y.far.changes.Watched() {
		t.Error("the slow lamp is watched before its state was read")
	}
	y.far.level = 5
	s.work()
	y.far.change(6)
	s.expect(t, "after the worker ran", `{"lamp":"far","level":5,"sequence":2,"lost":0}`, `{"lamp":"far","level":6,"sequence":3,"lost":0}`)
	session.Stop()
	if y.far.changes.Watched() || y.hall.changes.Watched() {
		t.Error("the lamps are watched after Stop")
	}
}

func TestSlowDeviceAfterStop(t *testing.T) {
	y, s := newToy(t), &sink{room: 100}
	session := y.watch(t, `{"lamps":["far"]}`, s)
	session.Stop()
	y.far.stateErr = errors.New("late")
	s.work()
	s.expect(t, "after Stop")
	if len(s.failed) != 0 || y.far.changes.Watched() {
		t.Errorf("failed with %v, want nothing at all after Stop", s.failed)
	}
}

// The reader may end the watch while it takes the state of a slow device: it is not subscribed then, since nobody would ever stop it.
func TestStopInTheStateOfASlowDevice(t *testing.T) {
	y, s := newToy(t), &sink{room: 100}
	session := y.watch(t, `{"lamps":["far"]}`, s)
	s.taken = session.Stop
	s.work()
	if y.far.changes.Watched() {
		t.Error("the lamp is watched after Stop")
	}
}

// The same where start itself gives an event.
func TestStopInStart(t *testing.T) {
	y, s := newToy(t), &sink{room: 100}
	stopped := 0
	m := hal.Watch(y.lamps, hal.Observe, "Eager", "", y.state, func(l *lamp, _ *hal.None, emit func(*lampState)) (func(), error) {
		emit(&lampState{l.id, 1})
		return func() { stopped++ }, nil
	})
	call, err := m.Decode([]byte(`{"lamps":["far"]}`))
	if err != nil {
		t.Fatal(err)
	}
	permitted, err := call.Authorise(open{})
	if err != nil {
		t.Fatal(err)
	}
	session, err := permitted.Watch(holder("somebody"), s)
	if err != nil {
		t.Fatal(err)
	}
	s.taken = func() {
		if len(s.events) == 1 {
			session.Stop()
		}
	}
	s.work()
	if stopped != 1 {
		t.Errorf("what start began was stopped %d times, want once", stopped)
	}
}

var errBroken = errors.New("broken")

// A watch that cannot begin leaves nothing running, not even for the devices that had begun.
func TestWatchThatCannotBegin(t *testing.T) {
	tests := []struct {
		name, parameters string
		prepare          func(*toy, *sink)
	}{
		{"no state", `{"lamps":["hall","yard"]}`, func(y *toy, _ *sink) { y.yard.stateErr = errBroken }},
		{"no start", `{"lamps":["hall","yard"]}`, func(y *toy, _ *sink) { y.yard.startErr = errBroken }},
		{"no worker", `{"lamps":["hall","far"]}`, func(_ *toy, s *sink) { s.busy = errBroken }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			y, s := newToy(t), &sink{room: 100}
			test.prepare(y, s)
			session, err := y.permit(t, "Watch", test.parameters).Watch(holder("somebody"), s)
			if session != nil || err != errBroken {
				t.Errorf("Watch = %v, %v, want nil, %v", session, err, errBroken)
			}
			if y.hall.changes.Watched() || y.yard.changes.Watched() {
				t.Error("a lamp is watched")
			}
			if len(s.failed) != 0 {
				t.Errorf("Fail was told %v, want nothing: Watch has said it", s.failed)
			}
		})
	}
}

func TestSlowDeviceFails(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(*lamp)
	}{
		{"no state", func(l *lamp) { l.stateErr = errBroken }},
		{"no start", func(l *lamp) { l.startErr = errBroken }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			y, s := newToy(t), &sink{room: 100}
			test.prepare(y.far)
			session := y.watch(t, `{"lamps":["hall","far"]}`, s)
			s.work()
			if !slices.Equal(s.failed, []error{errBroken}) {
				t.Errorf("Fail was told %v, want %v once", s.failed, errBroken)
			}
			s.events = nil
			y.hall.change(1)
			session.Flush()
			session.Stop()
			s.expect(t, "after the failure")
			if y.hall.changes.Watched() || y.far.changes.Watched() {
				t.Error("a lamp is watched after the failure")
			}
		})
	}
}

func TestWatchOfAMethodThatReportsNothing(t *testing.T) {
	for method, parameters := range map[string]string{
		"Get": `{"lamp":"hall"}`, "SetMany": `{"lamps":["hall"],"level":1}`, "Reset": `{}`,
	} {
		y := newToy(t)
		session, err := y.permit(t, method, parameters).Watch(holder("somebody"), &sink{room: 1})
		if session != nil || err == nil {
			t.Errorf("Watch of %s = %v, %v, want an error", method, session, err)
		}
		if len(y.ran) != 0 {
			t.Errorf("Watch of %s ran %q, want nothing", method, y.ran)
		}
	}
}
