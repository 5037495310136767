// Package service is the daemon: it accepts connections and datagrams, learns from the kernel who calls, asks the policy, and has the classes
// of hal carry calls out.
//
// One goroutine, the loop's, does all of this; see service/loop for why. What could block, a device on a slow bus, runs on that bus's worker.
package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/init/notify"
	"github.com/halberd-io/halberd/service/audit"
	"github.com/halberd-io/halberd/service/claim"
	"github.com/halberd-io/halberd/service/config"
	"github.com/halberd-io/halberd/service/dispatch"
	"github.com/halberd-io/halberd/service/frame"
	"github.com/halberd-io/halberd/service/keep"
	"github.com/halberd-io/halberd/service/listen"
	"github.com/halberd-io/halberd/service/loop"
	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/policy"
)

// Config is what a server is made of.
type Config struct {
	Version string
	Log     *slog.Logger
	Sockets []*listen.Socket // the server closes them
	Kernel  hal.Kernel
	Drivers []hal.Driver
	Entries map[string][]hal.Entry // of board.toml, by table
	Limits  config.Limits
	// Audit says which permitted calls are recorded.
	Audit config.Audit
	// AuditLog is where records of decisions go; nil for Log.
	AuditLog *slog.Logger
	// FirstStart is true for the first start since boot.
	FirstStart bool
	// State outlives the daemon; nil where nothing does.
	State hal.State
	// Keeper keeps descriptors over a restart; nil where nothing does.
	Keeper *keep.Store
	// Machine is the machine as a whole; nil where nobody can end it.
	Machine hal.Machine
	// Policy reads the policy files, at the start and at each reload.
	Policy func(*hal.Catalog) (*config.PolicyFiles, error)
	// BoardChanged tells whether board.toml is another one than at the start, for Status. May be nil.
	BoardChanged func() bool
	// Started is called on the loop once everything is ready. May be nil.
	Started func(hal.Loop)
}

const (
	maxStreamReply   = 64<<10 - 1  // and a NUL
	maxPacketReply   = 64<<10 - 32 // what the kernel takes with the send buffer that connections have (unix(7): SO_SNDBUF less 32)
	maxDatagramReply = 32 << 10
)

// limits are those of the configuration, as the loop compares them.
type limits struct {
	connections, rootConnections, perUID int
	watched                              int
	leased                               int
	passed                               int // descriptors
	maxQueued                            int // bytes of one connection
	bytesPerUID, bytes                   int // of one uid, and in all
	writeTime, messageTime               time.Duration
}

// Server is one running daemon. New, Run, and Stop and Reload from anywhere in between.
type Server struct {
	config     Config
	version    string
	log        *slog.Logger
	limits     limits
	loop       *loop.Loop
	catalog    *hal.Catalog
	dispatcher *dispatch.Dispatcher
	audit      *audit.Log
	recordFrom hal.Verb        // permitted calls of this verb and those behind it are recorded
	auditCall  *hal.Method     // Policy.Audit
	receiver   *frame.Receiver // of packets
	streams    *frame.Receiver
	spare      *listen.Reserve
	classes    []*hal.Class
	hotplug    *hotplug // nil where the kernel cannot be listened to
	events     hal.Feed[happening]
	leases     hal.Leases
	reply      []byte // where replies are made

	claims      *claim.Book
	claimMethod *hal.Method // Board.Claim

	policy     *policy.Policy
	files      *config.PolicyFiles
	generation int64
	reloadErr  error

	conns    map[*conn]struct{}
	watches  map[*conn]struct{}
	passing  map[*conn]struct{} // with descriptors that may be on their way
	accounts map[uint32]*account
	ring     line[*account] // that wait for their turn
	turns    func()         // takeTurns
	planned  bool           // to be called at the end of the round
	bytes    int            // of all accounts
	served   int
	refused  int
	dropped  int
	started  time.Time
	stopping bool
	passed   bool // all sockets were connections already
}

// New opens the classes and the policy. On an error nothing is left open but the sockets, which stay the caller's.
func New(c Config) (*Server, error) {
	l, err := loop.New()
	if err != nil {
		return nil, err
	}
	s := &Server{config: c, version: c.Version, log: c.Log, loop: l, catalog: hal.NewCatalog(), audit: audit.New(auditLog(c)), recordFrom: c.Audit.From(),
		receiver: frame.NewReceiver(), streams: frame.NewStreamReceiver(), conns: map[*conn]struct{}{}, watches: map[*conn]struct{}{}, passing: map[*conn]struct{}{}, accounts: map[uint32]*account{},
		limits: limitsOf(c.Limits), started: time.Now()}
	s.turns = s.takeTurns
	s.claims = claim.New(hardwareLoop{l}, c.Log, c.Limits.ClaimedDevicesPerUID, func(uid uint32) uint32 { return s.files.SubUIDs.Owner(uid) }, s.keeper(), s.claimChanged)
	s.leases.Follow(s.leaseChanged)
	s.dispatcher = &dispatch.Dispatcher{Catalog: s.catalog, Loop: hardwareLoop{l}, Log: c.Log, Late: s.claims.Late}
	if err := s.open(); err != nil {
		s.closeClasses()
		return nil, errors.Join(err, l.Close())
	}
	return s, nil
}

