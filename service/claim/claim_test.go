package claim

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/haltest"
)

// holder is a connection of a uid.
type holder struct {
	uid   uint32
	ended []func()
}

func (h *holder) UID() uint32      { return h.uid }
func (h *holder) Owner() hal.Owner { return "holder" }

func (h *holder) Ended(f func()) (stop func()) {
	h.ended = append(h.ended, f)
	return func() {}
}

func (h *holder) hangUp() {
	for _, f := range h.ended {
		f()
	}
}

// lamp is a device that is brought to 0 when a claim ends.
type lamp struct {
	id, bus  string
	level    int
	claimErr error
	safeErr  error
}

func (l *lamp) ID() string  { return l.id }
func (l *lamp) Bus() string { return l.bus }

func (l *lamp) Claim() (release func() error, err error) {
	return func() error {
		if l.safeErr == nil {
			l.level = 0
		}
		return l.safeErr
	}, l.claimErr
}

// shelf is a hal.Keeper of records.
type shelf map[string]string

func (s shelf) Take(name string) (int, []byte, bool) {
	record, ok := s[name]
	return -1, []byte(record), ok
}

func (s shelf) Push(name string, _ int, record []byte) error {
	s[name] = string(record)
	return nil
}

func (s shelf) Keep(string, int, []byte) error { panic("the loop must not wait") }
func (s shelf) Wait() error                    { panic("the loop must not wait") }

func (s shelf) Note(string, []byte) error { return nil }
func (s shelf) Drop(name string)          { delete(s, name) }

type bench struct {
	*testing.T
	book *Book
	loop *haltest.Loop
	kept shelf
	log  strings.Builder
	seen []string // what changed told
}

func newBench(t *testing.T) *bench {
	b := &bench{T: t, loop: haltest.NewLoop(), kept: shelf{}}
	b.restart()
	return b
}

// restart is the next process, with what the one before kept.
func (b *bench) restart() {
	b.book = New(b.loop, slog.New(slog.NewTextHandler(&b.log, nil)), 3, func(uid uint32) uint32 { return uid }, b.kept, func(h *Hold, held bool) {
		sign := map[bool]string{true: "+", false: "-"}[held]
		b.seen = append(b.seen, sign+h.Device.Name())
	})
}

func device(l *lamp) Device { return Device{Device: l, Class: "Lamp"} }

// take claims, lets the workers work, and gives the answer.
func (b *bench) take(h *holder, lamps ...*lamp) error {
	b.Helper()
	answers, err := 0, errors.New("no answer")
	var devices []Device
	for _, l := range lamps {
		devices = append(devices, device(l))
	}
	b.book.Take(h, devices, func(e error) { answers++; err = e })
	b.loop.Turn()
	if answers != 1 {
		b.Errorf("%d answers, want 1", answers)
	}
	return err
}

func (b *bench) blocked(h *holder, l *lamp) bool { return b.book.Blocker(h, "Lamp", l.id) != nil }

func (b *bench) told(want string) {
	b.Helper()
	if got := strings.Join(b.seen, " "); got != want {
		b.Errorf("told %q, want %q", got, want)
	}
}

// TestClaimThatCannotBegin: where one device refuses, none is held, and nothing was written.
func TestClaimThatCannotBegin(t *testing.T) {
	for _, bus := range []string{"", "i2c-1"} {
		b, h := newBench(t), &holder{uid: 1}
		good, bad := &lamp{id: "good", level: 5}, &lamp{id: "bad", bus: bus, claimErr: errors.New("dark")}
		if err := b.take(h, good, bad); err == nil || !strings.Contains(err.Error(), "dark") {
			t.Errorf("got %v", err)
		}
		if b.blocked(&holder{uid: 2}, good) || good.level != 5 || len(b.book.All()) != 0 || len(b.kept) != 0 {
			t.Errorf("level %d, %d held, %d kept, want it as it was", good.level, len(b.book.All()), len(b.kept))
		}
		b.told("")
	}
}

// TestHangUpWhileTaking: a connection that ends before its claim is answered holds nothing, and its devices go to their states.
func TestHangUpWhileTaking(t *testing.T) {
	b, h := newBench(t), &holder{uid: 1}
	l := &lamp{id: "far", bus: "i2c-1", level: 5}
	b.book.Take(h, []Device{device(l)}, func(error) {})
	h.hangUp()
	if !b.blocked(&holder{uid: 2}, l) {
		t.Error("it is free while it is on its way")
	}
	b.loop.Turn()
	if l.level != 0 || len(b.book.All()) != 0 || len(b.kept) != 0 {
		t.Errorf("level %d, %d held, %d kept, want nothing", l.level, len(b.book.All()), len(b.kept))
	}
}

