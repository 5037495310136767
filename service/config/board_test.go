package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/hal/wire"
)

// line is an entry of a made-up table.
type line struct {
	chip    string
	number  int64
	initial hal.Opt[int64]
	low     hal.Opt[bool]
	release hal.Opt[string]
	names   hal.Opt[[]string]
	steps   hal.Opt[[]int64]
	extra   wire.Value
}

func (l *line) Fields(f *hal.Fields) {
	f.Text("chip", &l.chip, "")
	f.Int("line", &l.number, hal.Unitless, "")
	f.OptIntIn("initial", &l.initial, 0, 1, hal.Unitless, "")
	f.OptBool("active-low", &l.low, "")
	f.OptEnum("on-release", &l.release, []string{"safe", "hold"}, "")
	f.OptTexts("names", &l.names, 1, 2, "")
	f.OptInts("steps", &l.steps, 0, 8, hal.Unitless, "")
	f.OptRaw("extra", &l.extra, "")
}

// light is another one, with a list of messages.
type light struct{ colors []color }

type color struct{ name string }

func (l *light) Fields(f *hal.Fields) { hal.Each(f, "colors", &l.colors, 0, 4, "") }
func (c *color) Fields(f *hal.Fields) { f.Text("name", &c.name, "") }

// lock is an entry of a list.
type lock struct {
	name  string
	lines []string
}

func (l *lock) Fields(f *hal.Fields) {
	f.Text("name", &l.name, "")
	f.Texts("lines", &l.lines, 1, 3, "")
}

func tables() []hal.Table {
	return []hal.Table{hal.NewTable[line]("gpio", ""), hal.NewTable[light]("led", ""), hal.NewList[lock]("interlock", "name", "")}
}

func TestBoard(t *testing.T) {
	b, err := ParseBoard("b.toml", `
[led.front]
colors = [ { name = "red" }, { name = "blü\"" } ]
[gpio.relay-pump]
chip       = "gpio-sim.0:node0"
line       = 0x04
active-low = false
initial    = 1
on-release = "safe"
names      = ["a", "b"]
extra      = { x.y = 1, z = [1.5, true, [{}]] }

[gpio."chip/4"]
chip = "c"
line = -1
`, tables())
	if err != nil {
		t.Fatal(err)
	}
	pump := line{"gpio-sim.0:node0", 4, hal.Some[int64](1), hal.Some(false), hal.Some("safe"), hal.Some([]string{"a", "b"}), hal.Opt[[]int64]{},
		wire.Value(`{"x":{"y":1},"z":[1.5e+00,true,[{}]]}`)}
	for _, tt := range []struct {
		name      string
		got, want any
	}{
		{"file", b.File, "b.toml"},
		{"lines", b.Entries["gpio"], []hal.Entry{
			{Table: "gpio", ID: "relay-pump", Where: "b.toml:4", Value: &pump},
			{Table: "gpio", ID: "chip/4", Where: "b.toml:13", Value: &line{chip: "c", number: -1}},
		}},
		{"lights", b.Entries["led"], []hal.Entry{{Table: "led", ID: "front", Where: "b.toml:2", Value: &light{[]color{{"red"}, {`blü"`}}}}}},
		{"of both", len(b.Of(tables())), 3},
		{"of one", len(b.Of(tables()[1:])), 1},
	} {
		if !equal(tt.got, tt.want) {
			t.Errorf("%s: got %+v, want %+v", tt.name, tt.got, tt.want)
		}
	}
}

