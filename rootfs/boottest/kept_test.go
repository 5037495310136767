//go:build boot

package boottest

import (
	"context"
	"os"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/halberd-io/halberd/service/client"
)

// The lines of the board that are outputs, by what board.toml calls them.
var outputs = map[string]int{"relay-pump": 5, "relay-up": 6, "relay-down": 7, "valve": 20}

func setOutput(t testing.TB, id, value string) {
	t.Helper()
	must(t, 0, "gpio", "set", id, value)
	expectPin(t, "set", id, value)
}

func pin(t testing.TB, id string) string {
	t.Helper()
	return read(t, line(t, strconv.Itoa(outputs[id]))+"/value")
}

func expectPin(t testing.TB, when, id, want string) {
	t.Helper()
	if got := pin(t, id); got != want {
		t.Errorf("%s: the pin of %s is %s, want %s", when, id, got, want)
	}
}

// written is what the kernel saw of an output since clearTrace: each value that was driven, and each direction that was given, but not what was read.
func written(t testing.TB, id string) []string {
	t.Helper()
	number := kernelNumber(t, outputs[id])
	return regexp.MustCompile(`gpio_value: `+number+` set [01]|gpio_direction: `+number+` +(in|out)`).FindAllString(read(t, "/sys/kernel/tracing/trace"), -1)
}

func expectUnwritten(t testing.TB, when string, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if seen := written(t, id); len(seen) > 0 {
			t.Errorf("%s: %s was written: %q", when, id, seen)
		}
	}
}

// allSafe leaves the outputs as other tests expect them.
func allSafe(t testing.TB) {
	t.Helper()
	for id := range outputs {
		must(t, 0, "gpio", "set", id, "0")
	}
}

// TestRestartMakesNoEdge: however the daemon ends, its outputs stay as they are, and the next one has them and drives them.
func TestRestartMakesNoEdge(t *testing.T) {
	t.Cleanup(func() { allSafe(t) })
	for _, row := range []struct {
		name string
		end  func(t *testing.T)
	}{
		{"systemctl restart", func(t *testing.T) { run(t, "systemctl", "restart", "halberd.service") }},
		{"kill -9", func(t *testing.T) { crash(t) }},
		{"systemctl kill", func(t *testing.T) {
			before := property(t, "halberd.service", "MainPID")
			run(t, "systemctl", "kill", "-s", "KILL", "halberd.service")
			eventually(t, "another daemon runs", func() bool {
				now := property(t, "halberd.service", "MainPID")
				return now != "0" && now != before && property(t, "halberd.service", "ActiveState") == "active"
			})
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			setOutput(t, "relay-pump", "1")
			setOutput(t, "relay-up", "0")
			setOutput(t, "relay-down", "1")
			setOutput(t, "valve", "1")
			if n, _ := strconv.Atoi(property(t, "halberd.service", "NFileDescriptorStore")); n <= len(outputs) {
				t.Errorf("systemd keeps %d descriptors, want one for each of %d outputs, and the journal", n, len(outputs))
			}
			clearTrace(t)
			row.end(t)
			for id, want := range map[string]string{"relay-pump": "1", "relay-up": "0", "relay-down": "1", "valve": "1"} {
				if got := must(t, 0, "gpio", "get", id); got != want {
					t.Errorf("%s is %s, want %s", id, got, want)
				}
				expectPin(t, "afterwards", id, want)
			}
			expectUnwritten(t, "the end and the start", "relay-pump", "relay-up", "relay-down", "valve")
			setOutput(t, "relay-pump", "0")
			if len(written(t, "relay-pump")) == 0 {
				t.Error("the kernel's trace shows nothing of a write: it proves nothing")
			}
		})
	}
}

// TestKilledInPulse: the next daemon ends the pulse, which has nobody else any more.
func TestKilledInPulse(t *testing.T) {
	t.Cleanup(func() { allSafe(t) })
	setOutput(t, "relay-pump", "0")
	setOutput(t, "valve", "1")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = halctl(t, 0, "gpio", "pulse", "relay-pump", "1", "10000000")
	}()
	eventually(t, "the pulse", func() bool { return pin(t, "relay-pump") == "1" })
	clearTrace(t)
	crash(t)
	eventually(t, "the end of the pulse", func() bool { return pin(t, "relay-pump") == "0" })
	<-ended
	if seen := written(t, "relay-pump"); len(seen) != 1 {
		t.Errorf("the kernel saw %q, want the end of the pulse alone", seen)
	}
	expectUnwritten(t, "the end of the pulse", "valve")
	setOutput(t, "relay-pump", "1")
}

