package service

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/audit"
	"github.com/halberd-io/halberd/service/frame"
	"github.com/halberd-io/halberd/service/peer"
)

// TestDatagramsThatWait: of one uid only so many datagrams wait, and in all; the others are dropped and counted. Nothing is left of them when they had their turns.
func TestDatagramsThatWait(t *testing.T) {
	s := newBench(t, unix.SOCK_STREAM, peer.Stream).server
	accounts, bytes := len(s.accounts), s.bytes
	d := &datagrams{server: s, fd: -1, senders: map[sender]*caller{}}
	packet := func(uid uint32, data string) *frame.Packet {
		return &frame.Packet{HasCreds: true, UID: uid, GID: uid, Data: []byte(data)}
	}
	const call = `{"method":"org.varlink.service.GetInfo","oneway":true}`
	for range maxWaitingPerUID + 8 {
		d.keep(packet(1000, call))
	}
	if d.waiting != maxWaitingPerUID || s.dropped != 8 || s.bytes != bytes+maxWaitingPerUID*len(call) {
		t.Errorf("%d wait with %d bytes, and %d were dropped; want %d, %d, 8", d.waiting, s.bytes-bytes, s.dropped, maxWaitingPerUID, maxWaitingPerUID*len(call))
	}
	for uid := range uint32(maxWaiting) {
		d.keep(packet(2000+uid, call))
	}
	if d.waiting != maxWaiting {
		t.Errorf("%d of many uids wait, want %d", d.waiting, maxWaiting)
	}
	for range maxWaiting {
		s.takeTurns()
	}
	if d.waiting != 0 || s.bytes != bytes || len(s.accounts) != accounts || !s.ring.empty() {
		t.Errorf("afterwards %d wait with %d bytes, and %d accounts are there, want none", d.waiting, s.bytes-bytes, len(s.accounts)-accounts)
	}
	if len(d.free) > maxTaken {
		t.Errorf("%d are kept to be used again, want no more than %d", len(d.free), maxTaken)
	}
}

// TestDatagramsOfSeveralProcesses: the record of a datagram that waited names the process that sent it, not the last one of that uid.
func TestDatagramsOfSeveralProcesses(t *testing.T) {
	s := newBench(t, unix.SOCK_STREAM, peer.Stream).server
	d := &datagrams{server: s, fd: -1, senders: map[sender]*caller{}}
	var got []int64
	defer s.audit.Follow(func(r *audit.Record) { got = append(got, r.PID) })()
	for pid := range int32(3) {
		d.keep(&frame.Packet{HasCreds: true, UID: 1000, GID: 1000, PID: 10 + pid, Data: []byte(`{"method":"io.halberd.Gpio.Get","parameters":{"line":"relay-pump"},"oneway":true}`)})
	}
	s.takeTurns()
	if want := []int64{10, 11, 12}; !slices.Equal(got, want) {
		t.Errorf("the records name the processes %v, want %v", got, want)
	}
}

// TestDatagramsByBytes: one uid's datagrams that wait have no more bytes than it may have.
func TestDatagramsByBytes(t *testing.T) {
	s := newBench(t, unix.SOCK_STREAM, peer.Stream).server
	d := &datagrams{server: s, fd: -1, senders: map[sender]*caller{}}
	long := make([]byte, frame.MaxRequest)
	for range maxWaitingPerUID {
		d.keep(&frame.Packet{HasCreds: true, UID: 1000, GID: 1000, Data: long})
	}
	if want := s.limits.bytesPerUID; s.accounts[1000].bytes > want || d.waiting != want/len(long) {
		t.Errorf("%d wait with %d bytes, want no more than %d", d.waiting, s.accounts[1000].bytes, want)
	}
}

// TestLine: first in, first out, and nothing is kept of what went out.
func TestLine(t *testing.T) {
	var q line[*int]
	in, out := 0, 0
	for round := range 100 {
		for range round % 7 {
			x := in
			q.push(&x)
			in++
		}
		for range min(round%5, q.len()) {
			if got := *q.pop(); got != out {
				t.Fatalf("got %d, want %d", got, out)
			}
			out++
		}
		if q.len() != in-out || q.empty() != (in == out) {
			t.Fatalf("length: got %d, want %d", q.len(), in-out)
		}
		for i, x := range q.items[:cap(q.items)] {
			if (x != nil) != (i >= q.first && i < len(q.items)) {
				t.Fatalf("place %d of %d to %d: got %v", i, q.first, len(q.items), x)
			}
		}
	}
	if in == out {
		t.Error("the line was never long")
	}
}
