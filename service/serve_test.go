package service_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/service"
	"github.com/halberd-io/halberd/service/config"
	"github.com/halberd-io/halberd/service/listen"
	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

// reply is any reply.
type reply struct {
	Error      string
	Parameters struct {
		Connections int
		Line        string
		Value       int64
		Sequence    int64
		Lost        int64
		Limit       string
		Allowed     bool
		Reason      string
	}
	Continues bool
}

func parse(t *testing.T, text string) reply {
	t.Helper()
	var r reply
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return r
}

func connectionsOf(t *testing.T, status string) int { return parse(t, status).Parameters.Connections }

// connections are the kinds of socket that have a connection.
var connections = []peer.Transport{peer.Stream, peer.Seqpacket}

// TestWatch: the current state first, then each change, numbered.
func TestWatch(t *testing.T) {
	for _, kind := range connections {
		t.Run(kind.String(), func(t *testing.T) {
			s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
			watcher, setter := s.MustDial(t, kind), s.MustDial(t, kind)
			if err := watcher.Write(`{"method":"io.halberd.Gpio.Watch","parameters":{"lines":["relay-pump","button"]},"more":true}`); err != nil {
				t.Fatal(err)
			}
			expect := func(line string, value, sequence int64) {
				t.Helper()
				text, err := watcher.Read()
				if err != nil {
					t.Fatal(err)
				}
				got := parse(t, text)
				if p := got.Parameters; p.Line != line || p.Value != value || p.Sequence != sequence || p.Lost != 0 || !got.Continues {
					t.Fatalf("got %s, want %s at %d as event %d", text, line, value, sequence)
				}
			}
			expect("relay-pump", 0, 1)
			expect("button", 0, 2)
			if got, err := setter.Call(setPump); got != `{"parameters":{}}` || err != nil {
				t.Fatal(got, err)
			}
			expect("relay-pump", 1, 3)
			s.Sim.Pull("button", 1)
			expect("button", 1, 4)
			s.Sim.Pull("button", 0)
			expect("button", 0, 5)
		})
	}
}

const setPump = `{"method":"io.halberd.Gpio.Set","parameters":{"line":"relay-pump","value":1}}`

// TestSlowWatcher: a watcher that does not read costs nobody else anything, and learns at the end what it missed and how things are.
func TestSlowWatcher(t *testing.T) {
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
	watcher, setter := s.MustDial(t, peer.Stream), s.MustDial(t, peer.Seqpacket)
	if _, err := watcher.Call(`{"method":"io.halberd.Gpio.Watch","parameters":{"lines":["relay-pump"]},"more":true}`); err != nil {
		t.Fatal(err)
	}
	const changes = 5001
	for i := range changes {
		msg := fmt.Sprintf(`{"method":"io.halberd.Gpio.Set","parameters":{"line":"relay-pump","value":%d}}`, (i+1)%2)
		if got, err := setter.Call(msg); got != `{"parameters":{}}` || err != nil {
			t.Fatal(got, err)
		}
	}
	sequence, skipped := int64(1), int64(0)
	for sequence < changes+1 {
		text, err := watcher.Read()
		if err != nil {
			t.Fatal(err)
		}
		p := parse(t, text).Parameters
		if p.Sequence != sequence+p.Lost+1 {
			t.Fatalf("event %d follows %d with %d lost", p.Sequence, sequence, p.Lost)
		}
		sequence, skipped = p.Sequence, skipped+p.Lost
		if sequence == changes+1 && p.Value != 1 {
			t.Errorf("the last event says %d, want 1", p.Value)
		}
	}
	if skipped == 0 {
		t.Error("no event was skipped: the watcher was never slow")
	}
}

