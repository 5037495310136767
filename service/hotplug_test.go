package service_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/service"
	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

// plugs are one device of each class, with what unplugging it takes from others.
var plugs = []struct{ kernel, class, param, id, set, reply string }{
	{"gpiochip0", "Gpio", "line", "relay-pump", `{"method":"io.halberd.Gpio.Set","parameters":{"line":"relay-pump","value":1}}`, `{"parameters":{}}`},
	{"front:white", "Led", "led", "front", `{"method":"io.halberd.Led.Set","parameters":{"led":"front","brightness":7}}`, `{"parameters":{}}`},
	{"hwmon0", "Sensor", "sensor", "supply", `{"method":"io.halberd.Sensor.Get","parameters":{"sensor":"supply"}}`, `{"parameters":{"value":12000000,…`},
}

// await calls until the answer matches, 10 s at most: a class looks a moment after something was plugged.
func await(t *testing.T, r *servicetest.Raw, call, want string) {
	t.Helper()
	got, err := r.Call(call)
	for deadline := time.Now().Add(10 * time.Second); !matches(got, want) && err == nil && time.Now().Before(deadline); got, err = r.Call(call) {
		time.Sleep(time.Millisecond)
	}
	if err != nil || !matches(got, want) {
		t.Fatalf("%s: got %s, %v, want %s", call, got, err, want)
	}
}

func TestHotPlug(t *testing.T) {
	for _, p := range plugs {
		for _, kind := range connections {
			t.Run(p.class+" over "+kind.String(), func(t *testing.T) {
				s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
				r, watcher := s.MustDial(t, kind), s.MustDial(t, kind)
				list := fmt.Sprintf(`{"method":"io.halberd.Board.List","parameters":{"class":%q}}`, p.class)
				describe := fmt.Sprintf(`{"method":"io.halberd.Board.Describe","parameters":{"device":"%s/%s"}}`, p.class, p.id)
				watch := fmt.Sprintf(`{"method":"io.halberd.%s.Watch","parameters":{"%ss":[%q]},"more":true}`, p.class, p.param, p.id)
				gone := fmt.Sprintf(`{"error":"io.halberd.DeviceGone","parameters":{"class":%q,"device":%q}}`, p.class, p.id)
				never := fmt.Sprintf(`{"error":"io.halberd.NoSuchDevice","parameters":{"class":%q,"device":"never"}}`, p.class)
				before, err := r.Call(list)
				if err != nil || !strings.Contains(before, `"id":"`+p.id+`"`) {
					t.Fatalf("got %s, %v", before, err)
				}
				if got, err := watcher.Call(watch); err != nil || parse(t, got).Error != "" {
					t.Fatalf("got %s, %v", got, err)
				}
				s.Sim.Unplug(p.kernel)
				if got, err := r.Call(p.set); got != gone || err != nil {
					t.Errorf("at once: got %s, %v, want %s", got, err, gone)
				}
				if got, err := watcher.Read(); got != gone || err != nil {
					t.Errorf("the watch: got %s, %v, want %s", got, err, gone)
				}
				await(t, r, describe, gone)
				if got, err := r.Call(list); strings.Contains(got, `"id":"`+p.id+`"`) || err != nil {
					t.Errorf("unplugged: the list is %s, %v", got, err)
				}
				for call, want := range map[string]string{p.set: gone, watch: gone, strings.ReplaceAll(p.set, p.id, "never"): never, strings.ReplaceAll(describe, p.id, "never"): never} {
					if got, err := r.Call(call); got != want || err != nil {
						t.Errorf("%s: got %s, %v, want %s", call, got, err, want)
					}
				}
				s.Sim.Plug(p.kernel)
				await(t, r, list, before)
				await(t, r, p.set, p.reply)
				if got, err := watcher.Call(watch); err != nil || parse(t, got).Error != "" {
					t.Errorf("a new watch: got %s, %v", got, err)
				}
			})
		}
	}
}

