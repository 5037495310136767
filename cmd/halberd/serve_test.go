package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/client"
)

// TestSimulated: without hardware and without configuration all three kinds of socket are served, and the first screen says what to try.
func TestSimulated(t *testing.T) {
	at := name()
	p := startSim(t, everywhere(at)...)
	for _, kind := range transports {
		whoAmI(t, kind.String()+":"+at)
		if err := setPump(t, connect(t, kind.String()+":"+at)); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
	for _, want := range []string{"stream:" + at + " seqpacket:" + at + " dgram:" + at + ".", "halctl -a stream:" + at + " gpio set relay-pump 1"} {
		if got := p.stdout.String(); !strings.Contains(got, want) {
			t.Errorf("it prints %q, want %q in it", got, want)
		}
	}
	p.terminate(t)
	if _, err := client.Dial(t.Context(), "stream:"+at); !errors.Is(err, client.ErrNoDaemon) {
		t.Errorf("after its end: got %v, want %v", err, client.ErrNoDaemon)
	}
}

// TestPathname: the pathname socket is for everybody, is removed at the end, and one that a killed daemon left is replaced.
func TestPathname(t *testing.T) {
	path := filepath.Join(folder(t, nil), "halberd", "io.halberd")
	serve := func() *process {
		t.Helper()
		p := startSim(t, "-listen", "stream:"+path)
		whoAmI(t, "stream:"+path)
		return p
	}
	p := serve()
	if st, err := os.Lstat(path); err != nil || st.Mode() != fs.ModeSocket|0o666 {
		t.Errorf("the socket: got %v, %v, want mode 0666", st, err)
	}
	p.signal(t, unix.SIGKILL)
	<-p.done
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("a killed daemon removed its socket: %v", err)
	}
	for _, s := range []unix.Signal{unix.SIGTERM, unix.SIGINT} {
		p = serve()
		p.signal(t, s)
		p.exits(t, 0)
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("after %v: got %v, want the socket to be gone", s, err)
		}
	}
}

// TestSecondDaemon: one name has one daemon, and the second one leaves the first one as it is.
func TestSecondDaemon(t *testing.T) {
	at, path := name(), filepath.Join(folder(t, nil), "socket")
	first := startSim(t, append(everywhere(at), "-listen", "stream:"+path)...)
	for _, kind := range transports {
		address := kind.String() + ":" + at
		second := start(t, daemon(t, "-sim", "-listen", address))
		second.exits(t, 1)
		if got, want := second.stderr.String(), "cannot listen on "+address+": address already in use"; !strings.Contains(got, want) {
			t.Errorf("got %q, want %q in it", got, want)
		}
		whoAmI(t, address)
	}
	second := start(t, daemon(t, "-sim", "-listen", "stream:"+path))
	second.exits(t, 1)
	if got, want := second.stderr.String(), path+": somebody else has it"; !strings.Contains(got, want) {
		t.Errorf("got %q, want %q in it", got, want)
	}
	whoAmI(t, "stream:"+path)
	first.terminate(t)
}

// grantSelf permits the user of these tests to make calls.
func grantSelf(methods string) string {
	return "[[grant]]\nid = \"self\"\nusers = [" + strconv.Itoa(os.Geteuid()) + "]\nmethods = [\"" + methods + "\"]\ndevices = [\"relay-pump\"]\n"
}

// TestConfigured: with -config a simulated board has the policy, the board and the limits of that folder, and no others.
func TestConfigured(t *testing.T) {
	dir := folder(t, map[string]string{
		"policy.d/10.toml": grantSelf("io.halberd.Gpio.*") + "[[grant]]\nid = \"none\"\nusers = [\"nobody-of-that-name\"]\nmethods = [\"io.halberd.Policy.Status\"]\n",
		"halberd.toml":     "log-level = \"error\"\n",
		"board.toml":       "[gpio.relay-pump]\nchip = \"sim-gpio\"\nline = 0\ndirection = \"output\"\ninitial = 1\n",
	})
	at := "seqpacket:" + name()
	p := startSim(t, "-config", dir, "-listen", at)
	c := connect(t, at)
	var pump struct{ Value int }
	if err := c.Call(t.Context(), "io.halberd.Gpio.Get", map[string]any{"line": "relay-pump"}, &pump); err != nil || pump.Value != 1 {
		t.Errorf("got %+v, %v, want the initial value of board.toml, 1", pump, err)
	}
	err := c.Call(t.Context(), "io.halberd.Gpio.Set", map[string]any{"line": "relay-up", "value": 1}, nil)
	if !client.IsError(err, client.PermissionDenied) {
		t.Errorf("got %v, want %s", err, client.PermissionDenied)
	}
	p.terminate(t)
	if got := p.stderr.String(); strings.Contains(got, "nobody-of-that-name") || strings.Count(got, "\n") != 1 || !strings.Contains(got, " msg=denied decision=denied method=io.halberd.Gpio.Set ") {
		t.Errorf("logged %q, want the denial alone: a name that does not resolve is a warning, and errors are to be logged, and records", got)
	}
}

