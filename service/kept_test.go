package service_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/init/notify"
	"github.com/halberd-io/halberd/service"
	"github.com/halberd-io/halberd/service/config"
	"github.com/halberd-io/halberd/service/keep"
	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

// manager is a service manager with a store, at the other end of NOTIFY_SOCKET, as systemd has it.
type manager struct {
	*testing.T
	socket int

	mu     sync.Mutex
	stored []keep.Inherited
}

func startManager(t *testing.T) *manager {
	t.Helper()
	m := &manager{T: t}
	path := filepath.Join(t.TempDir(), "notify")
	var err error
	if m.socket, err = unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err == nil {
		err = unix.Bind(m.socket, &unix.SockaddrUnix{Name: path})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("NOTIFY_SOCKET", path)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for m.receive() {
		}
	}()
	t.Cleanup(func() {
		_ = unix.Shutdown(m.socket, unix.SHUT_RDWR)
		<-ended
		unix.Close(m.socket)
		m.remove(func(keep.Inherited) bool { return true })
	})
	return m
}

// receive takes one message, and reports whether there was any.
func (m *manager) receive() bool {
	buf, control := make([]byte, 4096), make([]byte, 128)
	n, cn, _, _, err := unix.Recvmsg(m.socket, buf, control, unix.MSG_CMSG_CLOEXEC)
	if err != nil || n == 0 {
		return err == unix.EINTR
	}
	var fds []int
	messages, err := unix.ParseSocketControlMessage(control[:cn])
	if err != nil {
		m.Error(err)
	}
	for i := range messages {
		if got, err := unix.ParseUnixRights(&messages[i]); err == nil {
			fds = append(fds, got...)
		}
	}
	m.act(string(buf[:n]), fds)
	return true
}

func (m *manager) act(state string, fds []int) {
	_, name, _ := strings.Cut(state, "\nFDNAME=")
	switch {
	case strings.HasPrefix(state, "FDSTORE=1\n") && len(fds) == 1:
		m.mu.Lock()
		m.stored = append(m.stored, keep.Inherited{Name: name, FD: fds[0]})
		m.mu.Unlock()
		return
	case strings.HasPrefix(state, "FDSTOREREMOVE=1\n"):
		m.remove(func(one keep.Inherited) bool { return one.Name == name })
	}
	for _, fd := range fds { // of a barrier
		unix.Close(fd)
	}
}

func (m *manager) remove(which func(keep.Inherited) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	left := m.stored[:0]
	for _, one := range m.stored {
		if which(one) {
			unix.Close(one.FD)
		} else {
			left = append(left, one)
		}
	}
	m.stored = left
}

// Store, Unstore and Wait are how the daemon speaks to it.
func (*manager) Store(name string, fd int) error { return notify.Store(name, fd) }
func (*manager) Unstore(name string) error       { return notify.Unstore(name) }
func (*manager) Wait() error                     { return notify.Wait() }

