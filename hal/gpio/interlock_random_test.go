package gpio

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
	"github.com/halberd-io/halberd/hal/wire"
)

// plant is a board on which interlocks of every kind share lines: over three chips, two of them on slow buses, with groups, active-low lines and every kind of start and release.
var plant = struct {
	chips   []sim.Chip
	entries []simtest.Entry
	locks   map[string][]string // the lines of each, by their names at the chips
}{
	chips: []sim.Chip{
		{Label: "near", Lines: []sim.Line{{Name: "A"}, {Name: "B", Level: 1}, {Name: "C"}, {Name: "D"}}},
		{Label: "far", Under: sim.OnI2C, Lines: []sim.Line{{Name: "E"}, {Name: "F", Level: 1}, {Name: "G"}}},
		{Label: "else", Under: "platform/halberd-spi=platform/spi0=spi/spi0.0=spi", Lines: []sim.Line{{Name: "H"}, {Name: "I"}}},
	},
	entries: []simtest.Entry{
		declare("a", `{"chip":"near","line":"A","direction":"output","safe":0}`),
		declare("b", `{"chip":"near","line":"B","direction":"output","active-low":true,"initial":1,"safe":0}`),
		declare("c", `{"chip":"near","line":"C","direction":"output","on-release":"hold"}`),
		declare("d", `{"chip":"near","line":"D","direction":"output","safe":1}`),
		declare("e", `{"chip":"far","line":"E","direction":"output","safe":0}`),
		declare("f", `{"chip":"far","line":"F","direction":"output","active-low":true}`),
		declare("g", `{"chip":"far","line":"G","direction":"output","initial":0}`),
		declare("h", `{"chip":"else","line":"H","direction":"output","safe":0,"initial":1}`),
		declare("i", `{"chip":"else","line":"I","direction":"output"}`),
		together("near-pair", `"c","d"`), together("far-pair", `"f","g"`),
		interlocked("one-of-two", `"a","e"`, `,"dead-time-msec":60`),
		interlocked("one-of-all-buses", `"b","e","i"`, ``),
		interlocked("pairs", `"c","d","f","g"`, ``),
		interlocked("two-of-four", `"d","f","h","i"`, `,"max-active":2,"dead-time-msec":7`),
		interlocked("two-at-once", `"a","c","h"`, `,"max-active":2`),
	},
}

// interlocked declares an interlock.
func interlocked(name, lines, more string) simtest.Entry {
	return simtest.Entry{Table: interlockTable, ID: name, Keys: `{"name":"` + name + `","never-together":[` + lines + `]` + more + `}`}
}

// TestSoakInterlocks drives random calls from many clients, at the same time on several buses, while transfers take their time, writes fail, clients and chips go, other processes take lines, and the daemon is stopped and
// killed; and looks at every change of a line at the simulated chip, in simulated time, whether an interlock is violated.
//
// It makes 20,000 calls, and a million where HALBERD_SOAK is set, as `make soak` does.
func TestSoakInterlocks(t *testing.T) {
	steps := 20_000
	if os.Getenv("HALBERD_SOAK") != "" {
		steps = 1_000_000
	}
	synctest.Test(t, func(t *testing.T) { newRig(t).run(steps) })
}

// rig is the board, the daemon on it, and its clients.
type rig struct {
	t       *testing.T
	sim     *sim.Kernel
	oracle  *oracle
	entries []hal.Entry
	daemon  atomic.Pointer[daemon] // the last one that was started
	left    atomic.Int64

	mu       sync.Mutex
	outcomes map[string]int
}

// daemon is one process.
type daemon struct {
	kernel *unruly
	loop   *bubble
	env    *hal.Env
	class  *hal.Class
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, sim: sim.New(sim.Options{Bare: true}), outcomes: map[string]int{}, oracle: &oracle{pins: map[string]*pin{}}}
	for _, c := range plant.chips {
		r.sim.AddChip(c)
	}
	driver := Driver()
	pins := map[string]*pin{}
	for i, e := range plant.entries {
		one := decoded(t, driver, e, i+1)
		r.entries = append(r.entries, one)
		switch v := one.Value.(type) {
		case *entry:
			p := &pin{name: v.Line.Name, low: v.ActiveLow.Value}
			pins[e.ID], r.oracle.pins[p.name] = p, p
		case *interlockEntry:
			lock := oracleLock{name: v.Name, most: v.most(), dead: v.deadTime()}
			for _, id := range v.Members {
				lock.pins = append(lock.pins, pins[id])
			}
			r.oracle.locks = append(r.oracle.locks, lock)
		}
	}
	r.sim.Observe(r.oracle.see)
	return r
}

