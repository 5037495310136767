package attack_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service"
	"github.com/halberd-io/halberd/service/attack"
	"github.com/halberd-io/halberd/service/config"
	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

func TestMain(m *testing.M) {
	attack.Child()
	servicetest.Main(m)
}

// patience is how long a server waits here for the rest of a message, and for a reader.
const patience = 300 * time.Millisecond

func start(t *testing.T, options ...servicetest.Option) *servicetest.Server {
	short := servicetest.WithLimits(func(l *config.Limits) { l.MessageTimeout, l.WriteTimeout = patience, patience })
	return servicetest.Start(t, attack.Policy, append(options, short)...)
}

// emulated reports whether an emulator runs this program.
func emulated(t *testing.T) bool {
	return strings.HasPrefix(filepath.Base(servicetest.Command(t).Args[0]), "qemu-")
}

// target is a server in this process, and the lines that only somebody else may change.
func target(t *testing.T, s *servicetest.Server) attack.Target {
	to := attack.Simulated(s.Name, os.Getpid())
	to.Timeout, to.Emulated = patience, emulated(t)
	to.Touched = func() (n int) {
		for _, line := range []string{"relay-up", "relay-down", "button", "door"} {
			n += s.Sim.Changes(line)
		}
		return n
	}
	return to
}

// TestAttacks makes every attack on a server in this process.
func TestAttacks(t *testing.T) {
	s := start(t)
	before := target(t, s)
	if got, err := s.MustDial(t, peer.Seqpacket).Call(before.Slow); err != nil {
		t.Fatal(got, err)
	}
	goroutines := runtime.NumGoroutine() // with the bus's worker, who goes on for a while
	attack.Run(t, before)
	attack.Settled(t, "goroutines", goroutines, runtime.NumGoroutine)
}

func TestIdentities(t *testing.T) {
	attack.RunIdentities(t, target(t, start(t)))
}

// TestDescriptorsReach makes the attacks with descriptors where the kernel does not refuse them at their sender, as none before 6.16 does it.
func TestDescriptorsReach(t *testing.T) {
	s := start(t, func(c *service.Config) {
		for _, socket := range c.Sockets {
			_ = unix.SetsockoptInt(socket.FD, unix.SOL_SOCKET, unix.SO_PASSRIGHTS, 1) // or the kernel has no such thing
		}
	})
	attack.Run(t, target(t, s), "descriptors", "a socket that is sent through itself")
}
