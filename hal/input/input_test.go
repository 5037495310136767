package input

import (
	"regexp"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
	"github.com/halberd-io/halberd/hal/uapi"
)

// bench is a bare board with keys, and a keypad on a slow bus.
func bench() *sim.Kernel {
	k := sim.New(sim.Options{Bare: true})
	k.AddInput(sim.Input{Name: "gpio-keys"})
	k.AddInput(sim.Input{Name: "keypad", Under: sim.OnI2C})
	return k
}

var keys = simtest.Entry{Table: "input", ID: "keys", Keys: `{"name":"gpio-keys"}`}

const power = 116

func TestConformance(t *testing.T) {
	haltest.Run(t, func(*testing.T) haltest.Harness {
		k := bench()
		return haltest.Harness{
			Driver: Driver(), Kernel: k, Opened: k.Opened,
			Unplug:  func() { k.Unplug("event0"); k.Unplug("event1") },
			Plug:    func() { k.Plug("event0"); k.Plug("event1") },
			Entries: []haltest.Entry{{Table: "input", ID: "keys", Keys: `{"name":"gpio-keys"}`}},
			Calls: []haltest.Call{
				{Method: "Lease", Parameters: `{"device":"keys"}`, Refusal: "io.halberd.NotSupported"},
				{Method: "Lease", Parameters: `{"device":"keypad"}`, Refusal: "io.halberd.NotSupported"},
				{Method: "Watch", Parameters: `{"devices":["keys"]}`},
				{Method: "Watch", Parameters: `{"devices":["keypad"]}`},
			},
		}
	})
}

var stamps = regexp.MustCompile(`,"timestampNSec":\d+`)

// untimed compares events without their times.
func untimed(t *testing.T, w *simtest.Watch, want string) {
	t.Helper()
	if got := stamps.ReplaceAllString(w.Events(), ""); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestWatch: which keys are down first, then each press and release; the second watcher shares the node, and the last one closes it.
func TestWatch(t *testing.T) {
	for id, node := range map[string]string{"keys": "event0", "keypad": "event1"} {
		t.Run(id, func(t *testing.T) {
			k := bench()
			b := simtest.Open(t, Driver(), k, false, keys)
			k.Press(node, power, 1)
			first := b.Watch("Watch", `{"devices":["`+id+`"]}`)
			untimed(t, first, `{"device":"`+id+`","keys":[116],"switches":[]}`)
			k.Press(node, power, 0)
			untimed(t, first, `{"device":"`+id+`","type":"key","code":116,"value":0}`)
			second := b.Watch("Watch", `{"devices":["`+id+`"]}`)
			untimed(t, second, `{"device":"`+id+`","keys":[],"switches":[]}`)
			if k.Opened() != 1 {
				t.Errorf("%d descriptors are open for two watchers, want 1", k.Opened())
			}
			k.Press(node, 2, 1)
			pressed := `{"device":"` + id + `","type":"key","code":2,"value":1}`
			untimed(t, first, pressed)
			untimed(t, second, pressed)
			first.Stop()
			second.Stop()
			b.Loop.Turn()
			if k.Opened() != 0 {
				t.Errorf("%d descriptors are open without a watcher, want none", k.Opened())
			}
		})
	}
}

// TestDropped: after events were lost, the state is told.
func TestDropped(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false, keys)
	w := b.Watch("Watch", `{"devices":["keys"]}`)
	w.Events()
	for range 40 {
		k.Press("event0", power, 1)
		k.Press("event0", power, 0)
	}
	k.Press("event0", 2, 1)
	got := stamps.ReplaceAllString(w.Events(), "")
	if want := `{"device":"keys","keys":[2],"switches":[]}`; len(got) < len(want) || got[:len(want)] != want {
		t.Errorf("got %s, want the state %s first", got, want)
	}
}

// leasing is a kernel whose descriptors can be passed: a duplicate of the reader's, which the test reads through the kernel.
type leasing struct {
	*sim.Kernel
	revoked int
}

func (k *leasing) Pass(fd int) (int, error) {
	return unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
}

func (k *leasing) Ioctl(fd int, request uint, argument unsafe.Pointer) error {
	err := k.Kernel.Ioctl(fd, request, argument)
	if request == uapi.InputRevoke && err == nil {
		k.revoked++
	}
	return err
}

// TestLease: the reader is the holder's until its connection ends, and is revoked then.
func TestLease(t *testing.T) {
	for _, id := range []string{"keys", "keypad"} {
		t.Run(id, func(t *testing.T) {
			k := &leasing{Kernel: bench()}
			b := simtest.Open(t, Driver(), k, false, keys)
			b.Expect("Lease", `{"device":"`+id+`"}`, `{"fileDescriptor":0}`)
			hal.CloseFiles(b.Files)
			if k.Opened() != 1 {
				t.Fatalf("%d descriptors are open, want the lease's", k.Opened())
			}
			b.Hangup()
			if k.revoked != 1 || k.Opened() != 0 {
				t.Errorf("revoked %d times, %d descriptors are open, want once, 0", k.revoked, k.Opened())
			}
			b.Expect("Lease", `{"device":"`+id+`"}`, `{"fileDescriptor":0}`)
			hal.CloseFiles(b.Files)
			b.Close()
			if k.revoked != 2 || k.Opened() != 0 {
				t.Errorf("the class closed: revoked %d times, %d descriptors are open, want twice, none", k.revoked, k.Opened())
			}
		})
	}
}
