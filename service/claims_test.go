package service_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/service/config"
	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

// claimBoard has an output for each on-release state, two of them behind I2C.
const claimBoard = `
[gpio.relay-safe]
chip = "sim-gpio"
line = 0
direction = "output"
initial = 0
safe = 0

[gpio.relay-hold]
chip = "sim-gpio"
line = 1
direction = "output"
on-release = "hold"

[gpio.relay-restore]
chip = "sim-gpio"
line = 2
direction = "output"
on-release = "restore"

[led.near]
name = "front:white"
safe = 7

[led.far]
name = "far"
safe = 7

[led.far-restore]
name = "farther"
on-release = "restore"
`

func withClaimBoard(t *testing.T) servicetest.Option {
	return servicetest.WithBoard(t, claimBoard, func(k *sim.Kernel) {
		k.AddLED(sim.LED{Name: "far", Max: 255, Under: sim.OnI2C})
		k.AddLED(sim.LED{Name: "farther", Max: 255, Under: sim.OnI2C})
	})
}

func claimServer(t *testing.T, options ...servicetest.Option) *servicetest.Server {
	return servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), append(options, withClaimBoard(t))...)
}

func claimCall(method string, devices ...string) string {
	return fmt.Sprintf(`{"method":"io.halberd.Board.%s","parameters":{"devices":["%s"]}}`, method, strings.Join(devices, `","`))
}

func setLine(line string, value int) string {
	return fmt.Sprintf(`{"method":"io.halberd.Gpio.Set","parameters":{"line":"%s","value":%d}}`, line, value)
}

func setLED(led string, brightness int) string {
	return fmt.Sprintf(`{"method":"io.halberd.Led.Set","parameters":{"led":"%s","brightness":%d}}`, led, brightness)
}

const done = `{"parameters":{}}`

func busy(class, device string) string {
	return fmt.Sprintf(`{"error":"io.halberd.Busy","parameters":{"class":"%s","device":"%s","holder":"uid %d"}}`, class, device, os.Geteuid())
}

// expect makes a call and compares the reply.
func expect(t *testing.T, r *servicetest.Raw, call, want string) {
	t.Helper()
	if got, err := r.Call(call); got != want || err != nil {
		t.Errorf("%s\n got %s (%v)\nwant %s", call, got, err, want)
	}
}

// TestClaim: until the claim ends, nobody else changes the device, over whichever socket; reading goes on.
func TestClaim(t *testing.T) {
	for _, kind := range connections {
		t.Run(kind.String(), func(t *testing.T) {
			s := claimServer(t)
			holder := s.MustDial(t, kind)
			expect(t, holder, claimCall("Claim", "Gpio/relay-safe", "Led/far"), done)
			expect(t, holder, claimCall("Claim", "Gpio/relay-safe"), done)
			expect(t, holder, setLine("relay-safe", 1), done)
			expect(t, holder, setLED("far", 9), done)
			for _, other := range []peer.Transport{peer.Stream, peer.Seqpacket, peer.Datagram} {
				r := s.MustDial(t, other)
				expect(t, r, setLine("relay-safe", 0), busy("Gpio", "relay-safe"))
				expect(t, r, `{"method":"io.halberd.Gpio.Configure","parameters":{"line":"relay-safe","activeLow":true}}`, busy("Gpio", "relay-safe"))
				expect(t, r, setLED("far", 1), busy("Led", "far"))
				expect(t, r, `{"method":"io.halberd.Gpio.Get","parameters":{"line":"relay-safe"}}`, `{"parameters":{"value":1}}`)
				expect(t, r, setLine("relay-hold", 1), done)
			}
			expect(t, holder, claimCall("Release", "Gpio/relay-safe", "Led/far", "Led/near"), done)
			other := s.MustDial(t, kind)
			expect(t, other, `{"method":"io.halberd.Gpio.Get","parameters":{"line":"relay-safe"}}`, `{"parameters":{"value":0}}`)
			expect(t, other, setLED("far", 1), done)
		})
	}
}

// TestClaimIsAllOrNone: where one device is somebody else's, or unknown, none is taken.
func TestClaimIsAllOrNone(t *testing.T) {
	s := claimServer(t)
	first, second := s.MustDial(t, peer.Stream), s.MustDial(t, peer.Stream)
	expect(t, first, claimCall("Claim", "Gpio/relay-hold"), done)
	expect(t, second, claimCall("Claim", "Gpio/relay-safe", "Gpio/relay-hold"), busy("Gpio", "relay-hold"))
	expect(t, second, claimCall("Claim", "Gpio/relay-safe", "Gpio/none"), `{"error":"io.halberd.NoSuchDevice","parameters":{"class":"Gpio","device":"none"}}`)
	expect(t, second, claimCall("Claim", "relay-safe"), `{"error":"io.halberd.NoSuchDevice","parameters":{"class":"relay-safe","device":""}}`)
	expect(t, first, setLine("relay-safe", 1), done)
	expect(t, second, claimCall("Release", "Gpio/relay-hold"), done)
	expect(t, second, setLine("relay-hold", 1), busy("Gpio", "relay-hold"))
}

