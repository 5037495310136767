package gpio

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
)

// edges leaves the times out of events.
func edgesOf(w *simtest.Watch) string {
	var out []string
	for line := range strings.SplitSeq(w.Events(), "\n") {
		if before, after, ok := strings.Cut(line, `,"timestampNSec":`); ok {
			line = before + strings.TrimLeft(after, "0123456789")
		}
		out = append(out, line)
	}
	return strings.Join(out, " ")
}

func expect(t *testing.T, w *simtest.Watch, want string) {
	t.Helper()
	if got := edgesOf(w); got != want {
		t.Errorf("events:\n got %s\nwant %s", got, want)
	}
}

func TestWatchInput(t *testing.T) {
	for _, c := range []struct {
		name, id, keys, edge, line string
		state, up, down            string
	}{
		{"both", "b", button + `}`, "", "BUTTON", `0`, `{"line":"b","value":1,"edge":"rising"}`, `{"line":"b","value":0,"edge":"falling"}`},
		{"rising", "b", button + `}`, `,"edge":"rising"`, "BUTTON", `0`, `{"line":"b","value":1,"edge":"rising"}`, ``},
		{"falling", "b", button + `}`, `,"edge":"falling"`, "BUTTON", `0`, ``, `{"line":"b","value":0,"edge":"falling"}`},
		{"active-low", "b", button + `,"active-low":true}`, "", "BUTTON", `1`, `{"line":"b","value":0,"edge":"falling"}`, `{"line":"b","value":1,"edge":"rising"}`},
		{"debounced", "b", button + `,"debounce-usec":100}`, "", "BUTTON", `0`, `{"line":"b","value":1,"edge":"rising"}`, `{"line":"b","value":0,"edge":"falling"}`},
		{"undeclared", "BUTTON", pump + `}`, "", "BUTTON", `0`, `{"line":"BUTTON","value":1,"edge":"rising"}`, `{"line":"BUTTON","value":0,"edge":"falling"}`},
		{"slow", "FAR_IN", pump + `}`, "", "FAR_IN", `0`, `{"line":"FAR_IN","value":1,"edge":"rising"}`, `{"line":"FAR_IN","value":0,"edge":"falling"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := bench()
			b := simtest.Open(t, Driver(), k, false, declare("b", c.keys))
			w := b.Watch("Watch", `{"lines":["`+c.id+`"]`+c.edge+`}`)
			expect(t, w, `{"line":"`+c.id+`","value":`+c.state+`}`)
			k.Pull(c.line, 1)
			expect(t, w, c.up)
			k.Pull(c.line, 0)
			expect(t, w, c.down)
			w.Stop()
			b.Loop.Turn()
			if held, output := k.Consumer(c.line); held != "" || output {
				t.Errorf("after the watch the line is with %q, output %v", held, output)
			}
			k.Pull(c.line, 1)
			expect(t, w, "")
		})
	}
}

func TestWatchersShareOneRequest(t *testing.T) {
	for _, id := range []string{"BUTTON", "FAR_IN"} {
		k := bench()
		b := simtest.Open(t, Driver(), k, false)
		first := b.Watch("Watch", `{"lines":["`+id+`"]}`)
		second := b.Watch("Watch", `{"lines":["`+id+`"],"edge":"falling"}`)
		first.Events()
		second.Events()
		k.Pull(id, 1)
		b.Expect("Get", `{"line":"`+id+`"}`, `{"value":1}`)
		k.Pull(id, 0)
		up, down := `{"line":"`+id+`","value":1,"edge":"rising"}`, `{"line":"`+id+`","value":0,"edge":"falling"}`
		expect(t, first, up+" "+down)
		expect(t, second, down)
		first.Stop()
		k.Pull(id, 1)
		k.Pull(id, 0)
		expect(t, second, down)
		second.Stop()
		b.Loop.Turn()
		if held, _ := k.Consumer(id); held != "" {
			t.Errorf("%s is still with %q", id, held)
		}
		third := b.Watch("Watch", `{"lines":["`+id+`"]}`)
		third.Events()
		k.Pull(id, 1)
		expect(t, third, up)
	}
}

func TestWatchOutput(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false, declare("pump", pump+`,"safe":0}`), declare("far", `{"chip":"expander","line":1,"direction":"output","safe":0}`))
	w := b.Watch("Watch", `{"lines":["pump","far","LAMP"]}`)
	expect(t, w, `{"line":"pump","value":0} {"line":"LAMP","value":1} {"line":"far","value":0}`)
	b.Call("Set", `{"line":"pump","value":1}`)
	expect(t, w, `{"line":"pump","value":1}`)
	b.Call("Set", `{"line":"pump","value":1}`)
	expect(t, w, "")
	b.Call("Toggle", `{"line":"far"}`)
	expect(t, w, `{"line":"far","value":1}`)
	w.Stop()
	for line, want := range map[string]string{"PUMP": "halberd", "LAMP": "", "FAR_OUT": "halberd"} {
		if held, output := k.Consumer(line); held != want || !output {
			t.Errorf("%s is with %q, output %v; want %q, true", line, held, output, want)
		}
		if line == "LAMP" && k.Changes(line) != 0 {
			t.Errorf("%s changed", line)
		}
	}
}

func TestWatchRefused(t *testing.T) {
	b := simtest.Open(t, Driver(), bench(), false)
	for _, c := range []struct{ name, in, want string }{
		{"without interrupts", `{"lines":["DUMB"]}`, `NotSupported{"feature":"edge"}`},
		{"held by the kernel", `{"lines":["VBUS"]}`, `Busy{"class":"Gpio","device":"VBUS","holder":"regulator-vbus"}`},
		{"one of two", `{"lines":["BUTTON","DUMB"]}`, `NotSupported{"feature":"edge"}`},
		{"no such edge", `{"lines":["BUTTON"],"edge":"none"}`, `InvalidParameter{"parameter":"edge"}`},
	} {
		_, err := b.TryWatch("Watch", c.in)
		if err == nil || simtest.Text(err) != c.want {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
		if n := b.Loop.Polled(); n != 0 {
			t.Errorf("%s: %d descriptors are polled", c.name, n)
		}
	}
}

func TestSlowWatchRefused(t *testing.T) {
	k := sim.New(sim.Options{Bare: true})
	k.AddChip(sim.Chip{Label: "dumb", Under: sim.OnI2C, NoInterrupts: true, Lines: []sim.Line{{Name: "DUMB"}}})
	b := simtest.Open(t, Driver(), k, false)
	w := b.Watch("Watch", `{"lines":["DUMB"]}`)
	if got, want := simtest.Text(w.Failed), `NotSupported{"feature":"edge"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestEdgesThatTheKernelDropped(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false)
	w := b.Watch("Watch", `{"lines":["BUTTON"]}`)
	w.Events()
	for i := range 20 {
		k.Pull("BUTTON", 1-i%2)
	}
	got := strings.Split(edgesOf(w), " ")
	if len(got) != 16 {
		t.Errorf("got %d events, want the 16 that the kernel has room for", len(got))
	}
	if want := `{"line":"BUTTON","value":1,"edge":"rising","missed":4}`; got[0] != want {
		t.Errorf("the first is %s, want %s", got[0], want)
	}
	for _, e := range got[1:] {
		if strings.Contains(e, "missed") {
			t.Errorf("a later one is %s", e)
		}
	}
}

// TestChangeBetweenStateAndEdges: what changes after the first event and before the kernel watches is told like any other edge, once, and only the kernel's time of it is missing, since the kernel saw
// nothing.
func TestChangeBetweenStateAndEdges(t *testing.T) {
	for _, c := range []struct {
		name, edge string
		between    func(*eager)
		want       string
	}{
		{"a rise", "both", func(e *eager) { e.k.Pull("FAR_IN", 1) }, `0 1,"edge":"rising"`},
		{"a fall", "both", func(e *eager) { e.k.Pull("FAR_IN", 0) }, `1 0,"edge":"falling"`},
		{"a rise that is asked for", "rising", func(e *eager) { e.k.Pull("FAR_IN", 1) }, `0 1,"edge":"rising"`},
		{"a rise that is not asked for", "falling", func(e *eager) { e.k.Pull("FAR_IN", 1) }, `0`},
		{"nothing", "both", func(*eager) {}, `0`},
		{"a rise that somebody reads", "both", func(e *eager) { e.k.Pull("FAR_IN", 1); e.b.Call("Get", `{"line":"FAR_IN"}`) }, `0 1,"edge":"rising"`},
		{"a rise and a fall", "both", func(e *eager) { e.k.Pull("FAR_IN", 1); e.k.Pull("FAR_IN", 0) }, `0`},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := bench()
			if c.want[0] == '1' {
				k.Pull("FAR_IN", 1)
			}
			b := simtest.Open(t, Driver(), k, false)
			permitted, _, err := b.Permit("Watch", `{"lines":["FAR_IN"],"edge":"`+c.edge+`"}`)
			if err != nil {
				t.Fatal(err)
			}
			sink := &eager{b: b, k: k, first: c.between}
			if _, err := permitted.Watch(b.Holder(), sink); err != nil {
				t.Fatal(err)
			}
			b.Loop.Turn()
			if got := strings.Join(sink.values, " "); got != c.want || sink.ended != nil {
				t.Errorf("got %s, %v, want %s", got, sink.ended, c.want)
			}
		})
	}
}

