package serial

import (
	"strings"
	"testing"
	"time"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
)

// Two adapters of one kind, plugged in at two sockets; the second has two ports.
const (
	socket1 = "platform/usb=platform/usb1=usb/1-1=usb/1-1:1.0=usb/ttyUSB0=usb-serial"
	socket2 = "platform/usb=platform/usb1=usb/1-2=usb/1-2:1.0=usb/"
	modemAt = "platform/usb=platform/usb1=usb/1-3=usb/1-3:1.1=usb"
)

func sockets() *sim.Kernel {
	k := sim.New(sim.Options{Bare: true})
	k.AddPort(sim.Port{Name: "ttyUSB0", Under: socket1, Number: "0"})
	k.AddPort(sim.Port{Name: "ttyUSB1", Under: socket2 + "ttyUSB1=usb-serial", Number: "0"})
	k.AddPort(sim.Port{Name: "ttyUSB2", Under: socket2 + "ttyUSB2=usb-serial", Number: "1"})
	k.AddPort(sim.Port{Name: "ttyACM0", Under: modemAt, Number: ""})
	k.AddPort(sim.Port{Name: "ttyS1"})
	return k
}

// TestNamesOfSockets: a port at USB is called after its socket, whatever number the kernel gave it, and board.toml may mean it by any device that it is a part of.
func TestNamesOfSockets(t *testing.T) {
	rows := []struct{ name, meant, want string }{
		{"none of board.toml", "ttyX", "1-1:1.0 1-2:1.0 1-2:1.0-port1 1-3:1.1 ttyS1"},
		{"the kernel's name", "ttyUSB0", "1-2:1.0 1-2:1.0-port1 1-3:1.1 modem ttyS1"},
		{"the interface", "1-1:1.0", "1-2:1.0 1-2:1.0-port1 1-3:1.1 modem ttyS1"},
		{"the socket", "1-1", "1-2:1.0 1-2:1.0-port1 1-3:1.1 modem ttyS1"},
		{"the second port of an adapter", "1-2:1.0-port1", "1-1:1.0 1-2:1.0 1-3:1.1 modem ttyS1"},
		{"a port on the board", "ttyS1", "1-1:1.0 1-2:1.0 1-2:1.0-port1 1-3:1.1 modem"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			b := simtest.Open(t, Driver(), sockets(), false, simtest.Entry{Table: "serial", ID: "modem", Keys: `{"name":"` + row.meant + `"}`})
			if got := b.IDs(); got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
			again := simtest.Open(t, Driver(), sockets(), false, b.Declared()...)
			if got := again.IDs(); got != row.want {
				t.Errorf("what the ports say about themselves gives %s, want %s", got, row.want)
			}
		})
	}
}

// TestAmbiguousSocket: what may be one of two ports is an error at the start.
func TestAmbiguousSocket(t *testing.T) {
	simtest.ExpectRefused(t, Driver(), sockets(), "board.toml:1: serial.A: it may be /sys/class/tty/ttyUSB1 or /sys/class/tty/ttyUSB2: say which",
		simtest.Entries("serial", `{"name":"1-2"}`)...)
}

// TestUnplug: whoever has a port is told that it is gone, before the class has looked and afterwards, and what is plugged into the same socket has the same name, under another number too.
func TestUnplug(t *testing.T) {
	needPTY(t)
	k := sockets()
	b := simtest.Open(t, Driver(), k, false)
	f := take(b, `{"port":"1-1:1.0","baud":9600}`)
	k.Unplug("ttyUSB0")
	const gone = `DeviceGone{"class":"Serial","device":"1-1:1.0"}`
	for range 2 {
		for _, call := range []string{"GetLines", "Counters"} {
			b.Expect(call, `{"port":"1-1:1.0"}`, gone)
		}
		b.Expect("SetLines", `{"port":"1-1:1.0","rts":true}`, gone)
		b.Expect("Break", `{"port":"1-1:1.0","durationMSec":1}`, gone)
		b.Expect("Open", `{"port":"1-1:1.0","baud":9600}`, gone)
		if b.Class.Rescan() {
			t.Errorf("it wants to look again: %s", b.Log.String())
		}
		b.Loop.Turn()
	}
	if _, err := f.WriteString("x"); err == nil || k.Opened() != 0 {
		t.Errorf("writing to what was unplugged gives %v, %d descriptors are open, want an error and none", err, k.Opened())
	}
	k.AddPort(sim.Port{Name: "ttyUSB7", Under: strings.Replace(socket1, "ttyUSB0", "ttyUSB7", 1), Number: "0"})
	if b.Class.Rescan() {
		t.Errorf("it wants to look again: %s", b.Log.String())
	}
	b.Loop.Turn()
	b.Expect("GetLines", `{"port":"1-1:1.0"}`, `NotSupported{"feature":"closed"}`)
	take(b, `{"port":"1-1:1.0","baud":9600}`)
}

// TestBreakOfAPortThatGoes: the caller is told, and no other port's break is ended for it.
func TestBreakOfAPortThatGoes(t *testing.T) {
	needPTY(t)
	k := sockets()
	b := simtest.Open(t, Driver(), k, false)
	take(b, `{"port":"ttyS1","baud":9600}`)
	permitted, call, err := b.Permit("Break", `{"port":"ttyS1","durationMSec":250}`)
	if err != nil {
		t.Fatal(err)
	}
	defer call.Release()
	var got error
	permitted.Start(b.Holder(), func(err error) { got = err })
	b.Loop.Turn()
	k.Unplug("ttyS1")
	b.Class.Rescan()
	b.Loop.Advance(250 * time.Millisecond)
	if _, gone := got.(*hal.DeviceGone); !gone {
		t.Errorf("got %v, want DeviceGone", got)
	}
}

// TestTakenPlace: what has come under the number of a port that is gone is not opened in its place, also before the class has looked.
func TestTakenPlace(t *testing.T) {
	needPTY(t)
	k := sockets()
	b := simtest.Open(t, Driver(), k, false)
	k.Unplug("ttyUSB0")
	k.AddPort(sim.Port{Name: "ttyUSB0", Under: "platform/usb=platform/usb1=usb/1-4=usb/1-4:1.0=usb/ttyUSB0=usb-serial", Number: "0"})
	b.Expect("Open", `{"port":"1-1:1.0","baud":9600}`, `DeviceGone{"class":"Serial","device":"1-1:1.0"}`)
	if n := k.Opened(); n != 0 {
		t.Errorf("%d descriptors are open, want none", n)
	}
}