// TestEndOfClaim: however a claim ends, the device goes to the state that the board declares, and is free then.
func TestEndOfClaim(t *testing.T) {
	ends := []struct {
		name string
		end  func(t *testing.T, s *servicetest.Server, holder *servicetest.Raw, devices []string)
	}{
		{"released", func(t *testing.T, _ *servicetest.Server, holder *servicetest.Raw, devices []string) {
			expect(t, holder, claimCall("Release", devices...), done)
		}},
		{"hung up", func(_ *testing.T, _ *servicetest.Server, holder *servicetest.Raw, _ []string) { holder.Close() }},
		{"broken off", func(t *testing.T, _ *servicetest.Server, holder *servicetest.Raw, _ []string) {
			if err := holder.Write("nonsense"); err != nil {
				t.Error(err)
			}
		}},
		{"forced", func(t *testing.T, s *servicetest.Server, _ *servicetest.Raw, devices []string) {
			for _, d := range devices {
				expect(t, s.MustDial(t, peer.Stream), `{"method":"io.halberd.Board.ForceRelease","parameters":{"device":"`+d+`"}}`, done)
			}
		}},
		{"not permitted any more", func(t *testing.T, s *servicetest.Server, _ *servicetest.Raw, _ []string) {
			s.SetPolicy(strings.Replace(servicetest.GrantAll(os.Geteuid()), "io.halberd.*", "io.halberd.Gpio.*\", \"io.halberd.Led.*", 1))
			s.Reload()
		}},
	}
	devices := []string{"Gpio/relay-safe", "Gpio/relay-hold", "Gpio/relay-restore", "Led/near", "Led/far", "Led/far-restore"}
	for _, e := range ends {
		t.Run(e.name, func(t *testing.T) {
			s := claimServer(t)
			holder, other := s.MustDial(t, peer.Stream), s.MustDial(t, peer.Seqpacket)
			expect(t, other, setLine("relay-restore", 1), done)
			expect(t, other, setLED("far-restore", 3), done)
			expect(t, holder, claimCall("Claim", devices...), done)
			for _, call := range []string{setLine("relay-safe", 1), setLine("relay-hold", 1), setLine("relay-restore", 0), setLED("near", 100), setLED("far", 100), setLED("far-restore", 100)} {
				expect(t, holder, call, done)
			}
			e.end(t, s, holder, devices)
			for call, want := range map[string]string{
				`Gpio.Get","parameters":{"line":"relay-safe"}}`: `"value":0`, `Gpio.Get","parameters":{"line":"relay-hold"}}`: `"value":1`,
				`Gpio.Get","parameters":{"line":"relay-restore"}}`: `"value":1`, `Led.Get","parameters":{"led":"near"}}`: `"brightness":7`,
				`Led.Get","parameters":{"led":"far"}}`: `"brightness":7`, `Led.Get","parameters":{"led":"far-restore"}}`: `"brightness":3`,
			} {
				eventuallyIs(t, call+" gives "+want, func() bool {
					got, err := other.Call(`{"method":"io.halberd.` + call)
					return err == nil && strings.Contains(got, want)
				})
			}
			for _, call := range []string{setLine("relay-safe", 1), setLED("far", 1), setLED("far-restore", 1)} {
				eventuallyIs(t, call+" is free", func() bool {
					got, err := other.Call(call)
					return err == nil && got == done
				})
			}
		})
	}
}

// TestStopKeepsClaimedStates: when the daemon is stopped, nothing is written: a restart makes no edge.
func TestStopKeepsClaimedStates(t *testing.T) {
	s := claimServer(t)
	holder := s.MustDial(t, peer.Stream)
	expect(t, holder, claimCall("Claim", "Gpio/relay-safe"), done)
	expect(t, holder, setLine("relay-safe", 1), done)
	changes := s.Sim.Changes("relay-pump")
	s.Stop(t)
	if got := s.Sim.Changes("relay-pump"); got != changes {
		t.Errorf("the level changed %d times while the daemon stopped, want never", got-changes)
	}
}

func TestClaimLimits(t *testing.T) {
	s := claimServer(t, servicetest.WithLimits(func(l *config.Limits) { l.ClaimedDevicesPerUID = 2 }))
	first, second := s.MustDial(t, peer.Stream), s.MustDial(t, peer.Stream)
	expect(t, first, claimCall("Claim", "Gpio/relay-safe", "Led/far"), done)
	limit := `{"error":"io.halberd.LimitExceeded","parameters":{"limit":"claimed-devices-per-uid","maximum":2}}`
	expect(t, second, claimCall("Claim", "Gpio/relay-hold"), limit)
	expect(t, first, claimCall("Claim", "Gpio/relay-safe"), done)
	first.Close()
	eventuallyIs(t, "there is room again", func() bool {
		got, err := second.Call(claimCall("Claim", "Gpio/relay-hold", "Led/far"))
		return err == nil && got == done
	})
	expect(t, s.MustDial(t, peer.Datagram), claimCall("Claim", "Led/near"),
		`{"error":"org.varlink.service.MethodNotImplemented","parameters":{"method":"io.halberd.Board.Claim"}}`)
}

// TestHolders: who has what, for those whose grants cover the device.
func TestHolders(t *testing.T) {
	s := claimServer(t)
	holder, other := s.MustDial(t, peer.Stream), s.MustDial(t, peer.Stream)
	expect(t, holder, claimCall("Claim", "Led/far", "Gpio/relay-safe"), done)
	list := func(own bool) string {
		return heldByAll(heldBy("Gpio/relay-safe", "claim", own, false), heldBy("Led/far", "claim", own, false))
	}
	expect(t, other, holdersCall, list(false))
	expect(t, holder, holdersCall, list(true))
	s.SetPolicy(strings.Replace(servicetest.GrantAll(os.Geteuid()), `"*"`, `"Gpio/*"`, 1))
	s.Reload()
	eventuallyIs(t, "the light is not listed", func() bool {
		got, err := other.Call(holdersCall)
		return err == nil && strings.Contains(got, "relay-safe") && !strings.Contains(got, "far")
	})
}
