package gpio

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
)

// relays are the entries of five outputs: two alone, two together, and one that nothing is declared for.
func relays(chip string) []simtest.Entry {
	out := func(line int, more string) string {
		return fmt.Sprintf(`{"chip":%q,"line":%d,"direction":"output"%s}`, chip, line, more)
	}
	return []simtest.Entry{
		declare("pump", out(0, `,"initial":1,"safe":0`)), declare("lamp", out(1, `,"active-low":true,"initial":0,"safe":1`)),
		declare("up", out(2, `,"initial":0,"safe":0`)), declare("down", out(3, `,"initial":1,"safe":0`)), together("motor", `"up","down"`),
		declare("free", out(4, ``)),
	}
}

// forgetful is a board with a chip whose lines the boot loader left as outputs, and one with inputs. Its lines fall to their pull when they are let go, as many a pin controller has it: whoever does not hold them on makes an edge.
func forgetful(o sim.Options) *sim.Kernel {
	o.Bare = true
	k := sim.New(o)
	k.AddChip(sim.Chip{Label: "near", Lines: []sim.Line{{Output: true}, {Output: true}, {Output: true}, {Output: true}, {Output: true}, {}}, Forgets: true})
	k.AddChip(sim.Chip{Label: "far", Under: sim.OnI2C, Lines: make([]sim.Line, 6), Forgets: true})
	return k
}

// house is a board and its service manager, whatever becomes of the process.
type house struct {
	*testing.T
	k       *sim.Kernel
	shelf   *simtest.Shelf
	chip    string
	entries []simtest.Entry
	process *simtest.Process
	b       *simtest.Bench
}

func newHouse(t *testing.T, k *sim.Kernel, chip string) *house {
	h := &house{T: t, k: k, shelf: simtest.NewShelf(t), chip: chip, entries: relays(chip)}
	t.Cleanup(h.leave)
	return h
}

// leave ends all that there is, and expects that nothing is left open.
func (h *house) leave() {
	h.Helper()
	if h.b != nil && h.b.Class != nil {
		h.kill()
	}
	h.shelf.Empty()
	if n := h.k.Opened(); n != 0 {
		h.Errorf("%d descriptors are left open", n)
	}
}

// eachHouse runs a test on a chip of a platform bus and on one of a slow bus, and with kernels that tell which lines a request has and that do not.
func eachHouse(t *testing.T, o sim.Options, test func(h *house)) {
	for _, chip := range []string{"near", "far"} {
		for _, silent := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, silent %t", chip, silent), func(t *testing.T) {
				o.NoFdinfo = silent
				test(newHouse(t, forgetful(o), chip))
			})
		}
	}
}

// start starts a process that dies before a step, or lives with 0.
func (h *house) start(first bool, dies int) (lives bool) {
	h.Helper()
	h.process, h.b = h.shelf.Start(h.k, dies), nil
	return h.process.Run(func() {
		var err error
		h.b, err = simtest.TryOpenIn(h.T, Driver(), &hal.Env{Kernel: h.process, Keeper: h.process, FirstStart: first}, h.entries...)
		if err != nil {
			h.Fatal(err)
		}
	})
}

// stop ends the process as SIGTERM does.
func (h *house) stop() {
	h.Helper()
	h.b.Close()
	h.process.Kill()
}

// kill ends it as SIGKILL does.
func (h *house) kill() {
	h.b.Class = nil
	h.process.Kill()
}

func (h *house) at(offset int) string { return fmt.Sprintf("%s/%d", h.chip, offset) }

// levels are those of the lines.
func (h *house) levels() (all string) {
	for offset := range 6 {
		all += fmt.Sprint(h.k.Value(h.at(offset)))
	}
	return all
}

// done are how often the lines were written, and how often their levels changed.
func (h *house) done() (all []int) {
	for offset := range 6 {
		all = append(all, h.k.Writes(h.at(offset)), h.k.Changes(h.at(offset)))
	}
	return all
}

func (h *house) set(line string, value int) {
	h.Helper()
	h.b.Expect("Set", fmt.Sprintf(`{"line":%q,"value":%d}`, line, value), `{}`)
}

func (h *house) expectLevels(when, want string) {
	h.Helper()
	if got := h.levels(); got != want {
		h.Errorf("%s: the levels are %s, want %s", when, got, want)
	}
}

