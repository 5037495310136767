package haltest

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
)

// toy is a class of lamps, with whatever is wrong about it. Nothing is by default.
type toy struct {
	env   *hal.Env
	lamps *hal.Set[*lamp]
	most  int64 // the greatest level that messages take
	moods int64
	wrong flaws
}

// flaws are what the suite has to find.
type flaws struct {
	name, doc, methodDoc, fieldDoc, nestedDoc, tableDoc, keyDoc                string // what stands there instead
	fieldName, unitName, enumValue, twice, methodName                          string
	verb                                                                       hal.Verb
	unit                                                                       hal.Unit
	device, shelf                                                              string
	lax, tight, panics, slow, alias, badID, twoIDs, nosy, sneaky               bool
	wrongResult, extraResult, missingResult, observerWrites, fails             bool
	leaks, swallowsWrite, swallowsRead, plainErrors, vague, panicsLate, sticks bool
	leavesTimer, leavesGoroutine, leavesDescriptor, leavesPoll, leavesLease    bool
	closesOnce, touchesLater, noClass, panicsOpening                           bool
	noRescan, noSubsystems, noPlug, forgetful, byName, keepsGone, quiet        bool
	restless, givesUp, reopens, panicsRescanning                               bool
	chatters, moody                                                            bool
}

type lamp struct {
	toy     *toy
	id      string
	fd      int
	inode   uint64
	changes hal.Feed[int64]
	told    int64 // to its watchers
	ends    hal.Feed[error]
	stop    func()
	stuck   bool
}

func (l *lamp) ID() string { return l.id }

func (l *lamp) Bus() string {
	if l.toy.wrong.slow {
		return "bus"
	}
	return ""
}

// or gives what a flaw puts in the place of the right word; "-" stands for nothing.
func or(flaw, right string) string {
	switch flaw {
	case "":
		return right
	case "-":
		return ""
	}
	return flaw
}

type entry struct {
	toy  *toy
	Name string
}

func (e *entry) Fields(f *hal.Fields) {
	f.Text("name", &e.Name, "The lamp's name.")
}

// driver makes the class's driver.
func (y *toy) driver() hal.Driver {
	table := hal.NewTable[entry]("lamp", or(y.wrong.tableDoc, "A lamp."))
	if y.wrong.keyDoc != "" {
		table.Fields[0].Doc = or(y.wrong.keyDoc, "")
	}
	return hal.Driver{Class: "Lamp", Tables: []hal.Table{table}, Open: y.openClass}
}

func (y *toy) openClass(env *hal.Env) (*hal.Class, error) {
	if y.wrong.panicsOpening {
		panic("opening")
	}
	if y.wrong.noClass {
		return nil, nil
	}
	y.env, y.most, y.lamps = env, 255, hal.NewSet[*lamp]("Lamp", "lamp")
	names, err := env.Kernel.ReadDir("/sys/lamps")
	if err != nil {
		return nil, fmt.Errorf("cannot list lamps: %w", err)
	}
	for _, name := range names {
		if err := y.add(name); err != nil {
			if !y.wrong.leaks {
				y.close()
			}
			return nil, err
		}
	}
	y.begin()
	class := &hal.Class{Name: or(y.wrong.name, "Lamp"), Doc: or(y.wrong.doc, "Lamps."), Methods: y.methods(), Devices: y.inventory(), Close: y.close}
	y.plugs(class)
	if y.wrong.lax {
		y.most = 1000
	}
	if y.wrong.tight {
		y.most = 254
	}
	return class, nil
}

func (y *toy) add(name string) error {
	inode, err := y.env.Kernel.Inode("/sys/lamps/" + name)
	if err != nil {
		return fmt.Errorf("cannot find a lamp: %w", err)
	}
	fd, err := y.env.Kernel.Open("/sys/lamps/"+name, unix.O_RDWR)
	if err != nil {
		return fmt.Errorf("cannot open a lamp: %w", err)
	}
	return y.lamps.Add(&lamp{toy: y, id: name, fd: fd, inode: inode})
}

