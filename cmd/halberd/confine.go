package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/halberd-io/halberd/init/power"
	"github.com/halberd-io/halberd/service"
	"github.com/halberd-io/halberd/service/config"
	"github.com/halberd-io/halberd/service/sandbox"
	"github.com/halberd-io/halberd/service/state"
)

// Where the daemon reads and writes once it serves. /etc is readable as a whole: whoever adds a user, or changes a name with chfn, puts another file in the place of /etc/passwd, and a rule means the
// file that was there. /dev and /sys are whole for what is plugged in later.
var (
	always = []sandbox.Path{{Name: "/etc", Access: sandbox.Read}, {Name: "/proc", Access: sandbox.Read}}

	ofMachine = []sandbox.Path{
		{Name: "/dev", Access: sandbox.Read | sandbox.Write | sandbox.Control},
		{Name: "/sys", Access: sandbox.Read},
		{Name: "/sys/devices", Access: sandbox.Write},
		{Name: filepath.Dir(stamp), Access: sandbox.Keep},
	}
	ofSimulator = []sandbox.Path{
		{Name: "/dev/null", Access: sandbox.Read | sandbox.Write},
		{Name: "/dev/ptmx", Access: sandbox.Read | sandbox.Write | sandbox.Control},
		{Name: "/dev/pts", Access: sandbox.Read | sandbox.Write | sandbox.Control},
	}
)

// confine puts the daemon into its sandbox. Everything is open that has to be, and nothing is served yet. What this kernel cannot take away is said, and the daemon goes on: of a simulated board, which
// is tried on all kinds of machines, only to who asks for debugging.
func confine(f flags, s *service.Server, c *service.Config, opt config.Options, mode config.Sandbox) {
	if mode == config.SandboxOff {
		return
	}
	_, _ = time.Now().Zone() // reads /etc/localtime, and what that leads to
	box := sandbox.Config{Kill: mode == config.SandboxKill, Paths: append(always, opened(c, opt)...)}
	told, untold := slog.LevelInfo, slog.LevelWarn
	if f.sim {
		told, untold = slog.LevelDebug, slog.LevelDebug
		box.Paths = append(box.Paths, ofSimulator...)
	} else {
		box.Capabilities = s.Capabilities()
		reachMachine(&box)
	}
	report := sandbox.Enter(box)
	for _, err := range report.Missing {
		c.Log.Log(context.Background(), untold, "the sandbox has a gap", "error", err)
	}
	c.Log.Log(context.Background(), told, "in the sandbox", "layers", report.String())
}

// opened are the folders of the configuration, of what its links lead to, and of sockets that are removed at the end.
func opened(c *service.Config, opt config.Options) (paths []sandbox.Path) {
	for _, folder := range config.Folders(opt) {
		paths = append(paths, sandbox.Path{Name: folder, Access: sandbox.Read})
	}
	for _, socket := range c.Sockets {
		if name := socket.Address.Name; filepath.IsAbs(name) {
			paths = append(paths, sandbox.Path{Name: filepath.Dir(name), Access: sandbox.Remove})
		}
	}
	return paths
}

// reachMachine adds what hardware and the init system need. The folder of the state is made here: one that is made later would be none that a rule means.
func reachMachine(box *sandbox.Config) {
	_ = os.MkdirAll(state.Path(), 0o700) // saving fails, and says so, where this does
	box.Paths = append(append(box.Paths, ofMachine...), sandbox.Path{Name: state.Path(), Access: sandbox.Keep})
	reach := power.New().Reach()
	box.Capabilities = append(box.Capabilities, reach.Capabilities...)
	box.InitSignals, box.Modes = reach.Signals, reach.Modes
	for _, name := range reach.Write {
		box.Paths = append(box.Paths, sandbox.Path{Name: name, Access: sandbox.Keep})
	}
}
