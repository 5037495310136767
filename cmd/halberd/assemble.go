package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/board"
	"github.com/halberd-io/halberd/hal/kernel"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/init/activate"
	"github.com/halberd-io/halberd/init/journal"
	"github.com/halberd-io/halberd/init/power"
	"github.com/halberd-io/halberd/service"
	"github.com/halberd-io/halberd/service/config"
	"github.com/halberd-io/halberd/service/listen"
	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/state"
)

// stamp is there once Halberd started since boot. /run is empty after one.
const stamp = "/run/halberd/started"

// assemble makes a server of the flags, the configuration and the sockets.
func assemble(f flags, records *journal.Log, level *slog.LevelVar, stdout io.Writer) (*service.Server, error) {
	opt := options(f)
	settings, err := loadSettings(f, opt)
	if err != nil {
		return nil, err
	}
	level.Set(settings.LogLevel)
	log := records.Logger(level)
	c := service.Config{
		Version: version, Log: log, Drivers: board.Drivers(), Limits: settings.Limits,
		Audit: settings.Audit, AuditLog: records.Logger(slog.LevelInfo), // whatever log-level is
		Kernel: kernel.Linux{}, FirstStart: true,
		Policy: func(cat *hal.Catalog) (*config.PolicyFiles, error) { return config.LoadPolicy(opt, cat) },
	}
	if f.sim {
		err = simulate(&c, f, opt, stdout)
	} else {
		err = real(&c, opt)
	}
	if err != nil {
		return nil, err
	}
	var inherited inheritance
	c.Sockets, _, err = activate.Sockets(activate.Options{SocketFDs: f.sockets, Listen: addresses(f), Log: log, Stored: inherited.take})
	if err != nil {
		return nil, err
	}
	if !f.sim { // what is simulated ends with the process
		c.Keeper = inherited.open(log)
	}
	s, err := service.New(c)
	if err != nil {
		for _, socket := range c.Sockets {
			_ = socket.Close()
		}
		return nil, err
	}
	confine(f, s, &c, opt, settings.Sandbox)
	return s, nil
}

func options(f flags) config.Options {
	opt := config.Options{Dirs: config.Default(), TrustCaller: f.sim}
	if f.config != "" {
		opt.Dirs = config.Only(f.config)
	}
	return opt
}

// loadSettings reads halberd.toml. A simulated board without -config asks for none.
func loadSettings(f flags, opt config.Options) (*config.Server, error) {
	if f.sim && f.config == "" {
		return config.DefaultServer(), nil
	}
	return config.LoadServer(opt)
}

// real serves this machine's hardware.
func real(c *service.Config, opt config.Options) error {
	b, err := config.LoadBoard(opt, board.Tables())
	if err != nil {
		return err
	}
	c.Entries, c.BoardChanged = b.Entries, boardChanged(opt, b)
	c.State = state.NewFolder(state.Path())
	c.Machine = power.New()
	_ = os.MkdirAll(filepath.Dir(stamp), 0o755) // writing fails, and says so, where this does
	_, err = os.Stat(stamp)
	c.FirstStart = os.IsNotExist(err)
	c.Started = func(hal.Loop) {
		if err := os.WriteFile(stamp, nil, 0o644); err != nil {
			c.Log.Warn("cannot remember that this boot's initial values are written", "error", err)
		}
	}
	return nil
}

// simulate serves the simulated board. Without -config everything is granted to root and to the user that started it.
func simulate(c *service.Config, f flags, opt config.Options, stdout io.Writer) error {
	k := sim.New(sim.Options{})
	b, err := simulatedBoard(k, f, opt)
	if err != nil {
		return err
	}
	c.Kernel, c.Machine, c.Entries, c.State = k, k, b.Entries, &state.Memory{}
	if f.config == "" {
		c.Policy = grantStarter
	} else {
		c.BoardChanged = boardChanged(opt, b)
	}
	c.Started = func(l hal.Loop) {
		k.Live(l, uint64(os.Getpid()))
		fmt.Fprint(stdout, toTry(c.Sockets))
	}
	return nil
}

// boardChanged compares board.toml with the one that was read at the start. Where there was none, the simulator's own stands for it.
func boardChanged(opt config.Options, b *config.Board) func() bool {
	none, _ := config.BoardDigest(config.Options{})
	return func() bool {
		digest, err := config.BoardDigest(opt)
		return err != nil || digest != b.Digest && (b.File != simulatedName || digest != none)
	}
}

// simulatedName is what messages call the simulator's own files.
const simulatedName = "simulated board"

// simulatedBoard takes the board.toml of -config where there is one, else the simulator's own.
func simulatedBoard(k *sim.Kernel, f flags, opt config.Options) (*config.Board, error) {
	if f.config != "" {
		if _, err := os.Stat(filepath.Join(f.config, "board.toml")); err == nil {
			return config.LoadBoard(opt, board.Tables())
		}
	}
	return config.ParseBoard(simulatedName, k.BoardTOML(), board.Tables())
}

// grantStarter is the policy of a simulated board without configuration.
func grantStarter(cat *hal.Catalog) (*config.PolicyFiles, error) {
	text := "[[grant]]\nid = \"simulated-board\"\nusers = [0]\nmethods = [\"io.halberd.*\"]\ndevices = [\"*\"]\n"
	if uid := os.Getuid(); uid != 0 {
		text = fmt.Sprintf("[[grant]]\nid = \"simulated-board\"\nusers = [0, %d]\nmethods = [\"io.halberd.*\"]\ndevices = [\"*\"]\n", uid)
	}
	return config.ParsePolicy(config.Options{}, cat, simulatedName, text)
}

// addresses are those of -listen, or the default ones. An ordinary user, who cannot write to /run, has the pathname socket in the runtime folder of his own.
func addresses(f flags) []listen.Address {
	if len(f.listen) > 0 {
		return f.listen
	}
	all := listen.Defaults()
	if !f.sim || os.Getuid() == 0 {
		return all
	}
	var own []listen.Address
	for _, a := range all {
		if a.Name[0] == '@' {
			own = append(own, a)
		}
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" && unix.Access(dir, unix.W_OK) == nil {
		own = append(own, listen.Address{Type: peer.Stream, Name: filepath.Join(dir, "halberd", "io.halberd")})
	}
	return own
}

// toTry is what a newcomer reads first. A connection that was handed over is nobody's first.
func toTry(sockets []*listen.Socket) string {
	var at []listen.Address
	text := "\nA simulated board is being served at"
	for _, s := range sockets {
		if s.Listening || s.Transport == peer.Datagram {
			at = append(at, s.Address)
			text += " " + s.Address.String()
		}
	}
	if len(at) == 0 {
		return ""
	}
	usual := at[0] == listen.Defaults()[0]
	option := ""
	if !usual {
		option = "-a " + at[0].String() + " "
	}
	text += ". In another terminal, try:\n\n"
	for _, command := range []string{"list", "gpio set relay-pump 1", "gpio get relay-pump", "led set front 128", "sensor get soc",
		"gpio watch button", "whoami"} {
		text += "  build/halctl " + option + command + "\n"
	}
	if usual {
		text += "  varlinkctl call unix:@halberd io.halberd.Gpio.Get '{\"line\":\"relay-pump\"}'\n"
	}
	return text + "\nCtrl-C ends it.\n\n"
}
