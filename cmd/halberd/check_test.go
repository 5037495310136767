package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal/board"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/service/config"
	"github.com/halberd-io/halberd/service/servicetest"
)

const pumpGrant = `[[grant]]
id      = "pump"
users   = [1000]
methods = ["io.halberd.Gpio.Set"]
devices = ["relay-pump"]
`

func checked(args ...string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	status = run(append([]string{"check"}, args...), &out, &errs)
	return status, out.String(), errs.String()
}

func TestCheckGood(t *testing.T) {
	board := sim.New(sim.Options{}).BoardTOML()
	tables := strings.Count(board, "\n[") - strings.Count(board, "\n[[")
	rows := []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"an empty folder", nil, "good: 0 grants in 0 files, 0 devices declared\n"},
		{"one grant", map[string]string{"policy.d/50-pump.toml": pumpGrant}, "good: 1 grant in 1 file, 0 devices declared\n"},
		{"everything", map[string]string{
			"policy.d/50-pump.toml": pumpGrant, "policy.d/60-none.toml": "# nobody\n", "policy.d/README": "not read",
			"board.toml": board, "halberd.toml": "log-level = \"debug\"\n[limits]\nconnections = 100\n",
		}, fmt.Sprintf("good: 1 grant in 2 files, %d devices declared\n", tables)},
		{"a device that is misspelt", map[string]string{"policy.d/50-pump.toml": strings.Replace(pumpGrant, "relay-pump", "relay-pmup", 1), "board.toml": board},
			fmt.Sprintf("warning: policy.d/50-pump.toml:5: grant pump: board.toml does not declare relay-pmup (did you mean relay-pump?)\ngood: 1 grant in 1 file, %d devices declared\n", tables)},
		{"a chip that is not declared", map[string]string{"policy.d/50-chip.toml": "[[grant]]\nid = \"chip\"\nusers = [1000]\nmethods = [\"io.halberd.I2c.Read\", \"io.halberd.I2c.Write\"]\ndevices = [\n\"eeprom\",\n\"clock\"]\n", "board.toml": board},
			fmt.Sprintf("warning: policy.d/50-chip.toml:7: grant chip: board.toml does not declare clock\ngood: 1 grant in 1 file, %d devices declared\n", tables)},
		{"a bus that is not declared", map[string]string{"policy.d/50-bus.toml": "[[grant]]\nid = \"bus\"\nusers = [1000]\nmethods = [\"io.halberd.I2c.Probe\"]\ndevices = [\"i2c-7\"]\n", "board.toml": board},
			fmt.Sprintf("good: 1 grant in 1 file, %d devices declared\n", tables)},
		{"a limit that no call is within", map[string]string{"policy.d/50-pump.toml": pumpGrant + "where = { value = { in = [2, 3] } }\n"},
			"warning: policy.d/50-pump.toml:4: grant pump never covers io.halberd.Gpio.Set: it takes value from 0 to 1\ngood: 1 grant in 1 file, 0 devices declared\n"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			dir := folder(t, row.files)
			status, stdout, stderr := checked("-config", dir)
			if stdout = strings.ReplaceAll(stdout, dir+"/", ""); status != 0 || stdout != row.want || stderr != "" {
				t.Errorf("got %d, %q, %q, want 0, %q", status, stdout, stderr, row.want)
			}
		})
	}
}

