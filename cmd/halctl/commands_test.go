package main

import (
	"os"
	"os/user"
	"strconv"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/service/servicetest"
)

// commandRows are what is typed in turn to a server that permits everything, and what is printed. A text that ends in … need only begin so.
var commandRows = []struct {
	name, args   string
	status       int
	want, errors string
}{
	{"list", "list gpio", 0, "CLASS  DEVICE\nGpio   button\nGpio   door\nGpio   relay-down\n…", ""},
	{"list a class", "list led", 0, "CLASS  DEVICE\nLed    front\nLed    status\n", ""},
	{"list a class as interfaces write it", "list Led", 0, "CLASS  DEVICE\nLed    front\nLed    status\n", ""},
	{"list a class that there is not", "list Foo", 2, "", "usage: halctl list [CLASS]: there is no class \"Foo\" of devices; there are backlight, battery, cpu,\n        fan, gpio, …"},
	{"list a class that there is not, as JSON", "-j list Foo", 2, "", "usage: halctl list [CLASS]: there is no class \"Foo\" of devices; …"},
	{"list what has no devices", "list Board", 2, "", "usage: halctl list [CLASS]: there is no class \"Board\" of devices; …"},
	{"describe", "describe Gpio/relay-pump", 0, "class    Gpio\nid       relay-pump\nmethods  Get GetMany Set …", ""},
	{"describe a member of an interlock", "describe Gpio/relay-up", 0, "class       Gpio\nid          relay-up\nmethods     Get GetMany Set SetMany Toggle Pulse Configure Lease Watch\ninterlocks  motor-direction\n", ""},
	{"describe a class as it is typed elsewhere", "describe gpio/relay-pump", 0, "class    Gpio\nid       relay-pump\nmethods  Get GetMany Set …", ""},
	{"describe without a class", "describe relay-pump", 2, "", "usage: halctl describe CLASS/DEVICE: \"relay-pump\" does not begin with a class, as Gpio/relay-pump\n        does; halctl list shows both\n"},
	{"describe a line of a chip without a class", "describe gpiochip0/4", 2, "", "usage: halctl describe CLASS/DEVICE: \"gpiochip0/4\" does not begin with a class, …"},
	{"describe a class alone", "describe Gpio/", 2, "", "usage: halctl describe CLASS/DEVICE: …"},
	{"describe a class that only a daemon may know", "describe Toaster/front", 1, "", "halctl: io.halberd.Board.Describe: io.halberd.NoSuchDevice: {\"class\":\"Toaster\",\"device\":\"front\"}\n"},
	{"describe what is not there", "describe Gpio/ghost", 1, "", "halctl: io.halberd.Board.Describe: io.halberd.NoSuchDevice: {\"class\":\"Gpio\",\"device\":\"ghost\"}\n"},
	{"info", "info", 0, "vendor      Halberd\nproduct     halberd\nversion     test\n…", ""},
	{"info about an interface", "info io.halberd.Led", 0, "# Lights of the kernel's LED class.\n…", ""},
	{"info about no interface", "info io.nobody", 1, "", "halctl: org.varlink.service.GetInterfaceDescription: org.varlink.service.InterfaceNotFound: {\"interface\":\"io.nobody\"}\n"},
	{"gpio set", "gpio set relay-pump 1", 0, "", ""},
	{"gpio get", "gpio get relay-pump", 0, "1\n", ""},
	{"gpio toggle", "gpio toggle relay-pump", 0, "", ""},
	{"gpio get-many", "gpio get-many relay-pump relay-up", 0, "relay-pump=0 relay-up=0\n", ""},
	{"a class in capitals", "GPIO get relay-pump", 0, "0\n", ""},
	{"a number in hexadecimal", "gpio set relay-up 0x1", 0, "", ""},
	{"an input", "gpio set button 1", 1, "", "halctl: io.halberd.Gpio.Set: io.halberd.NotSupported: {\"feature\":\"output\"}\nWhat is to be set has to be declared as an output in board.toml: direction = \"output\".\n"},
	{"a bad value", "gpio set relay-pump 2", 1, "", "halctl: io.halberd.Gpio.Set: org.varlink.service.InvalidParameter: {\"parameter\":\"value\"}\nvalue: Required. The logical value. From 0 to 1.\n"},
	{"gpio set-many", "gpio set-many relay-up=1 relay-pump=0", 0, "", ""},
	{"gpio set of what an interlock forbids", "gpio set relay-down 1", 1, "", "halctl: io.halberd.Gpio.Set: io.halberd.Interlocked: {\"group\":\"motor-direction\",\"conflicting\":\"relay-up\"}\n"},
	{"gpio set-many of what an interlock forbids", "gpio set-many relay-down=1 relay-up=0", 1, "", "halctl: io.halberd.Gpio.SetMany: io.halberd.Interlocked: {\"group\":\"motor-direction\",\"conflicting\":\"relay-up\"}\n"},
	{"gpio set-many with a bad value", "gpio set-many relay-up=1 relay-pump=2", 1, "", "halctl: io.halberd.Gpio.SetMany: org.varlink.service.InvalidParameter: {\"parameter\":\"values.relay-pump\"}\nvalues: Required. The logical value of each line, by the devices' IDs. From 0 to 1.\n"},
	{"gpio set-many with a line twice", "gpio set-many relay-up=1 relay-up=0", 2, "", "usage: halctl gpio set-many NAME=VALUE...: values: \"relay-up\" is given twice\n"},
	{"gpio set-many without a value", "gpio set-many relay-up", 2, "", "usage: halctl gpio set-many NAME=VALUE...: values are NAME=VALUE with an integer, not …"},
	{"gpio set-many of an input", "gpio set-many relay-up=1 button=0", 1, "", "halctl: io.halberd.Gpio.SetMany: io.halberd.NotSupported: {\"feature\":\"output\"}\nWhat is to be set …"},
	{"gpio pulse", "gpio pulse relay-pump 1 1000", 0, "", ""},
	{"gpio pulse for too long", "gpio pulse relay-pump 1 10000001", 1, "", "halctl: io.halberd.Gpio.Pulse: org.varlink.service.InvalidParameter: {\"parameter\":\"durationUSec\"}\ndurationUSec: Required. How long, from when the value was written. Unit: µs. From 1 to 10000000.\n"},
	{"a parameter that is not there", `call io.halberd.Gpio.Set {"line":"relay-up","value":1,"speed":3}`, 1, "", "halctl: io.halberd.Gpio.Set: org.varlink.service.InvalidParameter: {\"parameter\":\"speed\"}\nio.halberd.Gpio.Set takes line, value.\n"},
	{"one of several lines", "gpio get-many relay-up a*", 1, "", "halctl: io.halberd.Gpio.GetMany: org.varlink.service.InvalidParameter: {\"parameter\":\"lines[1]\"}\nlines: Required. The devices' IDs, each once.\n"},
	{"a parameter of a method without any", `call io.halberd.Policy.WhoAmI {"a":1}`, 1, "", "halctl: io.halberd.Policy.WhoAmI: org.varlink.service.InvalidParameter: {\"parameter\":\"a\"}\nio.halberd.Policy.WhoAmI takes no parameters.\n"},
	{"led set", "led set front 128", 0, "", ""},
	{"led get", "led get front", 0, "brightness     128\nmaxBrightness  255\ntrigger        none\ntriggers       none …", ""},
	{"led set beyond the hardware", "led set front 300", 1, "", "halctl: io.halberd.Led.Set: io.halberd.OutOfRange: {\"parameter\":\"brightness\",\"minimum\":0,\"maximum\":255}\n"},
	{"led set-color", "led set-color status red=255 blue=7", 0, "", ""},
	{"led blink", "led blink front 100 200", 0, "", ""},
	{"led set-trigger", "led set-trigger front heartbeat", 0, "", ""},
	{"sensor get", "sensor get soc", 0, "value  41000\nunit   …", ""},
	{"a method without a device", "watchdog status", 0, "state        disarmed\nwatchdog     main\nonHang       reset\n…", ""},
	{"a method without a device that is refused", "watchdog ping ui", 1, "", "halctl: io.halberd.Watchdog.Ping: io.halberd.NoSuchDevice: {\"class\":\"Watchdog\",\"device\":\"ui\"}\n"},
	{"a method that ends with the connection", "watchdog register ui 10000", 2, "", "usage: halctl watchdog ping|unregister|status|arm|disarm\n"},
	{"i2c write", "i2c write eeprom 0x80 AQI=", 0, "", ""},
	{"i2c transfer", `i2c transfer i2c0 [{"address":80,"write":"gA=="},{"address":80,"readLength":2}]`, 0, "data=AQI=\n", ""},
	{"call", `call io.halberd.Gpio.Get {"line":"relay-up"}`, 0, "{\"value\":1}\n", ""},
	{"call without parameters", "call io.halberd.Board.List", 0, `{"devices":[{"class":"…`, ""},
	{"call what is not there", "call io.halberd.Gpio.Explode", 1, "", "halctl: io.halberd.Gpio.Explode: org.varlink.service.MethodNotFound: {\"method\":\"io.halberd.Gpio.Explode\"}\n"},
	{"call --more of a plain method", `call --more io.halberd.Gpio.Get {"line":"relay-up"}`, -1, "{\"value\":1}\n", ""},
	{"whoami", "whoami", 0, "uid        " + strconv.Itoa(os.Geteuid()) + "\ngid        …", ""},
	{"check", "check gpio set relay-pump 1", 0, "allowed  true\ngrant    all\nreason   …", ""},
	{"check the other form", `check io.halberd.Gpio.Set {"line":"relay-pump","value":1}`, 0, "allowed  true\ngrant    all\nreason   …", ""},
	{"check a method alone", "check gpio set", 0, "allowed  true\nreason   …", ""},
	{"check a method alone in the other form", "check io.halberd.Gpio.Set", 0, "allowed  true\nreason   …", ""},
	{"check a method that is not there", "check io.halberd.Gpio.Explode", 1, "allowed  false\nreason   there is no method io.halberd.Gpio.Explode\n", ""},
	{"explain for somebody else", "explain --uid 4242 gpio set relay-pump 1", 1, "allowed  false\ngrant    all\nreason   …", ""},
	{"explain for all that there is", "explain --uid " + strconv.Itoa(os.Geteuid()) + " --gid 7 --groups 8,9 --unit x.service --label l gpio get door", 0, "allowed  true\ngrant    all\nreason   …", ""},
	{"help of a command", "list -h", 0, "usage: halctl list [CLASS]\nlist the devices that you have a grant for\n", ""},
	{"help of a method", "gpio set --help", 0, "usage: halctl gpio set LINE VALUE\nSets an output that board.toml declares. NotSupported{output} for any other line, which is left as\nit is.\nInterlocked where an interlock of board.toml forbids it, with the time that is left where that is\nall.\n\n  LINE              Required. The device's ID.\n  VALUE             Required. The logical value. From 0 to 1.\n", ""},
	{"explain for nobody of that name", "explain --user nobody-of-that-name gpio get door", 1, "", "halctl: user: unknown user nobody-of-that-name\n"},
	{"grants", "grants", 0, "ID   METHODS       VERBS  DEVICES  WHERE  RATE\nall  io.halberd.*         *               …", ""},
	{"status", "status", 0, "version       test\nuptimeMSec …", ""},
	{"safe of one device", "safe relay-pump", 2, "", "usage: halctl safe\n"},
	{"watch of something", "watch Gpio", 2, "", "usage: halctl watch\n"},
	{"help of safe", "safe -h", 0, "usage: halctl safe\nbring all outputs that have a safe value to it, and say how many those are\n", ""},
	{"reload", "reload", 0, "generation    2\n…", ""},
}

