package attack_test

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/attack"
	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

// identity is who a thread is while it connects.
type identity struct {
	uid, gid uint32
	groups   []uint32
}

// connectAs connects as another identity, from a thread of its own that ends thereafter: what a process is, Linux keeps for each of its threads.
func connectAs(t *testing.T, s *servicetest.Server, kind peer.Transport, who identity) *servicetest.Raw {
	t.Helper()
	servicetest.SkipUnlessRoot(t)
	type result struct {
		r   *servicetest.Raw
		err error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // and never unlocked, so that the thread ends
		if err := become(who); err != nil {
			done <- result{nil, err}
			return
		}
		r, err := servicetest.Dial(kind, s.Name)
		done <- result{r, err}
	}()
	got := <-done
	if got.err != nil {
		t.Fatal(got.err)
	}
	t.Cleanup(got.r.Close)
	return got.r
}

// become changes the thread's groups, its gid and its effective uid, which is what a connection has.
func become(who identity) error {
	setgroups, setresgid, setresuid := uintptr(unix.SYS_SETGROUPS), uintptr(unix.SYS_SETRESGID), uintptr(unix.SYS_SETRESUID)
	if runtime.GOARCH == "arm" { // those of 32 bits; the others take 16
		setgroups, setresgid, setresuid = 206, 210, 208
	}
	if _, _, errno := unix.RawSyscall(setgroups, uintptr(len(who.groups)), uintptr(unsafe.Pointer(unsafe.SliceData(who.groups))), 0); errno != 0 {
		return fmt.Errorf("setgroups: %w", errno)
	}
	if _, _, errno := unix.RawSyscall(setresgid, uintptr(who.gid), uintptr(who.gid), uintptr(who.gid)); errno != 0 {
		return fmt.Errorf("setresgid: %w", errno)
	}
	const same = ^uintptr(0)
	if _, _, errno := unix.RawSyscall(setresuid, same, uintptr(who.uid), same); errno != 0 {
		return fmt.Errorf("setresuid: %w", errno)
	}
	return nil
}

func grant(keys string) string { return "[[grant]]\nid = \"g\"\n" + keys + "\n" }

// permitted makes a call and says whether it was permitted; whatever else becomes of it is the same to a policy.
func permitted(t *testing.T, r *servicetest.Raw, msg string) bool {
	t.Helper()
	got, err := r.Call(msg)
	if err != nil {
		t.Fatalf("%s: %v", msg, err)
	}
	return !strings.HasPrefix(got, `{"error":"org.varlink.service.PermissionDenied"`)
}

// TestIdentityBoundaries: the ids at the edges of what a grant names, and beside them.
func TestIdentityBoundaries(t *testing.T) {
	uids := func(ids ...uint32) (all []identity) {
		for _, id := range ids {
			all = append(all, identity{uid: id, gid: 9})
		}
		return all
	}
	gids := func(ids ...uint32) (all []identity) {
		for _, id := range ids {
			all = append(all, identity{uid: 9, gid: id})
		}
		return all
	}
	for _, row := range []struct {
		name, keys string
		may, not   []identity
	}{
		{"a uid", "users = [1000]", uids(1000), append(uids(0, 1, 999, 1001, 65534, 65536+1000, 4294967294), gids(1000)...)},
		{"uid 0", "users = [0]", uids(0), append(uids(1, 65534, 65536, 4294967294), gids(0)...)},
		{"a range", `users = ["1000-1999"]`, uids(1000, 1001, 1998, 1999), append(uids(0, 999, 2000, 65536+1000, 65534), gids(1000, 1999)...)},
		{"a range of one", `users = ["1000-1000"]`, uids(1000), uids(999, 1001)},
		{"up to the dynamic ones", `users = ["60000-61183"]`, uids(60000, 61183), uids(59999, 61184, 65519, 65534)},
		{"up to nobody", `users = ["65520-65533"]`, uids(65520, 65533), uids(65519, 65534, 65535)},
		{"behind nobody", `users = ["65535-70000"]`, uids(65535, 65536, 70000), uids(65533, 65534, 70001)},
		{"the last one", "users = [4294967294]", uids(4294967294), uids(4294967293, 65534, 0)},
		{"31 bits", `users = ["2147483647-2147483648"]`, uids(2147483647, 2147483648), uids(2147483646, 2147483649, 0)},
		{"two ranges", `users = ["10-19", "30-39"]`, uids(10, 19, 30, 39), uids(9, 20, 29, 40)},
		{"a uid and a range", `users = [5, "10-19"]`, uids(5, 10, 19), uids(4, 6, 9, 20)},
		{"a gid", "groups = [1000]", gids(1000), append(gids(0, 999, 1001, 65534, 4294967294), uids(1000)...)},
		{"gid 0", "groups = [0]", gids(0), gids(1, 65534, 65536)},
		{"a range of gids", `groups = ["1000-1999"]`, gids(1000, 1999), gids(999, 2000, 65534)},
		{"a uid and a gid", "users = [9]\ngroups = [1000]", gids(1000), append(gids(999), identity{uid: 8, gid: 1000})},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := servicetest.Start(t, grant(row.keys+"\nmethods = [\"io.halberd.Gpio.Get\"]\ndevices = [\"relay-up\"]"))
			for i, all := range [][]identity{row.may, row.not} {
				for _, who := range all {
					if got, want := permitted(t, connectAs(t, s, connections[who.uid%2], who), get), i == 0; got != want {
						t.Errorf("uid %d, gid %d: permitted %t, want %t", who.uid, who.gid, got, want)
					}
				}
			}
		})
	}
}

