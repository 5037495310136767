package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"

	"github.com/halberd-io/halberd/hal/board"
	"github.com/halberd-io/halberd/hal/kernel"
	"github.com/halberd-io/halberd/service"
	"github.com/halberd-io/halberd/service/config"
)

// check reads the configuration and says all that is wrong with it, without hardware and without a daemon.
func check(args []string, stdout, stderr io.Writer) error {
	set := flag.NewFlagSet("halberd check", flag.ContinueOnError)
	set.SetOutput(stderr)
	dir := set.String("config", "", "read the configuration from `DIR` alone")
	root := set.String("root", "", "check the image that lies in `DIR`, with its users and groups")
	if err := parseAll(set, args); err != nil {
		return err
	}
	opt := config.Options{Dirs: config.Default(), Root: *root, TrustCaller: true, Strict: true}
	if *dir != "" {
		opt.Dirs = config.Only(*dir)
	}
	cat, err := service.Describe(board.Drivers())
	if err != nil {
		return err
	}
	files, policyErr := config.LoadPolicy(opt, cat)
	b, boardErr := config.LoadBoard(opt, board.Tables())
	_, serverErr := config.LoadServer(opt)
	if err := errors.Join(policyErr, boardErr, serverErr); err != nil {
		return fmt.Errorf("the configuration is bad:\n%w", err)
	}
	fmt.Fprintf(stdout, "good: %d grants in %d files, %d devices declared\n", len(files.Grants), len(files.Files), declared(b))
	return nil
}

func declared(b *config.Board) int {
	n := 0
	for _, entries := range b.Entries {
		n += len(entries)
	}
	return n
}

// detect prints a board.toml for the machine it runs on.
func detect(args []string, stdout, stderr io.Writer) error {
	set := flag.NewFlagSet("halberd detect", flag.ContinueOnError)
	set.SetOutput(stderr)
	if err := parseAll(set, args); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(stderr, nil))
	return service.Detect(stdout, kernel.Linux{}, board.Drivers(), log)
}