// TestWatchOutlivesReload: a watch whose grant has no token left goes on, since it takes no other one.
func TestWatchOutlivesReload(t *testing.T) {
	uid := os.Geteuid()
	policy := fmt.Sprintf("[[grant]]\nid = \"watch\"\nusers = [%d]\nmethods = [\"io.halberd.Gpio.Watch\"]\ndevices = [\"button\"]\nrate = \"1/h\"\n"+
		"[[grant]]\nid = \"reload\"\nusers = [%[1]d]\nmethods = [\"io.halberd.Policy.Reload\"]\n", uid)
	s := servicetest.Start(t, policy)
	watcher, admin := s.MustDial(t, peer.Stream), s.MustDial(t, peer.Stream)
	if got, err := watcher.Call(`{"method":"io.halberd.Gpio.Watch","parameters":{"lines":["button"]},"more":true}`); err != nil || !strings.Contains(got, `"sequence":1`) {
		t.Fatalf("got %s, %v, want the state", got, err)
	}
	if got, err := admin.Call(`{"method":"io.halberd.Policy.Reload"}`); err != nil || !strings.Contains(got, `"generation":2`) {
		t.Fatalf("got %s, %v, want generation 2", got, err)
	}
	s.Sim.Pull("button", 1)
	if got, err := watcher.Read(); err != nil || !strings.Contains(got, `"value":1,"edge":"rising"`) {
		t.Errorf("got %s, %v, want the edge", got, err)
	}
}