var connections = []peer.Transport{peer.Stream, peer.Seqpacket}

// TestManyGroups: of 65,536 groups, as many as a process can have, each counts, and none that is not among them.
func TestManyGroups(t *testing.T) {
	servicetest.SkipUnlessRoot(t)
	const most = 65_536
	groups := make([]uint32, most)
	for i := range groups {
		groups[i] = 100_000 + 2*uint32(i)
	}
	for _, n := range []int{1, 32, 33, most} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			for _, row := range []struct {
				gid  uint32
				want bool
			}{{groups[0], true}, {groups[n-1], true}, {groups[n/2], true}, {groups[n-1] + 1, false}, {groups[0] - 1, false}, {groups[n/2] + 1, false}} {
				s := servicetest.Start(t, grant(fmt.Sprintf("groups = [%d]\nmethods = [\"io.halberd.Gpio.Get\"]\ndevices = [\"relay-up\"]", row.gid)))
				for _, kind := range connections {
					r := connectAs(t, s, kind, identity{1000, 1000, groups[:n]})
					got := permitted(t, r, get)
					if n > 1 && emulated(t) {
						t.Skipf("SO_PEERGROUPS with several groups: %v", syscall.ERANGE)
					}
					if got != row.want {
						t.Errorf("%s with %d groups: gid %d is permitted %t, want %t", kind, n, row.gid, got, row.want)
					}
				}
				s.Stop(t)
			}
		})
	}
}

// TestDeviceBoundaries: what a pattern of devices covers, and what stands beside it.
func TestDeviceBoundaries(t *testing.T) {
	for _, row := range []struct {
		devices  string
		may, not []string
	}{
		{`"relay-up"`, []string{"relay-up"}, []string{"relay-u", "relay-up2", "relay-down", "Relay-up", "relay_up", "elay-up"}},
		{`"relay-*"`, []string{"relay-up", "relay-down", "relay-", "relay-x"}, []string{"relay", "rela", "button", "xrelay-up", "RELAY-UP"}},
		{`"relay-up*"`, []string{"relay-up", "relay-up2"}, []string{"relay-u", "relay-down"}},
		{`"*"`, []string{"relay-up", "button", "anything"}, nil},
		{`"Gpio/*"`, []string{"relay-up", "button"}, nil},
		{`"Gpio/relay-*"`, []string{"relay-up"}, []string{"button"}},
		{`"Gpio/relay-up"`, []string{"relay-up"}, []string{"relay-down", "relay-up2"}},
		{`"relay-up", "b*"`, []string{"relay-up", "button", "b"}, []string{"door", "relay-down"}},
		{`"Led/*"`, nil, []string{"relay-up", "front"}},
		{`"Led/relay-up"`, nil, []string{"relay-up"}},
	} {
		t.Run(row.devices, func(t *testing.T) {
			methods := `methods = ["io.halberd.Gpio.Get", "io.halberd.Gpio.GetMany"]`
			if strings.Contains(row.devices, "Led/") {
				methods = `methods = ["io.halberd.*"]`
			}
			s := servicetest.Start(t, grant("users = ["+uid()+"]\n"+methods+"\ndevices = ["+row.devices+"]"))
			r := s.MustDial(t, peer.Seqpacket)
			for i, all := range [][]string{row.may, row.not} {
				for _, id := range all {
					for form, msg := range map[string]string{
						"one": `{"method":"io.halberd.Gpio.Get","parameters":{"line":"` + id + `"}}`, "many": `{"method":"io.halberd.Gpio.GetMany","parameters":{"lines":["` + id + `"]}}`,
						"escaped": strings.Replace(`{"method":"io.halberd.Gpio.Get","parameters":{"line":"`+id+`"}}`, `"`+id, fmt.Sprintf(`"\u%04x%s`, id[0], id[1:]), 1),
					} {
						if got, want := permitted(t, r, msg), i == 0; got != want {
							t.Errorf("%s, %s: permitted %t, want %t", id, form, got, want)
						}
					}
				}
			}
		})
	}
}

