// Package simtest lets the tests of a class make calls through the gate, as the server makes them, and compare what comes back.
package simtest

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/hal/wire"
)

// The conformance suite looks for -update, and may declare it itself.
var _ = declareUpdate()

func declareUpdate() bool {
	if flag.Lookup("update") == nil {
		flag.Bool("update", false, "write the golden files of testdata anew")
	}
	return true
}

// Entry declares a device as board.toml does: table, ID, and the keys as JSON.
type Entry struct{ Table, ID, Keys string }

// Bench is a class that is open for a test.
type Bench struct {
	*testing.T
	Class *hal.Class
	Loop  *haltest.Loop
	// Log is what the class logged.
	Log strings.Builder
	// Leases is what the class has leased.
	Leases hal.Leases
	// Files are the descriptors that rode the last reply, which the test closes.
	Files []int

	caller *Connection
}

// Open opens a class on a kernel, and closes it when the test ends.
func Open(t *testing.T, driver hal.Driver, kernel hal.Kernel, first bool, entries ...Entry) *Bench {
	t.Helper()
	b, err := TryOpen(t, driver, kernel, first, entries...)
	if err != nil {
		t.Fatalf("open %s: %v", driver.Class, err)
	}
	return b
}

// TryOpen opens a class that may refuse its entries. The n-th entry stands at line n of board.toml. A kernel that is a hal.Machine, as the simulated one is, is the machine, too.
func TryOpen(t *testing.T, driver hal.Driver, kernel hal.Kernel, first bool, entries ...Entry) (*Bench, error) {
	t.Helper()
	machine, _ := kernel.(hal.Machine)
	return TryOpenIn(t, driver, &hal.Env{Kernel: kernel, Machine: machine, FirstStart: first}, entries...)
}

// TryOpenIn is TryOpen with more of an Env than a kernel, as a State. Its loop, its log and its entries are the bench's.
func TryOpenIn(t *testing.T, driver hal.Driver, env *hal.Env, entries ...Entry) (*Bench, error) {
	t.Helper()
	b := &Bench{T: t, Loop: haltest.NewLoop()}
	env.Loop, env.Log, env.Leases = b.Loop, slog.New(slog.NewTextHandler(&b.Log, nil)), &b.Leases
	for i, e := range entries {
		one, err := decode(t, driver, e, i+1)
		if err != nil {
			return b, err
		}
		env.Entries = append(env.Entries, one)
	}
	class, err := driver.Open(env)
	if err != nil {
		return b, err
	}
	b.Class = class
	if err := hal.NewCatalog().AddClass(class); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b, nil
}

// decode reads an entry. Its error is what a bad board.toml would be refused with.
func decode(t *testing.T, driver hal.Driver, e Entry, line int) (hal.Entry, error) {
	t.Helper()
	where := fmt.Sprintf("board.toml:%d", line)
	for i := range driver.Tables {
		if driver.Tables[i].Name != e.Table {
			continue
		}
		v, err := driver.Tables[i].Decode(wire.Value(e.Keys))
		if err != nil {
			return hal.Entry{}, fmt.Errorf("%s: %s.%s: %w", where, e.Table, e.ID, err)
		}
		return hal.Entry{Table: e.Table, ID: e.ID, Where: where, Value: v}, nil
	}
	t.Fatalf("%s has no table %s", driver.Class, e.Table)
	return hal.Entry{}, nil
}

// Close closes the class once.
func (b *Bench) Close() {
	if b.Class != nil && b.Class.Close != nil {
		b.Class.Close()
	}
	b.Class = nil
}

// Method finds a method.
func (b *Bench) Method(name string) *hal.Method {
	b.Helper()
	for _, m := range b.Class.Methods {
		if m.Name == name {
			return m
		}
	}
	b.Fatalf("%s has no method %s", b.Class.Name, name)
	return nil
}

type open struct{}

func (open) Permit(*hal.Call) error { return nil }

