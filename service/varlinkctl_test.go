package service_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

// varlinkctl runs systemd's own client against a server's abstract name.
type varlinkctl struct{ path, address string }

func newVarlinkctl(t *testing.T, s *servicetest.Server) varlinkctl {
	t.Helper()
	return varlinkctl{servicetest.Varlinkctl(t), "unix:" + s.Name}
}

// command is a command about the server.
func (v varlinkctl) command(name string, args ...string) *exec.Cmd {
	return exec.Command(v.path, append([]string{"-j", name, v.address}, args...)...)
}

// run gives what a command prints.
func (v varlinkctl) run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := v.command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("varlinkctl %s %q: %v: %s", name, args, err, out)
	}
	return string(out)
}

// TestVarlinkctlInfo: it sees the same service as our own clients do.
func TestVarlinkctlInfo(t *testing.T) {
	s := servicetest.Start(t, "")
	v := newVarlinkctl(t, s)
	got := v.run(t, "info")
	want, err := s.MustDial(t, peer.Stream).Call(`{"method":"org.varlink.service.GetInfo"}`)
	if err != nil || `{"parameters":`+strings.TrimSpace(got)+"}" != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

// TestVarlinkctlInterfaces: systemd's parser reads every interface, and reads the same as we wrote.
func TestVarlinkctlInterfaces(t *testing.T) {
	s := servicetest.Start(t, "")
	v := newVarlinkctl(t, s)
	var names []string
	if err := json.Unmarshal([]byte(v.run(t, "list-interfaces")), &names); err != nil || len(names) < 6 {
		t.Fatalf("got %q, %v, want a list of all interfaces", names, err)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			out, err := exec.Command(v.path, "introspect", v.address, name).Output()
			if err != nil {
				t.Fatal(err)
			}
			call, err := json.Marshal(map[string]any{"method": "org.varlink.service.GetInterfaceDescription", "parameters": map[string]string{"interface": name}})
			if err != nil {
				t.Fatal(err)
			}
			reply, err := s.MustDial(t, peer.Stream).Call(string(call))
			if err != nil {
				t.Fatal(err)
			}
			var ours struct{ Parameters struct{ Description string } }
			if err := json.Unmarshal([]byte(reply), &ours); err != nil {
				t.Fatal(err)
			}
			if got, want := meaning(string(out)), meaning(ours.Parameters.Description); got != want {
				t.Errorf("systemd reads\n%s\nwant\n%s", got, want)
			}
			validate(t, v.path, ours.Parameters.Description)
		})
	}
}

// meaning is an interface's text without comments and layout.
func meaning(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		b.WriteString(" " + line)
	}
	return layout.ReplaceAllString(strings.Join(strings.Fields(b.String()), " "), "$1")
}

var layout = regexp.MustCompile(` ?([(),:?>]) ?`)

func validate(t *testing.T, varlinkctl, text string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "interface.varlink")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(varlinkctl, "validate-idl", path).CombinedOutput(); err != nil {
		t.Errorf("validate-idl: %v: %s", err, out)
	}
}

// TestVarlinkctlMethods: every method that we have is one for systemd.
func TestVarlinkctlMethods(t *testing.T) {
	s := servicetest.Start(t, "")
	v := newVarlinkctl(t, s)
	var methods []string
	if err := json.Unmarshal([]byte(v.run(t, "list-methods")), &methods); err != nil {
		t.Fatal(err)
	}
	all := " " + strings.Join(methods, " ") + " "
	for _, want := range []string{"org.varlink.service.GetInfo", "io.halberd.Gpio.Set", "io.halberd.Gpio.Watch", "io.halberd.Led.Set", "io.halberd.Sensor.Get", "io.halberd.Board.List", "io.halberd.Policy.WhoAmI"} {
		if !strings.Contains(all, " "+want+" ") {
			t.Errorf("got %q, want %s in it", methods, want)
		}
	}
}