// expectAllHeld expects that all outputs are held and can be set, and that nothing is kept beyond their requests.
func (h *house) expectAllHeld(when string) {
	h.Helper()
	for offset := range 5 {
		if held, output := h.k.Consumer(h.at(offset)); held != "halberd" || !output {
			h.Errorf("%s: line %d is with %q, output %t", when, offset, held, output)
		}
	}
	names := h.shelf.Names()
	slices.Sort(names)
	chip := map[string]string{"near": "gpiochip0", "far": "gpiochip1"}[h.chip]
	if got, want := strings.Join(names, " "), strings.ReplaceAll("gpio/C/0 gpio/C/1 gpio/C/2 gpio/C/4", "C", chip); got != want {
		h.Errorf("%s: kept are %s, want %s", when, got, want)
	}
	before := h.levels()
	for _, id := range []string{"pump", "lamp", "up", "down", "free"} {
		h.b.Expect("Toggle", `{"line":"`+id+`"}`, `{}`)
	}
	for i, level := range h.levels()[:5] {
		if byte(level) == before[i] {
			h.Errorf("%s: line %d is not driven", when, i)
		}
	}
	for _, id := range []string{"pump", "lamp", "up", "down", "free"} {
		h.b.Expect("Toggle", `{"line":"`+id+`"}`, `{}`)
	}
}

// TestKept: whatever was set stays so over an end of the process of either kind, with nothing written.
func TestKept(t *testing.T) {
	eachHouse(t, sim.Options{}, func(h *house) {
		h.start(true, 0)
		h.expectLevels("the first start", "110100")
		h.set("pump", 0)
		h.set("up", 1)
		h.set("free", 1)
		want := h.levels()
		for round, end := range []func(){h.stop, func() { h.kill() }, func() { h.kill() }, h.stop} {
			before := h.done()
			end()
			h.start(round%2 == 0, 0) // a process that was killed early says that it is the first start again
			if got := h.done(); !slices.Equal(got, before) {
				t.Errorf("round %d: writes and edges are %v, want %v", round, got, before)
			}
			h.expectLevels("a restart", want)
			h.b.Expect("GetMany", `{"lines":["pump","lamp","up","down","free"]}`, `{"values":{"down":1,"free":1,"lamp":0,"pump":0,"up":1}}`)
			if !strings.Contains(h.b.Log.String(), "outputs are taken over") {
				t.Errorf("the log is %s", h.b.Log.String())
			}
			h.expectAllHeld("a restart")
		}
		h.stop()
		if n := h.k.Opened(); n != 0 {
			t.Errorf("%d descriptors are left open", n)
		}
	})
}

// TestNothingKept: without a keeper, or with one that does not work, the values are those of any start.
func TestNothingKept(t *testing.T) {
	h := newHouse(t, forgetful(sim.Options{}), "near")
	h.shelf.Err = errors.New("no room")
	h.start(true, 0)
	if !strings.Contains(h.b.Log.String(), "is let go when this process ends") {
		t.Errorf("the log is %s", h.b.Log.String())
	}
	h.set("pump", 1)
	h.stop()
	h.start(false, 0)
	h.expectLevels("another start", "000000")
}

// killedAt runs a script with a process that dies before each of its steps in turn, those of stopping too, and then looks what the next one makes of it. arrange runs before, with a process that lives.
func killedAt(t *testing.T, o sim.Options, first bool, arrange, script func(h *house), look func(h *house, when string, levels string)) {
	for _, chip := range []string{"near", "far"} {
		for n := 1; ; n++ {
			h := newHouse(t, forgetful(o), chip)
			if arrange != nil {
				h.start(true, 0)
				arrange(h)
				h.kill()
			}
			if h.start(first, n) {
				h.b.Loop.Inline = true
				if h.process.Run(func() { h.b.Loop.Turn(); script(h); h.b.Close() }) {
					h.leave()
					if n < 5 {
						t.Errorf("%s: the script has %d steps only", chip, n)
					}
					break
				}
			}
			if h.b != nil {
				h.b.Class = nil
			}
			levels := h.levels()
			h.start(first, 0)
			h.b.Loop.Turn()
			h.shelf.Settle()
			h.b.Loop.Advance(2 * time.Second)
			look(h, fmt.Sprintf("%s, killed before step %d", chip, n), levels)
			h.expectAllHeld(fmt.Sprintf("%s, killed before step %d", chip, n))
			h.stop()
			h.leave()
			if t.Failed() {
				return
			}
		}
	}
}

