package service_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

const safeCall = `{"method":"io.halberd.Board.Safe","parameters":{}}`

// safeBoard has outputs of both classes, on slow buses too. Lines without a safe value are none of Safe's business.
const safeBoard = `
[gpio.heater]
chip = "sim-gpio"
line = 0
direction = "output"
safe = 0

[gpio.brake]
chip = "sim-gpio"
line = 1
direction = "output"
active-low = true
initial = 0
safe = 1

[gpio.horn]
chip = "sim-gpio"
line = 2
direction = "output"

[gpio.far]
chip = "expander"
line = 0
direction = "output"
safe = 0

[led.front]
name = "front:white"
safe = 7

[led.status]
name = "status:rgb"

[led.far]
name = "far:green"
safe = 0
`

func addSlow(k *sim.Kernel) {
	k.AddChip(sim.Chip{Label: "expander", Under: sim.OnI2C, Lines: []sim.Line{{Name: "FAR"}}})
	k.AddLED(sim.LED{Name: "far:green", Max: 7, Under: sim.OnI2C})
}

// driveAll moves all outputs away from their safe values.
var driveAll = []string{
	`{"method":"io.halberd.Gpio.Set","parameters":{"line":"heater","value":1}}`,
	`{"method":"io.halberd.Gpio.Set","parameters":{"line":"brake","value":0}}`,
	`{"method":"io.halberd.Gpio.Set","parameters":{"line":"horn","value":1}}`,
	`{"method":"io.halberd.Gpio.Set","parameters":{"line":"far","value":1}}`,
	`{"method":"io.halberd.Led.Blink","parameters":{"led":"front","onMSec":5,"offMSec":5}}`,
	`{"method":"io.halberd.Led.Set","parameters":{"led":"status","brightness":9}}`,
	`{"method":"io.halberd.Led.Set","parameters":{"led":"far","brightness":3}}`,
}

// call makes calls that have to be answered so.
func call(t *testing.T, r *servicetest.Raw, want string, messages ...string) {
	t.Helper()
	for _, msg := range messages {
		if got, err := r.Call(msg); err != nil || !matches(got, want) {
			t.Fatalf("%s:\n got %s, %v\nwant %s", msg, got, err, want)
		}
	}
}

// levels are the pins of the simulated board.
func levels(k *sim.Kernel) string {
	return fmt.Sprintf("heater %d, brake %d, horn %d, far %d", k.Value("sim-gpio/0"), k.Value("sim-gpio/1"), k.Value("sim-gpio/2"), k.Value("FAR"))
}

// TestSafe: every output with a safe value is at it when the answer comes, whatever it was doing, and no other output has changed.
func TestSafe(t *testing.T) {
	everyTransport(t, func(t *testing.T, kind peer.Transport) {
		s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), servicetest.WithBoard(t, safeBoard, addSlow))
		r := s.MustDial(t, kind)
		call(t, r, `{"parameters":{}}`, driveAll...)
		if got, want := levels(s.Sim), "heater 1, brake 1, horn 1, far 1"; got != want {
			t.Fatalf("before: got %s, want %s", got, want)
		}
		call(t, r, `{"parameters":{"outputs":5}}`, safeCall)
		if got, want := levels(s.Sim), "heater 0, brake 0, horn 1, far 0"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		call(t, r, `{"parameters":{"brightness":7,"maxBrightness":255,"trigger":"none",…`, `{"method":"io.halberd.Led.Get","parameters":{"led":"front"}}`)
		call(t, r, `{"parameters":{"brightness":9,…`, `{"method":"io.halberd.Led.Get","parameters":{"led":"status"}}`)
		call(t, r, `{"parameters":{"brightness":0,…`, `{"method":"io.halberd.Led.Get","parameters":{"led":"far"}}`)
		changes := s.Sim.Changes("sim-gpio/0")
		call(t, r, `{"parameters":{"outputs":5}}`, safeCall)
		if got := s.Sim.Changes("sim-gpio/0"); got != changes {
			t.Errorf("an output that is safe already makes %d edges", got-changes)
		}
	})
}

// TestSafeAfterConfigure: the safe value is that of the line as board.toml declares it, not of what somebody made of it.
func TestSafeAfterConfigure(t *testing.T) {
	for _, change := range []string{`"activeLow":false`, `"direction":"input"`, `"drive":"open_drain"`} {
		s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), servicetest.WithBoard(t, safeBoard, addSlow))
		r := s.MustDial(t, peer.Stream)
		s.Sim.Pull("sim-gpio/1", 1)
		call(t, r, `{"parameters":{}}`, driveAll[1], `{"method":"io.halberd.Gpio.Configure","parameters":{"line":"brake",`+change+`}}`)
		call(t, r, `{"parameters":{"outputs":5}}`, safeCall)
		if held, output := s.Sim.Consumer("sim-gpio/1"); s.Sim.Value("sim-gpio/1") != 0 || held != "halberd" || !output {
			t.Errorf("%s: the brake's pin is at %d, held by %q, output %v", change, s.Sim.Value("sim-gpio/1"), held, output)
		}
		call(t, r, `{"parameters":{"value":1}}`, `{"method":"io.halberd.Gpio.Get","parameters":{"line":"brake"}}`)
	}
}

