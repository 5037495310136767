package sim

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// heard takes all messages that wait, in readable form, and the error that ended it.
func heard(t *testing.T, k *Kernel, fd int) (messages []string, err error) {
	t.Helper()
	p := make([]byte, 4096)
	for {
		n, err := k.Uevent(fd, p)
		if err != nil {
			return messages, err
		}
		messages = append(messages, strings.ReplaceAll(string(p[:n]), "\x00", "|"))
	}
}

func TestUevents(t *testing.T) {
	k := New(Options{Bare: true})
	k.AddLED(LED{Name: "early", Max: 1})
	fd, err := k.Uevents()
	if err != nil {
		t.Fatal(err)
	}
	k.AddChip(Chip{Label: "usb"})
	k.AddLED(LED{Name: "far", Max: 7, Under: OnI2C})
	k.AddZone(Sensor{Attributes: map[string]string{"type": "soc", "temp": "1"}})
	k.Unplug("gpiochip0")
	if ready(fd)&unix.POLLIN == 0 {
		t.Error("the descriptor is not readable")
	}
	got, err := heard(t, k, fd)
	want := []string{
		"add@/devices/platform/halberd-sim/gpiochip0|ACTION=add|DEVPATH=/devices/platform/halberd-sim/gpiochip0|SUBSYSTEM=gpio|SEQNUM=2|",
		"add@/devices/platform/halberd-i2c/i2c-1/1-0048/leds/far|ACTION=add|DEVPATH=/devices/platform/halberd-i2c/i2c-1/1-0048/leds/far|SUBSYSTEM=leds|SEQNUM=3|",
		"add@/devices/virtual/thermal/thermal_zone0|ACTION=add|DEVPATH=/devices/virtual/thermal/thermal_zone0|SUBSYSTEM=thermal|SEQNUM=4|",
		"remove@/devices/platform/halberd-sim/gpiochip0|ACTION=remove|DEVPATH=/devices/platform/halberd-sim/gpiochip0|SUBSYSTEM=gpio|SEQNUM=5|",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") || err != unix.EAGAIN {
		t.Errorf("got %v,\n%s\nwant EAGAIN,\n%s", err, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if err := k.Close(fd); err != nil || k.Opened() != 0 {
		t.Errorf("closing: %v, %d descriptors are left", err, k.Opened())
	}
}

// A listener that does not read loses messages, and is told so before it gets those that are left.
func TestLostUevents(t *testing.T) {
	k := New(Options{Bare: true})
	fd, err := k.Uevents()
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close(fd)
	sent := 0
	for k.files[fd].file.(*listener).overrun == false {
		k.Broadcast("add@/devices/x\x00")
		if sent++; sent > 1e6 {
			t.Fatal("the queue is never full")
		}
	}
	if got, err := heard(t, k, fd); len(got) != 0 || err != unix.ENOBUFS {
		t.Errorf("got %d messages, %v, want ENOBUFS", len(got), err)
	}
	if got, err := heard(t, k, fd); len(got) != sent-1 || err != unix.EAGAIN {
		t.Errorf("got %d messages, %v, want the %d that had room, EAGAIN", len(got), err, sent-1)
	}
	k.Broadcast("add@/devices/y\x00")
	k.LoseUevents()
	if got, err := heard(t, k, fd); len(got) != 0 || err != unix.ENOBUFS || ready(fd)&unix.POLLIN == 0 {
		t.Errorf("got %q, %v, want ENOBUFS", got, err)
	}
	if _, err := heard(t, k, fd); err != unix.EAGAIN {
		t.Errorf("then %v, want EAGAIN", err)
	}
	k.Broadcast(strings.Repeat("x", 5000))
	if got, err := heard(t, k, fd); len(got) != 0 || err != unix.ENOBUFS {
		t.Errorf("a message without room: got %q, %v, want ENOBUFS", got, err)
	}
}

// What is plugged in again has its old name, and is another one.
func TestPlug(t *testing.T) {
	k := New(Options{})
	for device, path := range map[string]string{"gpiochip0": "/sys/bus/gpio/devices/", "front:white": "/sys/class/leds/", "hwmon0": "/sys/class/hwmon/"} {
		path += device
		before, err := k.Inode(path)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := k.Inode(path); again != before || err != nil {
			t.Errorf("%s: asked again got %d, %v, want %d", device, again, err, before)
		}
		k.Unplug(device)
		if _, err := k.Inode(path); err != unix.ENOENT {
			t.Errorf("%s: unplugged got %v, want ENOENT", device, err)
		}
		k.Plug(device)
		if after, err := k.Inode(path); after == before || err != nil {
			t.Errorf("%s: plugged again got %d, %v, want another one than %d", device, after, err, before)
		}
	}
	k.Pull("button", 1)
	if got := k.Value("button"); got != 1 {
		t.Errorf("the button that was plugged again is at %d, want 1", got)
	}
}