// begin is where flaws begin that go on by themselves.
func (y *toy) begin() {
	if y.wrong.leavesTimer {
		y.env.Loop.After(time.Hour, func() {})
	}
	if y.wrong.leavesLease {
		y.env.Leases.Begin("Lamp", y.lamps.All()[0], somebody{})
	}
	if y.wrong.leavesGoroutine {
		go func() { <-make(chan int) }()
	}
	if y.wrong.touchesLater {
		y.env.Loop.After(time.Second, func() { _, _ = y.env.Kernel.ReadDir("/sys/lamps") })
	}
	if y.wrong.leavesPoll {
		_ = y.env.Loop.Poll(mustEventfd(), func() {})
	}
	if y.wrong.leavesDescriptor {
		_ = mustEventfd()
	}
}

func mustEventfd() int {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		panic(err)
	}
	return fd
}

func (y *toy) close() {
	for _, l := range y.lamps.All() {
		if l.fd < 0 && y.wrong.closesOnce {
			panic("closed twice")
		}
		l.rest()
		if l.fd >= 0 {
			_ = y.env.Kernel.Close(l.fd)
		}
		l.fd = -1
	}
}

// inventory lists the lamps, and what a flaw adds.
func (y *toy) inventory() hal.Inventory {
	switch {
	case y.wrong.badID:
		return also{y.lamps, &lamp{toy: y, id: "a b"}}
	case y.wrong.twoIDs:
		return also{y.lamps, y.lamps.At(0)}
	case y.wrong.shelf != "":
		return also{y.lamps, shelf(y.wrong.shelf)}
	}
	return y.lamps
}

// shelf is a device of another kind, which a flaw adds.
type shelf string

func (s shelf) ID() string               { return string(s) }
func (shelf) Bus() string                { return "" }
func (shelf) count(_, _ *hal.None) error { return nil }

type also struct {
	*hal.Set[*lamp]
	more hal.Device
}

func (a also) Len() int { return a.Set.Len() + 1 }
func (a also) At(i int) hal.Device {
	if i < a.Set.Len() {
		return a.Set.At(i)
	}
	return a.more
}

// finder finds lamps, in ways that it must not where a flaw says so.
type finder struct {
	*hal.Set[*lamp]
	toy *toy
}

func (f finder) Find(id []byte) (*lamp, bool) {
	y := f.toy
	if y.wrong.nosy {
		_, _ = y.env.Kernel.ReadDir("/sys/lamps")
	}
	if y.wrong.sneaky {
		if l, ok := f.Set.Find(id); ok {
			y.env.Loop.After(time.Second, func() { _ = l.write(1) })
		}
	}
	if y.wrong.alias {
		id = []byte(strings.ToLower(string(id)))
	}
	return f.Set.Find(id)
}

func (y *toy) methods() []*hal.Method {
	set := finder{y.lamps, y}
	methods := []*hal.Method{
		hal.On(set, hal.Observe, "Get", or(y.wrong.methodDoc, "Reads the level."), y.get),
		hal.On(set, hal.Control, or(y.wrong.methodName, "Set"), "Sets the level.", y.set),
		hal.OnMany(set, hal.Control, "SetMany", "Sets several.", y.setMany),
		hal.OnValues(set, hal.Control, hal.Values{Name: "levels", Of: hal.Range{Min: 1, Max: 255}, Doc: "The level of each."}, "SetLevels", "Sets several to levels of their own.", y.setLevels),
		hal.Plain(hal.Hazard, "Send", "Takes every kind of parameter.", y.send),
		hal.Follow(set, hal.Observe, "Watch", "Reports the level.", y.get, y.start),
	}
	for _, m := range methods {
		m.Verb = max(m.Verb, y.wrong.verb)
	}
	if y.wrong.lax {
		methods[3].In[0].Each = &hal.Range{Min: 2, Max: 254}
	}
	if y.wrong.shelf != "" {
		shelves := hal.NewSet[shelf]("Lamp", "shelf")
		_ = shelves.Add(shelf(y.wrong.shelf))
		methods = append(methods, hal.On(shelves, hal.Observe, "Count", "Counts what is on a shelf.", shelf.count))
	}
	if y.wrong.device != "" {
		methods[0].Device = y.wrong.device
	}
	return methods
}