func TestCommands(t *testing.T) {
	for _, kind := range transports {
		t.Run(kind.String(), func(t *testing.T) {
			s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
			pastDeadTime(t, s)
			for _, row := range commandRows {
				status, stdout, stderr := at(t, s, kind, strings.Fields(row.args)...)
				want := row
				if row.status < 0 {
					want.status = 0
					if kind == transports[2] {
						want.status, want.want = 1, ""
						want.errors = "halctl: io.halberd.Gpio.Get: org.varlink.service.MethodNotImplemented: {\"method\":\"io.halberd.Gpio.Get\"}\n"
					}
				}
				if status != want.status || !matches(stdout, want.want) || !matches(stderr, want.errors) {
					t.Errorf("%s: halctl %s:\n got %d, %q, %q\nwant %d, %q, %q", row.name, row.args, status, stdout, stderr, want.status, want.want, want.errors)
				}
			}
			if s.Sim.Value("relay-up") != 1 || s.Sim.Value("relay-pump") != 0 {
				t.Errorf("the lines are %d and %d at the simulated chip, want 1 and 0", s.Sim.Value("relay-up"), s.Sim.Value("relay-pump"))
			}
		})
	}
}

// TestListOfAnotherVersion: a class that only the daemon knows may have no devices.
func TestListOfAnotherVersion(t *testing.T) {
	address, _ := standIn(t, `{"parameters":{"devices":[],"interfaces":["io.halberd.Toaster"]}}`)
	for class, want := range map[string]int{"Toaster": 0, "Oven": 2} {
		if status, _, stderr := halctl(t, "-a", address, "list", class); status != want {
			t.Errorf("list %s: got %d, %q, want %d", class, status, stderr, want)
		}
	}
}