// TestChangeWhileTheLineIsRead: an edge that the kernel saw before the line was read for the first event is in that event, and not told again.
func TestChangeWhileTheLineIsRead(t *testing.T) {
	for _, c := range []struct {
		name  string
		calls int // of the kernel's, after which the line rises
		want  string
	}{
		{"before the first is read", 1, `{"line":"BUTTON","value":1}`},
		{"before the edges are asked for", 3, `{"line":"BUTTON","value":0} {"line":"BUTTON","value":1,"edge":"rising"}`},
		{"once the edges are asked for", 4, `{"line":"BUTTON","value":0} {"line":"BUTTON","value":1,"edge":"rising"}`},
	} {
		k := &risingLater{Kernel: bench()}
		b := simtest.Open(t, Driver(), k, false)
		k.left = c.calls
		w := b.Watch("Watch", `{"lines":["BUTTON"]}`)
		expect(t, w, c.want)
		k.Pull("BUTTON", 0)
		expect(t, w, `{"line":"BUTTON","value":0,"edge":"falling"}`)
	}
	k := bench()
	b := simtest.Open(t, Driver(), k, false)
	first := b.Watch("Watch", `{"lines":["BUTTON"]}`)
	first.Events()
	k.Pull("BUTTON", 1)
	k.Pull("BUTTON", 0)
	k.Pull("BUTTON", 1)
	second := b.Watch("Watch", `{"lines":["BUTTON"]}`)
	expect(t, first, `{"line":"BUTTON","value":1,"edge":"rising"} {"line":"BUTTON","value":0,"edge":"falling"} {"line":"BUTTON","value":1,"edge":"rising"}`)
	expect(t, second, `{"line":"BUTTON","value":1}`)
}

