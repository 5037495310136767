package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/client"
)

// TestSuggestedGrants: what halctl suggests to a denied program's administrator passes check beside the policy that is there, and after a reload it permits the call, and not that on another device.
func TestSuggestedGrants(t *testing.T) {
	halctl := programs(t)
	dir := folder(t, map[string]string{
		"policy.d/10.toml": fmt.Sprintf("[[grant]]\nid = \"admin\"\nusers = [%d]\nmethods = [\"io.halberd.Policy.*\"]\n", os.Geteuid()),
		"halberd.toml":     "log-level = \"error\"\naudit = \"denials\"\n",
	})
	at := "stream:" + name()
	p := startSim(t, "-config", dir, "-listen", at)
	learning := exec.Command(halctl, "-a", at, "suggest")
	stdout := newOutput()
	learning.Stdout = stdout
	stderr, err := learning.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := learning.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "learning ") {
		t.Fatalf("got %q, %v", lines.Text(), lines.Err())
	}
	c := connect(t, at)
	set := func(line string) error {
		return c.Call(t.Context(), "io.halberd.Gpio.Set", map[string]any{"line": line, "value": 1}, nil)
	}
	if err := set("sim-gpio/0"); !client.IsError(err, client.PermissionDenied) {
		t.Fatalf("got %v, want %s", err, client.PermissionDenied)
	}
	if !lines.Scan() || !strings.HasSuffix(lines.Text(), ": Gpio.Set sim-gpio/0") {
		t.Fatalf("got %q, %v", lines.Text(), lines.Err())
	}
	if err := learning.Process.Signal(unix.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := learning.Wait(); err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string]string{"policy.d/60-suggested.toml": stdout.String()})
	status, good, bad := checked("-config", dir)
	if want := "good: 2 grants in 2 files, 0 devices declared\n"; status != 0 || good != want {
		t.Fatalf("check says %d, %q, %q, want %q of\n%s", status, good, bad, want, stdout)
	}
	if out, err := exec.Command(halctl, "-a", at, "reload").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := set("sim-gpio/0"); client.IsError(err, client.PermissionDenied) {
		t.Errorf("with the grant: %v\n%s", err, stdout)
	}
	if err := set("sim-gpio/1"); !client.IsError(err, client.PermissionDenied) {
		t.Errorf("another device: got %v, want %s", err, client.PermissionDenied)
	}
	p.terminate(t)
	if got := p.stderr.String(); strings.Count(got, "msg=denied") != 2 || strings.Contains(got, "allowed") {
		t.Errorf("logged %q, want two denials alone", got)
	}
}
