package service_test

import (
	"os"
	"testing"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

// pairBoard has two lines that belong together.
const pairBoard = `
[gpio.left]
chip = "sim-gpio"
line = 0
direction = "output"
safe = 0

[gpio.right]
chip = "sim-gpio"
line = 1
direction = "output"
safe = 0

[gpio-group.pair]
lines = ["left", "right"]
`

const noPart = `{"error":"io.halberd.NotSupported","parameters":{"feature":"group"}}`

// TestGroupIsClaimedWhole, and released so.
func TestGroupIsClaimedWhole(t *testing.T) {
	for _, kind := range connections {
		s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), servicetest.WithBoard(t, pairBoard, func(*sim.Kernel) {}))
		r, other := s.MustDial(t, kind), s.MustDial(t, kind)
		expect(t, r, claimCall("Claim", "Gpio/left"), noPart)
		expect(t, r, claimCall("Claim", "Gpio/right", "Led/front:white"), noPart)
		expect(t, other, setLine("left", 1), done)
		expect(t, r, claimCall("Claim", "Gpio/right", "Gpio/left", "Led/front:white"), done)
		expect(t, other, `{"method":"io.halberd.Gpio.SetMany","parameters":{"values":{"left":0,"right":1}}}`, busy("Gpio", "left"))
		expect(t, r, `{"method":"io.halberd.Gpio.SetMany","parameters":{"values":{"left":1,"right":1}}}`, done)
		expect(t, r, claimCall("Release", "Gpio/left"), noPart)
		expect(t, r, claimCall("Release", "Led/front:white"), done)
		expect(t, other, `{"method":"io.halberd.Board.ForceRelease","parameters":{"device":"Gpio/right"}}`, done)
		expect(t, other, `{"method":"io.halberd.Board.Holders"}`, `{"parameters":{"holders":[]}}`)
		expect(t, other, `{"method":"io.halberd.Gpio.GetMany","parameters":{"lines":["left","right"]}}`, `{"parameters":{"values":{"left":0,"right":0}}}`)
	}
}

// TestPulsingLineIsNotClaimed: its state at the end would be the pulse's.
func TestPulsingLineIsNotClaimed(t *testing.T) {
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
	r, other := s.MustDial(t, peer.Stream), s.MustDial(t, peer.Stream)
	if err := r.Write(`{"method":"io.halberd.Gpio.Pulse","parameters":{"line":"relay-pump","value":1,"durationUSec":200000}}`); err != nil {
		t.Fatal(err)
	}
	await(t, other, getPump, `{"parameters":{"value":1}}`)
	expect(t, other, claimCall("Claim", "Gpio/relay-pump"), `{"error":"io.halberd.Busy","parameters":{"class":"Gpio","device":"relay-pump","holder":"pulse"}}`)
	if got, err := r.Read(); got != done || err != nil {
		t.Errorf("the pulse: got %s, %v", got, err)
	}
	expect(t, other, claimCall("Claim", "Gpio/relay-pump"), done)
}

// locker is a device that is leased without a descriptor.
type locker struct {
	id     string
	loop   hal.Loop
	holder hal.Holder
	ends   int
}

func (l *locker) ID() string  { return l.id }
func (l *locker) Bus() string { return "" }

func (l *locker) take(h hal.Holder, _, _ *hal.None) error {
	l.holder = h
	return nil
}

func (l *locker) EndLease(h hal.Holder, done func()) bool {
	if l.holder == nil || h != nil && l.holder != h {
		return false
	}
	l.holder = nil
	l.loop.Post(func() { l.ends++; done() })
	return true
}

type count struct{ Ends int64 }

func (m *count) Fields(f *hal.Fields) { f.Int("ends", &m.Ends, hal.Unitless, "How often.") }

func lockers() hal.Driver {
	return hal.Driver{Class: "Locker", Open: func(env *hal.Env) (*hal.Class, error) {
		all := hal.NewSet[*locker]("Locker", "locker")
		for _, id := range []string{"one", "two"} {
			if err := all.Add(&locker{id: id, loop: env.Loop}); err != nil {
				return nil, err
			}
		}
		return &hal.Class{Name: "Locker", Doc: "Lockers.", Devices: all, Methods: []*hal.Method{
			hal.OnHeld(all, hal.Configure, "Take", "Takes a locker.", (*locker).take),
			hal.On(all, hal.Observe, "Ends", "Counts.", func(l *locker, _ *hal.None, out *count) error { out.Ends = int64(l.ends); return nil }),
		}}, nil
	}}
}

// TestReleaseEndsLeases: of the same connection; an administrator ends anybody's.
func TestReleaseEndsLeases(t *testing.T) {
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), servicetest.WithDrivers(lockers()))
	r, other := s.MustDial(t, peer.Stream), s.MustDial(t, peer.Stream)
	take := func(id string) string {
		return `{"method":"io.halberd.Locker.Take","parameters":{"locker":"` + id + `"}}`
	}
	ends := func(id, want string) {
		t.Helper()
		expect(t, other, `{"method":"io.halberd.Locker.Ends","parameters":{"locker":"`+id+`"}}`, `{"parameters":{"ends":`+want+`}}`)
	}
	expect(t, r, take("one"), done)
	expect(t, r, take("two"), done)
	expect(t, other, claimCall("Release", "Locker/one", "Locker/two"), done)
	ends("one", "0")
	expect(t, r, claimCall("Release", "Locker/one"), done)
	ends("one", "1")
	ends("two", "0")
	force := `{"method":"io.halberd.Board.ForceRelease","parameters":{"device":"Locker/two"}}`
	expect(t, other, force, done)
	ends("two", "1")
	expect(t, other, force, done)
	ends("two", "1")
}

// TestEventsOfClaims: who may touch a device hears that it is claimed and released, and all else as if nothing happened.
func TestEventsOfClaims(t *testing.T) {
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
	r, holder := s.MustDial(t, peer.Stream), s.MustDial(t, peer.Seqpacket)
	if got, err := r.Call(eventsCall); got != begun || err != nil {
		t.Fatal(got, err)
	}
	expect(t, holder, claimCall("Claim", "Gpio/relay-pump", "Led/front"), done)
	if got, want := told(t, r, 2), "claimed Gpio/relay-pump, claimed Led/front"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	holder.Close()
	if got, want := told(t, r, 2), "released Gpio/relay-pump, released Led/front"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