func TestCheckBad(t *testing.T) {
	rows := []struct {
		name  string
		files map[string]string
		want  []string // each begins a line, behind the folder
	}{
		{"no TOML", map[string]string{"policy.d/a.toml": "\n[[grant]] nonsense\n"}, []string{"policy.d/a.toml:2: "}},
		{"an unknown key", map[string]string{"policy.d/a.toml": pumpGrant + "colour = \"red\"\n"}, []string{`policy.d/a.toml:6: `}},
		{"an unknown method", map[string]string{"policy.d/a.toml": strings.Replace(pumpGrant, "Gpio.Set", "Gpio.Explode", 1)}, []string{"policy.d/a.toml:4: "}},
		{"a number as a string", map[string]string{"policy.d/a.toml": pumpGrant + "burst = \"3\"\n"}, []string{"policy.d/a.toml:6: "}},
		{"a user that is not there", map[string]string{"policy.d/a.toml": strings.Replace(pumpGrant, "1000", `"nobody-of-that-name"`, 1)}, []string{"policy.d/a.toml:3: "}},
		{"an id in two files", map[string]string{"policy.d/a.toml": pumpGrant, "policy.d/b.toml": pumpGrant}, []string{"policy.d/b.toml:2: "}},
		{"a device without its chip", map[string]string{"board.toml": "[gpio.pump]\nline = 3\n"}, []string{"board.toml:1: "}},
		{"a line that two entries are about", map[string]string{"board.toml": "[gpio.a]\nchip = \"c\"\nline = 3\n\n[gpio.b]\nchip = \"c\"\nline = 3\n"},
			[]string{"board.toml:5: is the same hardware as gpio.a, at "}},
		{"a light that two entries are about", map[string]string{"board.toml": "[led.a]\nname = \"x\"\n[led.b]\nname = \"x\"\n"}, []string{"board.toml:3: "}},
		{"an input with a value for the start", map[string]string{"board.toml": "[gpio.a]\nchip = \"c\"\nline = 3\ndirection = \"input\"\ninitial = 1\n"},
			[]string{"board.toml:1: initial, safe and on-release need direction"}},
		{"a sensor of nothing", map[string]string{"board.toml": "\n[sensor.x]\n"}, []string{"board.toml:2: exactly one of hwmon, thermal and iio"}},
		{"an interlock of nothing", map[string]string{"board.toml": "\n[[interlock]]\nname = \"x\"\n"}, []string{"board.toml:2: never-together is missing"}},
		{"an interlock of lines that are not there", map[string]string{"board.toml": "\n[[interlock]]\nname = \"x\"\nnever-together = [\"a\", \"b\"]\n"},
			[]string{`board.toml:2: interlock.x: line "a" is not declared`, `board.toml:2: interlock.x: line "b" is not declared`}},
		{"groups that cannot be", map[string]string{"board.toml": "[gpio.a]\nchip = \"c\"\nline = 1\ndirection = \"output\"\n[gpio-group.g]\nlines = [\"a\", \"b\"]\n[gpio-group.h]\nlines = [\"a\"]\n"},
			[]string{`board.toml:5: gpio-group.g: line "b" is not declared`, `board.toml:7: gpio-group.h: line "a" is in gpio-group.g already`}},
		{"a group of one line twice", map[string]string{"board.toml": "[gpio-group.g]\nlines = [\"a\", \"a\"]\n"}, []string{"board.toml:1: "}},
		{"an unknown table", map[string]string{"board.toml": "\n[frobnicator.x]\n"}, []string{"board.toml:2: "}},
		{"a limit out of range", map[string]string{"halberd.toml": "[limits]\nconnections = 0\n"}, []string{"halberd.toml:2: "}},
		{"several faults at once", map[string]string{
			"policy.d/a.toml": "[[grant]]\nid = \"a\"\nmethods = [\"io.halberd.Gpio.Get\"]\n\n[[grant]]\nid = \"b\"\nusers = [1]\nverbs = [\"look\"]\ndevices = [\"*\"]\n",
			"policy.d/b.toml": "grants = 1\n", "board.toml": "[led.x]\nnome = \"y\"\n", "halberd.toml": "log-level = 3\n",
		}, []string{"policy.d/a.toml:1: ", "policy.d/a.toml:8: ", "policy.d/b.toml:1: ", "board.toml:2: ", "halberd.toml:1: "}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			dir := folder(t, row.files)
			status, stdout, stderr := checked("-config", dir)
			if status != 1 || stdout != "" {
				t.Errorf("got %d and %q, want 1 and nothing", status, stdout)
			}
			for _, want := range row.want {
				if !strings.Contains("\n"+stderr, "\n"+filepath.Join(dir, want)) {
					t.Errorf("got %q, want a line that begins with %s", stderr, filepath.Join(dir, want))
				}
			}
		})
	}
}

