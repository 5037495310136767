package attack

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

// observed is what can be seen of a daemon.
type observed struct {
	descriptors, threads int
	touched              int
	look                 []string
}

// observe looks at a daemon, and lets its greatest size count from now on.
func observe(t testing.TB, target Target) observed {
	t.Helper()
	o := observed{descriptors: entries(t, target, "fd"), threads: entries(t, target, "task"), look: look(t, target)}
	if target.Touched != nil {
		o.touched = target.Touched()
	}
	if target.MaxRSS > 0 {
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", target.PID), []byte("5"), 0); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// compare fails where anything is not as it was, and gives the greatest size that the daemon had, where that is looked at.
func (o observed) compare(t testing.TB, target Target) (most int) {
	t.Helper()
	Settled(t, "descriptors", o.descriptors, func() int { return entries(t, target, "fd") })
	// The runtime keeps threads for later, so a few more are no fault; as many as there were connections would be one.
	Settled(t, "threads", o.threads+32, func() int { return entries(t, target, "task") })
	if got := look(t, target); strings.Join(got, "\n") != strings.Join(o.look, "\n") {
		t.Errorf("the board changed:\n got %s\nwas  %s", got, o.look)
	}
	if target.Touched != nil {
		if got := target.Touched(); got != o.touched {
			t.Errorf("devices without a grant were touched %d times", got-o.touched)
		}
	}
	if target.MaxRSS > 0 {
		if most = peakRSS(t, target.PID); most > target.MaxRSS {
			t.Errorf("the daemon had %d bytes, want %d at most", most, target.MaxRSS)
		}
	}
	return most
}

// Settled waits until there are no more of something than before: a daemon closes its end of a connection a moment after the other one was closed.
func Settled(t testing.TB, what string, want int, count func() int) {
	t.Helper()
	got := count()
	for end := time.Now().Add(30 * time.Second); got > want && time.Now().Before(end); got = count() {
		time.Sleep(5 * time.Millisecond)
	}
	if got > want {
		t.Errorf("the daemon has %d %s, and had %d", got, what, want)
	}
}

func entries(t testing.TB, target Target, folder string) int {
	t.Helper()
	if target.PID == 0 {
		return 0
	}
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/%s", target.PID, folder))
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// look makes root's calls.
func look(t testing.TB, target Target) (all []string) {
	t.Helper()
	r, err := servicetest.Dial(peer.Seqpacket, target.Name)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, call := range target.Look {
		reply, err := r.Call(call)
		if err != nil || !strings.HasPrefix(reply, `{"parameters":`) {
			t.Fatalf("%s: got %s, %v", call, reply, err)
		}
		all = append(all, reply)
	}
	return all
}

// peakRSS is VmHWM, in bytes.
func peakRSS(t testing.TB, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	line, _, _ := strings.Cut(rest, "kB")
	n, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	return n * 1024
}
