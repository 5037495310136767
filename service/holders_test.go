package service_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/config"
	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

// vault is a device that several may have a descriptor of, which cannot be revoked: it is returned when Return says so.
type vault struct {
	id     string
	env    *hal.Env
	leases []*hal.Lease
	asked  func() // completes the lease that was asked for with LeaseLater
}

func (v *vault) ID() string  { return v.id }
func (v *vault) Bus() string { return "" }

func (v *vault) lease(h hal.Holder, _, _ *hal.None) error {
	l := v.env.Leases.Begin("Vault", v, h)
	h.Ended(l.End)
	v.leases = append(v.leases, l)
	return nil
}

// leaseLater is a lease that begins with Go.
func (v *vault) leaseLater(h hal.Holder, _, _ *hal.None, done func(error)) {
	v.asked = func() { done(v.lease(h, nil, nil)) }
}

// ready fails until somebody waits for Go.
func (v *vault) ready(_, _ *hal.None) error {
	if v.asked == nil {
		return hal.SystemError(unix.EAGAIN)
	}
	return nil
}

func (v *vault) goOn(_, _ *hal.None) error {
	v.env.Loop.Post(v.asked)
	return nil
}

// lend is a lease with a descriptor.
func (v *vault) lend(h hal.Holder, _ *hal.None, out *lent) (err error) {
	if out.File.FD, err = unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
		return err
	}
	return v.lease(h, nil, nil)
}

func (v *vault) EndLease(h hal.Holder, done func()) bool {
	at := slices.IndexFunc(v.leases, func(l *hal.Lease) bool { return l.Holder == h })
	if at < 0 {
		return false
	}
	v.leases[at].Return()
	v.leases = slices.Delete(v.leases, at, at+1)
	v.env.Loop.Post(done)
	return true
}

func (v *vault) giveBack(_, _ *hal.None) error {
	for _, l := range v.leases {
		l.Return()
	}
	v.leases = nil
	return nil
}

func vaults(ids ...string) hal.Driver {
	return hal.Driver{Class: "Vault", Open: func(env *hal.Env) (*hal.Class, error) {
		all := hal.NewSet[*vault]("Vault", "vault")
		for _, id := range ids {
			if err := all.Add(&vault{id: id, env: env}); err != nil {
				return nil, err
			}
		}
		return &hal.Class{Name: "Vault", Doc: "Vaults.", Devices: all, Methods: []*hal.Method{
			hal.OnHeld(all, hal.Configure, "Lease", "Leases a vault.", (*vault).lease),
			hal.OnLater(all, hal.Configure, "LeaseLater", "Leases a vault once Go is called.", (*vault).leaseLater),
			hal.On(all, hal.Control, "Ready", "Tells whether somebody waits for Go.", (*vault).ready),
			hal.On(all, hal.Control, "Go", "Completes LeaseLater.", (*vault).goOn),
			hal.OnHeld(all, hal.Configure, "Lend", "Leases a vault with a descriptor.", (*vault).lend),
			hal.On(all, hal.Control, "Return", "Ends all leases.", (*vault).giveBack),
		}}, nil
	}}
}

func vaultCall(method, id string) string {
	return `{"method":"io.halberd.Vault.` + method + `","parameters":{"vault":"` + id + `"}}`
}

const holdersCall = `{"method":"io.halberd.Board.Holders"}`

// heldBy is what Holders says of one device.
func heldBy(device, kind string, own, ended bool) string {
	return fmt.Sprintf(`{"device":"%s","kind":"%s","uid":%d,"pid":%d,"own":%t,"ended":%t}`, device, kind, os.Geteuid(), os.Getpid(), own, ended)
}

func heldByAll(all ...string) string {
	return `{"parameters":{"holders":[` + strings.Join(all, ",") + `]}}`
}

