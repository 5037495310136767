package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/halberd-io/halberd/hal/board"
	"github.com/halberd-io/halberd/service"
	"github.com/halberd-io/halberd/service/config"
	"github.com/halberd-io/halberd/service/policy"
)

// tryPolicy tries the expectations in files on the policy, and fails where one is not met. `halctl policy test` runs it: the program that enforces a policy is the one that says what it
// permits, and halctl need not read files.
func tryPolicy(opt config.Options, names []string, stdout io.Writer) error {
	cat, err := service.Describe(board.Drivers())
	if err != nil {
		return err
	}
	files, err := config.LoadPolicy(opt, cat)
	if err != nil {
		return fmt.Errorf("the policy is bad:\n%w", err)
	}
	var all []config.Expectation
	var errs []error
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		some, err := config.ParseExpectations(opt, cat, name, string(text))
		all, errs = append(all, some...), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("the expectations are bad:\n%w", err)
	}
	misses := policy.Compile(files, cat, 1, nil).Misses(all)
	if len(misses) == 0 {
		_, err := fmt.Fprintf(stdout, "good: %s %s met by %s in %s\n", counted(len(all), "expectation"), are(len(all)), counted(len(files.Grants), "grant"), counted(len(files.Files), "file"))
		return err
	}
	lines := make([]string, len(misses))
	for i := range misses {
		lines[i] = misses[i].String()
	}
	return fmt.Errorf("%d of %s %s not met:\n%s", len(misses), counted(len(all), "expectation"), are(len(misses)), strings.Join(lines, "\n"))
}

// are is the verb for so many.
func are(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}