// TestHotPlugByDatagram: who has no connection is answered the same.
func TestHotPlugByDatagram(t *testing.T) {
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
	r := s.MustDial(t, peer.Datagram)
	s.Sim.Unplug("gpiochip0")
	await(t, r, `{"method":"io.halberd.Board.List","parameters":{"class":"Gpio"}}`, `{"parameters":{"devices":[]}}`)
	await(t, r, setPump, `{"error":"io.halberd.DeviceGone","parameters":{"class":"Gpio","device":"relay-pump"}}`)
	s.Sim.Plug("gpiochip0")
	await(t, r, setPump, `{"parameters":{}}`)
	if s.Sim.Value("relay-pump") != 1 {
		t.Error("the relay that was plugged in again is not set")
	}
}

// TestHotPlugByName: what one may not touch is not told from what is not there, gone or not.
func TestHotPlugByName(t *testing.T) {
	s := servicetest.Start(t, fmt.Sprintf("[[grant]]\nid = \"pump\"\nusers = [%d]\nmethods = [\"io.halberd.Gpio.*\"]\ndevices = [\"relay-pump\"]\n", os.Geteuid()))
	r := s.MustDial(t, peer.Seqpacket)
	s.Sim.Unplug("gpiochip0")
	await(t, r, `{"method":"io.halberd.Board.List"}`, `{"parameters":{"devices":[]}}`)
	for _, call := range []string{`{"method":"io.halberd.Gpio.Get","parameters":{"line":"relay-up"}}`, `{"method":"io.halberd.Gpio.Get","parameters":{"line":"never"}}`} {
		if got, err := r.Call(call); err != nil || parse(t, got).Error != "org.varlink.service.PermissionDenied" {
			t.Errorf("%s: got %s, %v, want PermissionDenied", call, got, err)
		}
	}
}

// TestNothingIsLeftOfWhatWent: however often devices come and go, watched or in use, no descriptor and no goroutine adds up.
func TestNothingIsLeftOfWhatWent(t *testing.T) {
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
	r := s.MustDial(t, peer.Stream)
	round := func() {
		w := s.MustDial(t, peer.Stream)
		defer w.Close()
		if _, err := w.Call(`{"method":"io.halberd.Gpio.Watch","parameters":{"lines":["button","relay-pump"]},"more":true}`); err != nil {
			t.Fatal(err)
		}
		for _, p := range plugs {
			s.Sim.Unplug(p.kernel)
		}
		await(t, r, `{"method":"io.halberd.Board.List","parameters":{"class":"Gpio"}}`, `{"parameters":{"devices":[]}}`)
		await(t, r, `{"method":"io.halberd.Board.List","parameters":{"class":"Led"}}`, `{"parameters":{"devices":[{"class":"Led","id":"status"}]}}`)
		await(t, r, `{"method":"io.halberd.Board.List","parameters":{"class":"Sensor"}}`, `{"parameters":{"devices":[{"class":"Sensor","id":"board"},{"class":"Sensor","id":"fan"},{"class":"Sensor","id":"soc"}]}}`)
		for _, p := range plugs {
			s.Sim.Plug(p.kernel)
			await(t, r, p.set, p.reply)
		}
	}
	round()
	settle(t, s, 2)
	fds, goroutines, kernel := descriptors(t), runtime.NumGoroutine(), s.Sim.Opened()
	for range 10 {
		round()
	}
	settle(t, s, 2)
	eventually(t, "descriptors", fds, func() int { return descriptors(t) })
	eventually(t, "goroutines", goroutines, runtime.NumGoroutine)
	eventually(t, "descriptors of the simulated kernel", kernel, s.Sim.Opened)
}

