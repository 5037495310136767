package serial

import (
	"os"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
	"github.com/halberd-io/halberd/hal/uapi"
)

// bench is a bare board with a port for all, one that can do less, one that somebody else has, and an entry without hardware.
func bench() *sim.Kernel {
	k := sim.New(sim.Options{Bare: true})
	k.AddPort(sim.Port{Name: "ttySIM0", RS485: true})
	k.AddPort(sim.Port{Name: "ttySIM1", MaxBaud: 115200, NoLines: true})
	k.AddPort(sim.Port{Name: "ttySIM2", Exclusive: true})
	k.AddPort(sim.Port{Name: "ttyS0", Unwired: true})
	return k
}

var modem = simtest.Entry{Table: "serial", ID: "modem", Keys: `{"name":"ttySIM0"}`}

func TestConformance(t *testing.T) {
	needPTY(t)
	haltest.Run(t, func(*testing.T) haltest.Harness {
		k := bench()
		return haltest.Harness{
			Driver: Driver(), Kernel: k, Opened: k.Opened,
			Unplug:  func() { k.Unplug("ttySIM0"); k.Unplug("ttySIM1") },
			Plug:    func() { k.Plug("ttySIM0"); k.Plug("ttySIM1") },
			Entries: []haltest.Entry{{Table: "serial", ID: "modem", Keys: `{"name":"ttySIM0","revoke":false}`}},
			Calls: []haltest.Call{
				{Method: "Open", Parameters: `{"port":"modem","baud":115200}`},
				{Method: "Open", Parameters: `{"port":"ttySIM1","baud":921600}`, Refusal: "io.halberd.NotSupported"},
				{Method: "Open", Parameters: `{"port":"ttySIM2","baud":9600}`, Refusal: "io.halberd.Busy"},
				{Method: "GetLines", Parameters: `{"port":"modem"}`, Refusal: "io.halberd.NotSupported"},
				{Method: "SetLines", Parameters: `{"port":"modem","rts":true}`, Refusal: "io.halberd.NotSupported"},
				{Method: "Break", Parameters: `{"port":"modem","durationMSec":100}`, Refusal: "io.halberd.NotSupported"},
				{Method: "Counters", Parameters: `{"port":"modem"}`, Refusal: "io.halberd.NotSupported"},
			},
		}
	})
}

// needPTY skips where there are no pseudo-terminals, or where an emulator does not know the requests of terminals.
func needPTY(t *testing.T) {
	t.Helper()
	k := bench()
	fd, err := k.Open("/dev/ttySIM0", unix.O_RDWR|unix.O_NOCTTY)
	if err != nil {
		t.Skipf("no pseudo-terminal: %v", err)
	}
	defer k.Close(fd)
	var settings unix.Termios
	var exclusive int32
	for _, err := range []error{k.Ioctl(fd, unix.TCGETS2, unsafe.Pointer(&settings)), k.Ioctl(fd, unix.TIOCGEXCL, unsafe.Pointer(&exclusive))} {
		if err == unix.ENOSYS {
			t.Skip("a terminal answers ENOSYS: this is user-mode emulation")
		}
	}
}

func TestNames(t *testing.T) {
	b := simtest.Open(t, Driver(), bench(), false, modem)
	if got, want := b.IDs(), "modem ttySIM1 ttySIM2"; got != want {
		t.Errorf("got %s, want %s: no entry without hardware", got, want)
	}
	if n := bench().Opened(); n != 0 {
		t.Errorf("%d descriptors are open, want none before somebody asks", n)
	}
}

// take opens a port and gives its descriptor as a file.
func take(b *simtest.Bench, in string) *os.File {
	b.Helper()
	b.Expect("Open", in, `{"fileDescriptor":0}`)
	if len(b.Files) != 1 {
		b.Fatalf("%d descriptors came, want 1", len(b.Files))
	}
	f := os.NewFile(uintptr(b.Files[0]), "port")
	b.Cleanup(func() { f.Close() })
	return f
}