// pastDeadTime waits until the relays of the motor may be set: after the start both count as just switched off.
func pastDeadTime(t *testing.T, s *servicetest.Server) {
	t.Helper()
	up := []string{"gpio", "set", "relay-up", "1"}
	status, _, stderr := at(t, s, transports[0], up...)
	for strings.Contains(stderr, "retryAfterMSec") {
		status, _, stderr = at(t, s, transports[0], up...)
	}
	up[3] = "0"
	if off, _, _ := at(t, s, transports[0], up...); status+off != 0 {
		t.Fatalf("the relay cannot be switched on and off: %s", stderr)
	}
}

// TestExplainByName: a user's name stands for the ids that this machine has for it.
func TestExplainByName(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Skip(err)
	}
	group, err := user.LookupGroupId(me.Gid)
	if err != nil {
		t.Skip(err)
	}
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid())+"\n[[grant]]\nid = \"group\"\ngroups = ["+me.Gid+"]\nmethods = [\"io.halberd.Led.Get\"]\ndevices = [\"front\"]\n")
	for _, kind := range transports {
		status, stdout, stderr := at(t, s, kind, "explain", "--user", me.Username, "gpio", "get", "door")
		if want := "allowed  true\ngrant    all\n"; status != 0 || !strings.HasPrefix(stdout, want) {
			t.Errorf("%s: got %d, %q, %q, want %q", kind, status, stdout, stderr, want)
		}
		status, stdout, stderr = at(t, s, kind, "explain", "--uid", "4242", "--groups", "5,"+me.Gid, "led", "get", "front")
		if want := "allowed  true\ngrant    group\n"; status != 0 || !strings.HasPrefix(stdout, want) {
			t.Errorf("%s: by a group: got %d, %q, %q, want %q", kind, status, stdout, stderr, want)
		}
		status, stdout, stderr = at(t, s, kind, "explain", "--uid", "4242", "--groups", "5,"+group.Name, "led", "get", "front")
		if want := "allowed  true\ngrant    group\n"; status != 0 || !strings.HasPrefix(stdout, want) {
			t.Errorf("%s: by a group's name: got %d, %q, %q, want %q", kind, status, stdout, stderr, want)
		}
		status, _, stderr = at(t, s, kind, "explain", "--uid", "4242", "--groups", "5,no-such-group", "led", "get", "front")
		if want := "halctl: group: unknown group no-such-group\n"; status != 1 || stderr != want {
			t.Errorf("%s: by no group: got %d, %q, want %q", kind, status, stderr, want)
		}
	}
}

