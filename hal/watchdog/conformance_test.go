package watchdog

import (
	"testing"

	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/hal/sim"
)

// harness is a watchdog, armed at the start or not, and the calls that it is then good for.
func harness(w sim.Watchdog, keys string, disarm string) haltest.Harness {
	k := sim.New(sim.Options{Bare: true})
	k.AddWatchdog(w)
	return haltest.Harness{
		Driver: Driver(), Kernel: k, Opened: k.Opened,
		Unplug:  func() { k.Unplug("watchdog0") },
		Plug:    func() { k.Plug("watchdog0") },
		Entries: []haltest.Entry{{Table: "watchdog", ID: "main", Keys: keys}},
		Calls: []haltest.Call{
			{Method: "Register", Parameters: `{"name":"ui","timeoutMSec":60000}`},
			{Method: "Register", Parameters: `{"name":"u i","timeoutMSec":60000}`, Refusal: "org.varlink.service.InvalidParameter"},
			{Method: "Ping", Parameters: `{"name":"ui"}`, Refusal: "io.halberd.NoSuchDevice"},
			{Method: "Unregister", Parameters: `{"name":"ui"}`, Refusal: "io.halberd.NoSuchDevice"},
			{Method: "Status", Parameters: `{}`},
			{Method: "Arm", Parameters: `{}`},
			{Method: "Disarm", Parameters: `{}`, Refusal: disarm},
		},
	}
}

func TestConformance(t *testing.T) {
	for _, c := range []struct {
		name     string
		watchdog sim.Watchdog
		keys     string
		disarm   string // how Disarm is refused
	}{
		{"not armed", sim.Watchdog{Pretimeout: true}, `{"name":"watchdog0","timeout-msec":30000,"pretimeout-msec":5000,"on-hang":"log"}`, ""},
		{"armed at the start", sim.Watchdog{}, `{"name":"watchdog0","arm":true}`, ""},
		{"armed on a slow bus", sim.Watchdog{Under: sim.OnI2C}, `{"name":"1-0048","arm":true,"timeout-msec":30000}`, ""},
		{"armed for good", sim.Watchdog{NoWayOut: true}, `{"name":"Simulated Watchdog","arm":true,"on-hang":"reset"}`, "io.halberd.NotSupported"},
		{"armed for a time that nobody knows", sim.Watchdog{Unknown: true}, `{"name":"watchdog0","arm":true}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			haltest.Run(t, func(*testing.T) haltest.Harness { return harness(c.watchdog, c.keys, c.disarm) })
		})
	}
}