// TestOpen: the descriptor is a raw terminal as it was asked for, what is written comes back, and a second one is not to be had until the first holder has ended.
func TestOpen(t *testing.T) {
	needPTY(t)
	k := bench()
	b := simtest.Open(t, Driver(), k, false, modem)
	f := take(b, `{"port":"modem","baud":115200,"bits":7,"parity":"even","stop":2,"flow":"rts_cts"}`)
	got, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS2)
	if err != nil {
		t.Fatal(err)
	}
	// The terminal below is a pseudo-terminal, which has neither parity nor seven bits.
	if want := uint32(unix.CSTOPB | unix.CRTSCTS | unix.CLOCAL | unix.CREAD | unix.HUPCL); got.Cflag&want != want || got.Ospeed != 115200 || got.Lflag != 0 || got.Oflag != 0 || got.Iflag != 0 {
		t.Errorf("got flags %#x, want %#x in them; %d baud, local %#x, output %#x, input %#x", got.Cflag, want, got.Ospeed, got.Lflag, got.Oflag, got.Iflag)
	}
	if flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK != 0 {
		t.Errorf("the descriptor has flags %#x (%v), want one that waits", flags, err)
	}
	if _, err := f.WriteString("AT\r\x00\x03"); err != nil {
		t.Fatal(err)
	}
	back := make([]byte, 5)
	for n := 0; n < len(back); {
		more, err := f.Read(back[n:])
		if err != nil {
			t.Fatal(err)
		}
		n += more
	}
	if string(back) != "AT\r\x00\x03" {
		t.Errorf("got %q back", back)
	}
	b.Expect("Counters", `{"port":"modem"}`, `{"received":5,"sent":5,"frameErrors":0,"parityErrors":0,"overruns":0,"bufferOverruns":0,"breaks":0,"ctsChanges":0,"dsrChanges":0,"cdChanges":0,"riChanges":0}`)
	other(b, "Open", `{"port":"modem","baud":9600}`, `Busy{"class":"Serial","device":"modem","holder":"lease"}`)
	if _, err := f.WriteString("for the first one"); err != nil {
		t.Fatal(err)
	}
	for n := 0; n < len("for the first one"); {
		var err error
		if n, err = unix.IoctlGetInt(int(f.Fd()), unix.TIOCINQ); err != nil {
			t.Fatal(err)
		}
	}
	f = take(b, `{"port":"modem","baud":19200}`)
	if n, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCINQ); err != nil || n != 0 {
		t.Errorf("%d characters wait for who opens the port (%v), want none", n, err)
	}
	b.Hangup()
	if k.Opened() != 0 {
		t.Errorf("%d descriptors are open after its end, want none", k.Opened())
	}
	if _, err := f.WriteString("x"); err == nil {
		t.Error("the descriptor outlives the simulated port")
	}
	take(b, `{"port":"modem","baud":9600}`)
}

// TestWhatTheHardwareCannot: is refused by its name, and leaves the port free.
func TestWhatTheHardwareCannot(t *testing.T) {
	needPTY(t)
	rows := []struct{ name, in, want string }{
		{"too fast", `{"port":"ttySIM1","baud":921600}`, `NotSupported{"feature":"baud"}`},
		{"no RS-485", `{"port":"ttySIM1","baud":9600,"rs485":true}`, `NotSupported{"feature":"rs485"}`},
		{"nine bits", `{"port":"ttySIM1","baud":9600,"bits":9}`, `InvalidParameter{"parameter":"bits"}`},
		{"somebody else's", `{"port":"ttySIM2","baud":9600}`, `Busy{"class":"Serial","device":"ttySIM2"}`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			k := bench()
			b := simtest.Open(t, Driver(), k, false, modem)
			b.Expect("Open", row.in, row.want)
			if k.Opened() != 0 {
				t.Errorf("%d descriptors are open, want none", k.Opened())
			}
			take(b, `{"port":"ttySIM1","baud":9600}`)
		})
	}
}

