package gpio

import (
	"strconv"
	"strings"
	"testing"
	"unsafe"

	gpiocdev "github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
	"github.com/halberd-io/halberd/hal/uapi"
)

// bench is a bare board with the chips.
func bench() *sim.Kernel {
	k := sim.New(sim.Options{Bare: true})
	for _, c := range chips() {
		k.AddChip(c)
	}
	return k
}

// chips are a memory-mapped chip, one on a slow bus and one without interrupts.
func chips() []sim.Chip {
	return []sim.Chip{
		{Label: "soc", Lines: []sim.Line{
			{Name: "PUMP"}, {Name: "LAMP", Output: true, Level: 1}, {Name: "BUTTON"}, {Name: "NC"}, {Name: "NC"}, {},
			{Name: "VBUS", Kernel: "regulator-vbus", Output: true, Level: 1},
		}},
		{Label: "expander", Under: sim.OnI2C, Lines: []sim.Line{{Name: "FAR_IN"}, {Name: "FAR_OUT"}}},
		{Label: "dumb", NoInterrupts: true, Lines: []sim.Line{{Name: "DUMB"}}},
	}
}

func declare(id, keys string) simtest.Entry { return simtest.Entry{Table: "gpio", ID: id, Keys: keys} }

const (
	pump   = `{"chip":"soc","line":0,"direction":"output"`
	button = `{"chip":"soc","line":"BUTTON","direction":"input"`
)

func TestNames(t *testing.T) {
	k := bench()
	k.AddChip(sim.Chip{Label: "soc", Under: "platform/other=platform", Lines: []sim.Line{{}, {Name: "with space"}}})
	b := simtest.Open(t, Driver(), k, false, declare("pump", `{"chip":"gpiochip0","line":"PUMP"}`))
	var got []string
	for i := range b.Class.Devices.Len() {
		d := b.Class.Devices.At(i)
		got = append(got, d.ID()+":"+d.Bus())
	}
	want := "BUTTON: DUMB: FAR_IN:i2c-1 FAR_OUT:i2c-1 LAMP: VBUS: pump: " +
		"soc@halberd-sim/3: soc@halberd-sim/4: soc@halberd-sim/5: soc@other/0: with%20space:"
	if got := strings.Join(got, " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestGet(t *testing.T) {
	for _, c := range []struct {
		name, keys, pull, in, want, held string
		output                           bool
	}{
		{"an input", button + `}`, "BUTTON", "id", `{"value":1}`, "", false},
		{"an active-low input", button + `,"active-low":true}`, "BUTTON", "id", `{"value":0}`, "", false},
		{"an input with a pull", button + `,"bias":"pull_down"}`, "BUTTON", "id", `{"value":0}`, "", false},
		{"an undeclared input", pump + `}`, "BUTTON", "BUTTON", `{"value":1}`, "", false},
		{"an undeclared output", pump + `}`, "LAMP", "LAMP", `{"value":1}`, "", true},
		{"a line of the kernel", pump + `}`, "VBUS", "VBUS", `Busy{"class":"Gpio","device":"VBUS","holder":"regulator-vbus"}`, "regulator-vbus", true},
		{"a slow line", pump + `}`, "FAR_IN", "FAR_IN", `{"value":1}`, "", false},
		{"nothing", pump + `}`, "LAMP", "LUMP", `NoSuchDevice{"class":"Gpio","device":"LUMP"}`, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := bench()
			k.Pull(c.pull, 1)
			b := simtest.Open(t, Driver(), k, false, declare("id", c.keys))
			b.Expect("Get", `{"line":"`+c.in+`"}`, c.want)
			if held, output := k.Consumer(c.pull); held != c.held || output != c.output {
				t.Errorf("the line is left to %q, output %v; want %q, %v", held, output, c.held, c.output)
			}
		})
	}
}