// level is both a parameter and a result.
type level struct {
	toy   *toy
	Level int64
}

// toys tell a message its toy, since messages are made of nothing: tests of this package run one after the other.
var current *toy

func (m *level) Fields(f *hal.Fields) {
	w := current.wrong
	f.IntIn(or(w.fieldName, "level"), &m.Level, 0, current.most, w.unit, or(w.fieldDoc, "0 is off."))
	if w.twice != "" {
		f.OptInt(w.twice, new(hal.Opt[int64]), hal.Unitless, "Another one.")
	}
	if w.panics && m.Level == 200 {
		panic("200")
	}
}

type result struct{ Level int64 }

func (m *result) Fields(f *hal.Fields) {
	w := current.wrong
	f.Text("kind", new(string), "Nothing.")
	if w.missingResult && m.Level != 0 {
		return
	}
	f.IntIn("level", &m.Level, 0, 255, hal.Unitless, "0 is off.")
	if w.extraResult && m.Level != 0 {
		f.Bool("extra", new(bool), "More than was declared.")
	}
}

// everything has each kind of parameter.
type everything struct {
	Delay  hal.Opt[int64]
	On     bool
	Text   hal.Opt[string]
	Bias   string
	Data   []byte
	Words  hal.Opt[[]string]
	Counts []int64
	Levels map[string]int64
	Raw    []byte
	Parts  []part
}

func (m *everything) Fields(f *hal.Fields) {
	w := current.wrong
	f.OptIntIn(or(w.unitName, "delayMSec"), &m.Delay, -5, 1000, hal.Milliseconds, "How long to wait.")
	f.Bool("on", &m.On, "Whether it is on.")
	f.OptText("text", &m.Text, "A text.")
	f.Enum("bias", &m.Bias, []string{"pull_up", or(w.enumValue, "pull_down")}, "A word.")
	f.Blob("data", &m.Data, 16, "Bytes.")
	f.OptTexts("words", &m.Words, 1, 3, "Words.")
	f.Ints("counts", &m.Counts, 0, 3, hal.Unitless, "Counts.")
	f.IntMap("levels", &m.Levels, 1, 3, hal.Unitless, "Levels.")
	hal.Each(f, "parts", &m.Parts, 2, 3, "Parts.")
}

type part struct{ Address, Length int64 }

func (m *part) Fields(f *hal.Fields) {
	f.IntIn("address", &m.Address, 3, 119, hal.Unitless, or(current.wrong.nestedDoc, "The address."))
	f.IntIn("length", &m.Length, 0, math.MaxInt64, hal.Bytes, "How many bytes.")
}

var errVague = errors.New("something went wrong")

// refuse makes the answer of an error of the kernel.
func (y *toy) refuse(l *lamp, err error) error {
	switch {
	case err != nil && y.wrong.plainErrors:
		return err
	case err != nil && y.wrong.vague:
		return errVague
	case err != nil && y.wrong.panicsLate:
		panic("an error")
	}
	return hal.Refuse("Lamp", l.id, err)
}

func (l *lamp) read() (int64, error) {
	p := make([]byte, 8)
	n, err := l.toy.env.Kernel.Pread(l.fd, p, 0)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(string(p[:n]), 10, 64)
}

func (l *lamp) write(level int64) error {
	_, err := l.toy.env.Kernel.Pwrite(l.fd, strconv.AppendInt(nil, level, 10), 0)
	return err
}