// TestCheckSteersNoTerminal: what stands in files may be somebody else's, as an image's that is checked, and is shown without what a terminal would carry out.
func TestCheckSteersNoTerminal(t *testing.T) {
	const evil = `\u001b]0;title\u0007\u009b2J\u202e`
	expected := folder(t, map[string]string{"x.toml": "[[expect]]\nname = \"" + evil + "\"\nuid = 1\nmethod = \"io.halberd.Gpio.Set\"\nallowed = true\n"})
	for name, args := range map[string][]string{
		"a method":       {"-config", folder(t, map[string]string{"policy.d/a.toml": strings.Replace(pumpGrant, "Gpio.Set", evil+"*x", 1)})},
		"a parameter":    {"-config", folder(t, map[string]string{"policy.d/a.toml": pumpGrant + "where = { \"" + evil + "\" = {} }\n"})},
		"a file's name":  {"-config", folder(t, map[string]string{"policy.d/\x1b[2J\u009b2J\u202e.toml": "x\n"})},
		"an expectation": {"-config", folder(t, map[string]string{"policy.d/a.toml": pumpGrant}), "-test", filepath.Join(expected, "x.toml")},
	} {
		status, stdout, stderr := checked(args...)
		if i := strings.IndexFunc(stdout+stderr, steers); status != 1 || i >= 0 {
			t.Errorf("%s: got %d, %q and %q, want 1 and nothing that steers", name, status, stdout, stderr)
		}
	}
}

func steers(c rune) bool {
	return c < ' ' && c != '\n' && c != '\t' || c >= 0x7f && c < 0xa0 || c == '\u202e'
}

func TestCheckOfNoFolder(t *testing.T) {
	status, _, stderr := checked("-config", "/nowhere")
	if want := "/nowhere: cannot read: no such folder"; status != 1 || !strings.Contains(stderr, want) {
		t.Errorf("got %d, %q, want 1, %q", status, stderr, want)
	}
}

// TestCheckOfAnImage: the users, the groups and the links of an image are its own.
func TestCheckOfAnImage(t *testing.T) {
	const grants = "[[grant]]\nid = \"kiosk\"\nusers = [\"kiosk-of-image\"]\ngroups = [\"leds-of-image\"]\nverbs = [\"observe\"]\ndevices = [\"*\"]\n"
	image := folder(t, map[string]string{
		"etc/passwd": "kiosk-of-image:x:1234:1234::/:/bin/sh\n", "etc/group": "leds-of-image:x:77:\n",
		"usr/lib/halberd/policy.d/50-kiosk.toml": "this one is replaced", "usr/share/board": "[led.front]\nname = \"front\"\n",
		"etc/halberd/policy.d/50-kiosk.toml": grants,
	})
	if err := os.Symlink("/usr/share/board", filepath.Join(image, "etc/halberd/board.toml")); err != nil {
		t.Fatal(err)
	}
	status, stdout, stderr := checked("-root", image)
	if want := "good: 1 grant in 1 file, 1 device declared\n"; status != 0 || stdout != want {
		t.Errorf("got %d, %q, %q, want 0, %q", status, stdout, stderr, want)
	}
	if status, _, stderr = checked("-config", filepath.Join(image, "etc/halberd")); status != 1 || !strings.Contains(stderr, "50-kiosk.toml:3: ") {
		t.Errorf("on this machine: got %d, %q, want 1 and the unknown user", status, stderr)
	}
	write(t, image, map[string]string{"etc/passwd": ""})
	status, _, stderr = checked("-root", image)
	if want := filepath.Join(image, "etc/halberd/policy.d/50-kiosk.toml") + ":3: "; status != 1 || !strings.Contains(stderr, want) {
		t.Errorf("without the user: got %d, %q, want 1, %q", status, stderr, want)
	}
}

