package service_test

import (
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

// rounds is how often a test that can go on for long does what it does: often where the variable is set that `make soak` sets, else a few times.
func rounds(few, often int) int {
	switch {
	case os.Getenv("HALBERD_SOAK") != "":
		return often
	case runtime.GOARCH == "amd64":
		return few
	}
	return max(1, few/5) // under an emulator
}

// TestSoakKilledClaimers kills processes that have claimed outputs and change them, at any point of that. No claim is left, and each output is in its declared state; how long that takes
// after the signal is told.
func TestSoakKilledClaimers(t *testing.T) {
	s := claimServer(t)
	watch := s.MustDial(t, peer.Stream)
	messages := []string{claimCall("Claim", "Gpio/relay-safe", "Gpio/relay-restore", "Led/near"), setLine("relay-safe", 1), setLine("relay-restore", 1), setLED("near", 200),
		setLine("relay-safe", 0), setLine("relay-safe", 1)}
	var times []time.Duration
	for round := range rounds(50, 10_000) {
		held := len(messages)
		if round%2 == 1 {
			held = rand.IntN(len(messages)) // killed before it has made all its calls
		}
		c := s.Stay(t, connections[round%len(connections)], messages...)
		for range held {
			if got := c.Reply(t); got != done {
				t.Fatalf("round %d: got %s", round, got)
			}
		}
		began := time.Now()
		c.Kill(t)
		took := settled(t, s, watch, began)
		if held == len(messages) {
			times = append(times, took)
		}
	}
	slices.Sort(times)
	at := func(share float64) time.Duration { return times[int(share*float64(len(times)-1))] }
	t.Logf("measured: from SIGKILL of a claim's holder to the declared states: p50 %v, p99 %v, at most %v (%d kills)", at(0.5), at(0.99), at(1), len(times))
}

// settled waits until nothing is held and every output is in its declared state, and tells how long it took for the lines.
func settled(t *testing.T, s *servicetest.Server, watch *servicetest.Raw, began time.Time) (took time.Duration) {
	t.Helper()
	right := func() bool { return s.Sim.Value("sim-gpio/0") == 0 && s.Sim.Value("sim-gpio/2") == 0 }
	for end := began.Add(20 * time.Second); ; runtime.Gosched() {
		if right() && took == 0 {
			took = time.Since(began)
		}
		if took == 0 && time.Now().Before(end) {
			continue
		}
		holders, err := watch.Call(`{"method":"io.halberd.Board.Holders"}`)
		led, ledErr := watch.Call(`{"method":"io.halberd.Led.Get","parameters":{"led":"near"}}`)
		if err != nil || ledErr != nil {
			t.Fatal(err, ledErr)
		}
		switch free := holders == `{"parameters":{"holders":[]}}`; {
		case free && right() && strings.Contains(led, `"brightness":7,`):
			return took
		case time.Now().After(end):
			t.Fatalf("held: %s; relay-safe is %d, relay-restore %d, near %s", holders, s.Sim.Value("sim-gpio/0"), s.Sim.Value("sim-gpio/2"), led)
		}
	}
}
