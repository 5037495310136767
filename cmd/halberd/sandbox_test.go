package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/client"
	"github.com/halberd-io/halberd/service/servicetest"
)

// without gives the daemon as a program without C, in whose runtime the sandbox reaches all threads: this test binary, or one that is built.
func without(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION); errno != 0 {
		t.Skipf("landlock_create_ruleset: %v", errno)
	}
	cmd := daemon(t, args...)
	if _, _, errno := syscall.AllThreadsSyscall(unix.SYS_GETPID, 0, 0, 0); errno != syscall.ENOTSUP {
		return cmd
	}
	path, err := built()
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
		t.Skipf("a daemon without C: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	cmd.Path, cmd.Args = path, append([]string{path}, args...)
	return cmd
}

// built is the daemon, built once beside the copy of the test binary.
var built = sync.OnceValues(func() (string, error) {
	if _, err := os.Stat("main.go"); err != nil {
		return "", err
	}
	path := filepath.Join(servicetest.Folder(), "halberd")
	cmd := exec.Command("go", "build", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build the daemon: %w: %s", err, out)
	}
	return path, os.Chmod(path, 0o755)
})

// fatal is a configuration whose sandbox ends the daemon at the first call that it refuses, with the policy that root and whoever runs the tests may do everything. The policy has names to be
// looked up, so that accounts are read.
func fatal(t *testing.T) string {
	t.Helper()
	return folder(t, map[string]string{
		"halberd.toml":     "sandbox = \"kill\"\nlog-level = \"debug\"\n",
		"policy.d/10.toml": fmt.Sprintf("[[grant]]\nid = \"all\"\nusers = [\"root\", %d]\nmethods = [\"io.halberd.*\"]\ndevices = [\"*\"]\n", os.Geteuid()),
	})
}

// boxed waits until a daemon is in its sandbox, and checks that of each of its threads.
func boxed(t *testing.T, p *process) {
	t.Helper()
	p.stderr.await(t, "in the sandbox")
	p.stderr.await(t, "seccomp (kill)")
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", p.Process.Pid))
	if err != nil || len(tasks) < 2 {
		t.Fatalf("it has the threads %q, %v", tasks, err)
	}
	for _, task := range tasks {
		status, err := os.ReadFile(task)
		for _, want := range []string{"NoNewPrivs:\t1\n", "Seccomp:\t2\n"} {
			if err != nil || !strings.Contains(string(status), want) {
				t.Errorf("%s: %v, and no %q:\n%s", task, err, want, status)
			}
		}
	}
}

// boxedCalls have the daemon do all kinds of things with hardware. Those of the simulator's own files are as on a board: descriptors of pipes, pseudo-terminals and memory.
var boxedCalls = []string{
	`Board.List {}`, `Board.Holders {}`, `Policy.Status {}`, `Policy.Grants {}`, `Board.Claim {"devices":["Gpio/usb-power"]}`, `Board.Release {"devices":["Gpio/usb-power"]}`,
	`Gpio.Get {"line":"button"}`, `Gpio.Set {"line":"relay-pump","value":1}`, `Gpio.Toggle {"line":"relay-pump"}`, `Gpio.Pulse {"line":"relay-pump","value":1,"durationUSec":1000}`,
	`Gpio.Watch {"lines":["button"]}`,
	`Led.Set {"led":"front","brightness":3}`, `Led.Blink {"led":"front","onMSec":10,"offMSec":10}`, `Led.Get {"led":"front"}`,
	`Backlight.Set {"backlight":"panel","permille":500}`, `Battery.Get {"supply":"main"}`, `Sensor.Get {"sensor":"soc"}`,
	`Fan.Set {"fan":"case","permille":500}`, `Pwm.Set {"channel":"fan0","periodNSec":40000,"dutyNSec":20000,"enabled":true}`,
	`I2c.Read {"device":"eeprom","register":0,"length":8}`, `I2c.Probe {"bus":"i2c-1","address":80}`, `Spi.Transfer {"device":"flash0","segments":[{"write":"nwAA","read":true}]}`,
	`Serial.Open {"port":"modem","baud":115200}`, `Serial.Counters {"port":"modem"}`, `Serial.Break {"port":"modem","durationMSec":1}`,
	`Haptic.Play {"motor":"buzzer","durationMSec":1}`, `Input.Watch {"devices":["keys"]}`, `Radio.Block {"radio":"wlan"}`, `Radio.Unblock {"radio":"wlan"}`,
	`Rtc.Get {"clock":"main"}`, `Rtc.Set {"clock":"main","timeUSec":1700000000000000}`, `Rtc.Wake {"name":"tea","atUSec":1900000000000000}`, `Rtc.CancelWake {"name":"tea"}`,
	`Cpu.SetLimits {"policy":"policy0","minimumKHz":600000}`, `Remoteproc.Start {"processor":"m4"}`, `Remoteproc.Stop {"processor":"m4"}`,
	`Watchdog.Arm {}`, `Watchdog.Register {"name":"app","timeoutMSec":60000}`, `Watchdog.Ping {"name":"app"}`, `Watchdog.Unregister {"name":"app"}`, `Watchdog.Disarm {}`,
	`Power.Can {}`, `Power.Suspend {"mode":"mem"}`, `Power.Inhibitors {}`, `Board.Safe {}`, `Policy.Reload {}`,
}

