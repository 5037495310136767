package client

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParse(t *testing.T) {
	long := strings.Repeat("x", maxName-1)
	rows := []struct {
		name, text string
		want       address
	}{
		{"stream", "stream:@halberd", address{unix.SOCK_STREAM, "@halberd"}},
		{"path", "stream:/run/halberd/io.halberd", address{unix.SOCK_STREAM, "/run/halberd/io.halberd"}},
		{"seqpacket", "seqpacket:@halberd", address{unix.SOCK_SEQPACKET, "@halberd"}},
		{"dgram", "dgram:@halberd", address{unix.SOCK_DGRAM, "@halberd"}},
		{"colons in the name", "dgram:@a:b", address{unix.SOCK_DGRAM, "@a:b"}},
		{"longest abstract name", "stream:@" + long, address{unix.SOCK_STREAM, "@" + long}},
		{"longest path", "stream:/" + long, address{unix.SOCK_STREAM, "/" + long}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			got, err := parse(row.text)
			if err != nil || got != row.want {
				t.Errorf("got %v and error %v, want %v", got, err, row.want)
			}
			if got := got.String(); got != row.text {
				t.Errorf("got back %q, want %q", got, row.text)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	rows := []struct{ name, text string }{
		{"no type", "@halberd"},
		{"unknown type", "tcp:@halberd"},
		{"no name", "stream:"},
		{"empty abstract name", "stream:@"},
		{"relative path", "stream:halberd"},
		{"NUL", "stream:@a\x00"},
		{"abstract name too long", "stream:@" + strings.Repeat("x", maxName)},
		{"path too long", "stream:/" + strings.Repeat("x", maxName)},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			_, err := Dial(t.Context(), row.text)
			want(t, err, ErrAddress)
		})
	}
}

func TestLongestNamesAreReached(t *testing.T) {
	for _, kind := range transports {
		address := kind + ":@" + strings.Repeat("x", maxName-1)
		listenAt(t, address, echo)
		if err := call(connectTo(t, address), 1); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// The name ends where it ends: no NULs are added to it.
func TestAbstractNamesAreExact(t *testing.T) {
	onEach(t, func(t *testing.T, kind string) {
		s := listen(t, kind, echo)
		_, err := Dial(t.Context(), s.address+"x")
		want(t, err, ErrNoDaemon)
		_, err = Dial(t.Context(), s.address[:len(s.address)-1])
		want(t, err, ErrNoDaemon)
	})
}

func TestCandidates(t *testing.T) {
	const path, abstract = "stream:/run/halberd/io.halberd", "stream:@halberd"
	rows := []struct {
		name, override, runtime string
		uid                     int
		want                    []string
	}{
		{"a user", "", "/run/user/1000", 1000, []string{path, "stream:/run/user/1000/halberd/io.halberd", abstract}},
		{"a user without a session", "", "", 1000, []string{path, abstract}},
		{"a relative folder", "", "here", 1000, []string{path, abstract}},
		{"root", "", "/run/user/0", 0, []string{path, abstract}},
		{"overridden", "dgram:@other", "/run/user/1000", 1000, []string{"dgram:@other"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if got := candidates(row.override, row.runtime, row.uid); !slices.Equal(got, row.want) {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

func TestAddressFromTheEnvironment(t *testing.T) {
	s := listen(t, "seqpacket", echo)
	t.Setenv("HALBERD_ADDRESS", s.address)
	c := connectTo(t, "")
	if got := c.Address(); got != s.address {
		t.Errorf("got the address %q, want %q", got, s.address)
	}
	if err := call(c, 1); err != nil {
		t.Error(err)
	}
	t.Setenv("HALBERD_ADDRESS", "nonsense")
	_, err := Dial(context.Background(), "")
	want(t, err, ErrAddress)
}

func TestPathname(t *testing.T) {
	folder, err := os.MkdirTemp("", "halberd")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	for _, kind := range transports {
		address := kind + ":" + filepath.Join(folder, kind)
		listenAt(t, address, echo)
		if err := call(connectTo(t, address), 1); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestSearch(t *testing.T) {
	s := listen(t, "stream", echo)
	const none = "stream:@halberd-nobody"
	rows := []struct {
		name    string
		places  []string
		options []Option
		want    error
		text    string
	}{
		{"the first", []string{s.address, none}, nil, nil, ""},
		{"the last", []string{none, none, s.address}, nil, nil, ""},
		{"nowhere", []string{none, none + "2"}, nil, ErrNoDaemon, "no daemon at stream:@halberd-nobody, stream:@halberd-nobody2"},
		{"an untrusted one ends it", []string{none, s.address, none}, []Option{WithServerUIDs()}, ErrUntrustedServer,
			fmt.Sprintf("cannot reach %s: server not trusted: its uid is %d", s.address, os.Geteuid())},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c, err := search(t.Context(), row.places, row.options)
			if err == nil {
				defer c.Close()
			}
			if want(t, err, row.want); row.text != "" && fmt.Sprint(err) != row.text {
				t.Errorf("got %q, want %q", fmt.Sprint(err), row.text)
			}
		})
	}
}

func TestTrust(t *testing.T) {
	rows := []struct {
		name    string
		options []Option
		want    []uint32 // of 0, 1000, 1001 and nobody
	}{
		{"by default root and oneself", nil, []uint32{0, 1000}},
		{"those named and no other", []Option{WithServerUIDs(1001)}, []uint32{1001}},
		{"anybody", []Option{WithAnyServer()}, []uint32{0, 1000, 1001, nobody.UID}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s := newSettings(unix.SOCK_STREAM, 1000, row.options)
			got := slices.DeleteFunc([]uint32{0, 1000, 1001, nobody.UID}, func(uid uint32) bool { return !s.trusts(uid) })
			if !slices.Equal(got, row.want) {
				t.Errorf("got %v, want %v", got, row.want)
			}
		})
	}
}
