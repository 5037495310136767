package service_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

// startLate has two outputs, one of them on a bus that hangs under somebody else's call, and a call behind that which is to set both.
func startLate(t *testing.T, claimed bool) (resume func(), caller, other *servicetest.Raw) {
	t.Helper()
	const board = "[i2c-bus.sensors]\nadapter = \"i2c-0\"\n[gpio.far]\nchip = \"far\"\nline = 0\ndirection = \"output\"\n" +
		"[gpio.near]\nchip = \"near\"\nline = 0\ndirection = \"output\"\nsafe = 0\non-release = \"safe\"\n"
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), servicetest.WithBoard(t, board, func(k *sim.Kernel) {
		k.AddChip(sim.Chip{Label: "near", Lines: make([]sim.Line, 1)})
		k.AddChip(sim.Chip{Label: "far", Under: strings.NewReplacer("i2c-1", "i2c-0", "1-0048", "0-0048").Replace(sim.OnI2C), Lines: make([]sim.Line, 1)})
	}))
	hung, caller, other := s.MustDial(t, peer.Stream), s.MustDial(t, peer.Stream), s.MustDial(t, peer.Stream)
	if claimed {
		expect(t, caller, claimCall("Claim", "Gpio/near"), done)
	}
	s.Sim.Hang("i2c-0")
	resume = func() { s.Sim.Resume("i2c-0") }
	t.Cleanup(resume)
	if err := hung.Write(i2cCall("Probe", `"bus":"sensors","address":72`)); err != nil {
		t.Fatal(err)
	}
	eventuallyIs(t, "a transfer that hangs", func() bool { return s.Sim.Waiting() > 0 })
	if err := caller.Write(`{"method":"io.halberd.Gpio.SetMany","parameters":{"values":{"far":1,"near":1}}}`); err != nil {
		t.Fatal(err)
	}
	expect(t, other, getLine("near"), value(0)) // what came before it is on its way by then
	return resume, caller, other
}

func getLine(line string) string {
	return fmt.Sprintf(`{"method":"io.halberd.Gpio.Get","parameters":{"line":%q}}`, line)
}

func value(level int) string { return fmt.Sprintf(`{"parameters":{"value":%d}}`, level) }

// TestClaimBesideLateCall: what a call will still set, which waits for the bus of another line, nobody can claim until it is over.
func TestClaimBesideLateCall(t *testing.T) {
	resume, caller, other := startLate(t, false)
	expect(t, other, claimCall("Claim", "Gpio/near"), `{"error":"io.halberd.Busy","parameters":{"class":"Gpio","device":"near"}}`)
	resume()
	if got, err := caller.Read(); got != done || err != nil {
		t.Fatalf("got %s, %v", got, err)
	}
	expect(t, other, claimCall("Claim", "Gpio/near"), done)
	expect(t, other, getLine("near"), value(1))
}

// TestReleaseBesideLateCall: the on-release state of a line is written behind what its holder has asked for before, and until then it is nobody's.
func TestReleaseBesideLateCall(t *testing.T) {
	resume, caller, other := startLate(t, true)
	caller.Close()
	await(t, other, holdersCall, heldByAll(heldBy("Gpio/near", "claim", false, true)))
	expect(t, other, setLine("near", 1), busy("Gpio", "near"))
	resume()
	await(t, other, holdersCall, heldByAll())
	expect(t, other, getLine("near"), value(0))
}

// TestSafeBesideLateCall: Safe brings a line to its safe value at once, and once more where a call from before sets it later.
func TestSafeBesideLateCall(t *testing.T) {
	resume, caller, other := startLate(t, false)
	expect(t, other, safeCall, `{"parameters":{"outputs":1}}`)
	resume()
	if got, err := caller.Read(); got != done || err != nil {
		t.Fatalf("got %s, %v", got, err)
	}
	await(t, other, getLine("near"), value(0))
}

// TestClaimEndsBesideLateCall: what a connection holds ends with it, also while a call of it waits for a bus that hangs.
func TestClaimEndsBesideLateCall(t *testing.T) {
	for _, kind := range connections {
		t.Run(kind.String(), func(t *testing.T) {
			s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
			holder, other := s.MustDial(t, kind), s.MustDial(t, peer.Stream)
			expect(t, holder, claimCall("Claim", "Gpio/relay-pump"), done)
			expect(t, holder, setLine("relay-pump", 1), done)
			s.Sim.Hang("i2c-0")
			defer s.Sim.Resume("i2c-0")
			if err := holder.Write(i2cCall("Read", `"device":"eeprom","register":0,"length":2`)); err != nil {
				t.Fatal(err)
			}
			eventuallyIs(t, "a transfer that hangs", func() bool { return s.Sim.Waiting() > 0 })
			holder.Close()
			await(t, other, getLine("relay-pump"), value(0))
			expect(t, other, holdersCall, heldByAll())
			if s.Sim.Waiting() == 0 {
				t.Error("the bus does not hang any more")
			}
		})
	}
}