// TestJSON: -j prints an object a line, whatever is done, with what the tables show.
func TestJSON(t *testing.T) {
	rows := []struct {
		args   string
		status int
		lines  int // -1 for some
		key    string
		want   any
	}{
		{"list led", 0, 2, "class", "Led"},
		{"list gpio", 0, -1, "id", "button"},
		{"describe Gpio/relay-pump", 0, 1, "id", "relay-pump"},
		{"info", 0, 1, "product", "halberd"},
		{"info io.halberd.Led", 0, 1, "description", nil},
		{"gpio get relay-pump", 0, 1, "value", 0.0},
		{"gpio set relay-pump 1", 0, 1, "", nil},
		{"gpio get-many relay-pump", 0, 1, "values", map[string]any{"relay-pump": 1.0}},
		{"sensor get soc", 0, 1, "value", 41000.0},
		{"whoami", 0, 1, "uid", float64(os.Geteuid())},
		{"check gpio set relay-pump 1", 0, 1, "allowed", true},
		{"check io.halberd.No.No", 1, 1, "allowed", false},
		{"explain --uid 4242 gpio get door", 1, 1, "allowed", false},
		{"grants", 0, 1, "id", "all"},
		{"status", 0, 1, "version", "test"},
		{"reload", 0, 1, "generation", 2.0},
		{"call io.halberd.Gpio.Get {\"line\":\"relay-pump\"}", 0, 1, "value", 1.0},
	}
	for _, kind := range transports {
		t.Run(kind.String(), func(t *testing.T) {
			s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
			for _, row := range rows {
				status, stdout, stderr := at(t, s, kind, append([]string{"-j"}, strings.Fields(row.args)...)...)
				objects := jsonLines(t, stdout)
				if status != row.status || stderr != "" || row.lines >= 0 && len(objects) != row.lines || len(objects) == 0 {
					t.Fatalf("%s: got %d, %q, %q, want %d and %d lines", row.args, status, stdout, stderr, row.status, row.lines)
				}
				got, there := objects[0][row.key]
				if there != (row.key != "") || row.want != nil && !same(got, row.want) {
					t.Errorf("%s: got %v in %s, want %v", row.args, got, stdout, row.want)
				}
			}
		})
	}
}