// risingLater is a kernel in which the button rises after so many ioctls.
type risingLater struct {
	*sim.Kernel
	left int
}

func (k *risingLater) Ioctl(fd int, request uint, argument unsafe.Pointer) error {
	err := k.Kernel.Ioctl(fd, request, argument)
	if k.left--; k.left == 0 {
		k.Pull("BUTTON", 1)
	}
	return err
}

// eager does something when it gets the first state, before the edges are asked for.
type eager struct {
	b      *simtest.Bench
	k      *sim.Kernel
	first  func(*eager)
	values []string
	ended  error
}

func (e *eager) Event(encode func([]byte) []byte) bool {
	text := string(encode(nil))
	_, value, _ := strings.Cut(text, `"value":`)
	value, _, _ = strings.Cut(value, `,"sequence"`)
	e.values = append(e.values, value)
	if e.first != nil {
		first := e.first
		e.first = nil
		first(e)
	}
	return true
}

func (e *eager) Submit(bus string, job, done func()) error { return e.b.Loop.Submit(bus, job, done) }
func (e *eager) Fail(err error)                            { e.ended = err }

func TestCloseLeavesNothing(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false, declare("pump", pump+`}`))
	b.Watch("Watch", `{"lines":["pump","BUTTON","FAR_IN"]}`)
	b.Close()
	b.Loop.Turn()
	if n := k.Opened(); n != 0 {
		t.Errorf("%d descriptors are left open", n)
	}
	if n := b.Loop.Polled(); n != 0 {
		t.Errorf("%d descriptors are polled", n)
	}
}

