// Package servicetest runs a real server on real sockets, with the simulated board behind it, for end-to-end tests.
//
// Each server has an abstract name of its own on all three socket types, so that tests can run side by side. Calls by another uid are made by a child: the test
// binary itself, started again (Main). Where a test cannot become another uid it is skipped, with the errno as its reason.
package servicetest

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/board"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/service"
	"github.com/halberd-io/halberd/service/config"
	"github.com/halberd-io/halberd/service/listen"
	"github.com/halberd-io/halberd/service/peer"
)

// Server is a server that runs until the test ends.
type Server struct {
	*service.Server
	Name string // "@halberd-test-12-1": the name of all three sockets
	Sim  *sim.Kernel
	// Log is where the server's records go.
	Log *Records

	policy atomic.Pointer[string]
	stop   context.CancelFunc
	done   chan error
}

// Option changes how a server is made.
type Option func(*service.Config)

// WithLimits changes limits.
func WithLimits(change func(*config.Limits)) Option {
	return func(c *service.Config) { change(&c.Limits) }
}

// WithDrivers serves other classes.
func WithDrivers(drivers ...hal.Driver) Option {
	return func(c *service.Config) { c.Drivers, c.Entries = drivers, nil }
}

// WithBoard adds hardware to the simulated board, and declares it with a board.toml instead of the simulator's own.
func WithBoard(t testing.TB, boardTOML string, add func(*sim.Kernel)) Option {
	return func(c *service.Config) {
		add(c.Kernel.(*sim.Kernel))
		b, err := config.ParseBoard("board.toml", boardTOML, board.Tables())
		if err != nil {
			t.Fatal(err)
		}
		c.Entries = b.Entries
	}
}

var count atomic.Int64

// Start runs a server whose policy is the given TOML.
func Start(t testing.TB, policy string, options ...Option) *Server {
	t.Helper()
	s := &Server{Name: fmt.Sprintf("@halberd-test-%d-%d", os.Getpid(), count.Add(1)), Sim: sim.New(sim.Options{}), Log: &Records{}, done: make(chan error, 1)}
	s.policy.Store(&policy)
	b, err := config.ParseBoard("simulated board", s.Sim.BoardTOML(), board.Tables())
	if err != nil {
		t.Fatal(err)
	}
	c := service.Config{Version: "test", Log: slog.New(s.Log), Kernel: s.Sim, Machine: s.Sim, Drivers: board.Drivers(), Entries: b.Entries, FirstStart: true,
		Limits: config.DefaultServer().Limits, Sockets: s.bind(t),
		Policy: func(cat *hal.Catalog) (*config.PolicyFiles, error) {
			return config.ParsePolicy(config.Options{}, cat, "test.toml", *s.policy.Load())
		},
	}
	for _, change := range options {
		change(&c)
	}
	started := make(chan struct{})
	c.Started = func(hal.Loop) { close(started) }
	if s.Server, err = service.New(c); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	go func() { s.done <- s.Run(ctx) }()
	<-started
	t.Cleanup(func() { s.Stop(t) })
	return s
}

func (s *Server) bind(t testing.TB) []*listen.Socket {
	var sockets []*listen.Socket
	for _, kind := range []peer.Transport{peer.Stream, peer.Seqpacket, peer.Datagram} {
		socket, err := listen.Bind(listen.Address{Type: kind, Name: s.Name})
		if err != nil {
			t.Fatal(err)
		}
		sockets = append(sockets, socket)
	}
	return sockets
}

// Stop ends the server and waits for it. It may be called twice.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	s.stop()
	if err, ok := <-s.done; ok {
		close(s.done)
		if err != nil {
			t.Errorf("the server ended with: %v", err)
		}
	}
}

// SetPolicy puts another policy where the next reload reads it.
func (s *Server) SetPolicy(text string) { s.policy.Store(&text) }

// Address gives the address of one of the three sockets.
func (s *Server) Address(t peer.Transport) string { return t.String() + ":" + s.Name }

// GrantAll is a policy that lets one uid do everything.
func GrantAll(uid int) string {
	return fmt.Sprintf("[[grant]]\nid = \"all\"\nusers = [%d]\nmethods = [\"io.halberd.*\"]\ndevices = [\"*\"]\n", uid)
}
