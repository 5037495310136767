//go:build boot

package boottest

import (
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/attack"
	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

// These tests are in the last file, and so run last: who has been denied as much as here is recorded no more for a while.

// hunted is the daemon of this system, started if it was not, as the app attacks it and the kiosk goes on.
func hunted(t *testing.T) attack.Target {
	t.Helper()
	must(t, app, "gpio", "get", "relay-up")
	must(t, 0, "sensor", "get", "outside") // from then on its limits are open
	pid, err := strconv.Atoi(property(t, "halberd.service", "MainPID"))
	if err != nil {
		t.Fatal(err)
	}
	return attack.Target{
		Name: "@halberd", PID: pid, Attacker: servicetest.As{UID: app, GID: app}, Victim: servicetest.As{UID: kiosk, GID: kiosk},
		Read:        `{"method":"io.halberd.Gpio.Get","parameters":{"line":"relay-up"}}`,
		Change:      [2]string{`{"method":"io.halberd.Led.Set","parameters":{"led":"front","brightness":1}}`, `{"method":"io.halberd.Led.Set","parameters":{"led":"front","brightness":0}}`},
		Watch:       `{"method":"io.halberd.Led.Watch","parameters":{"leds":["front"]},"more":true}`,
		Slow:        `{"method":"io.halberd.Sensor.Get","parameters":{"sensor":"outside"}}`,
		Denied:      `{"method":"io.halberd.Gpio.Set","parameters":{"line":"valve","value":1}}`,
		VictimCall:  `{"method":"io.halberd.Gpio.Get","parameters":{"line":"valve"}}`,
		VictimReply: `{"parameters":{"value":` + must(t, kiosk, "gpio", "get", "valve") + `}}`,
		Look: []string{`{"method":"io.halberd.Gpio.GetMany","parameters":{"lines":["valve","relay-pump","relay-up","relay-down"]}}`,
			`{"method":"io.halberd.Led.Get","parameters":{"led":"lamp"}}`, `{"method":"io.halberd.Board.Holders"}`},
		Timeout: 10 * time.Second, // as halberd.toml has it
		MaxRSS:  64 << 20,
	}
}

// TestAttacks: every attack by an app on the daemon of a real system. The kiosk's calls are all answered, and the daemon is as it was.
func TestAttacks(t *testing.T) {
	target := hunted(t)
	attack.Run(t, target)
	if now := property(t, "halberd.service", "MainPID"); now != strconv.Itoa(target.PID) {
		t.Errorf("the daemon is process %s, and was %d", now, target.PID)
	}
}

// TestIdentities: whatever an app does to be taken for somebody else.
func TestIdentities(t *testing.T) { attack.RunIdentities(t, hunted(t)) }

// TestClockJumps: the time of day decides nothing, so that its jumps, an hour on and two back, are nobody's concern.
func TestClockJumps(t *testing.T) {
	attack.Beside(t, hunted(t), "the clock jumps", func() {
		begun, by := time.Now(), time.Duration(0)
		jump := func(d time.Duration) {
			by += d
			now := syscall.NsecToTimeval(time.Now().Add(d).UnixNano())
			if err := syscall.Settimeofday(&now); err != nil {
				t.Fatal(err)
			}
			must(t, kiosk, "gpio", "get", "valve")
		}
		for range 5 {
			jump(time.Hour)
			jump(-2 * time.Hour)
			jump(time.Hour)
		}
		jump(-by)
		t.Logf("it took %v", time.Since(begun))
	})
}

// fillJournal sends to the journal until its socket has no room for anybody's records.
func fillJournal(t *testing.T) {
	t.Helper()
	to := &unix.SockaddrUnix{Name: "/run/systemd/journal/socket"}
	for range 100 { // the kernel lets one sender fill a part of it
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		sent := 0
		for ; err == nil; sent++ {
			err = unix.Sendto(fd, []byte("MESSAGE=full\n"), 0, to)
		}
		if sent == 1 {
			return
		}
	}
	t.Fatal("the journal's socket does not fill")
}

// TestJournalStandsStill: a journal that takes nothing more keeps nobody waiting, however much there is to be recorded.
func TestJournalStandsStill(t *testing.T) {
	target := hunted(t)
	pid, err := strconv.Atoi(property(t, "systemd-journald.service", "MainPID"))
	if err != nil {
		t.Fatal(err)
	}
	kill(t, pid, syscall.SIGSTOP)
	defer kill(t, pid, syscall.SIGCONT)
	fillJournal(t)
	r, err := servicetest.Dial(peer.Seqpacket, target.Name)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	attack.Beside(t, target, "the journal stands still", func() {
		for range 20 {
			if got, err := r.Call(`{"method":"io.halberd.Policy.Reload"}`); err != nil || !strings.HasPrefix(got, `{"parameters":`) {
				t.Fatal(got, err)
			}
		}
	})
}
