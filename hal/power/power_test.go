package power

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
)

func open(t *testing.T, k hal.Kernel) *simtest.Bench { return simtest.Open(t, Driver(), k, false) }

func board() *sim.Kernel { return sim.New(sim.Options{Bare: true}) }

// asked writes what a machine was asked for.
func asked(k *sim.Kernel) string {
	var all []string
	for _, r := range k.Asked() {
		text := fmt.Sprintf("%s %s%s", r.Action, r.Target, r.Mode)
		if r.Force {
			text += " by force"
		}
		if !r.WakeAt.IsZero() {
			text += fmt.Sprint(" until ", r.WakeAt.Unix())
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

func expectAsked(t *testing.T, k *sim.Kernel, when, want string) {
	t.Helper()
	if got := asked(k); got != want {
		t.Errorf("%s: the machine was asked for %q, want %q", when, got, want)
	}
}

// TestReplyFirst: the machine is asked after the reply, by the delay that was asked for and at least by 100 ms, for what the call says.
func TestReplyFirst(t *testing.T) {
	for _, row := range []struct {
		name, method, parameters string
		after                    time.Duration
		want                     string
	}{
		{"a reboot", "Reboot", `{"reason":"x"}`, grace, "reboot "},
		{"a reboot into something", "Reboot", `{"target":"recovery","reason":"x"}`, grace, "reboot recovery"},
		{"a reboot later", "Reboot", `{"delayMSec":5000,"reason":"x"}`, 5 * time.Second, "reboot "},
		{"a delay shorter than the grace", "PowerOff", `{"delayMSec":1,"reason":"x"}`, grace, "power_off "},
		{"by force", "ForcePowerOff", `{"reason":"x"}`, grace, "power_off  by force"},
		{"a sleep", "Suspend", `{}`, grace, "suspend mem"},
		{"a light sleep", "Suspend", `{"mode":"freeze"}`, grace, "suspend freeze"},
		{"a sleep with an end, by force", "ForceSuspend", `{"wakeAtUSec":4102444800999999}`, grace, "suspend mem by force until 4102444800"},
	} {
		t.Run(row.name, func(t *testing.T) {
			k := board()
			b := open(t, k)
			b.Expect(row.method, row.parameters, `{}`)
			b.Loop.Advance(row.after - 1)
			expectAsked(t, k, "before", "")
			b.Loop.Advance(1)
			expectAsked(t, k, "afterwards", row.want)
		})
	}
}

func TestRefused(t *testing.T) {
	for _, row := range []struct{ name, method, parameters, want string }{
		{"a mode that the machine does not have", "Suspend", `{"mode":"standby"}`, `NotSupported{"feature":"mode"}`},
		{"a target without a name", "Reboot", `{"target":"","reason":"x"}`, `InvalidParameter{"parameter":"target"}`},
		{"a long target", "Reboot", `{"target":"` + strings.Repeat("x", 65) + `","reason":"x"}`, `InvalidParameter{"parameter":"target"}`},
		{"a long reason", "PowerOff", `{"reason":"` + strings.Repeat("x", 201) + `"}`, `InvalidParameter{"parameter":"reason"}`},
		{"a long why", "Inhibit", `{"what":"all","why":"` + strings.Repeat("x", 201) + `"}`, `InvalidParameter{"parameter":"why"}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			k := board()
			b := open(t, k)
			b.Expect(row.method, row.parameters, row.want)
			b.Loop.Advance(time.Minute)
			expectAsked(t, k, "afterwards", "")
		})
	}
}

// TestWakeInThePast names the first time that would do.
func TestWakeInThePast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := time.Now().Add(2100 * time.Millisecond).UnixMicro()
		b := open(t, board())
		b.Expect("Suspend", fmt.Sprintf(`{"wakeAtUSec":%d}`, first-1), fmt.Sprintf(`OutOfRange{"parameter":"wakeAtUSec","minimum":%d,"maximum":9223372036854775}`, first))
		b.Expect("Suspend", fmt.Sprintf(`{"wakeAtUSec":%d}`, first), `{}`)
	})
}

// weak is a machine with abilities of its own, or one that refuses.
type weak struct {
	*sim.Kernel
	can    hal.PowerAbilities
	refuse error
}

func (w *weak) Abilities() hal.PowerAbilities { return w.can }

func (w *weak) Ask(r hal.PowerRequest) error {
	if w.refuse != nil {
		return w.refuse
	}
	return w.Kernel.Ask(r)
}

// kernelAlone is a hal.Kernel and no hal.Machine.
type kernelAlone struct{ hal.Kernel }

func TestAbilities(t *testing.T) {
	for _, row := range []struct {
		name   string
		kernel hal.Kernel
		calls  map[string]string // by method and parameters
	}{
		{"no machine", kernelAlone{board()}, map[string]string{
			"Can {}":                    `{"init":"unknown","way":"none","reboot":false,"powerOff":false,"targets":false,"modes":[],"wake":false}`,
			`Reboot {"reason":"x"}`:     `NotSupported{"feature":"reboot"}`,
			`PowerOff {"reason":"x"}`:   `NotSupported{"feature":"power_off"}`,
			`Suspend {}`:                `NotSupported{"feature":"suspend"}`,
			`ForceSuspend {}`:           `NotSupported{"feature":"suspend"}`,
			`Suspend {"wakeAtUSec":1}`:  `NotSupported{"feature":"wakeAtUSec"}`,
			`Inhibitors {}`:             `{"inhibitors":[]}`,
			`ForceReboot {"reason":""}`: `NotSupported{"feature":"reboot"}`,
		}},
		{"no target", &weak{Kernel: board(), can: hal.PowerAbilities{Init: "busybox", Way: "signals", Reboot: true, PowerOff: true}}, map[string]string{
			"Can {}":                             `{"init":"busybox","way":"signals","reboot":true,"powerOff":true,"targets":false,"modes":[],"wake":false}`,
			`Reboot {"target":"a","reason":"x"}`: `NotSupported{"feature":"target"}`,
		}},
		{"a light sleep alone", &weak{Kernel: board(), can: hal.PowerAbilities{Suspend: []string{"freeze"}}}, map[string]string{
			`Suspend {"mode":"mem"}`:   `NotSupported{"feature":"mode"}`,
			`Suspend {"wakeAtUSec":1}`: `NotSupported{"feature":"wakeAtUSec"}`,
		}},
		{"hibernation alone is nobody's choice", &weak{Kernel: board(), can: hal.PowerAbilities{Suspend: []string{"disk"}}}, map[string]string{
			`Suspend {}`: `NotSupported{"feature":"mode"}`,
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := open(t, row.kernel)
			for call, want := range row.calls {
				method, parameters, _ := strings.Cut(call, " ")
				b.Expect(method, parameters, want)
			}
		})
	}
}

// TestLast: what a machine was asked for last can be looked up, above all on a simulated one.
func TestLast(t *testing.T) {
	b := open(t, board())
	b.Expect("PowerOff", `{"reason":"x"}`, `{}`)
	b.Loop.Advance(grace)
	b.Expect("Can", `{}`, `{"init":"simulated","way":"none","reboot":true,"powerOff":true,"targets":true,"modes":["freeze","mem"],"wake":true,"last":"power_off"}`)
}

// TestOneAtATime: a second request is refused while one waits, and takes its place by force.
func TestOneAtATime(t *testing.T) {
	k := board()
	b := open(t, k)
	b.Expect("Reboot", `{"delayMSec":60000,"reason":"an update"}`, `{}`)
	busy := `Busy{"class":"Power","device":"reboot","holder":"an update"}`
	b.Expect("Reboot", `{"reason":"x"}`, busy)
	b.Expect("PowerOff", `{"reason":"x"}`, busy)
	b.Expect("Suspend", `{}`, busy)
	b.Expect("ForcePowerOff", `{"delayMSec":1000,"reason":"it burns"}`, `{}`)
	b.Loop.Advance(2 * time.Minute)
	expectAsked(t, k, "afterwards", "power_off  by force")
	b.Expect("Reboot", `{"reason":"x"}`, `{}`)
}

// TestHungSuspend: a suspend whose driver hangs does not stand in the way of a forced reboot, and is no news when it comes back after all.
func TestHungSuspend(t *testing.T) {
	k := &hanging{Kernel: board(), begun: make(chan bool), release: make(chan error, 1)}
	b := open(t, k)
	b.Expect("Suspend", `{}`, `{}`)
	w := b.Watch("Events", `{}`)
	w.Events()
	var again, reboot error
	go func() {
		<-k.begun
		b.Loop.Post(func() { // the loop goes on while its worker hangs
			again, reboot = run(b, "ForceSuspend", `{}`), run(b, "ForceReboot", `{"reason":"it hangs"}`)
			k.release <- errors.New("late")
		})
	}()
	b.Loop.Advance(grace)
	if want := `Busy{"class":"Power","device":"suspend","holder":"suspend"}`; again == nil || simtest.Text(again) != want || reboot != nil {
		t.Errorf("got %v for another suspend and %v for the reboot, want %s and none", again, reboot, want)
	}
	b.Loop.Advance(grace)
	expectAsked(t, k.Kernel, "afterwards", "reboot  by force")
	if got := w.Events(); strings.Contains(got, "late") || !strings.Contains(got, `{"event":"done","action":"reboot"`) {
		t.Errorf("the events are %s", got)
	}
}

// run makes a call without letting the loop turn.
func run(b *simtest.Bench, method, parameters string) error {
	permitted, call, err := b.Permit(method, parameters)
	if err != nil {
		return err
	}
	defer call.Release()
	return permitted.Run(b.Holder())
}

// hanging is a machine whose suspend does not come back until it is let.
type hanging struct {
	*sim.Kernel
	begun   chan bool
	release chan error
}

func (h *hanging) Ask(r hal.PowerRequest) error {
	if r.Action != hal.Suspend {
		return h.Kernel.Ask(r)
	}
	h.begun <- true
	return <-h.release
}

// inhibit takes an inhibitor and gives its descriptor.
func inhibit(b *simtest.Bench, what, why string) int {
	b.Helper()
	b.Expect("Inhibit", `{"what":"`+what+`","why":"`+why+`"}`, `{"fileDescriptor":0}`)
	return b.Files[0]
}

func TestInhibit(t *testing.T) {
	for _, row := range []struct{ what, reboot, powerOff, suspend string }{
		{"shutdown", "held", "held", "free"},
		{"suspend", "free", "free", "held"},
		{"all", "held", "held", "held"},
	} {
		for method, want := range map[string]string{"Reboot": row.reboot, "PowerOff": row.powerOff, "Suspend": row.suspend} {
			t.Run(row.what+" and "+method, func(t *testing.T) {
				b := open(t, board())
				fd := inhibit(b, row.what, "a write")
				action := map[string]string{"Reboot": "reboot", "PowerOff": "power_off", "Suspend": "suspend"}[method]
				parameters := map[bool]string{true: `{}`, false: `{"reason":"x"}`}[method == "Suspend"]
				answer := map[string]string{"held": `Busy{"class":"Power","device":"` + action + `","holder":"a write"}`, "free": `{}`}[want]
				b.Expect(method, parameters, answer)
				if want == "held" {
					b.Expect("Force"+method, parameters, `{}`)
				}
				_ = unix.Close(fd)
			})
		}
	}
}

// TestInhibitorEnds: it ends with the last duplicate of its descriptor, not with the connection, and whatever was written to it.
func TestInhibitorEnds(t *testing.T) {
	k := board()
	b := open(t, k)
	first, second := inhibit(b, "all", "one"), inhibit(b, "suspend", "two")
	duplicate, err := unix.Dup(first)
	if err != nil {
		t.Fatal(err)
	}
	b.Hangup()
	both := `{"inhibitors":[{"what":"all","why":"one"},{"what":"suspend","why":"two"}]}`
	b.Expect("Inhibitors", `{}`, both)
	if _, err := unix.Write(first, make([]byte, 5000)); err != nil {
		t.Fatal(err)
	}
	_ = unix.Close(first)
	b.Loop.Turn()
	b.Expect("Inhibitors", `{}`, both)
	_ = unix.Close(duplicate)
	b.Loop.Turn()
	b.Expect("Inhibitors", `{}`, `{"inhibitors":[{"what":"suspend","why":"two"}]}`)
	b.Expect("Reboot", `{"reason":"x"}`, `{}`)
	_ = unix.Close(second)
	b.Loop.Turn()
	if n := b.Loop.Polled(); n != 0 {
		t.Errorf("%d descriptors are polled with no inhibitor left", n)
	}
}

// TestInhibitTooLate: what was taken on already is not held back.
func TestInhibitTooLate(t *testing.T) {
	k := board()
	b := open(t, k)
	b.Expect("Reboot", `{"delayMSec":1000,"reason":"an update"}`, `{}`)
	b.Expect("Inhibit", `{"what":"shutdown","why":"x"}`, `Busy{"class":"Power","device":"reboot","holder":"an update"}`)
	fd := inhibit(b, "suspend", "x")
	defer unix.Close(fd)
	b.Loop.Advance(time.Second)
	expectAsked(t, k, "afterwards", "reboot ")
}

// TestTooManyInhibitors: one user cannot take them all, and all of them fit one reply. After a restart they are still that user's.
func TestTooManyInhibitors(t *testing.T) {
	k := &shelf{kept: map[string]kept{}}
	b := restart(t, k)
	why := strings.Repeat(`\"`, maxReason)
	for user := range maxInhibitors / maxPerOwner {
		b.Connect(hal.Owner(fmt.Sprint("user ", user)))
		for range maxPerOwner {
			fd := inhibit(b, "shutdown", why)
			defer unix.Close(fd)
		}
		b.Expect("Inhibit", `{"what":"all","why":"x"}`, `LimitExceeded{"limit":"inhibitors-per-uid","maximum":16}`)
	}
	b.Connect("another user")
	b.Expect("Inhibit", `{"what":"all","why":"x"}`, `LimitExceeded{"limit":"inhibitors","maximum":64}`)
	if n := len(b.Call("Inhibitors", `{}`)); n > 32<<10 {
		t.Errorf("the list has %d bytes, more than a datagram takes", n)
	}
	b.Close()
	b = restart(t, k)
	b.Connect("user 0")
	b.Expect("Inhibit", `{"what":"all","why":"x"}`, `LimitExceeded{"limit":"inhibitors-per-uid","maximum":16}`)
}

func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &weak{Kernel: board(), can: hal.PowerAbilities{Reboot: true, PowerOff: true}}
		b := open(t, k)
		w := b.Watch("Events", `{}`)
		w.Expect(`{"event":"idle","inhibitors":0}`)
		fd := inhibit(b, "suspend", "x")
		w.Expect(`{"event":"inhibitors","inhibitors":1}`)
		b.Call("Reboot", `{"delayMSec":5000,"reason":"an update"}`)
		requested := `{"event":"requested","action":"reboot","reason":"an update","leftMSec":5000,"inhibitors":1}`
		w.Expect(requested)
		b.Watch("Events", `{}`).Expect(requested)
		b.Loop.Advance(5 * time.Second)
		w.Expect(`{"event":"done","action":"reboot","reason":"an update","inhibitors":1}`)
		_ = unix.Close(fd)
		w.Expect(`{"event":"inhibitors","inhibitors":0}`)
		k.refuse = errors.New("no way")
		b.Call("PowerOff", `{"reason":"night"}`)
		w.Events()
		b.Loop.Advance(grace)
		w.Expect(`{"event":"failed","action":"power_off","reason":"night","failure":"no way","inhibitors":0}`)
		b.Watch("Events", `{}`).Expect(`{"event":"idle","inhibitors":0}`)
		if !strings.Contains(b.Log.String(), `err="no way"`) {
			t.Errorf("the log does not say why: %s", b.Log.String())
		}
	})
}

// TestWorkerThatIsBusy is asked again.
func TestWorkerThatIsBusy(t *testing.T) {
	k := board()
	b := open(t, k)
	b.Expect("Reboot", `{"reason":"x"}`, `{}`)
	b.Loop.Full = true
	b.Loop.Advance(time.Second)
	expectAsked(t, k, "while it is", "")
	b.Loop.Full = false
	b.Loop.Advance(grace)
	expectAsked(t, k, "afterwards", "reboot ")
}

// TestClose drops what waits, and says so.
func TestClose(t *testing.T) {
	k := board()
	b := open(t, k)
	fd := inhibit(b, "suspend", "x")
	defer unix.Close(fd)
	b.Expect("Reboot", `{"delayMSec":1000,"reason":"an update"}`, `{}`)
	b.Close()
	b.Loop.Advance(time.Minute)
	expectAsked(t, k, "afterwards", "")
	if !strings.Contains(b.Log.String(), "a request is dropped") {
		t.Errorf("the log does not say so: %s", b.Log.String())
	}
}

// shelf is a hal.Keeper, which has descriptors of its own.
type shelf struct {
	mu   sync.Mutex
	kept map[string]kept
}

type kept struct {
	fd     int
	record string
}

func (s *shelf) Take(name string) (int, []byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.kept[name]
	if !ok || k.fd < 0 {
		return -1, []byte(k.record), ok
	}
	fd, err := unix.Dup(k.fd)
	return fd, []byte(k.record), err == nil
}

func (s *shelf) Keep(name string, fd int, record []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.Contains(string(record), "unwanted") {
		return errors.New("no room")
	}
	own, err := unix.Dup(fd)
	s.kept[name] = kept{own, string(record)}
	return err
}

func (s *shelf) Push(name string, fd int, record []byte) error { return s.Keep(name, fd, record) }
func (s *shelf) Note(string, []byte) error                     { return nil }
func (s *shelf) Wait() error                                   { return nil }

func (s *shelf) Drop(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k, ok := s.kept[name]; ok && k.fd >= 0 {
		_ = unix.Close(k.fd)
	}
	delete(s.kept, name)
}

// expectEmpty expects that nothing is kept.
func (s *shelf) expectEmpty(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.kept) != 0 {
		t.Errorf("%v are kept", s.kept)
	}
}

// restart opens the class as the next process does.
func restart(t *testing.T, k *shelf) *simtest.Bench {
	t.Helper()
	kernel := board()
	b, err := simtest.TryOpenIn(t, Driver(), &hal.Env{Kernel: kernel, Machine: kernel, Keeper: k})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestInhibitorOutlivesHalberd: the next process has it, and hears of its end; what ended meanwhile is gone.
func TestInhibitorOutlivesHalberd(t *testing.T) {
	k := &shelf{kept: map[string]kept{}}
	b := restart(t, k)
	first, second, third := inhibit(b, "all", "one"), inhibit(b, "suspend", "two"), inhibit(b, "shutdown", "three")
	_ = unix.Close(first)
	b.Loop.Turn()
	b.Close()
	if _, err := unix.Write(second, []byte("x")); err != nil {
		t.Fatal(err)
	}
	_ = unix.Close(third) // while nobody runs
	b = restart(t, k)
	b.Loop.Turn()
	b.Expect("Inhibitors", `{}`, `{"inhibitors":[{"what":"suspend","why":"two"}]}`)
	b.Expect("Suspend", `{}`, `Busy{"class":"Power","device":"suspend","holder":"two"}`)
	fourth := inhibit(b, "all", "four")
	_, _ = unix.Close(second), unix.Close(fourth)
	b.Loop.Turn()
	b.Expect("Inhibitors", `{}`, `{"inhibitors":[]}`)
	k.expectEmpty(t)
}

// TestKeptNonsense is dropped, and one that cannot be kept is an inhibitor all the same.
func TestKeptNonsense(t *testing.T) {
	k := &shelf{kept: map[string]kept{"inhibitor-0": {-1, "all\x00user\x00no descriptor"}, "inhibitor-7": {-1, "nonsense"}}}
	b := restart(t, k)
	b.Loop.Turn()
	b.Expect("Inhibitors", `{}`, `{"inhibitors":[]}`)
	k.expectEmpty(t)
	fd := inhibit(b, "all", "unwanted")
	defer unix.Close(fd)
	b.Expect("Reboot", `{"reason":"x"}`, `Busy{"class":"Power","device":"reboot","holder":"unwanted"}`)
	if !strings.Contains(b.Log.String(), "an inhibitor will end with this process") {
		t.Errorf("the log does not say so: %s", b.Log.String())
	}
}