// TestSafeIsWatched: those who watch an output learn of it.
func TestSafeIsWatched(t *testing.T) {
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), servicetest.WithBoard(t, safeBoard, addSlow))
	r, watcher := s.MustDial(t, peer.Stream), s.MustDial(t, peer.Stream)
	call(t, r, `{"parameters":{}}`, driveAll[0])
	call(t, watcher, `{"parameters":{"line":"heater","value":1…`, `{"method":"io.halberd.Gpio.Watch","parameters":{"lines":["heater"]},"more":true}`)
	call(t, r, `{"parameters":{"outputs":5}}`, safeCall)
	if got, err := watcher.Read(); err != nil || !matches(got, `{"parameters":{"line":"heater","value":0…`) {
		t.Errorf("got %s, %v", got, err)
	}
}

// TestSafeIsNotForEverybody: it takes a grant, of root too, and without one nothing moves.
func TestSafeIsNotForEverybody(t *testing.T) {
	servicetest.SkipUnlessRoot(t)
	control := "[[grant]]\nid = \"control\"\nusers = [0, 1000]\nmethods = [\"io.halberd.Gpio.*\"]\ndevices = [\"*\"]\n"
	named := control + "[[grant]]\nid = \"stopper\"\nusers = [1000]\nmethods = [\"io.halberd.Board.Safe\"]\n"
	app := servicetest.As{UID: 1000, GID: 1000}
	for _, row := range []struct {
		name, policy string
		as           servicetest.As
		want         string
		level        int
	}{
		{"another uid", servicetest.GrantAll(0) + control, app, `{"error":"org.varlink.service.PermissionDenied",…`, 1},
		{"root, with its grant masked", control, servicetest.As{}, `{"error":"org.varlink.service.PermissionDenied",…`, 1},
		{"root", servicetest.GrantAll(0) + control, servicetest.As{}, `{"parameters":{"outputs":5}}`, 0},
		{"another uid with a grant", named, app, `{"parameters":{"outputs":5}}`, 0},
		{"root, where another uid has the grant", named, servicetest.As{}, `{"error":"org.varlink.service.PermissionDenied",…`, 1},
	} {
		for _, kind := range []peer.Transport{peer.Stream, peer.Seqpacket, peer.Datagram} {
			s := servicetest.Start(t, row.policy, servicetest.WithBoard(t, safeBoard, addSlow))
			call(t, s.MustDial(t, peer.Stream), `{"parameters":{}}`, driveAll[0])
			if got := s.Call(t, row.as, kind, safeCall)[0]; !matches(got, row.want) {
				t.Errorf("%s over %s: got %s, want %s", row.name, kind, got, row.want)
			}
			if got := s.Sim.Value("sim-gpio/0"); got != row.level {
				t.Errorf("%s over %s: the heater is at %d, want %d", row.name, kind, got, row.level)
			}
			s.Stop(t)
		}
	}
}

// TestSafeWithoutHardware: an output that was unplugged has no state to bring anywhere; it is none of Safe's, and does not keep the others from their safe values.
func TestSafeWithoutHardware(t *testing.T) {
	everyTransport(t, func(t *testing.T, kind peer.Transport) {
		s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), servicetest.WithBoard(t, safeBoard, addSlow))
		r := s.MustDial(t, kind)
		call(t, r, `{"parameters":{}}`, driveAll...)
		s.Sim.Unplug("front:white")
		s.Sim.Unplug("gpiochip1")
		await(t, r, safeCall, `{"parameters":{"outputs":3}}`)
		if heater, brake := s.Sim.Value("sim-gpio/0"), s.Sim.Value("sim-gpio/1"); heater != 0 || brake != 0 {
			t.Errorf("heater %d, brake %d, want 0, 0", heater, brake)
		}
	})
}

