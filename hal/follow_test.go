package hal_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/halberd-io/halberd/hal"
)

// follow declares a watch that gives its Watcher away.
func (y *toy) follow(t *testing.T, parameters string, s *sink, start func(l *lamp, w *hal.Watcher[lampState]) (func(), error)) (*hal.Session, error) {
	t.Helper()
	m := hal.Follow(y.lamps, hal.Observe, "Follow", "", y.state, func(l *lamp, _ *hal.None, w *hal.Watcher[lampState]) (func(), error) {
		return start(l, w)
	})
	call, err := m.Decode([]byte(parameters))
	if err != nil {
		t.Fatal(err)
	}
	permitted, err := call.Authorise(open{})
	if err != nil {
		t.Fatal(err)
	}
	return permitted.Watch(holder("somebody"), s)
}

// A device that goes away ends the watch of all devices, once.
func TestFollow(t *testing.T) {
	y, s := newToy(t), &sink{room: 100}
	watchers, stopped := map[string]*hal.Watcher[lampState]{}, 0
	session, err := y.follow(t, `{"lamps":["hall","yard"]}`, s, func(l *lamp, w *hal.Watcher[lampState]) (func(), error) {
		watchers[l.id] = w
		return func() { stopped++ }, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.events = nil
	watchers["yard"].Emit(&lampState{"yard", 3})
	s.expect(t, "a change", `{"lamp":"yard","level":3,"sequence":3,"lost":0}`)
	watchers["hall"].Fail(errBroken)
	watchers["yard"].Fail(errors.New("later"))
	watchers["yard"].Emit(&lampState{"yard", 4})
	session.Flush()
	session.Stop()
	s.expect(t, "after the failure")
	if !slices.Equal(s.failed, []error{errBroken}) || stopped != 2 {
		t.Errorf("Fail was told %v and %d devices were stopped, want %v and 2", s.failed, stopped, errBroken)
	}
}

// After Stop a device may fail as it likes.
func TestFollowFailsAfterStop(t *testing.T) {
	y, s := newToy(t), &sink{room: 100}
	var watcher *hal.Watcher[lampState]
	session, err := y.follow(t, `{"lamps":["hall"]}`, s, func(_ *lamp, w *hal.Watcher[lampState]) (func(), error) {
		watcher = w
		return func() {}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	session.Stop()
	watcher.Fail(errBroken)
	if len(s.failed) != 0 {
		t.Errorf("Fail was told %v, want nothing after Stop", s.failed)
	}
}

// A failure before the watch has begun is the error of Watch: the reader cannot be told of the end of a watch that it never had.
func TestFollowFailsBeforeItBegan(t *testing.T) {
	for _, at := range []string{"hall", "yard"} {
		y, s := newToy(t), &sink{room: 100}
		stopped := map[string]int{}
		var first *hal.Watcher[lampState]
		session, err := y.follow(t, `{"lamps":["hall","yard"]}`, s, func(l *lamp, w *hal.Watcher[lampState]) (func(), error) {
			if first == nil {
				first = w
			}
			if l.id == at {
				first.Fail(errBroken)
			}
			return func() { stopped[l.id]++ }, nil
		})
		if session != nil || err != errBroken || len(s.failed) != 0 {
			t.Errorf("failed at %s: Watch = %v, %v and Fail was told %v, want nil, %v and nothing", at, session, err, s.failed, errBroken)
		}
		if stopped["hall"] != 1 || stopped[at] != 1 {
			t.Errorf("failed at %s: stopped %v, want each that had begun, once", at, stopped)
		}
	}
}
