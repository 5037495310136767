package attack_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/board"
	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/wire"
	"github.com/halberd-io/halberd/service"
	"github.com/halberd-io/halberd/service/attack"
	"github.com/halberd-io/halberd/service/config"
	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

// broken is a server on a kernel whose calls can be made to fail.
type broken struct {
	*recorded
	faulty *haltest.Faulty
}

func breakable(t *testing.T, options ...servicetest.Option) *broken {
	s := &broken{recorded: &recorded{}}
	under := func(c *service.Config) {
		s.faulty = haltest.FailAt(c.Kernel, 0, 0)
		c.Kernel = s.faulty
		read := c.Policy
		c.Policy = func(cat *hal.Catalog) (*config.PolicyFiles, error) {
			s.catalog = cat
			return read(cat)
		}
	}
	s.Server = servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), append(options, under)...)
	return s
}

// calls are one of each method that reaches the board.
func (s *broken) calls() (all []string) {
	for _, m := range s.catalog.Methods() {
		if m.Class == "" || m.Class == "Policy" || m.Class == "Power" || m.Later && m.Class == "Board" {
			continue
		}
		all = append(all, call(m.FullName(), haltest.Valid(m, aDevice(s.recorded, m))))
	}
	return all
}

// is makes a call and expects an answer, whatever it is, that is one: results or an error with its parameters.
func is(t *testing.T, r *servicetest.Raw, msg string) string {
	t.Helper()
	got, err := r.Call(msg)
	if err != nil {
		t.Fatalf("%s: %v", msg, err)
	}
	if wire.Valid([]byte(got)) != nil || !strings.HasPrefix(got, `{"parameters":{`) && !strings.HasPrefix(got, `{"error":"io.`) && !strings.HasPrefix(got, `{"error":"org.varlink.`) {
		t.Errorf("%s: got %q", msg, got)
	}
	return got
}

// TestEachKernelCallFails: whichever call of the kernel fails while a method is carried out, its caller is answered, a bystander too, and the daemon has no more descriptors for it than
// without a fault.
func TestEachKernelCallFails(t *testing.T) {
	faults := 0
	for _, errno := range []syscall.Errno{unix.EIO, unix.ENOSPC, unix.EMFILE, unix.ENODEV} {
		t.Run(unix.ErrnoName(errno), func(t *testing.T) {
			s := breakable(t)
			r, bystander := s.MustDial(t, peer.Stream), s.MustDial(t, peer.Seqpacket)
			for _, msg := range s.calls() {
				is(t, r, msg)
			}
			opened := s.Sim.Opened()
			for _, msg := range s.calls() {
				t.Run(methodOf(msg), func(t *testing.T) {
					s.faulty.Arm(0, 0)
					is(t, r, msg)
					n := min(s.faulty.Count(), 40)
					for at := 1; at <= n; at++ {
						s.faulty.Arm(at, errno)
						is(t, r, msg)
						faults++
					}
					s.faulty.Arm(0, 0)
					is(t, bystander, get)
				})
			}
			r.Close()
			attack.Settled(t, "descriptors of the board", opened+8, s.Sim.Opened)
		})
	}
	t.Logf("%d faults", faults)
}

// serverOn makes the parts of a server on a kernel, without sockets.
func serverOn(t *testing.T, kernel hal.Kernel) service.Config {
	b, err := config.ParseBoard("board.toml", sim.New(sim.Options{}).BoardTOML(), board.Tables())
	if err != nil {
		t.Fatal(err)
	}
	return service.Config{Version: "test", Log: slog.New(slog.DiscardHandler), Kernel: kernel, Drivers: board.Drivers(), Entries: b.Entries, FirstStart: true, Limits: config.DefaultServer().Limits,
		Policy: func(cat *hal.Catalog) (*config.PolicyFiles, error) {
			return config.ParsePolicy(config.Options{}, cat, "test.toml", "")
		}}
}

// TestEachKernelCallFailsAtTheStart: whichever call of the kernel fails when the daemon starts, it starts without what failed or says why it cannot, and leaves nothing behind.
func TestEachKernelCallFailsAtTheStart(t *testing.T) {
	began := func(at int, errno syscall.Errno) (calls int, err error) {
		k := sim.New(sim.Options{})
		faulty := haltest.FailAt(k, at, errno)
		s, err := service.New(serverOn(t, faulty))
		calls = faulty.Count()
		if err == nil {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			err = s.Run(ctx)
		}
		if left := k.Opened(); left > 0 {
			t.Errorf("call %d failing with %v: %d descriptors are left", at, errno, left)
		}
		return calls, err
	}
	n, err := began(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	before := descriptors(t)
	step, started, tried := 31, 0, 0
	if emulated(t) {
		step = 97
	}
	if os.Getenv("HALBERD_SOAK") != "" {
		step = 1
	}
	for _, errno := range []syscall.Errno{unix.EIO, unix.ENODEV, unix.EMFILE} {
		for at := 1; at <= n; at += step {
			if _, err := began(at, errno); err == nil {
				started++
			}
			tried++
		}
	}
	t.Logf("%d calls of the kernel; it started in %d of %d faults", n, started, tried)
	if started == 0 {
		t.Error("it never started without what failed")
	}
	attack.Settled(t, "descriptors", before, func() int { return descriptors(t) })
}

func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// fullDisk keeps nothing any more.
type fullDisk struct{}

func (fullDisk) Load(string) ([]byte, error) { return nil, nil }
func (fullDisk) Save(string, []byte) error   { return unix.ENOSPC }

// TestFullDisk: what has to be kept and cannot be is refused, and everything else goes on.
func TestFullDisk(t *testing.T) {
	s := breakable(t, func(c *service.Config) { c.State = fullDisk{} })
	r := s.MustDial(t, peer.Stream)
	for _, msg := range s.calls() {
		is(t, r, msg)
	}
	when := time.Now().Add(24 * time.Hour).UnixMicro()
	got := is(t, r, fmt.Sprintf(`{"method":"io.halberd.Rtc.Wake","parameters":{"name":"up","atUSec":%d}}`, when))
	if !strings.Contains(got, "ENOSPC") {
		t.Errorf("a time to wake at that cannot be kept: got %s", got)
	}
	is(t, r, get)
}

// TestHungBus: calls that fill the queue of a bus which hangs end in their own time, and the others' go on at once; a victim of another uid notices nothing.
func TestHungBus(t *testing.T) {
	s := start(t)
	target := target(t, s)
	s.Sim.Hang("i2c-0")
	defer s.Sim.Resume("i2c-0")
	read := `{"method":"io.halberd.I2c.Read","parameters":{"device":"eeprom","register":0,"length":2}}`
	attack.Beside(t, target, "a bus hangs", func() {
		var waiting []*servicetest.Raw
		for i := range 40 {
			r := s.MustDial(t, connections[i%2])
			if err := r.Write(read); err != nil {
				t.Fatal(err)
			}
			waiting = append(waiting, r)
		}
		for i, r := range waiting {
			if got, err := r.Read(); err != nil || !strings.HasPrefix(got, `{"error":"io.halberd.`) {
				t.Errorf("call %d: got %q, %v, want Timeout or Busy", i, got, err)
			}
		}
	})
}
