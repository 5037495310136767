package gpio

import (
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
)

// How interlocks are kept.
//
// Members may be lines of chips on several buses, and so be written by several goroutines at a time. Who may activate one is decided under one mutex for all interlocks, which is never held over a call of the kernel: a bus that
// hangs keeps nobody else waiting. What the mutex guards is what is known of the lines, and that is always on the safe side: a line counts as active from before it is written to 1 until a write of 0 has succeeded. One whose
// write failed counts as active, whatever was to be written, and so does one that is not held: its chip is not there, or somebody else has it. The order is always: the line's guard, the decision, the write, the note of what
// came of it, the guard's end; so what is noted of one line has the order of its writes.

// standing is what is known of a member.
type standing int

const (
	unknown  standing = iota // it is not held
	doubtful                 // it is being written, or a write failed
	active
	inactive
)

// interlocks are those of the board.
type interlocks struct {
	loop    hal.Loop
	log     *slog.Logger
	members map[string]*locked // by the IDs of their lines

	mu sync.Mutex // guards what is said of members; see above
}

// locked is a member of interlocks. It outlives its line, which goes and comes with the chip.
type locked struct {
	all *interlocks
	id  string
	in  []*interlock

	// Guarded by all.mu:
	line     *Line // nil while it is not there
	standing standing
	since    time.Time // when it became inactive
	reserved int       // by calls of SetMany that will activate it
	wanted   time.Time // until when it is tried to activate it, as board.toml wants; zero for not at all

	retry func() // stops the timer of the next try; the loop's goroutine alone knows
}

func newInterlocks(env *hal.Env) *interlocks {
	x := &interlocks{loop: env.Loop, log: env.Log, members: map[string]*locked{}}
	for i := range env.Entries {
		e, ok := env.Entries[i].Value.(*interlockEntry)
		if !ok {
			continue
		}
		lock := &interlock{name: e.Name, most: e.most(), dead: e.deadTime()}
		for _, id := range e.Members {
			m := x.member(id)
			m.in = append(m.in, lock)
			lock.members = append(lock.members, m)
		}
	}
	return x
}

func (x *interlocks) member(id string) *locked {
	if x.members[id] == nil {
		x.members[id] = &locked{all: x, id: id, retry: func() {}}
	}
	return x.members[id]
}

// join makes a line a member, if board.toml says so.
func (x *interlocks) join(l *Line) {
	if m := x.members[l.id]; m != nil {
		l.locked = m
		m.become(l)
	}
}

// become lets the member be another line, of which nothing is known yet; nil for none.
func (m *locked) become(l *Line) {
	m.all.mu.Lock()
	defer m.all.mu.Unlock()
	m.line, m.standing, m.wanted = l, unknown, time.Time{}
}

// leave notes that a line is not there any more. What a worker is still doing with it is not believed.
func (m *locked) leave(l *Line) {
	if m != nil && m.is(l) {
		m.become(nil)
	}
}

// lost notes that a line is not held any more.
func (m *locked) lost(l *Line) {
	if m != nil && m.is(l) {
		m.become(l)
	}
}

func (m *locked) is(l *Line) bool {
	m.all.mu.Lock()
	defer m.all.mu.Unlock()
	return m.line == l
}

// counts reports whether the member counts as active.
func (m *locked) counts() bool { return m.standing != inactive || m.reserved > 0 }

// view is how another member of an interlock stands against an activation: whether it counts as active, and for how long it was not inactive for long enough.
type view func(i *interlock, other *locked) (active bool, left time.Duration)

// asIs is the view of what there is.
func asIs(i *interlock, other *locked) (active bool, left time.Duration) {
	if other.counts() {
		return true, 0
	}
	return false, i.dead - time.Since(other.since)
}

// conflict is the refusal of an activation, or nil. What is only too early is told where nothing else stands against it, with the longest time.
func (m *locked) conflict(see view) (refusal *hal.Interlocked) {
	var longest time.Duration
	for _, i := range m.in {
		others := 0
		for _, other := range i.members {
			if other == m {
				continue
			}
			isActive, left := see(i, other)
			if isActive {
				if others++; others == i.most {
					return i.refusal(other)
				}
			}
			if left > longest {
				longest, refusal = left, i.tooEarly(other, left)
			}
		}
	}
	return refusal
}

// admit comes before a write. It refuses an activation that an interlock forbids; from now on until wrote, what it permits counts as active.
func (m *locked) admit(l *Line, value int64) error {
	if value == 0 {
		return nil
	}
	m.all.mu.Lock()
	defer m.all.mu.Unlock()
	if m.standing == active && m.line == l {
		return nil
	}
	return m.activate(l)
}

// admitPulse comes before a pulse to 0, at the end of which the line is activated: also where it is active now, that has to be permitted.
func (m *locked) admitPulse(l *Line) error {
	m.all.mu.Lock()
	defer m.all.mu.Unlock()
	return m.activate(l)
}

// activate permits an activation. The mutex is held.
func (m *locked) activate(l *Line) error {
	if m.line != l {
		return unix.ENODEV
	}
	if refusal := m.conflict(asIs); refusal != nil {
		return refusal
	}
	if m.standing != active {
		m.standing = doubtful
	}
	return nil
}

// wrote notes what came of a write.
func (m *locked) wrote(l *Line, value int64, err error) {
	if m == nil {
		return
	}
	m.all.mu.Lock()
	defer m.all.mu.Unlock()
	switch {
	case m.line != l:
		return
	case err != nil:
		m.standing = doubtful
	case value == 1:
		m.standing = active
	case m.standing != inactive:
		m.standing, m.since = inactive, time.Now()
	}
	m.wanted = time.Time{}
}

// found tells what a line may go on with that is about to be held as it is: with 0 where it is at 1, and there are as many that are known to be active as there may be. What it permits counts as active.
func (m *locked) found(value int64) int64 {
	if m == nil || value == 0 {
		return value
	}
	m.all.mu.Lock()
	defer m.all.mu.Unlock()
	for _, i := range m.in {
		others := 0
		for _, other := range i.members {
			if other == m || other.standing == unknown || !other.counts() {
				continue
			}
			if others++; others == i.most {
				m.all.log.Warn("an output is switched off: an interlock forbids what it is", "line", m.id, "interlock", i.name, "conflicting", other.id)
				return 0
			}
		}
	}
	m.standing = doubtful
	return 1
}

// held notes that a line is held from now on.
func (m *locked) held(l *Line, value int64) {
	if m == nil {
		return
	}
	m.all.mu.Lock()
	defer m.all.mu.Unlock()
	switch {
	case m.line != l:
	case value == 1:
		m.standing, m.wanted = active, time.Time{}
	default:
		m.standing, m.since = inactive, time.Now()
	}
}