// TestHoldersOfLeases: they are listed with whose they are, until the device is free, also when their connections have ended; who may touch the device is told when they begin and when it is free.
func TestHoldersOfLeases(t *testing.T) {
	for _, kind := range connections {
		t.Run(kind.String(), func(t *testing.T) {
			s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), servicetest.WithDrivers(vaults("a", "b")))
			one, two, watcher := s.MustDial(t, kind), s.MustDial(t, kind), s.MustDial(t, kind)
			expect(t, watcher, eventsCall, begun)
			expect(t, one, vaultCall("Lease", "b"), done)
			expect(t, two, vaultCall("Lease", "b"), done)
			expect(t, one, vaultCall("Lease", "a"), done)
			expect(t, two, claimCall("Claim", "Vault/b"), done)
			if got, want := told(t, watcher, 4), "claimed Vault/b, leased Vault/a, leased Vault/b, leased Vault/b"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			expect(t, one, holdersCall, heldByAll(heldBy("Vault/a", "lease", true, false), heldBy("Vault/b", "claim", false, false), heldBy("Vault/b", "lease", true, false), heldBy("Vault/b", "lease", false, false)))
			one.Close()
			await(t, two, holdersCall, heldByAll(heldBy("Vault/a", "lease", false, true), heldBy("Vault/b", "claim", true, false), heldBy("Vault/b", "lease", false, true), heldBy("Vault/b", "lease", true, false)))
			expect(t, two, vaultCall("Return", "b"), done)
			expect(t, two, holdersCall, heldByAll(heldBy("Vault/a", "lease", false, true), heldBy("Vault/b", "claim", true, false)))
			if got, want := told(t, watcher, 2), "returned Vault/b, returned Vault/b"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			expect(t, two, claimCall("Release", "Vault/b"), done)
			expect(t, two, vaultCall("Return", "a"), done)
			if got, want := told(t, watcher, 2), "released Vault/b, returned Vault/a"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			expect(t, two, holdersCall, heldByAll())
		})
	}
}

// TestLeasesOfOthers: who may not touch a device learns nothing of its leases, and who may learns whose they are.
func TestLeasesOfOthers(t *testing.T) {
	servicetest.SkipUnlessRoot(t)
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid())+"\n[[grant]]\nid = \"other\"\nusers = [1234]\nverbs = [\"observe\", \"control\"]\ndevices = [\"b\"]\n", servicetest.WithDrivers(vaults("a", "b")))
	r := s.MustDial(t, peer.Stream)
	expect(t, r, vaultCall("Lease", "a"), done)
	expect(t, r, vaultCall("Lease", "b"), done)
	for _, c := range []struct{ name, call, want string }{
		{"Holders", holdersCall, heldByAll(heldBy("Vault/b", "lease", false, false))},
		{"List", `{"method":"io.halberd.Board.List"}`, fmt.Sprintf(`{"parameters":{"devices":[{"class":"Vault","id":"b","holder":"uid %d"}]}}`, os.Geteuid())},
	} {
		if got := s.Call(t, servicetest.As{UID: 1234, GID: 56}, peer.Stream, c.call); len(got) != 1 || got[0] != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

// TestLeasesAfterReload: a lease that the policy does not permit any more ends, and the others of the same connection go on.
func TestLeasesAfterReload(t *testing.T) {
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), servicetest.WithDrivers(vaults("a", "b", "c")))
	r := s.MustDial(t, peer.Stream)
	for _, id := range []string{"a", "b", "c"} {
		expect(t, r, vaultCall("Lease", id), done)
	}
	left := "[[grant]]\nid = \"admin\"\nusers = [%[1]d]\nmethods = [\"io.halberd.Policy.*\"]\n[[grant]]\nid = \"left\"\nusers = [%[1]d]\nmethods = [\"io.halberd.Vault.%[2]s\"]\ndevices = [%[3]s]\n"
	for _, c := range []struct{ name, method, devices, left string }{
		{"all", "*", `"*"`, heldByAll(heldBy("Vault/a", "lease", true, false), heldBy("Vault/b", "lease", true, false), heldBy("Vault/c", "lease", true, false))},
		{"some devices", "*", `"b", "c"`, heldByAll(heldBy("Vault/b", "lease", true, false), heldBy("Vault/c", "lease", true, false))},
		{"one device, and one of the methods that lease", "Lend", `"c"`, heldByAll(heldBy("Vault/c", "lease", true, false))},
		{"no method that leases", "Return", `"*"`, heldByAll()},
	} {
		reload(t, s, r, fmt.Sprintf(left, os.Geteuid(), c.method, c.devices))
		reload(t, s, r, servicetest.GrantAll(os.Geteuid())) // so that all are shown
		if got, err := r.Call(holdersCall); err != nil || got != c.left {
			t.Errorf("%s:\n got %s, %v\nwant %s", c.name, got, err, c.left)
		}
	}
}