func decoded(t *testing.T, driver hal.Driver, e simtest.Entry, line int) hal.Entry {
	t.Helper()
	at := slices.IndexFunc(driver.Tables, func(table hal.Table) bool { return table.Name == e.Table })
	v, err := driver.Tables[at].Decode(wire.Value(e.Keys))
	if err != nil {
		t.Fatal(err)
	}
	return hal.Entry{Table: e.Table, ID: e.ID, Where: fmt.Sprintf("board.toml:%d", line), Value: v}
}

func (r *rig) run(steps int) {
	r.left.Store(int64(steps))
	r.start(true)
	var clients sync.WaitGroup
	for i := range 12 {
		clients.Go(func() { r.client(rand.New(rand.NewPCG(uint64(i), rand.Uint64()))) })
	}
	fate := rand.New(rand.NewPCG(rand.Uint64(), 0))
	for r.left.Load() > 0 && r.oracle.verdict() == "" {
		time.Sleep(time.Duration(20+fate.IntN(300)) * time.Millisecond)
		r.befall(fate)
	}
	r.left.Store(0)
	clients.Wait()
	r.stop()
	r.report()
}

// report compares what came of it. What never happened was not tried.
func (r *rig) report() {
	if wrong := r.oracle.verdict(); wrong != "" {
		r.t.Error(wrong)
	}
	var all []string
	for what, n := range r.outcomes {
		all = append(all, fmt.Sprintf("%s %d", what, n))
	}
	slices.Sort(all)
	r.t.Logf("%d changes at the chips; %s", r.oracle.changes, strings.Join(all, ", "))
	for _, p := range r.oracle.pins {
		if p.rises < 10 {
			r.t.Errorf("%s went to 1 only %d times", p.name, p.rises)
		}
	}
	for _, what := range []string{"Set done", "SetMany done", "Toggle done", "Pulse done", "claim done", "release done", "Safe done", "Set active", "Set early", "SetMany active", "SetMany early", "Pulse active", "Pulse early",
		"Pulse NotSupported", "Configure NotSupported", "Lease NotSupported", "Set System", "SetMany System", "stop", "kill", "unplug", "outsider"} {
		if r.outcomes[what] == 0 {
			r.t.Errorf("never happened: %s", what)
		}
	}
}

func (r *rig) count(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outcomes[what]++
}

// start starts the daemon.
func (r *rig) start(first bool) {
	d := &daemon{kernel: &unruly{Kernel: r.sim, faults: 40, open: map[int]string{}}, loop: newBubble()}
	d.env = &hal.Env{Kernel: d.kernel, Loop: d.loop, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Entries: r.entries, FirstStart: first}
	r.oracle.begin()
	d.loop.Do(func() {
		var err error
		if d.class, err = Open(d.env); err == nil {
			err = hal.NewCatalog().AddClass(d.class)
		}
		if err != nil {
			panic(err)
		}
	})
	r.daemon.Store(d)
}

// stop stops the daemon, once its workers are done.
func (r *rig) stop() {
	d := r.daemon.Load()
	for stopped := false; !stopped; time.Sleep(time.Millisecond) {
		d.loop.Do(func() {
			if stopped = d.loop.pending == 0; stopped {
				d.class.Close()
				d.class = nil
			}
		})
	}
	d.loop.end()
	d.kernel.kill() // of what a killed one left behind, nothing
}

func (r *rig) kill() {
	d := r.daemon.Load()
	d.kernel.kill()
	d.loop.end()
}

