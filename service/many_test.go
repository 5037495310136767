package service_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

// TestSetManyIsPermitted: each line of the call needs a grant, and a limit on the values holds for all of them.
func TestSetManyIsPermitted(t *testing.T) {
	policy := fmt.Sprintf(`
[[grant]]
id      = "pump"
users   = [%[1]d]
methods = ["io.halberd.Gpio.Set", "io.halberd.Gpio.SetMany"]
devices = ["relay-pump"]

[[grant]]
id      = "off"
users   = [%[1]d]
methods = ["io.halberd.Gpio.SetMany"]
devices = ["relay-up"]
where   = { values = { max = 0 } }

[[grant]]
id      = "one-by-one"
users   = [%[1]d]
verbs   = ["control"]
devices = ["relay-down"]
where   = { value = { max = 1 } }
`, os.Geteuid())
	const denied = `{"error":"org.varlink.service.PermissionDenied","parameters":{"reason":…`
	everyTransport(t, func(t *testing.T, kind peer.Transport) {
		s := servicetest.Start(t, policy)
		r := s.MustDial(t, kind)
		for _, row := range []struct{ name, values, want string }{
			{"a line that is covered", `"relay-pump":1`, `{"parameters":{}}`},
			{"within the limit", `"relay-up":0,"relay-pump":0`, `{"parameters":{}}`},
			{"beyond the limit", `"relay-up":1`, denied},
			{"another line beyond the limit of this one", `"relay-up":0,"relay-pump":1`, denied},
			{"a line that is covered for Set alone", `"relay-down":1`, denied},
			{"one that is not covered", `"relay-pump":1,"door":0`, denied},
			{"one that is not there, and not covered either", `"relay-pump":1,"nothing":0`, denied},
			{"2, before it is asked who may", `"door":2`, `{"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"values.door"}}`},
			{"a line twice", `"relay-pump":1,"relay\u002dpump":1`, `{"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"values.relay-pump"}}`},
			{"nothing", ``, `{"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"values"}}`},
		} {
			got, err := r.Call(`{"method":"io.halberd.Gpio.SetMany","parameters":{"values":{` + row.values + `}}}`)
			if err != nil || !matches(got, row.want) {
				t.Errorf("%s: got %s, %v, want %s", row.name, got, err, row.want)
			}
			check, err := r.Call(`{"method":"io.halberd.Policy.Check","parameters":{"method":"io.halberd.Gpio.SetMany","parameters":{"values":{` + row.values + `}}}}`)
			if allowed := strings.Contains(check, `"allowed":true`); err != nil || allowed != (row.want == `{"parameters":{}}`) {
				t.Errorf("%s: Check answers %s, %v", row.name, check, err)
			}
		}
		if up, down := s.Sim.Changes("relay-up"), s.Sim.Changes("relay-down"); up != 0 || down != 0 || s.Sim.Changes("relay-pump") != 2 {
			t.Errorf("relay-up changed %d times, relay-down %d, relay-pump %d; want 0, 0, 2", up, down, s.Sim.Changes("relay-pump"))
		}
	})
}

// TestPulse: it is answered after the pulse, and ends also when the caller is gone or the daemon is stopped.
func TestPulse(t *testing.T) {
	pulse := func(duration time.Duration) string {
		return fmt.Sprintf(`{"method":"io.halberd.Gpio.Pulse","parameters":{"line":"relay-pump","value":1,"durationUSec":%d}}`, duration.Microseconds())
	}
	const busy = `{"error":"io.halberd.Busy","parameters":{"class":"Gpio","device":"relay-pump","holder":"pulse"}}`
	everyTransport(t, func(t *testing.T, kind peer.Transport) {
		s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
		r, other := s.MustDial(t, kind), s.MustDial(t, kind)
		const duration = 50 * time.Millisecond
		start := time.Now()
		if err := r.Write(pulse(duration)); err != nil {
			t.Fatal(err)
		}
		await(t, other, getPump, `{"parameters":{"value":1}}`)
		if got, err := other.Call(setPump); got != busy && time.Since(start) < duration || err != nil {
			t.Errorf("meanwhile: got %s, %v, want %s", got, err, busy)
		}
		got, err := r.Read()
		if took := time.Since(start); got != `{"parameters":{}}` || err != nil || took < duration || s.Sim.Value("relay-pump") != 0 {
			t.Errorf("got %s, %v after %v, level %d", got, err, took, s.Sim.Value("relay-pump"))
		}
		if err := r.Write(pulse(duration)); err != nil {
			t.Fatal(err)
		}
		await(t, other, getPump, `{"parameters":{"value":1}}`)
		r.Close()
		await(t, other, getPump, `{"parameters":{"value":0}}`)
		if n := s.Sim.Changes("relay-pump"); n != 4 {
			t.Errorf("the line made %d edges, want 4", n)
		}
		if err := other.Write(pulse(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		eventuallyIs(t, "the pulse", func() bool { return s.Sim.Value("relay-pump") == 1 })
		s.Stop(t)
		if s.Sim.Value("relay-pump") != 0 {
			t.Error("a daemon that was stopped left the line in its pulse")
		}
	})
}

// TestLeaseNeedsAConnection: no datagram leases, and no simulated board lends.
func TestLeaseNeedsAConnection(t *testing.T) {
	everyTransport(t, func(t *testing.T, kind peer.Transport) {
		s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
		want := `{"error":"io.halberd.NotSupported","parameters":{"feature":"lease"}}`
		if kind == peer.Datagram {
			want = `{"error":"org.varlink.service.MethodNotImplemented","parameters":{"method":"io.halberd.Gpio.Lease"}}`
		}
		r := s.MustDial(t, kind)
		if got, err := r.Call(`{"method":"io.halberd.Gpio.Lease","parameters":{"lines":["relay-pump"]}}`); got != want || err != nil {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
		if got, err := r.Call(setPump); got != `{"parameters":{}}` || err != nil {
			t.Errorf("afterwards: got %s, %v", got, err)
		}
	})
}
