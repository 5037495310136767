// Command halctl calls a Halberd daemon.
//
//	halctl [-a ADDRESS] [-j] COMMAND [ARGUMENT]…
//
// It exits with 0 when it is done, 1 when a call was refused or failed, 2 when it was used wrongly, and 3 when there is no daemon.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/halberd-io/halberd/service/client"
)

// The exit statuses.
const (
	exitDone = iota
	exitFailed
	exitUsage
	exitNoDaemon
)

// version is set by the build.
var version = "devel"

// program is one run of halctl.
type program struct {
	stdout, stderr io.Writer
	address        string
	json           bool
	client         *client.Client // once connected
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	p := &program{stdout: os.Stdout, stderr: os.Stderr}
	status := p.run(ctx, os.Args[1:])
	if p.client != nil {
		_ = p.client.Close()
	}
	os.Exit(status)
}

// usageError says how a command is used.
type usageError struct{ usage string }

func (e *usageError) Error() string { return "usage: halctl " + e.usage }

// errNo is the answer no of a question, which is not an error to be printed.
var errNo = errors.New("no")

func (p *program) run(ctx context.Context, args []string) int {
	set := flag.NewFlagSet("halctl", flag.ContinueOnError)
	set.SetOutput(p.stderr)
	set.StringVar(&p.address, "a", "", "call the daemon at `ADDRESS`, as seqpacket:@halberd")
	set.BoolVar(&p.json, "j", false, "print JSON, one object a line")
	show := set.Bool("version", false, "print the version")
	set.Usage = func() {}
	switch err := set.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		usage(p.stdout)
		return exitDone
	case err != nil:
		fmt.Fprintln(p.stderr, "halctl -h lists the commands")
		return exitUsage
	case *show:
		fmt.Fprintln(p.stdout, "halctl", version)
		return exitDone
	case set.NArg() == 0:
		usage(p.stderr)
		return exitUsage
	}
	return p.status(p.command(ctx, set.Args()))
}

// status prints what went wrong and gives the exit status for it.
func (p *program) status(err error) int {
	var usage *usageError
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errNo):
		return exitFailed
	case errors.As(err, new(*commandFailed)):
		fmt.Fprintln(p.stderr, "halctl:", err)
		return exitFailed
	case errors.As(err, &usage):
		fmt.Fprintln(p.stderr, wrap(err.Error(), 0, 8))
		return exitUsage
	case errors.Is(err, client.ErrAddress):
		fmt.Fprintln(p.stderr, "halctl:", err)
		return exitUsage
	case errors.Is(err, client.ErrNoDaemon):
		fmt.Fprintln(p.stderr, "halctl:", err)
		return exitNoDaemon
	}
	p.refused(err)
	return exitFailed
}

// command finds what to do: a command of ours, or a class and one of its methods.
func (p *program) command(ctx context.Context, args []string) error {
	if args[0] == "help" {
		usage(p.stdout)
		return nil
	}
	help := slices.ContainsFunc(args, func(word string) bool { return word == "-h" || word == "--help" })
	for _, c := range commands() {
		if c.name != args[0] {
			continue
		}
		if help {
			return p.explainUsage(c.name+" "+c.usage, c.doc)
		}
		return c.run(p, ctx, args[1:])
	}
	m, rest, err := findMethod(args)
	switch {
	case err != nil && help && p.explainClass(args[0]):
		return nil
	case err != nil:
		return err
	case help:
		return p.explainMethod(m)
	}
	return p.callMethod(ctx, m, rest)
}

// explainUsage answers -h behind a command. No device is called so.
func (p *program) explainUsage(usage, doc string) error {
	_, err := fmt.Fprintf(p.stdout, "%s\n%s\n", wrap("usage: halctl "+strings.TrimSpace(usage), 0, 8), wrap(doc, 0, 0))
	return err
}

// connect gives the client, which is made at its first use.
func (p *program) connect(ctx context.Context) (*client.Client, error) {
	if p.client != nil {
		return p.client, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	c, err := client.Dial(ctx, p.address)
	p.client = c
	return c, err
}

// usage lists the commands.
func usage(w io.Writer) {
	fmt.Fprint(w, "usage: halctl [-a ADDRESS] [-j] COMMAND [ARGUMENT]...\n\n")
	for _, c := range commands() {
		if c.doc != "" {
			fmt.Fprint(w, entryOf(c.name+" "+c.usage, c.doc))
		}
	}
	fmt.Fprint(w, "\n")
	for _, m := range deviceMethods() {
		fmt.Fprint(w, entryOf(usageOf(m), firstSentence(m.Doc)))
	}
	fmt.Fprint(w, "\n"+wrap("Addresses are stream:@halberd, seqpacket:@halberd, dgram:@halberd or stream:PATH; -j prints JSON. "+
		"What a command does in full: halctl COMMAND -h.", 0, 0)+"\n")
}

// entryOf is one command in the usage: how it is typed, and what it does beside that, or below where it is long.
func entryOf(usage, doc string) string {
	const beside = 37
	usage = "  " + wrap(strings.TrimSpace(usage), 2, 6)
	if gap := beside - len(usage); gap > 0 {
		return usage + strings.Repeat(" ", gap) + wrap(doc, beside, beside) + "\n"
	}
	return usage + "\n" + strings.Repeat(" ", beside) + wrap(doc, beside, beside) + "\n"
}

func firstSentence(doc string) string {
	doc, _, _ = strings.Cut(doc, "\n")
	if i := strings.Index(doc, ". "); i >= 0 {
		return doc[:i+1]
	}
	return doc
}
