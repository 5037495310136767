package peer

import (
	"slices"
	"testing"
)

func TestTransportNames(t *testing.T) {
	for transport, want := range map[Transport]string{Stream: "stream", Seqpacket: "seqpacket", Datagram: "dgram", 9: "unknown"} {
		if got := transport.String(); got != want {
			t.Errorf("transport %d: got %q, want %q", transport, got, want)
		}
	}
}

func TestMatchable(t *testing.T) {
	tests := map[uint32]bool{0: true, 1000: true, 65533: true, 65534: false, 65535: true, 4294967294: true, 4294967295: false}
	for id, want := range tests {
		if got := Matchable(id); got != want {
			t.Errorf("%d: got %v, want %v", id, got, want)
		}
	}
}

func TestNobody(t *testing.T) {
	got := Nobody(Seqpacket)
	if got.UID != 65534 || got.GID != 65534 || got.Groups != nil || got.PID != 0 || got.Label != "" || got.Transport != Seqpacket {
		t.Errorf("got %+v, want ids 65534 and nothing else", got)
	}
	if Matchable(got.UID) || got.InGroup(got.GID) {
		t.Error("nobody matches")
	}
}

func TestFromDatagram(t *testing.T) {
	got := FromDatagram(1000, 100, 7)
	if got.UID != 1000 || got.GID != 100 || got.PID != 7 || got.Groups != nil || got.Label != "" || got.Transport != Datagram {
		t.Errorf("got %+v, want 1000:100 of process 7, as a datagram", got)
	}
}

func TestInGroup(t *testing.T) {
	c := Credentials{UID: 1000, GID: 100, Groups: []uint32{4, 65534, 4294967295, 27}}
	none := Nobody(Stream)
	tests := []struct {
		name string
		c    *Credentials
		gid  uint32
		want bool
	}{
		{"primary", &c, 100, true},
		{"supplementary", &c, 27, true},
		{"another", &c, 28, false},
		{"the uid is no group", &c, 1000, false},
		{"nogroup, though it is listed", &c, 65534, false},
		{"no id, though it is listed", &c, 4294967295, false},
		{"nobody's primary group", &none, 65534, false},
		{"root's group, of nobody", &none, 0, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.c.InGroup(test.gid); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
	if !slices.Contains(c.Groups, 65534) {
		t.Error("the row about nogroup tests nothing")
	}
}