// store is what the next process inherits.
func (m *manager) store() *keep.Store {
	m.Helper()
	if err := m.Wait(); err != nil {
		m.Fatal(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var passed []keep.Inherited
	for _, one := range m.stored {
		fd, err := unix.FcntlInt(uintptr(one.FD), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			m.Fatal(err)
		}
		passed = append(passed, keep.Inherited{Name: one.Name, FD: fd})
	}
	s, err := keep.Open(passed, m)
	if err != nil {
		m.Error(err)
	}
	return s
}

// onBoard has a server run on a board that is there already, and keep what it holds.
func (m *manager) onBoard(k *sim.Kernel, first bool) servicetest.Option {
	return func(c *service.Config) {
		c.Kernel, c.Machine, c.FirstStart, c.Keeper = k, k, first, m.store()
	}
}

const keptLines = `{"method":"io.halberd.Gpio.GetMany","parameters":{"lines":["relay-safe","relay-hold","relay-restore"]}}`

// TestRestartKeepsLines: a restart leaves every output as it is, with nothing written; what was claimed waits for its uid, and goes to its on-release state where that does not come.
func TestRestartKeepsLines(t *testing.T) {
	for _, reclaimed := range []bool{true, false} {
		t.Run(fmt.Sprintf("reclaimed %t", reclaimed), func(t *testing.T) {
			m, k := startManager(t), sim.New(sim.Options{})
			patience := servicetest.WithLimits(func(l *config.Limits) {
				if l.Reclaim = time.Hour; !reclaimed {
					l.Reclaim = 50 * time.Millisecond
				}
			})
			policy := fmt.Sprintf("[[grant]]\nid = \"all\"\nusers = [%d, 12345]\nmethods = [\"io.halberd.*\"]\ndevices = [\"*\"]\n", os.Geteuid())
			start := func(first bool) *servicetest.Server {
				return servicetest.Start(t, policy, m.onBoard(k, first), patience, servicetest.WithBoard(t, claimBoard, func(k *sim.Kernel) {
					if first {
						k.AddLED(sim.LED{Name: "far", Max: 255, Under: sim.OnI2C})
						k.AddLED(sim.LED{Name: "farther", Max: 255, Under: sim.OnI2C})
					}
				}))
			}
			s := start(true)
			holder := s.MustDial(t, peer.Stream)
			expect(t, holder, setLine("relay-restore", 1), done)
			expect(t, holder, claimCall("Claim", "Gpio/relay-safe", "Gpio/relay-restore"), done)
			for _, call := range []string{setLine("relay-safe", 1), setLine("relay-hold", 1), setLine("relay-restore", 0)} {
				expect(t, holder, call, done)
			}
			writes := func() int { return k.Writes("relay-pump") + k.Writes("relay-up") + k.Writes("relay-down") }
			before := writes()
			s.Stop(t)
			s = start(false)
			if !reclaimed {
				other := s.MustDial(t, peer.Seqpacket)
				eventuallyIs(t, "the claimed lines are released", func() bool {
					got, err := other.Call(keptLines)
					return err == nil && got == `{"parameters":{"values":{"relay-hold":1,"relay-restore":1,"relay-safe":0}}}`
				})
				eventuallyIs(t, "they are free", func() bool {
					got, err := other.Call(setLine("relay-safe", 1))
					return err == nil && got == done
				})
				return
			}
			same := s.MustDial(t, peer.Seqpacket)
			expect(t, same, keptLines, `{"parameters":{"values":{"relay-hold":1,"relay-restore":0,"relay-safe":1}}}`)
			if os.Geteuid() == 0 {
				got := s.Call(t, servicetest.As{UID: 12345, GID: 12345}, peer.Stream, setLine("relay-safe", 0))
				if len(got) != 1 || got[0] != busy("Gpio", "relay-safe") {
					t.Errorf("another uid got %q, want Busy", got)
				}
			}
			expect(t, same, claimCall("Claim", "Gpio/relay-safe", "Gpio/relay-restore"), done)
			if got := writes(); got != before {
				t.Errorf("%d writes between the last call and the claim that was taken up, want none", got-before)
			}
			expect(t, same, claimCall("Release", "Gpio/relay-safe", "Gpio/relay-restore"), done)
			expect(t, same, keptLines, `{"parameters":{"values":{"relay-hold":1,"relay-restore":1,"relay-safe":0}}}`)
		})
	}
}

// TestRestartWithAnotherBoard: a line that is not declared any more is brought to its safe value and let go.
func TestRestartWithAnotherBoard(t *testing.T) {
	m, k := startManager(t), sim.New(sim.Options{})
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), m.onBoard(k, true), servicetest.WithBoard(t, claimBoard, func(*sim.Kernel) {}))
	expect(t, s.MustDial(t, peer.Stream), setLine("relay-safe", 1), done)
	expect(t, s.MustDial(t, peer.Stream), setLine("relay-hold", 1), done)
	s.Stop(t)
	less := claimBoard[strings.Index(claimBoard, "[gpio.relay-hold]"):]
	s = servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), m.onBoard(k, false), servicetest.WithBoard(t, less, func(*sim.Kernel) {}))
	expect(t, s.MustDial(t, peer.Stream), `{"method":"io.halberd.Gpio.Get","parameters":{"line":"relay-hold"}}`, `{"parameters":{"value":1}}`)
	if held, _ := k.Consumer("relay-pump"); held != "" || k.Value("relay-pump") != 0 {
		t.Errorf("the line is with %q at %d, want nobody, 0", held, k.Value("relay-pump"))
	}
}