// TestKilledAtFirstStart: each line comes to its initial value, once.
func TestKilledAtFirstStart(t *testing.T) {
	killedAt(t, sim.Options{}, true, nil, func(*house) {}, func(h *house, when, _ string) {
		h.expectLevels(when, "110100")
		for offset := range 5 {
			if n := h.k.Changes(h.at(offset)); n > 1 {
				t.Errorf("%s: line %d made %d edges", when, offset, n)
			}
		}
	})
}

// TestKilledAtRestart: a process that ends while it takes over leaves all as it is.
func TestKilledAtRestart(t *testing.T) {
	arrange := func(h *house) { h.set("pump", 0); h.set("down", 0); h.set("free", 1) }
	killedAt(t, sim.Options{}, false, arrange, func(*house) {}, func(h *house, when, _ string) {
		h.expectLevels(when, "010010")
		if n := h.k.Changes(h.at(0)) + h.k.Changes(h.at(3)) + h.k.Changes(h.at(4)); n != 5 {
			t.Errorf("%s: %d edges, want those of the start and of the calls", when, n)
		}
	})
}

// TestKilledWhileSetting: a line is as it was at that moment.
func TestKilledWhileSetting(t *testing.T) {
	script := func(h *house) {
		for _, value := range []int{1, 0, 1} {
			h.set("pump", value)
			h.b.Call("SetMany", fmt.Sprintf(`{"values":{"up":%d,"down":%d,"lamp":%d}}`, value, 1-value, value))
			h.set("free", value)
		}
	}
	killedAt(t, sim.Options{}, false, func(*house) {}, script, func(h *house, when, levels string) { h.expectLevels(when, levels) })
}

// TestKilledWhilePulsing: whatever the moment, the pulse is over when the next process has started, and no other line has moved.
func TestKilledWhilePulsing(t *testing.T) {
	arrange := func(h *house) { h.set("pump", 0); h.set("down", 0) }
	script := func(h *house) {
		h.b.Expect("Pulse", `{"line":"pump","value":1,"durationUSec":1000}`, `{}`)
		h.b.Expect("Pulse", `{"line":"up","value":1,"durationUSec":1000}`, `{}`)
		h.b.Expect("Pulse", `{"line":"pump","value":1,"durationUSec":1000}`, `{}`)
	}
	killedAt(t, sim.Options{}, false, arrange, script, func(h *house, when, _ string) { h.expectLevels(when, "010000") })
}

// TestStoppedWhilePulsing: SIGTERM ends a pulse, and the next process has nothing to do.
func TestStoppedWhilePulsing(t *testing.T) {
	eachHouse(t, sim.Options{}, func(h *house) {
		h.start(true, 0)
		h.set("pump", 0)
		begin(h.b, `{"line":"pump","value":1,"durationUSec":5000000}`)
		h.expectLevels("the pulse", "110100")
		h.stop()
		before := h.done()
		h.start(false, 0)
		if got := h.done(); !slices.Equal(got, before) {
			t.Errorf("writes and edges are %v, want %v", got, before)
		}
		h.expectLevels("after it", "010100")
		h.expectAllHeld("after it")
	})
}

// returned lets the board see that the last descriptor of a lease was closed elsewhere, and the class be told so.
func (h *house) returned() {
	h.k.Opened()
	h.b.Loop.Turn()
	h.b.Loop.Advance(2 * time.Second)
}

