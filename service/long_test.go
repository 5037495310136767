package service_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

// kinds are all kinds of socket.
var kinds = []peer.Transport{peer.Stream, peer.Seqpacket, peer.Datagram}

// TestManyWarnings: a reload that is in force is answered so, and Status goes on to answer, however many names of the policy match nobody.
func TestManyWarnings(t *testing.T) {
	var names []string
	for i := range 3000 {
		names = append(names, fmt.Sprintf("%q", fmt.Sprintf("no-such-user-%d", i)))
	}
	s := servicetest.Start(t, servicetest.GrantAll(os.Getuid()))
	s.SetPolicy(servicetest.GrantAll(os.Getuid()) + "[[grant]]\nid = \"nobody\"\nverbs = [\"observe\"]\ndevices = [\"*\"]\nusers = [" + strings.Join(names, ", ") + "]\n")
	for _, kind := range kinds {
		r := s.MustDial(t, kind)
		for _, method := range []string{"Reload", "Status"} {
			got, err := r.Call(`{"method":"io.halberd.Policy.` + method + `"}`)
			if err != nil || !strings.Contains(got, `"no-such-user-0\" is not in /etc/passwd`) || !strings.Contains(got, "more") {
				t.Errorf("%s over %s: got %.300s, %v, want the first warnings, and how many more there are", method, kind, got, err)
			}
		}
	}
}

// TestLongReloadError: what is wrong with a policy is told, however long it is.
func TestLongReloadError(t *testing.T) {
	s := servicetest.Start(t, servicetest.GrantAll(os.Getuid()))
	s.SetPolicy("[[grant]]\nid = \"x\"\nusers = [0]\nmethods = [\"io.halberd." + strings.Repeat("x", 100_000) + "\"]\n")
	for _, kind := range kinds {
		r := s.MustDial(t, kind)
		for _, row := range [][2]string{{"Reload", `"error":"io.halberd.BadConfiguration"`}, {"Status", `"reloadError":"test.toml:4: unknown`}} {
			if got, err := r.Call(`{"method":"io.halberd.Policy.` + row[0] + `"}`); err != nil || !strings.Contains(got, row[1]) {
				t.Errorf("%s over %s: got %.300s, %v, want %s", row[0], kind, got, err, row[1])
			}
		}
	}
}

// TestLongGrant: a grant that does not fit a reply is cut, and does not hide those behind it.
func TestLongGrant(t *testing.T) {
	var devices []string
	for i := range 2000 {
		devices = append(devices, fmt.Sprintf("%q", fmt.Sprintf("a-device-with-a-name-of-some-length-%d", i)))
	}
	long := fmt.Sprintf("[[grant]]\nid = \"long\"\nusers = [%d]\nverbs = [\"observe\"]\ndevices = [%s]\n", os.Getuid(), strings.Join(devices, ", "))
	s := servicetest.Start(t, long+servicetest.GrantAll(os.Getuid()))
	for _, kind := range kinds {
		got, err := s.MustDial(t, kind).Call(`{"method":"io.halberd.Policy.Grants"}`)
		if err != nil || !strings.Contains(got, `-length-0"`) || !strings.Contains(got, " more\"]") || !strings.Contains(got, `"id":"all"`) {
			t.Errorf("%s: got %.300s, %v, want the first devices, how many more there are, and the grant behind it", kind, got, err)
		}
	}
}
