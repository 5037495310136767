package service_test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

const getPump = `{"method":"io.halberd.Gpio.Get","parameters":{"line":"relay-pump"}}`

func grantTo(identity string) string {
	return fmt.Sprintf("[[grant]]\nid = \"g\"\n%s\nmethods = [\"io.halberd.Gpio.Get\"]\ndevices = [\"relay-pump\"]\n", identity)
}

// TestIdentity: who is asked for decides, on every kind of socket, for a process of that identity.
func TestIdentity(t *testing.T) {
	servicetest.SkipUnlessRoot(t)
	rows := []struct {
		name, identity string
		as             servicetest.As
		want           bool
	}{
		{"its uid", "users = [1000]", servicetest.As{UID: 1000, GID: 1000}, true},
		{"another uid", "users = [1001]", servicetest.As{UID: 1000, GID: 1000}, false},
		{"root has no right by nature", "users = [1000]", servicetest.As{}, false},
		{"inside a range", `users = ["1000-1999"]`, servicetest.As{UID: 1999, GID: 5}, true},
		{"behind a range", `users = ["1000-1999"]`, servicetest.As{UID: 2000, GID: 5}, false},
		{"its primary group", "groups = [1000]", servicetest.As{UID: 1, GID: 1000}, true},
		{"a group that is not its", "groups = [1000]", servicetest.As{UID: 1000, GID: 1}, false},
		{"both must match", "users = [1000]\ngroups = [7]", servicetest.As{UID: 1000, GID: 1000}, false},
		{"both do match", "users = [1000]\ngroups = [7]", servicetest.As{UID: 1000, GID: 7}, true},
	}
	everyTransport(t, func(t *testing.T, kind peer.Transport) {
		for _, row := range rows {
			s := servicetest.Start(t, grantTo(row.identity))
			got := s.Call(t, row.as, kind, getPump)[0]
			if permitted := got == `{"parameters":{"value":0}}`; permitted != row.want || !permitted && !strings.Contains(got, "PermissionDenied") {
				t.Errorf("%s: got %s, want permitted=%v", row.name, got, row.want)
			}
			s.Stop(t)
		}
	})
}

// TestSupplementaryGroups decide on connections. A datagram carries none, so there the primary group alone does.
func TestSupplementaryGroups(t *testing.T) {
	servicetest.SkipUnlessRoot(t)
	everyTransport(t, func(t *testing.T, kind peer.Transport) {
		if kind != peer.Datagram {
			skipWithoutPeerGroups(t)
		}
		s := servicetest.Start(t, grantTo("groups = [1100]"))
		got := s.Call(t, servicetest.As{UID: 1000, GID: 1000, Groups: []uint32{5, 1100}}, kind, getPump)[0]
		if permitted := got == `{"parameters":{"value":0}}`; permitted != (kind != peer.Datagram) {
			t.Errorf("with the group as a supplementary one, got %s", got)
		}
	})
}

// skipWithoutPeerGroups skips where SO_PEERGROUPS cannot tell two groups: emulators answer ERANGE whatever the buffer is.
func skipWithoutPeerGroups(t *testing.T) {
	t.Helper()
	old, err := syscall.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setgroups([]int{5, 1100}); err != nil {
		t.Skipf("cannot take on two groups: %v", err)
	}
	defer func() {
		if err := syscall.Setgroups(old); err != nil {
			t.Error(err)
		}
	}()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	cred, err := peer.FromConn(pair[0], peer.Stream)
	if err != nil {
		t.Skipf("SO_PEERGROUPS: %v", err)
	}
	if !cred.InGroup(1100) {
		t.Skipf("SO_PEERGROUPS with two groups: %v", unix.ERANGE)
	}
}

// TestWhoAmI: a caller learns who the kernel says it is.
func TestWhoAmI(t *testing.T) {
	servicetest.SkipUnlessRoot(t)
	everyTransport(t, func(t *testing.T, kind peer.Transport) {
		s := servicetest.Start(t, "")
		got := s.Call(t, servicetest.As{UID: 1000, GID: 1001}, kind, `{"method":"io.halberd.Policy.WhoAmI"}`)[0]
		if !strings.HasPrefix(got, `{"parameters":{"uid":1000,"gid":1001,"groups":[`) || !strings.HasSuffix(got, fmt.Sprintf(`"transport":%q}}`, kind)) {
			t.Errorf("got %s", got)
		}
	})
}

// TestReload: a policy holds from the next call on, on connections that are open too; a bad one changes nothing.
func TestReload(t *testing.T) {
	everyTransport(t, func(t *testing.T, kind peer.Transport) {
		uid := os.Geteuid()
		mayReload := fmt.Sprintf("[[grant]]\nid = \"admin\"\nusers = [%d]\nmethods = [\"io.halberd.Policy.*\"]\n", uid)
		mayGet := grantTo(fmt.Sprintf("users = [%d]", uid))
		s := servicetest.Start(t, mayReload)
		r := s.MustDial(t, kind)
		step := func(policy, wantReload, wantGet string) {
			t.Helper()
			s.SetPolicy(policy)
			if got, err := r.Call(`{"method":"io.halberd.Policy.Reload"}`); !matches(got, wantReload) || err != nil {
				t.Fatalf("reload: got %s, %v, want %s", got, err, wantReload)
			}
			if got, err := r.Call(getPump); !matches(got, wantGet) || err != nil {
				t.Fatalf("get: got %s, %v, want %s", got, err, wantGet)
			}
		}
		const denied = `{"error":"org.varlink.service.PermissionDenied"…`
		const zero = `{"parameters":{"value":0}}`
		step(mayReload+mayGet, `{"parameters":{"generation":2,"warnings":[],"boardChanged":false}}`, zero)
		step(mayReload+mayGet+"[[grant]]\nid = \"half\n", `{"error":"io.halberd.BadConfiguration","parameters":{"reason":"test.toml:…`, zero)
		step(mayReload, `{"parameters":{"generation":3,"warnings":[],"boardChanged":false}}`, denied)
	})
}