// TestLeaseBehindReload: a lease that begins behind a reload, on a call from before it, ends at once where the policy does not permit it any more.
func TestLeaseBehindReload(t *testing.T) {
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), servicetest.WithDrivers(vaults("a")))
	r, other := s.MustDial(t, peer.Stream), s.MustDial(t, peer.Stream)
	if err := r.Write(vaultCall("LeaseLater", "a")); err != nil {
		t.Fatal(err)
	}
	await(t, other, vaultCall("Ready", "a"), done)
	reload(t, s, other, strings.Replace(servicetest.GrantAll(os.Geteuid()), "io.halberd.*", "io.halberd.Vault.Go\", \"io.halberd.Board.*\", \"io.halberd.Policy.*", 1))
	expect(t, other, vaultCall("Go", "a"), done)
	if got, err := r.Read(); err != nil || got != done {
		t.Fatalf("got %s, %v", got, err)
	}
	await(t, other, holdersCall, heldByAll())
}

// reload puts a policy in force.
func reload(t *testing.T, s *servicetest.Server, r *servicetest.Raw, policy string) {
	t.Helper()
	s.SetPolicy(policy)
	if got, err := r.Call(`{"method":"io.halberd.Policy.Reload"}`); err != nil || !strings.Contains(got, `"generation"`) {
		t.Fatalf("cannot reload: %s, %v", got, err)
	}
}

// TestListHolders: List and Describe say who has a device: of several the one who claimed it, or the first.
func TestListHolders(t *testing.T) {
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), servicetest.WithDrivers(vaults("a", "b", "c")))
	one, two := s.MustDial(t, peer.Stream), s.MustDial(t, peer.Stream)
	listCall := `{"method":"io.halberd.Board.List"}`
	expect(t, two, listCall, `{"parameters":{"devices":[{"class":"Vault","id":"a"},{"class":"Vault","id":"b"},{"class":"Vault","id":"c"}]}}`)
	expect(t, one, vaultCall("Lease", "a"), done)
	expect(t, one, claimCall("Claim", "Vault/c"), done)
	by := fmt.Sprintf(`"holder":"uid %d"`, os.Geteuid())
	list := `{"parameters":{"devices":[{"class":"Vault","id":"a",` + by + `},{"class":"Vault","id":"b"},{"class":"Vault","id":"c",` + by + `}]}}`
	expect(t, two, listCall, list)
	expect(t, two, `{"method":"io.halberd.Board.Describe","parameters":{"device":"Vault/a"}}`, `{"parameters":{"class":"Vault","id":"a",`+by+`,"methods":["Lease","LeaseLater","Ready","Go","Lend","Return"]}}`)
	one.Close()
	await(t, two, listCall, strings.Replace(list, `"c",`+by, `"c"`, 1))
	expect(t, two, vaultCall("Return", "a"), done)
	expect(t, two, listCall, `{"parameters":{"devices":[{"class":"Vault","id":"a"},{"class":"Vault","id":"b"},{"class":"Vault","id":"c"}]}}`)
}

// page reads one page of Holders, and gives the devices and where the next one begins.
func page(t *testing.T, r *servicetest.Raw, after string) (devices []string, next string) {
	t.Helper()
	call := holdersCall
	if after != "" {
		call = fmt.Sprintf(`{"method":"io.halberd.Board.Holders","parameters":{"after":"%s"}}`, after)
	}
	got, err := r.Call(call)
	var reply struct {
		Error      string
		Parameters struct {
			Holders []struct{ Device, Kind string }
			Next    string
		}
	}
	if err != nil || json.Unmarshal([]byte(got), &reply) != nil || reply.Error != "" {
		t.Fatalf("after %q: got %.200s, %v", after, got, err)
	}
	for _, h := range reply.Parameters.Holders {
		devices = append(devices, h.Device+" "+h.Kind)
	}
	return devices, reply.Parameters.Next
}

