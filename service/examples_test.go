package service_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

// app is who the example programs run as.
var app = servicetest.As{UID: 1000, GID: 1000}

// examples are programs that apps copy, in a folder that they can read.
type examples struct {
	folder string
	as     *servicetest.As // nil for whoever runs the tests
}

func newExamples(t *testing.T, files ...string) examples {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join("client", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(name)), text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	e := examples{folder: dir}
	if os.Geteuid() == 0 {
		e.as = &app
	}
	return e
}

func (e examples) uid() int {
	if e.as != nil {
		return int(e.as.UID)
	}
	return os.Geteuid()
}

// command is a program that runs as the app.
func (e examples) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	if e.as != nil {
		e.as.Apply(cmd)
	}
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "PYTHONPATH=" + e.folder, "PYTHONDONTWRITEBYTECODE=1"}
	return cmd
}

// python gives a Python that the app can run.
func (e examples) python(t *testing.T) string {
	t.Helper()
	why := "python3 is not on PATH"
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/bin") {
		path := filepath.Join(dir, "python3")
		if _, err := os.Stat(path); err != nil {
			continue
		}
		err := e.command(path, "-c", "pass").Run()
		if err == nil {
			return path
		}
		why = fmt.Sprintf("%s as uid %d: %v", path, e.uid(), err)
	}
	t.Skip(why)
	return ""
}

// policy lets the app do what the example programs try, and no more.
func (e examples) policy() string {
	return fmt.Sprintf(`
[[grant]]
id      = "app"
users   = [%d]
methods = ["io.halberd.Gpio.Set", "io.halberd.Gpio.Get", "io.halberd.Gpio.Watch"]
devices = ["relay-pump", "button", "door"]
`, e.uid())
}

// calls is a Python program that tries everything at an address, and prints what comes of it.
const calls = `
import sys, halberd

with halberd.connect(sys.argv[1]) as board:
    print("set", board.call("io.halberd.Gpio.Set", line="relay-pump", value=1))
    print("get", board.call("io.halberd.Gpio.Get", line="relay-pump"))
    board.oneway("io.halberd.Gpio.Set", line="relay-pump", value=0)
    board.oneway("io.halberd.Gpio.Set", line="relay-up", value=1)
    print("get", board.call("io.halberd.Gpio.Get", line="relay-pump")["value"])
    for line in ("relay-up", "button", 7):
        try:
            board.call("io.halberd.Gpio.Set", line=line, value=1)
        except halberd.Refused as refused:
            print(refused.name, sorted(refused.parameters), refused)
    who = board.call("io.halberd.Policy.WhoAmI")
    print("uid", who["uid"], who["transport"])
    text = board.call("org.varlink.service.GetInterfaceDescription", interface="io.halberd.Gpio")["description"]
    print("text", text.startswith("# Lines of GPIO chips."), len(text) > 2000)
`

func TestPython(t *testing.T) {
	e := newExamples(t, "python/halberd.py")
	python := e.python(t)
	for _, kind := range connections {
		t.Run(kind.String(), func(t *testing.T) {
			s := servicetest.Start(t, e.policy())
			out, err := e.command(python, "-c", calls, s.Address(kind)).CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			want := []string{"set {}", "get {'value': 1}", "get 0",
				"org.varlink.service.PermissionDenied ['device', 'grant', 'reason'] org.varlink.service.PermissionDenied {\"reason\": …",
				"io.halberd.NotSupported ['feature'] io.halberd.NotSupported {\"feature\": \"output\"}",
				"org.varlink.service.InvalidParameter ['parameter'] org.varlink.service.InvalidParameter {\"parameter\": \"line\"}",
				fmt.Sprintf("uid %d %s", e.uid(), kind), "text True True"}
			for i := range max(len(lines), len(want)) {
				if i >= len(lines) || i >= len(want) || !matches(lines[i], want[i]) {
					t.Fatalf("got %q, want %q", lines, want)
				}
			}
			if s.Sim.Value("relay-up") != 0 {
				t.Error("a denied call was carried out")
			}
		})
	}
}

// follows is a Python program that prints the events of a watch.
const follows = `
import sys, halberd

board = halberd.connect()
try:
    for event in board.watch("io.halberd.Gpio.Watch", lines=["door", "button"]):
        print(event["line"], event["value"], event["sequence"], flush=True)
except halberd.Refused as refused:
    print(refused.name, refused.parameters)
`