// TestLostUevents: a device whose message was lost is noticed all the same.
func TestLostUevents(t *testing.T) {
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
	r := s.MustDial(t, peer.Seqpacket)
	name := s.Sim.AddChip(sim.Chip{Label: "usb", Lines: []sim.Line{{Name: "RELAY"}}})
	s.Sim.LoseUevents()
	await(t, r, `{"method":"io.halberd.Gpio.Get","parameters":{"line":"RELAY"}}`, `{"parameters":{"value":0}}`)
	s.Sim.Unplug(name)
	s.Sim.LoseUevents()
	await(t, r, `{"method":"io.halberd.Board.Describe","parameters":{"device":"Gpio/RELAY"}}`, `{"error":"io.halberd.DeviceGone",…`)
}

// looking is a class that counts how often it looks.
func looking(looks *atomic.Int64, again bool) hal.Driver {
	return hal.Driver{Class: "Looking", Open: func(*hal.Env) (*hal.Class, error) {
		return &hal.Class{Name: "Looking", Doc: "Looks.", Subsystems: []string{"toys", "games"}, Rescan: func() bool { looks.Add(1); return again }}, nil
	}}
}

const came = "add@/devices/toy\x00ACTION=add\x00DEVPATH=/devices/toy\x00SUBSYSTEM=toys\x00SEQNUM=1\x00"

// TestUeventFlood: however many messages come, a class looks now and then, and everybody else is served.
func TestUeventFlood(t *testing.T) {
	var looks atomic.Int64
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), func(c *service.Config) { c.Drivers = append(c.Drivers, looking(&looks, false)) })
	bystander := s.MustDial(t, peer.Seqpacket)
	stop, stopped := make(chan struct{}), make(chan struct{})
	start := time.Now()
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				s.Sim.Broadcast(came)
			}
		}
	}()
	for range 200 {
		if got, err := bystander.Call(getPump); got != `{"parameters":{"value":0}}` || err != nil {
			t.Fatal(got, err)
		}
	}
	time.Sleep(300 * time.Millisecond)
	close(stop)
	<-stopped
	got, most := looks.Load(), int64(time.Since(start)/(100*time.Millisecond))+2
	if got < 2 || got > most {
		t.Errorf("the class looked %d times, want 2 to %d", got, most)
	}
	before := looks.Load()
	eventuallyIs(t, "looks after the flood", func() bool { s.Sim.Broadcast(came); return looks.Load() > before })
}

func eventuallyIs(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: it does not come", what)
		}
	}
}

// TestUeventsOfOthers: only what comes, goes or is renamed, in the class's subsystems, is a reason to look.
func TestUeventsOfOthers(t *testing.T) {
	var looks atomic.Int64
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), func(c *service.Config) { c.Drivers = append(c.Drivers, looking(&looks, false)) })
	for _, message := range []string{
		"", "add", "\x00\x00", "add@/devices/x\x00", "libudev\x00ACTION=add\x00SUBSYSTEM=toys\x00", "change@/devices/x\x00ACTION=change\x00SUBSYSTEM=toys\x00",
		"add@/devices/x\x00ACTION=add\x00SUBSYSTEM=toy\x00", "add@/devices/x\x00SUBSYSTEM=toys\x00", "bind@/devices/x\x00ACTION=bind\x00SUBSYSTEM=toys\x00",
		"add@/devices/x\x00ACTION=add\x00XSUBSYSTEM=toys\x00",
	} {
		s.Sim.Broadcast(message)
	}
	r := s.MustDial(t, peer.Seqpacket)
	s.Sim.AddChip(sim.Chip{Label: "usb", Lines: []sim.Line{{Name: "RELAY"}}}) // what came before it was read before it
	await(t, r, `{"method":"io.halberd.Gpio.Get","parameters":{"line":"RELAY"}}`, `{"parameters":{"value":0}}`)
	if n := looks.Load(); n != 0 {
		t.Errorf("the class looked %d times, want never", n)
	}
	s.Sim.Broadcast("remove@/devices/x\x00ACTION=remove\x00SUBSYSTEM=games\x00")
	eventuallyIs(t, "a look", func() bool { return looks.Load() == 1 })
}