// TestMethodBoundaries: a grant of one method, one interface or one verb covers the methods of it, of all that there are, and no other. Where it is one method, those of its interface are tried.
func TestMethodBoundaries(t *testing.T) {
	methods := record(t, "").catalog.Methods()
	grants := map[string]func(m *hal.Method) bool{"methods = [\"io.halberd.*\"]": func(*hal.Method) bool { return true }}
	for _, verb := range []hal.Verb{hal.Observe, hal.Control, hal.Configure, hal.Hazard, hal.Administer} {
		grants[fmt.Sprintf("verbs = [%q]", verb.String())] = func(m *hal.Method) bool { return m.Verb == verb }
		grants[fmt.Sprintf("verbs = [%q]\nmethods = [\"io.halberd.Gpio.*\"]", verb.String())] = func(m *hal.Method) bool { return m.Verb == verb && m.Class == "Gpio" }
	}
	for _, m := range methods {
		if m.Class == "" {
			continue
		}
		grants[fmt.Sprintf("methods = [%q]", m.FullName())] = func(other *hal.Method) bool { return other == m }
		grants[fmt.Sprintf("methods = [\"%s.*\"]", m.Interface)] = func(other *hal.Method) bool { return other.Interface == m.Interface }
	}
	const reload = "io.halberd.Policy.Reload" // which is permitted all the time, and therefore not tried
	admin := "[[grant]]\nid = \"admin\"\nusers = [" + uid() + "]\nmethods = [\"" + reload + "\"]\n"
	s := servicetest.Start(t, admin)
	r := s.MustDial(t, peer.Seqpacket)
	for keys, covers := range grants {
		t.Run(strings.ReplaceAll(keys, "\n", " "), func(t *testing.T) {
			s.SetPolicy(admin + grant("users = ["+uid()+"]\n"+keys+"\ndevices = [\"*\"]"))
			if got, err := r.Call(call(reload, "{}")); err != nil || !strings.HasPrefix(got, `{"parameters":`) {
				t.Fatal(got, err)
			}
			one := slices.IndexFunc(methods, func(m *hal.Method) bool { return keys == fmt.Sprintf("methods = [%q]", m.FullName()) })
			for _, m := range methods {
				if m.Class == "" || isOpen(m) || m.FullName() == reload || one >= 0 && m.Interface != methods[one].Interface {
					continue
				}
				// With a parameter that no method has, so that one which is permitted is not carried out.
				if got, want := permitted(t, r, call(m.FullName(), `{"noSuchParameter":1}`)), covers(m); got != want {
					t.Errorf("%s: permitted %t, want %t", m.FullName(), got, want)
				}
			}
		})
	}
}

// isOpen is for the methods that are open to all.
func isOpen(m *hal.Method) bool {
	switch m.FullName() {
	case "io.halberd.Policy.WhoAmI", "io.halberd.Policy.Check", "io.halberd.Policy.Grants", "io.halberd.Board.List", "io.halberd.Board.Describe", "io.halberd.Board.Holders":
		return true
	}
	return false
}

