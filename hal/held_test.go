package hal_test

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/wire"
)

// somebody is a holder.
type somebody struct{}

func (*somebody) Ended(func()) (stop func()) { return func() {} }
func (*somebody) Owner() hal.Owner           { return "somebody" }

type opened struct{ File hal.File }

func (m *opened) Fields(f *hal.Fields) { f.File("fileDescriptor", &m.File, "The lamp's own.") }

var errDark = errors.New("it is dark")

// lender has the kinds of methods that belong to somebody, or end later.
func lender(y *toy) []*hal.Method {
	return []*hal.Method{
		hal.OnHeld(y.lamps, hal.Configure, "Lend", "Lends a lamp.", func(l *lamp, h hal.Holder, _ *hal.None, out *opened) error {
			y.ran.add("lend %s to %T", l.id, h)
			fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
			out.File.FD = fd
			return err
		}),
		hal.OnLater(y.lamps, hal.Control, "Flash", "Lights a lamp for a while.", func(l *lamp, _ hal.Holder, in *level, out *level, done func(error)) {
			out.Level = in.Level + 1
			y.ran.add("flash %s", l.id)
			done(l.stateErr)
		}),
	}
}

func newLender(t *testing.T) (y *toy, lend, flash *hal.Method) {
	y = newToy(t)
	all := lender(y)
	return y, all[0], all[1]
}

func permitted(t *testing.T, m *hal.Method, parameters string) hal.Permitted {
	t.Helper()
	call, err := m.Decode(wire.Value(parameters))
	if err != nil {
		t.Fatal(err)
	}
	p, err := call.Authorise(open{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func isOpen(fd int) bool {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil
}

// TestFileRidesTheReply: the reply names a descriptor by its index, and hands it over.
func TestFileRidesTheReply(t *testing.T) {
	y, lend, _ := newLender(t)
	if !lend.PassesFiles || !lend.NeedsConnection {
		t.Errorf("passes files %t, needs a connection %t, want true, true", lend.PassesFiles, lend.NeedsConnection)
	}
	p := permitted(t, lend, `{"lamp":"hall"}`)
	if err := p.Run(&somebody{}); err != nil {
		t.Fatal(err)
	}
	if got := string(p.Reply(nil)); got != `{"fileDescriptor":0}` {
		t.Errorf("got %s", got)
	}
	files := p.Files()
	if len(files) != 1 || !isOpen(files[0]) || len(p.Files()) != 0 {
		t.Fatalf("got %v, want one that is open, once", files)
	}
	hal.CloseFiles(files)
	if want := []string{"lend hall to *hal_test.somebody"}; !slices.Equal(y.ran, want) {
		t.Errorf("ran %q, want %q", y.ran, want)
	}
}

// TestDiscardClosesFiles: nobody wants the reply, so nothing is left open.
func TestDiscardClosesFiles(t *testing.T) {
	_, lend, flash := newLender(t)
	p := permitted(t, lend, `{"lamp":"hall"}`)
	if err := p.Run(&somebody{}); err != nil {
		t.Fatal(err)
	}
	p.Reply(nil)
	fd := p.Files()[0]
	p = permitted(t, flash, `{"lamp":"hall","level":1}`)
	p.Discard() // has none
	hal.CloseFiles([]int{fd})
	p = permitted(t, lend, `{"lamp":"hall"}`)
	if err := p.Run(&somebody{}); err != nil {
		t.Fatal(err)
	}
	p.Discard()
	if isOpen(fd) {
		t.Errorf("descriptor %d is open", fd)
	}
}

func TestOnLater(t *testing.T) {
	y, _, flash := newLender(t)
	if !flash.Later || flash.NeedsConnection || flash.Device != "lamp" {
		t.Errorf("later %t, needs a connection %t, device %q, want true, false, lamp", flash.Later, flash.NeedsConnection, flash.Device)
	}
	p := permitted(t, flash, `{"lamp":"far","level":1}`)
	if err := p.Run(&somebody{}); err == nil {
		t.Error("it runs at once, want an error")
	}
	for _, want := range []error{nil, errDark} {
		y.far.stateErr = want
		var got error
		answered := 0
		p.Start(&somebody{}, func(err error) { got = err; answered++ })
		if got != want || answered != 1 {
			t.Errorf("got %v, %d times, want %v once", got, answered, want)
		}
	}
	if got := string(p.Reply(nil)); got != `{"level":2}` {
		t.Errorf("got %s, want the results that start filled in", got)
	}
}
