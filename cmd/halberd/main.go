// Command halberd lets unprivileged programs use the hardware of a board, each as far as a grant says.
//
//	halberd [-config DIR] [-sim] [-listen ADDRESS]… [-socket-fd N]… [-version]
//	halberd check [-config DIR] [-root DIR] [-test FILE]… [-keys] [-interfaces DIR]
//	halberd detect
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/init/journal"
	"github.com/halberd-io/halberd/service/listen"
)

// version is set by the build.
var version = "devel"

// flags are those of the daemon.
type flags struct {
	config  string
	sim     bool
	version bool
	listen  []listen.Address
	sockets []int
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run gives the exit status: 0 done, 1 failed, 2 usage.
func run(args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "check" {
		return status(check(args[1:], stdout, stderr), stderr)
	}
	if len(args) > 0 && args[0] == "detect" {
		return status(detect(args[1:], stdout, stderr), stderr)
	}
	f, err := parse(args, stderr)
	if err == nil && f.version {
		fmt.Fprintln(stdout, "halberd", version)
		return 0
	}
	if err == nil {
		err = serve(f, stdout)
	}
	return status(err, stderr)
}

// errUsage is returned after the usage was printed.
var errUsage = errors.New("usage")

func status(err error, stderr io.Writer) int {
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return 2
	}
	fmt.Fprintln(stderr, "halberd:", printable(err.Error()))
	return 1
}

func parse(args []string, stderr io.Writer) (flags, error) {
	var f flags
	set := flag.NewFlagSet("halberd", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.Usage = func() {
		fmt.Fprint(stderr, "usage: halberd [FLAG]...              serve until SIGTERM; SIGHUP has the policy read anew\n"+
			"       halberd check [FLAG]...        say all that is wrong with the configuration; -keys lists what it may have,\n"+
			"                                      -test tries what a product expects of its policy\n"+
			"       halberd detect                 print a board.toml for this machine\n\n")
		set.PrintDefaults()
	}
	set.StringVar(&f.config, "config", "", "read the configuration from `DIR` alone")
	set.BoolVar(&f.sim, "sim", false, "serve a simulated board: no hardware, no root and no configuration needed")
	set.BoolVar(&f.version, "version", false, "print the version")
	set.Func("listen", "serve at `ADDRESS`, as stream:@halberd; may be given again (default: all four)", func(s string) error {
		a, err := listen.Parse(s)
		f.listen = append(f.listen, a)
		return err
	})
	set.Func("socket-fd", "serve the inherited descriptor `N`; may be given again", func(s string) error {
		fd, err := strconv.Atoi(s)
		f.sockets = append(f.sockets, fd)
		return err
	})
	return f, parseAll(set, args)
}

// parseAll parses flags and refuses anything behind them.
func parseAll(set *flag.FlagSet, args []string) error {
	err := set.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return err
	case err != nil:
		return errUsage
	case set.NArg() > 0:
		fmt.Fprintf(set.Output(), "%s: cannot understand %q\n", set.Name(), set.Arg(0))
		set.Usage()
		return errUsage
	}
	return nil
}

// serve runs the daemon until SIGTERM or SIGINT.
func serve(f flags, stdout io.Writer) error {
	spareProcessor()
	limitMemory("/")
	level := new(slog.LevelVar)
	s, err := assemble(f, journal.Open(), level, stdout)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer stop()
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, unix.SIGHUP)
	done := make(chan struct{})
	go func() {
		for range hangup {
			s.Reload()
		}
		close(done)
	}()
	err = s.Run(ctx)
	signal.Stop(hangup)
	close(hangup)
	<-done
	return err
}

// spareProcessor lets the runtime run goroutines on two threads at a time on a machine with one processor. With one thread the runtime's monitor takes
// it away from every wait of more than 20 µs, and wakes up 50,000 times a second for that: 15 % of the daemon's processor time. With an idle one beside
// it, a wait of the loop is left alone (see service/loop). A call through a worker took 183 µs so, and 80 µs with two.
//
// GOMAXPROCS=1 in the environment is left as it is, and so is a daemon with a real-time policy: there a thread of the runtime that spins never lets
// the one run that it waits for. Under SCHED_FIFO, with two threads on one processor, calls through a worker were seen to hang for ever.
func spareProcessor() {
	if os.Getenv("GOMAXPROCS") == "" && runtime.GOMAXPROCS(0) == 1 && !realTime() {
		runtime.GOMAXPROCS(2)
	}
}

// realTime says whether this process is scheduled otherwise than usual processes are. What cannot be told counts as such.
func realTime() bool {
	attr, err := unix.SchedGetAttr(0, 0)
	return err != nil || attr.Policy != unix.SCHED_NORMAL && attr.Policy != unix.SCHED_BATCH
}