// TestValueBoundaries: a limit on a parameter covers its edges and not what stands beside them, in every place that a parameter can stand.
func TestValueBoundaries(t *testing.T) {
	brightness := func(n any) string {
		return fmt.Sprintf(`{"method":"io.halberd.Led.Set","parameters":{"led":"front","brightness":%v}}`, n)
	}
	values := func(n ...any) string {
		return fmt.Sprintf(`{"method":"io.halberd.Gpio.SetMany","parameters":{"values":{"relay-up":%v,"relay-down":%v}}}`, n...)
	}
	duty := func(n ...any) string {
		return fmt.Sprintf(`{"method":"io.halberd.Pwm.Set","parameters":{"channel":"fan0","periodNSec":%v,"dutyNSec":%v}}`, n...)
	}
	for _, row := range []struct {
		where    string
		may, not []string
	}{
		{"brightness = { max = 128 }", []string{brightness(0), brightness(127), brightness(128)}, []string{brightness(129), brightness(255), brightness("4294967296"), brightness("9223372036854775807")}},
		{"brightness = { min = 10 }", []string{brightness(10), brightness(11), brightness(255)}, []string{brightness(9), brightness(0)}},
		{"brightness = { min = 10, max = 12 }", []string{brightness(10), brightness(11), brightness(12)}, []string{brightness(9), brightness(13)}},
		{"brightness = { min = 10, max = 10 }", []string{brightness(10)}, []string{brightness(9), brightness(11)}},
		{"brightness = { in = [0, 5, 255] }", []string{brightness(0), brightness(5), brightness(255)}, []string{brightness(1), brightness(4), brightness(6), brightness(254)}},
		{"brightness = { max = 0 }", []string{brightness(0)}, []string{brightness(1)}},
		{"value = { max = 0 }", []string{attack.SetLine("relay-up", 0)}, []string{attack.SetLine("relay-up", 1)}},
		{"value = { in = [1] }", []string{attack.SetLine("relay-up", 1)}, []string{attack.SetLine("relay-up", 0)}},
		{"values = { max = 0 }", []string{values(0, 0)}, []string{values(0, 1), values(1, 0), values(1, 1)}},
		{"periodNSec = { min = 40_000 }\ndutyNSec = { max = 100 }", []string{duty(40_000, 100), duty(50_000, 0)}, []string{duty(39_999, 100), duty(40_000, 101), duty(39_999, 101)}},
	} {
		t.Run(row.where, func(t *testing.T) {
			s := record(t, "[[grant]]\nid = \"g\"\nusers = ["+uid()+"]\nmethods = [\""+methodOf(row.may[0])+"\"]\ndevices = [\"*\"]\n[grant.where]\n"+row.where+"\n")
			r := s.MustDial(t, peer.Seqpacket)
			for _, msg := range row.may {
				if !permitted(t, r, msg) {
					t.Errorf("%s is not permitted", msg)
				}
			}
			s.kernel.Reset()
			for _, msg := range row.not {
				if permitted(t, r, msg) {
					t.Errorf("%s is permitted", msg)
				}
				s.untouched(t)
			}
		})
	}
}

func methodOf(msg string) string {
	_, rest, _ := strings.Cut(msg, `"method":"`)
	name, _, _ := strings.Cut(rest, `"`)
	return name
}

// TestRightsTakenAway: of calls that are sent together, with a reload among them that takes the right away, those before it are carried out and none behind it.
func TestRightsTakenAway(t *testing.T) {
	admin := fmt.Sprintf("[[grant]]\nid = \"admin\"\nusers = [%d]\nmethods = [\"io.halberd.Policy.Reload\"]\n", os.Geteuid())
	may := grant("users = [" + uid() + "]\nmethods = [\"io.halberd.Gpio.*\", \"io.halberd.Sensor.Get\"]\ndevices = [\"Gpio/relay-up\", \"Sensor/*\"]")
	const reload, slow = `{"method":"io.halberd.Policy.Reload"}`, `{"method":"io.halberd.Sensor.Get","parameters":{"sensor":"board"}}`
	for _, call := range []string{attack.SetLine("relay-up", 1), `{"method":"io.halberd.Gpio.Toggle","parameters":{"line":"relay-up"}}`, slow} {
		for _, kind := range connections {
			for _, at := range []int{0, 31, 32, 99} {
				t.Run(fmt.Sprintf("%s, %s, after %d", methodOf(call), kind, at), func(t *testing.T) {
					s := servicetest.Start(t, admin+may)
					s.SetPolicy(admin)
					r := s.MustDial(t, kind)
					const calls = 100
					for i := range calls {
						if i == at {
							if err := r.Write(reload); err != nil {
								t.Fatal(err)
							}
						}
						if err := r.Write(call); err != nil {
							t.Fatal(err)
						}
					}
					for i := range calls + 1 {
						got, err := r.Read()
						if err != nil {
							t.Fatal(err)
						}
						if denied := strings.HasPrefix(got, `{"error":"org.varlink.service.PermissionDenied"`); denied != (i > at) {
							t.Fatalf("reply %d of a reload at %d is %s", i, at, got)
						}
					}
					if got := s.Sim.Changes("relay-up"); got > at {
						t.Errorf("the line changed %d times, want %d at most", got, at)
					}
				})
			}
		}
	}
}
