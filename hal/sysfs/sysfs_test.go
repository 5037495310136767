package sysfs_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/kernel"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sysfs"
)

func TestCheckName(t *testing.T) {
	for _, c := range []struct {
		name string
		ok   bool
	}{
		{"gpiochip0", true}, {"input5::capslock", true}, {"0000:01:00.0", true}, {"a@b+c-d_e", true}, {"...", true},
		{"", false}, {".", false}, {"..", false}, {"a/b", false}, {"a b", false}, {"a\x00", false}, {"é", false}, {strings.Repeat("a", 256), false},
	} {
		if err := sysfs.CheckName(c.name); (err == nil) != c.ok {
			t.Errorf("%q: got %v, want ok %v", c.name, err, c.ok)
		}
	}
}

// tree makes files and links below a root: "path" is a file with text, "path" with "-> target" a link.
func tree(t *testing.T, files map[string]string) (hal.Kernel, string) {
	t.Helper()
	root := t.TempDir()
	for path, text := range files {
		path = root + path
		if err := os.MkdirAll(path[:strings.LastIndexByte(path, '/')], 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, isLink := strings.CutPrefix(text, "-> "); isLink {
			err = os.Symlink(target, path)
		} else {
			err = os.WriteFile(path, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return kernel.Linux{Root: root}, root
}

func TestResolve(t *testing.T) {
	k, _ := tree(t, map[string]string{
		"/sys/devices/platform/leds/leds/front/brightness": "0",
		"/sys/class/leds/front":                            "-> ../../devices/platform/leds/leds/front",
		"/sys/devices/platform/leds/leds/front/device":     "-> ../../../leds",
		"/sys/class/leds/absolute":                         "-> /sys/devices/platform/leds",
		"/sys/class/leds/outside":                          "-> ../../../etc",
		"/sys/class/leds/loop":                             "-> loop",
		"/sys/class/leds/dangling":                         "-> ../../devices/none",
		"/etc/passwd":                                      "",
	})
	for _, c := range []struct {
		path, want string
		err        error
	}{
		{"/sys/class/leds/front", "/sys/devices/platform/leds/leds/front", nil},
		{"/sys/class/leds/front/device", "/sys/devices/platform/leds", nil},
		{"/sys/class/leds/front/../../..", "/sys/devices/platform", nil},
		{"/sys/class/leds/absolute/leds", "/sys/devices/platform/leds/leds", nil},
		{"/sys/class/leds/none", "", unix.ENOENT},
		{"/sys/class/leds/dangling", "", unix.ENOENT},
		{"/sys/class/leds/loop", "", unix.ELOOP},
		{"/sys/class/leds/front/brightness/x", "", unix.ENOTDIR},
	} {
		got, err := sysfs.Resolve(k, c.path)
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: got %q, %v; want %q, %v", c.path, got, err, c.want, c.err)
		}
	}
	if got, err := sysfs.Resolve(k, "/sys/class/leds/outside"); err == nil {
		t.Errorf("a link out of /sys leads to %s", got)
	}
}

func TestBus(t *testing.T) {
	links := map[string]string{}
	for path, subsystem := range map[string]string{
		"platform/soc": "bus/platform", "platform/soc/leds": "bus/platform", "platform/soc/leds/leds/front": "class/leds",
		"platform/soc/i2c@0": "bus/platform", "platform/soc/i2c@0/i2c-1": "bus/i2c", "platform/soc/i2c@0/i2c-1/1-0048": "bus/i2c",
		"platform/soc/spi@0": "bus/platform", "platform/soc/spi@0/spi_master/spi0": "class/spi_master", "platform/soc/spi@0/spi_master/spi0/spi0.0": "bus/spi",
		"platform/soc/mdio@0": "bus/platform", "platform/soc/mdio@0/mdio_bus/mdio-0": "class/mdio_bus",
		"pci0000:00/0000:00:01.0": "bus/pci", "pci0000:00/0000:00:01.0/usb1": "bus/usb", "pci0000:00/0000:00:01.0/usb1/1-1": "bus/usb",
		"pci0000:00/0000:00:01.0/nvme/nvme0": "class/nvme", "pci0000:00/0000:00:01.0/nvme/nvme0/hwmon1": "class/hwmon",
		"w1_bus_master1": "bus/w1", "w1_bus_master1/28-0": "bus/w1",
		"soc0": "bus/soc", "soc0/gpio@1": "bus/platform", "soc0/gpio@1/gpiochip0": "bus/gpio", "amba/pl061": "bus/amba",
		"virtual/leds/mmc0": "class/leds", "virtual/thermal/thermal_zone3": "class/thermal", "virtual/thermal/thermal_zone3/hwmon1": "class/hwmon",
		"virtual/unheard/of": "class/unheard", "virtual/watchdog/watchdog0": "class/watchdog", "amba/pl031/rtc/rtc0": "class/rtc",
		"platform/soc/i2c@0/i2c-1/1-0048/rtc/rtc1": "class/rtc",
		"platform/soc/ac":                          "bus/platform", "platform/soc/ac/power_supply/ac": "class/power_supply", "platform/soc/ac/power_supply/ac/hwmon2": "class/hwmon",
	} {
		links["/sys/devices/"+path+"/subsystem"] = "-> " + strings.Repeat("../", strings.Count(path, "/")+2) + subsystem
	}
	k, _ := tree(t, links)
	for path, want := range map[string]string{
		"/sys/devices/platform/soc/leds/leds/front":              "",
		"/sys/devices/platform/soc/i2c@0":                        "",
		"/sys/devices/platform/soc/i2c@0/i2c-1/1-0048":           "i2c-1",
		"/sys/devices/platform/soc/spi@0/spi_master/spi0/spi0.0": "spi0",
		"/sys/devices/platform/soc/mdio@0/mdio_bus/mdio-0":       "mdio-0",
		"/sys/devices/pci0000:00/0000:00:01.0":                   "",
		"/sys/devices/pci0000:00/0000:00:01.0/usb1/1-1":          "usb1",
		"/sys/devices/pci0000:00/0000:00:01.0/nvme/nvme0/hwmon1": "nvme0",
		"/sys/devices/w1_bus_master1/28-0":                       "w1_bus_master1",
		"/sys/devices/soc0/gpio@1/gpiochip0":                     "",
		"/sys/devices/amba/pl061":                                "",
		"/sys/devices/virtual/leds/mmc0":                         "",
		"/sys/devices/virtual/thermal/thermal_zone3":             "thermal_zone3",
		"/sys/devices/virtual/thermal/thermal_zone3/hwmon1":      "thermal_zone3",
		"/sys/devices/virtual/unheard/of":                        "of",
		"/sys/devices/virtual/watchdog/watchdog0":                "",
		"/sys/devices/amba/pl031/rtc/rtc0":                       "",
		"/sys/devices/platform/soc/i2c@0/i2c-1/1-0048/rtc/rtc1":  "i2c-1",
		"/sys/devices/platform/soc/ac/power_supply/ac/hwmon2":    "ac",
		"/sys/class/leds/front":                                  "front",
	} {
		if got := sysfs.Bus(k, path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func TestAttributeOfFile(t *testing.T) {
	long := strings.Repeat("trigger ", 2000)
	k, root := tree(t, map[string]string{"/n": "-41000\n", "/none": "n/a\n", "/empty": "", "/long": long + "\n", "/words": "none [timer] heartbeat\n", "/link": "-> n",
		"/huge": strings.Repeat("x", 64<<10)})
	open := func(name string) *sysfs.Attribute {
		a, err := sysfs.Open(k, "/"+name, unix.O_RDWR)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(a.Close)
		return a
	}
	if n, err := open("n").ReadInt(); n != -41000 || err != nil {
		t.Errorf("n: got %d, %v", n, err)
	}
	for _, name := range []string{"none", "empty", "words"} {
		if n, err := open(name).ReadInt(); err == nil {
			t.Errorf("%s: got %d, want an error", name, n)
		}
	}
	if text, err := open("long").ReadText(); text != long || err != nil {
		t.Errorf("long: got %d bytes, %v; want %d", len(text), err, len(long))
	}
	if text, err := open("huge").ReadText(); err == nil {
		t.Errorf("huge: got %d bytes, want an error", len(text))
	}
	text, err := open("words").ReadText()
	if got := sysfs.Word(text); got != "timer" || err != nil {
		t.Errorf("words: got %q, %v", got, err)
	}
	for prefix, want := range map[string]bool{"none ": true, "[none]": false, "none [timer] heartbeat\nand more": false} {
		if got, err := open("words").Begins(prefix); got != want || err != nil {
			t.Errorf("begins with %q: got %v, %v; want %v", prefix, got, err, want)
		}
	}
	if err := open("empty").WriteInt(-5); err != nil {
		t.Error(err)
	}
	if got, _ := os.ReadFile(root + "/empty"); string(got) != "-5" {
		t.Errorf("got %q, want -5", got)
	}
	if _, err := sysfs.Open(k, "/link", unix.O_RDONLY); !errors.Is(err, unix.ELOOP) {
		t.Errorf("a link: got %v, want ELOOP", err)
	}
	if _, err := sysfs.Read(k, "/absent"); !sysfs.Missing(err) {
		t.Errorf("an absent file: got %v", err)
	}
	if names, err := sysfs.List(k, "/absent"); names != nil || err != nil {
		t.Errorf("an absent folder: got %v, %v", names, err)
	}
}

func TestWord(t *testing.T) {
	for text, want := range map[string]string{"a [b] c": "b", "[a]": "a", "a b": "", "": "", "a [b": "b"} {
		if got := sysfs.Word(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestErrorsAreTheKernels(t *testing.T) {
	k := sim.New(sim.Options{})
	a, err := sysfs.Open(k, "/sys/class/leds/front:white/brightness", unix.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.WriteText("bright"); !errors.Is(err, unix.EINVAL) || err.Error() != "cannot write /sys/class/leds/front:white/brightness: invalid argument" {
		t.Errorf("no number: got %v", err)
	}
	if _, err := sysfs.Open(k, "/sys/class/leds/front:white/max_brightness", unix.O_RDWR); !errors.Is(err, unix.EACCES) {
		t.Errorf("a read-only attribute: got %v, want EACCES", err)
	}
	k.Unplug("front:white")
	if _, err := a.ReadInt(); !errors.Is(err, unix.ENODEV) {
		t.Errorf("a light that is gone: got %v, want ENODEV", err)
	}
	a.Close()
	a.Close()
	if n := k.Opened(); n != 0 {
		t.Errorf("%d descriptors are left open", n)
	}
}

// short takes less than it is given.
type short struct{ hal.Kernel }

func (short) Pwrite(_ int, p []byte, _ int64) (int, error) { return len(p) - 1, nil }

func TestShortWriteIsAnError(t *testing.T) {
	k, _ := tree(t, map[string]string{"/n": "0"})
	if err := sysfs.Write(short{k}, "/n", "12"); err == nil {
		t.Error("got no error")
	}
}

func TestIntsDoNotAllocate(t *testing.T) {
	k, _ := tree(t, map[string]string{"/n": "0"})
	a, err := sysfs.Open(k, "/n", unix.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	got := testing.AllocsPerRun(100, func() {
		n, err := a.ReadInt()
		if err == nil {
			err = a.WriteInt(n + 1_000_000_007)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	if got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}
