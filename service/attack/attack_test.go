package attack_test

import (
	"fmt"
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

// Who is who in these tests.
var (
	attacker = servicetest.As{UID: 4711, GID: 4711}
	victim   = servicetest.As{UID: 4712, GID: 4712}
)

// policy gives attacker and victim a line each, and root everything.
var policy = servicetest.GrantAll(0) + fmt.Sprintf(`
[[grant]]
id      = "attacker"
users   = [%d]
methods = ["io.halberd.Gpio.*", "io.halberd.Sensor.Get", "io.halberd.Board.Claim"]
devices = ["Gpio/relay-pump", "Sensor/board"]

[[grant]]
id      = "victim"
users   = [%d]
methods = ["io.halberd.Gpio.Get"]
devices = ["relay-down"]
`, attacker.UID, victim.UID)

// patience is how long a server waits here for the rest of a message, and for a reader.
const patience = 300 * time.Millisecond

func start(t *testing.T, options ...servicetest.Option) *servicetest.Server {
	short := servicetest.WithLimits(func(l *config.Limits) { l.MessageTimeout, l.WriteTimeout = patience, patience })
	return servicetest.Start(t, policy, append(options, short)...)
}

// emulated reports whether an emulator runs this program.
func emulated(t *testing.T) bool {
	return strings.HasPrefix(filepath.Base(servicetest.Command(t).Args[0]), "qemu-")
}

// target is a server in this process.
func target(t *testing.T, s *servicetest.Server) attack.Target {
	return attack.Target{
		Name: s.Name, PID: os.Getpid(), Timeout: patience, Emulated: emulated(t), Attacker: attacker, Victim: victim,
		Read:       `{"method":"io.halberd.Gpio.Get","parameters":{"line":"relay-pump"}}`,
		Change:     [2]string{set("relay-pump", 1), set("relay-pump", 0)},
		Watch:      `{"method":"io.halberd.Gpio.Watch","parameters":{"lines":["relay-pump"]},"more":true}`,
		Slow:       `{"method":"io.halberd.Sensor.Get","parameters":{"sensor":"board"}}`,
		Claim:      `{"method":"io.halberd.Board.Claim","parameters":{"devices":["Gpio/relay-pump"]}}`,
		Denied:     set("relay-up", 1),
		VictimCall: `{"method":"io.halberd.Gpio.Get","parameters":{"line":"relay-down"}}`, VictimReply: `{"parameters":{"value":0}}`,
		Look: []string{`{"method":"io.halberd.Gpio.GetMany","parameters":{"lines":["relay-up","relay-down","button","door"]}}`,
			`{"method":"io.halberd.Led.Get","parameters":{"led":"front"}}`, `{"method":"io.halberd.Board.Holders"}`},
		Touched: func() (n int) {
			for _, line := range []string{"relay-up", "relay-down", "button", "door"} {
				n += s.Sim.Changes(line)
			}
			return n
		},
	}
}

func set(line string, value int) string {
	return fmt.Sprintf(`{"method":"io.halberd.Gpio.Set","parameters":{"line":%q,"value":%d}}`, line, value)
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
