package spi

import (
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
	"github.com/halberd-io/halberd/hal/uapi"
)

func b64(b ...byte) string { return base64.StdEncoding.EncodeToString(b) }

func bench() passing {
	k := sim.New(sim.Options{Bare: true})
	k.AddSPI(sim.SPI{Mode: uapi.SPICSHigh | uapi.SPICPHA})
	k.AddSPI(sim.SPI{Bus: 2, ChipSelect: 1, Bits: []uint8{8, 12, 32}})
	return passing{k}
}

var flash = simtest.Entry{Table: "spi", ID: "flash", Keys: `{"name":"spidev0.0"}`}

func TestNames(t *testing.T) {
	b := simtest.Open(t, Driver(), bench(), false, flash)
	var got []string
	for i := range b.Class.Devices.Len() {
		d := b.Class.Devices.At(i)
		got = append(got, d.ID()+" on "+d.Bus())
	}
	if got, want := strings.Join(got, ", "), "flash on spi0, spidev2.1 on spi2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if declared := b.Declared(); len(declared) != 2 || declared[0].Keys == declared[1].Keys {
		t.Errorf("declared: %v", declared)
	}
}

// segments writes a transfer of segments of so many bytes, each read or not.
func segments(read bool, sizes ...int) string {
	var all []string
	for _, n := range sizes {
		all = append(all, fmt.Sprintf(`{"write":%q,"read":%t}`, b64(make([]byte, n)...), read))
	}
	return `[` + strings.Join(all, ",") + `]`
}

func TestTransfer(t *testing.T) {
	many := make([]int, 33)
	for i := range many {
		many[i] = 1
	}
	for _, c := range []struct {
		name, device, segments, want string
		selects                      int
	}{
		{"what is sent comes back", "flash", `[{"write":"` + b64(1, 2, 3) + `","read":true}]`, `{"reads":[{"data":"` + b64(1, 2, 3) + `"}]}`, 1},
		{"unless nobody asks", "flash", `[{"write":"AAE="}]`, `{"reads":[]}`, 1},
		{"several", "flash", `[{"write":"nw==","read":false},{"write":"AQI=","read":true},{"write":"Aw==","read":true}]`, `{"reads":[{"data":"AQI="},{"data":"Aw=="}]}`, 1},
		{"deselected between", "flash", `[{"write":"nw==","deselect":true},{"write":"AQI="}]`, `{"reads":[]}`, 2},
		{"deselected at the end", "flash", `[{"write":"nw==","deselect":true}]`, `{"reads":[]}`, 1},
		{"faster than the controller", "flash", `[{"write":"nw==","speedHz":4294967295}]`, `{"reads":[]}`, 1},
		{"too slow", "flash", `[{"write":"nw==","speedHz":999}]`, `System{"origin":"linux","errno":22,"errnoName":"EINVAL"}`, 0},
		{"as much as there is room for", "flash", segments(true, 2048, 2048), `{"reads":[{"data":"` + b64(make([]byte, 2048)...) + `"},{"data":"` + b64(make([]byte, 2048)...) + `"}]}`, 1},
		{"more", "flash", segments(false, 4096, 1), `OutOfRange{"parameter":"segments","minimum":1,"maximum":4096}`, 0},
		{"more for the kernel", "flash", segments(false, many...), `OutOfRange{"parameter":"segments","minimum":1,"maximum":4096}`, 0},
		{"nothing", "flash", `[{"write":""}]`, `InvalidParameter{"parameter":"segments[0].write"}`, 0},
		{"no segment", "flash", `[]`, `InvalidParameter{"parameter":"segments"}`, 0},
		{"without bytes", "flash", `[{"write":"AA=="},{"read":true}]`, `InvalidParameter{"parameter":"segments[1].write"}`, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := bench()
			b := simtest.Open(t, Driver(), k, false, flash)
			b.Expect("Transfer", `{"device":"`+c.device+`","segments":`+c.segments+`}`, c.want)
			name := map[string]string{"flash": "spidev0.0"}[c.device]
			if name == "" {
				name = c.device
			}
			if got := k.Selects(name); got != c.selects {
				t.Errorf("selected %d times, want %d", got, c.selects)
			}
		})
	}
}

