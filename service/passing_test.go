package service_test

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/config"
	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

// book is a device that can be lent out: one on a bus is fetched first.
type book struct{ id, bus string }

func (b *book) ID() string  { return b.id }
func (b *book) Bus() string { return b.bus }

type lent struct{ File hal.File }

func (m *lent) Fields(f *hal.Fields) { f.File("fileDescriptor", &m.File, "The book.") }

// lend hands over the reading end of a pipe in which the book's name waits.
func (b *book) lend(_ hal.Holder, _ *hal.None, out *lent) error {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	defer unix.Close(ends[1])
	out.File.FD = ends[0]
	_, err := unix.Write(ends[1], []byte(b.id))
	return err
}

func (b *book) read(_, _ *hal.None) error { return nil }

func library() hal.Driver {
	return hal.Driver{Class: "Library", Open: func(*hal.Env) (*hal.Class, error) {
		books := hal.NewSet[*book]("Library", "book")
		for _, b := range []*book{{"near", ""}, {"far", "cellar"}} {
			if err := books.Add(b); err != nil {
				return nil, err
			}
		}
		return &hal.Class{Name: "Library", Doc: "Books.", Devices: books, Methods: []*hal.Method{
			hal.OnHeld(books, hal.Configure, "Lend", "Lends a book.", (*book).lend),
			hal.On(books, hal.Observe, "Read", "Reads a book.", (*book).read),
		}}, nil
	}}
}

func lendCall(book string) string {
	return `{"method":"io.halberd.Library.Lend","parameters":{"book":"` + book + `"}}`
}

const lentReply = `{"parameters":{"fileDescriptor":0}}`

// receive receives once, and gives the messages and the contents of the descriptors.
func receive(t *testing.T, fd int) (text string, contents []string) {
	t.Helper()
	buf, control := make([]byte, 4096), make([]byte, unix.CmsgSpace(4*16))
	n, cn, _, _, err := unix.Recvmsg(fd, buf, control, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	messages, err := unix.ParseSocketControlMessage(control[:cn])
	if err != nil {
		t.Fatal(err)
	}
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			t.Fatal(err)
		}
		for _, fd := range fds {
			content := make([]byte, 64)
			n, err := unix.Read(fd, content)
			if err != nil {
				t.Fatal(err)
			}
			contents = append(contents, string(content[:n]))
			unix.Close(fd)
		}
	}
	return strings.TrimSuffix(string(buf[:n]), "\x00"), contents
}

// TestDescriptorRidesItsReply: it comes with the first byte of its own reply, also from a worker, and not with one before or behind it.
func TestDescriptorRidesItsReply(t *testing.T) {
	for _, kind := range connections {
		t.Run(kind.String(), func(t *testing.T) {
			s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), servicetest.WithDrivers(library()))
			caller := s.MustDial(t, kind)
			for _, book := range []string{"near", "far"} {
				if err := caller.Write(lendCall(book)); err != nil {
					t.Fatal(err)
				}
				if text, contents := receive(t, caller.FD); text != lentReply || len(contents) != 1 || contents[0] != book {
					t.Errorf("%s: got %s with %q, want %s with it alone", book, text, contents, lentReply)
				}
			}
		})
	}
}

// TestDescriptorAmongOthers: on a stream, the replies before and behind it are in their places.
func TestDescriptorAmongOthers(t *testing.T) {
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), servicetest.WithDrivers(library()))
	caller := s.MustDial(t, peer.Stream)
	read := `{"method":"io.halberd.Library.Read","parameters":{"book":"near"}}` + "\x00"
	if err := caller.Send([]byte(read + lendCall("near") + "\x00" + read)); err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{`{"parameters":{}}`, lentReply, `{"parameters":{}}`, ""}, "\x00")
	var got, all string
	for len(got) < len(want) {
		text, contents := receive(t, caller.FD)
		got += text + "\x00"
		all += strings.Join(contents, " ")
	}
	if got != want || all != "near" {
		t.Errorf("got %q with %q, want %q with near", got, all, want)
	}
}

func TestDescriptorsAreNotForDatagrams(t *testing.T) {
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), servicetest.WithDrivers(library()))
	got, err := s.MustDial(t, peer.Datagram).Call(lendCall("near"))
	if err != nil || !strings.Contains(got, "MethodNotImplemented") {
		t.Errorf("got %s, %v", got, err)
	}
}

// TestDescriptorsOnTheirWayAreBounded: what was passed and not received counts against the uid, over all its connections, until it is received.
func TestDescriptorsOnTheirWayAreBounded(t *testing.T) {
	for _, kind := range connections {
		t.Run(kind.String(), func(t *testing.T) {
			s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), servicetest.WithDrivers(library()),
				servicetest.WithLimits(func(l *config.Limits) { l.PassedDescriptorsPerUID = 2 }))
			lazy, other := s.MustDial(t, kind), s.MustDial(t, kind)
			for _, book := range []string{"near", "far"} {
				if err := lazy.Write(lendCall(book)); err != nil {
					t.Fatal(err)
				}
			}
			eventuallyIs(t, "both replies are on their way", func() bool {
				n, err := unix.IoctlGetInt(lazy.FD, unix.TIOCINQ)
				return err == nil && n >= 2*len(lentReply)
			})
			want := `{"error":"io.halberd.LimitExceeded","parameters":{"limit":"passed-descriptors-per-uid","maximum":2}}`
			eventuallyIs(t, "the limit is reached", func() bool {
				if err := other.Write(lendCall("near")); err != nil {
					t.Fatal(err)
				}
				text, _ := receive(t, other.FD)
				return text == want
			})
			for range 2 {
				receive(t, lazy.FD)
			}
			if err := other.Write(lendCall("near")); err != nil {
				t.Fatal(err)
			}
			if text, contents := receive(t, other.FD); text != lentReply || len(contents) != 1 {
				t.Errorf("after they were received: got %s with %q", text, contents)
			}
		})
	}
}

// TestDescriptorsAreClosed: however a call ends that would hand one over, the daemon keeps none.
func TestDescriptorsAreClosed(t *testing.T) {
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), servicetest.WithDrivers(library()))
	count := func() int {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	before := count()
	oneway := strings.Replace(lendCall("near"), "{", `{"oneway":true,`, 1)
	for _, kind := range connections {
		for _, call := range []string{lendCall("near"), lendCall("far"), oneway} {
			caller := s.MustDial(t, kind)
			if err := caller.Write(call); err != nil {
				t.Fatal(err)
			}
			if call != oneway {
				receive(t, caller.FD)
			}
			caller.Close()
			gone := s.MustDial(t, kind)
			if err := gone.Write(call); err != nil {
				t.Fatal(err)
			}
			gone.Close()
		}
	}
	eventuallyIs(t, "nothing is left open", func() bool { return count() == before })
}