func same(a, b any) bool {
	if m, ok := a.(map[string]any); ok {
		n, ok := b.(map[string]any)
		for key := range n {
			ok = ok && m[key] == n[key]
		}
		return ok && len(m) == len(n)
	}
	return a == b
}

// TestReload: a bad policy is told with its place, and changes nothing.
func TestReload(t *testing.T) {
	for _, kind := range transports {
		s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
		s.SetPolicy(servicetest.GrantAll(os.Geteuid()) + "\n[[grant]]\nid = 7\nusers = [1]\nmethods = [\"io.nobody.*\"]\n")
		status, _, stderr := at(t, s, kind, "reload")
		if want := "halctl: io.halberd.Policy.Reload: io.halberd.BadConfiguration: test.toml:8: "; status != 1 || !strings.HasPrefix(stderr, want) || !strings.Contains(stderr, "\ntest.toml:10: ") {
			t.Errorf("%s: got %d, %q, want 1, %q and line 10", kind, status, stderr, want)
		}
		status, stdout, _ := at(t, s, kind, "status")
		for _, want := range []string{"\ngeneration    1\n", "\nreloadError   test.toml:8: ", "\n              test.toml:10: "} {
			if status != 0 || !strings.Contains(stdout, want) {
				t.Errorf("%s: got %d, %s, want %q in it", kind, status, stdout, want)
			}
		}
	}
}

// TestPages: lists come in pages, and are shown as one.
func TestPages(t *testing.T) {
	var policy strings.Builder
	for i := range 2000 {
		policy.WriteString(strings.ReplaceAll(servicetest.GrantAll(os.Geteuid()), `"all"`, `"grant-`+strconv.Itoa(i)+`"`))
	}
	s := servicetest.Start(t, policy.String())
	for _, kind := range transports {
		status, stdout, stderr := at(t, s, kind, "-j", "grants")
		objects := jsonLines(t, stdout)
		if status != 0 || len(objects) != 2000 {
			t.Fatalf("%s: got %d, %d grants and %q, want 2000", kind, status, len(objects), stderr)
		}
		for i, object := range objects {
			if want := "grant-" + strconv.Itoa(i); object["id"] != want {
				t.Fatalf("%s: grant %d is %v, want %s", kind, i, object["id"], want)
			}
		}
	}
}