// TestBuffer: spidev takes as much as its parameter says, and a reply has less.
func TestBuffer(t *testing.T) {
	k := sim.New(sim.Options{Bare: true})
	k.AddSPI(sim.SPI{Buffer: 65536})
	b := simtest.Open(t, Driver(), k, false)
	b.Expect("Transfer", `{"device":"spidev0.0","segments":`+segments(false, 40000)+`}`, `{"reads":[]}`)
	b.Expect("Transfer", `{"device":"spidev0.0","segments":`+segments(true, 16384, 1)+`}`, `MessageTooLarge{"limit":16384}`)
}

func TestWords(t *testing.T) {
	b := simtest.Open(t, Driver(), bench(), false)
	for _, c := range []struct {
		bits, length int
		want         string
	}{{8, 3, `{"reads":[]}`}, {12, 3, `InvalidParameter{"parameter":"segments[0].write"}`}, {12, 4, `{"reads":[]}`}, {32, 6, `InvalidParameter{"parameter":"segments[0].write"}`}, {32, 8, `{"reads":[]}`}} {
		b.Expect("Configure", fmt.Sprintf(`{"device":"spidev2.1","mode":0,"speedHz":1000000,"bits":%d}`, c.bits), `{}`)
		b.Expect("Transfer", `{"device":"spidev2.1","segments":`+segments(false, c.length)+`}`, c.want)
	}
}

// has reads the settings of a device as another program would.
func has(t *testing.T, k hal.Kernel, name string) string {
	t.Helper()
	fd, err := k.Open("/dev/"+name, unix.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close(fd)
	var mode, speed uint32
	var bits uint8
	for request, to := range map[uint]unsafe.Pointer{uapi.SPIRdMode32: unsafe.Pointer(&mode), uapi.SPIRdBitsPerWord: unsafe.Pointer(&bits), uapi.SPIRdMaxSpeedHz: unsafe.Pointer(&speed)} {
		if err := k.Ioctl(fd, request, to); err != nil {
			t.Fatal(err)
		}
	}
	return fmt.Sprintf("mode %#x, %d bits, %d Hz", mode, bits, speed)
}

func TestConfigure(t *testing.T) {
	const start = "mode 0x5, 8 bits, 10000000 Hz" // SPI_CS_HIGH and mode 1, as the board is
	for _, c := range []struct{ name, in, want, has string }{
		{"everything", `"mode":2,"speedHz":500000,"bits":16`, `{}`, "mode 0x6, 16 bits, 500000 Hz"},
		{"the same", `"mode":1,"speedHz":10000000,"bits":8`, `{}`, start},
		{"bits that the controller has not", `"mode":3,"speedHz":500000,"bits":9`, `NotSupported{"feature":"bits"}`, start},
		{"no such mode", `"mode":4,"speedHz":500000,"bits":8`, `InvalidParameter{"parameter":"mode"}`, start},
		{"no speed", `"mode":0,"speedHz":0,"bits":8`, `InvalidParameter{"parameter":"speedHz"}`, start},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := bench()
			b := simtest.Open(t, Driver(), k, false, flash)
			b.Expect("Configure", `{"device":"flash",`+c.in+`}`, c.want)
			if got := has(t, k, "spidev0.0"); got != c.has {
				t.Errorf("the device has %s, want %s", got, c.has)
			}
		})
	}
}

func TestStart(t *testing.T) {
	for _, c := range []struct{ keys, has, log string }{
		{``, "mode 0x5, 8 bits, 10000000 Hz", ""},
		{`,"mode":2`, "mode 0x6, 8 bits, 10000000 Hz", ""},
		{`,"bits":16,"speed-hz":1000`, "mode 0x5, 16 bits, 1000 Hz", ""},
		{`,"bits":5`, "mode 0x5, 8 bits, 10000000 Hz", "cannot set up an SPI device at the start"},
	} {
		k := bench()
		b := simtest.Open(t, Driver(), k, false, simtest.Entry{Table: "spi", ID: "flash", Keys: `{"name":"spidev0.0"` + c.keys + `}`})
		if got := has(t, k, "spidev0.0"); got != c.has || !strings.Contains(b.Log.String(), c.log) {
			t.Errorf("%s: the device has %s, want %s; log: %s", c.keys, got, c.has, b.Log.String())
		}
	}
}