func auditLog(c Config) *slog.Logger {
	if c.AuditLog != nil {
		return c.AuditLog
	}
	return c.Log
}

func limitsOf(c config.Limits) limits {
	return limits{
		connections: c.Connections, rootConnections: c.ConnectionsReserved, perUID: c.ConnectionsPerUID, watched: c.WatchedDevicesPerUID,
		leased: c.LeasedDevicesPerUID, passed: c.PassedDescriptorsPerUID,
		maxQueued: c.QueuedBytes, bytesPerUID: c.QueuedBytesPerUID, bytes: c.QueuedBytesTotal, writeTime: c.WriteTimeout, messageTime: c.MessageTimeout,
	}
}

func (s *Server) open() error {
	s.openHotplug()
	if err := s.openClasses(); err != nil {
		return err
	}
	if err := s.fillCatalog(); err != nil {
		return err
	}
	if err := s.load(); err != nil {
		return err
	}
	s.restoreClaims()
	s.sweep()
	if err := s.fitDescriptors(); err != nil {
		return err
	}
	spare, err := listen.NewReserve()
	s.spare = spare
	return err
}

// openClasses opens every class with its part of board.toml.
func (s *Server) openClasses() error {
	for _, d := range s.config.Drivers {
		env := &hal.Env{Kernel: s.config.Kernel, Loop: hardwareLoop{s.loop}, Log: s.log, FirstStart: s.config.FirstStart, State: s.config.State, Keeper: s.keeper(), Machine: s.config.Machine, Leases: &s.leases}
		for _, t := range d.Tables {
			env.Entries = append(env.Entries, s.config.Entries[t.Name]...)
		}
		class, err := d.Open(env)
		if err != nil {
			return fmt.Errorf("cannot open class %s: %w", d.Class, err)
		}
		s.classes = append(s.classes, class)
	}
	return nil
}

// sweep lets go of what the process before had, and board.toml has no more: it goes to the state that its hardware gives it.
func (s *Server) sweep() {
	if s.config.Keeper == nil {
		return
	}
	for _, name := range s.config.Keeper.Sweep() {
		s.log.Warn("what was kept over the restart is not declared any more, and is let go", "name", name)
	}
}

// keeper is nil as an interface where nothing is kept.
func (s *Server) keeper() hal.Keeper {
	if s.config.Keeper == nil {
		return nil
	}
	return s.config.Keeper
}

func (s *Server) fillCatalog() error {
	var errs []error
	errs = append(errs, s.catalog.Add(s.varlinkInterface()))
	for _, i := range errorInterfaces() {
		errs = append(errs, s.catalog.Add(i))
	}
	errs = append(errs, s.catalog.AddClass(s.boardClass()), s.catalog.AddClass(s.policyClass()))
	slices.SortFunc(s.classes, func(a, b *hal.Class) int { return strings.Compare(a.Name, b.Name) })
	for _, class := range s.classes {
		errs = append(errs, s.catalog.AddClass(class))
	}
	return errors.Join(errs...)
}

// load reads the policy and puts it in force, or leaves the old one as it was.
func (s *Server) load() error {
	files, err := s.config.Policy(s.catalog)
	s.reloadErr = err
	if err != nil {
		return err
	}
	s.generation++
	s.files = files
	s.policy = policy.Compile(files, s.catalog, s.generation, s.policy)
	for _, w := range files.Warnings {
		s.log.Warn("policy", "warning", w.String())
	}
	return nil
}

// reload reads the policy anew, on the loop. Watches, claims and leases that it does not permit any more end.
func (s *Server) reload() error {
	_ = notify.Reloading()
	err := s.load()
	if err != nil {
		s.log.Error("cannot reload: the policy stays as it was", "generation", s.generation, "error", err)
	} else {
		s.log.Info("reloaded", "generation", s.generation)
		for c := range s.watches {
			c.recheck()
		}
		s.recheckClaims()
		s.recheckLeases()
	}
	_ = notify.Ready(fmt.Sprintf("policy generation %d", s.generation))
	return err
}

// Capabilities are those of Linux that the classes need, beside being the owner of devices.
func (s *Server) Capabilities() []int {
	var all []int
	for _, class := range s.classes {
		all = append(all, class.Capabilities...)
	}
	return all
}

