package loop

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

func add(t testing.TB, l *Loop, fd int, events uint32, f func(uint32)) {
	t.Helper()
	if err := l.Add(fd, events, readyFunc(f)); err != nil {
		t.Fatal(err)
	}
}

func TestEventsReachTheirReader(t *testing.T) {
	tests := []struct {
		name   string
		events uint32
		act    func(t *testing.T, theirs int)
		want   uint32
	}{
		{"data", unix.EPOLLIN, func(t *testing.T, fd int) { write(t, fd, "x") }, unix.EPOLLIN},
		{"room", unix.EPOLLIN | unix.EPOLLOUT, func(*testing.T, int) {}, unix.EPOLLOUT},
		{"end of sending", unix.EPOLLIN | unix.EPOLLRDHUP, func(t *testing.T, fd int) {
			if err := unix.Shutdown(fd, unix.SHUT_WR); err != nil {
				t.Fatal(err)
			}
		}, unix.EPOLLIN | unix.EPOLLRDHUP},
		{"hang-up, asked for or not", 0, func(t *testing.T, fd int) {
			if err := unix.Shutdown(fd, unix.SHUT_RDWR); err != nil {
				t.Fatal(err)
			}
		}, unix.EPOLLHUP},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := newLoop(t)
			ours, theirs := pair(t)
			test.act(t, theirs)
			add(t, l, ours, test.events, func(got uint32) {
				if got != test.want {
					t.Errorf("events: got %#x, want %#x", got, test.want)
				}
				l.Stop()
			})
			run(t, l)
		})
	}
}

func TestLevelTriggered(t *testing.T) {
	l := newLoop(t)
	ours, theirs := pair(t)
	write(t, theirs, "x")
	calls := 0
	add(t, l, ours, unix.EPOLLIN, func(uint32) {
		if calls++; calls == 3 {
			l.Stop()
		}
	})
	run(t, l)
	if calls != 3 {
		t.Errorf("calls while data is left: got %d, want 3", calls)
	}
}

// Two descriptors are ready in one round, and whichever comes first acts on the other one, which must not be called for that round's event.
func TestSameRound(t *testing.T) {
	tests := []struct {
		name string
		act  func(t *testing.T, l *Loop, other, spare int)
	}{
		{"removed", func(_ *testing.T, l *Loop, other, _ int) { l.Remove(other) }},
		{"modified", func(t *testing.T, l *Loop, other, _ int) {
			if err := l.Modify(other, 0); err != nil {
				t.Error(err)
			}
		}},
		{"number used again", func(t *testing.T, l *Loop, other, spare int) {
			l.Remove(other)
			if err := unix.Dup3(spare, other, unix.O_CLOEXEC); err != nil {
				t.Error(err)
			}
			add(t, l, other, unix.EPOLLIN, func(uint32) { t.Error("a new descriptor got an event of the old one") })
		}},
		{"number used again without Remove of the old one", func(t *testing.T, l *Loop, other, spare int) {
			closeAll(other)
			if err := unix.Dup3(spare, other, unix.O_CLOEXEC); err != nil {
				t.Error(err)
			}
			add(t, l, other, unix.EPOLLIN, func(uint32) { t.Error("a new descriptor got an event of the old one") })
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := newLoop(t)
			a, toA := pair(t)
			b, toB := pair(t)
			spare, _ := pair(t)
			calls := 0
			first := func(self, other int) func(uint32) {
				return func(uint32) {
					calls++
					l.Remove(self)
					test.act(t, l, other, spare)
					l.After(0, l.Stop) // a round later
				}
			}
			write(t, toA, "x")
			write(t, toB, "x")
			add(t, l, a, unix.EPOLLIN, first(a, b))
			add(t, l, b, unix.EPOLLIN, first(b, a))
			run(t, l)
			if calls != 1 {
				t.Errorf("calls: got %d, want 1", calls)
			}
		})
	}
}

func TestModify(t *testing.T) {
	l := newLoop(t)
	ours, _ := pair(t)
	add(t, l, ours, unix.EPOLLIN, func(events uint32) {
		if events != unix.EPOLLOUT {
			t.Errorf("events: got %#x, want EPOLLOUT", events)
		}
		l.Stop()
	})
	if err := l.Modify(ours, unix.EPOLLOUT); err != nil {
		t.Fatal(err)
	}
	run(t, l)
}

func TestWatchErrors(t *testing.T) {
	l := newLoop(t)
	ours, _ := pair(t)
	ignore := readyFunc(func(uint32) {})
	if err := l.Add(-1, unix.EPOLLIN, ignore); !errors.Is(err, unix.EBADF) {
		t.Errorf("adding -1: got %v, want EBADF", err)
	}
	for _, fd := range []int{-1, ours, 1 << 20} {
		if err := l.Modify(fd, unix.EPOLLIN); !errors.Is(err, unix.ENOENT) {
			t.Errorf("modifying %d, which is not watched: got %v, want ENOENT", fd, err)
		}
		l.Remove(fd)
	}
	add(t, l, ours, unix.EPOLLIN, ignore)
	if err := l.Add(ours, unix.EPOLLIN, ignore); !errors.Is(err, unix.EEXIST) {
		t.Errorf("adding twice: got %v, want EEXIST", err)
	}
	l.Remove(ours)
	l.Remove(ours)
	add(t, l, ours, unix.EPOLLIN, ignore)
}

func TestManyDescriptors(t *testing.T) {
	l := newLoop(t)
	const count = maxEvents + 20 // more than one wait reports
	left := count
	for range count {
		ours, theirs := pair(t)
		write(t, theirs, "x")
		add(t, l, ours, unix.EPOLLIN, func(uint32) {
			l.Remove(ours)
			if left--; left == 0 {
				l.Stop()
			}
		})
	}
	run(t, l)
}