// TestReleaseThatHasToWait: a worker with too much to do is tried again, and the device is nobody's until then.
func TestReleaseThatHasToWait(t *testing.T) {
	b, h := newBench(t), &holder{uid: 1}
	l := &lamp{id: "far", bus: "i2c-1", level: 5}
	if err := b.take(h, l); err != nil {
		t.Fatal(err)
	}
	b.loop.Full = true
	freed := false
	b.book.Drop(h, []string{"Lamp/far", "Lamp/nobody"}, func() { freed = true })
	b.loop.Advance(100 * time.Millisecond)
	if freed || !b.blocked(h, l) {
		t.Errorf("freed %t, want it to wait, and not to be its holder's any more", freed)
	}
	b.loop.Full = false
	b.loop.Advance(Retry)
	if !freed || l.level != 0 || b.blocked(&holder{uid: 2}, l) {
		t.Errorf("freed %t, level %d", freed, l.level)
	}
	b.told("+Lamp/far -Lamp/far")
}

// TestReleaseThatFails: it is logged, and the device is free: nobody could do more about it.
func TestReleaseThatFails(t *testing.T) {
	b, h := newBench(t), &holder{uid: 1}
	l := &lamp{id: "hall", safeErr: errors.New("dark")}
	if err := b.take(h, l); err != nil {
		t.Fatal(err)
	}
	h.hangUp()
	if len(b.book.All()) != 0 || !strings.Contains(b.log.String(), "dark") || !strings.Contains(b.log.String(), "Lamp/hall") {
		t.Errorf("%d held, the log says %s", len(b.book.All()), b.log.String())
	}
}

func TestLimit(t *testing.T) {
	b := newBench(t)
	lamps := []*lamp{{id: "a"}, {id: "b"}, {id: "c"}, {id: "d"}}
	first, second, other := &holder{uid: 1}, &holder{uid: 1}, &holder{uid: 2}
	if err := b.take(first, lamps[:2]...); err != nil {
		t.Fatal(err)
	}
	var limit *hal.LimitExceeded
	if err := b.take(second, lamps[2:]...); !errors.As(err, &limit) || limit.Maximum != 3 {
		t.Errorf("got %v, want the limit of 3", err)
	}
	if err := b.take(other, lamps[2:]...); err != nil {
		t.Errorf("another uid: %v", err)
	}
	first.hangUp()
	if len(b.book.All()) != 2 || len(b.book.held) != 1 {
		t.Errorf("%d held by %d uids, want 2 by 1", len(b.book.All()), len(b.book.held))
	}
}

// restartClaimed claims a lamp and restarts the daemon.
func restartClaimed(t *testing.T) (*bench, *lamp) {
	b, l := newBench(t), &lamp{id: "hall", level: 5}
	if err := b.take(&holder{uid: 1}, l); err != nil {
		t.Fatal(err)
	}
	b.book.Close()
	b.restart()
	b.book.Restore(device(l), 5*time.Second)
	b.book.Restore(device(&lamp{id: "nobody's"}), 5*time.Second)
	b.loop.Turn()
	if l.level != 5 || len(b.book.All()) != 1 {
		t.Fatalf("level %d, %d held, want it as it was", l.level, len(b.book.All()))
	}
	return b, l
}

// TestReclaim: after a restart, a claimed device keeps its state and is kept for its uid, which takes it over as it is.
func TestReclaim(t *testing.T) {
	b, l := restartClaimed(t)
	again, other := &holder{uid: 1}, &holder{uid: 2}
	if !b.blocked(other, l) || b.blocked(again, l) {
		t.Errorf("blocked for others %t, for its uid %t, want true, false", b.blocked(other, l), b.blocked(again, l))
	}
	var taken *Taken
	if err := b.take(other, l); !errors.As(err, &taken) {
		t.Errorf("another uid got %v", err)
	}
	if err := b.take(again, l); err != nil {
		t.Fatal(err)
	}
	b.loop.Advance(10 * time.Second)
	if l.level != 5 || b.blocked(again, l) || !b.blocked(&holder{uid: 1}, l) {
		t.Errorf("level %d, want 5, and it the one connection's", l.level)
	}
	again.hangUp()
	if l.level != 0 || len(b.kept) != 0 {
		t.Errorf("at its end: level %d, %d kept", l.level, len(b.kept))
	}
}

// TestNotReclaimed: what is not claimed again in time goes to its state.
func TestNotReclaimed(t *testing.T) {
	b, l := restartClaimed(t)
	b.loop.Advance(5 * time.Second)
	if l.level != 0 || len(b.book.All()) != 0 || len(b.kept) != 0 {
		t.Errorf("level %d, %d held, %d kept, want it safe and free", l.level, len(b.book.All()), len(b.kept))
	}
}