// TestPythonWatch: the state, each change, and why it ended. The address comes from the environment.
func TestPythonWatch(t *testing.T) {
	e := newExamples(t, "python/halberd.py")
	python := e.python(t)
	for _, kind := range connections {
		t.Run(kind.String(), func(t *testing.T) {
			s := servicetest.Start(t, e.policy())
			cmd := e.command(python, "-c", follows)
			cmd.Env = append(cmd.Env, "HALBERD_ADDRESS="+s.Address(kind))
			cmd.Stderr = os.Stderr
			out, err := cmd.StdoutPipe()
			if err == nil {
				err = cmd.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(out)
			next := func(want string) {
				t.Helper()
				if !lines.Scan() || !matches(lines.Text(), want) {
					t.Fatalf("got %q, %v, want %q", lines.Text(), lines.Err(), want)
				}
			}
			next("door 0 1")
			next("button 0 2")
			s.Sim.Pull("door", 1)
			next("door 1 3")
			s.Sim.Unplug("gpiochip0")
			next("io.halberd.DeviceGone {'class': 'Gpio', 'device': …")
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

// gives is a Python program that gives up a call, and a watch, and calls on.
const gives = `
import signal, sys, halberd

class Enough(Exception):
    pass

def enough(*_):
    raise Enough

def ask(board):
    try:
        print("got", board.call("io.halberd.Gpio.Get", line="button"))
    except OSError:
        print("closed")

signal.signal(signal.SIGALRM, enough)
board = halberd.connect(sys.argv[1])
signal.setitimer(signal.ITIMER_REAL, 1)
try:
    board.call("io.halberd.Gpio.Pulse", line="relay-pump", value=1, durationUSec=10000000)
except Enough:
    ask(board)
board = halberd.connect(sys.argv[1])
for event in board.watch("io.halberd.Gpio.Watch", lines=["door", "button"]):
    break
ask(board)
board = halberd.connect(sys.argv[1])
try:
    board.call("io.halberd.Gpio.Get", line=object())
except TypeError:
    ask(board)
print("once", list(board.watch("io.halberd.Gpio.Get", line="button")))
ask(board)
`

// TestPythonGivesUp: no call is ever given the answer of another one that was given up.
func TestPythonGivesUp(t *testing.T) {
	e := newExamples(t, "python/halberd.py")
	python := e.python(t)
	for _, kind := range connections {
		s := servicetest.Start(t, servicetest.GrantAll(e.uid()))
		out, err := e.command(python, "-c", gives, s.Address(kind)).CombinedOutput()
		if want := "closed\nclosed\ngot {'value': 0}\nonce [{'value': 0}]\ngot {'value': 0}\n"; err != nil || string(out) != want {
			t.Errorf("%s: got %s, %v, want %s", kind, out, err, want)
		}
	}
}

// finds is a Python program that reports how connecting failed.
const finds = `
import sys, halberd

try:
    halberd.connect(sys.argv[1])
except Exception as error:
    print(type(error).__name__, error)
`

// TestPythonWithoutServer: nobody, and somebody else, are told apart.
func TestPythonWithoutServer(t *testing.T) {
	e := newExamples(t, "python/halberd.py")
	python := e.python(t)
	rows := []struct{ name, address, want string }{
		{"nobody", "stream:@halberd-nobody-is-here", "ConnectionRefusedError no daemon at stream:@halberd-nobody-is-here"},
		{"no such path", "stream:/nowhere/io.halberd", "ConnectionRefusedError no daemon at stream:/nowhere/io.halberd"},
		{"datagrams", "dgram:@halberd", "ValueError "},
		{"no address", "halberd", "ValueError "},
	}
	for _, row := range rows {
		out, err := e.command(python, "-c", finds, row.address).CombinedOutput()
		if err != nil || !strings.HasPrefix(string(out), row.want) {
			t.Errorf("%s: got %s, %v, want %s", row.name, out, err, row.want)
		}
	}
}

// TestPythonImpostor: a server of another user is found out before anything is said to it, and one of root or one's own is not taken for one.
func TestPythonImpostor(t *testing.T) {
	servicetest.SkipUnlessRoot(t)
	e := newExamples(t, "python/halberd.py")
	python := e.python(t)
	for _, kind := range connections {
		for uid, want := range map[uint32]string{0: "", 1000: "", 1001: "PermissionError"} {
			i := servicetest.Pose(t, servicetest.As{UID: uid, GID: uid}, kind)
			out, err := e.command(python, "-c", finds, kind.String()+":"+i.Name).CombinedOutput()
			if want != "" {
				want += fmt.Sprintf(" %s:%s is served by uid %d\n", kind, i.Name, uid)
			}
			if err != nil || string(out) != want {
				t.Errorf("%s of uid %d: got %s, %v, want %q", kind, uid, out, err, want)
			}
			if got := i.Received(t); got != "" {
				t.Errorf("%s of uid %d: it was sent %q", kind, uid, got)
			}
		}
	}
}

// relay compiles the C program.
func (e examples) relay(t *testing.T) string {
	t.Helper()
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip(err)
	}
	program := filepath.Join(e.folder, "relay")
	cmd := exec.Command(cc, "-Wall", "-Wextra", "-Werror", "-pedantic", "-O2", "-o", program, filepath.Join(e.folder, "relay.c"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

func TestC(t *testing.T) {
	e := newExamples(t, "c/relay.c")
	program := e.relay(t)
	s := servicetest.Start(t, e.policy())
	rows := []struct {
		name   string
		args   []string
		status int
		want   string // on standard error; one that ends in … need only begin so
	}{
		{"on", []string{"relay-pump", "1"}, 0, ""},
		{"a line that is not granted", []string{"relay-up", "1"}, 1, `relay: {"error":"org.varlink.service.PermissionDenied","parameters":{"reason":…`},
		{"an input", []string{"button", "1"}, 1, `relay: {"error":"io.halberd.NotSupported","parameters":{"feature":"output"}}` + "\n"},
		{"no value", []string{"relay-pump"}, 2, "usage: relay LINE 0|1\n"},
		{"a value that is none", []string{"relay-pump", "on"}, 2, "usage: relay LINE 0|1\n"},
		{"another value", []string{"relay-pump", "2"}, 2, "usage: relay LINE 0|1\n"},
		{"a quote", []string{`x","value":1,"y":"`, "1"}, 2, "usage: relay LINE 0|1\n"},
		{"a control character", []string{"a\nb", "1"}, 1, "relay: the daemon ended the connection\n"},
		{"a long name", []string{strings.Repeat("x", 600), "1"}, 1, "relay: the name is too long\n"},
	}
	for _, row := range rows {
		status, got := runRelay(t, e, program, s.Name[1:], row.args...)
		if status != row.status || !matches(got, row.want) {
			t.Errorf("%s: got %d, %q, want %d, %q", row.name, status, got, row.status, row.want)
		}
	}
	if s.Sim.Value("relay-pump") != 1 || s.Sim.Value("relay-up") != 0 {
		t.Errorf("the lines are %d and %d at the simulated chip, want 1 and 0", s.Sim.Value("relay-pump"), s.Sim.Value("relay-up"))
	}
	if status, _ := runRelay(t, e, program, s.Name[1:], "relay-pump", "0"); status != 0 || s.Sim.Value("relay-pump") != 0 {
		t.Errorf("off: got %d and %d, want 0 and 0", status, s.Sim.Value("relay-pump"))
	}
}

// runRelay runs the C program with the server's abstract name, and gives its exit status and what it writes to standard error.
func runRelay(t *testing.T, e examples, program, name string, args ...string) (int, string) {
	t.Helper()
	cmd := e.command(program, args...)
	cmd.Env = append(cmd.Env, "HALBERD_NAME="+name)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), stderr.String()
}

// TestCImpostor: nothing is said to a server of another user.
func TestCImpostor(t *testing.T) {
	servicetest.SkipUnlessRoot(t)
	e := newExamples(t, "c/relay.c")
	program := e.relay(t)
	i := servicetest.Pose(t, servicetest.As{UID: 1001, GID: 1001}, peer.Seqpacket)
	for _, name := range []string{i.Name[1:], "halberd-nobody-is-here", strings.Repeat("x", 108)} {
		status, got := runRelay(t, e, program, name, "relay-pump", "1")
		if want := "relay: cannot reach a Halberd of root or of ourselves at @" + name + "\n"; status != 3 || got != want {
			t.Errorf("got %d, %q, want 3, %q", status, got, want)
		}
	}
	if got := i.Received(t); got != "" {
		t.Errorf("it was sent %q, want nothing", got)
	}
}