// TestUsageErrors: what cannot be meant is told before anything is called, with exit status 2.
func TestUsageErrors(t *testing.T) {
	rows := []struct{ args, want string }{
		{"", "usage: halctl [-a ADDRESS]"},
		{"-frob", "-frob"},
		{"frobnicate", `there is no command "frobnicate"`},
		{"list gpio led", "usage: halctl list [CLASS]"},
		{"describe", "usage: halctl describe CLASS/DEVICE"},
		{"info a b", "usage: halctl info [INTERFACE]"},
		{"call", "usage: halctl call [--more] METHOD [JSON]"},
		{"call --more", "usage: halctl call [--more] METHOD [JSON]"},
		{"call a.B {} {}", "usage: halctl call [--more] METHOD [JSON]"},
		{"call a.B {", `"{" is not a JSON object`},
		{"call a.B []", `"[]" is not a JSON object`},
		{"whoami me", "usage: halctl whoami"},
		{"status now", "usage: halctl status"},
		{"reload now", "usage: halctl reload"},
		{"grants all", "usage: halctl grants"},
		{"check", "usage: halctl check METHOD [JSON]"},
		{"check a.B {} {}", "usage: halctl check METHOD [JSON]"},
		{"check a.B {", `"{" is not a JSON object`},
		{"check gpio", "usage: halctl gpio get|get-many|set|"},
		{"check gpio set relay-pump", "value is missing"},
		{"explain", "usage: halctl explain"},
		{"explain gpio get door", "usage: halctl explain"},
		{"explain --uid", "usage: halctl explain"},
		{"explain --uid minus gpio get door", "minus is not a number"},
		{"explain --uid -1 gpio get door", "-1 is not a number"},
		{"explain --uid 1", "usage: halctl check METHOD"},
		{"explain --frob 1 gpio get door", "usage: halctl explain"},
		{"completion", "usage: halctl completion bash|zsh|fish"},
		{"completion csh", "usage: halctl completion bash|zsh|fish"},
		{"gpio", "usage: halctl gpio get|get-many|set|"},
		{"gpio frob x", "usage: halctl gpio get|get-many|set|"},
		{"gpio get", "usage: halctl gpio get LINE: line is missing"},
		{"gpio get a b", `usage: halctl gpio get LINE: "b" is too much`},
		{"gpio set relay-pump", "usage: halctl gpio set LINE VALUE: value is missing"},
		{"gpio set relay-pump on", `value is an integer, not "on"`},
		{"gpio watch", "usage: halctl gpio watch LINE... [--edge rising|falling|both]: lines is missing"},
		{"gpio watch door --frob 1", "there is no option --frob"},
		{"gpio watch door --edge", "--edge needs a value"},
		{"sensor watch soc --every-msec soon", `everyMSec is an integer, not "soon"`},
		{"led set-color status red", `colors are NAME=VALUE with an integer, not "red"`},
		{"led set-color status red=1 red=2", `colors: "red" is given twice`},
		{"i2c transfer i2c0 address=80", `messages is an array in JSON, [{…}], not "address=80"`},
		{"-a @halberd list", "bad address"},
		{"-a tcp:localhost list", "bad address"},
	}
	for _, row := range rows {
		args := strings.Fields(row.args)
		if !strings.HasPrefix(row.args, "-a") {
			args = append([]string{"-a", "stream:" + name()}, args...)
		}
		status, stdout, stderr := halctl(t, args...)
		if status != 2 || stdout != "" || !strings.Contains(unwrapped(stderr), row.want) {
			t.Errorf("halctl %s: got %d, %q, %q, want 2, %q", row.args, status, stdout, stderr, row.want)
		}
	}
}

// unwrapped puts a text that was wrapped on one line again.
func unwrapped(text string) string { return strings.Join(strings.Fields(text), " ") }

// TestHelp: the usage has every command and every method of every class, and is no error for whoever asks.
func TestHelp(t *testing.T) {
	status, stdout, stderr := halctl(t, "-h")
	if status != 0 || stderr != "" {
		t.Errorf("got %d, %q, want 0 and nothing on standard error", status, stderr)
	}
	for _, c := range commands() {
		if !strings.Contains(stdout, "\n  "+c.name) {
			t.Errorf("the usage lacks %s", c.name)
		}
	}
	for _, m := range deviceMethods() {
		if !strings.Contains(unwrapped(stdout), " "+usageOf(m)+" "+firstSentence(m.Doc)) {
			t.Errorf("the usage lacks %s", usageOf(m))
		}
	}
	if status, stdout, _ := halctl(t, "-version"); status != 0 || stdout != "halctl devel\n" {
		t.Errorf("-version: got %d, %q", status, stdout)
	}
	if status, stdout, stderr := halctl(t, "-x"); status != 2 || stdout != "" || stderr != "flag provided but not defined: -x\nhalctl -h lists the commands\n" {
		t.Errorf("-x: got %d, %q, %q", status, stdout, stderr)
	}
	if status, stdout, stderr := halctl(t); status != 2 || stdout != "" || !strings.HasPrefix(stderr, "usage: halctl ") {
		t.Errorf("without a command: got %d, %q, %q", status, stdout, stderr)
	}
}