// TestLines: read, set by who has the port, refused to others and while nobody has it.
func TestLines(t *testing.T) {
	needPTY(t)
	const closed = `NotSupported{"feature":"closed"}`
	b := simtest.Open(t, Driver(), bench(), false, modem)
	b.Expect("GetLines", `{"port":"modem"}`, closed)
	b.Expect("SetLines", `{"port":"modem","rts":true}`, closed)
	take(b, `{"port":"modem","baud":9600,"rs485":true}`)
	b.Expect("GetLines", `{"port":"modem"}`, `{"dtr":true,"rts":true,"cts":true,"dsr":true,"cd":true,"ri":false}`)
	b.Expect("SetLines", `{"port":"modem","rts":false}`, `{}`)
	b.Expect("GetLines", `{"port":"modem"}`, `{"dtr":true,"rts":false,"cts":false,"dsr":true,"cd":true,"ri":false}`)
	b.Expect("SetLines", `{"port":"modem","rts":true,"dtr":false}`, `{}`)
	b.Expect("GetLines", `{"port":"modem"}`, `{"dtr":false,"rts":true,"cts":true,"dsr":false,"cd":false,"ri":false}`)
	take(b, `{"port":"ttySIM1","baud":9600}`)
	b.Expect("GetLines", `{"port":"ttySIM1"}`, `NotSupported{"feature":"lines"}`)
	other(b, "SetLines", `{"port":"modem","rts":true}`, `Busy{"class":"Serial","device":"modem","holder":"lease"}`)
	other(b, "Break", `{"port":"modem","durationMSec":100}`, `Busy{"class":"Serial","device":"modem","holder":"lease"}`)
}

// TestRS485: the line is switched as the board's description has it, also after it was off for a while; without a word there, RTS is active while it sends.
func TestRS485(t *testing.T) {
	needPTY(t)
	const on, sending, after = uapi.SerialRS485Enabled, uapi.SerialRS485RTSOnSend, uapi.SerialRS485RTSAfterSend
	for _, row := range []struct {
		name    string
		inverse bool
		want    uapi.SerialRS485
	}{
		{"nothing said", false, uapi.SerialRS485{Flags: on | sending}},
		{"low while it sends", true, uapi.SerialRS485{Flags: on | after, DelayRTSAfterSend: 5}},
	} {
		t.Run(row.name, func(t *testing.T) {
			k := sim.New(sim.Options{Bare: true})
			k.AddPort(sim.Port{Name: "ttySIM0", RS485: true, Inverse: row.inverse})
			b := simtest.Open(t, Driver(), k, false, modem)
			for range 2 {
				take(b, `{"port":"modem","baud":9600,"rs485":true}`)
				if got := k.Switching("ttySIM0"); got != row.want {
					t.Errorf("got %+v, want %+v", got, row.want)
				}
				take(b, `{"port":"modem","baud":9600}`)
				if got := k.Switching("ttySIM0"); got.Flags&on != 0 {
					t.Errorf("got %+v, want it off", got)
				}
			}
		})
	}
}

// stranger is another connection.
type stranger struct{}

func (*stranger) Ended(func()) (stop func()) { return func() {} }

func (*stranger) Owner() hal.Owner { return "somebody else" }

// other makes a call of somebody else.
func other(b *simtest.Bench, method, in, want string) {
	b.Helper()
	permitted, call, err := b.Permit(method, in)
	if err != nil {
		b.Fatal(err)
	}
	defer call.Release()
	var got error
	permitted.Start(&stranger{}, func(err error) { got = err })
	b.Loop.Turn()
	if got == nil || simtest.Text(got) != want {
		b.Errorf("%s %s: got %v, want %s", method, in, got, want)
	}
}