func TestSet(t *testing.T) {
	for _, c := range []struct {
		name, keys, in, want string
		level                int
	}{
		{"1", pump + `}`, `{"line":"pump","value":1}`, `{}`, 1},
		{"0", pump + `,"safe":1}`, `{"line":"pump","value":0}`, `{}`, 0},
		{"1 on an active-low line", pump + `,"active-low":true}`, `{"line":"pump","value":1}`, `{}`, 0},
		{"1 on an open drain without a pull", pump + `,"drive":"open_drain"}`, `{"line":"pump","value":1}`, `{}`, 0},
		{"1 on an open drain with a pull", pump + `,"drive":"open_drain","bias":"pull_up"}`, `{"line":"pump","value":1}`, `{}`, 1},
		{"2", pump + `}`, `{"line":"pump","value":2}`, `InvalidParameter{"parameter":"value"}`, 0},
		{"-1", pump + `}`, `{"line":"pump","value":-1}`, `InvalidParameter{"parameter":"value"}`, 0},
		{"a declared input", `{"chip":"soc","line":0,"direction":"input"}`, `{"line":"pump","value":1}`, `NotSupported{"feature":"output"}`, 0},
		{"a line without a direction", `{"chip":"soc","line":0}`, `{"line":"pump","value":1}`, `NotSupported{"feature":"output"}`, 0},
		{"an undeclared output", pump + `}`, `{"line":"LAMP","value":0}`, `NotSupported{"feature":"output"}`, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := bench()
			b := simtest.Open(t, Driver(), k, false, declare("pump", c.keys))
			b.Expect("Set", c.in, c.want)
			if got := k.Value("PUMP"); got != c.level {
				t.Errorf("level: got %d, want %d", got, c.level)
			}
			if k.Changes("LAMP") != 0 {
				t.Error("another line changed")
			}
		})
	}
}

func TestToggle(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false, declare("pump", pump+`,"safe":0}`), declare("far", `{"chip":"expander","line":1,"direction":"output","safe":0}`))
	for _, c := range []struct{ id, line string }{{"pump", "PUMP"}, {"far", "FAR_OUT"}} {
		for _, want := range []int{1, 0, 1} {
			b.Expect("Toggle", `{"line":"`+c.id+`"}`, `{}`)
			if got := k.Value(c.line); got != want {
				t.Errorf("%s: got %d, want %d", c.id, got, want)
			}
		}
	}
	b.Expect("Toggle", `{"line":"BUTTON"}`, `NotSupported{"feature":"output"}`)
}

func TestGetMany(t *testing.T) {
	k := bench()
	k.Pull("BUTTON", 1)
	k.Pull("FAR_IN", 1)
	b := simtest.Open(t, Driver(), k, false, declare("pump", pump+`}`))
	b.Expect("GetMany", `{"lines":["pump","BUTTON","FAR_IN"]}`, `{"values":{"BUTTON":1,"FAR_IN":1,"pump":0}}`)
	b.Expect("GetMany", `{"lines":["pump","VBUS"]}`, `Busy{"class":"Gpio","device":"VBUS","holder":"regulator-vbus"}`)
	b.Expect("GetMany", `{"lines":[]}`, `InvalidParameter{"parameter":"lines"}`)
}

func TestStart(t *testing.T) {
	for _, c := range []struct {
		name, keys, line string
		first            bool
		level, changes   int
	}{
		{"left alone high", `{"chip":"soc","line":"LAMP","direction":"output"}`, "LAMP", true, 1, 0},
		{"left alone low", pump + `}`, "PUMP", true, 0, 0},
		{"left alone, active-low", `{"chip":"soc","line":"LAMP","direction":"output","active-low":true}`, "LAMP", true, 1, 0},
		{"initial", `{"chip":"soc","line":"LAMP","direction":"output","initial":0,"safe":1}`, "LAMP", true, 0, 1},
		{"initial is for the first start", `{"chip":"soc","line":"LAMP","direction":"output","initial":0}`, "LAMP", false, 1, 0},
		{"safe at a restart", `{"chip":"soc","line":"LAMP","direction":"output","initial":1,"safe":0}`, "LAMP", false, 0, 1},
		{"safe makes no edge where it holds", `{"chip":"soc","line":"LAMP","direction":"output","safe":1}`, "LAMP", false, 1, 0},
		{"safe, active-low", `{"chip":"soc","line":"LAMP","direction":"output","active-low":true,"safe":1}`, "LAMP", true, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := bench()
			b := simtest.Open(t, Driver(), k, c.first, declare("id", c.keys))
			if consumer, output := k.Consumer(c.line); consumer != "halberd" || !output {
				t.Errorf("the line is with %q, output %v; want halberd, true", consumer, output)
			}
			b.Close()
			if got := k.Value(c.line); got != c.level {
				t.Errorf("level: got %d, want %d", got, c.level)
			}
			if got := k.Changes(c.line); got != c.changes {
				t.Errorf("edges: got %d, want %d", got, c.changes)
			}
		})
	}
}

// twins adds two chips of one label.
func twins(k *sim.Kernel) {
	for _, under := range []string{"platform/a=platform", "platform/b=platform"} {
		k.AddChip(sim.Chip{Label: "twin", Under: under, Lines: []sim.Line{{}}})
	}
}