// Permit decodes a call and passes the gate.
func (b *Bench) Permit(method, parameters string) (hal.Permitted, *hal.Call, error) {
	b.Helper()
	if err := wire.Valid([]byte(parameters)); err != nil {
		b.Fatalf("%s %s: %v", method, parameters, err)
	}
	call, err := b.Method(method).Decode(wire.Value(parameters))
	if err != nil {
		return hal.Permitted{}, nil, err
	}
	permitted, err := call.Authorise(open{})
	if err != nil {
		call.Release()
	}
	return permitted, call, err
}

// Call makes a call, on a goroutine of its own where the device has a bus and the loop is not Inline, and gives the reply or the error's name and fields.
func (b *Bench) Call(method, parameters string) string {
	b.Helper()
	permitted, call, err := b.Permit(method, parameters)
	if err != nil {
		return Text(err)
	}
	defer call.Release()
	if err := b.carryOut(call, permitted); err != nil {
		return Text(err)
	}
	reply := permitted.Reply(nil)
	b.Files = permitted.Files()
	if !json.Valid(reply) {
		b.Errorf("%s %s: no JSON: %s", method, parameters, reply)
	}
	return string(reply)
}

// carryOut runs a call that was permitted. One that is answered later runs until then, in simulated time, or for a minute of it.
func (b *Bench) carryOut(call *hal.Call, permitted hal.Permitted) error {
	bus, err := permitted.Bus()
	switch {
	case err != nil:
		return err
	case call.Method.Later:
		return b.await(permitted)
	case bus == "" || b.Loop.Inline:
		err = permitted.Run(b.Holder())
	default:
		ran := make(chan error)
		go func() { ran <- permitted.Run(b.Holder()) }()
		err = <-ran
	}
	b.Loop.Turn()
	return err
}

func (b *Bench) await(permitted hal.Permitted) (err error) {
	b.Helper()
	answered := false
	permitted.Start(b.Holder(), func(e error) { err, answered = e, true })
	b.Loop.Turn()
	for range 6000 {
		if answered {
			return err
		}
		b.Loop.Advance(10 * time.Millisecond)
	}
	b.Fatal("the call is not answered")
	return nil
}

// Connection is what makes calls: one of a user.
type Connection struct {
	owner hal.Owner
	ends  []func()
}

// Ended calls f when the connection ends.
func (c *Connection) Ended(f func()) (stop func()) {
	i := len(c.ends)
	c.ends = append(c.ends, f)
	return func() {
		if i < len(c.ends) {
			c.ends[i] = nil
		}
	}
}

// Owner is its user.
func (c *Connection) Owner() hal.Owner { return c.owner }

// Connect lets another connection of a user make the calls from now on. Those before stay as they are.
func (b *Bench) Connect(owner hal.Owner) *Connection {
	b.caller = &Connection{owner: owner}
	return b.caller
}

// Use lets a connection make the calls from now on that another one took the place of.
func (b *Bench) Use(c *Connection) { b.caller = c }

// Holder is who makes the calls, until Hangup ends it; then it is another connection of somebody.
func (b *Bench) Holder() hal.Holder {
	if b.caller == nil {
		b.Connect("somebody")
	}
	return b.caller
}

// Hangup ends the connection that makes the calls, whatever ends it.
func (b *Bench) Hangup() {
	if b.caller == nil {
		return
	}
	c := b.caller
	b.caller = nil
	c.End()
	b.Loop.Turn()
}

// End ends the connection, without a turn of the loop.
func (c *Connection) End() {
	ends := c.ends
	c.ends = nil
	for _, f := range ends {
		if f != nil {
			f()
		}
	}
}

// Text writes an error as a test expects it: Busy{"class":"Led","device":"front"}.
func Text(err error) string {
	var refusal hal.Refusal
	if !errors.As(err, &refusal) {
		return "failure: " + err.Error()
	}
	name := refusal.ErrorName()
	return name[strings.LastIndexByte(name, '.')+1:] + string(hal.Encode(nil, refusal))
}