// TestSandboxedBoard: in a sandbox that does not forgive, every class works, over all kinds of socket, and so do reloads, and the end.
func TestSandboxedBoard(t *testing.T) {
	dir, at := fatal(t), name()
	path := filepath.Join(folder(t, nil), "halberd", "io.halberd")
	p := start(t, without(t, append([]string{"-sim", "-config", dir, "-listen", "stream:" + path}, everywhere(at)...)...))
	p.stdout.await(t, serving)
	boxed(t, p)
	c := connect(t, "stream:"+path)
	for _, call := range boxedCalls {
		method, parameters, _ := strings.Cut(call, " ")
		files, err := c.CallFDs(t.Context(), "io.halberd."+method, json.RawMessage(parameters), nil)
		if err != nil {
			t.Errorf("%s: %v", call, err)
		}
		for _, f := range files {
			defer f.Close()
		}
	}
	for _, kind := range transports {
		whoAmI(t, kind.String()+":"+at)
	}
	p.signal(t, unix.SIGHUP)
	p.stderr.await(t, "msg=reloaded generation=3")
	write(t, dir, map[string]string{"policy.d/20.toml": "[[grant]]\nid = 7\n"})
	p.signal(t, unix.SIGHUP)
	p.stderr.await(t, "cannot reload")
	boxed(t, p)
	p.terminate(t)
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after its end: got %v, want the socket to be gone", err)
	}
}

// TestSandboxedMachine: so does the hardware of this machine, with the folders that an installed daemon has.
func TestSandboxedMachine(t *testing.T) {
	run, dir, kept := folder(t, nil), fatal(t), folder(t, nil)
	m := startManager(t, filepath.Join(dir, "notify"))
	cmd := without(t, "-config", dir)
	cmd = apart(over(t, run, "/run", 0, cmd))
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+filepath.Join(dir, "notify"), "STATE_DIRECTORY="+filepath.Join(kept, "halberd"))
	p := start(t, cmd)
	m.hears(t, "READY=1", "STATUS=policy generation 1")
	boxed(t, p)
	c := connect(t, "stream:"+filepath.Join(run, "halberd/io.halberd"))
	for _, call := range []string{`Board.List {}`, `Power.Can {}`, `Watchdog.Status {}`, `Policy.Reload {}`} {
		method, parameters, _ := strings.Cut(call, " ")
		if err := c.Call(t.Context(), "io.halberd."+method, json.RawMessage(parameters), nil); err != nil {
			t.Errorf("%s: %v", call, err)
		}
	}
	p.terminate(t)
	if got, err := os.ReadDir(filepath.Join(run, "halberd")); err != nil || len(got) != 1 || got[0].Name() != "started" {
		t.Errorf("it leaves %v, %v, want the file that says that it ran", got, err)
	}
}

// TestSandboxIsOff: who asks for none has none.
func TestSandboxIsOff(t *testing.T) {
	dir := folder(t, map[string]string{"halberd.toml": "sandbox = \"off\"\nlog-level = \"debug\"\n"})
	p := start(t, without(t, "-sim", "-config", dir, "-listen", "stream:"+name()))
	p.stdout.await(t, serving)
	if got := p.stderr.String(); strings.Contains(got, "sandbox") {
		t.Errorf("it logs %q", got)
	}
	p.terminate(t)
}

// TestSandboxOfLinks: files that links in the configuration lead to are read again in the sandbox, as they are then.
func TestSandboxOfLinks(t *testing.T) {
	real := folder(t, map[string]string{"policies/pump.toml": grantSelf("io.halberd.Gpio.Set")})
	dir := folder(t, map[string]string{"halberd.toml": "sandbox = \"kill\"\nlog-level = \"debug\"\n"})
	err := errors.Join(os.Mkdir(filepath.Join(dir, "policy.d"), 0o755), os.Symlink(filepath.Join(real, "policies/pump.toml"), filepath.Join(dir, "policy.d/10.toml")))
	if err != nil {
		t.Fatal(err)
	}
	at := "stream:" + name()
	p := start(t, without(t, "-sim", "-config", dir, "-listen", at))
	p.stdout.await(t, serving)
	boxed(t, p)
	write(t, real, map[string]string{"policies/new": grantSelf("io.halberd.Gpio.Get")})
	if err := os.Rename(filepath.Join(real, "policies/new"), filepath.Join(real, "policies/pump.toml")); err != nil {
		t.Fatal(err)
	}
	p.signal(t, unix.SIGHUP)
	p.stderr.await(t, "msg=reloaded generation=2")
	if err := setPump(t, connect(t, at)); !client.IsError(err, client.PermissionDenied) {
		t.Errorf("got %v, want %s", err, client.PermissionDenied)
	}
	p.terminate(t)
}
