package spi

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/hal/sim"
)

// passing is a simulated board whose devices of spidev can be handed out, as something else.
type passing struct{ *sim.Kernel }

func (k passing) Pass(int) (int, error) { return unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0) }

func TestConformance(t *testing.T) {
	haltest.Run(t, func(*testing.T) haltest.Harness {
		k := sim.New(sim.Options{Bare: true})
		k.AddSPI(sim.SPI{})
		k.AddSPI(sim.SPI{ChipSelect: 1, Bits: []uint8{8}})
		return haltest.Harness{
			Driver: Driver(), Kernel: passing{k}, Opened: k.Opened,
			Unplug:  func() { k.Unplug("spidev0.0") },
			Plug:    func() { k.Plug("spidev0.0") },
			Entries: []haltest.Entry{{Table: "spi", ID: "flash", Keys: `{"name":"spidev0.0","mode":3,"speed-hz":100000,"bits":16}`}},
			Calls: []haltest.Call{
				{Method: "Transfer", Parameters: `{"device":"flash","segments":[{"write":"nwAAAA==","read":true,"speedHz":5000,"deselect":true},{"write":"AAA="}]}`},
				{Method: "Transfer", Parameters: `{"device":"spidev0.1","segments":[{"write":"AA==","speedHz":1}]}`, Refusal: "io.systemd.System"},
				{Method: "Configure", Parameters: `{"device":"flash","mode":0,"speedHz":1000000,"bits":8}`},
				{Method: "Configure", Parameters: `{"device":"spidev0.1","mode":0,"speedHz":1000000,"bits":16}`, Refusal: "io.halberd.NotSupported"},
				{Method: "Lease", Parameters: `{"device":"flash"}`},
			},
		}
	})
}