// befall lets something happen to the daemon or its board.
func (r *rig) befall(fate *rand.Rand) {
	switch fate.IntN(4) {
	case 0:
		r.count("stop")
		r.oracle.Note("stop")
		r.stop()
		r.again(fate)
	case 1:
		r.count("kill")
		r.oracle.Note("kill")
		r.kill()
		r.again(fate)
	default:
		r.count("unplug")
		r.unplug(fate)
	}
}

// again starts the daemon again. Sometimes another process has one of its lines.
func (r *rig) again(fate *rand.Rand) {
	release := func() {}
	if chip := fate.IntN(6); chip < 3 {
		r.count("outsider")
		release = take(r.t, r.sim, fmt.Sprintf("gpiochip%d", chip), uint32(fate.IntN(len(plant.chips[chip].Lines))))
	}
	r.start(fate.IntN(3) == 0)
	time.Sleep(time.Duration(fate.IntN(60)) * time.Millisecond)
	release()
}

// unplug takes a chip away for a while.
func (r *rig) unplug(fate *rand.Rand) {
	n := fate.IntN(3)
	name := fmt.Sprintf("gpiochip%d", n)
	var lines []string
	for _, l := range plant.chips[n].Lines {
		lines = append(lines, l.Name)
	}
	r.on(func(d *daemon) {
		r.sim.Unplug(name)
		r.oracle.gone("unplug "+name, lines)
		d.kernel.lose("/dev/" + name)
	})
	time.Sleep(time.Duration(fate.IntN(5)) * time.Millisecond)
	r.rescan()
	time.Sleep(time.Duration(fate.IntN(50)) * time.Millisecond)
	r.sim.Plug(name)
	r.oracle.Note("plug " + name)
	r.rescan()
}

// rescan lets the class look until all is there.
func (r *rig) rescan() {
	for again := true; again; time.Sleep(time.Millisecond) {
		r.on(func(d *daemon) { again = d.class.Rescan() })
	}
}

// on runs f on the loop of the daemon.
func (r *rig) on(f func(d *daemon)) {
	d := r.daemon.Load()
	d.loop.Do(func() {
		if d.class != nil {
			f(d)
		}
	})
}

var errDown = errors.New("no daemon")

// call makes a call as the server does, and waits for its answer.
func (r *rig) call(method, parameters string) {
	d := r.daemon.Load()
	answer := make(chan error, 1)
	d.loop.Post(func() {
		if d.class == nil {
			answer <- errDown
			return
		}
		d.call(method, parameters, func(err error) { answer <- err })
	})
	var err error
	select {
	case err = <-answer:
	case <-d.loop.quit:
		err = errDown
	}
	r.count(method + " " + outcome(err))
}

func (d *daemon) call(method, parameters string, done func(error)) {
	at := slices.IndexFunc(d.class.Methods, func(m *hal.Method) bool { return m.Name == method })
	call, err := d.class.Methods[at].Decode(wire.Value(parameters))
	if err != nil {
		done(err)
		return
	}
	end := func(err error) {
		call.Release()
		done(err)
	}
	permitted, err := call.Authorise(anybody{})
	if err != nil {
		end(err)
		return
	}
	bus, err := permitted.Bus()
	switch {
	case err != nil:
		end(err)
	case call.Method.Later:
		permitted.Start(&simtest.Connection{}, end)
	case bus == "":
		end(permitted.Run(nil))
	default:
		if full := d.loop.Submit(bus, func() { err = permitted.Run(nil) }, func() { end(err) }); full != nil {
			end(full)
		}
	}
}

type anybody struct{}

func (anybody) Permit(*hal.Call) error { return nil }

// outcome is one word for an answer. Interlocked is active or early.
func outcome(err error) string {
	var refusal hal.Refusal
	switch locked, ok := errors.AsType[*hal.Interlocked](err); {
	case err == nil:
		return "done"
	case ok && locked.RetryAfterMSec.Set:
		return "early"
	case ok:
		return "active"
	case errors.As(err, &refusal):
		name := refusal.ErrorName()
		return name[strings.LastIndexByte(name, '.')+1:]
	}
	return "unanswered"
}

