package radio

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
)

// board has two radios, of which hardware blocks one.
func board() *sim.Kernel {
	k := sim.New(sim.Options{Bare: true})
	k.AddRadio(sim.Radio{Name: "phy0", Type: "wlan"})
	k.AddRadio(sim.Radio{Name: "hci0", Type: "bluetooth", Hard: true})
	return k
}

func start(t *testing.T, k hal.Kernel, entries ...simtest.Entry) *simtest.Bench {
	t.Helper()
	return simtest.Open(t, Driver(), k, true, entries...)
}

func declare(id, keys string) simtest.Entry {
	return simtest.Entry{Table: "radio", ID: id, Keys: keys}
}

func TestBlock(t *testing.T) {
	b := start(t, board())
	b.Expect("Get", `{"radio":"phy0"}`, `{"type":"wlan","name":"phy0","softBlocked":false,"hardBlocked":false}`)
	b.Expect("Block", `{"radio":"phy0"}`, `{}`)
	b.Expect("Get", `{"radio":"phy0"}`, `{"type":"wlan","name":"phy0","softBlocked":true,"hardBlocked":false}`)
	b.Expect("Block", `{"radio":"phy0"}`, `{}`)
	b.Expect("Unblock", `{"radio":"phy0"}`, `{}`)
	b.Expect("Get", `{"radio":"phy0"}`, `{"type":"wlan","name":"phy0","softBlocked":false,"hardBlocked":false}`)
	b.Expect("Block", `{"radio":"hci0"}`, `{}`)
	b.Expect("Get", `{"radio":"hci0"}`, `{"type":"bluetooth","name":"hci0","softBlocked":true,"hardBlocked":true}`)
	b.Expect("Unblock", `{"radio":"hci0"}`, `{}`)
	b.Expect("Get", `{"radio":"hci0"}`, `{"type":"bluetooth","name":"hci0","softBlocked":false,"hardBlocked":true}`)
}

// TestStubbornDriver: the kernel does not say that a driver refused, and Halberd does.
func TestStubbornDriver(t *testing.T) {
	k := board()
	k.AddRadio(sim.Radio{Name: "gps0", Type: "gps", Stubborn: true})
	b := start(t, k)
	b.Expect("Block", `{"radio":"gps0"}`, `System{"origin":"linux","errno":5,"errnoName":"EIO"}`)
	b.Expect("Unblock", `{"radio":"gps0"}`, `{}`)
}

func TestWatch(t *testing.T) {
	k := board()
	b := start(t, k)
	w := b.Watch("Watch", `{"radios":["phy0","hci0"]}`)
	event := func(radio, soft, hard string) string {
		return `{"radio":"` + radio + `","softBlocked":` + soft + `,"hardBlocked":` + hard + `}`
	}
	w.Expect(event("phy0", "false", "false"), event("hci0", "false", "true"))
	b.Expect("Block", `{"radio":"phy0"}`, `{}`)
	w.Expect(event("phy0", "true", "false"))
	b.Expect("Block", `{"radio":"phy0"}`, `{}`)
	w.Expect()
	k.SoftBlock("phy0", false)
	k.HardBlock("hci0", false)
	w.Expect(event("phy0", "false", "false"), event("hci0", "false", "false"))
	k.HardBlock("phy0", true)
	k.HardBlock("phy0", false)
	w.Expect(event("phy0", "false", "true"), event("phy0", "false", "false"))
	w.Stop()
	k.SoftBlock("phy0", true)
	w.Expect()
}

// meddling switches a radio right after its state was read.
type meddling struct {
	*sim.Kernel
	armed bool
}

func (m *meddling) Pread(fd int, p []byte, offset int64) (int, error) {
	n, err := m.Kernel.Pread(fd, p, offset)
	if m.armed && offset == 0 && string(p[:min(n, 1)]) == "0" {
		m.armed = false
		m.SoftBlock("phy0", true)
	}
	return n, err
}

// TestChangeBetweenStateAndWatch: what happens after the state was read and before the watch has begun is told.
func TestChangeBetweenStateAndWatch(t *testing.T) {
	k := &meddling{Kernel: board()}
	b := start(t, k)
	k.armed = true
	w := b.Watch("Watch", `{"radios":["phy0"]}`)
	w.Expect(`{"radio":"phy0","softBlocked":false,"hardBlocked":false}`, `{"radio":"phy0","softBlocked":true,"hardBlocked":false}`)
}

