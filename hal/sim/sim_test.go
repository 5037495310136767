package sim

import (
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
)

var _ hal.Kernel = (*Kernel)(nil)

func read(k *Kernel, path string) (string, error) {
	fd, err := k.Open(path, unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	defer k.Close(fd)
	buf := make([]byte, 4096)
	n, err := k.Pread(fd, buf, 0)
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(string(buf[:n]), "\n"), nil
}

func write(k *Kernel, path, text string) error {
	fd, err := k.Open(path, unix.O_WRONLY)
	if err != nil {
		return err
	}
	defer k.Close(fd)
	_, err = k.Pwrite(fd, []byte(text), 0)
	return err
}

func TestOpen(t *testing.T) {
	k := New(Options{})
	for _, c := range []struct {
		name, path string
		flags      int
		want       error
	}{
		{"through a link", "/sys/class/leds/front:white/brightness", unix.O_RDWR, nil},
		{"below /sys/devices", "/sys/devices/platform/halberd-sim/leds/front:white/brightness", unix.O_RDONLY, nil},
		{"up from a link's target", "/sys/class/leds/front:white/device/../halberd-sim/leds/front:white/trigger", unix.O_RDONLY, nil},
		{"absent", "/sys/class/leds/rear/brightness", unix.O_RDONLY, unix.ENOENT},
		{"below a file", "/sys/class/leds/front:white/brightness/x", unix.O_RDONLY, unix.ENOTDIR},
		{"read-only", "/sys/class/leds/front:white/max_brightness", unix.O_RDWR, unix.EACCES},
		{"a link itself", "/sys/class/leds/front:white", unix.O_RDONLY | unix.O_NOFOLLOW, unix.ELOOP},
		{"a folder", "/sys/class/leds", unix.O_RDONLY | unix.O_DIRECTORY, nil},
		{"a folder for writing", "/sys/class/leds", unix.O_RDWR, unix.EISDIR},
		{"a file as a folder", "/sys/class/leds/front:white/brightness", unix.O_RDONLY | unix.O_DIRECTORY, unix.ENOTDIR},
		{"a chip", "/dev/gpiochip0", unix.O_RDWR, nil},
		{"outside", "/etc/passwd", unix.O_RDONLY, unix.ENOENT},
	} {
		fd, err := k.Open(c.path, c.flags)
		if err != c.want {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
		if err == nil {
			if err := k.Close(fd); err != nil {
				t.Errorf("%s: close: %v", c.name, err)
			}
			if err := k.Close(fd); err != unix.EBADF {
				t.Errorf("%s: close again: got %v, want EBADF", c.name, err)
			}
		}
	}
	if n := k.Opened(); n != 0 {
		t.Errorf("%d descriptors are left open", n)
	}
}

func TestFolders(t *testing.T) {
	k := New(Options{})
	names, err := k.ReadDir("/sys/class/leds")
	if got, want := strings.Join(names, " "), "front:white status:rgb"; got != want || err != nil {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	for path, want := range map[string]error{"/sys/class/none": unix.ENOENT, "/sys/class/leds/front:white/brightness": unix.ENOTDIR} {
		if _, err := k.ReadDir(path); err != want {
			t.Errorf("%s: got %v, want %v", path, err, want)
		}
	}
	target, err := k.Readlink("/sys/class/leds/front:white")
	if want := "../../devices/platform/halberd-sim/leds/front:white"; target != want || err != nil {
		t.Errorf("got %q, %v; want %q", target, err, want)
	}
	for path, want := range map[string]error{"/sys/class": unix.EINVAL, "/sys/none": unix.ENOENT} {
		if _, err := k.Readlink(path); err != want {
			t.Errorf("%s: got %v, want %v", path, err, want)
		}
	}
}

func TestReadInPieces(t *testing.T) {
	k := New(Options{})
	fd, err := k.Open("/sys/class/leds/front:white/trigger", unix.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close(fd)
	var got []byte
	for buf := make([]byte, 7); ; {
		n, err := k.Read(fd, buf)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		got = append(got, buf[:n]...)
	}
	if want := "[none] timer heartbeat default-on pattern\n"; string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := k.Pwrite(fd, []byte("none"), 0); err != unix.EBADF {
		t.Errorf("writing what is open for reading: got %v, want EBADF", err)
	}
}

const front = "/sys/class/leds/front:white/"

// A step writes one attribute and looks at others.
func TestLED(t *testing.T) {
	for _, c := range []struct{ name, steps, want string }{
		{"brightness", "brightness=128", "128 none"},
		{"clamped", "brightness=300", "255 none"},
		{"with a line feed", "brightness=7\n", "7 none"},
		{"0 ends the trigger", "trigger=heartbeat,brightness=0", "0 none"},
		{"more keeps the trigger", "trigger=heartbeat,brightness=9", "9 heartbeat"},
		{"the end of a trigger leaves it dark", "brightness=9,trigger=heartbeat,trigger=none", "0 none"},
		{"none without a trigger changes nothing", "brightness=9,trigger=none", "9 none"},
		{"default-on", "trigger=default-on", "255 default-on"},
		{"the timer goes on with the brightness", "brightness=40,trigger=timer", "40 timer"},
		{"the timer of a dark light", "trigger=timer", "255 timer"},
		{"a pattern begins with its first step", "brightness=9,trigger=pattern,pattern=40 100 0 100", "40 pattern"},
		{"a pattern with a line feed", "trigger=pattern,pattern=41 100 0 100\n", "41 pattern"},
		{"an empty one plays nothing", "brightness=9,trigger=pattern,pattern=\n", "9 pattern"},
		{"it begins anew with the repeat", "trigger=pattern,pattern=40 100 0 100,brightness=7,repeat=2", "40 pattern"},
		{"its end leaves the light dark", "trigger=pattern,pattern=40 100 0 100,trigger=none", "0 none"},
	} {
		k := New(Options{})
		for step := range strings.SplitSeq(c.steps, ",") {
			name, text, _ := strings.Cut(step, "=")
			if err := write(k, front+name, text); err != nil {
				t.Errorf("%s: %s: %v", c.name, step, err)
			}
		}
		brightness, _ := read(k, front+"brightness")
		triggers, _ := read(k, front+"trigger")
		_, active, _ := strings.Cut(triggers, "[")
		active, _, _ = strings.Cut(active, "]")
		if got := brightness + " " + active; got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

func TestLEDErrors(t *testing.T) {
	k := New(Options{})
	k.AddLED(LED{Name: "shown", Max: 255})
	const shown = "/sys/class/leds/shown/"
	if err := write(k, shown+"trigger", "pattern"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, attribute, text string
		want                  error
	}{
		{"no number", front + "brightness", "on", unix.EINVAL},
		{"negative", front + "brightness", "-1", unix.EINVAL},
		{"hexadecimal", front + "brightness", "0x10", unix.EINVAL},
		{"nothing", front + "brightness", "", unix.EINVAL},
		{"too long", front + "brightness", "99999999999999999999", unix.ERANGE},
		{"no such trigger", front + "trigger", "disco", unix.EINVAL},
		{"a pattern of one step", shown + "pattern", "1 100", unix.EINVAL},
		{"a step without a duration", shown + "pattern", "1 100 255", unix.EINVAL},
		{"a step too bright", shown + "pattern", "1 100 256 100", unix.EINVAL},
		{"a step below zero", shown + "pattern", "-1 100 2 100", unix.EINVAL},
		{"a pattern of words", shown + "pattern", "on off", unix.EINVAL},
		{"no repeat", shown + "repeat", "0", unix.EINVAL},
		{"a repeat below for ever", shown + "repeat", "-2", unix.EINVAL},
		{"too few colours", "/sys/class/leds/status:rgb/multi_intensity", "1 2", unix.EINVAL},
		{"a colour that is no number", "/sys/class/leds/status:rgb/multi_intensity", "1 2 x", unix.EINVAL},
	} {
		if err := write(k, c.attribute, c.text); err != c.want {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
	if got, _ := read(k, front+"brightness"); got != "0" {
		t.Errorf("what was refused changed the brightness to %s", got)
	}
}

func TestTimerFilesComeAndGo(t *testing.T) {
	k := New(Options{})
	if _, err := read(k, front+"delay_on"); err != unix.ENOENT {
		t.Errorf("before: got %v, want ENOENT", err)
	}
	if err := write(k, front+"trigger", "timer"); err != nil {
		t.Fatal(err)
	}
	if got, err := read(k, front+"delay_on"); got != "500" || err != nil {
		t.Errorf("got %s, %v; want 500", got, err)
	}
	kept, err := k.Open(front+"delay_on", unix.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close(kept)
	if err := write(k, front+"brightness", "0"); err != nil {
		t.Fatal(err)
	}
	if _, err := read(k, front+"delay_on"); err != unix.ENOENT {
		t.Errorf("after: got %v, want ENOENT", err)
	}
	if _, err := k.Pwrite(kept, []byte("1"), 0); err != unix.ENODEV {
		t.Errorf("through the descriptor: got %v, want ENODEV", err)
	}
}

// TestPatternLimits: what of a long pattern the kernel takes, and that one whose repeats are over does not play again by another pattern alone.
func TestPatternLimits(t *testing.T) {
	k := New(Options{})
	if err := write(k, front+"trigger", "pattern"); err != nil {
		t.Fatal(err)
	}
	if err := write(k, front+"pattern", strings.Repeat("1 1 ", maxSteps)); err != nil {
		t.Errorf("as many steps as there may be: %v", err)
	}
	text, _ := read(k, front+"pattern")
	if n := len(strings.Fields(text)); n != 2*maxSteps {
		t.Errorf("got %d numbers, want %d", n, 2*maxSteps)
	}
	fd, err := k.Open(front+"pattern", unix.O_WRONLY)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close(fd)
	if n, err := k.Pwrite(fd, []byte(strings.Repeat("1 1 ", maxSteps+1)), 0); n != page || err != nil {
		t.Errorf("longer than a page: it takes %d, %v; want %d", n, err, page)
	}
	for _, step := range []string{"pattern=40 1 3 1", "repeat=1", "", "pattern=50 1 4 1"} {
		if file, text, _ := strings.Cut(step, "="); file == "" {
			k.FinishPattern("front:white")
		} else if err := write(k, front+file, text); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := read(k, front+"brightness"); got != "3" {
		t.Errorf("the brightness is %s, want 3 where the first pattern ended", got)
	}
}

func TestUnplugAttribute(t *testing.T) {
	k := New(Options{})
	fd, err := k.Open("/sys/class/hwmon/hwmon0/in1_input", unix.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close(fd)
	k.Unplug("hwmon0")
	if _, err := k.Pread(fd, make([]byte, 8), 0); err != unix.ENODEV {
		t.Errorf("got %v, want ENODEV", err)
	}
	if _, err := read(k, "/sys/class/hwmon/hwmon0/in1_input"); err != unix.ENOENT {
		t.Errorf("the path: got %v, want ENOENT", err)
	}
}

// The race detector looks at this.
func TestManyGoroutines(t *testing.T) {
	k := New(Options{})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 50 {
				_ = write(k, front+"trigger", "timer")
				_ = write(k, front+"brightness", "0")
				_, _ = read(k, front+"trigger")
				k.Pull("button", 1-k.Value("button"))
				k.SetAttribute("hwmon0", "in1_input", "1")
				_, _ = k.ReadDir("/sys/class/leds/front:white")
			}
		})
	}
	all.Wait()
	if n := k.Opened(); n != 0 {
		t.Errorf("%d descriptors are left open", n)
	}
}