func (y *toy) get(l *lamp, _ *hal.None, out *result) (err error) {
	if y.wrong.observerWrites {
		_ = l.write(0)
	}
	if y.wrong.fails {
		return &hal.NotSupported{Feature: "get"}
	}
	out.Level, err = l.read()
	if y.wrong.swallowsRead {
		return nil
	}
	if y.wrong.wrongResult {
		out.Level = 256
	}
	if y.wrong.missingResult || y.wrong.extraResult {
		out.Level = 1
	}
	if y.wrong.moody {
		y.moods++
		out.Level = y.moods
	}
	return y.refuse(l, err)
}

func (y *toy) set(l *lamp, in *level, _ *hal.None) error {
	if l.stuck {
		return hal.BusyDevice("Lamp", l.id, "")
	}
	err := l.write(in.Level)
	l.stuck = err != nil && y.wrong.sticks
	if y.wrong.swallowsWrite {
		return nil
	}
	l.changes.Publish(in.Level)
	return y.refuse(l, err)
}

func (y *toy) setMany(lamps []*lamp, in *level, _ *hal.None) error {
	for _, l := range lamps {
		if err := l.write(in.Level); err != nil {
			return y.refuse(l, err)
		}
	}
	return nil
}

func (y *toy) setLevels(lamps []*lamp, levels []int64, _, _ *hal.None) error {
	for i, l := range lamps {
		if err := y.set(l, &level{Level: levels[i]}, nil); err != nil {
			return err
		}
	}
	return nil
}

func (y *toy) send(_ hal.Holder, _ *everything, _ *hal.None) error {
	return &hal.NotSupported{Feature: "sending"}
}

func (y *toy) start(l *lamp, _ *hal.None, w *hal.Watcher[result]) (stop func(), err error) {
	l.told = w.State().Level
	end, endless := l.changes.Subscribe(func(n int64) { w.Emit(&result{n}) }), l.ends.Subscribe(w.Fail)
	l.sample()
	return func() {
		end()
		endless()
		if !l.changes.Watched() {
			l.rest()
		}
	}, nil
}

func (l *lamp) sample() {
	l.rest()
	l.stop = l.toy.env.Loop.After(10*time.Second, func() {
		if n, err := l.read(); err == nil && (n != l.told || l.toy.wrong.chatters) {
			l.told = n
			l.changes.Publish(n)
		}
		l.sample()
	})
}

func (l *lamp) rest() {
	if l.stop != nil {
		l.stop()
		l.stop = nil
	}
}

// toyCalls has a call of each method.
var toyCalls = []Call{
	{Method: "Get", Parameters: `{"lamp":"hall"}`},
	{Method: "Set", Parameters: `{"lamp":"hall","level":7}`},
	{Method: "SetMany", Parameters: `{"lamps":["yard","hall"],"level":7}`},
	{Method: "SetLevels", Parameters: `{"levels":{"yard":7,"hall":8}}`},
	{Method: "Send", Parameters: `{"on":true,"bias":"pull_up","data":"","counts":[],"levels":{"a":1},"parts":[{"address":8,"length":0},{"address":9,"length":0}]}`, Refusal: "io.halberd.NotSupported"},
	{Method: "Watch", Parameters: `{"lamps":["hall"]}`},
}

// harness makes a toy with its flaws, on a kernel of its own.
func harness(w flaws) func() Harness {
	return func() Harness {
		k := newFake()
		current = &toy{wrong: w, most: 255}
		h := Harness{Driver: current.driver(), Kernel: k, Calls: toyCalls, Opened: k.Opened, Entries: []Entry{{"lamp", "front", `{"name":"hall"}`}}}
		if !w.noPlug {
			h.Unplug, h.Plug = func() { k.unplug("/sys/lamps/hall") }, func() { k.plug("/sys/lamps/hall") }
		}
		return h
	}
}

func TestToy(t *testing.T) {
	Run(t, func(*testing.T) Harness { return harness(flaws{})() })
}

func TestSlowToy(t *testing.T) {
	Run(t, func(*testing.T) Harness { return harness(flaws{slow: true})() })
}
