package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"

	"github.com/halberd-io/halberd/hal"
)

// lend calls a method that gives descriptors, and runs a command with them. They are the command's until it ends: halctl, whose connection they belong to, waits for it.
func (p *program) lend(ctx context.Context, m *hal.Method, words []string) error {
	at := slices.Index(words, "--")
	if at < 0 || at == len(words)-1 {
		return &usageError{usageOf(m) + " -- COMMAND... (which gets the descriptor, as number 3)"}
	}
	parameters, err := parametersOf(m, words[:at])
	if err != nil {
		return err
	}
	c, err := p.connect(ctx)
	if err != nil {
		return err
	}
	files, err := c.CallFDs(ctx, m.FullName(), parameters, nil)
	if err != nil {
		return &failure{m.FullName(), parameters, err}
	}
	defer closeFiles(files)
	return p.runWith(ctx, files, words[at+1:])
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// commandFailed is a command that ended with another status than 0, and has said why itself.
type commandFailed struct{ status int }

// Error names the status.
func (e *commandFailed) Error() string {
	return fmt.Sprintf("the command ended with status %d", e.status)
}

// runWith runs a command with descriptors, and with the terminal, until it ends.
func (p *program) runWith(ctx context.Context, files []*os.File, words []string) error {
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = os.Stdin, p.stdout, p.stderr, files
	err := cmd.Run()
	if ended, ok := errors.AsType[*exec.ExitError](err); ok {
		return &commandFailed{ended.ExitCode()}
	}
	return err
}