// TestKilledWithClaim: a claim that is taken up again makes no edge, and its end brings the output to its safe value; one that is not taken up ends by itself.
func TestKilledWithClaim(t *testing.T) {
	t.Cleanup(func() { allSafe(t) })
	claim := map[string]any{"devices": []string{"Gpio/relay-pump"}}
	first := dial(t, "stream:@halberd")
	call(t, first, "io.halberd.Board.Claim", claim, nil)
	call(t, first, "io.halberd.Gpio.Set", map[string]any{"line": "relay-pump", "value": 1}, nil)
	clearTrace(t)
	crash(t)
	second := dial(t, "seqpacket:@halberd")
	call(t, second, "io.halberd.Board.Claim", claim, nil)
	expectUnwritten(t, "the claim that is taken up", "relay-pump")
	expectPin(t, "the claim that is taken up", "relay-pump", "1")
	refused(t, app, "io.halberd.Busy", "gpio", "set", "relay-pump", "0")
	if err := second.Close(); err != nil {
		t.Error(err)
	}
	eventually(t, "the safe value", func() bool { return pin(t, "relay-pump") == "0" })

	third := dial(t, "stream:@halberd")
	call(t, third, "io.halberd.Board.Claim", claim, nil)
	call(t, third, "io.halberd.Gpio.Set", map[string]any{"line": "relay-pump", "value": 1}, nil)
	crash(t)
	eventually(t, "the safe value of a claim that nobody takes up", func() bool { return pin(t, "relay-pump") == "0" })
	eventually(t, "the output is free", func() bool { return halctl(t, app, "gpio", "set", "relay-pump", "0").status == 0 })
}

// TestKilledWithLease: the next daemon writes the safe value, and has the line again once the holder has let go of it.
func TestKilledWithLease(t *testing.T) {
	t.Cleanup(func() { allSafe(t) })
	setOutput(t, "relay-pump", "1")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := dial(t, "stream:@halberd")
	files, err := c.CallFDs(ctx, "io.halberd.Gpio.Lease", map[string]any{"lines": []string{"relay-pump"}}, nil)
	if err != nil || len(files) != 1 {
		t.Fatalf("got %d descriptors, %v", len(files), err)
	}
	crash(t)
	eventually(t, "the safe value", func() bool { return pin(t, "relay-pump") == "0" })
	refused(t, app, "io.halberd.Busy", "gpio", "set", "relay-pump", "1")
	if err := files[0].Close(); err != nil {
		t.Error(err)
	}
	eventually(t, "the line is held again", func() bool { return halctl(t, app, "gpio", "set", "relay-pump", "1").status == 0 })
	expectPin(t, "after the lease", "relay-pump", "1")
}

// TestKillsUnderLoad: three times, or as often as HALBERD_SOAK says, the daemon is killed while programs drive an output and read another one. The output is at what was asked for last, and no other one has moved.
func TestKillsUnderLoad(t *testing.T) {
	t.Cleanup(func() { allSafe(t) })
	rounds := 3
	if text := os.Getenv("HALBERD_SOAK"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		rounds = n
	}
	setOutput(t, "relay-pump", "1")
	setOutput(t, "valve", "1")
	var slowest time.Duration
	calls := 0
	for round := range rounds {
		clearTrace(t)
		d := &driver{line: "relay-down"}
		d.begin(t)
		time.Sleep(time.Duration(round%10) * 5 * time.Millisecond) // the kill comes at another moment each time
		began := time.Now()
		crash(t)
		must(t, app, "gpio", "get", "button")
		slowest = max(slowest, time.Since(began))
		d.end(t)
		calls += int(d.calls.Load())
		if got := pin(t, "relay-down"); got != strconv.Itoa(d.asked) && got != strconv.Itoa(d.answered) {
			t.Errorf("round %d: the pin is %s; %d was asked for last, and %d answered", round, got, d.asked, d.answered)
		}
		if got, at := must(t, 0, "gpio", "get", "relay-down"), pin(t, "relay-down"); got != at {
			t.Errorf("round %d: the daemon says %s, and the pin is %s", round, got, at)
		}
		expectUnwritten(t, "round "+strconv.Itoa(round), "relay-pump", "valve", "relay-up")
		expectPin(t, "round "+strconv.Itoa(round), "relay-pump", "1")
		expectPin(t, "round "+strconv.Itoa(round), "valve", "1")
		if t.Failed() {
			return
		}
	}
	measured(t, "kill -9 of the daemon under load: %d times, after %d calls in all, with no wrong state; the slowest answered again after %d ms", rounds, calls, slowest.Milliseconds())
}

// driver drives an output to 1 and 0 in turn, until its connection ends, while others read.
type driver struct {
	line            string
	asked, answered int
	calls           atomic.Int64
	all             sync.WaitGroup
	clients         []*client.Client
	stop            context.CancelFunc
}

func (d *driver) begin(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	d.stop = cancel
	c := dial(t, "seqpacket:@halberd")
	call(t, c, "io.halberd.Gpio.Set", map[string]any{"line": d.line, "value": 0}, nil)
	begun := make(chan struct{})
	d.all.Go(func() {
		for d.asked = 1; ; d.asked = 1 - d.asked {
			if c.Call(ctx, "io.halberd.Gpio.Set", map[string]any{"line": d.line, "value": d.asked}, nil) != nil {
				return
			}
			d.answered = d.asked
			if d.calls.Add(1) == 1 {
				close(begun)
			}
		}
	})
	reader := dial(t, "stream:@halberd")
	d.clients = []*client.Client{c, reader}
	d.all.Go(func() {
		for reader.Call(ctx, "io.halberd.Gpio.Get", map[string]any{"line": "button"}, nil) == nil {
		}
	})
	select {
	case <-begun:
	case <-ctx.Done():
		t.Fatal("the first call is not answered")
	}
}

// end waits until all have noticed the kill.
func (d *driver) end(t testing.TB) {
	t.Helper()
	d.all.Wait()
	d.stop()
	for _, c := range d.clients {
		_ = c.Close()
	}
}
