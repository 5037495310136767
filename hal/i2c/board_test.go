package i2c

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
	"github.com/halberd-io/halberd/hal/uapi"
)

func TestBadBoard(t *testing.T) {
	const chip = `{"bus":"i2c-0","address":80,"registers":"0"}`
	one := func(table, id, keys string) []simtest.Entry {
		return []simtest.Entry{{Table: table, ID: id, Keys: keys}}
	}
	for _, c := range []struct {
		name, want string
		entries    []simtest.Entry
	}{
		{"reserved address", "board.toml:1: i2c.a: address: must be from 8 to 119", one("i2c", "a", `{"bus":"i2c-0","address":120,"registers":"0"}`)},
		{"no registers", "board.toml:1: i2c.a: registers or write-registers must say what may be read or written", one("i2c", "a", `{"bus":"i2c-0","address":80}`)},
		{"no register", `board.toml:1: i2c.a: registers: "x" is no register: write "0x00-0x7f" or "0x00, 0x10-0x1f"`, one("i2c", "a", `{"bus":"i2c-0","address":80,"registers":"0,x"}`)},
		{"octal", `board.toml:1: i2c.a: registers: "010" is no register: write "0x00-0x7f" or "0x00, 0x10-0x1f"`, one("i2c", "a", `{"bus":"i2c-0","address":80,"registers":"010"}`)},
		{"a range backwards", "board.toml:1: i2c.a: write-registers: the range 5-4 ends before it begins", one("i2c", "a", `{"bus":"i2c-0","address":80,"write-registers":"5-4"}`)},
		{"beyond 8 bits", "board.toml:1: i2c.a: registers: register 0x100 is beyond the last one, 0xff", one("i2c", "a", `{"bus":"i2c-0","address":80,"registers":"0-0x100"}`)},
		{"empty", "board.toml:1: i2c.a: registers: must not be empty", one("i2c", "a", `{"bus":"i2c-0","address":80,"registers":" "}`)},
		{"12 bits", "board.toml:1: i2c.a: register-bits is 8 or 16, not 12", one("i2c", "a", `{"bus":"i2c-0","address":80,"registers":"0","register-bits":12}`)},
		{"a page of half a register", "board.toml:1: i2c.a: page = 3 is no multiple of register-bytes = 2", one("i2c", "a", `{"bus":"i2c-0","address":80,"registers":"0","register-bytes":2,"page":3}`)},
		{"no address", "board.toml:1: i2c-bus.a: bound has 0x7: an address is from 0x8 to 0x77", one("i2c-bus", "a", `{"adapter":"i2c-0","bound":[80,7]}`)},
		{"a name of the kernel's", "board.toml:1: i2c.i2c-7: adapters are named so by the kernel", one("i2c", "i2c-7", chip)},
		{"one name for both kinds", "board.toml:2: i2c.a: the bus at board.toml:1 has that name", append(one("i2c-bus", "a", `{"adapter":"i2c-0"}`), one("i2c", "a", chip)...)},
		{"two names for a chip", "board.toml:2: i2c.b: /sys/class/i2c-dev/i2c-0 0x50 is i2c.a already, at board.toml:1",
			append(one("i2c", "a", `{"bus":"plain","address":80,"registers":"0"}`), one("i2c", "b", chip)...)},
		{"two names for a bus", "board.toml:2: i2c-bus.b: /sys/class/i2c-dev/i2c-0 is i2c-bus.a already, at board.toml:1",
			append(one("i2c-bus", "a", `{"adapter":"plain"}`), one("i2c-bus", "b", `{"adapter":"/sys/bus/i2c/devices/i2c-0"}`)...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			simtest.ExpectRefused(t, Driver(), bench(), c.want, c.entries...)
		})
	}
}

// TestAmbiguousAdapter: two adapters of one name have none of board.toml's until it says which.
func TestAmbiguousAdapter(t *testing.T) {
	k := sim.New(sim.Options{Bare: true})
	k.AddI2C(sim.I2C{Name: "twin"})
	k.AddI2C(sim.I2C{Name: "twin"})
	simtest.ExpectRefused(t, Driver(), k, "board.toml:1: i2c-bus.A: it may be /sys/class/i2c-dev/i2c-0 or /sys/class/i2c-dev/i2c-1: say which",
		simtest.Entries("i2c-bus", `{"adapter":"twin"}`)...)
}

func TestSpans(t *testing.T) {
	for _, c := range []struct {
		text     string
		register int64
		want     span
		in       bool
	}{
		{"0x00-0x7f", 0x7f, span{0, 0x7f}, true},
		{"0x10-0x1f,0", 0, span{0, 0}, true},
		{"0x10-0x1f,0", 7, span{0, 0}, false},
		{"0x10-0x1f,0", 9, span{0x10, 0x1f}, false},
		{"0-3, 4-7", 5, span{0, 7}, true},
		{"4-7, 0-5", 0, span{0, 7}, true},
		{"0-9, 2-3", 9, span{0, 9}, true},
		{"0-1, 4-5, 8-9, 2-7", 9, span{0, 9}, true},
		{" 1 - 2 ", 2, span{1, 2}, true},
	} {
		all, err := parseSpans(c.text, 0xff)
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		if got, in := all.with(c.register); got != c.want || in != c.in {
			t.Errorf("%d in %q: got %v, %t; want %v, %t", c.register, c.text, got, in, c.want, c.in)
		}
	}
}