// TestHelpOfClasses: -h behind a class lists its methods, and whatever is typed as JSON is described with its members, there and behind the method.
func TestHelpOfClasses(t *testing.T) {
	listed := map[string]bool{}
	for _, m := range deviceMethods() {
		if listed[m.Class] {
			continue
		}
		listed[m.Class] = true
		status, stdout, stderr := halctl(t, strings.ToLower(m.Class), "-h")
		if status != 0 || stderr != "" || !strings.Contains(unwrapped(stdout), " "+unwrapped(usageOf(m)+" "+firstSentence(m.Doc))) {
			t.Errorf("%s -h: got %d, %q, %q, want %s in it", m.Class, status, stdout, stderr, usageOf(m))
		}
	}
	for _, row := range []struct{ method, form, member string }{
		{"i2c transfer", `MESSAGES Required. What to write and read, in this order. All reads together have at most 16384 bytes. JSON: '[{"address": NUMBER, "write": "BASE64", "readLength": NUMBER}, …]'`, "readLength How much to read. Unit: bytes. From 1 to 8192."},
		{"led pattern", `JSON: '[{"brightness": NUMBER, "durationMSec": NUMBER}, …]'`, "durationMSec Required. How long"},
		{"spi transfer", `"write": "BASE64", "read": true|false, "speedHz": NUMBER, `, "speedHz "},
	} {
		class, _, _ := strings.Cut(row.method, " ")
		for _, args := range []string{row.method + " -h", class + " --help"} {
			status, stdout, stderr := halctl(t, strings.Fields(args)...)
			if text := unwrapped(stdout); status != 0 || stderr != "" || !strings.Contains(text, row.form) || !strings.Contains(text, row.member) {
				t.Errorf("%s: got %d, %q, %q, want %q and %q in it", args, status, stdout, stderr, row.form, row.member)
			}
		}
	}
	if status, stdout, stderr := halctl(t, "toaster", "-h"); status != 2 || stdout != "" || !strings.Contains(stderr, `there is no command "toaster"`) {
		t.Errorf("toaster -h: got %d, %q, %q", status, stdout, stderr)
	}
}

// TestNoDaemon: where nobody listens, the exit status is one of its own.
func TestNoDaemon(t *testing.T) {
	for _, kind := range transports {
		address := kind.String() + ":" + name()
		for _, command := range []string{"list", "whoami", "gpio get door", "gpio watch door", "call --more a.B", "reload"} {
			status, stdout, stderr := halctl(t, append([]string{"-a", address}, strings.Fields(command)...)...)
			if want := "halctl: cannot reach " + address + ": no daemon"; status != 3 || stdout != "" || !strings.HasPrefix(stderr, want) {
				t.Errorf("halctl %s: got %d, %q, %q, want 3, %q", command, status, stdout, stderr, want)
			}
		}
	}
	t.Setenv("HALBERD_ADDRESS", "seqpacket:"+name())
	if status, _, stderr := halctl(t, "list"); status != 3 || !strings.Contains(stderr, os.Getenv("HALBERD_ADDRESS")) {
		t.Errorf("by HALBERD_ADDRESS: got %d, %q, want 3", status, stderr)
	}
}

// TestImpostor: somebody else's socket is not spoken to.
func TestImpostor(t *testing.T) {
	servicetest.SkipUnlessRoot(t)
	for _, kind := range connections {
		i := servicetest.Pose(t, servicetest.As{UID: 1001, GID: 1001}, kind)
		status, stdout, stderr := halctl(t, "-a", kind.String()+":"+i.Name, "gpio", "set", "relay-pump", "1")
		if want := "server not trusted: its uid is 1001"; status != 1 || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("%s: got %d, %q, %q, want 1, %q", kind, status, stdout, stderr, want)
		}
		if got := i.Received(t); got != "" {
			t.Errorf("%s: it was sent %q, want nothing", kind, got)
		}
	}
}

// TestLostConnection: a daemon that ends in the middle is told once.
func TestLostConnection(t *testing.T) {
	address, _ := standIn(t, "nonsense")
	status, _, stderr := halctl(t, "-a", address, "gpio", "get", "door")
	if want := "halctl: cannot call io.halberd.Gpio.Get: not a reply"; status != 1 || !strings.HasPrefix(stderr, want) {
		t.Errorf("got %d, %q, want 1, %q", status, stderr, want)
	}
}