// TestDeclaredNames: a name of board.toml is never that of other hardware, whether the hardware that was meant is there or not.
func TestDeclaredNames(t *testing.T) {
	b := simtest.Open(t, Driver(), bench(), true, declare("LAMP", pump+`}`), declare("BUTTON", `{"chip":"missing","line":3}`))
	b.Expect("Set", `{"line":"LAMP","value":1}`, `{}`)
	b.Expect("Get", `{"line":"soc/1"}`, `{"value":1}`)
	b.Expect("Get", `{"line":"BUTTON"}`, `NoSuchDevice{"class":"Gpio","device":"BUTTON"}`)
	b.Expect("Get", `{"line":"soc/2"}`, `{"value":0}`)
}

func TestBoardErrors(t *testing.T) {
	one := func(id, keys string) []simtest.Entry { return []simtest.Entry{declare(id, keys)} }
	for _, c := range []struct {
		name, want string
		entries    []simtest.Entry
	}{
		{"one line twice", `board.toml:2: gpio.B: line 0 of soc is gpio.A already, at board.toml:1`,
			[]simtest.Entry{declare("A", pump+`}`), declare("B", `{"chip":"soc","line":"PUMP"}`)}},
		{"labels repeat", `board.toml:1: gpio.A: chip "twin" is gpiochip3 (/sys/devices/platform/a/gpiochip3) and gpiochip4 (/sys/devices/platform/b/gpiochip4): name its path in /sys`,
			one("A", `{"chip":"twin","line":0}`)},
		{"no such offset", `board.toml:1: gpio.A: chip soc has lines 0 to 6, and no line 7`, one("A", `{"chip":"soc","line":7}`)},
		{"no such name", `board.toml:1: gpio.A: chip soc has no line named "PIMP"`, one("A", `{"chip":"soc","line":"PIMP"}`)},
		{"an ambiguous name", `board.toml:1: gpio.A: lines 3 and 4 of chip soc are both named "NC"`, one("A", `{"chip":"soc","line":"NC"}`)},
		{"initial on an input", `board.toml:1: gpio.A: initial, safe and on-release need direction = "output"`, one("A", button+`,"initial":1}`)},
		{"on-release without a direction", `board.toml:1: gpio.A: initial, safe and on-release need direction = "output"`,
			one("A", `{"chip":"soc","line":0,"on-release":"hold"}`)},
		{"drive on an input", `board.toml:1: gpio.A: drive needs direction = "output"`, one("A", button+`,"drive":"open_drain"}`)},
		{"debounce on an output", `board.toml:1: gpio.A: debounce-usec needs direction = "input"`, one("A", pump+`,"debounce-usec":5}`)},
		{"bias without a direction", `board.toml:1: gpio.A: bias needs a direction`, one("A", `{"chip":"soc","line":0,"bias":"pull_up"}`)},
		{"safe without a value", `board.toml:1: gpio.A: on-release = "safe" needs a value for safe`, one("A", pump+`,"on-release":"safe"}`)},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := bench()
			twins(k)
			simtest.ExpectRefused(t, Driver(), k, c.want, c.entries...)
		})
	}
}

func TestChipByPath(t *testing.T) {
	k := bench()
	twins(k)
	for i, path := range []string{"/sys/devices/platform/b", "/sys/devices/platform/b/gpiochip4", "/sys/bus/gpio/devices/gpiochip4", "gpiochip4"} {
		b := simtest.Open(t, Driver(), k, true, declare("b", `{"chip":"`+path+`","line":0,"direction":"output"}`))
		b.Expect("Set", `{"line":"b","value":`+strconv.Itoa((i+1)%2)+`}`, `{}`)
		if got, want := k.Changes("gpiochip4/0"), i+1; got != want {
			t.Errorf("%s: %d changes, want %d", path, got, want)
		}
		b.Close()
	}
}

func TestMissingChipIsLeftOut(t *testing.T) {
	b := simtest.Open(t, Driver(), bench(), true, declare("gone", `{"chip":"usb-relays","line":0,"direction":"output"}`))
	b.Expect("Get", `{"line":"gone"}`, `NoSuchDevice{"class":"Gpio","device":"gone"}`)
	if !strings.Contains(b.Log.String(), "usb-relays") {
		t.Errorf("the log does not name it: %s", b.Log.String())
	}
}