// TestWatchEndsByReload: a policy that does not permit a watch any more ends it, and the connection goes on.
func TestWatchEndsByReload(t *testing.T) {
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
	r := s.MustDial(t, peer.Stream)
	if _, err := r.Call(`{"method":"io.halberd.Gpio.Watch","parameters":{"lines":["relay-pump"]},"more":true}`); err != nil {
		t.Fatal(err)
	}
	s.SetPolicy("")
	s.Reload()
	for _, want := range []string{`{"error":"org.varlink.service.PermissionDenied",…`, `{"parameters":{"uid":…`} {
		got, err := r.Read()
		if err != nil || !matches(got, want) {
			t.Fatalf("got %s, %v, want %s", got, err, want)
		}
		if err := r.Write(`{"method":"io.halberd.Policy.WhoAmI"}`); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWatchEndsInsideACall: what waited behind a watch that another connection's call ended does not mix with that one's replies.
func TestWatchEndsInsideACall(t *testing.T) {
	uid := os.Geteuid()
	s := servicetest.Start(t, servicetest.GrantAll(uid))
	watcher, admin := s.MustDial(t, peer.Stream), s.MustDial(t, peer.Stream)
	watch := `{"method":"io.halberd.Gpio.Watch","parameters":{"lines":["relay-pump"]},"more":true}` + "\x00" + `{"method":"io.halberd.Behind.The.Watch"}` + "\x00"
	if err := watcher.Send([]byte(watch)); err != nil {
		t.Fatal(err)
	}
	if _, err := watcher.Read(); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Call(`{"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"io.halberd.Gpio"}}`); err != nil {
		t.Fatal(err) // a long reply, so that the memory for replies has its size
	}
	s.SetPolicy(fmt.Sprintf("[[grant]]\nid = \"admin\"\nusers = [%d]\nmethods = [\"io.halberd.Policy.*\"]\n", uid))
	calls := `{"method":"io.halberd.Before.The.Reload"}` + "\x00" + `{"method":"io.halberd.Policy.Reload"}` + "\x00" + `{"method":"io.halberd.After.The.Reload"}` + "\x00"
	if err := admin.Send([]byte(calls)); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		from *servicetest.Raw
		want string
	}{
		{admin, `{"error":"org.varlink.service.MethodNotFound","parameters":{"method":"io.halberd.Before.The.Reload"}}`},
		{admin, `{"parameters":{"generation":2,…`},
		{admin, `{"error":"org.varlink.service.MethodNotFound","parameters":{"method":"io.halberd.After.The.Reload"}}`},
		{watcher, `{"error":"org.varlink.service.PermissionDenied",…`},
		{watcher, `{"error":"org.varlink.service.MethodNotFound","parameters":{"method":"io.halberd.Behind.The.Watch"}}`},
	} {
		if got, err := row.from.Read(); err != nil || !matches(got, row.want) {
			t.Errorf("got %s, %v, want %s", got, err, row.want)
		}
	}
}

// TestRefusedWatchAmongOthers: it is answered as one message of its own, also behind a longer reply that was not sent yet.
func TestRefusedWatchAmongOthers(t *testing.T) {
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
	r := s.MustDial(t, peer.Stream)
	info := `{"method":"org.varlink.service.GetInfo"}` + "\x00"
	if err := r.Send([]byte(info + `{"method":"io.halberd.Gpio.Watch","parameters":{"lines":["ghost"]},"more":true}` + "\x00" + info)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`{"parameters":{"vendor":"Halberd",…`, `{"error":"io.halberd.NoSuchDevice","parameters":{"class":"Gpio","device":"ghost"}}`, `{"parameters":{"vendor":"Halberd",…`} {
		if got, err := r.Read(); err != nil || !matches(got, want) {
			t.Fatalf("got %s, %v, want %s", got, err, want)
		}
	}
}

// TestWatchOfAnUnpluggedChip ends with an error.
func TestUnplugged(t *testing.T) {
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
	r := s.MustDial(t, peer.Seqpacket)
	s.Sim.Unplug("gpiochip0")
	got, err := r.Call(setPump)
	if want := `{"error":"io.halberd.DeviceGone","parameters":{"class":"Gpio","device":"relay-pump"}}`; got != want || err != nil {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

// TestLimitPerUID: one connection too many is accepted, answered at its first call, and closed.
func TestLimitPerUID(t *testing.T) {
	for _, kind := range connections {
		t.Run(kind.String(), func(t *testing.T) {
			servicetest.SkipUnlessRoot(t)
			s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), servicetest.WithLimits(func(l *config.Limits) { l.ConnectionsPerUID = 16 }))
			for range 16 {
				if got, err := s.MustDial(t, kind).Call(setPump); got != `{"parameters":{}}` || err != nil {
					t.Fatal(got, err)
				}
			}
			r := s.MustDial(t, kind)
			got, err := r.Call(setPump)
			if err != nil || parse(t, got).Error != "io.halberd.LimitExceeded" || parse(t, got).Parameters.Limit != "connections-per-uid" {
				t.Errorf("one too many: got %s, %v", got, err)
			}
			if got, err := r.Read(); got != "" || err != nil {
				t.Errorf("behind the answer: got %q, %v, want the end", got, err)
			}
			if got := s.Call(t, servicetest.As{UID: 1000, GID: 1000}, kind, `{"method":"io.halberd.Policy.WhoAmI"}`)[0]; !strings.Contains(got, `"uid":1000`) {
				t.Errorf("another uid: got %s", got)
			}
		})
	}
}

// TestWatchLimit: a uid watches only so many devices, on all its connections together, and what ends makes room.
func TestWatchLimit(t *testing.T) {
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), servicetest.WithLimits(func(l *config.Limits) { l.WatchedDevicesPerUID = 3 }))
	const two = `{"method":"io.halberd.Gpio.Watch","parameters":{"lines":["button","door"]},"more":true}`
	const ghost = `{"method":"io.halberd.Gpio.Watch","parameters":{"lines":["button","ghost"]},"more":true}`
	first, second := s.MustDial(t, peer.Stream), s.MustDial(t, peer.Stream)
	for _, row := range []struct{ call, want string }{{ghost, `{"error":"io.halberd.NoSuchDevice"…`}, {two, `{"parameters":{"line":"button"…`}} {
		if got, err := first.Call(row.call); err != nil || !matches(got, row.want) {
			t.Fatalf("got %s, %v, want %s", got, err, row.want)
		}
	}
	if got, err := second.Call(two); got != `{"error":"io.halberd.LimitExceeded","parameters":{"limit":"watched-devices-per-uid","maximum":3}}` || err != nil {
		t.Fatalf("beyond the limit: got %s, %v", got, err)
	}
	first.Close()
	settle(t, s, 2)
	if got, err := second.Call(two); err != nil || !matches(got, `{"parameters":{"line":"button"…`) {
		t.Errorf("after the first watch ended: got %s, %v", got, err)
	}
}

// slow is a device on a bus that answers when it is let.
type slow struct {
	id, bus string
	release chan error
}

func (d *slow) ID() string                        { return d.id }
func (d *slow) Bus() string                       { return d.bus }
func (d *slow) wait(*hal.None, *hal.None) error   { return <-d.release }
func (d *slow) prompt(*hal.None, *hal.None) error { return nil }