// TestKilledWhileLeasing: a lease ends with the process, and its lines come to their safe values; those that were not leased yet stay as they are.
func TestKilledWhileLeasing(t *testing.T) {
	for _, lines := range []string{`"pump"`, `"up","down"`, `"pump","free"`} {
		var holds int
		script := func(h *house) {
			holds = -1
			h.b.Expect("Lease", `{"lines":[`+lines+`]}`, `{"fileDescriptor":0}`)
			holds = h.b.Files[0]
			h.process.GaveAway(holds)
			h.b.Expect("Toggle", `{"line":"lamp"}`, `{}`)
			h.b.Expect("Toggle", `{"line":"lamp"}`, `{}`)
			if err := h.k.Close(holds); err != nil {
				t.Error(err)
			}
			holds = -1
			h.b.Hangup()
			h.b.Loop.Advance(time.Second)
		}
		killedAt(t, sim.Options{Lends: true}, false, func(h *house) { h.set("free", 0) }, script, func(h *house, when, levels string) {
			if holds >= 0 { // its holder lives on, and lets go now
				_ = h.k.Close(holds)
			}
			h.returned()
			for offset, id := range []string{"pump", "lamp", "up", "down", "free"} {
				leased := strings.Contains(lines, `"`+id+`"`)
				if got := h.levels()[offset]; got != levels[offset] && !(leased && got == '0') {
					t.Errorf("%s, lease of %s: %s is at %c, and was %c", when, lines, id, got, levels[offset])
				}
			}
		})
	}
}

// TestKilledWhileLeased: the holder drives the line on; the next process writes the on-release value once, and has the line again when the holder has let go.
func TestKilledWhileLeased(t *testing.T) {
	eachHouse(t, sim.Options{Lends: true}, func(h *house) {
		h.start(true, 0)
		holder := rent(h.b, h.k, `"pump"`)
		h.process.GaveAway(holder.fd)
		holder.set(1, 0)
		holder.set(1, 1)
		h.kill()
		h.expectLevels("while nobody runs", "110100")
		h.start(false, 0)
		h.b.Loop.Turn()
		h.expectLevels("the next process", "010100")
		h.b.Expect("Set", `{"line":"pump","value":1}`, `Busy{"class":"Gpio","device":"pump","holder":"halberd"}`)
		holder.close()
		h.b.Loop.Turn()
		h.shelf.Settle()
		h.returned()
		h.expectAllHeld("when it is free")
	})
}

// TestConfiguredOtherwise: what Configure, or another board.toml, made of a line is undone without an edge.
func TestConfiguredOtherwise(t *testing.T) {
	eachHouse(t, sim.Options{}, func(h *house) {
		h.start(true, 0)
		h.b.Expect("Configure", `{"line":"pump","activeLow":true}`, `{}`)
		h.b.Expect("Configure", `{"line":"down","activeLow":true,"bias":"pull_up"}`, `{}`)
		h.b.Expect("Configure", `{"line":"free","direction":"input"}`, `{}`)
		h.b.Loop.Turn()
		h.shelf.Settle()
		if held, _ := h.k.Consumer(h.at(4)); held != "" {
			t.Errorf("a line that is an input now is with %q", held)
		}
		levels, edges := h.levels(), h.k.Changes(h.at(0))+h.k.Changes(h.at(2))+h.k.Changes(h.at(3))
		h.kill()
		h.entries[1].Keys = strings.Replace(h.entries[1].Keys, `"active-low":true`, `"active-low":false`, 1)
		h.start(false, 0)
		h.expectLevels("the next process", levels)
		if n := h.k.Changes(h.at(0)) + h.k.Changes(h.at(2)) + h.k.Changes(h.at(3)); n != edges {
			t.Errorf("%d edges, want none", n-edges)
		}
		h.b.Expect("GetMany", `{"lines":["pump","lamp","up","down"]}`, `{"values":{"down":1,"lamp":1,"pump":1,"up":0}}`)
		h.expectAllHeld("the next process")
	})
}