// client makes calls, one after the other, but for those whose answers it does not wait for.
func (r *rig) client(chance *rand.Rand) {
	var abandoned sync.WaitGroup
	defer abandoned.Wait()
	for r.left.Add(-1) >= 0 {
		call := r.choose(chance)
		if chance.IntN(10) == 0 {
			abandoned.Go(call)
		} else {
			call()
		}
		time.Sleep(time.Duration(chance.IntN(6000)) * time.Microsecond)
	}
}

// choose chooses a call.
func (r *rig) choose(chance *rand.Rand) func() {
	id := string(rune('a' + chance.IntN(9)))
	value := chance.IntN(2)
	method, in := "", ""
	switch n := chance.IntN(100); {
	case n < 35:
		method, in = "Set", fmt.Sprintf(`{"line":"%s","value":%d}`, id, value)
	case n < 60:
		method, in = "SetMany", `{"values":`+someValues(chance)+`}`
	case n < 70:
		method, in = "Toggle", fmt.Sprintf(`{"line":"%s"}`, id)
	case n < 85:
		method, in = "Pulse", fmt.Sprintf(`{"line":"%s","value":%d,"durationUSec":%d}`, id, value, 1+chance.IntN(20_000))
	case n < 89:
		method, in = "Configure", fmt.Sprintf(`{"line":"%s",%s}`, id, [...]string{`"activeLow":true`, `"activeLow":false`, `"direction":"input"`, `"initial":1`, `"drive":"open_drain"`}[chance.IntN(5)])
	case n < 90:
		method, in = "Lease", fmt.Sprintf(`{"lines":["%s"]}`, id)
	case n < 92:
		return r.safe
	default:
		during := time.Duration(chance.IntN(20)) * time.Millisecond
		return func() { r.claim(id, during) }
	}
	return func() { r.call(method, in) }
}

// someValues are those of two to four lines, mostly of such as can be set by one call.
func someValues(chance *rand.Rand) string {
	from := [...]string{"abcdefg", "abcdhi", "cdfg", "abcd"}[chance.IntN(4)]
	var all []string
	for _, at := range chance.Perm(len(from))[:2+chance.IntN(3)] {
		all = append(all, fmt.Sprintf(`"%c":%d`, from[at], chance.IntN(2)))
	}
	return "{" + strings.Join(all, ",") + "}"
}

// safe brings the outputs to their safe values as Board.Safe does.
func (r *rig) safe() {
	r.count("Safe done")
	r.on(func(d *daemon) {
		all := d.class.Safe()
		slices.SortStableFunc(all, func(a, b hal.SafeOutput) int { return int(a.Value - b.Value) })
		buses := map[string][]hal.SafeOutput{}
		for _, o := range all {
			buses[o.Device.Bus()] = append(buses[o.Device.Bus()], o)
		}
		for bus, outputs := range buses {
			bring := func() {
				for _, o := range outputs {
					_ = o.Bring()
				}
			}
			if bus == "" {
				bring()
			} else {
				_ = d.loop.Submit(bus, bring, func() {})
			}
		}
	})
}

// claim claims a line for a while, and then the connection ends.
func (r *rig) claim(id string, during time.Duration) {
	d := r.daemon.Load()
	var release func() error
	answered := r.errand(d, id, "claim", func(l hal.Claimable) (err error) { release, err = l.Claim(); return err })
	time.Sleep(during)
	if answered && release != nil {
		r.errand(d, id, "release", func(hal.Claimable) error { return release() })
	}
}

// errand runs f where calls on a line run. Where the daemon ends meanwhile there is no answer.
func (r *rig) errand(d *daemon, id, what string, f func(hal.Claimable) error) (answered bool) {
	answer := make(chan error, 1)
	d.loop.Post(func() {
		if d.class == nil {
			answer <- errDown
			return
		}
		for i := range d.class.Devices.Len() {
			if l := d.class.Devices.At(i); l.ID() == id {
				hal.Errand(d.env, class, l, func() error { return f(l.(hal.Claimable)) }, func(err error) { answer <- err })
				return
			}
		}
		answer <- hal.GoneDevice(class, id)
	})
	select {
	case err := <-answer:
		r.count(what + " " + outcome(err))
		return true
	case <-d.loop.quit:
		return false
	}
}
