package attack

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

// pause is how long the victim waits between its calls, as an app that has other things to do.
const pause = time.Millisecond

// victim is a process whose calls go on while others attack.
type victim struct {
	*exec.Cmd
	ask    io.WriteCloser
	answer *bufio.Scanner
}

// waited is what a victim says of its calls since it was last asked.
type waited struct {
	Calls, Failed int
	Failure       string // the first one
	Median, P99   time.Duration
	Most          time.Duration
}

func startVictim(t testing.TB, target Target) *victim {
	t.Helper()
	cmd := command(t, roleVictim, target.orders(""))
	target.Victim.Apply(cmd)
	cmd.Stderr = os.Stderr
	ask, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	return &victim{cmd, ask, bufio.NewScanner(out)}
}

// end ends the victim, and its connections with it.
func (v *victim) end(t testing.TB) {
	v.ask.Close()
	if err := v.Wait(); err != nil {
		t.Errorf("the victim ended: %v", err)
	}
}

// report says what the victim had to wait since the last report, and fails where one of its calls was not answered as it should. It lets the victim call for a while first.
func (v *victim) report(t testing.TB, what string, first time.Duration) waited {
	t.Helper()
	if _, err := fmt.Fprintln(v.ask, first); err != nil {
		t.Fatal(err)
	}
	if !v.answer.Scan() {
		t.Fatal("the victim ended")
	}
	var w waited
	if err := json.Unmarshal(v.answer.Bytes(), &w); err != nil {
		t.Fatal(err)
	}
	if w.Failed > 0 {
		t.Errorf("%d of the victim's %d calls failed: %s", w.Failed, w.Calls, w.Failure)
	}
	if w.Calls == 0 {
		t.Error("the victim made no call")
	}
	t.Logf("the victim waited %v, p99 %v, at most %v in %d calls: %s", w.Median.Round(time.Microsecond), w.P99.Round(time.Microsecond), w.Most.Round(time.Microsecond), w.Calls, what)
	return w
}

// beVictim is the child.
func beVictim(o *orders) error {
	asked := make(chan time.Duration)
	go func() {
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			d, _ := time.ParseDuration(lines.Text())
			asked <- d
		}
		close(asked)
	}()
	c := &calling{orders: o}
	defer c.close()
	for {
		select {
		case first, ok := <-asked:
			if !ok {
				return nil
			}
			for end := time.Now().Add(first); c.Calls == 0 || time.Now().Before(end); {
				c.round()
			}
			if err := json.NewEncoder(os.Stdout).Encode(c.take()); err != nil {
				return err
			}
		default:
			c.round()
		}
	}
}

// calling makes a victim's calls.
type calling struct {
	*orders
	waited
	times   []time.Duration
	streams [2]*servicetest.Raw // that stay
}

// round makes a call on each connection that stays, and on one that is new.
func (c *calling) round() {
	for i, kind := range []peer.Transport{peer.Stream, peer.Seqpacket} {
		if c.streams[i] == nil {
			c.streams[i] = c.dial(kind)
		}
		if c.streams[i] != nil && !c.call(c.streams[i], time.Now()) {
			c.streams[i].Close()
			c.streams[i] = nil
		}
		time.Sleep(pause)
	}
	begun := time.Now()
	if r := c.dial(peer.Stream); r != nil {
		c.call(r, begun)
		r.Close()
	}
	time.Sleep(pause)
}

func (c *calling) dial(kind peer.Transport) *servicetest.Raw {
	r, err := servicetest.Dial(kind, c.Target)
	if err != nil {
		c.fail(fmt.Sprintf("cannot connect: %v", err))
		return nil
	}
	return r
}

func (c *calling) call(r *servicetest.Raw, begun time.Time) bool {
	got, err := r.Call(c.Call)
	c.times = append(c.times, time.Since(begun))
	if got != c.Reply || err != nil {
		c.fail(fmt.Sprintf("got %.200q, %v", got, err))
		return false
	}
	c.Calls++
	return true
}

func (c *calling) fail(why string) {
	c.Calls++
	if c.Failed++; c.Failed == 1 {
		c.Failure = why
	}
}

// take gives what is to be told, and begins anew.
func (c *calling) take() waited {
	w := c.waited
	if n := len(c.times); n > 0 {
		slices.Sort(c.times)
		w.Median, w.P99, w.Most = c.times[n/2], c.times[n*99/100], c.times[n-1]
	}
	c.waited, c.times = waited{}, c.times[:0]
	return w
}

func (c *calling) close() {
	for _, r := range c.streams {
		if r != nil {
			r.Close()
		}
	}
}
