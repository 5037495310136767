package service

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/peer"
)

// idler is a watcher that never reads.
type idler struct {
	name string
	fd   int
	conn *conn
	nul  bool
	rest []byte
}

// newIdler begins a watch on a connection of its own.
func (b *bench) newIdler(t *testing.T, kind benchKind, call string) *idler {
	t.Helper()
	fd, c := b.connect(t, kind.kind, kind.transport, call+kind.end)
	return &idler{name: kind.name + " " + call, fd: fd, conn: c, nul: kind.transport == peer.Stream}
}

// counts are those of an event, and what is left out of some.
type counts struct {
	Sequence, Lost, Value int64
	Kind                  string
}

// next reads the events that have come.
func (w *idler) next(t *testing.T) (all []counts) {
	t.Helper()
	buf := make([]byte, 1<<17)
	for n, err := unix.Read(w.fd, buf); err == nil && n > 0; n, err = unix.Read(w.fd, buf) {
		w.rest = append(w.rest, buf[:n]...)
		if !w.nul {
			w.rest = append(w.rest, 0)
		}
	}
	for {
		msg, behind, whole := bytes.Cut(w.rest, []byte{0})
		if !whole {
			return all
		}
		var event struct{ Parameters counts }
		if err := json.Unmarshal(msg, &event); err != nil {
			t.Fatalf("%v: %s", err, msg)
		}
		all, w.rest = append(all, event.Parameters), behind
	}
}

// TestWatchersThatNeverRead: each call of somebody else is answered in its own turn, and what is kept for the watchers is bounded, however many changes they miss; at last they learn exactly how many
// these were, and how things are.
func TestWatchersThatNeverRead(t *testing.T) {
	for _, row := range benchKinds {
		b := newBench(t, row.kind, row.transport)
		var idlers []*idler
		for _, kind := range benchKinds {
			for _, call := range []string{`{"method":"io.halberd.Gpio.Watch","parameters":{"lines":["relay-pump"]},"more":true}`, `{"method":"io.halberd.Board.Events","more":true}`} {
				idlers = append(idlers, b.newIdler(t, kind, call))
			}
		}
		const rounds = 6000
		queued := map[*idler]int{}
		for i := range rounds {
			for _, call := range []string{fmt.Sprintf(`{"method":"io.halberd.Gpio.Set","parameters":{"line":"relay-pump","value":%d}}`, (i+1)%2),
				`{"method":"io.halberd.Board.Claim","parameters":{"devices":["Led/front"]}}`, `{"method":"io.halberd.Board.Release","parameters":{"devices":["Led/front"]}}`} {
				b.later(t, call+row.end, `{"parameters":{}}`+row.end)
			}
			for _, w := range idlers {
				if n := w.conn.out.Len(); i == rounds/2 {
					queued[w] = n
				} else if i > rounds/2 && n != queued[w] || w.conn.closed {
					t.Fatalf("%s: %d bytes are queued after %d changes, %d before, closed %t", w.name, n, i, queued[w], w.conn.closed)
				}
			}
		}
		for _, w := range idlers {
			w.expect(t, rounds)
		}
	}
}

// later makes a call that may be answered when the loop comes round, and in no later turn.
func (b *bench) later(t *testing.T, call, want string) {
	t.Helper()
	if _, err := unix.Write(b.fd, []byte(call)); err != nil {
		t.Fatal(err)
	}
	b.conn.Ready(unix.EPOLLIN)
	n, err := unix.Read(b.fd, b.reply)
	if err == unix.EAGAIN {
		b.server.loop.Stop() // so that Run does what was posted, and no more
		if err := b.server.loop.Run(); err != nil {
			t.Fatal(err)
		}
		n, err = unix.Read(b.fd, b.reply)
	}
	if got := string(b.reply[:max(n, 0)]); got != want || err != nil {
		t.Fatalf("%s: got %s, %v", call, got, err)
	}
}

// expect reads all there is, and adds up.
func (w *idler) expect(t *testing.T, rounds int64) {
	t.Helper()
	total, last := rounds+1, counts{}
	if w.conn.session.Call().Devices() == 0 {
		total = 2*rounds + 1
	}
	lost, came := int64(0), int64(0)
	for came+lost < total {
		all := w.next(t)
		for _, e := range all {
			if e.Sequence != last.Sequence+e.Lost+1 {
				t.Fatalf("%s: %+v follows %+v", w.name, e, last)
			}
			lost, came, last = lost+e.Lost, came+1, e
		}
		if len(all) == 0 && w.conn.out.Len() == 0 {
			break
		}
		w.conn.Ready(unix.EPOLLOUT)
	}
	if came+lost != total || lost == 0 || last.Sequence != total || last.Value != rounds%2 || last.Kind != "" && last.Kind != eventReleased {
		t.Errorf("%s: %d events came and %d were lost, the last one %+v; want %d together", w.name, came, lost, last, total)
	}
}
