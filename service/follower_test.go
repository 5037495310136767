package service

import (
	"bytes"
	"encoding/json"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/audit"
	"github.com/halberd-io/halberd/service/peer"
)

// attach begins to follow the audit on a connection of its own, and gives the client's end.
func (b *bench) attach(t *testing.T) int {
	t.Helper()
	fd, _ := b.connect(t, unix.SOCK_STREAM, peer.Stream, `{"method":"io.halberd.Policy.Audit","more":true}`+"\x00")
	return fd
}

// connect makes a call on a connection of its own, and gives the client's end, which the test's end closes, and the server's.
func (b *bench) connect(t *testing.T, kind int, transport peer.Transport, call string) (int, *conn) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(pair[1]) })
	known := map[*conn]bool{}
	for c := range b.server.conns {
		known[c] = true
	}
	b.server.admit(pair[0], transport)
	if _, err := unix.Write(pair[1], []byte(call)); err != nil {
		t.Fatal(err)
	}
	for c := range b.server.conns {
		if !known[c] {
			c.Ready(unix.EPOLLIN)
			return pair[1], c
		}
	}
	t.Fatal("it is not connected")
	return -1, nil
}

// told is as much of a record as these tests compare.
type told struct{ UID, Sequence, Lost int64 }

// records reads what a follower was sent so far. A message that has not come whole is kept for the next time.
func records(t *testing.T, fd int, rest []byte) (all []told, left []byte) {
	t.Helper()
	buf := make([]byte, 1<<16)
	for n, err := unix.Read(fd, buf); err == nil && n > 0; n, err = unix.Read(fd, buf) {
		rest = append(rest, buf[:n]...)
	}
	for {
		msg, behind, whole := bytes.Cut(rest, []byte{0})
		if !whole {
			return all, rest
		}
		var reply struct{ Parameters told }
		if err := json.Unmarshal(msg, &reply); err != nil {
			t.Fatalf("%v: %s", err, msg)
		}
		all, rest = append(all, reply.Parameters), behind
	}
}

// TestSlowFollower: one that does not read loses the oldest records, and is told how many; one that reads gets them all, and calls go on as before.
func TestSlowFollower(t *testing.T) {
	b := newBench(t, unix.SOCK_SEQPACKET, peer.Seqpacket)
	slow, fast := b.attach(t), b.attach(t)
	const total = 5000
	var got []told
	var rest []byte
	for uid := range total {
		r := b.server.audit.Now(audit.Denied) // no budget is asked for
		r.UID, r.Reason = int64(uid), hal.Some("no")
		b.server.audit.End(r)
		var more []told
		more, rest = records(t, fast, rest)
		got = append(got, more...)
	}
	if len(got) != total+1 {
		t.Fatalf("the one that reads got %d records, want %d", len(got), total+1)
	}
	for i, r := range got[1:] {
		if r.UID != int64(i) || r.Sequence != int64(i)+2 || r.Lost != 0 {
			t.Fatalf("record %d is %+v", i, r)
		}
	}
	if reply := string(b.call(t, []byte(setPump))); reply != `{"parameters":{}}` {
		t.Errorf("a call meanwhile: got %s", reply)
	}
	got, rest = records(t, slow, nil)
	for c := range b.server.conns {
		if c.session != nil {
			c.Ready(unix.EPOLLOUT)
		}
	}
	more, rest := records(t, slow, rest)
	sequence, lost := int64(0), int64(0)
	for _, r := range append(got, more...) {
		if r.Sequence != sequence+r.Lost+1 {
			t.Fatalf("%+v follows %d", r, sequence)
		}
		sequence, lost = r.Sequence, lost+r.Lost
	}
	if lost == 0 || len(rest) > 0 || sequence != total+2 { // the second record is that of the other's call
		t.Errorf("the slow one got %d records, lost %d, up to %d of %d", len(got)+len(more), lost, sequence, total+2)
	}
}

// TestUnrecordedAllocations: who follows makes no call dearer that is not recorded.
func TestUnrecordedAllocations(t *testing.T) {
	for _, row := range benchKinds {
		b := newBench(t, row.kind, row.transport)
		b.attach(t)
		msg := []byte(setPump + row.end)
		b.call(t, msg)
		if n := testing.AllocsPerRun(1000, func() { b.call(t, msg) }); n > 0 {
			t.Errorf("%s: a call makes %v allocations, want 0", row.name, n)
		}
	}
}
