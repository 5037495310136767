//go:build boot

package boottest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/halberd-io/halberd/service/client"
)

// Who the users of the image are.
const (
	app   = 1000 // has the grants of 50-app.toml
	kiosk = 1001 // has none; a member of the group leds
	leds  = 1100 // the group
)

// patience is how long anything may take on an emulated machine that shares its processors.
const patience = 60 * time.Second

// outcome is how a program ended.
type outcome struct {
	stdout, stderr string
	status         int
}

// all is what it printed, for messages.
func (o outcome) all() string { return o.stdout + o.stderr }

// start runs a program to its end. A uid other than 0 has the gid of the same number, and the groups given.
func start(t testing.TB, uid uint32, groups []uint32, name string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = "/"
	cmd.WaitDelay = time.Second
	if uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid, Groups: groups}}
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		t.Fatalf("%s %q: %v", name, args, err)
	}
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// run runs a program as root, which must succeed, and gives what it printed.
func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	o := start(t, 0, nil, name, args...)
	if o.status != 0 {
		t.Fatalf("%s %q: exit status %d: %s", name, args, o.status, o.all())
	}
	return strings.TrimSpace(o.stdout)
}

// halctl runs halctl as a uid of the image, without supplementary groups.
func halctl(t testing.TB, uid uint32, args ...string) outcome {
	t.Helper()
	return start(t, uid, nil, "halctl", args...)
}

// must runs halctl, which has to succeed, and gives what it printed.
func must(t testing.TB, uid uint32, args ...string) string {
	t.Helper()
	o := halctl(t, uid, args...)
	if o.status != 0 {
		t.Fatalf("halctl %q as %d: exit status %d: %s", args, uid, o.status, o.all())
	}
	return strings.TrimSpace(o.stdout)
}

// refused runs halctl, which must be refused with the error of that name.
func refused(t testing.TB, uid uint32, name string, args ...string) outcome {
	t.Helper()
	o := halctl(t, uid, args...)
	if o.status != 1 || !strings.Contains(o.stderr, name) {
		t.Fatalf("halctl %q as %d: got exit status %d and %q, want 1 and %s", args, uid, o.status, o.all(), name)
	}
	return o
}

// unit runs a program as a transient unit of systemd, with properties.
func unit(t testing.TB, name string, properties []string, program ...string) outcome {
	t.Helper()
	args := []string{"--quiet", "--wait", "--pipe", "--collect", "--expand-environment=no", "--unit=" + name}
	for _, p := range properties {
		args = append(args, "--property="+p)
	}
	return start(t, 0, nil, "systemd-run", append(args, program...)...)
}

// property is what systemctl shows.
func property(t testing.TB, unit, name string) string {
	t.Helper()
	return run(t, "systemctl", "show", "-P", name, unit)
}

// eventually waits until f holds.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !f(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// read is the content of a file without white space around it.
func read(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// find is the one path that a pattern matches.
func find(t testing.TB, pattern string) string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) != 1 {
		t.Fatalf("%s is %q, %v; want one path", pattern, paths, err)
	}
	return paths[0]
}

// line is the folder in which gpio-sim shows what hardware sees at a line of the board, and takes what it does.
func line(t testing.TB, offset string) string {
	t.Helper()
	return find(t, "/sys/devices/platform/board/gpiochip*/sim_gpio"+offset)
}

// dial connects as root.
func dial(t testing.TB, address string) *client.Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := client.Dial(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// call calls a method, which must succeed.
func call(t testing.TB, c *client.Client, method string, parameters, reply any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.Call(ctx, method, parameters, reply); err != nil {
		t.Fatal(err)
	}
}

// measured writes a figure down, to be gathered by make boot-test.
func measured(t testing.TB, format string, args ...any) {
	t.Helper()
	t.Logf("measured: "+format, args...)
}