// TestPlug: chips come and go with their bus, whatever number it gets, and another adapter of the same number is another one.
func TestPlug(t *testing.T) {
	k := sim.New(sim.Options{Bare: true})
	k.AddI2C(sim.I2C{Name: "soc"})
	b := simtest.Open(t, Driver(), k, false, simtest.Entry{Table: "i2c-bus", ID: "stick", Keys: `{"adapter":"usb stick"}`},
		simtest.Entry{Table: "i2c", ID: "memory", Keys: `{"bus":"stick","address":80,"registers":"0-0xff"}`})
	b.ExpectIDs("i2c-0")
	read, gone := `{"device":"memory","register":0,"length":1}`, `DeviceGone{"class":"I2c","device":"memory"}`
	b.Expect("Read", read, `NoSuchDevice{"class":"I2c","device":"memory"}`)
	k.AddI2C(sim.I2C{Name: "usb stick", Chips: []sim.I2CChip{{Address: 0x50, Kind: "24c02"}}})
	b.Rescan()
	b.ExpectIDs("i2c-0 memory stick")
	b.Expect("Read", read, data(0xff))

	k.Unplug("i2c-1")
	b.Expect("Read", read, gone)
	k.AddI2C(sim.I2C{Name: "another", Number: 1, Chips: []sim.I2CChip{{Address: 0x50, Kind: "24c02"}}})
	b.Expect("Read", read, gone)
	b.Expect("Probe", `{"bus":"stick","address":80}`, `DeviceGone{"class":"I2c","device":"stick"}`)
	b.Rescan()
	b.ExpectIDs("i2c-0 i2c-1")
	b.Expect("Read", read, gone)
	k.Plug("i2c-1")
	b.Rescan()
	b.ExpectIDs("i2c-0 i2c-1 memory stick")
	b.Expect("Read", read, data(0xff))
	if n := k.Opened(); n != 0 {
		t.Errorf("%d descriptors are held, want none between calls", n)
	}
}

// TestDeclarations: what `halberd detect` prints is a board.toml that names the same buses.
func TestDeclarations(t *testing.T) {
	simtest.ExpectDeclarations(t, Driver(), bench())
}

// answering is a kernel whose adapters can be opened where there are none: what i2c-dev would say of them is made up.
type answering struct{ hal.Kernel }

func (k answering) Open(path string, flags int) (int, error) {
	if strings.HasPrefix(path, "/dev/") {
		path = "/sys/class/i2c-dev/" + path[len("/dev/"):] + "/name"
	}
	return k.Kernel.Open(path, flags)
}

func (k answering) Ioctl(_ int, request uint, argument unsafe.Pointer) error {
	switch request {
	case uapi.I2CFuncs:
		*(*uint)(argument) = uapi.I2CFuncI2C | uapi.I2CFuncReadByte | uapi.I2CFuncQuick
		return nil
	case uapi.I2CSMBus:
		return unix.ENXIO
	}
	return unix.ENOTTY
}

func (answering) IoctlInt(int, uint, int) error { return nil }

// TestMultiplexedBoard: /sys as the kernel's documentation has it, made by nothing of ours. All adapters of a tree of multiplexers have one worker, and a driver on one of them has its address on those that it can be joined to.
func TestMultiplexedBoard(t *testing.T) {
	b := simtest.Open(t, Driver(), answering{simtest.Tree(t, "testdata/multiplexed.tree")}, false,
		simtest.Entry{Table: "i2c-bus", ID: "left", Keys: `{"adapter":"i2c-0-mux (chan_id 0)"}`},
		simtest.Entry{Table: "i2c-bus", ID: "right", Keys: `{"adapter":"/sys/devices/platform/soc/30a20000.i2c/i2c-0/i2c-4"}`})
	for i := range b.Class.Devices.Len() {
		if d := b.Class.Devices.At(i); d.Bus() != "i2c-0" {
			t.Errorf("%s is on %s, want i2c-0", d.ID(), d.Bus())
		}
	}
	b.ExpectIDs("i2c-0 left right")
	for _, c := range []struct {
		bus     string
		address int
		holder  string
	}{
		{"i2c-0", 0x70, "pca954x"}, {"left", 0x70, "pca954x"}, {"right", 0x70, "pca954x"},
		{"i2c-0", 0x48, "lm75"}, {"left", 0x48, "lm75"}, {"right", 0x48, ""},
		{"i2c-0", 0x50, ""}, {"left", 0x50, ""}, {"i2c-0", 0x29, ""},
	} {
		want := `{"present":false}`
		if c.holder != "" {
			want = `Busy{"class":"I2c","device":"` + c.bus + `","holder":"` + c.holder + `"}`
		}
		b.Expect("Probe", fmt.Sprintf(`{"bus":%q,"address":%d}`, c.bus, c.address), want)
	}
}