const (
	onFlash  = `{"device":"flash"}`
	busy     = `Busy{"class":"Spi","device":"flash","holder":"lease"}`
	transfer = `{"device":"flash","segments":[{"write":"AAA="}]}`
	normal   = `{"device":"flash","mode":0,"speedHz":1000000,"bits":8}`
)

// take makes a lease.
func take(b *simtest.Bench) {
	b.Helper()
	b.Expect("Lease", onFlash, `{"fileDescriptor":0}`)
	hal.CloseFiles(b.Files)
}

// TestLease: while it runs, its holder alone may call; what was set meanwhile is set back before the first call afterwards.
func TestLease(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false, flash)
	b.Expect("Configure", normal, `{}`)
	take(b)
	b.Expect("Transfer", transfer, `{"reads":[]}`)
	take(b)
	for method, in := range map[string]string{"Transfer": transfer, "Configure": normal, "Lease": onFlash} {
		permitted, _, err := b.Permit(method, in)
		switch {
		case err != nil:
		case method == "Lease":
			permitted.Start(&stranger{}, func(e error) { err = e })
			b.Loop.Turn()
		default:
			err = permitted.Run(&stranger{})
		}
		if err == nil || simtest.Text(err) != busy {
			t.Errorf("%s by somebody else: got %v, want %s", method, err, busy)
		}
	}
	upset(t, k)
	b.Expect("Transfer", transfer, `{"reads":[]}`)
	if got := has(t, k, "spidev0.0"); got != "mode 0x7, 16 bits, 2000 Hz" {
		t.Errorf("while the lease runs the device has %s, want what its holder set", got)
	}
	b.Hangup()
	b.Expect("Transfer", transfer, `{"reads":[]}`) // by a new holder
	if got := has(t, k, "spidev0.0"); got != "mode 0x4, 8 bits, 1000000 Hz" {
		t.Errorf("after the lease the device has %s, want what Configure set", got)
	}
	take(b)
	upset(t, k)
	b.Hangup()
	take(b)
	if got := has(t, k, "spidev0.0"); got != "mode 0x4, 8 bits, 1000000 Hz" {
		t.Errorf("a lease begins with %s, want what Configure set", got)
	}
	if n := k.Opened(); n != 2 {
		t.Errorf("%d descriptors are open, want one of each device", n)
	}
}

