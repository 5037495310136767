package hal_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal"
)

// sounds is a stream of levels, told to whoever calls.
type sounds struct {
	feed   hal.Feed[int64]
	first  error
	failed error
	stops  int
	who    hal.Holder
	told   *hal.Watcher[level]
}

func (s *sounds) method() *hal.Method {
	return hal.Stream(hal.Observe, "Listen", "Tells each level.",
		func(_ hal.Holder, in *note, out *level) error {
			out.Level = in.Count.Or(0)
			return s.first
		},
		func(h hal.Holder, _ *note, w *hal.Watcher[level]) (func(), error) {
			s.who, s.told = h, w
			stop := s.feed.Subscribe(func(n int64) { w.Emit(&level{n}) })
			return func() { stop(); s.stops++ }, s.failed
		})
}

func (s *sounds) listen(t *testing.T, to *sink) (*hal.Session, error) {
	t.Helper()
	return permitted(t, s.method(), `{"count":7}`).Watch(holder("somebody"), to)
}

func event(n, sequence, lost int) string {
	return fmt.Sprintf(`{"level":%d,"sequence":%d,"lost":%d}`, n, sequence, lost)
}

func TestStream(t *testing.T) {
	var s sounds
	to := &sink{room: 100}
	session, err := s.listen(t, to)
	if err != nil {
		t.Fatal(err)
	}
	to.expect(t, "at once", event(7, 1, 0))
	if s.who != holder("somebody") || s.told.State().Level != 7 {
		t.Errorf("%v listens and was told %v, want somebody and 7", s.who, s.told.State())
	}
	s.feed.Publish(8)
	s.feed.Publish(8)
	to.expect(t, "two events", event(8, 2, 0), event(8, 3, 0))
	session.Stop()
	session.Stop()
	s.feed.Publish(9)
	s.told.Emit(&level{9})
	to.expect(t, "after the end")
	if s.stops != 1 || s.feed.Watched() {
		t.Errorf("it was stopped %d times, watched %v", s.stops, s.feed.Watched())
	}
}

// Without more the first event is all, and takes no devices.
func TestStreamOnce(t *testing.T) {
	var s sounds
	p := permitted(t, s.method(), `{"count":7}`)
	if err := p.Run(holder("somebody")); err != nil {
		t.Fatal(err)
	}
	if got := string(p.Reply(nil)); got != event(7, 1, 0) || s.told != nil {
		t.Errorf("got %s, started %v", got, s.told != nil)
	}
	if bus, err := p.Bus(); bus != "" || err != nil {
		t.Errorf("it runs on %q, %v", bus, err)
	}
}

// A slow reader gets each event once it has room, in order.
func TestStreamWaits(t *testing.T) {
	var s sounds
	to := &sink{room: 1}
	session, err := s.listen(t, to)
	if err != nil {
		t.Fatal(err)
	}
	for n := range int64(3) {
		s.feed.Publish(n)
	}
	to.expect(t, "the room there is", event(7, 1, 0))
	to.room = 2
	session.Flush()
	s.feed.Publish(3)
	to.expect(t, "more room", event(0, 2, 0), event(1, 3, 0))
	to.room = 10
	session.Flush()
	s.feed.Publish(4)
	to.expect(t, "all the room", event(2, 4, 0), event(3, 5, 0), event(4, 6, 0))
}

// What waits has a bound: the oldest are skipped and counted.
func TestStreamLoses(t *testing.T) {
	var s sounds
	to := &sink{room: 1}
	session, err := s.listen(t, to)
	if err != nil {
		t.Fatal(err)
	}
	for n := range int64(300) {
		s.feed.Publish(n)
	}
	to.events, to.room = nil, 1000
	session.Flush()
	if len(to.events) != 256 || to.events[0] != event(44, 46, 44) || to.events[255] != event(299, 301, 0) {
		t.Errorf("got %d events, from %s to %s", len(to.events), to.events[0], to.events[len(to.events)-1])
	}
}

func TestStreamFails(t *testing.T) {
	for _, c := range []struct {
		name string
		s    sounds
	}{
		{"the first event", sounds{first: errDark}},
		{"the start", sounds{failed: errDark}},
	} {
		session, err := c.s.listen(t, &sink{room: 9})
		if session != nil || err != errDark {
			t.Errorf("%s: got %v, %v, want %v", c.name, session, err, errDark)
		}
	}
	var s sounds
	to := &sink{room: 9}
	if _, err := s.listen(t, to); err != nil {
		t.Fatal(err)
	}
	s.told.Fail(errDark)
	s.feed.Publish(1)
	to.expect(t, "before the end", event(7, 1, 0))
	if len(to.failed) != 1 || to.failed[0] != errDark || s.stops != 1 {
		t.Errorf("Fail was told %v, stopped %d times", to.failed, s.stops)
	}
}

func TestStreamText(t *testing.T) {
	m := new(sounds).method()
	if !m.Watches || m.Device != "" || m.NeedsConnection {
		t.Errorf("it is %+v", m)
	}
	text := hal.InterfaceText("io.halberd.Lamp", "", []*hal.Method{m}, nil)
	if want := "With more: an event at once, then the changes"; !strings.Contains(text, want) {
		t.Errorf("the text has no %q:\n%s", want, text)
	}
}
