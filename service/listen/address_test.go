package listen

import (
	"strings"
	"testing"

	"github.com/halberd-io/halberd/service/peer"
)

func TestParse(t *testing.T) {
	long := strings.Repeat("x", 107)
	tests := []struct {
		address string
		want    Address
	}{
		{"stream:@halberd", Address{peer.Stream, "@halberd"}},
		{"seqpacket:@halberd", Address{peer.Seqpacket, "@halberd"}},
		{"dgram:@halberd", Address{peer.Datagram, "@halberd"}},
		{"stream:/run/halberd/io.halberd", Address{peer.Stream, "/run/halberd/io.halberd"}},
		{"stream:@with:colon", Address{peer.Stream, "@with:colon"}},
		{"stream:@" + long, Address{peer.Stream, "@" + long}},
		{"stream:/" + long[1:], Address{peer.Stream, "/" + long[1:]}},
	}
	for _, test := range tests {
		t.Run(test.address, func(t *testing.T) {
			got, err := Parse(test.address)
			if err != nil || got != test.want {
				t.Errorf("got %+v (%v), want %+v", got, err, test.want)
			}
			if s := got.String(); s != test.address {
				t.Errorf("as text: got %q, want %q", s, test.address)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	long := strings.Repeat("x", 107)
	tests := []struct{ name, address, want string }{
		{"nothing", "", "begins with none of"},
		{"no type", "@halberd", "begins with none of"},
		{"another type", "tcp:127.0.0.1:80", "begins with none of"},
		{"a type in capitals", "STREAM:@halberd", "begins with none of"},
		{"the unknown type", "unknown:@halberd", "begins with none of"},
		{"no name", "stream:", "a name begins with"},
		{"no name, no colon", "stream", "a name begins with"},
		{"neither path nor abstract", "stream:halberd", "a name begins with"},
		{"relative path", "stream:./socket", "a name begins with"},
		{"empty abstract name", "stream:@", "the name is empty"},
		{"a folder", "stream:/run/", "the name is empty"},
		{"the root", "stream:/", "the name is empty"},
		{"a NUL", "stream:@a\x00b", "no NUL"},
		{"a long abstract name", "stream:@x" + long, "at most 107 bytes"},
		{"a long path", "stream:/" + long, "at most 107 bytes"},
		{"a path for packets", "seqpacket:/run/x", "only a stream socket"},
		{"a path for datagrams", "dgram:/run/x", "only a stream socket"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := Parse(test.address)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "cannot ") {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
			if got != (Address{}) {
				t.Errorf("got %+v beside the error", got)
			}
		})
	}
}

func TestStringEscapes(t *testing.T) {
	a := Address{peer.Stream, "@halberd\x00\x00\n"}
	if got, want := a.String(), `stream:@halberd\x00\x00\n`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDefaults(t *testing.T) {
	want := "stream:@halberd stream:/run/halberd/io.halberd seqpacket:@halberd dgram:@halberd"
	var got []string
	for _, a := range Defaults() {
		got = append(got, a.String())
		if parsed, err := Parse(a.String()); err != nil || parsed != a {
			t.Errorf("%v reads back as %v (%v)", a, parsed, err)
		}
	}
	if s := strings.Join(got, " "); s != want {
		t.Errorf("got %s, want %s", s, want)
	}
}
