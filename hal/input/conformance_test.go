package input

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/hal/sim"
)

// passing is a kernel whose descriptors of input can be passed: what comes is good for nothing but to be closed.
type passing struct{ *sim.Kernel }

func (passing) Pass(fd int) (int, error) { return unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0) }

func TestConformance(t *testing.T) {
	rows := []struct {
		name, refusal string
		kernel        func(*sim.Kernel) hal.Kernel
	}{
		{"the simulated board", "io.halberd.NotSupported", func(k *sim.Kernel) hal.Kernel { return k }},
		{"descriptors can be passed", "", func(k *sim.Kernel) hal.Kernel { return passing{k} }},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			haltest.Run(t, func(*testing.T) haltest.Harness {
				k := bench(sim.Options{Bare: true})
				return haltest.Harness{
					Driver: Driver(), Kernel: row.kernel(k), Opened: k.Opened,
					Unplug:  func() { k.Unplug("event0"); k.Unplug("event1") },
					Plug:    func() { k.Plug("event0"); k.Plug("event1") },
					Entries: []haltest.Entry{{Table: "input", ID: "keys", Keys: `{"name":"gpio-keys"}`}},
					Calls: []haltest.Call{
						{Method: "Lease", Parameters: `{"device":"keys"}`, Refusal: row.refusal},
						{Method: "Lease", Parameters: `{"device":"keypad"}`, Refusal: row.refusal},
						{Method: "Watch", Parameters: `{"devices":["keys"]}`},
						{Method: "Watch", Parameters: `{"devices":["keypad"]}`},
					},
				}
			})
		})
	}
}
