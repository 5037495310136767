package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

const policyUsage = "policy test [-config DIR] [-root DIR] FILE..."

// policy becomes halberd, which tries what files expect of the policy: it has the policy engine and reads the policy's files, so that this program need not, and so that no other version judges a
// policy than the one that enforces it. No daemon is needed.
func (p *program) policy(_ context.Context, args []string) error {
	set := flag.NewFlagSet("policy test", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	dir := set.String("config", "", "")
	root := set.String("root", "", "")
	if len(args) == 0 || args[0] != "test" {
		return &usageError{policyUsage}
	}
	files, err := mixed(set, args[1:])
	switch {
	case err != nil:
		return &usageError{policyUsage + ": " + err.Error()}
	case len(files) == 0:
		return &usageError{policyUsage}
	}
	if p.json {
		return &usageError{policyUsage + ", without -j"}
	}
	words := []string{"check", "-config=" + *dir, "-root=" + *root}
	for _, name := range files {
		words = append(words, "-test="+name)
	}
	program, err := daemonProgram()
	if err != nil {
		return err
	}
	return fmt.Errorf("cannot run %s: %w", program, unix.Exec(program, append([]string{program}, words...), os.Environ()))
}

// mixed reads flags before, between and behind other words, and gives those. Behind -- there are no flags.
func mixed(set *flag.FlagSet, args []string) (words []string, err error) {
	var rest []string
	if end := slices.Index(args, "--"); end >= 0 {
		args, rest = args[:end], args[end+1:]
	}
	for len(args) > 0 {
		if err := set.Parse(args); err != nil {
			return nil, err
		}
		if args = set.Args(); len(args) > 0 {
			words, args = append(words, args[0]), args[1:]
		}
	}
	return append(words, rest...), nil
}

// daemonProgram finds the daemon's program: beside this one, where both were installed, else on PATH.
func daemonProgram() (string, error) {
	folders := filepath.SplitList(os.Getenv("PATH"))
	if own, err := os.Executable(); err == nil {
		folders = append([]string{filepath.Dir(own)}, folders...)
	}
	for _, dir := range folders {
		path := filepath.Join(dir, "halberd")
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && filepath.IsAbs(path) && unix.Access(path, unix.X_OK) == nil {
			return path, nil
		}
	}
	return "", errors.New("cannot find the program halberd, which reads and tries policies: it is neither beside halctl nor on PATH")
}
