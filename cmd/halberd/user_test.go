package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/client"
	"github.com/halberd-io/halberd/service/servicetest"
)

// user is somebody who is not root.
var user = servicetest.As{UID: 1000, GID: 1000}

// apart gives a process abstract names of its own, so that the usual ones are free there: they belong to the network namespace.
func apart(cmd *exec.Cmd) *exec.Cmd {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Unshareflags |= syscall.CLONE_NEWNET
	return cmd
}

// over makes a process, of any uid, see one folder in the place of another, which is the process's alone. The test is skipped where that cannot be.
func over(t *testing.T, folder, place string, uid int, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	servicetest.SkipUnlessRoot(t)
	args := append([]string{folder, place, strconv.Itoa(uid), roleOf(cmd)}, cmd.Args...)
	outer := servicetest.Command(t, args...)
	outer.Env = append(cmd.Env, roleVariable+"="+roleMounter)
	try := servicetest.Command(t, append(args[:4:4], "true")...)
	try.Env = outer.Env
	if out, err := try.CombinedOutput(); err != nil {
		t.Skip(string(out))
	}
	return outer
}

func roleOf(cmd *exec.Cmd) (role string) {
	for _, variable := range cmd.Env {
		if value, ok := strings.CutPrefix(variable, roleVariable+"="); ok {
			role = value
		}
	}
	return role
}

// mount is a child that lays one folder over another, becomes a uid, and then the program of its arguments.
func mount(args []string) int {
	runtime.LockOSThread()
	uid, err := strconv.Atoi(args[2])
	path, missing := exec.LookPath(args[4])
	err = errors.Join(err, missing, syscall.Unshare(syscall.CLONE_NEWNS))
	if err == nil {
		err = errors.Join(syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""), syscall.Mount(args[0], args[1], "", syscall.MS_BIND, ""))
	}
	if err == nil && uid != 0 {
		err = errors.Join(syscall.Setgroups(nil), syscall.Setgid(uid), syscall.Setuid(uid))
	}
	if err == nil {
		os.Setenv(roleVariable, args[3])
		err = syscall.Exec(path, args[4:], os.Environ())
	}
	fmt.Printf("cannot lay %s over %s: %v", args[0], args[1], err)
	return 1
}

// finder is the test binary as a client, with more variables.
func finder(t *testing.T, variables ...string) *exec.Cmd {
	t.Helper()
	cmd := servicetest.Command(t)
	cmd.Env = append(append(os.Environ(), roleVariable+"="+roleFinder), variables...)
	return cmd
}

// find is a child: it calls the daemon that a client finds by itself, and says where that was and who the daemon is and says it is.
func find() int {
	ctx := context.Background()
	c, err := client.Dial(ctx, "")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer c.Close()
	var who identity
	if err := c.Call(ctx, "io.halberd.Policy.WhoAmI", nil, &who); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := c.Call(ctx, "io.halberd.Gpio.Set", map[string]any{"line": "relay-pump", "value": 1}, nil); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Printf("%s of %d for %d\n", c.Address(), c.Server().UID, who.UID)
	return 0
}

// TestOrdinaryUser: whoever is not root has the simulated board at the usual abstract names and in the runtime folder of their own, where their
// clients find it.
func TestOrdinaryUser(t *testing.T) {
	servicetest.SkipUnlessRoot(t)
	run := folder(t, map[string]string{"user/1000/README": "empty"})
	private := filepath.Join(run, "user/1000")
	if err := errors.Join(os.Chown(private, 1000, 1000), os.Chmod(private, 0o700)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(private, "halberd/io.halberd")
	cmd := apart(daemon(t, "-sim"))
	user.Apply(cmd)
	cmd.Env = append(cmd.Env, "XDG_RUNTIME_DIR="+private)
	p := start(t, cmd)
	p.stdout.await(t, "served at stream:@halberd seqpacket:@halberd dgram:@halberd stream:"+path+".")
	p.stdout.await(t, "build/halctl gpio set relay-pump 1")
	p.stdout.await(t, "varlinkctl call unix:@halberd io.halberd.Gpio.Get")

	finder := finder(t, "XDG_RUNTIME_DIR=/run/user/1000", "HALBERD_ADDRESS=")
	out, err := over(t, run, "/run", 1000, finder).CombinedOutput()
	if got, want := string(out), "stream:/run/user/1000/halberd/io.halberd of 1000 for 1000\n"; err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if err := setPump(t, connectAny(t, "stream:"+path)); err != nil {
		t.Errorf("root may do everything with a simulated board: %v", err)
	}
	p.terminate(t)
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after its end: got %v, want the socket to be gone", err)
	}
}

// connectAny makes a client that does not ask who serves.
func connectAny(t *testing.T, address string) *client.Client {
	t.Helper()
	c, err := client.Dial(t.Context(), address, client.WithAnyServer())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestOrdinaryUserWithoutSession: where there is no runtime folder, the abstract names are enough.
func TestOrdinaryUserWithoutSession(t *testing.T) {
	servicetest.SkipUnlessRoot(t)
	foreign := folder(t, nil)
	for _, runtime := range []string{"", "/nowhere", foreign} {
		cmd := apart(daemon(t, "-sim"))
		user.Apply(cmd)
		cmd.Env = append(cmd.Env, "XDG_RUNTIME_DIR="+runtime)
		p := start(t, cmd)
		p.stdout.await(t, "served at stream:@halberd seqpacket:@halberd dgram:@halberd.")
		p.terminate(t)
	}
}

// TestOthersOfAnOrdinaryUser: a board that a user simulates is for that user and root.
func TestOthersOfAnOrdinaryUser(t *testing.T) {
	servicetest.SkipUnlessRoot(t)
	at := "stream:" + name()
	cmd := daemon(t, "-sim", "-listen", at)
	user.Apply(cmd)
	p := start(t, cmd)
	p.stdout.await(t, serving)
	for uid, want := range map[uint32]string{1000: "stream:", 1001: "server not trusted: its uid is 1000"} {
		finder := finder(t, "HALBERD_ADDRESS="+at)
		servicetest.As{UID: uid, GID: uid}.Apply(finder)
		if out, err := finder.CombinedOutput(); !strings.Contains(string(out), want) || (err == nil) != (uid == 1000) {
			t.Errorf("uid %d: got %q, %v, want %q", uid, out, err, want)
		}
	}
	c := connectAny(t, at)
	if err := setPump(t, c); err != nil {
		t.Errorf("root: %v", err)
	}
	if got := c.Server().UID; got != 1000 {
		t.Errorf("the server is uid %d, want 1000", got)
	}
	p.signal(t, unix.SIGINT)
	p.exits(t, 0)
}