// A worker that is full when the last watcher leaves lets go of the line later.
func TestLettingGoWithABusyWorker(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false)
	w := b.Watch("Watch", `{"lines":["FAR_IN"]}`)
	w.Events()
	b.Loop.Full = true
	w.Stop()
	b.Loop.Advance(5 * time.Second)
	if held, _ := k.Consumer("FAR_IN"); held != "halberd" {
		t.Errorf("the line is with %q, and nobody could let go of it", held)
	}
	b.Loop.Full = false
	b.Loop.Advance(time.Second)
	if held, _ := k.Consumer("FAR_IN"); held != "" {
		t.Errorf("the line is still with %q", held)
	}
	if n := b.Loop.Timers(); n != 0 {
		t.Errorf("%d timers are left", n)
	}
}

func TestWatchAgainBeforeTheWorkerLetGo(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false)
	b.Watch("Watch", `{"lines":["FAR_IN"]}`).Stop()
	b.Loop.Full = true
	b.Loop.Turn()
	b.Loop.Full = false
	w := b.Watch("Watch", `{"lines":["FAR_IN"]}`)
	w.Events()
	b.Loop.Advance(5 * time.Second)
	k.Pull("FAR_IN", 1)
	expect(t, w, `{"line":"FAR_IN","value":1,"edge":"rising"}`)
}

func TestCloseWhileAWorkerAsksForEdges(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false)
	b.Loop.Inline = true
	permitted, _, err := b.Permit("Watch", `{"lines":["FAR_IN"]}`)
	if err != nil {
		t.Fatal(err)
	}
	sink := &eager{b: b, k: k}
	if _, err := permitted.Watch(b.Holder(), sink); err != nil {
		t.Fatal(err)
	}
	b.Close()
	b.Loop.Turn()
	if want := `DeviceGone{"class":"Gpio","device":"FAR_IN"}`; sink.ended == nil || simtest.Text(sink.ended) != want {
		t.Errorf("the watch ended with %v, want %s", sink.ended, want)
	}
	if n := k.Opened(); n != 0 {
		t.Errorf("%d descriptors are left open", n)
	}
	if n := b.Loop.Polled(); n != 0 {
		t.Errorf("%d descriptors are polled", n)
	}
}

// TestEdgeTime: an edge has the kernel's time of it, by CLOCK_MONOTONIC, however late it is read.
func TestEdgeTime(t *testing.T) {
	for _, line := range []string{"BUTTON", "FAR_IN"} {
		k := bench()
		b := simtest.Open(t, Driver(), k, false)
		w := b.Watch("Watch", `{"lines":["`+line+`"]}`)
		w.Events()
		before := monotonic()
		k.Pull(line, 1)
		between := monotonic()
		k.Pull(line, 0)
		after := monotonic()
		var up, down int64
		for event := range strings.SplitSeq(w.Events(), "\n") {
			_, text, _ := strings.Cut(event, `"timestampNSec":`)
			to := &up
			if strings.Contains(event, falling) {
				to = &down
			}
			_, _ = fmt.Sscan(strings.TrimRight(text, "}"), to)
		}
		if up < before || up > between || down < between || down > after {
			t.Errorf("%s: the edges are of %d and %d, want times from %d, %d to %d", line, up, down, before, between, after)
		}
	}
}