// TestStale: what board.toml does not declare any more, or otherwise, is brought to the safe value that it had; what was there before it is declared anew.
func TestStale(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(e []simtest.Entry) []simtest.Entry
		levels string // of a board that does not forget
	}{
		{"nothing", func(e []simtest.Entry) []simtest.Entry { return e }, "101110"},
		{"a line that is gone", func(e []simtest.Entry) []simtest.Entry { return e[1:] }, "001110"},
		{"a line of another name", func(e []simtest.Entry) []simtest.Entry { e[0].ID = "fountain"; return e }, "101110"},
		{"a line that is an input", func(e []simtest.Entry) []simtest.Entry {
			e[0].Keys = `{"chip":"gpiochip0","line":0,"direction":"input"}`
			return e
		}, "001110"},
		{"a group that is none any more", func(e []simtest.Entry) []simtest.Entry { return slices.Delete(e, 4, 5) }, "100010"},
		{"a group in another order", func(e []simtest.Entry) []simtest.Entry { e[4] = together("motor", `"down","up"`); return e }, "100010"},
		{"a line without a safe value", func(e []simtest.Entry) []simtest.Entry { return e[:5] }, "101110"},
	} {
		k := sim.New(sim.Options{Bare: true})
		k.AddChip(sim.Chip{Label: "near", Lines: make([]sim.Line, 6)})
		h := newHouse(t, k, "near")
		h.start(true, 0)
		h.set("lamp", 1)
		h.set("up", 1)
		h.set("free", 1)
		h.kill()
		h.entries = c.change(relays("near"))
		h.start(false, 0)
		h.expectLevels(c.name, c.levels)
		stale := strings.Contains(h.b.Log.String(), errNotMeant.Error())
		if stale != (c.name != "nothing" && c.name != "a line of another name") {
			t.Errorf("%s: the log is %s", c.name, h.b.Log.String())
		}
		h.stop()
		if n := h.k.Opened(); n != 0 {
			t.Errorf("%s: %d descriptors are left open", c.name, n)
		}
	}
}

// TestDoubtful: what is not what the journal says is let go, and the line begins as at any start.
func TestDoubtful(t *testing.T) {
	spoil := func(at int, to byte) func(h *house) {
		return func(h *house) { h.shelf.Spoil("gpio/gpiochip0/0", func(r []byte) []byte { r[at] = to; return r }) }
	}
	for _, c := range []struct {
		name   string
		spoil  func(h *house)
		log    string
		silent bool
	}{
		{"no record", func(h *house) { h.shelf.Spoil("gpio/gpiochip0/0", func([]byte) []byte { return nil }) }, errRecord.Error(), true},
		{"a record that is cut", func(h *house) { h.shelf.Spoil("gpio/gpiochip0/0", func(r []byte) []byte { return r[:len(r)-1] }) }, errRecord.Error(), true},
		{"another version", spoil(0, 2), errRecord.Error(), true},
		{"no lines", spoil(10, 0), errRecord.Error(), true},
		{"too many lines", spoil(10, 65), errRecord.Error(), true},
		{"another chip", spoil(2, 99), "of another chip", true},
		{"another line", spoil(11, 5), errRecord.Error(), true},
		{"no request", func(h *house) {
			fd, err := h.k.Open("/dev/gpiochip0", unix.O_RDWR)
			if err != nil {
				h.Fatal(err)
			}
			defer h.k.Close(fd)
			var record []byte
			h.shelf.Spoil("gpio/gpiochip0/0", func(r []byte) []byte { record = r; return r })
			h.shelf.Put("gpio/gpiochip0/0", fd, record)
		}, "what is open is", true},
		{"other lines", func(h *house) {
			fd := h.request(5)
			defer h.k.Close(fd)
			var record []byte
			h.shelf.Spoil("gpio/gpiochip0/0", func(r []byte) []byte { record = r; return r })
			h.shelf.Put("gpio/gpiochip0/0", fd, record)
		}, "what is open are other lines", false},
		{"a record alone", func(h *house) {
			var record []byte
			h.shelf.Spoil("gpio/gpiochip0/0", func(r []byte) []byte { record = r; return r })
			h.shelf.Put("gpio/gpiochip0/0", -1, record)
		}, "cannot tell what is open", true},
		{"a chip that came anew", func(h *house) { h.k.Unplug("gpiochip0"); h.k.Plug("gpiochip0") }, "of another chip", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, silent := range []bool{false, true} {
				if silent && !c.silent {
					continue
				}
				h := newHouse(t, forgetful(sim.Options{NoFdinfo: silent}), "near")
				h.start(true, 0)
				h.kill()
				c.spoil(h)
				h.start(false, 0)
				if !strings.Contains(h.b.Log.String(), c.log) {
					t.Errorf("the log is %s, want %q", h.b.Log.String(), c.log)
				}
				if h.levels()[0] != '0' {
					t.Errorf("the levels are %s, want the pump safe", h.levels())
				}
				h.expectAllHeld("the next process")
				h.stop()
				if n := h.k.Opened(); n != 0 {
					t.Errorf("%d descriptors are left open", n)
				}
			}
		})
	}
}

