package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/service/servicetest"
)

// shell is a shell with a completion script in a file, and with halctl on its path.
type shell struct{ program, script, path string }

func newShell(t *testing.T, name string) shell {
	t.Helper()
	program, err := exec.LookPath(name)
	if err != nil {
		t.Skip(err)
	}
	status, stdout, stderr := halctl(t, "completion", name)
	if status != 0 || stderr != "" {
		t.Fatalf("got %d, %q", status, stderr)
	}
	dir := t.TempDir()
	cmd := servicetest.Command(t)
	s := shell{program, filepath.Join(dir, "script"), dir + ":" + os.Getenv("PATH")}
	wrapper := "#!/bin/sh\n" + programVariable + "=1 exec " + strings.Join(cmd.Args, " ") + " \"$@\"\n"
	if err := os.WriteFile(filepath.Join(dir, "halctl"), []byte(wrapper), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.script, []byte(stdout), 0o644); err != nil {
		t.Fatal(err)
	}
	return s
}

// run gives what the shell prints.
func (s shell) run(t *testing.T, args ...string) []string {
	t.Helper()
	cmd := exec.Command(s.program, args...)
	cmd.Env = append(os.Environ(), "PATH="+s.path)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.Fields(string(out))
}

// complete gives what bash would offer for a line.
func (s shell) complete(t *testing.T, line string) []string {
	t.Helper()
	return s.run(t, "--norc", "-c", `source "$1"; COMP_LINE="$2" COMP_POINT=${#2}; _halctl; printf '%s\n' "${COMPREPLY[@]}"`, "bash", s.script, line)
}

func TestBash(t *testing.T) {
	s := newShell(t, "bash")
	s.run(t, "-n", s.script)
	if got := s.run(t, "--norc", "-c", `source "$1"; complete -p halctl`, "bash", s.script); strings.Join(got, " ") != "complete -F _halctl halctl" {
		t.Errorf("got %q", got)
	}
	server := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
	address := server.Address(transports[0])
	rows := []struct {
		line string
		want []string // "…" for more
	}{
		{"halctl who", []string{"whoami"}},
		{"halctl gp", []string{"gpio"}},
		{"halctl ", []string{"list", "describe", "info", "call", "…"}},
		{"halctl -j sens", []string{"sensor"}},
		{"halctl gpio get", []string{"get", "get-many"}},
		{"halctl led set", []string{"set", "set-trigger", "set-color"}},
		{"halctl list gp", []string{"gpio"}},
		{"halctl list pow", nil}, // it has no devices
		{"halctl completion f", []string{"fish"}},
		{"halctl policy t", []string{"test"}},
		{"halctl frob ", nil},
		{"halctl call x ", nil},
		{"halctl -a " + address + " gpio set relay-p", []string{"relay-pump"}},
		{"halctl -a " + address + " gpio get-many door relay-", []string{"relay-down", "relay-pump", "relay-up"}},
		{"halctl -j -a " + address + " sensor get so", []string{"soc"}},
		{"halctl -a=" + address + " led set fr", []string{"front"}},
		{"halctl -a " + address + " describe Led/", []string{"Led/front", "Led/status"}},
		{"halctl -a " + address + " gpio set nothing-like-that", nil},
		{"halctl -a stream:@halberd-of-nobody gpio set re", nil},
		{"halctl -a ", nil},
	}
	for _, row := range rows {
		got := s.complete(t, row.line)
		if n := len(row.want); n > 0 && row.want[n-1] == "…" {
			row.want = row.want[:n-1]
			got = got[:min(len(got), n-1)]
		}
		if !slices.Equal(got, row.want) {
			t.Errorf("%q: got %q, want %q", row.line, got, row.want)
		}
	}
}

// TestBashExpandsNothing: a device may be called what means something to a shell. That is neither carried out nor offered.
func TestBashExpandsNothing(t *testing.T) {
	s := newShell(t, "bash")
	dir := filepath.Dir(s.script)
	const list = "#!/bin/sh\ncat <<'E'\nCLASS DEVICE\nLed x$(touch$IFS\"$PROOF\")\nLed x;touch${IFS}$PROOF\nLed x&y\nLed x?\nLed x~\nLed x:red\nLed x:green@2\nE\n"
	if err := os.WriteFile(filepath.Join(dir, "halctl"), []byte(list), 0o755); err != nil {
		t.Fatal(err)
	}
	proof := filepath.Join(dir, "proof")
	t.Setenv("PROOF", proof)
	for line, want := range map[string][]string{
		"halctl led set x":       {"x:red", "x:green@2"},
		"halctl led set x:r":     {"red"},
		"halctl led set x:":      {"red", "green@2"},
		"halctl led set x:green": {"green@2"},
	} {
		if got := s.complete(t, line); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
	if _, err := os.Lstat(proof); err == nil {
		t.Error("a device's name was carried out")
	}
}

func TestZsh(t *testing.T) {
	s := newShell(t, "zsh")
	s.run(t, "-n", s.script)
	if err := os.Rename(s.script, filepath.Join(filepath.Dir(s.script), "_halctl")); err != nil {
		t.Fatal(err)
	}
	server := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
	t.Setenv("HALBERD_ADDRESS", server.Address(transports[1]))
	got := strings.Join(s.run(t, "-f", "-c", zshSession, "zsh", filepath.Dir(s.script)), " ")
	if !strings.Contains(got, "gpio set relay-pump") {
		t.Errorf("the first completion of a shell that has _halctl on its fpath shows %q", got)
	}
}

// zshSession types into a zsh on a terminal of its own, and shows what is on the screen once it has completed, or after 10 s.
const zshSession = `zmodload zsh/zpty
zpty z "TERM=dumb zsh -f -i"
zpty -w z "fpath=(${(q)1} \$fpath); autoload -Uz compinit; compinit -u -D; print read''y"
zpty -r z screen '*ready*'
zpty -w -n z $'halctl gpio set relay-p\t'
repeat 100; do
	while zpty -r -t z more; do screen+=$more; done
	[[ $screen != *relay-pump* ]] || break
	sleep 0.1
done
print -r -- ${(V)screen}
zpty -d z`

func TestFish(t *testing.T) {
	s := newShell(t, "fish")
	s.run(t, "--no-execute", s.script)
	server := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
	t.Setenv("HALBERD_ADDRESS", server.Address(transports[1]))
	t.Setenv("HOME", t.TempDir()) // no configuration of anybody
	for line, want := range map[string][]string{
		"halctl who":               {"whoami"},
		"halctl led set-c":         {"set-color"},
		"halctl gpio set relay-p":  {"relay-pump"},
		"halctl sensor get so":     {"soc"},
		"halctl gpio get relay-no": nil,
	} {
		got := s.run(t, "-c", "source $argv[1]; complete -C $argv[2] | string split -f1 \\t; true", s.script, line)
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
}