func TestBoardToml(t *testing.T) {
	for _, row := range []struct{ name, keys, id, want string }{
		{"by name", `{"name":"phy0"}`, "net", "hci0 net"},
		{"by type", `{"type":"wlan"}`, "net", "hci0 net"},
		{"by both", `{"name":"phy0","type":"wlan"}`, "net", "hci0 net"},
		{"by both, of which one is wrong", `{"name":"phy0","type":"bluetooth"}`, "net", "hci0 phy0"},
		{"not there", `{"type":"gps"}`, "net", "hci0 phy0"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := start(t, board(), declare(row.id, row.keys)).IDs(); got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
		})
	}
}

func TestBoardErrors(t *testing.T) {
	for _, row := range []struct{ name, keys, want string }{
		{"nothing said", `{"safe":0}`, "board.toml:1: radio.x: name, type or both say which radio it is"},
		{"safe without a value", `{"type":"wlan","on-release":"safe"}`, `board.toml:1: radio.x: on-release = "safe" needs a value for safe`},
		{"a value of its own", `{"type":"wlan","safe":2}`, "board.toml:1: radio.x: safe: must be from 0 to 1"},
		{"two of a type", `{"type":"wlan"}`, "board.toml:1: radio.x: it may be /sys/class/rfkill/rfkill0 or /sys/class/rfkill/rfkill2: say which"},
	} {
		t.Run(row.name, func(t *testing.T) {
			k := board()
			k.AddRadio(sim.Radio{Name: "phy1", Type: "wlan"})
			simtest.ExpectRefused(t, Driver(), k, row.want, declare("x", row.keys))
		})
	}
}