// take requests a line as another process does, and gives what to close.
func take(t *testing.T, k *sim.Kernel, chip string, offset uint32) (release func()) {
	t.Helper()
	fd, err := k.Open("/dev/"+chip, unix.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	r := &gpiocdev.LineRequest{Lines: 1}
	r.Offsets[0] = offset
	copy(r.Consumer[:], "gpioset")
	if err := k.Ioctl(fd, uapi.GPIOGetLine, unsafe.Pointer(r)); err != nil {
		t.Fatal(err)
	}
	return func() { k.Close(int(r.Fd)); k.Close(fd) }
}

func TestOutputThatAnotherProcessHad(t *testing.T) {
	k := bench()
	release := take(t, k, "gpiochip0", 0)
	b := simtest.Open(t, Driver(), k, true, declare("pump", pump+`,"safe":0}`))
	if !strings.Contains(b.Log.String(), "pump") {
		t.Errorf("the log does not name it: %s", b.Log.String())
	}
	b.Expect("Set", `{"line":"pump","value":1}`, `Busy{"class":"Gpio","device":"pump","holder":"gpioset"}`)
	release()
	b.Expect("Set", `{"line":"pump","value":1}`, `{}`)
	if got := k.Value("PUMP"); got != 1 {
		t.Errorf("level: got %d, want 1", got)
	}
}

func TestUnplug(t *testing.T) {
	for _, c := range []struct{ chip, out, in string }{{"gpiochip0", "pump", "BUTTON"}, {"gpiochip1", "far", "FAR_IN"}} {
		k := bench()
		b := simtest.Open(t, Driver(), k, true, declare("pump", pump+`}`), declare("far", `{"chip":"expander","line":1,"direction":"output"}`))
		w := b.Watch("Watch", `{"lines":["`+c.in+`"]}`)
		k.Unplug(c.chip)
		b.Loop.Turn()
		gone := func(id string) string { return `DeviceGone{"class":"Gpio","device":"` + id + `"}` }
		if w.Failed == nil || simtest.Text(w.Failed) != gone(c.in) {
			t.Errorf("%s: the watch ended with %v", c.chip, w.Failed)
		}
		b.Expect("Set", `{"line":"`+c.out+`","value":1}`, gone(c.out))
		b.Expect("Get", `{"line":"`+c.out+`"}`, gone(c.out))
		b.Expect("Get", `{"line":"`+c.in+`"}`, gone(c.in))
		if _, err := b.TryWatch("Watch", `{"lines":["`+c.in+`"]}`); c.chip == "gpiochip0" && (err == nil || simtest.Text(err) != gone(c.in)) {
			t.Errorf("%s: another watch: %v", c.chip, err)
		}
		if n := b.Loop.Polled(); n != 0 {
			t.Errorf("%s: %d descriptors are polled", c.chip, n)
		}
		b.Close()
		if n := k.Opened(); n != 0 {
			t.Errorf("%s: %d descriptors are left open", c.chip, n)
		}
	}
}

func TestSetDoesNotAllocate(t *testing.T) {
	k := &counting{Kernel: bench()}
	b := simtest.Open(t, Driver(), k, true, declare("pump", pump+`}`))
	line, _ := b.Class.Devices.(*hal.Set[*Line]).Find([]byte("pump"))
	in := &value{}
	k.ioctls, k.quiet = 0, true
	const runs = 100
	got := testing.AllocsPerRun(runs, func() {
		in.Value = 1 - in.Value
		if err := line.setValue(in, &hal.None{}); err != nil {
			t.Fatal(err)
		}
	})
	k.quiet = false
	if got != 0 {
		t.Errorf("got %v allocations a call, want 0", got)
	}
	if k.ioctls != runs+1 || k.others != 0 {
		t.Errorf("got %d ioctls and %d other calls of the kernel for %d sets", k.ioctls, k.others, runs+1)
	}
}

// counting counts system calls, and once it is quiet answers without the simulator's own allocations.
type counting struct {
	*sim.Kernel
	quiet          bool
	ioctls, others int
}

func (c *counting) Ioctl(fd int, request uint, argument unsafe.Pointer) error {
	c.ioctls++
	if c.quiet {
		return nil
	}
	return c.Kernel.Ioctl(fd, request, argument)
}

func (c *counting) Pread(fd int, p []byte, offset int64) (int, error) {
	c.others++
	return c.Kernel.Pread(fd, p, offset)
}

// What the devices say for board.toml names the same devices again, each by itself.
func TestDeclaration(t *testing.T) {
	k := bench()
	twins(k)
	simtest.ExpectDeclarations(t, Driver(), k)
}