// TestBreak: it lasts as long as it is asked to, and ends though its caller does not wait.
func TestBreak(t *testing.T) {
	needPTY(t)
	k := bench()
	b := simtest.Open(t, Driver(), k, false, modem)
	take(b, `{"port":"modem","baud":9600}`)
	permitted, call, err := b.Permit("Break", `{"port":"modem","durationMSec":250}`)
	if err != nil {
		t.Fatal(err)
	}
	defer call.Release()
	answers := 0
	permitted.Start(b.Holder(), func(err error) {
		answers++
		if err != nil {
			t.Error(err)
		}
	})
	b.Loop.Advance(240 * time.Millisecond)
	if now, _ := k.Breaking("ttySIM0"); !now || answers != 0 {
		t.Errorf("after 240 ms: a break is sent %t, %d answers, want true, 0", now, answers)
	}
	b.Loop.Advance(20 * time.Millisecond)
	if now, breaks := k.Breaking("ttySIM0"); now || breaks != 1 || answers != 1 {
		t.Errorf("after 260 ms: a break is sent %t, %d in all, %d answers, want false, 1, 1", now, breaks, answers)
	}
}

// TestBreakEndsWithItsLease: whoever keeps the descriptor does not go on sending it, and the next one's is not ended early.
func TestBreakEndsWithItsLease(t *testing.T) {
	needPTY(t)
	k := bench()
	b := simtest.Open(t, Driver(), k, false, modem)
	begin := func() (answer func() error) {
		t.Helper()
		take(b, `{"port":"modem","baud":9600}`)
		permitted, call, err := b.Permit("Break", `{"port":"modem","durationMSec":250}`)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(call.Release)
		var got error
		permitted.Start(b.Holder(), func(err error) { got = err })
		b.Loop.Turn()
		return func() error { return got }
	}
	first := begin()
	b.Expect("Break", `{"port":"modem","durationMSec":250}`, `Busy{"class":"Serial","device":"modem"}`)
	b.Loop.Advance(100 * time.Millisecond)
	b.Hangup()
	if now, _ := k.Breaking("ttySIM0"); now {
		t.Error("the break outlives its lease")
	}
	second := begin()
	b.Loop.Advance(200 * time.Millisecond)
	if now, _ := k.Breaking("ttySIM0"); !now {
		t.Error("the first break's end ends the second one")
	}
	b.Loop.Advance(50 * time.Millisecond)
	if now, _ := k.Breaking("ttySIM0"); now || second() != nil {
		t.Errorf("after 250 ms a break is sent %t, and the answer is %v, want false and none", now, second())
	}
	if _, gone := first().(*hal.DeviceGone); !gone {
		t.Errorf("the first one's answer is %v, want DeviceGone", first())
	}
}

// TestEndLease: a lease can be ended while its holder goes on, by the holder or by an administrator; then the next one may have the port.
func TestEndLease(t *testing.T) {
	needPTY(t)
	k := bench()
	b := simtest.Open(t, Driver(), k, false, modem)
	port := b.Class.Devices.At(0).(hal.Lessor)
	if port.EndLease(nil, func() { t.Error("there was no lease") }) {
		t.Error("a lease is ended, and there was none")
	}
	noted := b.Ledger()
	for _, by := range []hal.Holder{b.Holder(), nil} {
		take(b, `{"port":"modem","baud":9600}`)
		take(b, `{"port":"modem","baud":1200}`)
		noted.Expect("opened twice", "+modem", "modem")
		if port.EndLease(&stranger{}, func() { t.Error("it is another one's") }) {
			t.Error("somebody else's lease is ended")
		}
		ended := 0
		if !port.EndLease(by, func() { ended++ }) {
			t.Error("the lease is not ended")
		}
		noted.Expect("ending", "", "modem*")
		b.Loop.Turn()
		noted.Expect("ended", "-modem", "")
		if ended != 1 || k.Opened() != 0 {
			t.Errorf("told %d times that it has ended, %d descriptors are open, want once, none", ended, k.Opened())
		}
		b.Expect("GetLines", `{"port":"modem"}`, `NotSupported{"feature":"closed"}`)
	}
	b.Connect("another one")
	take(b, `{"port":"modem","baud":9600}`)
	noted.Expect("another one's", "+modem", "modem")
	b.Close()
	noted.Expect("the class is closed", "-modem", "")
}

