package service_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/service/config"
	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

const eventsCall = `{"method":"io.halberd.Board.Events","parameters":{},"more":true}`

// told reads so many events, and writes them as "added Led/front", in the order of these texts.
func told(t *testing.T, r *servicetest.Raw, n int) string {
	t.Helper()
	var all []string
	for len(all) < n {
		got, err := r.Read()
		var e struct {
			Parameters struct {
				Kind, Class, Device string
				Lost                int
			}
			Continues bool
		}
		if err != nil || json.Unmarshal([]byte(got), &e) != nil || !e.Continues || e.Parameters.Lost > 0 || !strings.HasPrefix(e.Parameters.Device, e.Parameters.Class+"/") {
			t.Fatalf("after %q: got %q, %v", all, got, err)
		}
		all = append(all, e.Parameters.Kind+" "+e.Parameters.Device)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// observer lets the caller hear of events, and touch some devices.
func observer(devices string) string {
	return fmt.Sprintf(`
[[grant]]
id      = "events"
users   = [%[1]d]
methods = ["io.halberd.Board.Events"]

[[grant]]
id      = "some"
users   = [%[1]d]
verbs   = ["observe"]
devices = [%[2]s]
`, os.Geteuid(), devices)
}

const begun = `{"parameters":{"kind":"begin","sequence":1,"lost":0},"continues":true}`

// TestEvents: what is plugged in and out is told once, of the devices that a grant covers, and of no others.
func TestEvents(t *testing.T) {
	for _, c := range []struct{ name, devices, out, in string }{
		{"everything", `"*"`, "removed Led/front, removed Sensor/supply", "added Led/front, added Sensor/supply"},
		{"a class", `"Sensor/*"`, "removed Sensor/supply", "added Sensor/supply"},
		{"one device of several", `"supply", "front-door"`, "removed Sensor/supply", "added Sensor/supply"},
		{"the name in another class", `"Gpio/front", "Sensor/supply"`, "removed Sensor/supply", "added Sensor/supply"},
	} {
		for _, kind := range connections {
			t.Run(c.name+" over "+kind.String(), func(t *testing.T) {
				s := servicetest.Start(t, observer(c.devices))
				r, n := s.MustDial(t, kind), strings.Count(c.out, ",")+1
				if got, err := r.Call(eventsCall); got != begun || err != nil {
					t.Fatalf("at first: got %s, %v, want %s", got, err, begun)
				}
				for range 2 {
					s.Sim.Unplug("front:white")
					s.Sim.Unplug("hwmon0")
					if got := told(t, r, n); got != c.out {
						t.Errorf("unplugged: got %s, want %s", got, c.out)
					}
					s.Sim.Plug("front:white")
					s.Sim.Plug("hwmon0")
					if got := told(t, r, n); got != c.in {
						t.Errorf("plugged: got %s, want %s", got, c.in)
					}
				}
			})
		}
	}
}

// TestEventsOfAChip: all of its lines, however many they are, and those that were replaced by others of their names.
func TestEventsOfAChip(t *testing.T) {
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
	r := s.MustDial(t, peer.Stream)
	if got, err := r.Call(eventsCall); got != begun || err != nil {
		t.Fatal(got, err)
	}
	lines := make([]sim.Line, 120)
	chip := s.Sim.AddChip(sim.Chip{Label: "usb", Lines: lines})
	if got := told(t, r, len(lines)); strings.Count(got, "added Gpio/usb/") != len(lines) {
		t.Errorf("plugged: got %s", got)
	}
	s.Sim.Unplug(chip)
	s.Sim.Plug(chip)
	got := told(t, r, 2*len(lines))
	if strings.Count(got, "removed Gpio/usb/") != len(lines) || strings.Count(got, "added Gpio/usb/") != len(lines) {
		t.Errorf("replaced: got %s", got)
	}
}

// TestEventsRefused: without a grant for it, over datagrams, and without more there is no watch.
func TestEventsRefused(t *testing.T) {
	s := servicetest.Start(t, observer(`"*"`))
	once := strings.Replace(eventsCall, `,"more":true`, "", 1)
	for _, kind := range connections {
		r := s.MustDial(t, kind)
		if got, err := r.Call(once); got != `{"parameters":{"kind":"begin","sequence":1,"lost":0}}` || err != nil {
			t.Errorf("%s, without more: got %s, %v", kind, got, err)
		}
		if got, err := r.Call(strings.Replace(once, "{}", `{"class":"Led"}`, 1)); err != nil || parse(t, got).Error != "org.varlink.service.InvalidParameter" {
			t.Errorf("%s, with a parameter: got %s, %v", kind, got, err)
		}
	}
	r := s.MustDial(t, peer.Datagram)
	if got, err := r.Call(eventsCall); err != nil || parse(t, got).Error != "org.varlink.service.MethodNotImplemented" {
		t.Errorf("by datagram: got %s, %v", got, err)
	}
	s = servicetest.Start(t, strings.Replace(observer(`"supply"`), "Board.Events", "Board.List", 1))
	if got, err := s.MustDial(t, peer.Stream).Call(eventsCall); err != nil || parse(t, got).Error != "org.varlink.service.PermissionDenied" {
		t.Errorf("a grant for devices alone: got %s, %v", got, err)
	}
}

// TestEventsAfterReload: who may not hear of events any more is told so; a device that one may not touch any more is not spoken of.
func TestEventsAfterReload(t *testing.T) {
	s := servicetest.Start(t, observer(`"*"`))
	r, admin := s.MustDial(t, peer.Seqpacket), s.MustDial(t, peer.Seqpacket)
	if got, err := r.Call(eventsCall); got != begun || err != nil {
		t.Fatal(got, err)
	}
	s.SetPolicy(observer(`"supply"`))
	s.Reload()
	await(t, admin, `{"method":"io.halberd.Board.List"}`, `{"parameters":{"devices":[{"class":"Sensor","id":"supply"}]}}`)
	s.Sim.Unplug("front:white")
	s.Sim.Unplug("hwmon0")
	if got, want := told(t, r, 1), "removed Sensor/supply"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	s.SetPolicy("")
	s.Reload()
	if got, err := r.Read(); err != nil || parse(t, got).Error != "org.varlink.service.PermissionDenied" {
		t.Errorf("without a grant: got %s, %v", got, err)
	}
}

// TestEventsCount: a watch without devices takes a place of those that a uid may watch.
func TestEventsCount(t *testing.T) {
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), servicetest.WithLimits(func(l *config.Limits) { l.WatchedDevicesPerUID = 1 }))
	r, second := s.MustDial(t, peer.Stream), s.MustDial(t, peer.Stream)
	if got, err := r.Call(eventsCall); got != begun || err != nil {
		t.Fatal(got, err)
	}
	if got, err := second.Call(eventsCall); err != nil || parse(t, got).Error != "io.halberd.LimitExceeded" {
		t.Errorf("a second: got %s, %v", got, err)
	}
	r.Close()
	await(t, second, eventsCall, begun)
}