// upset changes all settings, as the holder of a descriptor can.
func upset(t *testing.T, k hal.Kernel) {
	t.Helper()
	fd, err := k.Open("/dev/spidev0.0", unix.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close(fd)
	mode, bits, speed := uint32(7), uint8(16), uint32(2000)
	for request, value := range map[uint]unsafe.Pointer{uapi.SPIWrMode32: unsafe.Pointer(&mode), uapi.SPIWrBitsPerWord: unsafe.Pointer(&bits), uapi.SPIWrMaxSpeedHz: unsafe.Pointer(&speed)} {
		if err := k.Ioctl(fd, request, value); err != nil {
			t.Fatal(err)
		}
	}
}

// TestEndLease: a lease can be ended while its holder goes on, by the holder or by an administrator; then the next one may have the device.
func TestEndLease(t *testing.T) {
	b := simtest.Open(t, Driver(), bench(), false, flash)
	device := b.Class.Devices.At(0).(hal.Lessor)
	if device.EndLease(nil, func() { t.Error("there was no lease") }) {
		t.Error("a lease is ended, and there was none")
	}
	noted := b.Ledger()
	for _, by := range []hal.Holder{b.Holder(), nil} {
		take(b)
		take(b)
		noted.Expect("leased twice", "+flash", "flash")
		if device.EndLease(&stranger{}, func() { t.Error("it is another one's") }) {
			t.Error("somebody else's lease is ended")
		}
		ended := 0
		if !device.EndLease(by, func() { ended++ }) {
			t.Error("the lease is not ended")
		}
		b.Loop.Turn()
		if ended != 1 || device.EndLease(nil, func() { ended++ }) {
			t.Errorf("told %d times that it has ended, or it has not, want once", ended)
		}
		noted.Expect("ended", "-flash", "")
	}
	b.Connect("another one")
	take(b)
	b.Hangup()
	noted.Expect("hung up", "+flash -flash", "")
}

// TestLeaseOfASimulatedDevice: there is nothing to hand over, and nothing stays behind.
func TestLeaseOfASimulatedDevice(t *testing.T) {
	b := simtest.Open(t, Driver(), bench().Kernel, false, flash)
	b.Expect("Lease", onFlash, `NotSupported{"feature":"lease"}`)
	b.Expect("Transfer", transfer, `{"reads":[]}`)
	b.Hangup()
}

// stranger is another connection, which ends when the test says so.
type stranger struct{ end func() }

func (s *stranger) Ended(f func()) (stop func()) {
	s.end = f
	return func() { s.end = func() {} }
}

func (*stranger) Owner() hal.Owner { return "stranger" }

// slowLoop is a loop whose workers wait for the test.
type slowLoop struct {
	*haltest.Loop
	run, done func()
}

func (l *slowLoop) Submit(_ string, run, done func()) error {
	l.run, l.done = run, done
	return nil
}

// TestLeaseThatComesTooLate: it is answered in time, once, and what nobody takes any more is closed.
func TestLeaseThatComesTooLate(t *testing.T) {
	for _, c := range []struct {
		name string
		late func(*slowLoop, *stranger)
		want string
	}{
		{"a bus that hangs", func(l *slowLoop, _ *stranger) { l.Advance(hal.Patience) }, `Timeout{"class":"Spi","device":"flash"}`},
		{"a caller that has a lease, on a bus that hangs", func(l *slowLoop, _ *stranger) { l.Advance(hal.Patience) }, `Timeout{"class":"Spi","device":"flash"}`},
		{"a caller that ends", func(_ *slowLoop, s *stranger) { s.end() }, `DeviceGone{"class":"Spi","device":"flash"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, l, s := bench(), &slowLoop{Loop: haltest.NewLoop()}, &stranger{}
			b := simtest.Open(t, Driver(), k, false, flash)
			d := b.Class.Devices.At(0).(*Device)
			d.env.Loop = l
			out, answers := &leaseOut{}, []string(nil)
			if strings.Contains(c.name, "has a lease") {
				d.begin(s)
			}
			d.lend(s, nil, out, func(err error) { answers = append(answers, simtest.Text(err)) })
			c.late(l, s)
			held := openFiles(t)
			l.run()
			l.done()
			if got := openFiles(t); got != held || out.File.FD != 0 || l.Timers() != 0 {
				t.Errorf("%d descriptors are open, want %d; %d timers", got, held, l.Timers())
			}
			if len(answers) != 1 || answers[0] != c.want {
				t.Errorf("answered %q, want %s once", answers, c.want)
			}
		})
	}
}

// openFiles counts the descriptors of this process.
func openFiles(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

func TestPlug(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false, simtest.Entry{Table: "spi", ID: "flash", Keys: `{"name":"spidev0.0","bits":16}`})
	take(b)
	k.Unplug("spidev0.0")
	k.Plug("spidev0.0")
	gone := `DeviceGone{"class":"Spi","device":"flash"}`
	b.Expect("Transfer", `{"device":"flash","segments":[{"write":"AAA="}]}`, gone)
	b.Expect("Configure", normal, gone)
	if b.Class.Rescan() {
		t.Error("it wants to look again")
	}
	b.Loop.Turn()
	if got := has(t, k, "spidev0.0"); got != "mode 0x5, 16 bits, 10000000 Hz" {
		t.Errorf("plugged in, the device has %s", got)
	}
	b.Expect("Transfer", `{"device":"flash","segments":[{"write":"AAA="}]}`, `{"reads":[]}`)
	take(b)
	k.Unplug("spidev0.0")
	b.Class.Rescan()
	b.Expect("Lease", onFlash, gone)
}
