package service

import (
	"log/slog"
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/board"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/service/config"
	"github.com/halberd-io/halberd/service/peer"
)

// bench is a server that is driven by hand, with one connection.
type bench struct {
	server *Server
	conn   *conn
	fd     int // the client's end
	reply  []byte
}

func newBench(t testing.TB, kind int, transport peer.Transport) *bench {
	t.Helper()
	k := sim.New(sim.Options{})
	b, err := config.ParseBoard("simulated board", k.BoardTOML(), board.Tables())
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{Log: slog.New(slog.DiscardHandler), Kernel: k, Drivers: board.Drivers(), Entries: b.Entries,
		Limits: config.DefaultServer().Limits, FirstStart: true,
		Policy: func(cat *hal.Catalog) (*config.PolicyFiles, error) {
			return config.ParsePolicy(config.Options{}, cat, "test.toml", ownGrant)
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.shut()
		if err := s.loop.Close(); err != nil {
			t.Error(err)
		}
	})
	pair, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(pair[1]) })
	s.admit(pair[0], transport)
	out := &bench{server: s, fd: pair[1], reply: make([]byte, 4096)}
	for c := range s.conns {
		out.conn = c
	}
	return out
}

var ownGrant = "[[grant]]\nid = \"own\"\nusers = [" + strconv.Itoa(os.Geteuid()) + "]\nmethods = [\"io.halberd.*\"]\ndevices = [\"*\"]\n"

// call sends a message, lets the connection handle it, and gives the reply.
func (b *bench) call(t testing.TB, msg []byte) []byte {
	if _, err := unix.Write(b.fd, msg); err != nil {
		t.Fatal(err)
	}
	b.conn.Ready(unix.EPOLLIN)
	n, err := unix.Read(b.fd, b.reply)
	if err != nil {
		t.Fatal(err)
	}
	return b.reply[:n]
}

type benchKind struct {
	name      string
	kind      int
	transport peer.Transport
	end       string
}

var benchKinds = []benchKind{
	{"stream", unix.SOCK_STREAM, peer.Stream, "\x00"},
	{"seqpacket", unix.SOCK_SEQPACKET, peer.Seqpacket, ""},
}

const setPump = `{"method":"io.halberd.Gpio.Set","parameters":{"line":"relay-pump","value":1}}`

// TestAllocations: from the frame to the reply, a call allocates nothing. The budget is 2.
func TestAllocations(t *testing.T) {
	for _, row := range benchKinds {
		t.Run(row.name, func(t *testing.T) {
			b := newBench(t, row.kind, row.transport)
			msg := []byte(setPump + row.end)
			if got, want := string(b.call(t, msg)), `{"parameters":{}}`+row.end; got != want {
				t.Fatalf("got %q, want %q", got, want)
			}
			if n := testing.AllocsPerRun(1000, func() { b.call(t, msg) }); n > 0 {
				t.Errorf("a call makes %v allocations, want 0", n)
			}
		})
	}
}

// BenchmarkCall is a call of Gpio.Set on the simulated board without the wait between: receive, frame, decode, gate, run, reply, send.
func BenchmarkCall(b *testing.B) {
	for _, row := range benchKinds {
		b.Run(row.name, func(b *testing.B) {
			bench := newBench(b, row.kind, row.transport)
			msg := []byte(setPump + row.end)
			b.ReportAllocs()
			for b.Loop() {
				bench.call(b, msg)
			}
		})
	}
}
