package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/halberd-io/halberd/hal"
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
	keys := set.Bool("keys", false, "list every key that the files may have, and do nothing else")
	interfaces := set.String("interfaces", "", "write the text of every interface of Halberd's into `DIR`, and do nothing else")
	root := set.String("root", "", "check the image that lies in `DIR`, with its users and groups")
	var tests []string
	set.Func("test", "try the expectations in `FILE` on the policy instead; may be given again", func(name string) error {
		tests = append(tests, name)
		return nil
	})
	if err := parseAll(set, args); err != nil {
		return err
	}
	switch {
	case *keys:
		return reference(stdout)
	case *interfaces != "":
		return writeInterfaces(*interfaces)
	}
	opt := config.Options{Dirs: config.Default(), Root: *root, TrustCaller: true, Strict: true}
	if *dir != "" {
		opt.Dirs = config.Only(*dir)
	}
	if tests != nil {
		return tryPolicy(opt, tests, stdout)
	}
	return validate(opt, stdout)
}

// validate says all that is wrong with the configuration.
func validate(opt config.Options, stdout io.Writer) error {
	cat, err := service.Describe(board.Drivers())
	if err != nil {
		return err
	}
	files, policyErr := config.LoadPolicy(opt, cat)
	b, boardErr := config.LoadBoard(opt, board.Tables())
	if boardErr == nil {
		boardErr = board.Check(b.Entries)
	}
	_, serverErr := config.LoadServer(opt)
	if err := errors.Join(policyErr, boardErr, serverErr); err != nil {
		return fmt.Errorf("the configuration is bad:\n%w", err)
	}
	for _, w := range append(files.Warnings, files.Undeclared(cat, declared(b), isWhole)...) {
		fmt.Fprintln(stdout, "warning:", printable(w.String()))
	}
	fmt.Fprintf(stdout, "good: %s in %s, %s declared\n", counted(len(files.Grants), "grant"), counted(len(files.Files), "file"), counted(devices(b), "device"))
	return nil
}

// counted writes a number of things.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// declared are the IDs of what has a table of its own, by class: the tables of a list are about others.
func declared(b *config.Board) map[string][]string {
	ids := map[string][]string{}
	for _, d := range board.Drivers() {
		for _, t := range d.Tables {
			for _, e := range b.Entries[t.Name] {
				if t.Key == "" {
					ids[d.Class] = append(ids[d.Class], e.ID)
				}
			}
		}
	}
	return ids
}

// isWhole reports whether board.toml declares every device that a method can name.
func isWhole(m *hal.Method) bool {
	return slices.ContainsFunc(board.Drivers(), func(d hal.Driver) bool {
		return d.Class == m.Class && slices.ContainsFunc(d.Tables, func(t hal.Table) bool { return t.Whole != "" && t.Whole == m.Device })
	})
}

// devices counts what is declared.
func devices(b *config.Board) (n int) {
	for _, ids := range declared(b) {
		n += len(ids)
	}
	return n
}

// reference lists the keys of all files, from where they are declared.
func reference(w io.Writer) error {
	fmt.Fprint(w, "policy.d/*.toml: each [[grant]]\n")
	for _, k := range config.GrantKeys() {
		fmt.Fprintf(w, "  %-26s %s\n", k.Name, k.Doc)
	}
	fmt.Fprint(w, "\nexpectations for -test: each [[expect]]\n")
	for _, k := range config.ExpectKeys() {
		fmt.Fprintf(w, "  %-26s %s\n", k.Name, k.Doc)
	}
	for _, t := range board.Tables() {
		fmt.Fprintf(w, "\nboard.toml: %s  %s\n", t.Head(), t.Doc)
		for _, f := range t.Fields {
			fmt.Fprintf(w, "  %-26s %s\n", f.Name, f.Explain())
		}
	}
	fmt.Fprint(w, "\nhalberd.toml:\n")
	for _, k := range config.ServerKeys() {
		fmt.Fprintf(w, "  %-26s %s\n", k.Name, k.Doc)
	}
	fmt.Fprint(w, "\nhalberd.toml: [limits]\n")
	for _, f := range config.LimitKeys() {
		fmt.Fprintf(w, "  %-26s %s\n", f.Name, f.Explain())
	}
	return nil
}

// writeInterfaces writes the interface texts, as the daemon would print them. Those that varlink and systemd define are theirs to install.
func writeInterfaces(dir string) error {
	cat, err := service.Describe(board.Drivers())
	if err != nil {
		return err
	}
	for _, i := range cat.Interfaces() {
		if i.Name != "io.halberd" && !strings.HasPrefix(i.Name, "io.halberd.") {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, i.Name+".varlink"), []byte(i.Text), 0o644); err != nil {
			return err
		}
	}
	return nil
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