// TestSafeOfBrokenOutput: an output that fails does not keep the others from their safe values, and is named, in the answer and in the log.
func TestSafeOfBrokenOutput(t *testing.T) {
	everyTransport(t, func(t *testing.T, kind peer.Transport) {
		var brought atomic.Bool
		s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), servicetest.WithDrivers(outputDriver(map[*slow]func() error{
			{id: "broken"}: func() error { return hal.GoneDevice("Slow", "broken") },
			{id: "quick"}:  func() error { brought.Store(true); return nil },
		}, func(*slow) int64 { return 0 })))
		r := s.MustDial(t, kind)
		call(t, r, `{"error":"io.halberd.NotSafe","parameters":{"failures":1,"failed":[`+
			`{"class":"Slow","device":"broken","error":"io.halberd.DeviceGone","reason":"the device is gone: Slow/broken"}]}}`, safeCall)
		if !brought.Load() {
			t.Error("the other output was not brought to its safe value")
		}
		if s.Log.Find("ERROR cannot bring an output to its safe value", "class=Slow", "device=broken") == "" {
			t.Error("the log does not say which failed")
		}
	})
}

// outputDriver is a class of outputs with a safe value of 0 or 1, each brought there by a function.
func outputDriver(outputs map[*slow]func() error, value func(*slow) int64) hal.Driver {
	return hal.Driver{Class: "Slow", Open: func(*hal.Env) (*hal.Class, error) {
		set := hal.NewSet[*slow]("Slow", "device")
		var errs []error
		for d := range outputs {
			errs = append(errs, set.Add(d))
		}
		return &hal.Class{Name: "Slow", Doc: "Devices that hang.", Devices: set,
			Safe: hal.SafeOutputs(set, func(d *slow) hal.Opt[int64] { return hal.Some(value(d)) }, func(d *slow) error { return outputs[d]() }),
		}, errors.Join(errs...)
	}}
}

// TestSafeWithHangingBus: a bus that hangs costs its own outputs alone. The others are safe at once, everybody is served, and the answer comes after the deadline.
func TestSafeWithHangingBus(t *testing.T) {
	t.Parallel()
	hang, brought := make(chan error), make(chan string, 4)
	bring := func(id string, err error) func() error {
		return func() error { brought <- id; return err }
	}
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), servicetest.WithDrivers(outputDriver(map[*slow]func() error{
		{id: "hanging", bus: "i2c-1"}: func() error { return <-hang },
		{id: "waiting", bus: "i2c-1"}: bring("waiting", nil),
		{id: "broken", bus: "i2c-2"}:  bring("broken", unix.EIO),
		{id: "quick"}:                 bring("quick", nil),
	}, func(*slow) int64 { return 0 })))
	r, other := s.MustDial(t, peer.Stream), s.MustDial(t, peer.Stream)
	if err := r.Write(safeCall); err != nil {
		t.Fatal(err)
	}
	if both := <-brought + <-brought; both != "quickbroken" && both != "brokenquick" {
		t.Errorf("brought first: %s", both)
	}
	for range 100 {
		call(t, other, `{"error":"org.varlink.service.MethodNotFound"…`, `{"method":"io.halberd.Nope.Nope"}`)
	}
	const want = `{"error":"io.halberd.NotSafe","parameters":{"failures":3,"failed":[` +
		`{"class":"Slow","device":"broken","error":"io.systemd.System","reason":"system error: input/output error"},` +
		`{"class":"Slow","device":"hanging","error":"io.halberd.Timeout","reason":"the device did not answer in time: Slow/hanging"},` +
		`{"class":"Slow","device":"waiting","error":"io.halberd.Timeout","reason":"the device did not answer in time: Slow/waiting"}]}}`
	if got, err := r.Read(); err != nil || got != want {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
	hang <- nil
}

// TestSafeOrder: what is to be switched off comes before what is to be switched on.
func TestSafeOrder(t *testing.T) {
	order := make(chan string, 4)
	bring := func(id string) func() error {
		return func() error { order <- id; return nil }
	}
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), servicetest.WithDrivers(outputDriver(map[*slow]func() error{
		{id: "a-on"}: bring("a"), {id: "b-off"}: bring("b"), {id: "c-on"}: bring("c"), {id: "d-off"}: bring("d"),
	}, func(d *slow) int64 {
		if strings.HasSuffix(d.id, "on") {
			return 200
		}
		return 0
	})))
	call(t, s.MustDial(t, peer.Stream), `{"parameters":{"outputs":4}}`, safeCall)
	if got, want := <-order+<-order+<-order+<-order, "bdac"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestNothingToBringSafe: a board without safe values has nothing to do.
func TestNothingToBringSafe(t *testing.T) {
	everyTransport(t, func(t *testing.T, kind peer.Transport) {
		s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), servicetest.WithBoard(t, "[led.front]\nname = \"front:white\"\n", func(*sim.Kernel) {}))
		call(t, s.MustDial(t, kind), `{"parameters":{"outputs":0}}`, safeCall)
	})
}