// TestHangUp: SIGHUP takes a good policy, and leaves a bad one alone. Connections stay.
func TestHangUp(t *testing.T) {
	dir := folder(t, map[string]string{"policy.d/10.toml": grantSelf("io.halberd.Gpio.Set")})
	at := "stream:" + name()
	p := startSim(t, "-config", dir, "-listen", at)
	c := connect(t, at)
	step := func(policy, wantLog, wantError string) {
		t.Helper()
		if policy != "" {
			write(t, dir, map[string]string{"policy.d/10.toml": policy})
			p.signal(t, unix.SIGHUP)
			p.stderr.await(t, wantLog)
		}
		if err := setPump(t, c); wantError == "" && err != nil || wantError != "" && !client.IsError(err, wantError) {
			t.Errorf("after %q: got %v, want %q", wantLog, err, wantError)
		}
	}
	step("", "", "")
	step("[[grant]]\nid = 7\n", "cannot reload: the policy stays as it was", "")
	if got, want := p.stderr.String(), filepath.Join(dir, "policy.d/10.toml")+":2: "; !strings.Contains(got, want) {
		t.Errorf("got %s, want %s in it", got, want)
	}
	step(grantSelf("io.halberd.Gpio.Get"), "msg=reloaded generation=2", client.PermissionDenied)
	step(grantSelf("io.halberd.Gpio.Set"), "msg=reloaded generation=3", "")
	p.terminate(t)
}

// TestBoardChanged: a board.toml that is another one than at the start is told, since it takes a restart, and one that is as it was is not.
func TestBoardChanged(t *testing.T) {
	const policy, before, after = "policy.d/10.toml", "[led.front]\nname = \"front:white\"\n", "[led.panel]\nname = \"front:white\"\n"
	for row, board := range map[string]map[string]string{"with one": {"board.toml": before}, "with none": nil} {
		t.Run(row, func(t *testing.T) {
			dir := folder(t, board)
			write(t, dir, map[string]string{policy: grantAdministration()})
			at := "stream:" + name()
			p := startSim(t, "-config", dir, "-listen", at)
			c := connect(t, at)
			step := func(want bool) {
				t.Helper()
				var reload, status struct{ BoardChanged bool }
				err := errors.Join(c.Call(t.Context(), "io.halberd.Policy.Reload", nil, &reload), c.Call(t.Context(), "io.halberd.Policy.Status", nil, &status))
				if err != nil || reload.BoardChanged != want || status.BoardChanged != want {
					t.Errorf("got %+v from Reload and %+v from Status, %v, want %v", reload, status, err, want)
				}
			}
			step(false)
			write(t, dir, map[string]string{"board.toml": after})
			step(true)
			if board != nil {
				write(t, dir, board)
			} else if err := os.Remove(filepath.Join(dir, "board.toml")); err != nil {
				t.Fatal(err)
			}
			step(false)
			p.terminate(t)
		})
	}
}

func grantAdministration() string {
	return "[[grant]]\nid = \"self\"\nusers = [" + strconv.Itoa(os.Geteuid()) + "]\nverbs = [\"administer\"]\n"
}

// TestBadAtTheStart: a daemon does not start with a bad policy.
func TestBadAtTheStart(t *testing.T) {
	dir := folder(t, map[string]string{"policy.d/10.toml": "[[grant]]\nid = 7\n"})
	p := start(t, daemon(t, "-sim", "-config", dir, "-listen", "stream:"+name()))
	p.exits(t, 1)
	if got, want := p.stderr.String(), filepath.Join(dir, "policy.d/10.toml")+":2: "; !strings.Contains(got, want) {
		t.Errorf("got %s, want %s in it", got, want)
	}
}

// TestNoConfigurationNeeded: a simulated board does not care what is wrong with the configuration of the machine that it runs on.
func TestNoConfigurationNeeded(t *testing.T) {
	etc := folder(t, map[string]string{"halberd/halberd.toml": "nonsense", "halberd/policy.d/1.toml": "nonsense", "halberd/board.toml": "nonsense"})
	at := name()
	p := start(t, over(t, etc, "/etc", 0, daemon(t, append([]string{"-sim"}, everywhere(at)...)...)))
	p.stdout.await(t, serving)
	var status struct{ BoardChanged bool }
	if err := connect(t, "stream:"+at).Call(t.Context(), "io.halberd.Policy.Status", nil, &status); err != nil || status.BoardChanged {
		t.Errorf("got %+v, %v, want an unchanged board", status, err)
	}
	p.terminate(t)
	p = start(t, over(t, etc, "/etc", 0, daemon(t, everywhere(name())...)))
	p.exits(t, 1)
	if got, want := p.stderr.String(), "/etc/halberd/halberd.toml:1: "; !strings.Contains(got, want) {
		t.Errorf("without -sim: got %q, want %q in it", got, want)
	}
}

// TestMachine: without flags the hardware of this machine is served, at all four usual addresses, and the first start since boot is remembered.
func TestMachine(t *testing.T) {
	run := folder(t, nil)
	etc := folder(t, map[string]string{"policy.d/10.toml": grantAdministration()})
	m := startManager(t, filepath.Join(etc, "notify"))
	cmd := apart(over(t, run, "/run", 0, daemon(t, "-config", etc)))
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+filepath.Join(etc, "notify"))
	p := start(t, cmd)
	m.hears(t, "READY=1", "STATUS=policy generation 1")
	whoAmI(t, "stream:"+filepath.Join(run, "halberd/io.halberd"))
	if _, err := os.Stat(filepath.Join(run, "halberd/started")); err != nil {
		t.Errorf("it does not remember the start: %v", err)
	}
	if got := p.stdout.String(); got != "" {
		t.Errorf("it prints %q, want nothing", got)
	}
	p.terminate(t)
	if got, err := os.ReadDir(filepath.Join(run, "halberd")); err != nil || len(got) != 1 || got[0].Name() != "started" {
		t.Errorf("it leaves %v, %v, want the file that says that it ran", got, err)
	}
}
