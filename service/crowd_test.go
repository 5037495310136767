package service_test

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service"
	"github.com/halberd-io/halberd/service/config"
	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

// withSubUIDs gives the machine an /etc/subuid.
func withSubUIDs(ranges ...config.Range) servicetest.Option {
	return func(c *service.Config) {
		read := c.Policy
		c.Policy = func(cat *hal.Catalog) (*config.PolicyFiles, error) {
			files, err := read(cat)
			if files != nil {
				files.SubUIDs = ranges
			}
			return files, err
		}
	}
}

// served reports whether a connection is served, rather than refused or closed.
func served(t *testing.T, r *servicetest.Raw) bool {
	t.Helper()
	got, err := r.Call(`{"method":"io.halberd.Policy.WhoAmI"}`)
	switch {
	case err == unix.EPIPE || err == unix.ECONNRESET || err == nil && got == "":
		return false
	case err != nil:
		t.Fatal(err)
	case parse(t, got).Error == "io.halberd.LimitExceeded":
		return false
	case !strings.HasPrefix(got, `{"parameters":{"uid":`):
		t.Fatalf("got %s", got)
	}
	return true
}

// TestManyUIDs: who comes with ever new uids does not fill the table: those of a range of /etc/subuid have together what one uid has, and those that no grant names
// have half of the table at most. A uid with a grant is served, and root.
func TestManyUIDs(t *testing.T) {
	const connections, reserved, perUID = 64, 4, 12
	limits := servicetest.WithLimits(func(l *config.Limits) {
		l.Connections, l.ConnectionsReserved, l.ConnectionsPerUID = connections, reserved, perUID
	})
	policy := "[[grant]]\nid = \"app\"\nusers = [1000]\nmethods = [\"io.halberd.Gpio.*\"]\ndevices = [\"*\"]\n"
	for _, row := range []struct {
		name    string
		options []servicetest.Option
		policy  string
		most    int
	}{
		{"of a range", []servicetest.Option{limits, withSubUIDs(config.Range{Low: 100_000, High: 165_535})}, policy, perUID},
		{"of a range that a grant names", []servicetest.Option{limits, withSubUIDs(config.Range{Low: 100_000, High: 165_535})},
			policy + strings.ReplaceAll(strings.ReplaceAll(policy, "app", "all"), "1000", `"100000-165535"`), perUID},
		{"of no range", []servicetest.Option{limits}, policy, connections/2 - reserved},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := servicetest.Start(t, row.policy, row.options...)
			got := 0
			for i := range 3 * connections {
				if served(t, s.DialAs(t, 100_000+i, connectionKind(i))) {
					got++
				}
			}
			if got > row.most || got < perUID/2 {
				t.Errorf("%d connections of %d uids are served, want no more than %d", got, 3*connections, row.most)
			}
			for i := range 3 {
				if !served(t, s.DialAs(t, 1000, connectionKind(i))) {
					t.Errorf("connection %d of a uid with a grant is refused", i)
				}
			}
			if !served(t, s.MustDial(t, peer.Stream)) {
				t.Error("root is refused")
			}
		})
	}
}

func connectionKind(i int) peer.Transport { return connections[i%len(connections)] }

// TestConnectsOfOthers: who has a backlog full of connections, and calls on those that were accepted, keeps nobody out.
func TestConnectsOfOthers(t *testing.T) {
	for _, kind := range connections {
		t.Run(kind.String(), func(t *testing.T) {
			c := newClerk()
			s := servicetest.Start(t, anybody, servicetest.WithDrivers(c.driver()))
			busy := &crowd{uid: 2000, connections: 64, kind: peer.Stream, calls: 100}
			busy.dial(t, s)
			var single *servicetest.Raw
			before := int64(0)
			c.whileHeld(t, s, func() {
				busy.flood(t)
				for range 120 { // the kernel's least backlog, nearly
					s.DialAs(t, 2000, kind)
				}
				single = s.DialAs(t, 1000, kind)
				if err := single.Write(countCall); err != nil {
					t.Fatal(err)
				}
				before = c.calls.Load()
			})
			const rounds = 4 // two that accept, and one in which the call is found
			if waited := numberOf(t, single) - before; waited > rounds*32+1 {
				t.Errorf("it was served after %d others, want no more than %d", waited-1, rounds*32)
			}
		})
	}
}

// TestClaimsOfManyUIDs: the uids of a range of /etc/subuid may have together as many devices claimed, or leased, as one uid.
func TestClaimsOfManyUIDs(t *testing.T) {
	servicetest.SkipUnlessRoot(t)
	const grant = "[[grant]]\nid = \"range\"\nusers = [\"100000-165535\"]\nmethods = [\"io.halberd.Board.*\", \"io.halberd.Vault.*\"]\ndevices = [\"*\"]\n"
	limits := servicetest.WithLimits(func(l *config.Limits) { l.ClaimedDevicesPerUID, l.LeasedDevicesPerUID = 2, 2 })
	for _, c := range []struct{ name, limit, first, second string }{
		{"claims", "claimed-devices-per-uid", claimCall("Claim", "Vault/a", "Vault/b"), claimCall("Claim", "Vault/c")},
		{"leases", "leased-devices-per-uid", vaultCall("Lend", "a"), vaultCall("Lend", "b")},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := servicetest.Start(t, grant, limits, withSubUIDs(config.Range{Low: 100_000, High: 165_535}), servicetest.WithDrivers(vaults("a", "b", "c")))
			servicetest.AsUID(t, 100_000, func() {
				r := s.MustDial(t, peer.Stream)
				for range 2 {
					if got, err := r.Call(c.first); err != nil || strings.Contains(got, "error") {
						t.Fatal(got, err)
					}
				}
			})
			servicetest.AsUID(t, 100_001, func() {
				expect(t, s.MustDial(t, peer.Stream), c.second, `{"error":"io.halberd.LimitExceeded","parameters":{"limit":"`+c.limit+`","maximum":2}}`)
			})
		})
	}
}