// capable is a kernel for whom the exclusive use of a terminal by somebody else is no hindrance, as with CAP_SYS_ADMIN.
type capable struct{ *sim.Kernel }

func (k capable) Ioctl(fd int, request uint, argument unsafe.Pointer) error {
	if request == unix.TIOCGEXCL {
		*(*int32)(argument) = 1
		return nil
	}
	return k.Kernel.Ioctl(fd, request, argument)
}

// TestSomebodyElsesPort: is left to them, also by a daemon that the kernel would let in.
func TestSomebodyElsesPort(t *testing.T) {
	needPTY(t)
	k := capable{bench()}
	b := simtest.Open(t, Driver(), k, false, modem)
	b.Expect("Open", `{"port":"modem","baud":9600}`, `Busy{"class":"Serial","device":"modem"}`)
	if k.Opened() != 0 {
		t.Errorf("%d descriptors are open, want none", k.Opened())
	}
}

// TestCount: the kernel's counts have no sign.
func TestCount(t *testing.T) {
	if got := count(-1); got != 4294967295 {
		t.Errorf("got %d, want 4294967295", got)
	}
}

// TestHangUpWhileOpening: a port that was opened for somebody who is gone is closed, and free.
func TestHangUpWhileOpening(t *testing.T) {
	needPTY(t)
	k := bench()
	b := simtest.Open(t, Driver(), k, false, modem)
	permitted, call, err := b.Permit("Open", `{"port":"modem","baud":9600}`)
	if err != nil {
		t.Fatal(err)
	}
	defer call.Release()
	var got error
	permitted.Start(b.Holder(), func(err error) { got = err })
	b.Hangup()
	if _, gone := got.(*hal.DeviceGone); !gone || k.Opened() != 0 {
		t.Errorf("got %v, %d descriptors are open, want it to be told, and none", got, k.Opened())
	}
	take(b, `{"port":"modem","baud":9600}`)
}

// TestRevoke: the port is hung up at the end of its lease, where that is permitted.
func TestRevoke(t *testing.T) {
	needPTY(t)
	if os.Geteuid() != 0 {
		t.Skip("TIOCVHANGUP needs CAP_SYS_ADMIN")
	}
	b := simtest.Open(t, Driver(), bench(), false, simtest.Entry{Table: "serial", ID: "modem", Keys: `{"name":"ttySIM0","revoke":true}`})
	f := take(b, `{"port":"modem","baud":9600}`)
	b.Hangup()
	if n, err := f.Write([]byte("x")); err == nil {
		t.Errorf("wrote %d bytes through a descriptor that was hung up: %s", n, b.Log.String())
	}
}

// TestEndThatComesLate: a lease whose end had to wait for the worker, and that was over by itself meanwhile, does not end the next one.
func TestEndThatComesLate(t *testing.T) {
	needPTY(t)
	b := simtest.Open(t, Driver(), bench(), false, modem)
	permitted, call, err := b.Permit("Open", `{"port":"ttySIM1","baud":921600}`)
	if err != nil {
		t.Fatal(err)
	}
	defer call.Release()
	refused := error(nil)
	first := b.Connect("somebody")
	permitted.Start(first, func(err error) { refused = err })
	b.Loop.Full = true
	first.End()
	b.Loop.Full = false
	b.Loop.Turn()
	if got := simtest.Text(refused); got != `NotSupported{"feature":"baud"}` {
		t.Errorf("got %s, want NotSupported", got)
	}
	b.Connect("somebody else")
	take(b, `{"port":"ttySIM1","baud":9600}`)
	b.Loop.Advance(time.Second)
	b.Expect("SetLines", `{"port":"ttySIM1"}`, `NotSupported{"feature":"lines"}`)
}