// TestChanges: a class hears by name what changed in its subsystems, and does not look for new devices because of it.
func TestChanges(t *testing.T) {
	heard := make(chan string, 10)
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), func(c *service.Config) {
		c.Drivers = append(c.Drivers, hal.Driver{Class: "Hearing", Open: func(*hal.Env) (*hal.Class, error) {
			return &hal.Class{Name: "Hearing", Doc: "Hears.", Subsystems: []string{"toys"}, Changed: func(name string) { heard <- name },
				Rescan: func() bool { heard <- "a look"; return false }}, nil
		}})
	})
	for _, message := range []string{
		"change@/devices/x\x00ACTION=change\x00SUBSYSTEM=games\x00", "change@/devices/a/toy:1\x00ACTION=change\x00DEVPATH=/devices/a/toy:1\x00SUBSYSTEM=toys\x00SOURCE=sysfs\x00",
		"bind@/devices/x\x00ACTION=bind\x00SUBSYSTEM=toys\x00", "change@/\x00ACTION=change\x00SUBSYSTEM=toys\x00", came,
	} {
		s.Sim.Broadcast(message)
	}
	for _, want := range []string{"toy:1", "", "a look"} {
		select {
		case got := <-heard:
			if got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%q does not come", want)
		}
	}
}

// TestRescanAgain: a class for which something is not ready looks again, later and later, and not for ever.
func TestRescanAgain(t *testing.T) {
	var looks atomic.Int64
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), func(c *service.Config) { c.Drivers = append(c.Drivers, looking(&looks, true)) })
	start := time.Now()
	s.Sim.Broadcast(came)
	eventuallyIs(t, "the last look", func() bool { return looks.Load() == 6 })
	if took := time.Since(start); took < 3*time.Second {
		t.Errorf("6 looks took %v, want 3.1 s", took)
	}
	time.Sleep(200 * time.Millisecond)
	if n := looks.Load(); n != 6 {
		t.Errorf("the class looked %d times, want 6", n)
	}
}

// deaf is a kernel that cannot be listened to.
type deaf struct{ *sim.Kernel }

func (deaf) Uevents() (int, error) { return -1, unix.EPROTONOSUPPORT }

// failing is one that cannot be listened to any more.
type failing struct{ *sim.Kernel }

func (failing) Uevent(int, []byte) (int, error) { return 0, unix.EIO }

// TestWithoutUevents: there is one warning, and the server goes on.
func TestWithoutUevents(t *testing.T) {
	for _, wrap := range []func(*sim.Kernel) hal.Kernel{func(k *sim.Kernel) hal.Kernel { return deaf{k} }, func(k *sim.Kernel) hal.Kernel { return failing{k} }} {
		var warnings atomic.Int64
		s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), func(c *service.Config) {
			c.Kernel = wrap(c.Kernel.(*sim.Kernel))
			c.Log = slog.New(counter{c.Log.Handler(), &warnings})
		})
		s.Sim.Unplug("front:white")
		r := s.MustDial(t, peer.Seqpacket)
		await(t, r, setPump, `{"parameters":{}}`)
		eventuallyIs(t, "the warning", func() bool { return warnings.Load() > 0 })
		s.Sim.Unplug("hwmon0")
		await(t, r, setPump, `{"parameters":{}}`)
		if s.Log.Find("WARN", "cannot listen to the kernel") == "" || warnings.Load() != 1 {
			t.Errorf("%d warnings", warnings.Load())
		}
		s.Stop(t)
		if n := s.Sim.Opened(); n != 0 {
			t.Errorf("%d descriptors are left open", n)
		}
	}
}

// counter counts warnings.
type counter struct {
	slog.Handler
	warnings *atomic.Int64
}

func (c counter) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		c.warnings.Add(1)
	}
	return c.Handler.Handle(ctx, r)
}