// request requests a line of the chip as Halberd would.
func (h *house) request(offset uint32) (fd int) {
	h.Helper()
	c, err := openChip(h.k, "gpiochip0")
	if err != nil {
		h.Fatal(err)
	}
	defer c.close()
	r, err := c.request(offset, output(0, 0))
	if err != nil {
		h.Fatal(err)
	}
	return r.fd
}

// TestClaimedOverRestart: what a line was before it was claimed is known to the process that gets the claim back, and to no claim after that.
func TestClaimedOverRestart(t *testing.T) {
	eachHouse(t, sim.Options{}, func(h *house) {
		h.entries[5].Keys = strings.Replace(h.entries[5].Keys, `}`, `,"on-release":"restore"}`, 1)
		h.start(true, 0)
		h.set("free", 1)
		h.claim("free")
		h.set("free", 0)
		h.kill()
		h.start(false, 0)
		release := h.claim("free") // as the book of claims does for the one that was lost
		h.expectLevels("the next process", "110100")
		h.release(release)
		h.expectLevels("at the end of the claim", "110110")
		h.kill()
		h.start(false, 0)
		h.b.Loop.Turn()
		h.set("free", 0)
		h.release(h.claim("free"))
		h.expectLevels("another claim", "110100")
	})
	// A claim that ended with the process and is not taken up.
	h := newHouse(t, forgetful(sim.Options{}), "near")
	h.entries[5].Keys = strings.Replace(h.entries[5].Keys, `}`, `,"on-release":"restore"}`, 1)
	h.start(true, 0)
	h.set("free", 1)
	h.claim("free")
	h.kill()
	h.start(false, 0)
	h.b.Loop.Turn()
	h.set("free", 0)
	h.release(h.claim("free"))
	h.expectLevels("a claim that has nothing to do with it", "110100")
}

func (h *house) line(id string) *Line { return h.b.Class.Devices.At(indexOf(h.b, id)).(*Line) }

func (h *house) claim(id string) (release func() error) {
	h.Helper()
	release, err := h.line(id).Claim()
	if err != nil || release == nil {
		h.Fatalf("claim: %v", err)
	}
	return release
}

func (h *house) release(release func() error) {
	h.Helper()
	if err := release(); err != nil {
		h.Error(err)
	}
}

// TestKeptOfHardwareThatIsPlugged: it is kept when it comes, and no more when it goes.
func TestKeptOfHardwareThatIsPlugged(t *testing.T) {
	h := newHouse(t, forgetful(sim.Options{}), "near")
	h.entries = append(h.entries, declare("relay", `{"chip":"usb-relays","line":"RELAY","direction":"output","initial":1,"safe":0}`))
	h.start(true, 0)
	name := h.k.AddChip(usb("usb"))
	h.b.Rescan()
	if names := h.shelf.Names(); !slices.Contains(names, "gpio/"+name+"/1") {
		t.Errorf("kept are %q", names)
	}
	h.kill()
	h.start(false, 0)
	if held, _ := h.k.Consumer("RELAY"); held != "halberd" || h.k.Value("RELAY") != 1 || h.k.Writes("RELAY") != 1 {
		t.Errorf("the relay is with %q at %d after %d writes, want halberd, 1, 1", held, h.k.Value("RELAY"), h.k.Writes("RELAY"))
	}
	h.k.Unplug(name)
	h.b.Rescan()
	h.expectAllHeld("without it")
}

// FuzzRecord: what is read of a record is what is written of it again.
func FuzzRecord(f *testing.F) {
	f.Add((&record{chip: 7, leased: true, begun: true, lines: []noted{{offset: 3, flags: 0x5c2 & (keptFlags | 2), safe: hal.Some[int64](1), pulse: hal.Some[int64](0), before: borrowed{true, 1, true}}}}).bytes())
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := readRecord(raw)
		if err != nil {
			return
		}
		again, err := readRecord(r.bytes())
		if err != nil || fmt.Sprint(*again) != fmt.Sprint(*r) {
			t.Errorf("%x is read as %v, and then as %v, %v", raw, *r, again, err)
		}
	})
}