// TestPagesOfHolders: each holder stands on one page, however many one device has, and whatever comes and goes between the pages.
func TestPagesOfHolders(t *testing.T) {
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), servicetest.WithDrivers(vaults("a", "b", "c")))
	r := s.MustDial(t, peer.Stream)
	for range 150 {
		expect(t, r, vaultCall("Lease", "b"), done)
	}
	expect(t, r, claimCall("Claim", "Vault/a", "Vault/b", "Vault/c"), done)
	first, next := page(t, r, "")
	if want := append([]string{"Vault/a claim", "Vault/b claim"}, slices.Repeat([]string{"Vault/b lease"}, 126)...); !slices.Equal(first, want) || next == "" {
		t.Errorf("the first page has %d holders, %q to %q, next %q", len(first), first[:3], first[len(first)-1], next)
	}
	last := append(slices.Repeat([]string{"Vault/b lease"}, 24), "Vault/c claim")
	for _, change := range []string{"", claimCall("Release", "Vault/a"), vaultCall("Lease", "a")} {
		if change != "" {
			expect(t, r, change, done)
		}
		if got, end := page(t, r, next); !slices.Equal(got, last) || end != "" {
			t.Errorf("after %s the second page has %d holders, next %q", change, len(got), end)
		}
	}
	expect(t, r, vaultCall("Return", "b"), done)
	if got, end := page(t, r, next); !slices.Equal(got, []string{"Vault/c claim"}) || end != "" {
		t.Errorf("after all leases ended the second page has %q, next %q", got, end)
	}
	for after, want := range map[string]string{"Vault/b": "Vault/c claim", "Vault/a": "Vault/b claim, Vault/c claim", "Vault/c": "", "V": "Vault/a lease, Vault/b claim, Vault/c claim", "Vault/b nonsense": "Vault/c claim"} {
		if got, _ := page(t, r, after); strings.Join(got, ", ") != want {
			t.Errorf("after %q: got %q, want %s", after, got, want)
		}
	}
}

// TestLeasedDevicesAreBounded: by uid, over all its connections, until the devices are free.
func TestLeasedDevicesAreBounded(t *testing.T) {
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), servicetest.WithDrivers(vaults("a", "b")), servicetest.WithLimits(func(l *config.Limits) { l.LeasedDevicesPerUID = 2 }))
	lend := func(r *servicetest.Raw, want string) {
		t.Helper()
		if err := r.Write(vaultCall("Lend", "a")); err != nil {
			t.Fatal(err)
		}
		buf, control := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
		n, cn, _, _, err := unix.Recvmsg(r.FD, buf, control, unix.MSG_CMSG_CLOEXEC)
		if got := strings.TrimSuffix(string(buf[:n]), "\x00"); err != nil || got != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
		if messages, _ := unix.ParseSocketControlMessage(control[:cn]); len(messages) == 1 {
			fds, _ := unix.ParseUnixRights(&messages[0])
			hal.CloseFiles(fds)
		}
	}
	limit := `{"error":"io.halberd.LimitExceeded","parameters":{"limit":"leased-devices-per-uid","maximum":2}}`
	one, two := s.MustDial(t, peer.Stream), s.MustDial(t, peer.Seqpacket)
	lend(one, lentReply)
	lend(two, lentReply)
	lend(two, limit)
	one.Close()
	await(t, two, holdersCall, heldByAll(heldBy("Vault/a", "lease", false, true), heldBy("Vault/a", "lease", true, false)))
	lend(two, limit)
	expect(t, two, vaultCall("Return", "a"), done)
	lend(two, lentReply)
}

// TestHoldersOfAPort: a lease that the simulated board has in fact.
func TestHoldersOfAPort(t *testing.T) {
	if fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Skipf("/dev/ptmx: %v", err)
	} else {
		unix.Close(fd)
	}
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
	r, other := s.MustDial(t, peer.Stream), s.MustDial(t, peer.Stream)
	if err := r.Write(`{"method":"io.halberd.Serial.Open","parameters":{"port":"modem","baud":9600}}`); err != nil {
		t.Fatal(err)
	}
	buf, control := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
	n, cn, _, _, err := unix.Recvmsg(r.FD, buf, control, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.TrimSuffix(string(buf[:n]), "\x00")
	if strings.Contains(text, "io.systemd.System") {
		t.Skip(text) // user-mode emulation has no pseudo-terminals
	}
	if text != lentReply || cn == 0 {
		t.Fatalf("got %s", text)
	}
	messages, _ := unix.ParseSocketControlMessage(control[:cn])
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[0])
	expect(t, other, holdersCall, heldByAll(heldBy("Serial/modem", "lease", false, false)))
	expect(t, r, holdersCall, heldByAll(heldBy("Serial/modem", "lease", true, false)))
	r.Close()
	await(t, other, holdersCall, heldByAll())
}