// Reload reads the policy anew. Any goroutine may call it; what is wrong is logged and shown by Status.
func (s *Server) Reload() { s.loop.Post(func() { _ = s.reload() }) }

// Run serves until ctx ends. Everything is closed when it returns, the sockets too.
func (s *Server) Run(ctx context.Context) error {
	if err := s.listen(); err != nil {
		s.shut()
		return errors.Join(err, s.loop.Close())
	}
	stop := context.AfterFunc(ctx, func() { s.loop.Post(s.finish) })
	defer stop()
	s.keepAlive()
	if s.config.Started != nil {
		s.config.Started(hardwareLoop{s.loop})
	}
	if err := notify.Ready(fmt.Sprintf("policy generation %d", s.generation)); err != nil {
		s.log.Warn("cannot notify the service manager", "error", err)
	}
	err := s.loop.Run()
	_ = notify.Stopping()
	s.shut()
	return errors.Join(err, s.loop.Close())
}

// listen begins to wait for every socket.
func (s *Server) listen() error {
	s.passed = !slices.ContainsFunc(s.config.Sockets, func(k *listen.Socket) bool { return k.Listening || k.Transport == peer.Datagram })
	for _, socket := range s.config.Sockets {
		if err := s.wait(socket); err != nil {
			return fmt.Errorf("cannot wait for %s: %w", socket.Address, err)
		}
	}
	s.hotplug.listen()
	return nil
}

func (s *Server) wait(socket *listen.Socket) error {
	switch {
	case socket.Listening:
		return s.loop.Add(socket.FD, unix.EPOLLIN, &acceptor{server: s, socket: socket})
	case socket.Transport == peer.Datagram:
		d, err := newDatagrams(s, socket.FD)
		if err != nil {
			return err
		}
		return s.loop.Add(socket.FD, unix.EPOLLIN, d)
	}
	fd, err := unix.FcntlInt(uintptr(socket.FD), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	s.admit(fd, socket.Transport)
	return socket.Close()
}

// keepAlive tells the service manager's watchdog that the loop goes round.
func (s *Server) keepAlive() {
	interval := notify.WatchdogInterval()
	if interval <= 0 {
		return
	}
	var ping func()
	ping = func() {
		next := interval
		if err := notify.Watchdog(); err != nil {
			s.log.Warn("cannot notify the service manager", "error", err)
			next = min(interval, time.Second) // it is still waited for, for as long again
		}
		s.loop.After(next, ping)
	}
	ping()
}

// maxLast is how often a connection is read from before the daemon ends: a message of the full length comes in 17 parts.
const maxLast = 17

// finish stops the loop, once the calls that have come over accepted connections are carried out: those connections end with this process, so nobody else
// can answer them. What is not accepted yet waits in the socket's backlog, for the next process where the service manager keeps the socket.
func (s *Server) finish() {
	s.stopping = true
	for _, socket := range s.config.Sockets {
		if socket.Listening {
			s.loop.Remove(socket.FD)
		}
	}
	for range maxLast {
		for c := range s.conns {
			c.Ready(unix.EPOLLIN)
		}
		for !s.ring.empty() {
			s.takeTurns()
		}
	}
	s.loop.Stop()
}

// shut ends all connections and classes. The loop has stopped.
func (s *Server) shut() {
	s.stopping = true
	s.claims.Close()
	for c := range s.conns {
		c.close()
	}
	for _, socket := range s.config.Sockets {
		if err := socket.Close(); err != nil {
			s.log.Warn("cannot close a socket", "socket", socket.Address.String(), "error", err)
		}
	}
	s.closeClasses()
	if s.spare != nil {
		s.spare.Close()
	}
}

// closeClasses ends the classes, and what lets them look again.
func (s *Server) closeClasses() {
	s.hotplug.close()
	for _, class := range s.classes {
		if class.Close != nil {
			class.Close()
		}
	}
	s.classes = nil
}

// hardwareLoop is the loop as classes see it.
type hardwareLoop struct{ *loop.Loop }

// readable makes a function a loop.Ready.
type readable func()

// Ready calls the function.
func (f readable) Ready(uint32) { f() }

// Poll calls ready whenever fd can be read.
func (l hardwareLoop) Poll(fd int, ready func()) error {
	return l.Loop.Add(fd, unix.EPOLLIN|unix.EPOLLPRI, readable(ready))
}

// Unpoll ends Poll.
func (l hardwareLoop) Unpoll(fd int) { l.Loop.Remove(fd) }

// After calls f once, after d.
func (l hardwareLoop) After(d time.Duration, f func()) (stop func()) { return l.Loop.After(d, f).Stop }