// Expect makes a call and compares what comes back.
func (b *Bench) Expect(method, parameters, want string) {
	b.Helper()
	if got := b.Call(method, parameters); got != want {
		b.Errorf("%s %s:\n got %s\nwant %s", method, parameters, got, want)
	}
}

// Declared reads what the devices say about themselves for board.toml.
func (b *Bench) Declared() (entries []Entry) {
	b.Helper()
	for i := range b.Class.Devices.Len() {
		text := b.Class.Devices.At(i).(hal.Declarer).Declaration()
		var board map[string]map[string]any
		if _, err := toml.Decode(text, &board); err != nil {
			b.Fatalf("%s: %v", text, err)
		}
		for table, devices := range board {
			for id, keys := range devices {
				object, err := json.Marshal(keys)
				if err != nil {
					b.Fatal(err)
				}
				entries = append(entries, Entry{table, id, string(object)})
			}
		}
	}
	return entries
}

// IDs lists the devices.
func (b *Bench) IDs() string {
	var ids []string
	for i := range b.Class.Devices.Len() {
		ids = append(ids, b.Class.Devices.At(i).ID())
	}
	return strings.Join(ids, " ")
}

// ExpectIDs compares what devices there are.
func (b *Bench) ExpectIDs(want string) {
	b.Helper()
	if got := b.IDs(); got != want {
		b.Errorf("devices:\n got %s\nwant %s", got, want)
	}
}

// Rescan lets the class look what came and went, which must not want to look again.
func (b *Bench) Rescan() {
	b.Helper()
	if b.Class.Rescan() {
		b.Errorf("it wants to look again: %s", b.Log.String())
	}
	b.Loop.Turn()
}

// Watch is a running watch.
type Watch struct {
	b       *Bench
	session *hal.Session
	events  []string
	// Blocked lets the reader take nothing.
	Blocked bool
	// Failed is the error that ended the watch.
	Failed error
}

// Watch begins a watch, and ends the test where that fails.
func (b *Bench) Watch(method, parameters string) *Watch {
	b.Helper()
	w, err := b.TryWatch(method, parameters)
	if err != nil {
		b.Fatalf("%s %s: %v", method, parameters, err)
	}
	return w
}

// TryWatch begins a watch that may be refused.
func (b *Bench) TryWatch(method, parameters string) (*Watch, error) {
	b.Helper()
	permitted, _, err := b.Permit(method, parameters)
	if err != nil {
		return nil, err
	}
	w := &Watch{b: b}
	if w.session, err = permitted.Watch(b.Holder(), w); err != nil {
		return nil, err
	}
	b.Loop.Turn()
	return w, nil
}

// Event takes an event.
func (w *Watch) Event(encode func([]byte) []byte) bool {
	if !w.Blocked {
		w.events = append(w.events, string(encode(nil)))
	}
	return !w.Blocked
}

// Submit hands a job to the loop.
func (w *Watch) Submit(bus string, job, done func()) error { return w.b.Loop.Submit(bus, job, done) }

// Fail takes the error that ends the watch.
func (w *Watch) Fail(err error) { w.Failed = err }

// Stop ends the watch.
func (w *Watch) Stop() { w.session.Stop() }

// Flush lets a reader that was blocked go on.
func (w *Watch) Flush() {
	w.Blocked = false
	w.session.Flush()
}

// Events gives what came since it was asked last, without the counters, one event a line.
func (w *Watch) Events() string {
	w.b.Helper()
	w.b.Loop.Turn()
	var all []string
	for _, e := range w.events {
		counters := strings.LastIndex(e, `,"sequence":`)
		all = append(all, e[:counters]+"}")
	}
	w.events = nil
	return strings.Join(all, "\n")
}

// Expect compares what came since it was asked last.
func (w *Watch) Expect(want ...string) {
	w.b.Helper()
	if got := w.Events(); got != strings.Join(want, "\n") {
		w.b.Errorf("events:\n got %s\nwant %s", got, strings.Join(want, "\n"))
	}
}
