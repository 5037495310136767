//go:build boot

package boottest

import (
	"os"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/halberd-io/halberd/hal/kernel"
	"github.com/halberd-io/halberd/hal/uapi"
)

// What include/uapi/linux/uinput.h has.
const (
	uinputCreate  = 0x5501
	uinputDestroy = 0x5502
	uinputEvents  = 0x0101 // the type of the events below
	uinputUpload  = 1
	uinputErase   = 2
)

// uinputSetup is struct uinput_setup.
type uinputSetup struct {
	Bus, Vendor, Product, Version uint16
	Name                          [80]byte
	Effects                       uint32
}

// uinputEffect is struct uinput_ff_upload, uinputErased struct uinput_ff_erase.
type uinputEffect struct {
	Request     uint32
	Result      int32
	Effect, Old uapi.FFEffect
}

type uinputErased struct {
	Request uint32
	Result  int32
	Effect  uint32
}

// uinputRequest is the number of a request for uinput, by whether it reads (2), writes (1), or both.
func uinputRequest[T any](direction, number uint) uint {
	var argument T
	return direction<<30 | uint(unsafe.Sizeof(argument))<<16 | 'U'<<8 | number
}

// heard is what the driver of the motor is told.
type heard struct {
	what     string // upload, play, stop, erase
	strength uint16
	length   uint16
}

// motorDriver is this test's own driver of a device that can rumble. What it is told comes through the channel.
func motorDriver(t testing.TB, name string) (told chan heard, unplug func()) {
	t.Helper()
	f, err := os.OpenFile("/dev/uinput", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd, k := int(f.Fd()), kernel.Linux{}
	setup := uinputSetup{Bus: 6, Effects: 4} // BUS_VIRTUAL
	copy(setup.Name[:79], name)
	for _, err := range []error{
		k.IoctlInt(fd, uinputRequest[int32](1, 100), uapi.InputFF),  // UI_SET_EVBIT
		k.IoctlInt(fd, uinputRequest[int32](1, 107), uapi.FFRumble), // UI_SET_FFBIT
		k.Ioctl(fd, uinputRequest[uinputSetup](1, 3), unsafe.Pointer(&setup)),
		k.IoctlInt(fd, uinputCreate, 0),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	told = make(chan heard, 64)
	go serveMotor(k, fd, told)
	return told, sync.OnceFunc(func() {
		_ = k.IoctlInt(fd, uinputDestroy, 0)
		_ = f.Close()
	})
}

// serveMotor answers what the kernel asks of the driver, until the device is closed.
func serveMotor(k kernel.Linux, fd int, told chan heard) {
	defer close(told)
	for {
		var e uapi.InputEvent
		n, err := k.Read(fd, unsafe.Slice((*byte)(unsafe.Pointer(&e)), uapi.InputEventSize))
		switch {
		case err != nil || n != uapi.InputEventSize:
			return
		case e.Type == uinputEvents && e.Code == uinputUpload:
			u := &uinputEffect{Request: uint32(e.Value)}
			_ = k.Ioctl(fd, uinputRequest[uinputEffect](3, 200), unsafe.Pointer(u))
			told <- heard{"upload", u.Effect.Strong, u.Effect.Length}
			_ = k.Ioctl(fd, uinputRequest[uinputEffect](1, 201), unsafe.Pointer(u))
		case e.Type == uinputEvents && e.Code == uinputErase:
			u := &uinputErased{Request: uint32(e.Value)}
			_ = k.Ioctl(fd, uinputRequest[uinputErased](3, 202), unsafe.Pointer(u))
			told <- heard{what: "erase"}
			_ = k.Ioctl(fd, uinputRequest[uinputErased](1, 203), unsafe.Pointer(u))
		case e.Type == uapi.InputFF && e.Value > 0:
			told <- heard{what: "play"}
		case e.Type == uapi.InputFF:
			told <- heard{what: "stop"}
		}
	}
}

// expectHeard waits for what the driver is to be told next.
func expectHeard(t testing.TB, told chan heard, want ...heard) {
	t.Helper()
	for _, w := range want {
		select {
		case got := <-told:
			if got != w {
				t.Fatalf("the driver is told %+v, want %+v", got, w)
			}
		case <-time.After(patience):
			t.Fatalf("the driver is told nothing, want %+v", w)
		}
	}
}

// TestHapticOfUinput: a motor whose driver is this test: what it is told, that it has to rest, that it is stopped when the daemon ends, and that it goes with its driver.
func TestHapticOfUinput(t *testing.T) {
	const name = "boot-test-motor"
	told, unplug := motorDriver(t, name)
	t.Cleanup(unplug)
	eventually(t, "the motor is listed", func() bool { return strings.Contains(must(t, 0, "list", "Haptic"), name) })
	refused(t, app, "PermissionDenied", "call", "io.halberd.Haptic.Play", `{"motor":"`+name+`","durationMSec":300}`)
	must(t, 0, "call", "io.halberd.Haptic.Play", `{"motor":"`+name+`","durationMSec":300,"strength":500}`)
	expectHeard(t, told, heard{"upload", 32767, 300}, heard{what: "play"})
	must(t, 0, "call", "io.halberd.Haptic.Stop", `{"motor":"`+name+`"}`)
	expectHeard(t, told, heard{what: "stop"})
	eventually(t, "the motor has rested", func() bool {
		return halctl(t, 0, "call", "io.halberd.Haptic.Play", `{"motor":"`+name+`","durationMSec":5000}`).status == 0
	})
	expectHeard(t, told, heard{"upload", 65535, 5000}, heard{what: "play"})
	refused(t, 0, "io.halberd.RateLimited", "call", "io.halberd.Haptic.Play", `{"motor":"`+name+`","durationMSec":5000}`)
	run(t, "systemctl", "restart", "halberd.service")
	eventually(t, "the motor is stopped at the end of the daemon", func() bool {
		select {
		case got := <-told:
			return got.what == "stop"
		default:
			return false
		}
	})
	eventually(t, "the motor is listed again", func() bool { return strings.Contains(must(t, 0, "list", "Haptic"), name) })
	unplug()
	eventually(t, "the motor is listed no more", func() bool { return !strings.Contains(must(t, 0, "list", "Haptic"), name) })
	refused(t, 0, "io.halberd.DeviceGone", "call", "io.halberd.Haptic.Stop", `{"motor":"`+name+`"}`)
}
