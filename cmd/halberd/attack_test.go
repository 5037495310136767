package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/halberd-io/halberd/service/attack"
	"github.com/halberd-io/halberd/service/servicetest"
)

// maxRSS is how much memory the daemon may have whatever is done to it.
const maxRSS = 64 << 20

// prey is a daemon as it is attacked.
type prey struct {
	*process
	name, dir string
	target    attack.Target
}

// startPrey starts a daemon with a simulated board of its own.
func startPrey(t *testing.T, limits string) *prey { return startPreyOf(t, limits, daemon) }

func startPreyOf(t *testing.T, limits string, program func(*testing.T, ...string) *exec.Cmd) *prey {
	t.Helper()
	servicetest.SkipUnlessRoot(t)
	p := &prey{name: name(), dir: folder(t, map[string]string{"policy.d/10.toml": attack.Policy, "halberd.toml": "[limits]\n" + limits})}
	p.process = start(t, program(t, append([]string{"-sim", "-config", p.dir}, everywhere(p.name)...)...))
	p.stdout.await(t, serving)
	p.target = attack.Simulated(p.name, p.Process.Pid)
	p.target.Timeout = 10 * time.Second
	return p
}

// measured is the daemon as it is installed, so that its memory is what it would be: the test binary may have the race detector in it, which takes many times as much.
func measured(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	if !raced() {
		return daemon(t, args...)
	}
	path := filepath.Join(t.TempDir(), "halberd")
	build := exec.Command("go", "build", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return exec.Command(path, args...)
}

// raced reports whether this program has the race detector in it.
func raced() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.ContainsFunc(info.Settings, func(s debug.BuildSetting) bool { return s.Key == "-race" && s.Value == "true" })
}

// emulated reports whether an emulator runs this program.
func emulated(t *testing.T) bool {
	return strings.HasPrefix(filepath.Base(servicetest.Command(t).Args[0]), "qemu-")
}

// skipEmulated skips what is made on a server in service/attack's own process as well, and says nothing more under an emulator.
func skipEmulated(t *testing.T) {
	t.Helper()
	if emulated(t) {
		t.Skip("the memory of an emulator says nothing of the daemon's")
	}
}

const shortPatience = "message-timeout-msec = 300\nwrite-timeout-msec = 300\n"

// TestSoakAttacks makes every attack on the daemon, which takes no more memory than it may: for a moment and with short limits of time, or where HALBERD_SOAK is set for ten seconds each and with those that the
// daemon has by itself.
func TestSoakAttacks(t *testing.T) {
	skipEmulated(t)
	limits, timeout, lasts := shortPatience, 300*time.Millisecond, time.Duration(0)
	if os.Getenv("HALBERD_SOAK") != "" {
		limits, timeout, lasts = "", 10*time.Second, 10*time.Second
	}
	p := startPreyOf(t, limits, measured)
	p.target.Timeout, p.target.Lasts, p.target.MaxRSS = timeout, lasts, maxRSS
	attack.Run(t, p.target)
	p.terminate(t)
}