// TestSameNames: a name of two radios is nobody's, until board.toml tells them apart.
func TestSameNames(t *testing.T) {
	k := board()
	k.AddRadio(sim.Radio{Name: "phy0", Type: "wwan"})
	b := start(t, k, declare("mobile", `{"type":"wwan"}`))
	if got, want := b.IDs(), "hci0 mobile"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// blocked is what the kernel says of a radio.
func blocked(t *testing.T, k *sim.Kernel, name string) string {
	t.Helper()
	return simtest.Cat(t, k, "/sys/class/rfkill/"+k.RadioDevice(name)+"/soft")
}

func TestOutput(t *testing.T) {
	k := board()
	b := start(t, k, declare("net", `{"type":"wlan","initial":0,"safe":0}`))
	if got := blocked(t, k, "phy0"); got != "1" {
		t.Errorf("after the start soft is %s, want 1", got)
	}
	b.Expect("Unblock", `{"radio":"net"}`, `{}`)
	outputs := b.Class.Safe()
	if len(outputs) != 1 || outputs[0].Value != 0 || outputs[0].Device.ID() != "net" {
		t.Fatalf("the outputs are %v", outputs)
	}
	if err := outputs[0].Bring(); err != nil || blocked(t, k, "phy0") != "1" {
		t.Errorf("brought to its safe value: %v, soft is %s", err, blocked(t, k, "phy0"))
	}
}

// TestClaim: whoever had the radio leaves it as board.toml says.
func TestClaim(t *testing.T) {
	for _, row := range []struct{ name, keys, want string }{
		{"safe", `{"type":"wlan","safe":1}`, "0"},
		{"restore", `{"type":"wlan","on-release":"restore"}`, "0"},
		{"hold", `{"type":"wlan"}`, "1"},
	} {
		t.Run(row.name, func(t *testing.T) {
			k := board()
			b := start(t, k, declare("net", row.keys))
			release, err := b.Class.Devices.At(1).(hal.Claimable).Claim()
			if err != nil {
				t.Fatal(err)
			}
			b.Expect("Block", `{"radio":"net"}`, `{}`)
			if release != nil {
				err = release()
			}
			if got := blocked(t, k, "phy0"); err != nil || got != row.want {
				t.Errorf("released: %v, soft is %s, want %s", err, got, row.want)
			}
		})
	}
}

// TestPlug: a radio that comes is named and switched by board.toml, and one that went and came is another one, with another index.
func TestPlug(t *testing.T) {
	k := sim.New(sim.Options{Bare: true})
	b := start(t, k, declare("net", `{"type":"wlan","initial":0}`))
	b.Expect("Get", `{"radio":"net"}`, `NoSuchDevice{"class":"Radio","device":"net"}`)
	k.AddRadio(sim.Radio{Name: "phy0", Type: "wlan"})
	rescan(b)
	on, off := `{"type":"wlan","name":"phy0","softBlocked":false,"hardBlocked":false}`, `{"type":"wlan","name":"phy0","softBlocked":true,"hardBlocked":false}`
	b.Expect("Get", `{"radio":"net"}`, off)
	b.Expect("Unblock", `{"radio":"net"}`, `{}`)
	w := b.Watch("Watch", `{"radios":["net"]}`)
	held := k.Opened()
	device := k.RadioDevice("phy0")
	k.Unplug(device)
	k.Plug(device)
	gone := `DeviceGone{"class":"Radio","device":"net"}`
	for _, method := range []string{"Get", "Block", "Unblock"} {
		b.Expect(method, `{"radio":"net"}`, gone)
	}
	rescan(b)
	if w.Failed == nil || simtest.Text(w.Failed) != gone || k.Opened() != held {
		t.Errorf("the watch ended with %v; %d descriptors, want %d", w.Failed, k.Opened(), held)
	}
	b.Expect("Get", `{"radio":"net"}`, off)
	b.Expect("Unblock", `{"radio":"net"}`, `{}`)
	b.Expect("Get", `{"radio":"net"}`, on)
}

func rescan(b *simtest.Bench) {
	b.Helper()
	if b.Class.Rescan() {
		b.Errorf("it wants to look again: %s", b.Log.String())
	}
	b.Loop.Turn()
}

// deaf is a kernel whose /dev/rfkill cannot be opened, or fails to be read.
type deaf struct {
	*sim.Kernel
	open, read error
}

func (d *deaf) Open(path string, flags int) (int, error) {
	if path == device && d.open != nil {
		return -1, d.open
	}
	return d.Kernel.Open(path, flags)
}

func (d *deaf) Read(fd int, p []byte) (int, error) {
	if d.read != nil {
		return -1, d.read
	}
	return d.Kernel.Read(fd, p)
}

// TestWithoutNode: what cannot be switched can still be looked at, and is found again when something comes.
func TestWithoutNode(t *testing.T) {
	k := &deaf{Kernel: board(), open: unix.EPERM}
	b := start(t, k)
	b.Expect("Get", `{"radio":"phy0"}`, `{"type":"wlan","name":"phy0","softBlocked":false,"hardBlocked":false}`)
	b.Expect("Block", `{"radio":"phy0"}`, `NotSupported{"feature":"/dev/rfkill"}`)
	w := b.Watch("Watch", `{"radios":["phy0"]}`)
	if want := `NotSupported{"feature":"/dev/rfkill"}`; w.Failed == nil || simtest.Text(w.Failed) != want {
		t.Errorf("the watch ended with %v, want %s", w.Failed, want)
	}
	if !strings.Contains(b.Log.String(), "cannot open /dev/rfkill") {
		t.Errorf("the log does not say why: %s", b.Log.String())
	}
	k.open = nil
	rescan(b)
	b.Expect("Block", `{"radio":"phy0"}`, `{}`)
}

// TestNodeThatFails is opened again, and what changed meanwhile is told.
func TestNodeThatFails(t *testing.T) {
	k := &deaf{Kernel: board()}
	b := start(t, k)
	w := b.Watch("Watch", `{"radios":["phy0"]}`)
	w.Events()
	k.read = unix.EIO
	k.SoftBlock("phy0", true)
	w.Expect()
	k.read = nil
	b.Loop.Advance(recovery)
	w.Expect(`{"radio":"phy0","softBlocked":true,"hardBlocked":false}`)
	b.Expect("Unblock", `{"radio":"phy0"}`, `{}`)
	w.Expect(`{"radio":"phy0","softBlocked":false,"hardBlocked":false}`)
	if n := b.Loop.Timers(); n != 0 {
		t.Errorf("%d timers are left", n)
	}
}

// What the radios say for board.toml names the same radios again.
func TestDeclaration(t *testing.T) {
	simtest.ExpectDeclarations(t, Driver(), board())
}
