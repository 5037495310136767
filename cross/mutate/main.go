// Command mutate tests the tests of packages: it changes one thing at a time in a package's code (a mutant), and runs the package's tests, one of which has to fail.
//
//	go run ./cross/mutate [-run KEY] PACKAGE-FOLDER...
//
// The mutants that no test notices are compared with testdata/mutants.txt of the package, where each of them stands with the reason why it is no fault of the tests: it behaves as the
// package does. The command fails where a mutant survives that is not explained there, or one is explained that does not survive.
//
// Nothing in the tree is changed: the go tool takes the file from elsewhere (-overlay). What does not compile is no mutant. Tests run with -short.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// patience is how long the tests of a mutant may take. One that takes longer is noticed.
const patience = 60 * time.Second

func main() {
	only := flag.String("run", "", "only the mutants whose description contains this")
	flag.Parse()
	failed := false
	for _, folder := range flag.Args() {
		ok, err := mutate(folder, *only)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		failed = failed || !ok
	}
	if failed {
		os.Exit(1)
	}
}

// mutate tries the mutants of one package, and reports whether all that survived are explained.
func mutate(folder, only string) (ok bool, err error) {
	folder, err = filepath.Abs(folder)
	if err != nil {
		return false, err
	}
	all, err := mutantsOf(folder)
	if err != nil {
		return false, err
	}
	explained, err := explanations(filepath.Join(folder, "testdata", "mutants.txt"))
	if err != nil {
		return false, err
	}
	scratch, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(scratch)
	if err := passes(folder); err != nil {
		return false, err
	}
	return report(folder, scratch, only, all, explained)
}

func report(folder, scratch, only string, all []mutant, explained map[string]bool) (ok bool, err error) {
	count, ok := map[fate]int{}, true
	for i := range all {
		m := &all[i]
		if !strings.Contains(m.key, only) {
			continue
		}
		fate, err := try(folder, scratch, m)
		if err != nil {
			return false, err
		}
		count[fate]++
		if was := explained[m.key]; fate == survived && !was {
			fmt.Printf("%s:%d: survived: %s\n", m.file, m.line, m.key)
			ok = false
		} else if fate != survived && was {
			fmt.Printf("%s:%d: explained, and noticed: %s\n", m.file, m.line, m.key)
			ok = false
		}
		delete(explained, m.key)
	}
	for key := range explained {
		if only == "" {
			fmt.Printf("%s: explained, and there is no such mutant: %s\n", folder, key)
			ok = false
		}
	}
	fmt.Printf("%s: %d mutants: %d noticed by the tests, %d too slow, %d survived; %d more do not compile\n", folder,
		count[noticed]+count[slow]+count[survived], count[noticed], count[slow], count[survived], count[senseless])
	return ok, nil
}

// fate is what became of a mutant.
type fate int

const (
	survived fate = iota
	noticed
	slow
	senseless // does not compile
)

// passes makes sure that the tests pass as the package is.
func passes(folder string) error {
	test := exec.Command("go", "test", "-vet=off", "-short", "-count=1", ".")
	test.Dir = folder
	if out, err := test.CombinedOutput(); err != nil {
		return fmt.Errorf("the tests of %s do not pass as it is: %w\n%s", folder, err, out)
	}
	return nil
}

// try builds the tests with one mutant and runs them.
func try(folder, scratch string, m *mutant) (fate, error) {
	program := filepath.Join(scratch, "test")
	overlay, err := m.overlay(scratch)
	if err != nil {
		return 0, err
	}
	build := exec.Command("go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", overlay, "-o", program, ".")
	build.Dir = folder
	if err := build.Run(); err != nil {
		return senseless, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	run := exec.CommandContext(ctx, program, "-test.short", "-test.failfast")
	run.Dir, run.WaitDelay = folder, time.Second
	err = run.Run()
	switch {
	case ctx.Err() != nil:
		return slow, nil
	case err != nil:
		return noticed, nil
	}
	return survived, nil
}

// overlay writes the changed file, and what tells the go tool to take it.
func (m *mutant) overlay(scratch string) (string, error) {
	source, err := os.ReadFile(m.file)
	if err != nil {
		return "", err
	}
	changed := filepath.Join(scratch, "changed.go")
	text := bytes.Join([][]byte{source[:m.from], source[m.to:]}, []byte(m.text))
	list, err := json.Marshal(map[string]map[string]string{"Replace": {m.file: changed}})
	if err != nil {
		return "", err
	}
	path := filepath.Join(scratch, "overlay.json")
	return path, errors.Join(os.WriteFile(changed, text, 0o600), os.WriteFile(path, list, 0o600))
}

// explanations reads the keys of a list: lines that begin neither with # nor with a tab, as the reasons below them do.
func explanations(path string) (map[string]bool, error) {
	keys := map[string]bool{}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if line != "" && line[0] != '#' && line[0] != '\t' {
			keys[line] = true
		}
	}
	return keys, nil
}