func TestBoardRefused(t *testing.T) {
	const ok = "[gpio.a]\nchip = \"c\"\nline = 1\n"
	for _, tt := range []struct{ name, text, want string }{
		{"unknown table", "[uart.a]\nx = 1", `b.toml:1: unknown key "uart"`},
		{"mis-cased table", "[Gpio.a]\nx = 1", `b.toml:1: unknown key "Gpio" (did you mean gpio?)`},
		{"a key at the top", "gpio = 1", "b.toml:1: gpio must be a table, not an integer"},
		{"a table without a name", "[gpio]\nchip = \"c\"", "b.toml:2: must be a table: [gpio.NAME]"},
		{"an array of tables", "[[gpio]]\nchip = \"c\"", "b.toml:1: gpio must be a table, not an array"},
		{"an array of entries", "[[gpio.a]]\nchip = \"c\"", "b.toml:1: must be a table: [gpio.NAME]"},
		{"bad name", "[gpio.\"a b\"]\nchip = \"c\"\nline = 1", `b.toml:1: name "a b" cannot be used: ' ' cannot stand in a name`},
		{"empty name", "[gpio.\"\"]\nchip = \"c\"\nline = 1", `b.toml:1: name "" cannot be used: a name has 1 to 128 characters`},
		{"unknown key", ok + "Initial = 1", `b.toml:4: unknown key "Initial" (did you mean initial?)`},
		{"unknown keys", ok + "x = 1\ny = 1", "b.toml:4: unknown key \"x\"\nb.toml:5: unknown key \"y\""},
		{"missing key", "\n[gpio.a]\nline = 1", "b.toml:2: chip is missing"},
		{"wrong type", "[gpio.a]\nchip = 1\nline = 1", "b.toml:2: chip must be a string, not an integer"},
		{"a number in a string", "[gpio.a]\nchip = \"c\"\nline = \"1\"", "b.toml:3: line must be an integer, not a string"},
		{"a fraction", "[gpio.a]\nchip = \"c\"\nline = 1.0", "b.toml:3: line must be an integer, not a number"},
		{"out of range", ok + "initial = 2", "b.toml:4: initial must be from 0 to 1"},
		{"no such word", ok + "on-release = \"drop\"", "b.toml:4: on-release must be one of [safe hold]"},
		{"an element", ok + "names = [\n\"a\",\n1]", "b.toml:6: names[1] must be a string, not an integer"},
		{"too many elements", ok + "steps = [1,1,1,1,1,1,1,1,1]", "b.toml:4: steps must not have more than 8 elements"},
		{"a nested key", "[led.a]\ncolors = [\n{name=\"r\"},\n{name=\"g\", shade=1}]", "b.toml:4: colors[1].shade unknown"},
		{"a nested missing key", "[led.a]\ncolors = [\n{name=\"r\"},\n{}]", "b.toml:4: colors[1].name is missing"},
		{"a date", ok + "extra = { a = 1979-05-27 }", "b.toml:4: must not be a date"},
		{"not a number", ok + "extra = { a = [\n1, nan] }", "b.toml:5: must not be a fraction"},
		{"infinite", ok + "extra = { a = inf }", "b.toml:4: must not be a fraction"},
		{"control characters", ok + "[gpio.b]\nline = 1\nchip = \"a\\u0000\"", "b.toml:6: chip must not contain control characters"},
		{"a list's missing key", ok + "[[interlock]]\nname = \"m\"", "b.toml:4: lines is missing"},
		{"a list's unknown key", "[[interlock]]\nname = \"m\"\nlines = [\"a\"]\nLines = 1", `b.toml:4: unknown key "Lines" (did you mean lines?)`},
		{"a list's missing name", "\n[[interlock]]\nlines = [\"a\"]", "b.toml:2: name is missing"},
		{"a list's empty name", "[[interlock]]\nlines = [\"a\"]\nname = \"\"", "b.toml:3: name \"\" cannot be used: a name has 1 to 128 characters"},
		{"a list's bad name", "[[interlock]]\nlines = [\"a\"]\nname = \"a b\"", `b.toml:3: name "a b" cannot be used: ' ' cannot stand in a name`},
		{"a list's name of another type", "[[interlock]]\nlines = [\"a\"]\nname = 1", "b.toml:3: name must be a string, not an integer"},
		{"a list's name twice", "[[interlock]]\nlines = [\"a\"]\nname = \"m\"\n[[interlock]]\nname = \"m\"\nlines = [\"b\"]", `b.toml:5: name "m" is taken already, at b.toml:1`},
		{"a list as a table", "[interlock]\nname = \"m\"", "b.toml:1: interlock must be written [[interlock]]"},
		{"a list by names", "[interlock.m]\nlines = [\"a\"]", "b.toml:1: interlock must be written [[interlock]]"},
		{"a mis-cased list", "[[Interlock]]\nname = \"m\"", `b.toml:1: unknown key "Interlock" (did you mean interlock?)`},
		{"several", "[gpio.a]\nline = 1\n[gpio.b]\nchip = \"c\"\nline = true\n[x]", "b.toml:1: chip is missing\nb.toml:5: line must be an integer, not a boolean\nb.toml:6: unknown key \"x\""},
		{"syntax", "[gpio", "b.toml:1: expected '.' or ']' to end table name, but got '\\x00' instead"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, err := ParseBoard("b.toml", tt.text, tables())
			if b != nil {
				t.Error("a board came with the error")
			}
			if got := strings.Join(messages(err), "\n"); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestBoardOrder(t *testing.T) {
	text, want := "", ""
	for i := range 40 {
		text += fmt.Sprintf("[led.d%d]\ncolors = []\n", (i*7)%40)
		want += fmt.Sprintf("d%d ", (i*7)%40)
	}
	b, err := ParseBoard("b.toml", text, tables())
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, e := range b.Entries["led"] {
		got += e.ID + " "
	}
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	b, err = ParseBoard("b.toml", "led = { b = { colors = [] }, c = { colors = [] }, a = { colors = [] } }", tables())
	if err != nil || b.Entries["led"][0].ID != "a" || b.Entries["led"][2].ID != "c" {
		t.Errorf("on one line: got %+v, %v", b, err)
	}
}

// TestBoardList: the tables of a list are in the order of the file, by the names in them, with their lines.
func TestBoardList(t *testing.T) {
	b, err := ParseBoard("b.toml", "[[interlock]]\nname = \"z\"\nlines = [\"a\", \"b\"]\n\n[[interlock]]\nlines = [\"c\"]\nname = \"m\"\n", tables())
	if err != nil {
		t.Fatal(err)
	}
	want := []hal.Entry{
		{Table: "interlock", ID: "z", Where: "b.toml:1", Value: &lock{"z", []string{"a", "b"}}},
		{Table: "interlock", ID: "m", Where: "b.toml:5", Value: &lock{"m", []string{"c"}}},
	}
	if got := b.Entries["interlock"]; !equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// A class that has no such list refuses it: to pass over it would leave motors unprotected.
func TestBoardUnknownList(t *testing.T) {
	_, err := ParseBoard("b.toml", "\n[[interlock]]\nname = \"m\"", tables()[:2])
	if got, want := strings.Join(messages(err), "\n"), `b.toml:2: unknown key "interlock"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestLoadBoard(t *testing.T) {
	root := t.TempDir()
	opt := Options{Dirs: Default(), Root: root, TrustCaller: true}
	digests := map[string]bool{}
	load := func(entries int) {
		t.Helper()
		b, err := LoadBoard(opt, tables())
		if err != nil {
			t.Fatal(err)
		}
		digest, err := BoardDigest(opt)
		if err != nil || digest != b.Digest {
			t.Errorf("got the digest %s, %v, want %s", digest, err, b.Digest)
		}
		digests[b.Digest] = true
		if len(b.Of(tables())) != entries {
			t.Errorf("got %d entries, want %d", len(b.Of(tables())), entries)
		}
	}
	load(0)
	put(t, root, "usr/lib/halberd/board.toml", "[gpio.a]\nchip = \"c\"\nline = 1\n")
	load(1)
	put(t, root, "etc/halberd/board.toml", "[gpio.a]\nchip = \"c\"\nline = 1\n[gpio.b]\nchip = \"c\"\nline = 1\n")
	load(2)
	put(t, root, "etc/halberd/board.toml", "")
	load(0)
	if len(digests) != 3 {
		t.Errorf("got the digests %v, want 3", digests)
	}
	must(t, os.Chmod(filepath.Join(root, "etc/halberd/board.toml"), 0o666))
	_, err := LoadBoard(opt, tables())
	_, digestErr := BoardDigest(opt)
	if err == nil || digestErr == nil {
		t.Errorf("a file that all may write to: %v, %v", err, digestErr)
	}
}

// A decoder's other errors are put at the entry.
func TestInvalidWithoutPath(t *testing.T) {
	d, table := open("b.toml", "\n[a]\n")
	inner := table.inner("a")
	inner.invalid(os.ErrInvalid)
	if got := d.faults[0].Error(); got != "b.toml:2: invalid argument" {
		t.Errorf("got %s", got)
	}
}

var boardFiles = []string{
	"", "[gpio.a]\nchip = \"c\"\nline = 1\nextra = { a = [1, {b = 1.5}], c.d = nan }\n[led.b]\ncolors = [{name=\"r\"}]", "[[interlock]]\n[gpio-group.x]",
	"[gpio]\na = 1\n[[gpio.b]]\n[gpio.\"\"]", "[led.a]\ncolors = [{}, 1, []]",
}

// checkBoardFile: reading never panics, an error has its file and line, and an entry has a name and a value.
func checkBoardFile(t *testing.T, text string) {
	t.Helper()
	b, err := ParseBoard("b.toml", text, tables())
	if err != nil {
		for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
			if one, ok := e.(*Error); !ok || one.File != "b.toml" || one.Line < 1 || one.What == "" {
				t.Errorf("%q: an error without its place: %#v", text, e)
			}
		}
		return
	}
	for _, e := range b.Of(tables()) {
		if hal.CheckID(e.ID) != nil || e.Value == nil || e.Where == "" {
			t.Errorf("%q: an entry that is no entry: %+v", text, e)
		}
	}
}

func FuzzBoardFile(f *testing.F) {
	for _, seed := range boardFiles {
		f.Add(seed)
	}
	f.Fuzz(checkBoardFile)
}

func TestRandomBoardFiles(t *testing.T) {
	for text := range haltest.Inputs(2000, boardFiles...) {
		checkBoardFile(t, text)
	}
}