// slowDriver is a class with one device that hangs and one that does not.
func slowDriver(hanging *slow) hal.Driver {
	return hal.Driver{Class: "Slow", Open: func(*hal.Env) (*hal.Class, error) {
		set := hal.NewSet[*slow]("Slow", "device")
		if err := errors.Join(set.Add(hanging), set.Add(&slow{id: "quick"})); err != nil {
			return nil, err
		}
		return &hal.Class{Name: "Slow", Doc: "Devices that hang.", Devices: set, Methods: []*hal.Method{
			hal.On(set, hal.Control, "Wait", "Waits.", (*slow).wait),
			hal.On(set, hal.Control, "Prompt", "Does not wait.", (*slow).prompt),
		}}, nil
	}}
}

// TestSlowBus: while a device hangs, its caller waits, calls behind it on the same connection wait for their turn, and everybody else is served.
func TestSlowBus(t *testing.T) {
	for _, kind := range connections {
		t.Run(kind.String(), func(t *testing.T) {
			d := &slow{id: "hanging", bus: "i2c-1", release: make(chan error)}
			s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), servicetest.WithDrivers(slowDriver(d)))
			waiter, other := s.MustDial(t, kind), s.MustDial(t, kind)
			for _, msg := range []string{`{"method":"io.halberd.Slow.Wait","parameters":{"device":"hanging"}}`, `{"method":"io.halberd.Nope.Nope"}`} {
				if err := waiter.Write(msg); err != nil {
					t.Fatal(err)
				}
			}
			for range 100 {
				if got, err := other.Call(`{"method":"io.halberd.Slow.Prompt","parameters":{"device":"quick"}}`); got != `{"parameters":{}}` || err != nil {
					t.Fatal(got, err)
				}
			}
			d.release <- unix.ENODEV
			for _, want := range []string{`{"error":"io.systemd.System","parameters":{"origin":"linux","errno":19,"errnoName":"ENODEV"}}`, `{"error":"org.varlink.service.MethodNotFound"…`} {
				if got, err := waiter.Read(); err != nil || !matches(got, want) {
					t.Errorf("got %s, %v, want %s", got, err, want)
				}
			}
		})
	}
}

// TestSlowBusWithoutItsCaller: a caller that ends while its call runs leaves nothing, and what it sent before its end is still carried out.
func TestSlowBusWithoutItsCaller(t *testing.T) {
	for _, kind := range connections {
		t.Run(kind.String(), func(t *testing.T) {
			d := &slow{id: "hanging", bus: "i2c-1", release: make(chan error)}
			s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), servicetest.WithDrivers(slowDriver(d)))
			r := s.MustDial(t, kind)
			for range 2 {
				if err := r.Write(`{"method":"io.halberd.Slow.Wait","parameters":{"device":"hanging"},"oneway":true}`); err != nil {
					t.Fatal(err)
				}
			}
			r.Close()
			d.release <- nil
			d.release <- nil
			settle(t, s, 1)
		})
	}
}

// TestPassedConnection: a connection that was handed over, as varlinkctl exec: does, is served, and the server ends with it.
func TestPassedConnection(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	socket, err := listen.Classify(pair[0])
	if err != nil {
		t.Fatal(err)
	}
	s, err := service.New(service.Config{Log: slog.New(slog.DiscardHandler), Kernel: sim.New(sim.Options{}), Sockets: []*listen.Socket{socket},
		Limits: config.DefaultServer().Limits,
		Policy: func(cat *hal.Catalog) (*config.PolicyFiles, error) {
			return config.ParsePolicy(config.Options{}, cat, "test.toml", "")
		}})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- s.Run(t.Context()) }()
	if _, err := unix.Write(pair[1], []byte("{\"method\":\"io.halberd.Policy.WhoAmI\"}\x00")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	n, err := unix.Read(pair[1], buf)
	if err != nil || !strings.HasPrefix(string(buf[:n]), fmt.Sprintf(`{"parameters":{"uid":%d,`, os.Geteuid())) {
		t.Errorf("got %q, %v", buf[:max(n, 0)], err)
	}
	unix.Close(pair[1])
	if err := <-done; err != nil {
		t.Error(err)
	}
}