func TestVarlinkctlCall(t *testing.T) {
	rows := []struct {
		name, method, parameters string
		want                     string // what is printed
		wantError                string // "" for none
	}{
		{"set", "io.halberd.Gpio.Set", `{"line":"relay-pump","value":1}`, `{}`, ""},
		{"get", "io.halberd.Gpio.Get", `{"line":"relay-pump"}`, `{"value":1}`, ""},
		{"a watch without more", "io.halberd.Gpio.Watch", `{"lines":["button"]}`, `{"line":"button","value":0,"sequence":1,"lost":0}`, ""},
		{"an error of ours", "io.halberd.Gpio.Set", `{"line":"button","value":1}`, `{"feature":"output"}`, "io.halberd.NotSupported"},
		{"an error with numbers", "io.halberd.Led.Set", `{"led":"front","brightness":300}`, `{"parameter":"brightness","minimum":0,"maximum":255}`, "io.halberd.OutOfRange"},
		{"no such device", "io.halberd.Gpio.Get", `{"line":"ghost"}`, `{"class":"Gpio","device":"ghost"}`, "io.halberd.NoSuchDevice"},
		{"an error of varlink", "io.halberd.Gpio.Get", `{}`, `{"parameter":"line"}`, "org.varlink.service.InvalidParameter"},
		{"no such method", "io.halberd.Gpio.Explode", `{}`, `{"method":"io.halberd.Gpio.Explode"}`, "org.varlink.service.MethodNotFound"},
	}
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
	v := newVarlinkctl(t, s)
	for _, row := range rows {
		cmd := v.command("call", row.method, row.parameters)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if (err != nil) != (row.wantError != "") || strings.TrimSpace(string(out)) != row.want || !strings.Contains(stderr.String(), row.wantError) {
			t.Errorf("%s: got %s, %q, %v, want %s, %q", row.name, out, stderr.String(), err, row.want, row.wantError)
		}
	}
	if got := s.Sim.Value("relay-pump"); got != 1 {
		t.Errorf("relay-pump is %d at the simulated chip, want 1", got)
	}
}

// TestVarlinkctlDenied: a denial is told with its reason.
func TestVarlinkctlDenied(t *testing.T) {
	s := servicetest.Start(t, "")
	out, err := newVarlinkctl(t, s).command("call", "io.halberd.Gpio.Set", `{"line":"relay-pump","value":1}`).CombinedOutput()
	for _, want := range []string{"org.varlink.service.PermissionDenied", `{"reason":"no grant of uid `} {
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("got %s, %v, want %q in it", out, err, want)
		}
	}
}

// TestVarlinkctlOneway: no answer is awaited, and none comes.
func TestVarlinkctlOneway(t *testing.T) {
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
	v := newVarlinkctl(t, s)
	watcher := s.MustDial(t, peer.Stream)
	if _, err := watcher.Call(`{"method":"io.halberd.Gpio.Watch","parameters":{"lines":["relay-pump"]},"more":true}`); err != nil {
		t.Fatal(err)
	}
	if got := v.run(t, "call", "--oneway", "io.halberd.Gpio.Set", `{"line":"relay-pump","value":1}`); strings.TrimSpace(got) != "" {
		t.Errorf("got %q, want nothing", got)
	}
	if got, err := watcher.Read(); err != nil || parse(t, got).Parameters.Value != 1 {
		t.Errorf("got the event %s, %v, want value 1", got, err)
	}
}

// TestVarlinkctlMore: it follows a watch.
func TestVarlinkctlMore(t *testing.T) {
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
	cmd := newVarlinkctl(t, s).command("call", "--more", "io.halberd.Gpio.Watch", `{"lines":["door","button"]}`)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	events := bufio.NewScanner(out)
	next := func(line string, value int64) {
		t.Helper()
		var e struct {
			Line  string
			Value int64
		}
		if !events.Scan() {
			t.Fatalf("it ended, %v, want %s at %d", events.Err(), line, value)
		}
		record := bytes.TrimPrefix(events.Bytes(), []byte("\x1e")) // JSON text sequences (RFC 7464)
		if err := json.Unmarshal(record, &e); err != nil || e.Line != line || e.Value != value {
			t.Errorf("got %s, %v, want %s at %d", record, err, line, value)
		}
	}
	next("door", 0)
	next("button", 0)
	s.Sim.Pull("door", 1)
	next("door", 1)
	s.Sim.Pull("door", 0)
	next("door", 0)
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // it was killed
	settle(t, s, 1)
}