// TestUntrusted: the daemon believes no file that somebody else could have written, and says which one and why. check is no less strict.
func TestUntrusted(t *testing.T) {
	servicetest.SkipUnlessRoot(t)
	mode := func(name string, mode os.FileMode) func(string) error {
		return func(dir string) error { return os.Chmod(filepath.Join(dir, name), mode) }
	}
	owner := func(name string) func(string) error {
		return func(dir string) error { return os.Lchown(filepath.Join(dir, name), 1234, 0) }
	}
	rows := []struct {
		name  string
		spoil func(dir string) error
		want  []string
	}{
		{"a policy that its group can write", mode("policy.d/50-pump.toml", 0o664), []string{"policy.d/50-pump.toml: ", "0664"}},
		{"a policy that all can write", mode("policy.d/50-pump.toml", 0o646), []string{"policy.d/50-pump.toml: ", "0646"}},
		{"a policy of another user", owner("policy.d/50-pump.toml"), []string{"policy.d/50-pump.toml: ", "uid 1234"}},
		{"a policy in a folder of another user", owner("policy.d"), []string{"policy.d: ", "uid 1234"}},
		{"a folder that its group can write", mode("policy.d", 0o775), []string{"policy.d: ", "0775"}},
		{"board.toml of another user", owner("board.toml"), []string{"board.toml: ", "uid 1234"}},
		{"halberd.toml that its group can write", mode("halberd.toml", 0o660), []string{"halberd.toml: ", "0660"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			dir := folder(t, map[string]string{"policy.d/50-pump.toml": pumpGrant, "board.toml": "[led.front]\nname = \"front\"\n", "halberd.toml": "log-level = \"info\"\n"})
			if err := row.spoil(dir); err != nil {
				t.Fatal(err)
			}
			serves := start(t, daemon(t, "-config", dir, "-listen", "stream:"+name()))
			simulates := start(t, daemon(t, "-sim", "-config", dir, "-listen", "stream:"+name()))
			serves.exits(t, 1)
			simulates.exits(t, 1)
			_, _, offline := checked("-config", dir)
			for _, want := range []string{filepath.Join(dir, row.want[0]), row.want[1]} {
				for _, got := range []string{serves.stderr.String(), simulates.stderr.String(), offline} {
					if !strings.Contains(got, want) {
						t.Errorf("got %q, want %q in it", got, want)
					}
				}
			}
		})
	}
}

// TestKeys: the reference has the keys of all three kinds of file, and reads no configuration.
func TestKeys(t *testing.T) {
	status, stdout, stderr := checked("-keys", "-config", "/nowhere")
	if status != 0 || stderr != "" {
		t.Errorf("got %d, %q", status, stderr)
	}
	for _, want := range []string{"policy.d/*.toml: ", "  methods ", "  where ", "board.toml: [gpio.ID]  ", "  on-release ", "board.toml: [[interlock]]  ", "  never-together ", "  dead-time-msec ", "board.toml: [led.ID]  ", "each [[expect]]\n", "  transport ", "halberd.toml:\n  log-level ", "\n  audit ", "halberd.toml: [limits]\n", "  connections-per-uid "} {
		if !strings.Contains(stdout, want) {
			t.Errorf("got %s, want %q in it", stdout, want)
		}
	}
}

// TestInterfaces: without the folder there is nothing to write them into.
func TestInterfaces(t *testing.T) {
	status, stdout, stderr := checked("-interfaces", "/nowhere")
	if status != 1 || stdout != "" || !strings.HasPrefix(stderr, "halberd: open /nowhere/io.halberd") {
		t.Errorf("got %d, %q, %q", status, stdout, stderr)
	}
}

// TestDetect: what it prints for this machine is a board.toml.
func TestDetect(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if status := run([]string{"detect"}, &stdout, &stderr); status != 0 {
		t.Fatalf("got exit status %d, %s", status, stderr.String())
	}
	if !strings.HasPrefix(stdout.String(), "# ") {
		t.Errorf("got %q, want an introduction", stdout.String())
	}
	if _, err := config.ParseBoard("detected", stdout.String(), board.Tables()); err != nil {
		t.Errorf("got %s, which is no board.toml: %v", stdout.String(), err)
	}
}
